//! How a product of two stacks of matrices lies on the lattice of its accumulators.
//!
//! Rows or columns of the product, whichever are more, are its channels, the others its positions,
//! the matrices its heads: `w(head, position, channel) = σ^head · ρ^position · w(channel)`.

use zkinfer_models::quantized::Contract;

use crate::{cells::Source, integers::index};

/// A product of two stacks of matrices with its lattice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contraction<'a>(&'a Contract);

impl<'a> Contraction<'a> {
    pub(crate) fn new(contract: &'a Contract) -> Self {
        Self(contract)
    }

    /// Whether the rows of the product are its channels.
    fn is_turned(self) -> bool {
        self.0.sizes.rows > self.0.sizes.columns
    }

    pub(crate) fn heads(self) -> usize {
        self.0.sizes.batch
    }

    /// How many pairs of elements each accumulator adds up.
    pub(crate) fn inner(self) -> usize {
        self.0.sizes.inner
    }

    pub(crate) fn channels(self) -> usize {
        self.0.sizes.rows.max(self.0.sizes.columns)
    }

    pub(crate) fn positions(self) -> usize {
        self.0.sizes.rows.min(self.0.sizes.columns)
    }

    /// The element of the product.
    pub(crate) fn output(self, channel: usize, head: usize, position: usize) -> usize {
        match self.is_turned() {
            true => self.0.sizes.output(head, channel, position),
            false => self.0.sizes.output(head, position, channel),
        }
    }

    /// The factor that all channels of a position share.
    pub(crate) fn of_position(self, head: usize, inner: usize, position: usize) -> Source {
        let Contract { a, b, sizes, .. } = self.0;
        Some(match self.is_turned() {
            true => (*b, index(sizes.right(head, inner, position))),
            false => (*a, index(sizes.left(head, position, inner))),
        })
    }

    /// The factor that all positions of a channel share.
    pub(crate) fn of_channel(self, head: usize, inner: usize, channel: usize) -> Source {
        let Contract { a, b, sizes, .. } = self.0;
        Some(match self.is_turned() {
            true => (*a, index(sizes.left(head, channel, inner))),
            false => (*b, index(sizes.right(head, inner, channel))),
        })
    }
}
