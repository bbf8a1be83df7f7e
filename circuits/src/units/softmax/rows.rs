//! The rows of every group: those of its division, then those of its elements.

use zkinfer_models::{
    QuantizedGraph,
    quantized::{QuantizedOp, Softmax, TensorId},
};

use crate::{
    cells::{CellRef, Place, Source},
    integers::index,
    lookup::ValueTables,
};

/// What the rows before a group's elements hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OfGroup {
    Reciprocal,
    /// What the reciprocal leaves of the power of two.
    Rest,
    /// What the rest falls short of the sum by, less one.
    Slack,
}

/// In this order, from lane to lane and row to row.
pub(super) const OF_GROUP: [OfGroup; 3] = [OfGroup::Reciprocal, OfGroup::Rest, OfGroup::Slack];

/// Rows of a group of so many elements.
fn rows_of_group(elements: usize, lanes: usize) -> usize {
    OF_GROUP.len().div_ceil(lanes) + elements.div_ceil(lanes)
}

/// A row of a group.
#[derive(Clone, Debug)]
pub(super) struct SoftmaxRow {
    pub(super) tensor: TensorId,
    /// The place of the row among those of the group.
    pub(super) place: usize,
    /// At most one for each lane; none in the rows before the elements.
    pub(super) elements: Vec<u32>,
    /// The group's table.
    pub(super) table: usize,
    pub(super) first: bool,
    pub(super) last: bool,
}

impl SoftmaxRow {
    /// What a lane reads: behind the last element that one again.
    pub(super) fn input(&self, lane: usize) -> Source {
        let element = self.elements.get(lane).or(self.elements.last());
        element.map(|&element| (self.tensor, element))
    }
}

/// The groups, one after another.
#[derive(Clone, Debug)]
pub(crate) struct SoftmaxRows {
    lanes: usize,
    pub(super) rows: Vec<SoftmaxRow>,
    /// Of every node its exponentials and their tag.
    pub(super) tables: Vec<(Vec<i64>, i64)>,
}

impl SoftmaxRows {
    /// No rows, `lanes` elements to each.
    pub(crate) fn new(lanes: usize) -> Self {
        Self { lanes: lanes.max(1), rows: Vec::new(), tables: Vec::new() }
    }

    /// Rows.
    pub(crate) fn row_count(&self) -> usize {
        self.rows.len()
    }

    /// Rows that a graph needs with so many elements to a row.
    pub(crate) fn count(graph: &QuantizedGraph, lanes: usize) -> usize {
        let of_node = |op: &QuantizedOp| match op {
            QuantizedOp::Softmax(softmax) => {
                softmax.groups.sizes().map(|size| rows_of_group(size, lanes)).sum()
            }
            _ => 0,
        };
        graph.nodes.iter().map(|node| of_node(&node.op)).sum()
    }

    /// Adds a node, whose tensors have so many elements, and says where its outputs are.
    pub(crate) fn softmax(
        &mut self,
        softmax: &Softmax,
        elements: usize,
        tables: &mut ValueTables,
    ) -> Vec<CellRef> {
        let exponentials: Vec<_> = softmax.exp_table.iter().map(|&v| i64::from(v)).collect();
        let tag = tables.tag(exponentials.clone());
        let table = self.tables.len();
        self.tables.push((exponentials, tag));
        let mut output = vec![None; elements];
        for group in softmax.groups.iter() {
            let without = std::iter::repeat_n(&[][..], OF_GROUP.len().div_ceil(self.lanes));
            let rows = without.chain(group.chunks(self.lanes)).enumerate();
            for (place, elements) in rows {
                let row = index(self.rows.len());
                for (lane, &element) in elements.iter().enumerate() {
                    output[element] = Some(CellRef { place: Place::Softmax(index(lane)), row });
                }
                self.rows.push(SoftmaxRow {
                    tensor: softmax.input,
                    place,
                    elements: elements.iter().map(|&element| index(element)).collect(),
                    table,
                    first: place == 0,
                    last: place + 1 == rows_of_group(group.len(), self.lanes),
                });
            }
        }
        let output: Option<Vec<_>> = output.into_iter().collect();
        output.expect("every element is in a group")
    }
}
