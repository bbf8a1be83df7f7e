//! The columns of a circuit.

mod commitment;

use halo2_proofs::{
    halo2curves::bn256::Fr,
    plonk::{
        Advice, Challenge, Column, ConstraintSystem, FirstPhase, Fixed, Instance, SecondPhase,
    },
};

pub(crate) use commitment::{CommitmentUnit, PackedColumn};

use self::commitment::{commitment_unit, committed_columns};
use crate::{
    chain::{Lattice, StepSet},
    gates::{self, logup},
    plan::{Place, windows::POSITIONS},
    shape::{POOL_WIDTH, Shape, SoftmaxShape},
};

/// The columns of one lane of the slot unit.
#[derive(Clone, Debug)]
pub(crate) struct SlotColumns {
    /// The output `q`, equality-enabled.
    pub(crate) output: Column<Advice>,
    /// Limbs of `u`; empty when `u = q − low` needs none.
    pub(crate) value: Vec<Column<Advice>>,
    /// What the activation table gives, 0 where there is none.
    pub(crate) activation: Option<Column<Advice>>,
    pub(crate) remainder: Vec<Column<Advice>>,
    pub(crate) overflow: Vec<Column<Advice>>,
    /// What the accumulators of a window fall short of the largest by: one less than there are
    /// positions, or none where no layer has windows.
    pub(crate) shortfalls: Vec<ShortfallColumns>,
    /// `half + bias − low·2^shift`, a fixed integer per value.
    pub(crate) offset: Column<Fixed>,
}

/// What the accumulator of a position of a window, or of the next, falls short of the largest by.
#[derive(Clone, Debug)]
pub(crate) struct ShortfallColumns {
    pub(crate) limbs: Vec<Column<Advice>>,
    /// 1 if it is that of the next position.
    pub(crate) is_next: Column<Advice>,
}

/// Row selectors of a chain: one fixed column per monomial.
#[derive(Clone, Debug)]
pub(crate) struct ChainColumns {
    pub(crate) weight: Column<Advice>,
    pub(crate) numerators: Vec<Column<Fixed>>,
    pub(crate) denominators: Vec<Column<Fixed>>,
    pub(crate) layers: Vec<Column<Fixed>>,
}

#[derive(Clone, Debug)]
pub(crate) struct SlotUnit {
    pub(crate) lanes: Vec<SlotColumns>,
    /// `q + 2^clamp_bits · overflow` of lane 0, for layers wider than the clamp.
    pub(crate) wide_output: Option<Column<Advice>>,
    pub(crate) low: Column<Fixed>,
    /// 1 where a value is clamped, if some values are beyond the clamp.
    pub(crate) q_clamp: Option<Column<Fixed>>,
    pub(crate) q_table: Option<Column<Fixed>>,
    pub(crate) q_wide: Option<Column<Fixed>>,
    /// 1 where a slot is the maximum of a window.
    pub(crate) q_window: Option<Column<Fixed>>,
    pub(crate) tag: Option<Column<Fixed>>,
    pub(crate) chain: ChainColumns,
}

#[derive(Clone, Debug)]
pub(crate) struct LinearUnit {
    pub(crate) reads: Vec<Column<Advice>>,
    pub(crate) weights: Vec<Column<Fixed>>,
    pub(crate) chain: ChainColumns,
    /// 1 where the layer's challenge itself enters the chain.
    pub(crate) q_one: Option<Column<Fixed>>,
    /// Integer factor of the products of neighbouring lanes.
    pub(crate) q_product: Option<Column<Fixed>>,
    /// 1 where the lanes lie below each other in the image.
    pub(crate) q_vertical: Option<Column<Fixed>>,
}

#[derive(Clone, Debug)]
pub(crate) struct PoolLane {
    pub(crate) inputs: [Column<Advice>; POOL_WIDTH],
    pub(crate) maximum: Column<Advice>,
    /// Limbs of `maximum − input`, per input; empty when one limb is enough.
    pub(crate) differences: Vec<Vec<Column<Advice>>>,
}

