//! Columns: small integers where they are small.

use std::{collections::BTreeMap, sync::Arc};

use halo2_proofs::{
    halo2curves::{
        bn256::Fr,
        ff::{BatchInvert, Field, PrimeField},
    },
    plonk::Assigned,
};

/// The values of a column, row by row: what is known about them makes commitments cheap.
///
/// `V` holds arbitrary elements: as halo2's curve library has them in what circuits hand over, as a
/// device wants them after that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Column<V = Vec<Fr>> {
    /// Every value is a small integer, but for the last rows.
    Integers {
        /// One per row; zero in the rows of `tail`.
        values: Vec<i32>,
        /// The last rows, if they hold arbitrary elements: blinding.
        tail: Vec<Fr>,
    },
    /// Arbitrary elements.
    Field(V),
    /// Sums of entries of a table, but for the last rows.
    Sums {
        /// One per row.
        values: V,
        /// What all but the last are sums of.
        sums: TableSums,
    },
}

/// What a column's rows are sums of: entries of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableSums {
    /// The table.
    pub entries: Arc<[Fr]>,
    /// For each summand, the entry of every row but the last ones, where the column has its own
    /// value; all are of the same length.
    pub positions: Vec<Arc<[u32]>>,
    /// What the first rows have besides.
    pub first: Vec<Fr>,
}

impl<V> Column<V> {
    /// Small integers in all rows.
    #[must_use]
    pub fn integers(values: Vec<i32>) -> Self {
        Self::Integers { values, tail: Vec::new() }
    }

    /// The same column with its arbitrary elements in another form.
    pub(crate) fn map<W>(self, form: impl FnOnce(V) -> W) -> Column<W> {
        match self {
            Self::Integers { values, tail } => Column::Integers { values, tail },
            Self::Field(values) => Column::Field(form(values)),
            Self::Sums { values, sums } => Column::Sums { values: form(values), sums },
        }
    }
}

impl Column {
    /// The number of rows.
    pub(crate) fn rows(&self) -> usize {
        match self {
            Self::Integers { values, .. } => values.len(),
            Self::Field(values) | Self::Sums { values, .. } => values.len(),
        }
    }

    /// A column that is one in `ones` and zero elsewhere.
    pub(crate) fn indicator(rows: usize, ones: std::ops::Range<usize>) -> Self {
        let mut values = vec![0; rows];
        values[ones].fill(1);
        Self::integers(values)
    }

    /// Puts `blinding` into the last rows.
    pub(crate) fn blind(&mut self, blinding: Vec<Fr>) {
        match self {
            Self::Integers { values, tail } => {
                let start = values.len() - blinding.len();
                values[start..].fill(0);
                *tail = blinding;
            }
            Self::Field(cells) | Self::Sums { values: cells, .. } => {
                let start = cells.len() - blinding.len();
                cells[start..].copy_from_slice(&blinding);
            }
        }
    }

    /// The value in a row.
    #[must_use]
    pub fn value(&self, row: usize) -> Fr {
        match self {
            Self::Integers { values, tail } => {
                let head = values.len() - tail.len();
                if row < head { integer(values[row]) } else { tail[row - head] }
            }
            Self::Field(values) | Self::Sums { values, .. } => values[row],
        }
    }

    /// The values as field elements.
    #[must_use]
    pub fn to_field(&self) -> Vec<Fr> {
        match self {
            Self::Field(cells) | Self::Sums { values: cells, .. } => cells.clone(),
            Self::Integers { values, tail } => {
                let head = values.len() - tail.len();
                values[..head]
                    .iter()
                    .map(|&value| integer(value))
                    .chain(tail.iter().copied())
                    .collect()
            }
        }
    }
}

/// The field element of an integer.
pub(crate) fn integer(value: i32) -> Fr {
    let magnitude = Fr::from(u64::from(value.unsigned_abs()));
    if value < 0 { -magnitude } else { magnitude }
}

/// The integer of least magnitude that an element stands for, if it fits.
fn small(value: &Fr) -> Option<i32> {
    if bool::from(value.is_zero()) {
        return Some(0);
    }
    let low = |value: &Fr| {
        let bytes = value.to_repr();
        let (words, _) = bytes.as_ref().as_chunks::<8>();
        let fits = words[1..].iter().all(|word| *word == [0; 8]);
        fits.then(|| u64::from_le_bytes(words[0])).and_then(|low| i32::try_from(low).ok())
    };
    low(value).or_else(|| low(&-value).map(|magnitude| -magnitude))
}

