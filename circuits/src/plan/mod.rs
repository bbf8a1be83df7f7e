//! From a quantized graph to a layout of rows and columns, and its cost.

pub(crate) mod commitment;
pub(crate) mod conv;
mod cost;
pub(crate) mod format;
pub(crate) mod linear;
mod packing;
mod search;
pub(crate) mod slots;
pub(crate) mod units;
pub(crate) mod windows;

use std::{collections::BTreeSet, sync::Arc};

use zkinfer_models::{
    QuantizedGraph,
    quantized::{QuantizedOp, TensorId},
};
use zkinfer_verifier::Visibility;

pub use cost::{Cost, UnitRows};
pub(crate) use format::RequantKind;
pub(crate) use packing::Packing;
pub use search::Objective;

use crate::{
    PlanError,
    chain::StepSet,
    gates::logup::FIRST_TABLE_TAG,
    shape::{Shape, SoftmaxShape},
    table::Table,
};
use commitment::{CommitmentPlan, Side};
use format::{RowFormat, limb_widths};
use linear::{LinearLayout, LinearWidths};
use slots::{Layer, SlotLayout};
use units::{Cells, row};

/// What the planner may choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanOptions {
    /// What to make small.
    pub objective: Objective,
    /// The largest log2 of the row count.
    pub max_k: u32,
    /// Whether the instance holds the inputs or a commitment to them.
    pub input_visibility: Visibility,
    /// Whether the instance holds the outputs or a commitment to them.
    pub output_visibility: Visibility,
}

impl Default for PlanOptions {
    fn default() -> Self {
        Self {
            objective: Objective::Balanced,
            max_k: 22,
            input_visibility: Visibility::Public,
            output_visibility: Visibility::Public,
        }
    }
}

/// The column that holds a value, within its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    Instance,
    Slot(u32),
    Wide,
    Pool(u32),
    Softmax,
    /// A committed input.
    Committed,
}

/// The cell that holds a tensor element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CellRef {
    pub(crate) place: Place,
    pub(crate) row: u32,
}

/// A circuit's layout: every cell's meaning and every fixed value. The same graph and options
/// give the same plan on every machine.
#[derive(Clone, Debug)]
pub struct CircuitPlan {
    pub(crate) graph: Arc<QuantizedGraph>,
    pub(crate) shape: Shape,
    pub(crate) layers: Vec<Layer>,
    pub(crate) slots: SlotLayout,
    pub(crate) linear: LinearLayout,
    pub(crate) cells: Cells,
    pub(crate) commitment: Option<CommitmentPlan>,
    pub(crate) table: Table,
    /// Per layer the table tag of its outputs, per softmax node that of its exponentials.
    pub(crate) layer_tags: Vec<i64>,
    pub(crate) softmax_tags: Vec<(u32, i64)>,
}

/// Sizes that the search chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sizes {
    pub(crate) k: u32,
    pub(crate) slot_lanes: usize,
    pub(crate) pool_lanes: usize,
    pub(crate) linear: LinearWidths,
    pub(crate) limb_bits: u32,
    pub(crate) table_lanes: usize,
}

impl CircuitPlan {
    /// Plans the circuit of `graph`.
    ///
    /// # Errors
    /// When no size up to `options.max_k` holds the model, or a bound of the graph is not one the
    /// gates are sound for.
    pub fn new(graph: &QuantizedGraph, options: PlanOptions) -> Result<Self, PlanError> {
        let format = RowFormat::of(graph)?;
        let windows = format.with_windows(graph);
        let formats: Vec<_> = [format].into_iter().chain(windows).collect();
        let commitment = CommitmentPlan::of(graph, options)?;
        let (format, sizes) = search::sizes(graph, &formats, options, commitment.as_ref())?;
        Ok(Self::with_sizes(graph, format, sizes, commitment))
    }

    fn with_sizes(
        graph: &QuantizedGraph,
        format: &RowFormat,
        sizes: Sizes,
        commitment: Option<CommitmentPlan>,
    ) -> Self {
        let layers = slots::layers(graph, format, sizes.slot_lanes);
        let slots = slots::layout(graph, &layers, sizes.slot_lanes);
        let linear = linear::layout(graph, &layers, sizes.linear);
        let lanes = (sizes.slot_lanes, sizes.pool_lanes);
        let cells = Cells::of(graph, &layers, &slots, lanes, commitment.as_ref());
        let shape = shape(graph, format, sizes, commitment.as_ref());
        let shape = shape.laid_out(&layers, &slots.steps, &linear);
        let tables = Tables::of(graph, &layers, &shape);
        Self {
            graph: Arc::new(graph.clone()),
            table: Table::new(&range_widths(&shape), &tables.values, shape.table_lanes),
            shape,
            layers,
            slots,
            linear,
            cells,
            commitment,
            layer_tags: tables.layer_tags,
            softmax_tags: tables.softmax_tags,
        }
    }

