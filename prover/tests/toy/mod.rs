//! A small circuit with everything that zkinfer's circuits use: several advice columns in two
//! phases, challenges, rotations to both neighbours, copy constraints over all kinds of columns,
//! gates of degree 5. (halo2-axiom 0.5.3 panics while proving a circuit with a third phase.)
//!
//! It claims `y0 = x0·x1 + x2` and `y1 = x0 + x1`.

use halo2_proofs::{
    circuit::{Layouter, Region, SimpleFloorPlanner, Value},
    halo2curves::bn256::Fr,
    plonk::{
        Advice, Challenge, Circuit, Column, ConstraintSystem, Error, Expression, FirstPhase, Fixed,
        Instance, SecondPhase,
    },
    poly::Rotation,
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use zkinfer_engine::{Device, EngineCircuit, EngineKey};
use zkinfer_prover::{KeyMetadata, Srs, export_key, export_srs, reference::Reference};
use zkinfer_verifier::{
    Digest, INSECURE_DEV, InferenceClaim, InstanceLayout, JobBinding, Proof, TensorLayout,
    VerifyingKey, Visibility, encode_scalar,
};

/// Rows in use.
const ROWS: usize = 14;

/// What may differ between toys.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) k: u32,
    /// Advice columns, each with a fixed column of weights, besides the basic ones.
    pub(crate) lanes: usize,
    /// Changes the weights, and so the key.
    pub(crate) seed: u64,
    /// Whether copy constraints cover the lanes.
    pub(crate) copied_lanes: bool,
    pub(crate) minimum_degree: usize,
}

