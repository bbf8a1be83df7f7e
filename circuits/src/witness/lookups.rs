//! The lookup argument's witness: multiplicities, then helpers and their running sum.

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

fn entry(lookup: &Lookup, advice: &IntegerColumns, fixed: &IntegerColumns, row: usize) -> Entry {
    let key = lookup.key.iter().map(|term| match term {
        KeyTerm::Plus(column) => advice[column.index()][row],
        KeyTerm::Minus(column) => -advice[column.index()][row],
        KeyTerm::MinusFixed(column) => -fixed[column.index()][row],
    });
    let tag = match lookup.tag {
        Tag::Range(bits) => i64::from(bits),
        Tag::Row(column) => fixed[column.index()][row],
    };
    Entry { key: key.sum(), tag, value: lookup.value.map_or(0, |c| advice[c.index()][row]) }
}

/// How often each row of the table is looked up. Lookups that the table does not hold are left
/// out: with them the running sum cannot end at zero.
pub(crate) fn multiplicities(
    plan: &CircuitPlan,
    config: &Config,
    advice: &IntegerColumns,
    fixed: &IntegerColumns,
) -> Vec<i64> {
    let mut counts = vec![0; 1 << plan.shape.k];
    for lookup in lookups(config) {
        for row in 0..plan.shape.usable_rows() - 1 {
            if let Some(at) = plan.table.position(entry(&lookup, advice, fixed, row)) {
                counts[at] += 1;
            }
        }
    }
    counts
}

/// `pole − (key + θ·tag + θ²·value)` for one lookup after another. Tags and values repeat, so what
/// they contribute is kept from row to row.
struct Denominators {
    challenges: LookupChallenges,
    known: (i64, i64),
    /// `pole − (θ·tag + θ²·value)` of the known tag and value.
    rest: Fr,
}

impl Denominators {
    fn new(challenges: LookupChallenges) -> Self {
        Self { challenges, known: (0, 0), rest: challenges.pole }
    }

    fn next(&mut self, entry: Entry) -> Fr {
        if self.known != (entry.tag, entry.value) {
            let LookupChallenges { theta, pole } = self.challenges;
            self.known = (entry.tag, entry.value);
            self.rest = pole - (field(entry.tag) + field(entry.value) * theta) * theta;
        }
        self.rest - field(entry.key)
    }
}

/// The helper columns and their running sum.
pub(crate) fn helpers(
    plan: &CircuitPlan,
    config: &Config,
    advice: &IntegerColumns,
    fixed: &IntegerColumns,
    challenges: LookupChallenges,
) -> (Vec<Vec<Fr>>, Vec<Fr>) {
    let (lookups, last) = (lookups(config), plan.shape.usable_rows() - 1);
    let counts = &advice[config.table.multiplicity.index()];
    let helpers: Vec<Vec<Fr>> = helper_groups(&lookups)
        .par_iter()
        .map(|group| {
            let mut column = vec![Fr::ZERO; last];
            for lookup in group {
                let mut denominators = Denominators::new(challenges);
                let entry = |row| fraction_entry(*lookup, config, advice, fixed, row);
                let mut inverses: Vec<_> =
                    (0..last).map(|row| denominators.next(entry(row))).collect();
                inverses.iter_mut().batch_invert();
                for (row, (sum, inverse)) in column.iter_mut().zip(inverses).enumerate() {
                    *sum += match lookup {
                        Some(_) => inverse,
                        None => -field(counts[row]) * inverse,
                    };
                }
            }
            column
        })
        .collect();
    let mut sum = vec![Fr::ZERO; last + 1];
    for row in 0..last {
        sum[row + 1] = helpers.iter().fold(sum[row], |sum, helper| sum + helper[row]);
    }
    (helpers, sum)
}

/// A lookup's entry in a row, or the table's own (`None`).
fn fraction_entry(
    lookup: Option<&Lookup>,
    config: &Config,
    advice: &IntegerColumns,
    fixed: &IntegerColumns,
    row: usize,
) -> Entry {
    match lookup {
        Some(lookup) => entry(lookup, advice, fixed, row),
        None => Entry {
            key: fixed[config.table.key.index()][row],
            tag: fixed[config.table.tag.index()][row],
            value: config.table.value.map_or(0, |column| fixed[column.index()][row]),
        },
    }
}
