//! The copy constraints of a plan.

use halo2_proofs::{
    circuit::Cell,
    plonk::{Any, Column},
};
use zkinfer_models::quantized::TensorId;

use crate::{
    config::Config,
    instance::BINDING_ROWS,
    plan::{
        CellRef, CircuitPlan,
        commitment::{CommittedSide, Side},
        linear::Source,
    },
};

/// Pairs of cells that hold the same element.
pub(crate) fn copies(plan: &CircuitPlan, config: &Config) -> Vec<(Cell, Cell)> {
    let at = |reference: CellRef| {
        let column = config
            .advice_column(reference.place)
            .map_or_else(|| Column::<Any>::from(config.instance), Column::<Any>::from);
        cell(column, reference.row as usize)
    };
    let source = |source: Source| match source {
        Some((TensorId(tensor), element)) => at(plan.cells.tensors[tensor][element as usize]),
        None => at(plan.zero_cell()),
    };
    let mut pairs = Vec::new();
    let lanes = plan.shape.read_lanes;
    for (row, linear) in plan.linear.rows.iter().enumerate() {
        let Some(block) = linear.reads else { continue };
        let sources = &plan.linear.reads[block as usize * lanes..];
        for (&column, &element) in config.linear.reads.iter().zip(sources) {
            pairs.push((cell(column.into(), row), source(element)));
        }
    }
    for (row, windows) in plan.cells.pool_rows().enumerate() {
        for (lane, inputs) in config.pool.iter().zip(windows) {
            let columns = lane.inputs.into_iter().zip(inputs);
            pairs.extend(columns.map(|(c, &input)| (cell(c.into(), row), at(input))));
        }
    }
    for (row, softmax) in plan.cells.softmax.iter().enumerate() {
        let columns = config.softmax.iter().map(|unit| unit.input);
        pairs.extend(columns.map(|c| (cell(c.into(), row), at(softmax.input))));
    }
    let outputs = plan.graph.outputs.iter().flat_map(|&TensorId(t)| &plan.cells.tensors[t]);
    pairs.extend(outputs.zip(output_cells(plan, config)).map(|(&output, to)| (to, at(output))));
    pairs.extend(digests(plan, config));
    pairs
}

/// Where the outputs go: to the instance, or to where they are packed for their commitment.
fn output_cells(plan: &CircuitPlan, config: &Config) -> Vec<Cell> {
    let committed =
        plan.commitment.as_ref().and_then(|commitment| commitment.side_of(Side::Output));
    let packed = config.commitment.as_ref().and_then(|unit| unit.packed_column(Side::Output));
    match committed.zip(packed) {
        Some((committed, packed)) => {
            let rows = committed.element_rows.iter();
            rows.map(|&row| cell(packed.value.into(), row as usize)).collect()
        }
        None => {
            let rows = plan.cells.instance_outputs..plan.cells.instance_len;
            rows.map(|row| cell(config.instance.into(), row)).collect()
        }
    }
}

/// Every commitment: its row of the instance, and the state of the hash.
fn digests(plan: &CircuitPlan, config: &Config) -> Vec<(Cell, Cell)> {
    let (Some(commitment), Some(unit)) = (&plan.commitment, &config.commitment) else {
        return Vec::new();
    };
    let [_, digest, _] = unit.state;
    let pair = |committed: &CommittedSide| {
        let row = match committed.side {
            Side::Input => BINDING_ROWS,
            Side::Output => plan.cells.instance_outputs,
        };
        (cell(config.instance.into(), row), cell(digest.into(), committed.digest_row as usize))
    };
    commitment.sides.iter().map(pair).collect()
}

fn cell(column: Column<Any>, row: usize) -> Cell {
    Cell { row_offset: row, column }
}
