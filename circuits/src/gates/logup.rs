//! The lookup argument: logUp with all lookups into one table.
//!
//! With `f = key + θ·tag + θ²·value` for every lookup of every row and `t` likewise for every
//! entry of the table, `Σ 1/(pole − f) = Σ m/(pole − t)` where `m`, committed before θ and the pole,
//! counts how often an entry is used ([eprint 2022/1530], lemma 5). There are fewer than 2^32
//! lookups, far fewer than the field's characteristic, so the counts cannot wrap. A table of more
//! entries than there are rows has several lanes: so many entries to a row. A helper column holds
//! the sum of up to three fractions, checked by multiplying out.
//!
//! Tags keep sub-tables apart: tag `w` is the range `[0, 2^w)`, tags from [`FIRST_TABLE_TAG`] on
//! are activation and exponential tables, whose value is looked up with the key. Every row from
//! the first to the last but one takes part; cells without a purpose are 0 and look up 0 in a
//! range, rows beyond the running sum's end do not count.
//!
//! [eprint 2022/1530]: https://eprint.iacr.org/2022/1530

use halo2_proofs::{
    halo2curves::bn256::Fr,
    plonk::{Advice, Column, ConstraintSystem, Expression, Fixed, VirtualCells},
};

use super::{MAX_DEGREE, cur, fixed, integer, sum};
use crate::{
    config::{Config, PoolLane, SlotColumns},
    plan::windows::POSITIONS,
    shape::{POOL_WIDTH, Shape},
};

/// Tags below this are ranges of that many bits.
pub(crate) const FIRST_TABLE_TAG: i64 = 64;

/// Fractions to a helper column: `q_on · helper · Π denominators` has the largest degree.
const FRACTIONS_PER_HELPER: usize = MAX_DEGREE - 2;

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

impl Lookup {
    fn range(column: Column<Advice>, bits: u32) -> Self {
        Self { key: vec![KeyTerm::Plus(column)], tag: Tag::Range(bits), value: None }
    }
}

/// Every lookup of a circuit.
pub(crate) fn lookups(config: &Config) -> Vec<Lookup> {
    let slots = config.slots.lanes.iter().flat_map(|lane| slot_lookups(config, lane));
    let units = pool_lookups(config).into_iter().chain(softmax_lookups(config));
    slots.chain(units).chain(commitment_lookups(config)).collect()
}

fn slot_lookups(config: &Config, lane: &SlotColumns) -> Vec<Lookup> {
    let shape = &config.shape;
    let mut lookups = Vec::new();
    match (lane.value.split_first(), config.slots.tag, lane.activation) {
        (None, ..) => lookups.push(Lookup {
            key: vec![KeyTerm::Plus(lane.output), KeyTerm::MinusFixed(config.slots.low)],
            tag: Tag::Range(shape.clamp_bits),
            value: None,
        }),
        (Some((&lowest, higher)), tag, value) => {
            let first = shape.value_limbs.first().copied().unwrap_or_default();
            let tag = tag.map_or(Tag::Range(first), Tag::Row);
            lookups.push(Lookup { key: vec![KeyTerm::Plus(lowest)], tag, value });
            let widths = shape.value_limbs.iter().skip(1);
            lookups.extend(higher.iter().zip(widths).map(|(&c, &w)| Lookup::range(c, w)));
        }
    }
    let remainder = lane.remainder.iter().zip(&shape.remainder_limbs);
    let overflow = lane.overflow.iter().zip(&shape.overflow_limbs);
    let widths = || shape.window_limbs.iter().flatten();
    let shortfalls = lane.shortfalls.iter().flat_map(|s| s.limbs.iter().zip(widths()));
    let limbs = remainder.chain(overflow).chain(shortfalls);
    lookups.extend(limbs.map(|(&c, &w)| Lookup::range(c, w)));
    lookups
}

fn pool_lookups(config: &Config) -> Vec<Lookup> {
    let widths = config.shape.pool_limbs.as_deref().unwrap_or_default();
    let of_input = |lane: &PoolLane, index: usize| match widths {
        [bits] => vec![Lookup {
            key: vec![KeyTerm::Plus(lane.maximum), KeyTerm::Minus(lane.inputs[index])],
            tag: Tag::Range(*bits),
            value: None,
        }],
        _ => {
            let limbs = lane.differences[index].iter().zip(widths);
            limbs.map(|(&column, &bits)| Lookup::range(column, bits)).collect()
        }
    };
    let inputs = config.pool.iter().flat_map(|lane| (0..POOL_WIDTH).map(move |i| (lane, i)));
    inputs.flat_map(|(lane, index)| of_input(lane, index)).collect()
}

fn softmax_lookups(config: &Config) -> Vec<Lookup> {
    let (Some(unit), Some(shape)) = (&config.softmax, &config.shape.softmax) else {
        return Vec::new();
    };
    let exponential = Lookup {
        key: vec![KeyTerm::Plus(unit.maximum), KeyTerm::Minus(unit.input)],
        tag: Tag::Row(unit.tag),
        value: Some(unit.exponential),
    };
    let output = unit.output_limbs.iter().zip(&shape.output_limbs);
    let remainder = unit.remainder_limbs.iter().zip(&shape.remainder_limbs);
    let slack = unit.slack_limbs.iter().zip(&shape.remainder_limbs);
    let limbs = output.chain(remainder).chain(slack).map(|(&c, &w)| Lookup::range(c, w));
    std::iter::once(exponential).chain(limbs).collect()
}

