//! Copy constraints: cells in cycles, as halo2's permutation argument wants them.

use halo2_proofs::plonk::{Any, Column};

/// A cell of the permutation argument: position of its column in the argument, and row.
pub(crate) type Cell = (u32, u32);

/// The permutation whose cycles are the sets of equal cells.
///
/// Cycles are merged in the order and in the way that halo2's key generation merges them
/// ("Algorithm" in the halo2 book's chapter on the permutation argument), so that the permutation
/// is the same and not only equivalent.
#[derive(Clone, Debug)]
pub(crate) struct Copies {
    columns: Vec<Column<Any>>,
    /// The successor of every cell, column by column.
    successors: Vec<Vec<Cell>>,
    representatives: Vec<Vec<Cell>>,
    sizes: Vec<Vec<u32>>,
}

/// Why two cells cannot be made equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CopyError {
    /// The column does not take part in the permutation argument.
    Column(Column<Any>),
    /// The row does not exist.
    Row(usize),
}

impl Copies {
    /// Every cell alone.
    pub(crate) fn new(columns: Vec<Column<Any>>, rows: usize) -> Self {
        let rows = u32::try_from(rows).expect("halo2 has at most 2^28 rows");
        let count = u32::try_from(columns.len()).expect("fewer than 2^32 columns");
        let cells = |column| (0..rows).map(|row| (column, row)).collect();
        let successors: Vec<Vec<Cell>> = (0..count).map(cells).collect();
        let sizes = vec![vec![1; rows as usize]; columns.len()];
        Self { columns, representatives: successors.clone(), successors, sizes }
    }

    fn cell(&self, column: Column<Any>, row: usize) -> Result<Cell, CopyError> {
        let position = self.columns.iter().position(|&other| other == column);
        let position = position.ok_or(CopyError::Column(column))?;
        if row >= self.successors[position].len() {
            return Err(CopyError::Row(row));
        }
        let narrow = |index| u32::try_from(index).expect("indices were counted in 32 bits");
        Ok((narrow(position), narrow(row)))
    }

    /// Makes two cells equal.
    pub(crate) fn copy(
        &mut self,
        left: (Column<Any>, usize),
        right: (Column<Any>, usize),
    ) -> Result<(), CopyError> {
        let left = self.cell(left.0, left.1)?;
        let right = self.cell(right.0, right.1)?;
        let mut large = *at(&mut self.representatives, left);
        let mut small = *at(&mut self.representatives, right);
        if large == small {
            return Ok(());
        }
        if *at(&mut self.sizes, large) < *at(&mut self.sizes, small) {
            std::mem::swap(&mut large, &mut small);
        }
        let joined = *at(&mut self.sizes, small);
        *at(&mut self.sizes, large) += joined;
        let mut cell = small;
        loop {
            *at(&mut self.representatives, cell) = large;
            cell = *at(&mut self.successors, cell);
            if cell == small {
                break;
            }
        }
        let successor = *at(&mut self.successors, left);
        *at(&mut self.successors, left) = *at(&mut self.successors, right);
        *at(&mut self.successors, right) = successor;
        Ok(())
    }

    /// The successor of every cell, column by column.
    pub(crate) fn into_successors(self) -> Vec<Vec<Cell>> {
        self.successors
    }
}

fn at<T>(table: &mut [Vec<T>], (column, row): Cell) -> &mut T {
    &mut table[column as usize][row as usize]
}
