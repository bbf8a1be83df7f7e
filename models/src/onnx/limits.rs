//! Bounds on what a file may ask for, far above what can be proved.

use super::error::ImportError;
use super::proto::GraphProto;

/// Largest file, and most bytes of weights in other files.
pub(super) const FILE_BYTES: u64 = 1 << 30;
/// Most strings and messages in a file.
pub(super) const FIELDS: usize = 1 << 19;
/// Most nodes in a graph.
pub(super) const NODES: usize = 1 << 13;
/// Most tensors of a graph: nodes may have many outputs.
const TENSORS: usize = 1 << 15;
/// Most elements of all tensors and layers of a graph together, besides one for each byte of its
/// stored tensors: large models are large files.
const ELEMENTS: u128 = 1 << 27;
/// Most dimensions of a tensor.
pub(super) const RANK: usize = 16;
/// Most multiplications of one run.
const MULTIPLICATIONS: u128 = 1 << 36;
/// What a list of elements, as each window of a maximum has, costs besides them.
const LIST: usize = 4;

/// Refuses more of something than the limit.
pub(super) fn limit(
    place: &str,
    what: &'static str,
    got: usize,
    limit: usize,
) -> Result<(), ImportError> {
    limit_at(|| place.to_owned(), what, got, limit)
}

/// As [`limit`], at a place that is only named where something is refused.
pub(super) fn limit_at(
    place: impl FnOnce() -> String,
    what: &'static str,
    got: usize,
    limit: usize,
) -> Result<(), ImportError> {
    if got <= limit {
        return Ok(());
    }
    Err(ImportError::Limit { place: place(), what, got: got as u128, limit: limit as u128 })
}

/// What the graph may still ask for.
#[derive(Debug)]
pub(super) struct Budget {
    elements: u128,
    most_elements: u128,
    multiplications: u128,
    tensors: usize,
}

impl Budget {
    /// The whole budget of a graph that stores nothing.
    pub(super) const fn new() -> Self {
        Self { elements: 0, most_elements: ELEMENTS, multiplications: 0, tensors: 0 }
    }

    /// The whole budget of a graph.
    pub(super) fn of(graph: &GraphProto) -> Self {
        let stored = graph.initializer.iter().map(|tensor| tensor.raw_data.len() as u128);
        Self { most_elements: ELEMENTS + stored.sum::<u128>(), ..Self::new() }
    }

    /// Counts a tensor.
    pub(super) fn tensor(&mut self, place: &str) -> Result<(), ImportError> {
        self.tensors += 1;
        limit(place, "tensors", self.tensors, TENSORS)
    }

    /// The number of elements of `shape`, counted against the budget. To be asked before they
    /// are allocated.
    pub(super) fn elements(&mut self, place: &str, shape: &[usize]) -> Result<usize, ImportError> {
        let refused = |what, got, limit| {
            Err(ImportError::Limit { place: place.to_owned(), what, got, limit })
        };
        if shape.len() > RANK {
            return refused("dimensions", shape.len() as u128, RANK as u128);
        }
        // A 0 must not hide the other dimensions: strides are products of them.
        let got =
            shape.iter().fold(1u128, |product, &size| product.saturating_mul(size.max(1) as u128));
        self.elements = self.elements.saturating_add(got);
        if self.elements > self.most_elements {
            return refused("tensor elements", self.elements, self.most_elements);
        }
        Ok(shape.iter().product())
    }

    /// Counts lists of elements.
    pub(super) fn lists(
        &mut self,
        place: &str,
        count: usize,
        length: usize,
    ) -> Result<(), ImportError> {
        self.elements(place, &[count, length.saturating_add(LIST)]).map(|_| ())
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
