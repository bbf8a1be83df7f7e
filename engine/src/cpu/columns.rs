//! Loops over the rows of columns.
//!
//! They are written as loops and not as iterator chains: a closure that is not inlined into the
//! vectorized function is not compiled for its instructions.

use std::borrow::Cow;

use halo2_proofs::halo2curves::{bn256::Fr, ff::Field};

use super::CpuColumn;
use crate::{
    column::Column,
    kernels::{
        arithmetic::Arithmetic,
        batch::{self, Weights},
        pack::Pack,
        parallel,
    },
};

/// Packs that one task works on.
const TASK: usize = 256;

/// The values of a column as packs.
pub(super) fn packs<A: Arithmetic>(arithmetic: A, column: &CpuColumn<A>) -> Cow<'_, [A::Fr]> {
    match column {
        Column::Field(packs) | Column::Sums { values: packs, .. } => Cow::Borrowed(packs),
        Column::Integers { values, tail } => {
            let mut packs = Vec::new();
            widen(arithmetic, values, tail, &mut packs);
            Cow::Owned(packs)
        }
    }
}

/// The same instead of what was in `packs`.
pub(super) fn packs_into<A: Arithmetic>(
    arithmetic: A,
    column: &CpuColumn<A>,
    packs: &mut Vec<A::Fr>,
) {
    packs.clear();
    match column {
        Column::Field(values) | Column::Sums { values, .. } => packs.extend_from_slice(values),
        Column::Integers { values, tail } => widen(arithmetic, values, tail, packs),
    }
}

/// Integers as field elements, with `tail` in the last rows, into `packs`, which are empty.
fn widen<A: Arithmetic>(arithmetic: A, values: &[i32], tail: &[Fr], packs: &mut Vec<A::Fr>) {
    packs.reserve_exact(values.len() / A::Fr::WIDTH);
    arithmetic.vectorize(
        #[inline(always)]
        || {
            for lanes in values.chunks_exact(A::Fr::WIDTH) {
                packs.push(A::Fr::from_integers(lanes));
            }
        },
    );
    let width = A::Fr::WIDTH;
    let first = (values.len() - tail.len()) / width;
    let mut lanes = vec![Fr::ZERO; width * (packs.len() - first)];
    for (pack, lanes) in packs[first..].iter().zip(lanes.chunks_exact_mut(width)) {
        arithmetic.vectorize(
            #[inline(always)]
            || pack.to_lanes(lanes),
        );
    }
    let start = lanes.len() - tail.len();
    lanes[start..].copy_from_slice(tail);
    for (to, packed) in packs[first..].iter_mut().zip(pack(arithmetic, &lanes)) {
        *to = packed;
    }
}

/// Field elements in packs; their number is a multiple of the width.
pub(super) fn pack<A: Arithmetic>(arithmetic: A, cells: &[Fr]) -> Vec<A::Fr> {
    arithmetic.vectorize(
        #[inline(always)]
        || {
            let mut packs = Vec::with_capacity(cells.len() / A::Fr::WIDTH);
            for lanes in cells.chunks_exact(A::Fr::WIDTH) {
                packs.push(A::Fr::from_lanes(lanes));
            }
            packs
        },
    )
}

/// The elements of packs.
pub(super) fn unpack<A: Arithmetic>(arithmetic: A, packs: &[A::Fr]) -> Vec<Fr> {
    let mut cells = vec![Fr::ZERO; packs.len() * A::Fr::WIDTH];
    arithmetic.vectorize(
        #[inline(always)]
        || {
            for (pack, lanes) in packs.iter().zip(cells.chunks_exact_mut(A::Fr::WIDTH)) {
                pack.to_lanes(lanes);
            }
        },
    );
    cells
}

/// `a[i] ·= b[i]`.
pub(super) fn multiply_into<A: Arithmetic>(arithmetic: A, a: &mut [A::Fr], b: &[A::Fr]) {
    parallel::chunks(a, TASK, |task, a| {
        let b = &b[task * TASK..];
        arithmetic.vectorize(
            #[inline(always)]
            || {
                for (a, b) in a.iter_mut().zip(b) {
                    *a = a.mul(*b);
                }
            },
        );
    });
}

/// `f(value, uniform)` in every row.
pub(super) fn map<A: Arithmetic>(
    arithmetic: A,
    values: &[A::Fr],
    uniform: Fr,
    f: impl Fn(A::Fr, A::Fr) -> A::Fr,
) -> Vec<A::Fr> {
    arithmetic.vectorize(
        #[inline(always)]
        || {
            let uniform = A::Fr::splat(uniform);
            let mut mapped = Vec::with_capacity(values.len());
            for &value in values {
                mapped.push(f(value, uniform));
            }
            mapped
        },
    )
}

/// 1, f₀, f₀·f₁, …, one per factor.
pub(super) fn running_product(factors: &[Fr]) -> Vec<Fr> {
    let products = factors.iter().scan(Fr::ONE, |product, factor| {
        let here = *product;
        *product *= factor;
        Some(here)
    });
    products.collect()
}

/// `start · product`, with `blinding` in the last rows.
pub(super) fn blinded<A: Arithmetic>(
    arithmetic: A,
    product: &[Fr],
    start: Fr,
    blinding: &[Fr],
) -> Vec<A::Fr> {
    let proper = product.len() - blinding.len();
    let scaled = product[..proper].iter().map(|value| start * value);
    let values: Vec<Fr> = scaled.chain(blinding.iter().copied()).collect();
    pack(arithmetic, &values)
}

/// A rotation as a number of rows from 0 to `rows - 1`.
pub(super) fn rotation(rotation: i32, rows: usize) -> usize {
    let rows = i64::try_from(rows).expect("at most 2^28 rows");
    usize::try_from(i64::from(rotation).rem_euclid(rows)).expect("a remainder is not negative")
}