/// Columns of the softmax unit; see [`gates::softmax`].
#[derive(Clone, Debug)]
pub(crate) struct SoftmaxUnit {
    pub(crate) q_row: Column<Fixed>,
    pub(crate) q_first: Column<Fixed>,
    pub(crate) q_last: Column<Fixed>,
    /// Tag of the exponential table in live rows, of a range elsewhere.
    pub(crate) tag: Column<Fixed>,
    pub(crate) input: Column<Advice>,
    pub(crate) maximum: Column<Advice>,
    pub(crate) exponential: Column<Advice>,
    /// 1 on one row of the group whose input is the maximum.
    pub(crate) is_maximum: Column<Advice>,
    pub(crate) maximum_count: Column<Advice>,
    pub(crate) sum: Column<Advice>,
    pub(crate) partial_sum: Column<Advice>,
    pub(crate) output: Column<Advice>,
    pub(crate) output_limbs: Vec<Column<Advice>>,
    pub(crate) remainder_limbs: Vec<Column<Advice>>,
    pub(crate) slack_limbs: Vec<Column<Advice>>,
}

/// Columns of the lookup argument.
#[derive(Clone, Debug)]
pub(crate) struct TableColumns {
    /// The key in the first lane.
    pub(crate) key: Column<Fixed>,
    /// The tag in all lanes.
    pub(crate) tag: Column<Fixed>,
    /// How much larger the key is in the next lane, if there is one.
    pub(crate) step: Option<Column<Fixed>>,
    pub(crate) lanes: Vec<TableLane>,
    pub(crate) helpers: Vec<Column<Advice>>,
}

/// One entry of the table to a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TableLane {
    pub(crate) value: Option<Column<Fixed>>,
    pub(crate) multiplicity: Column<Advice>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Challenges {
    /// After the first phase: channels of one position.
    pub(crate) channel: Challenge,
    /// After the first phase: combines key, tag and value of a lookup.
    pub(crate) theta: Challenge,
    /// After the first phase: the point at which the logarithmic derivative is taken.
    pub(crate) pole: Challenge,
}

/// Every column and challenge of a circuit.
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) shape: Shape,
    pub(crate) instance: Column<Instance>,
    /// 1 on every row but the last usable one and the reserved ones.
    pub(crate) q_on: Column<Fixed>,
    pub(crate) q_first: Column<Fixed>,
    pub(crate) q_last: Column<Fixed>,
    pub(crate) slots: SlotUnit,
    pub(crate) linear: LinearUnit,
    /// The lanes of the pool unit.
    pub(crate) pool: Vec<PoolLane>,
    pub(crate) softmax: Option<SoftmaxUnit>,
    pub(crate) commitment: Option<CommitmentUnit>,
    pub(crate) table: TableColumns,
    /// The running sum of all lookups and linear checks.
    pub(crate) total: Column<Advice>,
    pub(crate) challenges: Challenges,
    /// After the first phase: rows and columns of the position lattice.
    pub(crate) position: [Challenge; 2],
    /// After the first phase: one per linear layer.
    pub(crate) layers: Vec<Challenge>,
}

impl Config {
    /// Allocates the columns of `shape` and creates every gate.
    pub(crate) fn configure(meta: &mut ConstraintSystem<Fr>, shape: &Shape) -> Self {
        let config = Self::allocate(meta, shape);
        gates::configure(meta, &config);
        config
    }

