//! The first phase: every tensor, in small integers.

use halo2_proofs::plonk::{Advice, Column};
use rayon::prelude::*;
use zkinfer_models::{
    Execution,
    quantized::{QuantizedOp, Requant, Softmax, TensorId},
};

use super::{IntegerColumns, half, join, split};
use crate::{
    config::{Config, ShortfallColumns, SlotColumns, SoftmaxUnit},
    instance::BINDING_ROWS,
    plan::{
        CellRef, CircuitPlan, RequantKind, commitment::Side, linear::Source, slots,
        windows::POSITIONS,
    },
    shape::SoftmaxShape,
};

/// The first-phase advice columns, without the multiplicities.
pub(crate) fn first_phase(
    plan: &CircuitPlan,
    config: &Config,
    execution: &Execution,
    fixed: &IntegerColumns,
) -> IntegerColumns {
    let mut columns = Columns(vec![vec![0; 1 << plan.shape.k]; config.first_phase_count()]);
    committed_values(plan, config, execution, &mut columns);
    let lanes = config.slots.lanes.par_iter().enumerate();
    let lanes: Vec<_> =
        lanes.map(|(index, lane)| slot_lane(plan, execution, fixed, (index, lane))).collect();
    let reads = config.linear.reads.par_iter().enumerate();
    let reads: Vec<_> =
        reads.map(|(lane, &column)| (column, read(plan, execution, lane))).collect();
    for (column, values) in lanes.into_iter().flatten().chain(reads) {
        columns.0[column.index()][..values.len()].copy_from_slice(&values);
    }
    wide_outputs(plan, config, &mut columns);
    pool_unit(plan, config, execution, &mut columns);
    softmax_unit(plan, config, execution, &mut columns);
    columns.0
}

/// Hidden inputs with their limbs, and copies of hidden outputs.
fn committed_values(
    plan: &CircuitPlan,
    config: &Config,
    execution: &Execution,
    columns: &mut Columns,
) {
    let (Some(commitment), Some(unit)) = (&plan.commitment, &config.commitment) else { return };
    for committed in &commitment.sides {
        let Some(packed) = unit.packed_column(committed.side) else { continue };
        for (&row, &source) in committed.element_rows.iter().zip(&committed.elements) {
            columns.set(packed.value, row as usize, source_value(execution, Some(source)));
        }
    }
    let digits = plan.shape.commitment.as_ref().and_then(|shape| shape.input.as_ref());
    let Some((input, digits)) = unit.input.as_ref().zip(digits) else { return };
    let rows = commitment.side_of(Side::Input).into_iter().flat_map(|side| &side.element_rows);
    for &row in rows {
        let row = row as usize;
        let digit = columns.0[input.packed.value.index()][row] - plan.low_of(Side::Input, row);
        columns.set_limbs(&input.limbs, row, digit, &digits.limbs);
    }
}

fn source_value(execution: &Execution, source: Source) -> i64 {
    source.map_or(0, |(TensorId(tensor), element)| execution.values[tensor][element as usize])
}

struct Columns(IntegerColumns);

impl Columns {
    fn set(&mut self, column: Column<Advice>, row: usize, value: i64) {
        self.0[column.index()][row] = value;
    }

    fn joined(&self, columns: &[Column<Advice>], row: usize, widths: &[u32]) -> i64 {
        join(columns.iter().map(|column| self.0[column.index()][row]), widths)
    }

    fn set_limbs(&mut self, columns: &[Column<Advice>], row: usize, value: i64, widths: &[u32]) {
        for (&column, limb) in columns.iter().zip(split(value, widths)) {
            self.set(column, row, limb);
        }
    }
}

/// What a lane of the linear unit reads, row by row.
fn read(plan: &CircuitPlan, execution: &Execution, lane: usize) -> Vec<i64> {
    let lanes = plan.shape.read_lanes;
    let source = |block: u32| plan.linear.reads[block as usize * lanes + lane];
    let rows = plan.linear.rows.iter();
    rows.map(|row| row.reads.map_or(0, |block| source_value(execution, source(block)))).collect()
}

