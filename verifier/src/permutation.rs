//! The copy-constraint argument at the point `x` (PLONK, eprint 2019/953, section 5.2, with
//! halo2's split into several products and its blinding rows).

#![expect(
    clippy::arithmetic_side_effects,
    reason = "field arithmetic only: it wraps by definition and divides nowhere"
)]

use alloc::vec::Vec;

use ark_bn254::Fr;
use ark_ff::{Field, One};

use crate::{domain::DELTA, vanishing::Rows};

/// A column at `x`: its value and that of its sigma.
#[derive(Clone, Copy)]
pub(crate) struct CopiedColumn {
    pub(crate) value: Fr,
    pub(crate) sigma: Fr,
}

/// A product polynomial `z` at `x`, at the next row, and, but for the last product, at the last
/// usable row.
#[derive(Clone, Copy)]
pub(crate) struct Product {
    pub(crate) current: Fr,
    pub(crate) next: Fr,
    pub(crate) last: Option<Fr>,
}

/// The challenges of the argument and the point `x`.
pub(crate) struct Randomness {
    pub(crate) beta: Fr,
    pub(crate) gamma: Fr,
    pub(crate) x: Fr,
}

/// The constraints, each zero on all rows of an honest proof, in halo2's order:
///
/// 1. `l_0·(1 − z_0)`: the first product starts at one.
/// 2. `l_last·(z_l² − z_l)`: the last product ends at one, or at zero.
/// 3. `l_0·(z_i − z_{i−1}(ω^last·X))`: each product takes over from the one before.
/// 4. `(1 − l_last − l_blind)·(z_i(ωX)·Π(v + β·σ + γ) − z_i·Π(v + β·δ^j·X + γ))`.
///
/// `None` if a product lacks the evaluation that the next one needs.
pub(crate) fn constraints(
    columns: &[CopiedColumn],
    chunk_len: usize,
    products: &[Product],
    rows: &Rows,
    randomness: &Randomness,
) -> Option<Vec<Fr>> {
    let (Some(first), Some(last)) = (products.first(), products.last()) else {
        return Some(Vec::new());
    };
    let mut constraints = Vec::with_capacity(products.len().saturating_mul(2).saturating_add(1));
    constraints.push(rows.first * (Fr::one() - first.current));
    constraints.push(rows.last * (last.current.square() - last.current));
    for (previous, product) in products.iter().zip(products.iter().skip(1)) {
        constraints.push(rows.first * (product.current - previous.last?));
    }
    let active = Fr::one() - (rows.last + rows.blinding);
    let Randomness { beta, gamma, x } = *randomness;
    let mut identity = beta * x;
    for (product, chunk) in products.iter().zip(columns.chunks(chunk_len)) {
        let (mut left, mut right) = (product.next, product.current);
        for column in chunk {
            left *= column.value + beta * column.sigma + gamma;
            right *= column.value + identity + gamma;
            identity *= DELTA;
        }
        constraints.push(active * (left - right));
    }
    Some(constraints)
}