/// Committed inputs are in the range of their tensor; the verifier cannot look.
fn commitment_lookups(config: &Config) -> Vec<Lookup> {
    let Some(input) = config.commitment.as_ref().and_then(|unit| unit.input.as_ref()) else {
        return Vec::new();
    };
    let lookup = |key, &tag| Lookup { key, tag: Tag::Row(tag), value: None };
    if input.limbs.is_empty() {
        let digit = vec![KeyTerm::Plus(input.packed.value), KeyTerm::MinusFixed(input.packed.low)];
        return input.tags.iter().map(|tag| lookup(digit.clone(), tag)).collect();
    }
    let limbs = input.limbs.iter().map(|&limb| vec![KeyTerm::Plus(limb)]);
    limbs.zip(&input.tags).map(|(key, tag)| lookup(key, tag)).collect()
}

/// Number of lookups in a row.
pub(crate) fn lookup_count(shape: &Shape) -> usize {
    let values = if shape.has_output_column() { shape.value_limbs.len() } else { 1 };
    let windows = shape.window_limbs.as_ref().map_or(0, |limbs| (POSITIONS - 1) * limbs.len());
    let lane = values + shape.remainder_limbs.len() + shape.overflow_limbs.len() + windows;
    let limbs = shape.pool_limbs.as_ref().map_or(0, Vec::len);
    let pool = shape.pool_lanes * POOL_WIDTH * limbs;
    let softmax = shape
        .softmax
        .as_ref()
        .map_or(0, |s| 1 + s.output_limbs.len() + 2 * s.remainder_limbs.len());
    let committed = shape.commitment.as_ref().and_then(|shape| shape.input.as_ref());
    let committed = committed.map_or(0, |input| input.limbs.len());
    shape.slot_lanes * lane + pool + softmax + committed
}

/// Number of helper columns.
pub(crate) fn helper_count(shape: &Shape) -> usize {
    (lookup_count(shape) + shape.table_lanes).div_ceil(FRACTIONS_PER_HELPER)
}

/// Whether some lookups have a value beside their key.
pub(crate) fn has_values(shape: &Shape) -> bool {
    shape.table_bits.is_some() || shape.softmax.is_some()
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

pub(super) fn configure(meta: &mut ConstraintSystem<Fr>, config: &Config) {
    let lookups = lookups(config);
    let groups = helper_groups(&lookups, config.table.lanes.len());
    for (group, &helper) in groups.iter().zip(&config.table.helpers) {
        meta.create_gate("lookup fractions", |meta| {
            let fractions: Vec<_> = group.iter().map(|f| ratio(meta, config, *f)).collect();
            let product = |skip: Option<usize>| {
                let kept = fractions.iter().enumerate().filter(|(i, _)| Some(*i) != skip);
                kept.map(|(_, (_, den))| den.clone()).reduce(|a, b| a * b)
            };
            let numerators = fractions.iter().enumerate().map(|(i, (num, _))| {
                product(Some(i)).map_or_else(|| num.clone(), |others| num.clone() * others)
            });
            let right = sum(numerators);
            let left = product(None).unwrap_or_else(|| integer(1)) * cur(meta, helper);
            let on = fixed(meta, config.q_on);
            [("helper = Σ fractions", on * (left - right))]
        });
    }
}

/// The fractions of a row.
pub(super) fn fractions(meta: &mut VirtualCells<'_, Fr>, config: &Config) -> Expression<Fr> {
    sum(config.table.helpers.iter().map(|&helper| cur(meta, helper)))
}

/// Numerator and denominator of a fraction.
fn ratio(
    meta: &mut VirtualCells<'_, Fr>,
    config: &Config,
    fraction: Fraction<&Lookup>,
) -> (Expression<Fr>, Expression<Fr>) {
    let theta = meta.query_challenge(config.challenges.theta);
    let pole = meta.query_challenge(config.challenges.pole);
    let (numerator, key, tag, value) = match fraction {
        Fraction::Lookup(lookup) => {
            let key = sum(lookup.key.iter().map(|&term| match term {
                KeyTerm::Plus(column) => cur(meta, column),
                KeyTerm::Minus(column) => -cur(meta, column),
                KeyTerm::MinusFixed(column) => -fixed(meta, column),
            }));
            let tag = match lookup.tag {
                Tag::Range(bits) => integer(bits.into()),
                Tag::Row(column) => fixed(meta, column),
            };
            (integer(1), key, tag, lookup.value.map(|column| cur(meta, column)))
        }
        Fraction::Table(index) => {
            let (table, lane) = (&config.table, &config.table.lanes[index]);
            let numerator = -cur(meta, lane.multiplicity);
            let steps = Fr::from(index as u64);
            let offset = table.step.map(|column| fixed(meta, column) * steps);
            let key = sum([fixed(meta, table.key)].into_iter().chain(offset));
            let value = lane.value.map(|column| fixed(meta, column));
            (numerator, key, fixed(meta, table.tag), value)
        }
    };
    let tagged = match value {
        Some(value) => (tag + value * theta.clone()) * theta,
        None => tag * theta,
    };
    (numerator, pole - key - tagged)
}