/// The columns of one lane of slots.
fn slot_lane(
    plan: &CircuitPlan,
    execution: &Execution,
    fixed: &IntegerColumns,
    (index, lane): (usize, &SlotColumns),
) -> Vec<(Column<Advice>, Vec<i64>)> {
    let parts = [&lane.value, &lane.remainder, &lane.overflow].into_iter().flatten().copied();
    let parts = parts.chain(lane.shortfalls.iter().flat_map(ShortfallColumns::all));
    let columns: Vec<_> = [lane.output].into_iter().chain(lane.activation).chain(parts).collect();
    let mut values = vec![vec![0; plan.slots.rows.len()]; columns.len()];
    for (row, slot) in plan.slots.rows.iter().enumerate() {
        let Some(layer) = slot.layer.map(|layer| &plan.layers[layer as usize]) else { continue };
        let Some((requant, _)) = slots::accumulators(&plan.graph, layer.node) else { continue };
        let offset = fixed[lane.offset.index()][row];
        // Where there is no element there are no inputs: the accumulator is the bias.
        let bias = offset - half(requant.shift) + (i64::from(requant.lo) << requant.shift);
        let known = execution.accumulators[layer.node].as_deref().unwrap_or_default();
        let elements = plan.slots.elements(row, index).iter();
        let accumulators =
            elements.map(|&element| known.get(element as usize).copied().unwrap_or(bias));
        let positions = if layer.pooling.is_some() { POSITIONS } else { 1 };
        let accumulators: Vec<_> = accumulators.take(positions).collect();
        let largest = accumulators.iter().copied().max().unwrap_or(bias);
        let slot = Slot::of(plan, layer.kind, requant, largest);
        let shortfalls = shortfalls(&accumulators, largest).flat_map(|(shortfall, is_next)| {
            let widths = plan.shape.window_limbs.as_deref().unwrap_or_default();
            split(shortfall, widths).chain([i64::from(is_next)])
        });
        for (column, value) in values.iter_mut().zip(slot.cells(plan, lane).chain(shortfalls)) {
            column[row] = value;
        }
    }
    columns.into_iter().zip(values).collect()
}

/// What all but one of the accumulators fall short of the largest by, and whether that is one of
/// those before.
fn shortfalls(accumulators: &[i64], largest: i64) -> impl Iterator<Item = (i64, bool)> {
    let without = accumulators.iter().position(|&accumulator| accumulator == largest);
    let others = accumulators.iter().enumerate().filter(move |(i, _)| Some(*i) != without);
    others.map(move |(i, accumulator)| (largest - accumulator, Some(i) > without))
}

/// `out = q + 2^clamp_bits·w`, of the first lane.
fn wide_outputs(plan: &CircuitPlan, config: &Config, columns: &mut Columns) {
    let Some((wide, lane)) = config.slots.wide_output.zip(config.slots.lanes.first()) else {
        return;
    };
    for (row, slot) in plan.slots.rows.iter().enumerate() {
        let layer = slot.layer.map(|layer| &plan.layers[layer as usize]);
        if layer.is_some_and(|layer| layer.kind == RequantKind::Wide) {
            let overflow = columns.joined(&lane.overflow, row, &plan.shape.overflow_limbs);
            let output = columns.0[lane.output.index()][row];
            columns.set(wide, row, output + (overflow << plan.shape.clamp_bits));
        }
    }
}

/// The parts of one accumulator.
struct Slot {
    output: i64,
    value: i64,
    activation: i64,
    remainder: i64,
    overflow: i64,
    table: bool,
}

impl Slot {
    fn of(plan: &CircuitPlan, kind: RequantKind, requant: &Requant, accumulator: i64) -> Self {
        let rounded = requant.round(accumulator);
        let remainder = accumulator + half(requant.shift) - (rounded << requant.shift);
        let (low, high) = (i64::from(requant.lo), i64::from(requant.hi));
        let clamped = rounded.clamp(low, high);
        let (value, overflow) = match kind {
            RequantKind::Wide => {
                let bits = plan.shape.clamp_bits;
                ((rounded - low) & ((1 << bits) - 1), (rounded - low) >> bits)
            }
            RequantKind::Clamp | RequantKind::Table => (clamped - low, (rounded - clamped).abs()),
        };
        let table = kind == RequantKind::Table;
        let activation = match (&requant.table, table) {
            (Some(list), _) => {
                usize::try_from(value).ok().and_then(|v| list.get(v)).map_or(0, |&v| v.into())
            }
            (None, true) => clamped,
            (None, false) => 0,
        };
        let output = if table { activation } else { low + value };
        Self { output, value, activation, remainder, overflow, table }
    }

