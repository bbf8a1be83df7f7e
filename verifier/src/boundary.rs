//! The columns that a part of a model shares with its neighbours.

use alloc::{collections::BTreeSet, vec::Vec};

use crate::{constraint_system::ConstraintSystem, digest::Digest, error::KeyError, side::Side};

/// Most boundaries of a part.
pub(crate) const MAX_BOUNDARIES: usize = 64;

/// Advice columns that hold a tensor of a neighbouring part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boundary {
    /// Whether the tensor comes from the part before, or goes to the part behind.
    pub side: Side,
    /// The columns, in order; all of the first phase, and none in two boundaries.
    pub columns: Vec<u16>,
    /// Digest of what the cells of these columns mean; neighbours must agree on it.
    pub layout: Digest,
}

/// Checks the columns of all boundaries against the circuit: a column that no proof opens would bind
/// nobody to what it holds.
pub(crate) fn check(boundaries: &[Boundary], system: &ConstraintSystem) -> Result<(), KeyError> {
    let mut seen = BTreeSet::new();
    for (boundary, Boundary { side: _, columns, layout: _ }) in boundaries.iter().enumerate() {
        let is_opened = |column| {
            system.advice_queries.iter().any(|query| query.column == column && query.rotation == 0)
        };
        let good = |&column: &u16| {
            let is_first = system.advice_phases.get(usize::from(column)) == Some(&0);
            is_first && is_opened(column) && seen.insert(column)
        };
        if columns.is_empty() || !columns.iter().all(good) {
            return Err(KeyError::Boundary { boundary });
        }
    }
    Ok(())
}
