//! The fixed columns of a plan.

use halo2_proofs::{
    halo2curves::bn256::Fr,
    plonk::{Column, Fixed},
};

use super::{IntegerColumns, half};
use crate::{
    chain::Step,
    config::{ChainColumns, Config},
    plan::{
        CircuitPlan, RequantKind,
        commitment::{HashStep, Side},
        slots,
    },
};

/// Every fixed column that holds small integers; see [`packed_weights`] and
/// [`super::commitment::constants`] for the others.
pub(crate) fn fixed_columns(plan: &CircuitPlan, config: &Config) -> IntegerColumns {
    let mut columns = inputs(plan, config);
    let last = plan.shape.usable_rows() - 1;
    columns.fill(config.q_on, last, 1);
    columns.set(config.q_first, 0, 1);
    columns.set(config.q_last, last, 1);
    slot_chain(plan, config, &mut columns);
    linear_unit(plan, config, &mut columns);
    let rows = columns.rows;
    columns.values.iter_mut().for_each(|column| column.resize(rows, 0));
    columns.values
}

/// The fixed columns that the witness depends on; most others are empty.
pub(crate) fn witness_inputs(plan: &CircuitPlan, config: &Config) -> IntegerColumns {
    inputs(plan, config).values
}

fn inputs(plan: &CircuitPlan, config: &Config) -> Columns {
    let values = vec![Vec::new(); config.fixed_columns().len()];
    let mut columns = Columns { rows: 1 << plan.shape.k, values };
    let last = plan.shape.usable_rows() - 1;
    slot_unit(plan, config, &mut columns);
    softmax_unit(plan, config, &mut columns, last);
    commitment_unit(plan, config, &mut columns, last);
    table(plan, config, &mut columns);
    columns
}

fn table(plan: &CircuitPlan, config: &Config, columns: &mut Columns) {
    let table = &config.table;
    for (row, (first, &step)) in plan.table.entries.iter().zip(&plan.table.steps).enumerate() {
        columns.set(table.key, row, first.key);
        columns.set(table.tag, row, first.tag);
        if let Some(column) = table.step {
            columns.set(column, row, step);
        }
    }
    for (lane, entries) in table.lanes.iter().zip(plan.table.lanes()) {
        let Some(column) = lane.value else { continue };
        for (row, entry) in entries.iter().enumerate() {
            columns.set(column, row, entry.value);
        }
    }
}

/// Columns with a value in some row have one in all.
struct Columns {
    rows: usize,
    values: IntegerColumns,
}

impl Columns {
    fn column(&mut self, column: Column<Fixed>) -> &mut [i64] {
        let values = &mut self.values[column.index()];
        if values.is_empty() {
            values.resize(self.rows, 0);
        }
        values
    }

    fn set(&mut self, column: Column<Fixed>, row: usize, value: i64) {
        self.column(column)[row] = value;
    }

    /// Sets the first rows.
    fn fill(&mut self, column: Column<Fixed>, rows: usize, value: i64) {
        self.column(column)[..rows].fill(value);
    }

    fn chain(&mut self, chain: &ChainColumns, row: usize, step: Step, layer: Option<(u32, i64)>) {
        if let Some(index) = step.numerator.checked_sub(1) {
            self.set(chain.numerators[index], row, 1);
        }
        if let Some(index) = step.denominator.checked_sub(1) {
            self.set(chain.denominators[index], row, 1);
        }
        if let Some((layer, sign)) = layer {
            self.set(chain.layers[layer as usize], row, sign);
        }
    }
}

/// `bias` of every element of a layer's output tensor.
pub(crate) fn biases(plan: &CircuitPlan, layer: &slots::Layer) -> Vec<i64> {
    let mut biases = vec![0; plan.graph.tensors[layer.output.0].len()];
    if let zkinfer_models::quantized::QuantizedOp::Affine(affine) = &plan.graph.nodes[layer.node].op
    {
        let view = &affine.output;
        for (channel, &bias) in affine.bias.iter().enumerate() {
            for row in 0..view.height {
                for column in 0..view.width {
                    biases[view.index(channel, row, column)] = bias;
                }
            }
        }
    }
    biases
}

fn slot_unit(plan: &CircuitPlan, config: &Config, columns: &mut Columns) {
    let unit = &config.slots;
    // Lookups read these in every row, whatever is set.
    for column in unit.lanes.iter().map(|lane| lane.offset).chain([unit.low]) {
        columns.column(column);
    }
    let range = plan.shape.value_limbs.first().copied().unwrap_or_default();
    if let Some(tag) = unit.tag {
        columns.fill(tag, plan.shape.usable_rows(), range.into());
    }
    let half = half(plan.shape.shift);
    let biases: Vec<_> = plan.layers.iter().map(|layer| biases(plan, layer)).collect();
    for (row, slot) in plan.slots.rows.iter().enumerate() {
        let Some(index) = slot.layer.map(|layer| layer as usize) else { continue };
        let layer = &plan.layers[index];
        let Some((requant, _)) = slots::accumulators(&plan.graph, layer.node) else { continue };
        let low = i64::from(requant.lo);
        let selector = match layer.kind {
            RequantKind::Clamp => unit.q_clamp,
            RequantKind::Table => unit.q_table,
            RequantKind::Wide => unit.q_wide,
        };
        if let Some(selector) = selector {
            columns.set(selector, row, 1);
        }
        if layer.kind != RequantKind::Table {
            columns.set(unit.low, row, low);
        }
        if let Some(q_window) = unit.q_window.filter(|_| layer.pooling.is_some()) {
            columns.set(q_window, row, 1);
        }
        if let Some(tag) = unit.tag {
            columns.set(tag, row, plan.layer_tags[index]);
        }
        for (index_of_lane, lane) in unit.lanes.iter().enumerate() {
            let element = plan.slots.elements(row, index_of_lane)[0];
            let bias = biases[index].get(element as usize).copied().unwrap_or(0);
            columns.set(lane.offset, row, half + bias - (low << plan.shape.shift));
        }
    }
}