    /// Allocates the columns of `shape`.
    pub(crate) fn allocate(meta: &mut ConstraintSystem<Fr>, shape: &Shape) -> Self {
        // The permutation argument takes as many columns to a product as the degree allows.
        meta.set_minimum_degree(gates::MAX_DEGREE);
        let instance = meta.instance_column();
        meta.enable_equality(instance);
        let [q_on, q_first, q_last] = [(); 3].map(|()| meta.fixed_column());
        let lanes = (0..shape.slot_lanes).map(|_| slot_columns(meta, shape)).collect();
        let reads = advice(meta, shape.read_lanes);
        let limbs = shape.pool_limbs.as_deref().unwrap_or_default();
        let pool = (0..shape.pool_lanes).map(|_| pool_lane(meta, limbs)).collect();
        let softmax = shape.softmax.as_ref().map(|softmax| softmax_unit(meta, softmax));
        let committed = shape.commitment.as_ref().map(|shape| committed_columns(meta, shape));
        let wide_output = shape.wide.then(|| meta.advice_column());
        let multiplicities = advice(meta, shape.table_lanes);
        let challenges = Challenges {
            channel: meta.challenge_usable_after(FirstPhase),
            theta: meta.challenge_usable_after(FirstPhase),
            pole: meta.challenge_usable_after(FirstPhase),
        };
        let helpers =
            (0..logup::helper_count(shape)).map(|_| meta.advice_column_in(SecondPhase)).collect();
        let total = meta.advice_column_in(SecondPhase);
        let position = [(); 2].map(|()| meta.challenge_usable_after(FirstPhase));
        let layers =
            shape.windowed.iter().map(|_| meta.challenge_usable_after(FirstPhase)).collect();
        let slots = slot_unit(meta, shape, lanes, wide_output);
        let linear = linear_unit(meta, shape, reads);
        let commitment = committed.map(|columns| commitment_unit(meta, columns));
        let table = table_columns(meta, shape, multiplicities, helpers);
        let config = Self {
            shape: shape.clone(),
            instance,
            q_on,
            q_first,
            q_last,
            slots,
            linear,
            pool,
            softmax,
            commitment,
            table,
            total,
            challenges,
            position,
            layers,
        };
        config.enable_copies(meta);
        config
    }

    fn enable_copies(&self, meta: &mut ConstraintSystem<Fr>) {
        let slots = self.slots.lanes.iter().map(|lane| lane.output);
        let pool = self.pool.iter().flat_map(|lane| lane.inputs.into_iter().chain([lane.maximum]));
        let softmax = self.softmax.iter().flat_map(|unit| [unit.input, unit.output]);
        let columns = slots
            .chain(self.slots.wide_output)
            .chain(self.linear.reads.iter().copied())
            .chain(pool)
            .chain(softmax)
            .chain(self.commitment.iter().flat_map(CommitmentUnit::copied));
        columns.for_each(|column| meta.enable_equality(column));
    }

    /// Every challenge, in any order.
    pub(crate) fn all_challenges(&self) -> Vec<Challenge> {
        let Challenges { channel, theta, pole } = self.challenges;
        self.position.into_iter().chain([channel, theta, pole]).chain(self.layers.clone()).collect()
    }

    /// Number of first-phase advice columns: the helpers and the running sum are the first ones
    /// of the second phase.
    pub(crate) fn first_phase_count(&self) -> usize {
        self.total.index() - self.table.helpers.len()
    }

    /// Every fixed column, by index.
    pub(crate) fn fixed_columns(&self) -> Vec<Column<Fixed>> {
        let (slots, linear, table) = (&self.slots, &self.linear, &self.table);
        let chain = |chain: &ChainColumns| {
            [&chain.numerators, &chain.denominators, &chain.layers]
                .into_iter()
                .flatten()
                .copied()
                .collect::<Vec<_>>()
        };
        let optional = [
            slots.q_clamp,
            slots.q_table,
            slots.q_wide,
            slots.q_window,
            slots.tag,
            linear.q_one,
            linear.q_product,
        ];
        let softmax = self.softmax.iter().flat_map(|u| [u.q_row, u.q_first, u.q_last, u.tag]);
        let mut columns: Vec<_> = [self.q_on, self.q_first, self.q_last, slots.low]
            .into_iter()
            .chain([table.key, table.tag])
            .chain(table.step)
            .chain(table.lanes.iter().filter_map(|lane| lane.value))
            .chain(linear.q_vertical)
            .chain(optional.into_iter().flatten())
            .chain(slots.lanes.iter().map(|lane| lane.offset))
            .chain(linear.weights.iter().copied())
            .chain(chain(&slots.chain))
            .chain(chain(&linear.chain))
            .chain(softmax)
            .chain(self.commitment.iter().flat_map(CommitmentUnit::fixed_columns))
            .collect();
        columns.sort_by_key(|column| column.index());
        columns
    }

