//! One lookup, and one line of the table.

use halo2_proofs::plonk::{Advice, Column, Fixed};

/// Tags below this are ranges of that many bits.
pub(crate) const FIRST_TABLE_TAG: i64 = 64;

/// A line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: i64,
    pub(crate) tag: i64,
    pub(crate) value: i64,
}

/// Which sub-table a lookup goes to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tag {
    /// The same in every row: the range of that many bits.
    Range(u32),
    /// Given by the row.
    Row(Column<Fixed>),
}

/// A term of a lookup's key: a coefficient times a column of the same row.
#[derive(Clone, Copy, Debug)]
pub(crate) enum KeyTerm {
    Plus(Column<Advice>),
    Minus(Column<Advice>),
    MinusFixed(Column<Fixed>),
}

/// One lookup, in every row: the sum of `key` is in sub-table `tag`, with `value`.
#[derive(Clone, Debug)]
pub(crate) struct Lookup {
    pub(crate) key: Vec<KeyTerm>,
    pub(crate) tag: Tag,
    pub(crate) value: Option<Column<Advice>>,
}
