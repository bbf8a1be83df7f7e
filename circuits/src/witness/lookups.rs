//! The lookup argument's witness: multiplicities, then helpers.

use halo2_proofs::halo2curves::{
    bn256::Fr,
    ff::{BatchInvert, Field},
};
use rayon::prelude::*;

use super::{IntegerColumns, field};
use crate::{
    config::Config,
    gates::logup::{KeyTerm, Lookup, Tag, helper_groups, lookups},
    plan::CircuitPlan,
    table::Entry,
};

/// The challenges that combine a lookup into one field element.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LookupChallenges {
    pub(crate) theta: Fr,
    pub(crate) pole: Fr,
}

impl LookupChallenges {
    /// `pole − (key + θ·tag + θ²·value)`.
    fn denominator(self, entry: Entry) -> Fr {
        let Entry { key, tag, value } = entry;
        self.pole - field(key) - (field(tag) + field(value) * self.theta) * self.theta
    }
}

/// The columns that lookups read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cells<'a> {
    pub(crate) advice: &'a IntegerColumns,
    pub(crate) fixed: &'a IntegerColumns,
}

impl Cells<'_> {
    fn entry(self, lookup: &Lookup, row: usize) -> Entry {
        let key = lookup.key.iter().map(|term| match term {
            KeyTerm::Plus(column) => self.advice[column.index()][row],
            KeyTerm::Minus(column) => -self.advice[column.index()][row],
            KeyTerm::MinusFixed(column) => -self.fixed[column.index()][row],
        });
        let tag = match lookup.tag {
            Tag::Range(bits) => i64::from(bits),
            Tag::Row(column) => self.fixed[column.index()][row],
        };
        let value = lookup.value.map_or(0, |column| self.advice[column.index()][row]);
        Entry { key: key.sum(), tag, value }
    }
}

/// Where the table does not hold a lookup.
const NOWHERE: u32 = u32::MAX;

/// The row of the table that holds each lookup of each row.
#[derive(Debug)]
pub(crate) struct Positions(Vec<Vec<u32>>);

impl Positions {
    pub(crate) fn new(plan: &CircuitPlan, config: &Config, cells: Cells<'_>) -> Self {
        let last = plan.shape.usable_rows() - 1;
        let position = |lookup: &Lookup, row| {
            let position = plan.table.position(cells.entry(lookup, row));
            position.and_then(|at| u32::try_from(at).ok()).unwrap_or(NOWHERE)
        };
        let of_lookup = |lookup: &Lookup| (0..last).map(|row| position(lookup, row)).collect();
        Self(lookups(config).par_iter().map(of_lookup).collect())
    }

    /// How often each row of the table is looked up. Lookups that the table does not hold are left
    /// out: with them the running sum cannot end at zero.
    pub(crate) fn multiplicities(&self, rows: usize) -> Vec<i64> {
        let mut counts = vec![0; rows];
        for &position in self.0.iter().flatten().filter(|position| **position != NOWHERE) {
            counts[position as usize] += 1;
        }
        counts
    }
}

/// The helper columns. Lookups of one entry have one fraction, so only the table's denominators
/// are inverted.
pub(crate) fn helpers(
    plan: &CircuitPlan,
    config: &Config,
    cells: Cells<'_>,
    positions: &Positions,
    challenges: LookupChallenges,
) -> Vec<Vec<Fr>> {
    let (lookups, last) = (lookups(config), plan.shape.usable_rows() - 1);
    let counts = &cells.advice[config.table.multiplicity.index()];
    let entries = plan.table.entries.par_iter();
    let mut inverses: Vec<Fr> = entries.map(|&entry| challenges.denominator(entry)).collect();
    inverses.iter_mut().batch_invert();
    let of_table = |row: usize| match (inverses.get(row), counts[row]) {
        (Some(inverse), count) if count != 0 => -field(count) * inverse,
        _ => Fr::ZERO,
    };
    let of_lookup = |lookup: &Lookup, position: u32, row| {
        let stray = || challenges.denominator(cells.entry(lookup, row)).invert();
        let known = inverses.get(position as usize);
        known.map_or_else(|| stray().unwrap_or(Fr::ZERO), |inverse| *inverse)
    };
    let helper = |group: &Vec<Option<(&Lookup, &Vec<u32>)>>| {
        let mut column = vec![Fr::ZERO; last];
        for fraction in group {
            for (row, sum) in column.iter_mut().enumerate() {
                *sum += match fraction {
                    Some((lookup, positions)) => of_lookup(lookup, positions[row], row),
                    None => of_table(row),
                };
            }
        }
        column
    };
    let groups = helper_groups(lookups.iter().zip(&positions.0));
    groups.par_iter().map(helper).collect()
}