    /// The first-phase columns of every lane.
    pub(crate) fn slot_columns(&self) -> Vec<Column<Advice>> {
        let lane = |lane: &SlotColumns| {
            let limbs = [&lane.value, &lane.remainder, &lane.overflow].into_iter().flatten();
            limbs.copied().chain([lane.output]).chain(lane.activation).collect::<Vec<_>>()
        };
        self.slots.lanes.iter().flat_map(lane).collect()
    }

    /// Those of windows, in every lane.
    pub(crate) fn shortfall_columns(&self) -> Vec<Column<Advice>> {
        let shortfalls = self.slots.lanes.iter().flat_map(|lane| &lane.shortfalls);
        shortfalls.flat_map(ShortfallColumns::all).collect()
    }

    pub(crate) fn softmax_columns(&self) -> Vec<Column<Advice>> {
        let unit = |unit: &SoftmaxUnit| {
            let limbs = [&unit.output_limbs, &unit.remainder_limbs, &unit.slack_limbs];
            let totals = [unit.maximum_count, unit.sum, unit.partial_sum, unit.output];
            let element = [unit.input, unit.maximum, unit.exponential, unit.is_maximum];
            limbs.into_iter().flatten().copied().chain(totals).chain(element).collect::<Vec<_>>()
        };
        self.softmax.iter().flat_map(unit).collect()
    }

    /// The advice column that a place means; `None` for the instance column.
    pub(crate) fn advice_column(&self, place: Place) -> Option<Column<Advice>> {
        match place {
            Place::Instance => None,
            Place::Slot(lane) => self.slots.lanes.get(lane as usize).map(|lane| lane.output),
            Place::Wide => self.slots.wide_output,
            Place::Pool(lane) => self.pool.get(lane as usize).map(|lane| lane.maximum),
            Place::Softmax => self.softmax.as_ref().map(|unit| unit.output),
            Place::Committed => {
                let unit = self.commitment.as_ref()?;
                unit.input.as_ref().map(|input| input.packed.value)
            }
        }
    }

    /// The lattice challenges as values of type `T`.
    pub(crate) fn lattice<T>(&self, mut value: impl FnMut(Challenge) -> T) -> Lattice<T> {
        let [row, column] = self.position;
        Lattice { channel: value(self.challenges.channel), row: value(row), column: value(column) }
    }
}

impl PoolLane {
    pub(crate) fn all(&self) -> Vec<Column<Advice>> {
        let limbs = self.differences.iter().flatten().copied();
        limbs.chain(self.inputs).chain([self.maximum]).collect()
    }
}

impl ShortfallColumns {
    /// The limbs, then which position's they are.
    pub(crate) fn all(&self) -> impl Iterator<Item = Column<Advice>> {
        self.limbs.iter().copied().chain([self.is_next])
    }
}

fn advice(meta: &mut ConstraintSystem<Fr>, count: usize) -> Vec<Column<Advice>> {
    (0..count).map(|_| meta.advice_column()).collect()
}

fn slot_columns(meta: &mut ConstraintSystem<Fr>, shape: &Shape) -> SlotColumns {
    let limbs = if shape.has_output_column() { shape.value_limbs.len() } else { 0 };
    SlotColumns {
        output: meta.advice_column(),
        value: advice(meta, limbs),
        activation: shape.table_bits.map(|_| meta.advice_column()),
        remainder: advice(meta, shape.remainder_limbs.len()),
        overflow: advice(meta, shape.overflow_limbs.len()),
        shortfalls: shape.window_limbs.as_ref().map_or_else(Vec::new, |limbs| {
            let columns = (1..POSITIONS).map(|_| ShortfallColumns {
                limbs: advice(meta, limbs.len()),
                is_next: meta.advice_column(),
            });
            columns.collect()
        }),
        offset: meta.fixed_column(),
    }
}

