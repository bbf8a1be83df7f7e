//! The columns of the product unit.

use halo2_proofs::plonk::{Column, Fixed};

use crate::{
    chain::{ChainColumns, StepSet},
    frame::{Copied, Frame, Order},
};

/// Reads to a row, bases and lattice steps of the product unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProductShape {
    /// Elements read to a row.
    pub lanes: usize,
    /// log2 of each base that channels are digits to.
    pub bases: Vec<u32>,
    /// The linear layers that are products, by the challenges they have.
    pub layers: Vec<u32>,
    /// Whether the slot unit multiplies its side of the check with the weight of a whole window.
    pub is_scaled: bool,
    pub(crate) positions: StepSet,
    pub(crate) channels: StepSet,
    pub(crate) heads: StepSet,
}

/// The product unit.
#[derive(Clone, Debug)]
pub(crate) struct ProductUnit {
    pub(super) reads: Vec<Copied>,
    /// `e`: the factor of the positions.
    pub(super) positions: ChainColumns,
    /// `f`: the factor of the channels.
    pub(super) channels: ChainColumns,
    /// `g`: the weight of the head, with the layer's challenge.
    pub(super) heads: ChainColumns,
    /// 1 where elements of neighbouring positions are read.
    pub(super) q_positions: Column<Fixed>,
    /// For each base 1 where elements of neighbouring digits are read.
    pub(super) q_channels: Vec<(u32, Column<Fixed>)>,
    /// For each layer 1 where its challenge starts the weight of the next row.
    pub(super) starts: Vec<(u32, Column<Fixed>)>,
    /// Integer factor of the product of the three chains.
    pub(super) factor: Column<Fixed>,
    pub(super) is_scaled: bool,
}

impl ProductUnit {
    pub(super) fn new(shape: &ProductShape, frame: &mut Frame) -> Self {
        let reads = (0..shape.lanes).map(|_| frame.copied("product factor")).collect();
        frame.order(Order::Third);
        let mut chain = |name, steps| ChainColumns::allocate(name, (steps, false), 0, frame);
        let positions = chain("product of positions", &shape.positions);
        let channels = chain("product of channels", &shape.channels);
        let heads = chain("product weight", &shape.heads);
        let unit = Self {
            reads,
            positions,
            channels,
            heads,
            q_positions: frame.fixed(),
            q_channels: shape.bases.iter().map(|&base| (base, frame.fixed())).collect(),
            starts: shape.layers.iter().map(|&layer| (layer, frame.fixed())).collect(),
            factor: frame.fixed(),
            is_scaled: shape.is_scaled,
        };
        frame.order(Order::First);
        unit
    }
}
