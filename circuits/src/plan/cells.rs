//! Which cell holds which element.

use zkinfer_models::{
    QuantizedGraph,
    quantized::{QuantizedNode, QuantizedOp, TensorId},
};

use crate::{
    cells::{CellRef, Place},
    error::PlanError,
    folding::Folded,
    instance::BINDING_ROWS,
    integers::index,
    units::{Relations, ResultCell, boundary::BoundaryRows, hash::HashRows, slots::SlotRows},
};

/// The units that have rows besides those of layers and relations.
pub(super) type Apart<'a> = (Option<&'a HashRows>, Option<&'a BoundaryRows>);

/// The cells of every tensor; `taken` are the nodes whose rows other ones have, and what only they
/// read has none.
///
/// # Errors
/// [`PlanError::Unproven`] for an element that is read and has no cell.
pub(super) fn cells(
    folded: &Folded,
    (slots, relations): (&SlotRows, &Relations),
    taken: &[usize],
    apart: Apart<'_>,
) -> Result<Vec<Vec<CellRef>>, PlanError> {
    let graph = &**folded.graph();
    let mut found: Vec<Vec<Option<CellRef>>> =
        graph.tensors.iter().map(|tensor| vec![None; tensor.len()]).collect();
    for (id, cells) in inputs(graph, apart).into_iter().chain(slots.cells()) {
        found[id.0] = cells.into_iter().map(Some).collect();
    }
    for (unit, ResultCell { tensor, element, lane, row }) in relations.results() {
        let cell = CellRef { place: Place::Result { unit, lane }, row };
        found[tensor.0][element as usize] = Some(cell);
    }
    folded.hand_out(&mut found);
    for node in &graph.nodes {
        if let QuantizedOp::Alias(alias) = &node.op {
            found[node.output.0] = alias.elements.of(&found[alias.input.0]);
        }
    }
    folded.gather(&mut found);
    for (place, node) in graph.nodes.iter().enumerate() {
        if !taken.contains(&place) {
            node.op.inputs().iter().try_for_each(|&input| is_proven(graph, input, &found))?;
        }
    }
    graph.outputs.iter().try_for_each(|&output| is_proven(graph, output, &found))?;
    // Nobody reads a tensor without cells.
    let whole = |cells: Vec<_>| cells.into_iter().collect::<Option<_>>().unwrap_or_default();
    Ok(found.into_iter().map(whole).collect())
}

/// Checks that every element of a tensor has a cell.
fn is_proven(
    graph: &QuantizedGraph,
    id: TensorId,
    found: &[Vec<Option<CellRef>>],
) -> Result<(), PlanError> {
    let Some(element) = found[id.0].iter().position(Option::is_none) else { return Ok(()) };
    let gives = |node: &&QuantizedNode| node.output == id;
    let node = graph.nodes.iter().find(gives).map(|node| &node.name);
    let node = node.unwrap_or(&graph.tensors[id.0].name).clone();
    Err(PlanError::Unproven { node, element })
}

/// The cells of the inputs: in the instance, or where they are packed for their commitment.
fn inputs(graph: &QuantizedGraph, (hash, boundary): Apart<'_>) -> Vec<(TensorId, Vec<CellRef>)> {
    let committed = hash.and_then(HashRows::input_cells);
    let elsewhere = committed.or_else(|| boundary?.input_cells(graph));
    if let Some(cells) = elsewhere {
        return cells;
    }
    let mut row = BINDING_ROWS;
    let of_tensor = |&id: &TensorId| {
        let start = row;
        row += graph.tensors[id.0].len();
        let shown = |row| CellRef { place: Place::Instance, row: index(row) };
        (id, (start..row).map(shown).collect())
    };
    graph.inputs.iter().map(of_tensor).collect()
}
