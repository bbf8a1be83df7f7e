//! The lookup argument: logUp with all lookups into one table.
//!
//! With `f = key + θ·tag + θ²·value` for every lookup of every row and `t` likewise for every
//! entry of the table, `Σ 1/(pole − f) = Σ m/(pole − t)` where `m`, committed before θ and the pole,
//! counts how often an entry is used ([eprint 2022/1530], lemma 5). There are fewer than 2^32
//! lookups, far fewer than the field's characteristic, so the counts cannot wrap. A table of more
//! entries than there are rows has several lanes: so many entries to a row. A helper column holds
//! the sum of up to three fractions, checked by multiplying out.
//!
//! Tags keep sub-tables apart: tag `w` is the range `[0, 2^w)`, tag 63 a range of another size, tags
//! from 64 on are activation and exponential tables, whose value is looked up with the key. Every row from
//! the first to the last but one takes part; cells without a purpose are 0 and look up 0 in a
//! range, rows beyond the running sum's end do not count.
//!
//! [eprint 2022/1530]: https://eprint.iacr.org/2022/1530

use halo2_proofs::{
    halo2curves::bn256::Fr,
    plonk::{Advice, Column, Expression, Fixed},
};

use super::{
    entry::{KeyTerm, Lookup, TagPlace},
    table::Table,
};
use crate::{
    algebra::{Gates, MAX_DEGREE, Row, integer, sum},
    cells::FixedCells,
    challenges::Challenges,
    frame::{Frame, Order},
};

/// Fractions to a helper column: `q_on · helper · Π denominators` has the largest degree.
pub(crate) const FRACTIONS_PER_HELPER: usize = MAX_DEGREE - 2;

/// Number of helper columns of so many lookups and lanes of the table.
pub(crate) fn helper_count(lookups: usize, lanes: usize) -> usize {
    (lookups + lanes).div_ceil(FRACTIONS_PER_HELPER)
}

/// One entry of the table to a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TableLane {
    pub(crate) value: Option<Column<Fixed>>,
    pub(crate) multiplicity: Column<Advice>,
}

/// The columns of the argument: the table, and helpers that hold the fractions.
#[derive(Clone, Debug)]
pub(crate) struct LookupArgument {
    lookups: Vec<Lookup>,
    /// The key in the first lane.
    key: Column<Fixed>,
    /// The tag in all lanes.
    tag: Column<Fixed>,
    /// How much larger the key is in the next lane, if there is one.
    step: Option<Column<Fixed>>,
    pub(crate) lanes: Vec<TableLane>,
    pub(crate) helpers: Vec<Column<Advice>>,
}

/// A term of the sum that must vanish.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fraction<L> {
    /// `1/(pole − f)`
    Lookup(L),
    /// `−m/(pole − t)` of a lane of the table.
    Table(usize),
}

/// The fractions of each helper column: lookups, then the table's lanes.
pub(crate) fn helper_groups<L: Clone>(
    lookups: impl IntoIterator<Item = L>,
    lanes: usize,
) -> Vec<Vec<Fraction<L>>> {
    let lookups = lookups.into_iter().map(Fraction::Lookup);
    let fractions: Vec<_> = lookups.chain((0..lanes).map(Fraction::Table)).collect();
    fractions.chunks(FRACTIONS_PER_HELPER).map(<[_]>::to_vec).collect()
}

impl LookupArgument {
    /// The argument about all lookups that were asked for so far; its helpers are the first columns
    /// of the second phase.
    pub(crate) fn allocate(table_lanes: usize, frame: &mut Frame) -> Self {
        let mut lookups = frame.lookups().to_vec();
        // Those that share a sub-table share helpers: so a helper has few different summands.
        lookups.sort_by_key(|lookup| lookup.tag.place().number());
        let has_values = lookups.iter().any(|lookup| lookup.value.is_some());
        frame.order(Order::Third);
        let [key, tag] = [(); 2].map(|()| frame.fixed());
        let step = (table_lanes > 1).then(|| frame.fixed());
        let lane = |_| TableLane {
            value: has_values.then(|| frame.fixed()),
            multiplicity: frame.advice("table multiplicity"),
        };
        let lanes = (0..table_lanes).map(lane).collect();
        frame.order(Order::First);
        let helpers = (0..helper_count(lookups.len(), table_lanes))
            .map(|_| frame.later("lookup fractions"))
            .collect();
        Self { lookups, key, tag, step, lanes, helpers }
    }

    /// Every lookup, in every row.
    pub(crate) fn lookups(&self) -> &[Lookup] {
        &self.lookups
    }

    pub(crate) fn gates(&self, gates: &mut Gates<'_>) {
        let groups = helper_groups(&self.lookups, self.lanes.len());
        let groups = groups.iter().zip(self.helpers.iter().copied());
        gates.fractions("lookup fractions", groups, |row, fraction| self.ratio(row, fraction));
    }

    /// The fractions of a row.
    pub(crate) fn fractions(&self, row: &mut Row<'_, '_>) -> Expression<Fr> {
        sum(self.helpers.iter().map(|&helper| row.cur(helper)))
    }

    /// Numerator and denominator of a fraction.
    fn ratio(
        &self,
        row: &mut Row<'_, '_>,
        fraction: Fraction<&Lookup>,
    ) -> (Expression<Fr>, Expression<Fr>) {
        let Challenges { theta, pole, .. } = row.challenges();
        let (numerator, key, tag, value) = match fraction {
            Fraction::Lookup(lookup) => {
                let key = sum(lookup.key.iter().map(|&term| match term {
                    KeyTerm::Plus(column) => row.cur(column),
                    KeyTerm::Minus(column) => -row.cur(column),
                    KeyTerm::MinusFixed(column) => -row.fixed(column),
                }));
                let tag = match lookup.tag.place() {
                    TagPlace::Same(tag) => integer(tag),
                    TagPlace::Row(column) => row.fixed(column),
                };
                (integer(1), key, tag, lookup.value.map(|column| row.cur(column)))
            }
            Fraction::Table(index) => {
                let lane = &self.lanes[index];
                let numerator = -row.cur(lane.multiplicity);
                let steps = Fr::from(index as u64);
                let offset = self.step.map(|column| row.fixed(column) * steps);
                let key = sum([row.fixed(self.key)].into_iter().chain(offset));
                let value = lane.value.map(|column| row.fixed(column));
                (numerator, key, row.fixed(self.tag), value)
            }
        };
        let tagged = match value {
            Some(value) => (tag + value * theta.clone()) * theta,
            None => tag * theta,
        };
        (numerator, pole - key - tagged)
    }

    /// The table itself.
    pub(crate) fn fixed(&self, table: &Table, cells: &mut FixedCells) {
        for (row, (first, &step)) in table.entries.iter().zip(&table.steps).enumerate() {
            cells.set(self.key, row, first.key);
            cells.set(self.tag, row, first.tag);
            if let Some(column) = self.step {
                cells.set(column, row, step);
            }
        }
        for (lane, entries) in self.lanes.iter().zip(table.lanes()) {
            let Some(column) = lane.value else { continue };
            for (row, entry) in entries.iter().enumerate() {
                cells.set(column, row, entry.value);
            }
        }
    }
}
