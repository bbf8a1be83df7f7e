//! Where the public values lie in the instance columns.

use alloc::{vec, vec::Vec};

use ark_bn254::Fr;
use ark_ff::Zero;

use crate::error::KeyError;

/// Most instance columns.
pub(crate) const MAX_INSTANCE_COLUMNS: usize = 1 << 10;
/// Most blocks.
pub(crate) const MAX_BLOCKS: usize = 1 << 12;
/// Cells without a value, beyond one for each value: without a limit a small key could ask for
/// much memory.
const SPARE_PADDING: usize = 1 << 12;

/// The next `values` public values, dealt to neighbouring columns row by row: value `i` lies in
/// column `first_column + i mod columns`, row `first_row + ⌊i / columns⌋`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// The first of its columns.
    pub first_column: u16,
    /// How many columns it has; not zero.
    pub columns: u16,
    /// Its first row: not above the end of an earlier block in one of its columns.
    pub first_row: u32,
    /// How many values it takes; not zero.
    pub values: u32,
}

/// The blocks that take all public values in order. Cells between blocks are zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement(pub Vec<Block>);

impl Placement {
    /// All `values` in one column, from its first row on.
    #[must_use]
    pub fn one_column(values: usize) -> Self {
        let values = u32::try_from(values).unwrap_or(u32::MAX);
        Self(vec![Block { first_column: 0, columns: 1, first_row: 0, values }])
    }

    /// The number of rows of every instance column up to its last value.
    #[must_use]
    pub fn column_lengths(&self) -> Vec<usize> {
        let mut lengths = Vec::new();
        self.0.iter().for_each(|block| block.extend(&mut lengths));
        lengths
    }

    /// Checks that `values` are placed once each, in cells of their own.
    pub(crate) fn check(&self, values: usize) -> Result<(), KeyError> {
        let Self(blocks) = self;
        let got = blocks.len();
        if got > MAX_BLOCKS {
            return Err(KeyError::Limit { list: "placement", limit: MAX_BLOCKS, got });
        }
        let (mut lengths, mut placed) = (Vec::new(), 0usize);
        for (index, block) in blocks.iter().enumerate() {
            block.check(index, &lengths)?;
            block.extend(&mut lengths);
            placed = placed.saturating_add(usize::try_from(block.values).unwrap_or(usize::MAX));
        }
        if placed != values {
            return Err(KeyError::Placement { expected: values, got: placed });
        }
        let cells = lengths.iter().fold(0usize, |sum, &length| sum.saturating_add(length));
        let limit = values.saturating_mul(2).saturating_add(SPARE_PADDING);
        if cells > limit {
            return Err(KeyError::Limit { list: "instance cells", limit, got: cells });
        }
        Ok(())
    }

    /// The instance columns that hold `values`.
    pub(crate) fn columns(&self, values: &[Fr]) -> Vec<Vec<Fr>> {
        let lengths = self.column_lengths().into_iter();
        let mut columns: Vec<Vec<Fr>> = lengths.map(|length| vec![Fr::zero(); length]).collect();
        let mut values = values.iter();
        for block in &self.0 {
            let cells = (0..block.values).map(|index| block.cell(index));
            for ((column, row), value) in cells.zip(values.by_ref()) {
                if let Some(cell) = columns.get_mut(column).and_then(|cells| cells.get_mut(row)) {
                    *cell = *value;
                }
            }
        }
        columns
    }
}

impl Block {
    fn first(self) -> usize {
        usize::from(self.first_column)
    }

    fn end(self) -> usize {
        self.first().saturating_add(usize::from(self.columns))
    }

    /// Column and row of its value `index`; the checks exclude blocks without columns.
    fn cell(self, index: u32) -> (usize, usize) {
        let columns = u32::from(self.columns).max(1);
        let (row, column) = (index.checked_div(columns), index.checked_rem(columns));
        let row = self.first_row.saturating_add(row.unwrap_or(0));
        let column = usize::try_from(column.unwrap_or(0)).unwrap_or(usize::MAX);
        let column = self.first().saturating_add(column);
        (column, usize::try_from(row).unwrap_or(usize::MAX))
    }