    /// What it puts into a lane: the output, the activation where there is one, and limbs.
    fn cells(&self, plan: &CircuitPlan, lane: &SlotColumns) -> impl Iterator<Item = i64> {
        let shape = &plan.shape;
        let whole = self.table.then_some(self.value).into_iter();
        let value = whole.chain(split(self.value, &shape.value_limbs).filter(|_| !self.table));
        // Under a table the lowest limb has the whole value.
        let value = value.chain(std::iter::repeat(0)).take(lane.value.len());
        let activation = lane.activation.map(|_| self.activation);
        let remainder = split(self.remainder, &shape.remainder_limbs);
        let overflow = split(self.overflow, &shape.overflow_limbs);
        [self.output].into_iter().chain(activation).chain(value).chain(remainder).chain(overflow)
    }
}

/// The value of a cell that is already assigned, or of a public input.
fn cell_value(
    plan: &CircuitPlan,
    config: &Config,
    execution: &Execution,
    columns: &Columns,
    cell: CellRef,
) -> i64 {
    let row = cell.row as usize;
    if let Some(column) = config.advice_column(cell.place) {
        return columns.0[column.index()][row];
    }
    let mut inputs = plan.graph.inputs.iter().flat_map(|&TensorId(t)| &execution.values[t]);
    inputs.nth(row - BINDING_ROWS).copied().unwrap_or(0)
}

fn pool_unit(plan: &CircuitPlan, config: &Config, execution: &Execution, columns: &mut Columns) {
    let widths = plan.shape.pool_limbs.as_deref().unwrap_or_default();
    for (row, windows) in plan.cells.pool_rows().enumerate() {
        for (lane, cells) in config.pool.iter().zip(windows) {
            // A window reads maxima of earlier ones, so the columns themselves are the source.
            let inputs = cells.map(|cell| cell_value(plan, config, execution, columns, cell));
            let maximum = inputs.into_iter().max().unwrap_or(0);
            columns.set(lane.maximum, row, maximum);
            for ((&column, limbs), input) in lane.inputs.iter().zip(&lane.differences).zip(inputs) {
                columns.set(column, row, input);
                columns.set_limbs(limbs, row, maximum - input, widths);
            }
        }
    }
}

fn softmax_unit(plan: &CircuitPlan, config: &Config, execution: &Execution, columns: &mut Columns) {
    let (Some(unit), Some(shape)) = (&config.softmax, &plan.shape.softmax) else { return };
    let rows = &plan.cells.softmax;
    let mut start = 0;
    while let Some(first) = rows.get(start) {
        let end = start + first.remaining as usize;
        if let QuantizedOp::Softmax(op) = &plan.graph.nodes[first.node as usize].op {
            let inputs: Vec<_> = rows[start..end]
                .iter()
                .map(|row| cell_value(plan, config, execution, columns, row.input))
                .collect();
            softmax_group(unit, shape, op, &inputs, start, columns);
        }
        start = end;
    }
}

fn softmax_group(
    unit: &SoftmaxUnit,
    shape: &SoftmaxShape,
    op: &Softmax,
    inputs: &[i64],
    start: usize,
    columns: &mut Columns,
) {
    let maximum = inputs.iter().max().copied().unwrap_or(0);
    let marked = inputs.iter().position(|&x| x == maximum);
    let exponential = |x: i64| {
        let entry = usize::try_from(maximum - x).ok().and_then(|d| op.exp_table.get(d));
        entry.map_or(0, |&e| i64::from(e))
    };
    let sum: i64 = inputs.iter().map(|&x| exponential(x)).sum();
    let mut partial = 0;
    for (index, &input) in inputs.iter().enumerate() {
        let row = start + index;
        let entry = exponential(input);
        partial += entry;
        let numerator = (entry << (shape.bits + 1)) + sum;
        let (output, remainder) = (numerator / (2 * sum), numerator % (2 * sum));
        let reached = marked.is_some_and(|m| m <= index);
        columns.set(unit.input, row, input);
        columns.set(unit.maximum, row, maximum);
        columns.set(unit.exponential, row, entry);
        columns.set(unit.is_maximum, row, i64::from(marked == Some(index)));
        columns.set(unit.maximum_count, row, i64::from(reached));
        columns.set(unit.sum, row, sum);
        columns.set(unit.partial_sum, row, partial);
        columns.set(unit.output, row, output);
        columns.set_limbs(&unit.output_limbs, row, output, &shape.output_limbs);
        columns.set_limbs(&unit.remainder_limbs, row, remainder, &shape.remainder_limbs);
        let slack = 2 * sum - 1 - remainder;
        columns.set_limbs(&unit.slack_limbs, row, slack, &shape.remainder_limbs);
    }
}
