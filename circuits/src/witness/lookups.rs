//! The lookup argument's witness: multiplicities, then helpers.

use std::sync::Arc;

use halo2_proofs::halo2curves::{
    bn256::Fr,
    ff::{BatchInvert, Field},
};
use rayon::prelude::*;
use zkinfer_engine::TableSums;

use super::{IntegerColumns, field};
use crate::{
    config::{Config, TableLane},
    gates::logup::{Fraction, KeyTerm, Lookup, Tag, helper_groups, lookups},
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
    pub(crate) fn new(plan: &CircuitPlan, config: &Config, cells: Cells<'_>) -> Self {
        let last = plan.shape.usable_rows() - 1;
        let position = |lookup: &Lookup, row| {
            let position = plan.table.position(cells.entry(lookup, row));
            position.and_then(|at| u32::try_from(at).ok()).unwrap_or(NOWHERE)
        };
        let of_lookup = |lookup: &Lookup| (0..last).map(|row| position(lookup, row)).collect();
        Self(lookups(config).par_iter().map(of_lookup).collect())
    }

    /// Per lane of the table how often its entry of each row is looked up. Lookups that the table
    /// does not hold are left out: with them the running sum cannot end at zero.
    pub(crate) fn multiplicities(&self, plan: &CircuitPlan) -> Vec<Vec<i64>> {
        let mut counts = vec![0; plan.table.entries.len()];
        let positions = self.0.iter().flat_map(|of_lookup| of_lookup.iter());
        for &position in positions.filter(|position| **position != NOWHERE) {
            counts[position as usize] += 1;
        }
        let column = |lane: &[i64]| {
            let mut rows = lane.to_vec();
            rows.resize(1 << plan.shape.k, 0);
            rows
        };
        counts.chunks(plan.table.height()).map(column).collect()
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
) -> Vec<Helper> {
    let lookups = lookups(config);
    let entries = plan.table.entries.par_iter();
    let mut inverses: Vec<Fr> = entries.map(|&entry| challenges.denominator(entry)).collect();
    inverses.iter_mut().batch_invert();
    let of_lane = |(lane, inverses): (&TableLane, &[Fr])| -> Vec<Fr> {
        let counts = &cells.advice[lane.multiplicity.index()];
        inverses.iter().zip(counts).map(|(inverse, &count)| -field(count) * inverse).collect()
    };
    let lanes = config.table.lanes.iter().zip(inverses.chunks(plan.table.height()));
    let of_table: Vec<_> = lanes.map(of_lane).collect();
    let fractions = Fractions {
        inverses: inverses.into(),
        of_table,
        rows: plan.shape.usable_rows() - 1,
        cells,
        challenges,
    };
    let groups = helper_groups(lookups.iter().zip(&positions.0), config.table.lanes.len());
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
    cells: Cells<'a>,
    challenges: LookupChallenges,
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
        let denominator = self.challenges.denominator(self.cells.entry(lookup, row));
        denominator.invert().unwrap_or(Fr::ZERO)
    }
}

/// Adds `terms` to the first of `sums`.
fn add(sums: &mut [Fr], terms: &[Fr]) {
    for (sum, term) in sums.iter_mut().zip(terms) {
        *sum += term;
    }
}
