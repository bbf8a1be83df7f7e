//! How a product of two stacks of matrices lies on the lattice of its accumulators.
//!
//! Rows or columns of the product, whichever are more, are its channels, the others its positions,
//! the matrices its heads: `w(head, position, channel) = σ^head · ρ^position · w(channel)`.

use zkinfer_models::quantized::{Contract, ImageView, QuantizedOp};

use crate::{cells::Source, integers::index};

/// The product of two stacks of matrices that an operation is, if it is one.
pub(super) fn contract(op: &QuantizedOp) -> Option<&Contract> {
    match op {
        QuantizedOp::Contract(contract) => Some(contract),
        _ => None,
    }
}

/// A product of two stacks of matrices with its lattice.
#[derive(Clone, Copy, Debug)]
pub(super) struct Contraction<'a>(&'a Contract);

impl<'a> Contraction<'a> {
    pub(super) fn new(contract: &'a Contract) -> Self {
        Self(contract)
    }

    /// Whether the rows of the product are its channels.
    fn is_turned(self) -> bool {
        self.0.sizes.rows > self.0.sizes.columns
    }

    pub(super) fn heads(self) -> usize {
        self.0.sizes.batch
    }

    /// How many pairs of elements each accumulator adds up.
    pub(super) fn inner(self) -> usize {
        self.0.sizes.inner
    }

    pub(super) fn channels(self) -> usize {
        self.0.sizes.rows.max(self.0.sizes.columns)
    }

    pub(super) fn positions(self) -> usize {
        self.0.sizes.rows.min(self.0.sizes.columns)
    }

    /// The elements of the product: channels × heads × positions.
    pub(super) fn lattice(self) -> ImageView {
        let sizes = &self.0.sizes;
        let (row, column) = (sizes.output(0, 1, 0), sizes.output(0, 0, 1));
        let [channel, position] = if self.is_turned() { [row, column] } else { [column, row] };
        ImageView {
            channels: self.channels(),
            height: self.heads(),
            width: self.positions(),
            strides: [channel, sizes.output(1, 0, 0), position],
            offset: 0,
        }
    }

    /// The factor that all channels of a position share.
    pub(super) fn of_position(self, head: usize, inner: usize, position: usize) -> Source {
        let Contract { a, b, sizes, .. } = self.0;
        Some(match self.is_turned() {
            true => (*b, index(sizes.right(head, inner, position))),
            false => (*a, index(sizes.left(head, position, inner))),
        })
    }

    /// The factor that all positions of a channel share.
    pub(super) fn of_channel(self, head: usize, inner: usize, channel: usize) -> Source {
        let Contract { a, b, sizes, .. } = self.0;
        Some(match self.is_turned() {
            true => (*a, index(sizes.left(head, channel, inner))),
            false => (*b, index(sizes.right(head, inner, channel))),
        })
    }
}