/// `Σ weights[i]·column[i + rotation]`, rows in a circle.
pub(super) fn dot<A: Arithmetic>(
    arithmetic: A,
    weights: &Weights<A>,
    column: &CpuColumn<A>,
    rotation: usize,
) -> Fr {
    match column {
        Column::Field(packs) | Column::Sums { values: packs, .. } if rotation == 0 => {
            weights.dot(packs)
        }
        Column::Field(packs) | Column::Sums { values: packs, .. } => {
            let mut moved = Vec::with_capacity(packs.len());
            arithmetic.vectorize(
                #[inline(always)]
                || {
                    for i in 0..packs.len() {
                        moved.push(rotated::<A>(packs, i * A::Fr::WIDTH + rotation));
                    }
                },
            );
            weights.dot(&moved)
        }
        Column::Integers { values, tail } => {
            let by = isize::try_from(rotation).expect("at most 2^28 rows");
            weights.dot_integers(values, by) + tail_dot(arithmetic, weights, tail, rotation)
        }
    }
}

/// The part of an inner product that belongs to the last rows.
fn tail_dot<A: Arithmetic>(
    arithmetic: A,
    weights: &Weights<A>,
    tail: &[Fr],
    rotation: usize,
) -> Fr {
    let width = A::Fr::WIDTH;
    let rows = weights.packs().len() * width;
    let mut lanes = vec![Fr::ZERO; width];
    let mut dot = Fr::ZERO;
    for (i, value) in tail.iter().enumerate() {
        let row = (2 * rows - tail.len() + i - rotation) % rows;
        arithmetic.vectorize(
            #[inline(always)]
            || weights.packs()[row / width].to_lanes(&mut lanes),
        );
        dot += lanes[row % width] * value;
    }
    dot
}

/// The pack that starts at `row`, rows in a circle.
#[inline(always)]
pub(super) fn rotated<A: Arithmetic>(packs: &[A::Fr], row: usize) -> A::Fr {
    let (pack, shift) = (row / A::Fr::WIDTH, row % A::Fr::WIDTH);
    // The number of packs is a power of two.
    let mask = packs.len() - 1;
    let first = packs[pack & mask];
    if shift == 0 { first } else { first.aligned(packs[(pack + 1) & mask], shift) }
}

/// `Σ scale·column` in every row.
pub(super) fn combine<A: Arithmetic>(
    arithmetic: A,
    terms: &[(&CpuColumn<A>, Fr)],
    packs: usize,
) -> Vec<A::Fr> {
    let (mut integers, mut integer_scales) = (Vec::new(), Vec::new());
    let (mut fields, mut field_scales) = (Vec::new(), Vec::new());
    for (column, scale) in terms {
        match column {
            Column::Integers { values, .. } => {
                integers.push(&values[..]);
                integer_scales.push(*scale);
            }
            Column::Field(packs) | Column::Sums { values: packs, .. } => {
                fields.push(&packs[..]);
                field_scales.push(*scale);
            }
        }
    }
    let mut result = vec![A::Fr::zero(); packs];
    batch::add_scaled_integers(arithmetic, &mut result, &integer_scales, &integers);
    batch::add_scaled(arithmetic, &mut result, &field_scales, &fields);
    add_tails(arithmetic, &mut result, terms);
    result
}

/// Adds the last rows of integer columns.
fn add_tails<A: Arithmetic>(arithmetic: A, result: &mut [A::Fr], terms: &[(&CpuColumn<A>, Fr)]) {
    let tails = || {
        terms.iter().filter_map(|(column, scale)| match column {
            Column::Integers { tail, .. } if !tail.is_empty() => Some((tail, scale)),
            _ => None,
        })
    };
    let Some(longest) = tails().map(|(tail, _)| tail.len()).max() else { return };
    let width = A::Fr::WIDTH;
    let first = result.len() - longest.div_ceil(width);
    let mut lanes = unpack(arithmetic, &result[first..]);
    for (tail, scale) in tails() {
        let start = lanes.len() - tail.len();
        for (lane, value) in lanes[start..].iter_mut().zip(tail) {
            *lane += scale * value;
        }
    }
    for (to, packed) in result[first..].iter_mut().zip(pack(arithmetic, &lanes)) {
        *to = packed;
    }
}

/// `Π (ω^row - point)`.
pub(super) fn divisors<A: Arithmetic>(
    arithmetic: A,
    omegas: &[A::Fr],
    points: &[Fr],
) -> Vec<A::Fr> {
    let points = batch::uniforms(arithmetic, points);
    arithmetic.vectorize(
        #[inline(always)]
        || {
            let one = A::Fr::splat(Fr::ONE);
            let mut divisors = Vec::with_capacity(omegas.len());
            for omega in omegas {
                let mut product = one;
                for point in &points {
                    product = product.mul(omega.sub(A::Fr::broadcast(point)));
                }
                divisors.push(product);
            }
            divisors
        },
    )
}

/// `inverses[row] ·= dividend[row] - remainder(ω^row)`.
pub(super) fn quotients<A: Arithmetic>(
    arithmetic: A,
    inverses: &mut [A::Fr],
    dividend: &[A::Fr],
    omegas: &[A::Fr],
    remainder: &[Fr],
) {
    let remainder = batch::uniforms(arithmetic, remainder);
    arithmetic.vectorize(
        #[inline(always)]
        || {
            for ((inverse, value), omega) in inverses.iter_mut().zip(dividend).zip(omegas) {
                let mut at = A::Fr::zero();
                for coefficient in remainder.iter().rev() {
                    at = at.mul(*omega).add(A::Fr::broadcast(coefficient));
                }
                *inverse = inverse.mul(value.sub(at));
            }
        },
    );
}
