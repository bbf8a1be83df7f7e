//! The first phase: every tensor, in small integers.

use halo2_proofs::plonk::{Advice, Column};
use zkinfer_models::{
    Execution,
    quantized::{QuantizedOp, Requant, Softmax, TensorId},
};

use super::{IntegerColumns, split};
use crate::{
    config::{Config, SlotColumns, SoftmaxUnit},
    instance::BINDING_ROWS,
    plan::{CellRef, CircuitPlan, RequantKind, commitment::Side, linear::Source, slots},
    shape::SoftmaxShape,
};

/// The first-phase advice columns, without the multiplicities.
pub(crate) fn first_phase(
    plan: &CircuitPlan,
    config: &Config,
    execution: &Execution,
    count: usize,
) -> IntegerColumns {
    let mut columns = Columns(vec![vec![0; 1 << plan.shape.k]; count]);
    committed_values(plan, config, execution, &mut columns);
    for row in 0..plan.slots.rows.len() {
        slot_row(plan, config, execution, &mut columns, row);
    }
    let lanes = plan.shape.read_lanes;
    for (row, linear) in plan.linear.rows.iter().enumerate() {
        let Some(block) = linear.reads else { continue };
        let sources = &plan.linear.reads[block as usize * lanes..];
        for (&column, &source) in config.linear.reads.iter().zip(sources) {
            columns.set(column, row, source_value(execution, source));
        }
    }
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

    fn set_limbs(&mut self, columns: &[Column<Advice>], row: usize, value: i64, widths: &[u32]) {
        for (&column, limb) in columns.iter().zip(split(value, widths)) {
            self.set(column, row, limb);
        }
    }
}

fn slot_row(
    plan: &CircuitPlan,
    config: &Config,
    execution: &Execution,
    columns: &mut Columns,
    row: usize,
) {
    let Some(layer) = plan.slots.rows[row].layer.map(|l| &plan.layers[l as usize]) else { return };
    let Some((requant, _)) = slots::accumulators(&plan.graph, layer.node) else { return };
    let empty = Vec::new();
    let accumulators = execution.accumulators[layer.node].as_ref().unwrap_or(&empty);
    let lanes = plan.shape.slot_lanes;
    let elements = &plan.slots.elements[row * lanes..(row + 1) * lanes];
    for (index, (lane, &element)) in config.slots.lanes.iter().zip(elements).enumerate() {
        // A padding channel has no weights and no bias: its accumulator is 0.
        let accumulator = accumulators.get(element as usize).copied().unwrap_or(0);
        let slot = Slot::of(plan, layer.kind, requant, accumulator);
        slot.assign(plan, lane, columns, row);
        if let (RequantKind::Wide, 0, Some(wide)) = (layer.kind, index, config.slots.wide_output) {
            columns.set(wide, row, slot.output + (slot.overflow << plan.shape.clamp_bits));
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
        let half = if requant.shift == 0 { 0 } else { 1 << (requant.shift - 1) };
        let remainder = accumulator + half - (rounded << requant.shift);
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

    fn assign(&self, plan: &CircuitPlan, lane: &SlotColumns, columns: &mut Columns, row: usize) {
        let shape = &plan.shape;
        columns.set(lane.output, row, self.output);
        if self.table {
            if let Some(&lowest) = lane.value.first() {
                columns.set(lowest, row, self.value);
            }
        } else {
            columns.set_limbs(&lane.value, row, self.value, &shape.value_limbs);
        }
        if let Some(activation) = lane.activation {
            columns.set(activation, row, self.activation);
        }
        columns.set_limbs(&lane.remainder, row, self.remainder, &shape.remainder_limbs);
        columns.set_limbs(&lane.overflow, row, self.overflow, &shape.overflow_limbs);
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
    let (Some(unit), Some(widths)) = (&config.pool, &plan.shape.pool_limbs) else { return };
    for (row, cells) in plan.cells.pool.iter().enumerate() {
        // A row reads maxima of earlier rows, so the columns themselves are the source.
        let inputs = cells.map(|cell| cell_value(plan, config, execution, columns, cell));
        let maximum = inputs.into_iter().max().unwrap_or(0);
        columns.set(unit.maximum, row, maximum);
        for ((&column, limbs), input) in unit.inputs.iter().zip(&unit.differences).zip(inputs) {
            columns.set(column, row, input);
            columns.set_limbs(limbs, row, maximum - input, widths);
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
