//! Columns in a circle: a rotation of the point is a rotation of the rows.

use std::sync::Arc;

use super::memory::{Machine, Pairwise, Part, Vector};
use crate::error::DeviceError;

/// A column by a rotation: its row `i` is row `i + by` of the vector.
#[derive(Clone, Copy)]
pub(super) struct Turned<'a> {
    vector: &'a Vector,
    by: usize,
}

impl<'a> Turned<'a> {
    /// A column, so many rows further.
    pub(super) fn new(vector: &'a Vector, rotation: i32) -> Self {
        let rows = i64::try_from(vector.len()).expect("at most 2^28 rows");
        let by = i64::from(rotation).rem_euclid(rows);
        Self { vector, by: usize::try_from(by).expect("a remainder is not negative") }
    }

    /// The elements for the rows from `first` on, as far as they follow each other.
    fn part(self, first: usize) -> Part<'a> {
        self.vector.from((first + self.by) % self.vector.len())
    }
}

impl<'a> From<&'a Vector> for Turned<'a> {
    fn from(vector: &'a Vector) -> Self {
        Self { vector, by: 0 }
    }
}

/// Runs of rows in which the elements of all columns follow each other: first row and length.
fn runs(rows: usize, columns: &[Turned<'_>]) -> impl Iterator<Item = (usize, usize)> {
    let mut starts: Vec<usize> = columns.iter().map(|column| rows - column.by).collect();
    starts.push(0);
    starts.retain(|start| *start < rows);
    starts.sort_unstable();
    starts.dedup();
    let ends: Vec<usize> = starts.iter().skip(1).copied().chain([rows]).collect();
    starts.into_iter().zip(ends).map(|(start, end)| (start, end - start))
}

/// `a ∘ b` in every row, into `to`: another vector, or one of the operands that is not turned.
pub(super) fn pairwise_into(
    machine: &Machine,
    operation: Pairwise,
    a: Turned<'_>,
    b: Turned<'_>,
    to: &Vector,
) -> Result<(), DeviceError> {
    for (first, count) in runs(to.len(), &[a, b]) {
        machine.pairwise(operation, [a.part(first), b.part(first)], to, first, count)?;
    }
    Ok(())
}

/// `a ∘ b` in every row.
pub(super) fn pairwise(
    machine: &Arc<Machine>,
    operation: Pairwise,
    a: Turned<'_>,
    b: Turned<'_>,
) -> Result<Vector, DeviceError> {
    let result = machine.vector(a.vector.len())?;
    pairwise_into(machine, operation, a, b, &result)?;
    Ok(result)
}

/// `scalar · column` in every row.
pub(super) fn scaled(
    machine: &Arc<Machine>,
    scalar: Part<'_>,
    column: Turned<'_>,
) -> Result<Vector, DeviceError> {
    let result = machine.vector(column.vector.len())?;
    for (first, count) in runs(result.len(), &[column]) {
        machine.with_scalar(true, scalar, column.part(first), &result, first, count)?;
    }
    Ok(result)
}

/// A copy of a column.
pub(super) fn copied(machine: &Arc<Machine>, column: Turned<'_>) -> Result<Vector, DeviceError> {
    let result = machine.vector(column.vector.len())?;
    for (first, count) in runs(result.len(), &[column]) {
        machine.copy(column.part(first), &result, first, count)?;
    }
    Ok(result)
}

/// `f₀, f₀·f₁, …`: products of twice as many factors in every pass.
pub(super) fn prefix_products(
    machine: &Arc<Machine>,
    mut factors: Vector,
) -> Result<Vector, DeviceError> {
    let rows = factors.len();
    let mut reach = 1;
    while reach < rows {
        let next = machine.vector(rows)?;
        machine.copy(factors.all(), &next, 0, reach)?;
        let both = [factors.from(reach), factors.all()];
        machine.pairwise(Pairwise::Multiply, both, &next, reach, rows - reach)?;
        factors = next;
        reach *= 2;
    }
    Ok(factors)
}
