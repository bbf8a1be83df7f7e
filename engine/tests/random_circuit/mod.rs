//! Random halo2 circuits with everything that an argument can have: gates with rotations and
//! challenges, a second phase, copies, several instance columns, lookups.

use halo2_proofs::{
    circuit::{Layouter, SimpleFloorPlanner, Value},
    halo2curves::{bn256::Fr, ff::Field},
    plonk::{
        Advice, Challenge, Circuit, Column, ConstraintSystem, Error, Expression, FirstPhase, Fixed,
        Instance, SecondPhase, Selector, TableColumn,
    },
    poly::Rotation,
};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use zkinfer_engine::EngineCircuit;

/// What kind of circuit.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Kind {
    /// Fixes the gates, the copies and the witness.
    pub(crate) seed: u64,
    /// Advice columns that are free.
    pub(crate) inputs: usize,
    /// Gates of the first phase: one advice column each.
    pub(crate) gates: usize,
    /// Gates of the second phase, which use a challenge.
    pub(crate) late_gates: usize,
    /// The highest degree of a gate: at least 3.
    pub(crate) degree: usize,
    /// Instance columns.
    pub(crate) instances: usize,
    /// Lookup arguments into one table.
    pub(crate) lookups: usize,
    /// Cells that are copied.
    pub(crate) copies: usize,
    /// Fixed columns that only occur in one long linear combination.
    pub(crate) weights: usize,
}

/// Rows that hold a witness.
pub(crate) const ROWS: usize = 20;
/// Values of the lookup table: `3i + 1`.
const TABLE: u64 = 16;

/// The columns.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    inputs: Vec<Column<Advice>>,
    outputs: Vec<Column<Advice>>,
    late: Vec<Column<Advice>>,
    looked_up: Vec<Column<Advice>>,
    weighted: Column<Advice>,
    fixed: Column<Fixed>,
    weights: Vec<Column<Fixed>>,
    instances: Vec<Column<Instance>>,
    selector: Selector,
    challenge: Option<Challenge>,
    table: Option<TableColumn>,
}

/// One factor of a term: input column or the fixed column, and a rotation.
type Factor = (usize, i32);

impl Kind {
    fn rng(&self, purpose: u64) -> ChaCha20Rng {
        ChaCha20Rng::seed_from_u64(self.seed.wrapping_mul(1_000).wrapping_add(purpose))
    }

    /// The terms of every gate: a coefficient and factors, at most `degree - 1` of them.
    fn terms(&self) -> Vec<Vec<(Fr, Vec<Factor>)>> {
        let mut rng = self.rng(1);
        let mut pick = |below: usize| (rng.next_u32() as usize) % below;
        let mut gates = Vec::new();
        for _ in 0..self.gates + self.late_gates {
            let mut terms = Vec::new();
            for _ in 0..1 + pick(4) {
                let coefficient = Fr::from(pick(5) as u64) - Fr::from(2);
                let factors = 1 + pick(self.degree - 1);
                let rotation = |choice: usize| [-1, 0, 0, 1][choice];
                let factors =
                    (0..factors).map(|_| (pick(self.inputs + 1), rotation(pick(4)))).collect();
                terms.push((coefficient, factors));
            }
            gates.push(terms);
        }
        gates
    }

    /// Pairs of input cells that are equal; the first of a pair is never changed by a later one.
    fn copies(&self) -> Vec<[(usize, usize); 2]> {
        let mut rng = self.rng(2);
        let mut pick = |below: usize| (rng.next_u32() as usize) % below;
        (0..self.copies).map(|_| [0, 1].map(|_| (pick(self.inputs), pick(ROWS)))).collect()
    }
}

/// A circuit of some kind; `known` tells whether it has its witness.
#[derive(Clone, Debug)]
pub(crate) struct RandomCircuit {
    /// Which circuit.
    pub(crate) kind: Kind,
    /// Without a witness it is for key generation.
    pub(crate) known: bool,
    /// Added to one output cell: a lie.
    pub(crate) lie: Fr,
    /// Whether one looked-up value is outside the table.
    pub(crate) outside: bool,
    /// The columns whose blinding is chosen, with it.
    pub(crate) blinding: Vec<(usize, Vec<Fr>)>,
}

impl RandomCircuit {
    /// The honest circuit.
    pub(crate) fn honest(kind: Kind) -> Self {
        Self { kind, known: true, lie: Fr::ZERO, outside: false, blinding: Vec::new() }
    }

    /// The values of inputs, rows first, such that copied cells are equal.
    fn inputs(&self) -> Vec<Vec<Fr>> {
        let mut rng = self.kind.rng(3);
        let mut inputs: Vec<Vec<Fr>> = (0..self.kind.inputs)
            .map(|column| {
                let value = |rng: &mut ChaCha20Rng| match column % 3 {
                    0 => Fr::from(u64::from(rng.next_u32() % 256)),
                    1 => -Fr::from(u64::from(rng.next_u32() % 100)),
                    _ => Fr::random(&mut *rng),
                };
                (0..ROWS).map(|_| value(&mut rng)).collect()
            })
            .collect();
        // Equal cells of a chain of copies: repeat until nothing changes.
        let mut changed = true;
        while changed {
            changed = false;
            for [(a, i), (b, j)] in self.kind.copies() {
                changed |= inputs[a][i] != inputs[b][j];
                let value = inputs[a][i].min(inputs[b][j]);
                inputs[a][i] = value;
                inputs[b][j] = value;
            }
        }
        inputs
    }