fn slot_unit(
    meta: &mut ConstraintSystem<Fr>,
    shape: &Shape,
    lanes: Vec<SlotColumns>,
    wide_output: Option<Column<Advice>>,
) -> SlotUnit {
    SlotUnit {
        lanes,
        wide_output,
        low: meta.fixed_column(),
        q_clamp: (!shape.overflow_limbs.is_empty()).then(|| meta.fixed_column()),
        q_table: shape.table_bits.map(|_| meta.fixed_column()),
        q_wide: shape.wide.then(|| meta.fixed_column()),
        q_window: shape.window_limbs.as_ref().map(|_| meta.fixed_column()),
        tag: shape.table_bits.map(|_| meta.fixed_column()),
        chain: chain_columns(meta, &shape.slot_steps, shape.windowed.len()),
    }
}

fn linear_unit(
    meta: &mut ConstraintSystem<Fr>,
    shape: &Shape,
    reads: Vec<Column<Advice>>,
) -> LinearUnit {
    LinearUnit {
        reads,
        weights: (0..shape.weight_columns).map(|_| meta.fixed_column()).collect(),
        chain: chain_columns(meta, &shape.linear_steps, shape.windowed.len()),
        q_one: shape.product.then(|| meta.fixed_column()),
        q_product: shape.product.then(|| meta.fixed_column()),
        q_vertical: shape.vertical.then(|| meta.fixed_column()),
    }
}

fn pool_lane(meta: &mut ConstraintSystem<Fr>, limbs: &[u32]) -> PoolLane {
    let inputs = [(); POOL_WIDTH].map(|()| meta.advice_column());
    let maximum = meta.advice_column();
    let per_input = if limbs.len() > 1 { limbs.len() } else { 0 };
    let differences = (0..POOL_WIDTH).map(|_| advice(meta, per_input)).collect();
    PoolLane { inputs, maximum, differences }
}

fn softmax_unit(meta: &mut ConstraintSystem<Fr>, shape: &SoftmaxShape) -> SoftmaxUnit {
    SoftmaxUnit {
        q_row: meta.fixed_column(),
        q_first: meta.fixed_column(),
        q_last: meta.fixed_column(),
        tag: meta.fixed_column(),
        input: meta.advice_column(),
        maximum: meta.advice_column(),
        exponential: meta.advice_column(),
        is_maximum: meta.advice_column(),
        maximum_count: meta.advice_column(),
        sum: meta.advice_column(),
        partial_sum: meta.advice_column(),
        output: meta.advice_column(),
        output_limbs: advice(meta, shape.output_limbs.len()),
        remainder_limbs: advice(meta, shape.remainder_limbs.len()),
        slack_limbs: advice(meta, shape.remainder_limbs.len()),
    }
}

fn table_columns(
    meta: &mut ConstraintSystem<Fr>,
    shape: &Shape,
    multiplicities: Vec<Column<Advice>>,
    helpers: Vec<Column<Advice>>,
) -> TableColumns {
    let [key, tag] = [(); 2].map(|()| meta.fixed_column());
    let step = (shape.table_lanes > 1).then(|| meta.fixed_column());
    let lane = |multiplicity| TableLane {
        value: logup::has_values(shape).then(|| meta.fixed_column()),
        multiplicity,
    };
    let lanes = multiplicities.into_iter().map(lane).collect();
    TableColumns { key, tag, step, lanes, helpers }
}

fn chain_columns(meta: &mut ConstraintSystem<Fr>, steps: &StepSet, layers: usize) -> ChainColumns {
    let mut fixed = |count: usize| (0..count).map(|_| meta.fixed_column()).collect::<Vec<_>>();
    let numerators = fixed(steps.numerators.len());
    let denominators = fixed(steps.denominators.len());
    let layers = fixed(layers);
    ChainColumns { weight: meta.advice_column_in(SecondPhase), numerators, denominators, layers }
}