    /// log2 of the number of rows.
    #[must_use]
    pub fn k(&self) -> u32 {
        self.shape.k
    }

    /// Column counts and limb widths.
    #[must_use]
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The graph that is proven.
    #[must_use]
    pub fn graph(&self) -> &QuantizedGraph {
        &self.graph
    }

    /// Whether the instance holds the inputs or a commitment to them.
    #[must_use]
    pub fn input_visibility(&self) -> Visibility {
        self.visibility(Side::Input)
    }

    /// Whether the instance holds the outputs or a commitment to them.
    #[must_use]
    pub fn output_visibility(&self) -> Visibility {
        self.visibility(Side::Output)
    }

    fn visibility(&self, side: Side) -> Visibility {
        match self.commitment.as_ref().and_then(|commitment| commitment.side_of(side)) {
            Some(_) => Visibility::Committed,
            None => Visibility::Public,
        }
    }

    /// Lower bound of the element that is packed in a row, 0 where none is.
    pub(crate) fn low_of(&self, side: Side, row: usize) -> i64 {
        let committed = self.commitment.as_ref().and_then(|commitment| commitment.side_of(side));
        let element = self.commitment.as_ref().and_then(|c| c.rows.get(row)?.packs);
        let tensor = element.and_then(|(_, e)| Some(committed?.elements.get(e as usize)?.0));
        tensor.map_or(0, |TensorId(tensor)| self.graph.tensors[tensor].lo)
    }

    /// Length of the instance column. The row after it is read as the constant 0: halo2's
    /// instance polynomial is 0 beyond the public values.
    #[must_use]
    pub fn instance_len(&self) -> usize {
        self.cells.instance_len
    }

    pub(crate) fn zero_cell(&self) -> CellRef {
        CellRef { place: Place::Instance, row: row(self.instance_len()) }
    }
}

/// The limb widths of a plan; [`Shape::laid_out`] adds what depends on the layout.
pub(crate) fn shape(
    graph: &QuantizedGraph,
    format: &RowFormat,
    sizes: Sizes,
    commitment: Option<&CommitmentPlan>,
) -> Shape {
    let limit = sizes.limb_bits;
    Shape {
        k: sizes.k,
        slot_lanes: sizes.slot_lanes,
        pool_lanes: sizes.pool_lanes,
        shift: format.shift,
        remainder_limbs: limb_widths(format.shift, limit),
        clamp_bits: format.clamp_bits,
        value_limbs: value_limbs(format, limit),
        table_bits: format.table_bits,
        table_lanes: sizes.table_lanes,
        overflow_limbs: limb_widths(format.overflow_bits, limit),
        wide: format.wide,
        read_lanes: sizes.linear.lanes,
        weight_columns: sizes.linear.columns,
        packing: format.packing(RequantKind::Clamp, sizes.slot_lanes),
        window_limbs: (!format.poolings.is_empty()).then(|| limb_widths(format.window_bits, limit)),
        pool_limbs: pool_bits(graph, format).map(|bits| limb_widths(bits, limit)),
        softmax: softmax_shape(graph, limit),
        commitment: commitment.map(|commitment| commitment.shape(graph, limit)),
        ..Shape::default()
    }
}

/// Limbs of the clamped value; the lowest must hold the index of a table.
fn value_limbs(format: &RowFormat, limit: u32) -> Vec<u32> {
    match format.table_bits {
        Some(_) if format.clamp_bits > limit => {
            let mut widths = vec![limit];
            widths.extend(limb_widths(format.clamp_bits - limit, limit));
            widths
        }
        _ => limb_widths(format.clamp_bits, limit),
    }
}

impl Shape {
    /// The same with what depends on the layout of both sides of the linear check.
    fn laid_out(self, layers: &[Layer], slot_steps: &StepSet, linear: &LinearLayout) -> Self {
        Self {
            windowed: layers.iter().map(|layer| layer.pooling.is_some()).collect(),
            slot_steps: slot_steps.clone(),
            linear_steps: linear.steps.clone(),
            product: linear.has_product,
            vertical: linear.has_vertical,
            ..self
        }
    }
}