/// A column while a circuit assigns it.
#[derive(Clone, Debug)]
pub(crate) enum Cells {
    /// Nothing but small integers so far.
    Integers(Vec<i32>),
    /// Some other element was assigned.
    Field {
        /// Values, or numerators where there is a denominator.
        values: Vec<Fr>,
        /// Denominators by row.
        denominators: BTreeMap<usize, Fr>,
    },
}

impl Cells {
    /// Zeros.
    pub(crate) fn new(rows: usize) -> Self {
        Self::Integers(vec![0; rows])
    }

    /// Assigns a cell.
    pub(crate) fn set(&mut self, row: usize, value: Assigned<Fr>) {
        if let Self::Integers(values) = self {
            let integer = match &value {
                Assigned::Zero => Some(0),
                Assigned::Trivial(value) => small(value),
                Assigned::Rational(..) => None,
            };
            if let Some(integer) = integer {
                values[row] = integer;
                return;
            }
            let values = values.iter().map(|&value| integer_or_zero(value)).collect();
            *self = Self::Field { values, denominators: BTreeMap::new() };
        }
        if let Self::Field { values, denominators } = self {
            values[row] = value.numerator();
            match value.denominator() {
                Some(denominator) => drop(denominators.insert(row, denominator)),
                None => drop(denominators.remove(&row)),
            }
        }
    }

    /// The column; all fractions are inverted together. A denominator of zero gives zero, as in
    /// halo2.
    pub(crate) fn finish(self) -> Column {
        match self {
            Self::Integers(values) => Column::integers(values),
            Self::Field { mut values, denominators } => {
                let (rows, mut inverses): (Vec<_>, Vec<_>) = denominators.into_iter().unzip();
                inverses.iter_mut().batch_invert();
                rows.into_iter().zip(inverses).for_each(|(row, inverse)| values[row] *= inverse);
                Column::Field(values)
            }
        }
    }
}

/// Most cells of a column that is not small are zero before they are assigned.
fn integer_or_zero(value: i32) -> Fr {
    if value == 0 { Fr::ZERO } else { integer(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(values: &[Fr]) -> Column {
        let mut cells = Cells::new(values.len());
        for (row, &value) in values.iter().enumerate() {
            cells.set(row, Assigned::Trivial(value));
        }
        cells.finish()
    }

    #[test]
    fn small_values_become_integers_with_their_sign() {
        let values = [0, 1, -1, i32::MAX, -i32::MAX, 77];
        let cells: Vec<Fr> = values.into_iter().map(integer).collect();
        let column = column(&cells);
        assert_eq!(column, Column::integers(values.to_vec()));
        assert_eq!(column.to_field(), cells);
    }

    #[test]
    fn one_large_value_makes_a_field_column() {
        let large = Fr::from(1 << 31);
        for cell in [large, -large - Fr::ONE, Fr::from(2).invert().unwrap()] {
            let cells = vec![Fr::ONE, cell];
            assert_eq!(column(&cells), Column::Field(cells));
        }
    }

    #[test]
    fn fractions_are_inverted_and_zero_denominators_give_zero() {
        let half = Assigned::Rational(Fr::ONE, Fr::from(2));
        let none = Assigned::Rational(Fr::ONE, Fr::ZERO);
        let cells = [Assigned::Zero, half, Assigned::Trivial(Fr::from(5)), none];
        let mut column = Cells::new(4);
        for (row, cell) in cells.into_iter().enumerate() {
            column.set(row, cell);
        }
        let half = Fr::from(2).invert().unwrap();
        let expected = vec![Fr::ZERO, half, Fr::from(5), Fr::ZERO];
        assert_eq!(column.finish(), Column::Field(expected));
    }

    #[test]
    fn a_cell_assigned_again_forgets_its_denominator() {
        let mut column = Cells::new(1);
        column.set(0, Assigned::Rational(Fr::ONE, Fr::from(2)));
        column.set(0, Assigned::Trivial(Fr::from(5)));
        assert_eq!(column.finish(), Column::Field(vec![Fr::from(5)]));
    }
}