fn slot_chain(plan: &CircuitPlan, config: &Config, columns: &mut Columns) {
    for (row, slot) in plan.slots.rows.iter().enumerate() {
        let layer = slot.starts.map(|layer| (layer, 1));
        columns.chain(&config.slots.chain, row, slot.step, layer);
    }
}

fn linear_unit(plan: &CircuitPlan, config: &Config, columns: &mut Columns) {
    let unit = &config.linear;
    for (row, linear) in plan.linear.rows.iter().enumerate() {
        let sign = if linear.negative { -1 } else { 1 };
        columns.chain(&unit.chain, row, linear.step, linear.layer.map(|layer| (layer, sign)));
        let flags = [
            (unit.q_one, linear.one.then_some(1)),
            (unit.q_vertical, linear.vertical.then_some(1)),
            (unit.q_product, linear.product),
        ];
        for (column, value) in flags {
            if let Some((column, value)) = column.zip(value) {
                columns.set(column, row, value);
            }
        }
    }
}

/// The columns of packed weights, cell by cell.
pub(crate) fn packed_weights(
    plan: &CircuitPlan,
    config: &Config,
) -> impl Iterator<Item = (Column<Fixed>, usize, Fr)> {
    let columns = &config.linear.weights;
    plan.linear.rows.iter().enumerate().flat_map(move |(row, linear)| {
        let block = linear.weights.map(|block| plan.linear.weight_block(block, columns.len()));
        let cells = columns.iter().zip(block.unwrap_or_default());
        cells.map(move |(&column, &weights)| (column, row, weights))
    })
}

/// All but the constants of the hash, which are no small integers.
fn commitment_unit(plan: &CircuitPlan, config: &Config, columns: &mut Columns, last: usize) {
    let (Some(commitment), Some(unit)) = (&plan.commitment, &config.commitment) else { return };
    let digits = plan.shape.commitment.as_ref().and_then(|shape| shape.input.as_ref());
    if let Some((input, digits)) = unit.input.as_ref().zip(digits) {
        for (&tag, &width) in input.tags.iter().zip(&digits.limbs) {
            columns.fill(tag, last, width.into());
        }
    }
    for (row, step) in commitment.rows.iter().enumerate() {
        let selector = match step.step {
            HashStep::Clear => None,
            HashStep::Keep => Some(unit.q_keep),
            HashStep::Rotate => Some(unit.q_rotate),
            HashStep::Full => Some(unit.q_full),
            HashStep::Partial => Some(unit.q_partial),
        };
        let absorbs = step.absorbs.map(|place| unit.q_absorb[usize::from(place)]);
        let more = step.more.then_some(unit.q_more);
        for column in [selector, absorbs, more].into_iter().flatten() {
            columns.set(column, row, 1);
        }
        let Some((side, _)) = step.packs else { continue };
        if let Some(packed) = unit.packed_column(side) {
            columns.set(packed.q_pack, row, 1);
            columns.set(packed.low, row, plan.low_of(side, row));
        }
    }
    if let Some((input, digits)) = unit.input.as_ref().zip(digits) {
        let tensors = plan.graph.inputs.iter().zip(&digits.tensor_bits);
        let bits = tensors
            .flat_map(|(id, &bits)| std::iter::repeat_n(bits, plan.graph.tensors[id.0].len()));
        let rows = commitment.side_of(Side::Input).into_iter().flat_map(|s| &s.element_rows);
        for (&row, bits) in rows.zip(bits) {
            for (&tag, width) in input.tags.iter().zip(digits.limbs_of(bits)) {
                columns.set(tag, row as usize, width.into());
            }
        }
    }
}

fn softmax_unit(plan: &CircuitPlan, config: &Config, columns: &mut Columns, last: usize) {
    let Some(unit) = &config.softmax else { return };
    let range = crate::plan::range_widths(&plan.shape).first().copied().unwrap_or_default();
    columns.fill(unit.tag, last, range.into());
    for (row, softmax) in plan.cells.softmax.iter().enumerate() {
        columns.set(unit.q_row, row, 1);
        columns.set(unit.q_first, row, softmax.first.into());
        columns.set(unit.q_last, row, softmax.last.into());
        let tag = plan.softmax_tags.iter().find(|(node, _)| *node == softmax.node);
        columns.set(unit.tag, row, tag.map_or(0, |&(_, tag)| tag));
    }
}
