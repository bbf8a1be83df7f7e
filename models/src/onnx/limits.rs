//! Bounds on what a file may ask for, far above what can be proved.

use crate::error::ImportError;

/// Largest file.
const FILE_BYTES: usize = 1 << 27;
/// Most strings and messages in a file.
pub(super) const FIELDS: usize = 1 << 19;
/// Most nodes in a graph.
pub(super) const NODES: usize = 1 << 13;
/// Most elements of all tensors and layers of a graph together.
const ELEMENTS: u128 = 1 << 27;
/// Most dimensions of a tensor.
pub(super) const RANK: usize = 16;
/// Most multiplications of one run.
const MULTIPLICATIONS: u128 = 1 << 36;

/// Refuses a file that is too large.
pub(super) fn check_file_size(got: usize) -> Result<(), ImportError> {
    if got > FILE_BYTES {
        return Err(ImportError::FileSize { got, limit: FILE_BYTES });
    }
    Ok(())
}

/// What the graph may still ask for.
#[derive(Debug)]
pub(super) struct Budget {
    elements: u128,
    multiplications: u128,
}

impl Budget {
    /// The whole budget of a graph.
    pub(super) const fn new() -> Self {
        Self { elements: 0, multiplications: 0 }
    }

    /// The number of elements of `shape`, counted against the budget. To be asked before they
    /// are allocated.
    pub(super) fn elements(&mut self, place: &str, shape: &[usize]) -> Result<usize, ImportError> {
        let limit = |what, got, limit| {
            Err(ImportError::Limit { place: place.to_owned(), what, got, limit })
        };
        if shape.len() > RANK {
            return limit("dimensions", shape.len() as u128, RANK as u128);
        }
        // A 0 must not hide the other dimensions: strides are products of them.
        let got =
            shape.iter().fold(1u128, |product, &size| product.saturating_mul(size.max(1) as u128));
        self.elements = self.elements.saturating_add(got);
        if self.elements > ELEMENTS {
            return limit("tensor elements", self.elements, ELEMENTS);
        }
        Ok(shape.iter().product())
    }

    /// Counts a layer's multiplications, given as factors.
    pub(super) fn multiplications(
        &mut self,
        place: &str,
        factors: &[usize],
    ) -> Result<(), ImportError> {
        let got =
            factors.iter().fold(1u128, |product, &factor| product.saturating_mul(factor as u128));
        self.multiplications = self.multiplications.saturating_add(got);
        if self.multiplications > MULTIPLICATIONS {
            return Err(ImportError::Limit {
                place: place.to_owned(),
                what: "multiplications",
                got: self.multiplications,
                limit: MULTIPLICATIONS,
            });
        }
        Ok(())
    }
}
