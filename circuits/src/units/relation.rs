//! What a unit is asked that proves one kind of operation.

use zkinfer_models::{
    QuantizedGraph,
    quantized::{ImageView, QuantizedNode, QuantizedOp, TensorId},
};

use super::{slots::Layer, unit::Unit};
use crate::{error::PlanError, lookup::ValueTables};

/// The nodes of a graph that relations prove, and the layers whose accumulators slots state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proven<'a> {
    pub(crate) graph: &'a QuantizedGraph,
    /// The nodes, without those that a layer takes over.
    pub(crate) nodes: &'a [&'a QuantizedNode],
    pub(crate) layers: &'a [Layer],
}

impl<'a> Proven<'a> {
    /// The operations that `of` picks, each with its node.
    pub(crate) fn operations<T: 'a>(
        self,
        of: fn(&'a QuantizedOp) -> Option<T>,
    ) -> impl Iterator<Item = (&'a QuantizedNode, T)> {
        self.nodes.iter().filter_map(move |&node| Some((node, of(&node.op)?)))
    }

    /// The operations that `of` picks, each with the layer that requantizes its accumulators.
    pub(crate) fn layers<T: 'a>(
        self,
        of: fn(&'a QuantizedOp) -> Option<T>,
    ) -> impl Iterator<Item = (&'a Layer, T)> {
        let op = move |layer: &Layer| of(&self.graph.nodes[layer.node].op);
        self.layers.iter().filter_map(move |layer| Some((layer, op(layer)?)))
    }
}

/// An element of a tensor and the cell that holds it, in a column from [`crate::frame::Frame::result`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ResultCell {
    pub(crate) tensor: TensorId,
    pub(crate) element: u32,
    pub(crate) lane: u32,
    pub(crate) row: u32,
}

/// A unit that proves one kind of operation. Its cells hold the operation's results; or slots hold
/// them, and the unit states their accumulators in its addend.
pub(crate) trait Relation: Unit {
    /// The most lanes that a row may have.
    const LANES: usize;

    /// Checks that one unit serves all nodes of a graph, and that its gates are sound for each.
    fn check(_graph: &QuantizedGraph) -> Result<(), PlanError> {
        Ok(())
    }

    /// How an operation's accumulators, `len` in all, lie on the lattice of the slot weights; `None`
    /// where they are channels in order, or where it has none.
    fn lattice(_op: &QuantizedOp, _len: usize) -> Option<ImageView> {
        None
    }

    /// How many rows there are, by the number of lanes.
    fn counts<'a>(proven: Proven<'a>) -> Box<dyn Fn(usize) -> usize + 'a>;

    /// The rows with so many lanes; `None` where no node is of its kind.
    fn rows(proven: Proven<'_>, lanes: usize, tables: &mut ValueTables) -> Option<Self::Rows>;

    /// The columns that the rows need, each number that is split into limbs in one limb.
    fn shape(rows: &Self::Rows) -> Self::Shape;

    /// The widths of all limbs.
    fn limbs(_shape: &mut Self::Shape) -> Vec<&mut Vec<u32>> {
        Vec::new()
    }

    /// Where the results are; none where slots hold them.
    fn results(_rows: &Self::Rows) -> Vec<ResultCell> {
        Vec::new()
    }
}