    fn check(self, index: usize, lengths: &[usize]) -> Result<(), KeyError> {
        if self.columns == 0 || self.values == 0 {
            return Err(KeyError::Block { index });
        }
        let got = self.end();
        if got > MAX_INSTANCE_COLUMNS {
            let (list, limit) = ("instance columns", MAX_INSTANCE_COLUMNS);
            return Err(KeyError::Limit { list, limit, got });
        }
        let first_row = usize::try_from(self.first_row).unwrap_or(usize::MAX);
        let used = lengths.iter().take(got).skip(self.first());
        let free = used.into_iter().all(|&length| length <= first_row);
        if free { Ok(()) } else { Err(KeyError::Block { index }) }
    }

    /// Lengthens the columns that it lies in.
    fn extend(self, lengths: &mut Vec<usize>) {
        if lengths.len() < self.end() {
            lengths.resize(self.end(), 0);
        }
        // The last value of every column is among the last values of the block.
        let last = self.values.saturating_sub(u32::from(self.columns));
        for (column, row) in (last..self.values).map(|index| self.cell(index)) {
            if let Some(length) = lengths.get_mut(column) {
                *length = row.saturating_add(1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(first_column: u16, columns: u16, first_row: u32, values: u32) -> Block {
        Block { first_column, columns, first_row, values }
    }

    #[test]
    fn values_are_dealt_row_by_row() {
        let placement = Placement(vec![block(0, 1, 0, 2), block(1, 3, 1, 5)]);
        assert_eq!(placement.check(7), Ok(()));
        assert_eq!(placement.column_lengths(), [2, 3, 3, 2]);
        let values: Vec<Fr> = (1..=7u64).map(Fr::from).collect();
        let columns = placement.columns(&values);
        let expected: [&[u64]; 4] = [&[1, 2], &[0, 3, 6], &[0, 4, 7], &[0, 5]];
        for (column, expected) in columns.iter().zip(expected) {
            assert_eq!(*column, expected.iter().map(|&x| Fr::from(x)).collect::<Vec<_>>());
        }
        assert_eq!(Placement::one_column(7).columns(&values), [values]);
    }

    #[test]
    fn a_placement_that_loses_or_covers_a_value_is_refused() {
        let refused = |blocks: &[Block]| Placement(blocks.to_vec()).check(4).unwrap_err();
        let count = |got| KeyError::Placement { expected: 4, got };
        assert_eq!(refused(&[]), count(0));
        assert_eq!(refused(&[block(0, 1, 0, 3)]), count(3));
        assert_eq!(refused(&[block(0, 1, 0, 3), block(0, 1, 3, 2)]), count(5));
        let covered = KeyError::Block { index: 1 };
        assert_eq!(refused(&[block(0, 1, 0, 3), block(0, 1, 2, 1)]), covered);
        assert_eq!(refused(&[block(1, 1, 0, 2), block(0, 3, 1, 2)]), covered);
        assert_eq!(refused(&[block(0, 0, 0, 4)]), KeyError::Block { index: 0 });
        assert_eq!(refused(&[block(0, 1, 0, 4), block(0, 1, 4, 0)]), covered);
    }

    /// A small key must not make the verifier allocate much.
    #[test]
    fn mostly_empty_columns_are_refused() {
        let error = Placement(vec![block(0, 4, 1 << 20, 4)]).check(4).unwrap_err();
        assert!(matches!(error, KeyError::Limit { list: "instance cells", .. }), "{error}");
        let error = Placement(vec![block(1023, 2, 0, 4)]).check(4).unwrap_err();
        assert!(matches!(error, KeyError::Limit { list: "instance columns", .. }), "{error}");
        let huge = Placement(vec![block(0, 1, u32::MAX, 4)]).check(4).unwrap_err();
        assert!(matches!(huge, KeyError::Limit { list: "instance cells", .. }), "{huge}");
    }
}
