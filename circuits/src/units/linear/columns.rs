//! The columns of the linear unit.

use halo2_proofs::plonk::{Advice, Column, Fixed};

use crate::{
    cells::Place,
    chain::{ChainColumns, Monomial, StepSet},
    frame::{Copied, Frame, Order},
    integers::index,
};

/// Reads and weights to a row, and lattice steps, of the linear unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinearShape {
    /// Elements read to a row.
    pub lanes: usize,
    /// Packs of fixed weights to a row.
    pub weight_columns: usize,
    /// Whether two committed tensors are multiplied.
    pub product: bool,
    /// Whether some rows weigh the window of a channel.
    pub windows: bool,
    /// Inputs of dense layers to a row, each with its share of the weights; 0 without such layers.
    pub dense_inputs: usize,
    /// For the linear layers of each challenge: whether the slot unit multiplies
    /// its side of the check with the weight of a whole window.
    pub is_scaled: Vec<bool>,
    /// log2 of the base that products of neighbouring lanes are digits to.
    pub(crate) digit_bits: u32,
    /// Digits of a pack: what is beyond is the next one's.
    pub(crate) pack_size: usize,
    /// How lanes lie in images, where it is not side by side from where the chain counts.
    pub(crate) readings: Vec<Reading>,
    pub(crate) steps: StepSet,
    /// Slots to a row that are read where they lie, in some rows; 0 without such rows.
    pub in_place: usize,
}

/// How the lanes of a row lie in an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    /// From where the chain counts to the first lane; no exponent is negative.
    pub(crate) offset: Monomial,
    /// Whether the lanes lie below each other instead of side by side.
    pub(crate) vertical: bool,
}

/// How rows of dense layers are told apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dense {
    /// Inputs to a row.
    pub(super) inputs: usize,
    /// 1 in such rows, where others weigh windows.
    pub(super) selector: Option<Column<Fixed>>,
}

/// Outputs of slots that are read where they lie.
#[derive(Clone, Debug)]
pub(super) struct Places {
    /// 1 in rows that read them, and not the lanes.
    pub(super) selector: Column<Fixed>,
    pub(super) outputs: Vec<Column<Advice>>,
}

/// The linear unit.
#[derive(Clone, Debug)]
pub(crate) struct LinearUnit {
    pub(super) reads: Vec<Copied>,
    pub(super) weights: Vec<Column<Fixed>>,
    pub(super) chain: ChainColumns,
    /// 1 where the layer's challenge itself enters the chain.
    pub(super) q_one: Option<Column<Fixed>>,
    /// Inputs of dense layers to a row, and 1 where there are some, if other rows weigh windows.
    pub(super) dense: Option<Dense>,
    /// Integer factor of the products of neighbouring lanes.
    pub(super) q_product: Option<Column<Fixed>>,
    /// 1 where the lanes lie so.
    pub(super) readings: Vec<(Reading, Column<Fixed>)>,
    pub(super) is_scaled: Vec<bool>,
    pub(super) digit_bits: u32,
    pub(super) pack_size: usize,
    pub(super) places: Option<Places>,
}

impl LinearUnit {
    pub(super) fn new(shape: &LinearShape, frame: &mut Frame) -> Self {
        let reads = (0..shape.lanes).map(|_| frame.copied("linear read")).collect();
        frame.order(Order::Third);
        let weights = frame.fixed_columns(shape.weight_columns);
        let layers = shape.is_scaled.len();
        let is_mixed = shape.windows && shape.dense_inputs > 0;
        let starts = shape.product || shape.dense_inputs > 0;
        // Interleaved, the gate has a factor more, and readings take the degree that is left.
        let steps = (&shape.steps, frame.is_interleaved && !shape.readings.is_empty());
        let unit = Self {
            reads,
            weights,
            chain: ChainColumns::allocate("linear evaluation", steps, layers, frame),
            q_one: starts.then(|| frame.fixed()),
            dense: (shape.dense_inputs > 0).then(|| Dense {
                inputs: shape.dense_inputs,
                selector: is_mixed.then(|| frame.fixed()),
            }),
            q_product: shape.product.then(|| frame.fixed()),
            readings: shape.readings.iter().map(|&reading| (reading, frame.fixed())).collect(),
            is_scaled: shape.is_scaled.clone(),
            digit_bits: shape.digit_bits,
            pack_size: shape.pack_size.max(1),
            places: (shape.in_place > 0).then(|| Places {
                selector: frame.fixed(),
                outputs: (0..index(shape.in_place))
                    .filter_map(|lane| frame.column_at(Place::Slot(lane)))
                    .collect(),
            }),
        };
        frame.order(Order::First);
        unit
    }
}

impl LinearUnit {
    /// Columns of weights for each of so many inputs.
    pub(super) fn share(&self, inputs: usize) -> usize {
        share(self.weights.len(), inputs)
    }
}

/// Columns of weights for each of so many inputs to a row.
pub(super) fn share(columns: usize, inputs: usize) -> usize {
    (columns / inputs.max(1)).max(1)
}