impl Default for Shape {
    fn default() -> Self {
        Self { k: 5, lanes: 1, seed: 1, copied_lanes: false, minimum_degree: 0 }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct ToyCircuit {
    pub(crate) shape: Shape,
    pub(crate) instance: Value<[Fr; 7]>,
}

#[derive(Clone, Debug)]
pub(crate) struct Config {
    abc: [Column<Advice>; 3],
    lanes: Vec<Column<Advice>>,
    /// Running sum over the first phase.
    d: Column<Advice>,
    /// Running sum over `d`.
    e: Column<Advice>,
    weights: Vec<Column<Fixed>>,
    constant: Column<Fixed>,
    q_first: Column<Fixed>,
    q_output: Column<Fixed>,
    q_product: Column<Fixed>,
    q_run: Column<Fixed>,
    alpha: Challenge,
    beta: Challenge,
    instance: Column<Instance>,
}

impl Config {
    fn new(meta: &mut ConstraintSystem<Fr>, shape: Shape) -> Self {
        let abc = [(); 3].map(|()| meta.advice_column());
        let lanes = (0..shape.lanes).map(|_| meta.advice_column()).collect::<Vec<_>>();
        let alpha = meta.challenge_usable_after(FirstPhase);
        let beta = meta.challenge_usable_after(FirstPhase);
        let [d, e] = [(); 2].map(|()| meta.advice_column_in(SecondPhase));
        let weights = (0..shape.lanes).map(|_| meta.fixed_column()).collect();
        let [constant, q_first, q_output, q_product, q_run] = [(); 5].map(|()| meta.fixed_column());
        let instance = meta.instance_column();
        abc.into_iter().chain([d, e]).for_each(|column| meta.enable_equality(column));
        meta.enable_equality(constant);
        meta.enable_equality(instance);
        if shape.copied_lanes {
            lanes.iter().for_each(|&column| meta.enable_equality(column));
        }
        if shape.minimum_degree > 0 {
            meta.set_minimum_degree(shape.minimum_degree);
        }
        Self {
            abc,
            lanes,
            d,
            e,
            weights,
            constant,
            q_first,
            q_output,
            q_product,
            q_run,
            alpha,
            beta,
            instance,
        }
    }

    fn create_gates(&self, meta: &mut ConstraintSystem<Fr>) {
        let (previous, current, next) = (Rotation::prev(), Rotation::cur(), Rotation::next());
        let [a, b, c] = self.abc;
        meta.create_gate("binding", |meta| {
            let q = meta.query_fixed(self.q_first, current);
            let high = meta.query_instance(self.instance, next);
            [q * (high - meta.query_advice(a, current))]
        });
        meta.create_gate("output", |meta| {
            let q = meta.query_fixed(self.q_output, current);
            let [x0, x1, x2] = [a, b, c].map(|column| meta.query_advice(column, current));
            let [y0, y1] = [a, b].map(|column| meta.query_advice(column, next));
            [q.clone() * (y0 - (x0.clone() * x1.clone() + x2)), q * (y1 - x0 - x1)]
        });
        meta.create_gate("product of degree 5", |meta| {
            let q = meta.query_fixed(self.q_product, current);
            let factor = meta.query_fixed(self.constant, current);
            let around = meta.query_advice(b, previous) * meta.query_advice(b, next);
            let product = meta.query_advice(a, current) * around * factor;
            [q * (meta.query_advice(c, current) - product)]
        });
        meta.create_gate("running sums", |meta| {
            let q = meta.query_fixed(self.q_run, current);
            let [alpha, beta] = [self.alpha, self.beta].map(|challenge| challenge.expr());
            let term = meta.query_advice(a, current) + meta.query_advice(b, current) * Fr::from(3)
                - meta.query_advice(c, current)
                + Expression::Constant(Fr::from(7));
            let term = self.lanes.iter().zip(&self.weights).fold(term, |sum, (&lane, &weight)| {
                sum + meta.query_advice(lane, current) * meta.query_fixed(weight, current)
            });
            let d = meta.query_advice(self.d, current);
            let first = meta.query_advice(self.d, previous) * alpha.clone() + term - d.clone();
            let e = meta.query_advice(self.e, previous) * beta - d * alpha;
            [q.clone() * first, q * (meta.query_advice(self.e, current) - e)]
        });
    }

    fn weight(&self, shape: Shape, lane: usize, row: usize) -> Fr {
        Fr::from(shape.seed * (lane as u64 + 2) + row as u64)
    }

    fn assign_fixed(&self, shape: Shape, region: &mut Region<'_, Fr>) {
        for row in 0..ROWS {
            let flag = |on: bool| Fr::from(u64::from(on));
            region.assign_fixed(self.constant, row, Fr::from(row as u64 + 5));
            region.assign_fixed(self.q_first, row, flag(row == 0));
            region.assign_fixed(self.q_output, row, flag(row == 1));
            region.assign_fixed(self.q_product, row, flag((4..ROWS - 1).contains(&row)));
            region.assign_fixed(self.q_run, row, flag(row > 0));
            for (lane, &column) in self.weights.iter().enumerate() {
                region.assign_fixed(column, row, self.weight(shape, lane, row));
            }
        }
    }

    /// Values of `a`, `b` and `c`, by row.
    fn witness(&self, instance: [Fr; 7]) -> [[Fr; 3]; ROWS] {
        let [lo, hi, x0, x1, x2, y0, y1] = instance;
        let mut rows = [[Fr::zero(); 3]; ROWS];
        rows[0] = [hi, lo, Fr::from(4)];
        rows[1] = [x0, x1, x2];
        rows[2] = [y0, y1, Fr::zero()];
        for (row, values) in rows.iter_mut().enumerate().skip(3) {
            *values = [x0 + Fr::from(row as u64), x1 * Fr::from(row as u64), Fr::one()];
        }
        for row in 4..ROWS - 1 {
            let around = rows[row - 1][1] * rows[row + 1][1];
            rows[row][2] = rows[row][0] * around * Fr::from(row as u64 + 5);
        }
        rows
    }

    /// Values of `d`, by row.
    fn running_sums(
        &self,
        shape: Shape,
        rows: Value<[[Fr; 3]; ROWS]>,
        alpha: Value<Fr>,
    ) -> Value<Vec<Fr>> {
        rows.zip(alpha).map(|(rows, alpha)| {
            let mut sums = vec![rows[0][0]];
            for (row, [a, b, c]) in rows.into_iter().enumerate().skip(1) {
                let lanes = (0..self.lanes.len())
                    .map(|lane| self.weight(shape, lane, row) * Self::lane_value(lane, row));
                let term = a + b * Fr::from(3) - c + Fr::from(7) + lanes.sum::<Fr>();
                sums.push(sums[row - 1] * alpha + term);
            }
            sums
        })
    }

    fn lane_value(lane: usize, row: usize) -> Fr {
        Fr::from((lane * 31 + row * row) as u64)
    }
}

impl EngineCircuit for ToyCircuit {}

impl Circuit<Fr> for ToyCircuit {
    type Config = Config;
    type FloorPlanner = SimpleFloorPlanner;
    type Params = Shape;

    fn params(&self) -> Shape {
        self.shape
    }

    fn without_witnesses(&self) -> Self {
        Self { shape: self.shape, instance: Value::unknown() }
    }

    fn configure(_: &mut ConstraintSystem<Fr>) -> Config {
        unreachable!("halo2 calls configure_with_params")
    }

    fn configure_with_params(meta: &mut ConstraintSystem<Fr>, shape: Shape) -> Config {
        let config = Config::new(meta, shape);
        config.create_gates(meta);
        config
    }

    fn synthesize(&self, config: Config, mut layouter: impl Layouter<Fr>) -> Result<(), Error> {
        let rows = self.instance.map(|instance| config.witness(instance));
        let public = layouter.assign_region(
            || "toy",
            |mut region| {
                config.assign_fixed(self.shape, &mut region);
                let mut public = Vec::new();
                for row in 0..ROWS {
                    for (index, &column) in config.abc.iter().enumerate() {
                        let value = rows.map(|rows| rows[row][index]);
                        let cell = region.assign_advice(column, row, value).cell();
                        public.push(cell);
                    }
                    for (lane, &column) in config.lanes.iter().enumerate() {
                        let value = Value::known(Config::lane_value(lane, row));
                        region.assign_advice(column, row, value);
                    }
                }
                region.next_phase();
                let alpha = region.get_challenge(config.alpha);
                let ds = config.running_sums(self.shape, rows, alpha);
                let mut first_d = None;
                for row in 0..ROWS {
                    let value = ds.as_ref().map(|ds| ds[row]);
                    let cell = region.assign_advice(config.d, row, value).cell();
                    first_d.get_or_insert(cell);
                }
                region.constrain_equal(first_d.unwrap(), public[0]);
                let beta = region.get_challenge(config.beta);
                let mut e = Value::known(Fr::from(5));
                for row in 0..ROWS {
                    if row > 0 {
                        let d = ds.as_ref().map(|ds| ds[row]);
                        e = e
                            .zip(beta)
                            .zip(alpha)
                            .zip(d)
                            .map(|(((e, beta), alpha), d)| e * beta - d * alpha);
                    }
                    let cell = region.assign_advice(config.e, row, e).cell();
                    if row == 0 {
                        let five = region.assign_fixed(config.constant, 0, Fr::from(5));
                        region.constrain_equal(cell, five);
                    }
                }
                Ok(public)
            },
        )?;
        // hi, lo, x0, x1, x2, y0, y1
        for (cell, row) in [(0, 1), (1, 0), (3, 2), (4, 3), (5, 4), (6, 5), (7, 6)] {
            layouter.constrain_instance(public[cell], config.instance, row);
        }
        Ok(())
    }
}

/// A toy with its keys.
pub(crate) struct Toy {
    pub(crate) shape: Shape,
    pub(crate) srs: Srs,
    pub(crate) circuit_key: EngineKey<ToyCircuit>,
    pub(crate) key: VerifyingKey,
}

impl Toy {
    pub(crate) fn new(shape: Shape) -> Self {
        let srs = Srs::insecure_dev(shape.k).unwrap();
        let circuit = ToyCircuit { shape, instance: Value::unknown() };
        let (lagrange, powers) = (srs.lagrange_points(), srs.first_powers());
        let circuit_key = EngineKey::new(&circuit, lagrange, powers, &Device::default()).unwrap();
        let metadata = KeyMetadata {
            srs: export_srs(srs.params(), INSECURE_DEV).unwrap(),
            layout: layout(),
            boundaries: Vec::new(),
            semantics: 1,
            model_name: Some("toy".into()),
            model_digest: Digest([7; 32]),
            graph_digest: Digest([9; 32]),
            accuracy_digest: Digest([8; 32]),
        };
        let key = export_key(circuit_key.verifying_key(), metadata).unwrap();
        Self { shape, srs, circuit_key, key }
    }

    /// The true claim about this input.
    pub(crate) fn claim(&self, input: [i64; 3], nonce: u64) -> InferenceClaim {
        let [x0, x1, x2] = input;
        InferenceClaim {
            model: self.key.digest(),
            input: input.to_vec().into(),
            output: vec![x0 * x1 + x2, x0 + x1].into(),
            binding: JobBinding {
                chain_id: 1,
                job_id: [2; 32],
                payee: [3; 20],
                expiry: 2_000_000_000,
                nonce,
            },
        }
    }

    pub(crate) fn prove(&self, claim: &InferenceClaim) -> Proof {
        let instance = halo2_instance(claim);
        let circuit = ToyCircuit {
            shape: self.shape,
            instance: Value::known(instance.clone().try_into().unwrap()),
        };
        let reference = Reference::new(&self.srs, self.circuit_key.verifying_key(), &circuit);
        let (reference, digest) = (reference.unwrap(), self.key.digest().0.0);
        let mut rng = ChaCha20Rng::seed_from_u64(claim.binding.nonce);
        Proof::new(reference.prove(&self.srs, &digest, &circuit, &[&instance], &mut rng).unwrap())
    }
}

/// The instance column in halo2's field.
pub(crate) fn halo2_instance(claim: &InferenceClaim) -> Vec<Fr> {
    claim.instance().iter().map(|value| Fr::from_bytes(&encode_scalar(value)).unwrap()).collect()
}

fn layout() -> InstanceLayout {
    let tensor = |name: &str, len, bound: i64| TensorLayout {
        name: name.into(),
        shape: vec![len],
        scales: vec![0.5],
        lo: -bound,
        hi: bound,
        classes: None,
    };
    let inputs = vec![tensor("x", 2, 100), tensor("x2", 1, 100)];
    let outputs = vec![tensor("y", 2, 20_000)];
    InstanceLayout::new(inputs, outputs, Visibility::Public, Visibility::Public)
}
