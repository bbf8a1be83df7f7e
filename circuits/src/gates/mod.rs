//! The gates, one file per unit. Each says its relation, its bound and why it is sound.

pub(crate) mod commitment;
pub(crate) mod linear;
pub(crate) mod logup;
pub(crate) mod pool;
pub(crate) mod slots;
pub(crate) mod softmax;

use halo2_proofs::{
    halo2curves::bn256::Fr,
    plonk::{Advice, Column, ConstraintSystem, Expression, Fixed, VirtualCells},
    poly::Rotation,
};

use crate::{
    chain::StepSet,
    config::{ChainColumns, Config},
    plan::windows::{POSITION_WEIGHTS, POSITIONS},
};

/// The largest degree of any gate: four cosets for the quotient.
pub(crate) const MAX_DEGREE: usize = 5;

pub(crate) fn configure(meta: &mut ConstraintSystem<Fr>, config: &Config) {
    slots::configure(meta, config);
    linear::configure(meta, config);
    pool::configure(meta, config);
    softmax::configure(meta, config);
    commitment::configure(meta, config);
    chains_start_at_zero(meta, config);
    logup::configure(meta, config);
    total(meta, config);
}

/// A chain's first cell is 0. Were it free, it would weigh whatever the first row's cells hold
/// in the linear sum, and make up for any error elsewhere.
fn chains_start_at_zero(meta: &mut ConstraintSystem<Fr>, config: &Config) {
    meta.create_gate("chain start", |meta| {
        [config.slots.chain.weight, config.linear.chain.weight]
            .map(|column| ("starts at zero", fixed(meta, config.q_first) * cur(meta, column)))
    });
}

/// Lookups and linear layers in one running sum, `S + Σ_layers d·E_layer = 0`.
///
/// Neither the sum of fractions `S` nor the errors `E` depend on the layers' challenges `d`, which
/// are drawn when everything that determines `S` and `E` is committed, except for columns that
/// their gates leave no freedom. So unless `S` and every `E` are zero, the total is a polynomial of
/// degree one in the `d`s that is not zero, and ends at zero with probability 1/p.
fn total(meta: &mut ConstraintSystem<Fr>, config: &Config) {
    meta.create_gate("total", |meta| {
        let (current, following) = (cur(meta, config.total), next(meta, config.total));
        let terms = logup::fractions(meta, config) + linear::difference(meta, config);
        let running = fixed(meta, config.q_on) * (following - current.clone() - terms);
        [
            ("total' = total + fractions + outputs − inputs", running),
            ("starts at zero", fixed(meta, config.q_first) * current.clone()),
            ("ends at zero", fixed(meta, config.q_last) * current),
        ]
    });
}

pub(crate) fn integer(value: i64) -> Expression<Fr> {
    Expression::Constant(crate::witness::field(value))
}

fn power_of_two(bits: u32) -> Expression<Fr> {
    Expression::Constant(crate::witness::power_of_two(bits))
}

fn fixed(meta: &mut VirtualCells<'_, Fr>, column: Column<Fixed>) -> Expression<Fr> {
    meta.query_fixed(column, Rotation::cur())
}

fn cur(meta: &mut VirtualCells<'_, Fr>, column: Column<Advice>) -> Expression<Fr> {
    meta.query_advice(column, Rotation::cur())
}

fn next(meta: &mut VirtualCells<'_, Fr>, column: Column<Advice>) -> Expression<Fr> {
    meta.query_advice(column, Rotation::next())
}

fn sum(terms: impl IntoIterator<Item = Expression<Fr>>) -> Expression<Fr> {
    terms.into_iter().reduce(|a, b| a + b).unwrap_or_else(|| integer(0))
}

/// `Σ_i base^i · terms[i]`.
fn horner(terms: Vec<Expression<Fr>>, base: &Expression<Fr>) -> Expression<Fr> {
    let fold = |higher: Expression<Fr>, term| higher * base.clone() + term;
    terms.into_iter().rev().reduce(fold).unwrap_or_else(|| integer(0))
}

/// `Σ_i limbs[i] · 2^(widths before i)`: lowest limb first.
fn limbs(
    meta: &mut VirtualCells<'_, Fr>,
    columns: &[Column<Advice>],
    widths: &[u32],
) -> Expression<Fr> {
    let mut shift = 0;
    sum(columns.iter().zip(widths).map(|(&column, &width)| {
        let term = cur(meta, column);
        let scaled = if shift == 0 { term } else { term * power_of_two(shift) };
        shift += width;
        scaled
    }))
}

/// One row's move on a chain: `denominator · (next − layer · read) = numerator · current`.
struct ChainMove {
    denominator: Expression<Fr>,
    numerator: Expression<Fr>,
    layer: Expression<Fr>,
}

/// The factors of a row's move, selected by its fixed columns. Rows that select nothing have
/// denominator 1, numerator 0 and layer 0, so their chain value is 0. `scales` multiply the
/// challenges of layers.
fn chain_move(
    meta: &mut VirtualCells<'_, Fr>,
    config: &Config,
    (columns, steps): (&ChainColumns, &StepSet),
    scales: &[Option<Expression<Fr>>],
) -> ChainMove {
    let lattice = config.lattice(|c| meta.query_challenge(c));
    let numerator = sum(columns
        .numerators
        .iter()
        .zip(&steps.numerators)
        .map(|(&column, m)| fixed(meta, column) * m.expression(&lattice)));
    let denominator = columns
        .denominators
        .iter()
        .zip(&steps.denominators)
        .fold(integer(1), |total, (&column, m)| {
            total + fixed(meta, column) * (m.expression(&lattice) - integer(1))
        });
    let layers = columns.layers.iter().zip(&config.layers).zip(scales);
    let layer = sum(layers.map(|((&column, &challenge), scale)| {
        let selected = fixed(meta, column) * meta.query_challenge(challenge);
        scale.iter().fold(selected, |selected, scale| selected * scale.clone())
    }));
    ChainMove { denominator, numerator, layer }
}

/// The weights of a window's positions, before that of its first.
fn position_weights(
    meta: &mut VirtualCells<'_, Fr>,
    config: &Config,
) -> [Expression<Fr>; POSITIONS] {
    let lattice = config.lattice(|c| meta.query_challenge(c));
    POSITION_WEIGHTS.map(|monomial| monomial.expression(&lattice))
}