    fn fixed(&self) -> Vec<Fr> {
        (0..ROWS as u64).map(|row| Fr::from(row * row % 7)).collect()
    }

    /// The instance columns: the first rows of the inputs.
    pub(crate) fn instance(&self) -> Vec<Vec<Fr>> {
        let inputs = self.inputs();
        (0..self.kind.instances).map(|i| inputs[i % self.kind.inputs][..3 + i].to_vec()).collect()
    }
}

impl EngineCircuit for RandomCircuit {
    fn blinding(&self) -> Vec<(usize, Vec<Fr>)> {
        self.blinding.clone()
    }
}

impl Circuit<Fr> for RandomCircuit {
    type Config = Config;
    type FloorPlanner = SimpleFloorPlanner;
    type Params = Kind;

    fn without_witnesses(&self) -> Self {
        Self { known: false, ..self.clone() }
    }

    fn params(&self) -> Kind {
        self.kind
    }

    fn configure(meta: &mut ConstraintSystem<Fr>) -> Config {
        Self::configure_with_params(meta, Kind { inputs: 1, degree: 3, ..Kind::default() })
    }

    fn configure_with_params(meta: &mut ConstraintSystem<Fr>, kind: Kind) -> Config {
        let inputs: Vec<_> = (0..kind.inputs).map(|_| meta.advice_column_in(FirstPhase)).collect();
        let outputs: Vec<_> = (0..kind.gates).map(|_| meta.advice_column_in(FirstPhase)).collect();
        let looked_up: Vec<_> = (0..kind.lookups).map(|_| meta.advice_column()).collect();
        let weighted = meta.advice_column();
        let challenge = (kind.late_gates > 0).then(|| meta.challenge_usable_after(FirstPhase));
        let late: Vec<_> =
            (0..kind.late_gates).map(|_| meta.advice_column_in(SecondPhase)).collect();
        let fixed = meta.fixed_column();
        let weights: Vec<_> = (0..kind.weights).map(|_| meta.fixed_column()).collect();
        let instances: Vec<_> = (0..kind.instances).map(|_| meta.instance_column()).collect();
        for &column in &inputs {
            meta.enable_equality(column);
        }
        for &column in &instances {
            meta.enable_equality(column);
        }
        let selector = meta.complex_selector();
        let config_gates = (&inputs[..], fixed, selector, challenge);
        random_gates(meta, kind, [&outputs, &late], config_gates);
        if kind.weights > 0 {
            weight_gate(meta, &weights, inputs[0], weighted, selector);
        }
        let table = (kind.lookups > 0).then(|| meta.lookup_table_column());
        for &column in &looked_up {
            meta.lookup("table", |meta| {
                let on = meta.query_selector(selector);
                let value = meta.query_advice(column, Rotation::cur());
                // One in the rows without a witness.
                let value = on.clone() * value + Expression::Constant(Fr::ONE) - on;
                vec![(value, table.expect("a table"))]
            });
        }
        Config {
            inputs,
            outputs,
            late,
            looked_up,
            weighted,
            fixed,
            weights,
            instances,
            selector,
            challenge,
            table,
        }
    }

    fn synthesize(&self, config: Config, mut layouter: impl Layouter<Fr>) -> Result<(), Error> {
        if let Some(table) = config.table {
            layouter.assign_table(
                || "table",
                |mut region| {
                    for (row, i) in (0..TABLE).enumerate() {
                        let value = Value::known(Fr::from(3 * i + 1));
                        region.assign_cell(|| "entry", table, row, || value)?;
                    }
                    Ok(())
                },
            )?;
        }
        let first =
            layouter.assign_region(|| "witness", |mut region| self.assign(&config, &mut region))?;
        for (i, &instance) in config.instances.iter().enumerate() {
            for (row, &cell) in first[i % first.len()].iter().enumerate().take(3 + i) {
                layouter.constrain_instance(cell, instance, row);
            }
        }
        Ok(())
    }
}

/// Columns that random gates read: inputs, the fixed column, the selector, the challenge.
type Read<'a> = (&'a [Column<Advice>], Column<Fixed>, Selector, Option<Challenge>);

