//! Lookups: the table, the argument that all lookups are in it, and its witness.

mod argument;
pub(crate) mod entry;
mod table;
mod witness;

pub(crate) use argument::{
    FRACTIONS_PER_HELPER, Fraction, LookupArgument, helper_count, helper_groups,
};
pub(crate) use table::{Table, ValueTables, keys, rows_of};
pub(crate) use witness::{Helper, LookupCells, Positions, helpers};
