//! One lookup, and one line of the table.

use std::collections::BTreeSet;

use halo2_proofs::plonk::{Advice, Column, Fixed};

/// The tag of the one range whose size is no power of two; tags below it are ranges of that many
/// bits.
pub(crate) const EXACT_TAG: i64 = 63;
/// Tags from this on are tables with values.
pub(crate) const FIRST_TABLE_TAG: i64 = 64;

// Units with fractions of their own add them to the same total, so their tags stand here, too: with
// the tag of a sub-table its entries would answer for rows that the unit does not have.
/// The tag of ranks that a forest compares.
pub(crate) const RANK_TAG: i64 = -1;
/// The tag of the first table of embedded rows; the next ones have the integers below it.
pub(crate) const EMBEDDING_TAG: i64 = -2;

const _: () = assert!(EMBEDDING_TAG < RANK_TAG && RANK_TAG < 0);
const _: () = assert!(0 < EXACT_TAG && EXACT_TAG < FIRST_TABLE_TAG);

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
    /// Where its number stands.
    pub(crate) fn place(self) -> TagPlace {
        match self {
            Self::Range(bits) => TagPlace::Same(bits.into()),
            Self::Below(_) => TagPlace::Same(EXACT_TAG),
            Self::Row(column) => TagPlace::Row(column),
        }
    }
}

/// Where the number of a tag stands.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TagPlace {
    /// It is the same in every row.
    Same(i64),
    /// Each row has one.
    Row(Column<Fixed>),
}

impl TagPlace {
    /// The number, if it is the same in every row; above all of those if it is not.
    pub(crate) fn number(self) -> i64 {
        match self {
            Self::Same(tag) => tag,
            Self::Row(_) => i64::MAX,
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