/// `output = Σ terms`, and for late outputs the terms as a polynomial in the challenge.
fn random_gates(
    meta: &mut ConstraintSystem<Fr>,
    kind: Kind,
    [outputs, late]: [&[Column<Advice>]; 2],
    (inputs, fixed, selector, challenge): Read<'_>,
) {
    for (gate, terms) in kind.terms().into_iter().enumerate() {
        let (output, is_late) = match outputs.get(gate) {
            Some(&output) => (output, false),
            None => (late[gate - kind.gates], true),
        };
        meta.create_gate("random", |meta| {
            let zero = Expression::Constant(Fr::ZERO);
            let value = terms.iter().fold(zero, |sum, (coefficient, factors)| {
                let start = Expression::Constant(*coefficient);
                let term = factors.iter().fold(start, |product, &(column, rotation)| {
                    let rotation = Rotation(rotation);
                    product
                        * match inputs.get(column) {
                            Some(&input) => meta.query_advice(input, rotation),
                            None => meta.query_fixed(fixed, rotation),
                        }
                });
                let shifted = match challenge.filter(|_| is_late) {
                    Some(challenge) => sum * meta.query_challenge(challenge),
                    None => sum,
                };
                shifted + term
            });
            let output = meta.query_advice(output, Rotation::cur());
            vec![meta.query_selector(selector) * (output - value)]
        });
    }
}

/// `weighted = input · Σ (i + 2)·weight_i`.
fn weight_gate(
    meta: &mut ConstraintSystem<Fr>,
    weights: &[Column<Fixed>],
    input: Column<Advice>,
    weighted: Column<Advice>,
    selector: Selector,
) {
    meta.create_gate("weights", |meta| {
        let zero = Expression::Constant(Fr::ZERO);
        let sum = (2..).zip(weights).fold(zero, |sum, (scale, &weight)| {
            let scale = Expression::Constant(Fr::from(scale));
            sum + meta.query_fixed(weight, Rotation::cur()) * scale
        });
        let input = meta.query_advice(input, Rotation::cur());
        let weighted = meta.query_advice(weighted, Rotation::cur());
        vec![meta.query_selector(selector) * (weighted - sum * input)]
    });
}

impl RandomCircuit {
    fn assign(
        &self,
        config: &Config,
        region: &mut halo2_proofs::circuit::Region<'_, Fr>,
    ) -> Result<Vec<Vec<halo2_proofs::circuit::Cell>>, Error> {
        let (inputs, fixed) = (self.inputs(), self.fixed());
        let known = |value: Fr| if self.known { Value::known(value) } else { Value::unknown() };
        let weight =
            |i: usize, row: usize| Fr::from(((i * 31 + row * 17) % 128) as u64) - Fr::from(64);
        for (row, &value) in fixed.iter().enumerate() {
            region.assign_fixed(config.fixed, row, value);
            for (i, &column) in config.weights.iter().enumerate() {
                region.assign_fixed(column, row, weight(i, row));
            }
        }
        let mut cells = Vec::new();
        for (column, values) in config.inputs.iter().zip(&inputs) {
            let assign = |(row, &value): (usize, &Fr)| {
                region.assign_advice(*column, row, known(value)).cell()
            };
            cells.push(values.iter().enumerate().map(assign).collect::<Vec<_>>());
        }
        for [(a, i), (b, j)] in self.kind.copies() {
            region.constrain_equal(cells[a][i], cells[b][j]);
        }
        for (row, input) in inputs[0].iter().enumerate().take(ROWS - 1).skip(1) {
            config.selector.enable(region, row)?;
            let sum: Fr =
                (0..config.weights.len()).map(|i| weight(i, row) * Fr::from(i as u64 + 2)).sum();
            region.assign_advice(config.weighted, row, known(sum * input));
            for (i, &column) in config.looked_up.iter().enumerate() {
                let outside = u64::from(self.outside && row == 4);
                let value = Fr::from(3 * ((row * (i + 2)) as u64 % TABLE) + 1 + outside);
                region.assign_advice(column, row, known(value));
            }
        }
        let terms = self.kind.terms();
        let evaluate = |terms: &[(Fr, Vec<Factor>)], row: usize, challenge: Fr| {
            terms.iter().fold(Fr::ZERO, |sum, (coefficient, factors)| {
                let factors = factors.iter().map(|&(column, rotation)| {
                    let row = row.checked_add_signed(rotation as isize).unwrap();
                    inputs.get(column).map_or(fixed[row], |input| input[row])
                });
                sum * challenge + factors.fold(*coefficient, |product, factor| product * factor)
            })
        };
        for (&column, terms) in config.outputs.iter().zip(&terms) {
            for row in 1..ROWS - 1 {
                let lie = if row == 5 { self.lie } else { Fr::ZERO };
                region.assign_advice(column, row, known(evaluate(terms, row, Fr::ONE) + lie));
            }
        }
        let Some(challenge) = config.challenge else { return Ok(cells) };
        region.next_phase();
        let challenge = region.get_challenge(challenge);
        for (&column, terms) in config.late.iter().zip(&terms[config.outputs.len()..]) {
            for row in 1..ROWS - 1 {
                let value = challenge.map(|challenge| evaluate(terms, row, challenge));
                region.assign_advice(column, row, value);
            }
        }
        Ok(cells)
    }
}
