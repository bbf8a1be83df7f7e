//! One lookup, and one line of the table.

use std::collections::BTreeSet;

use halo2_proofs::plonk::{Advice, Column, Fixed};

/// The tag of the one range whose size is no power of two; tags below it are ranges of that many
/// bits.
pub(crate) const EXACT_TAG: i64 = 63;
/// Tags from this on are tables with values.
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
    /// The same in every row: the range that has so many integers.
    Below(u32),
    /// Given by the row.
    Row(Column<Fixed>),
}

impl Tag {
    /// The tag in every row, if it is the same there.
    pub(crate) fn constant(self) -> Option<i64> {
        match self {
            Self::Range(bits) => Some(bits.into()),
            Self::Below(_) => Some(EXACT_TAG),
            Self::Row(_) => None,
        }
    }
}

/// The ranges that the lookups of a circuit use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ranges {
    /// Bits of each whose size is a power of two.
    pub(crate) bits: BTreeSet<u32>,
    /// Integers of the one that has another size.
    pub(crate) exact: Option<u32>,
}

impl Ranges {
    /// Tag and size of each.
    pub(crate) fn sizes(&self) -> impl Iterator<Item = (i64, usize)> + '_ {
        let of_bits = self.bits.iter().map(|&bits| (i64::from(bits), 1 << bits));
        of_bits.chain(self.exact.map(|size| (EXACT_TAG, size as usize)))
    }
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