/// Bits of the largest difference that a window of the pool unit can have; at least one.
fn pool_bits(graph: &QuantizedGraph, format: &RowFormat) -> Option<u32> {
    let has_rows = |node: usize| format.poolings.iter().all(|pooling| pooling.pool != node);
    let span = |node: usize| match &graph.nodes[node].op {
        QuantizedOp::MaxPool(pool) if has_rows(node) => {
            let tensor = &graph.tensors[pool.input.0];
            Some(format::bits(tensor.hi - tensor.lo).max(1))
        }
        _ => None,
    };
    (0..graph.nodes.len()).filter_map(span).max()
}

fn softmax_shape(graph: &QuantizedGraph, limit: u32) -> Option<SoftmaxShape> {
    let unit = |op: &QuantizedOp| match op {
        QuantizedOp::Softmax(softmax) => {
            let longest = softmax.groups.iter().map(Vec::len).max().unwrap_or(1);
            let largest = softmax.exp_table.iter().max().copied().unwrap_or(0);
            let sum = i64::try_from(longest).unwrap_or(i64::MAX).saturating_mul(largest.into());
            Some((softmax.bits, format::bits(sum.saturating_mul(2))))
        }
        _ => None,
    };
    let units: Vec<_> = graph.nodes.iter().filter_map(|node| unit(&node.op)).collect();
    let bits = units.iter().map(|u| u.0).max()?;
    let remainder = units.iter().map(|u| u.1).max()?;
    Some(SoftmaxShape {
        bits,
        output_limbs: limb_widths(bits + 1, limit),
        remainder_limbs: limb_widths(remainder, limit),
    })
}

/// The ranges that some lookup uses.
pub(crate) fn range_widths(shape: &Shape) -> BTreeSet<u32> {
    let values =
        if shape.has_output_column() { &shape.value_limbs[..] } else { &[shape.clamp_bits][..] };
    let softmax =
        shape.softmax.iter().flat_map(|s| s.output_limbs.iter().chain(&s.remainder_limbs));
    let committed = shape.commitment.as_ref().and_then(|shape| shape.input.as_ref());
    values
        .iter()
        .chain(&shape.remainder_limbs)
        .chain(&shape.overflow_limbs)
        .chain(shape.window_limbs.iter().flatten())
        .chain(shape.pool_limbs.iter().flatten())
        .chain(softmax)
        .copied()
        .chain(committed.iter().flat_map(|input| input.widths()))
        .collect()
}

/// The value tables of a graph, equal ones once.
pub(crate) struct Tables {
    pub(crate) values: Vec<Vec<i64>>,
    layer_tags: Vec<i64>,
    softmax_tags: Vec<(u32, i64)>,
}

impl Tables {
    pub(crate) fn of(graph: &QuantizedGraph, layers: &[Layer], shape: &Shape) -> Self {
        let mut tables =
            Self { values: Vec::new(), layer_tags: Vec::new(), softmax_tags: Vec::new() };
        let range = shape.value_limbs.first().copied().unwrap_or_default();
        for layer in layers {
            let requant = slots::accumulators(graph, layer.node).map(|(requant, _)| requant);
            let tag = match (layer.kind, requant) {
                (RequantKind::Table, Some(requant)) => {
                    let values = requant.table.as_ref().map_or_else(
                        || (requant.lo..=requant.hi).map(i64::from).collect(),
                        |table| table.iter().map(|&v| i64::from(v)).collect(),
                    );
                    tables.tag(values)
                }
                _ => i64::from(range),
            };
            tables.layer_tags.push(tag);
        }
        for (index, node) in graph.nodes.iter().enumerate() {
            if let QuantizedOp::Softmax(softmax) = &node.op {
                let values = softmax.exp_table.iter().map(|&v| i64::from(v)).collect();
                let tag = tables.tag(values);
                tables.softmax_tags.push((row(index), tag));
            }
        }
        tables
    }

    fn tag(&mut self, values: Vec<i64>) -> i64 {
        let index = self.values.iter().position(|v| *v == values).unwrap_or_else(|| {
            self.values.push(values);
            self.values.len() - 1
        });
        FIRST_TABLE_TAG + i64::from(row(index))
    }
}
