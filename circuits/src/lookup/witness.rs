//! The lookup argument's witness: multiplicities, then helpers.

use std::sync::Arc;

use halo2_proofs::halo2curves::{
    bn256::Fr,
    ff::{BatchInvert, Field},
};
use rayon::prelude::*;
use zkinfer_engine::TableSums;

use super::{
    argument::{Fraction, LookupArgument, TableLane, helper_groups},
    entry::{Entry, KeyTerm, Lookup, TagPlace},
    table::Table,
};
use crate::{
    cells::{FixedCells, IntegerCells},
    challenges::Challenges,
    integers::{field, index},
};

/// `pole − (key + θ·tag + θ²·value)`.
fn denominator(challenges: &Challenges<Fr>, entry: Entry) -> Fr {
    let Entry { key, tag, value } = entry;
    let theta = challenges.theta;
    challenges.pole - field(key) - (field(tag) + field(value) * theta) * theta
}

/// The cells that lookups read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LookupCells<'a> {
    pub(crate) advice: &'a IntegerCells,
    pub(crate) fixed: &'a FixedCells,
}

impl LookupCells<'_> {
    fn entry(self, lookup: &Lookup, row: usize) -> Entry {
        let key = lookup.key.iter().map(|term| match *term {
            KeyTerm::Plus(column) => self.advice.get(column, row),
            KeyTerm::Minus(column) => -self.advice.get(column, row),
            KeyTerm::MinusFixed(column) => -self.fixed.get(column, row),
        });
        let tag = match lookup.tag.place() {
            TagPlace::Same(tag) => tag,
            TagPlace::Row(column) => self.fixed.get(column, row),
        };
        let value = lookup.value.map_or(0, |column| self.advice.get(column, row));
        Entry { key: key.sum(), tag, value }
    }
}

/// Where the table does not hold a lookup.
const NOWHERE: u32 = u32::MAX;

/// The entry of the table that each lookup of each row is.
#[derive(Debug)]
pub(crate) struct Positions(Vec<Arc<[u32]>>);

/// A lookup with its positions, or a lane of the table.
type Term<'a> = Fraction<(&'a Lookup, &'a Arc<[u32]>)>;

/// A helper column, for all rows but the last usable one.
pub(crate) struct Helper {
    pub(crate) values: Vec<Fr>,
    /// What the values are sums of, if the table holds all lookups.
    pub(crate) sums: Option<TableSums>,
}

impl Positions {
    /// Those of every row before `last`.
    pub(crate) fn new(
        lookups: &[Lookup],
        table: &Table,
        last: usize,
        cells: LookupCells<'_>,
    ) -> Self {
        let position =
            |lookup: &Lookup, row| table.position(cells.entry(lookup, row)).map_or(NOWHERE, index);
        let of_lookup = |lookup: &Lookup| (0..last).map(|row| position(lookup, row)).collect();
        Self(lookups.par_iter().map(of_lookup).collect())
    }

    /// Per lane of the table how often its entry of each row is looked up. Lookups that the table
    /// does not hold are left out: with them the running sum cannot end at zero.
    pub(crate) fn multiplicities(&self, table: &Table) -> Vec<Vec<i64>> {
        let mut counts = vec![0; table.entries.len()];
        let positions = self.0.iter().flat_map(|of_lookup| of_lookup.iter());
        for &position in positions.filter(|position| **position != NOWHERE) {
            counts[position as usize] += 1;
        }
        counts.chunks(table.height()).map(<[i64]>::to_vec).collect()
    }
}

/// The helper columns. Lookups of one entry have one fraction, so only the table's denominators
/// are inverted.
pub(crate) fn helpers(
    argument: &LookupArgument,
    table: &Table,
    (cells, last): (LookupCells<'_>, usize),
    positions: &Positions,
    challenges: &Challenges<Fr>,
) -> Vec<Helper> {
    let entries = table.entries.par_iter();
    let mut inverses: Vec<Fr> = entries.map(|&entry| denominator(challenges, entry)).collect();
    inverses.iter_mut().batch_invert();
    let of_lane = |(lane, inverses): (&TableLane, &[Fr])| -> Vec<Fr> {
        let count = |row| cells.advice.get(lane.multiplicity, row);
        let terms = inverses.iter().enumerate();
        terms.map(|(row, inverse)| -field(count(row)) * inverse).collect()
    };
    let lanes = argument.lanes.iter().zip(inverses.chunks(table.height()));
    let of_table: Vec<_> = lanes.map(of_lane).collect();
    let inverses = inverses.into();
    let fractions = Fractions { inverses, of_table, rows: last, cells, challenges };
    let groups = helper_groups(argument.lookups().iter().zip(&positions.0), argument.lanes.len());
    groups.par_iter().map(|group| fractions.helper(group)).collect()
}

/// What helpers are made of.
struct Fractions<'a> {
    /// `1/(pole − t)` for every entry of the table.
    inverses: Arc<[Fr]>,
    /// `−m/(pole − t)` for every entry, by lane.
    of_table: Vec<Vec<Fr>>,
    /// Rows of a helper.
    rows: usize,
    cells: LookupCells<'a>,
    challenges: &'a Challenges<Fr>,
}

impl Fractions<'_> {
    /// The sum of some fractions.
    fn helper(&self, group: &[Term<'_>]) -> Helper {
        let mut values = vec![Fr::ZERO; self.rows];
        let mut first = Vec::new();
        let mut all_positions = Vec::new();
        let mut is_held = true;
        for term in group {
            match *term {
                Fraction::Lookup((lookup, positions)) => {
                    for (row, (sum, &position)) in values.iter_mut().zip(&**positions).enumerate() {
                        is_held &= position != NOWHERE;
                        *sum += self.of_lookup(lookup, position, row);
                    }
                    all_positions.push(positions.clone());
                }
                Fraction::Table(lane) => {
                    let terms = &self.of_table[lane];
                    add(&mut values, terms);
                    first.resize(terms.len(), Fr::ZERO);
                    add(&mut first, terms);
                }
            }
        }
        let entries = self.inverses.clone();
        let sums = is_held.then_some(TableSums { entries, positions: all_positions, first });
        Helper { values, sums }
    }

    fn of_lookup(&self, lookup: &Lookup, position: u32, row: usize) -> Fr {
        if let Some(inverse) = self.inverses.get(position as usize) {
            return *inverse;
        }
        denominator(self.challenges, self.cells.entry(lookup, row)).invert().unwrap_or(Fr::ZERO)
    }
}

/// Adds `terms` to the first of `sums`.
fn add(sums: &mut [Fr], terms: &[Fr]) {
    for (sum, term) in sums.iter_mut().zip(terms) {
        *sum += term;
    }
}
