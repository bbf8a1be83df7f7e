//! Vectors of field elements: powers, inverses, inner products and linear combinations.
//!
//! Element `i` is lane `i % WIDTH` of pack `i / WIDTH`; lengths are multiples of the width. What
//! is long is shared among the threads.

use halo2_proofs::halo2curves::{bn256::Fr, ff::Field};

use super::{
    arithmetic::Arithmetic,
    pack::{Pack, SUM_TERMS},
    parallel,
};

#[cfg(test)]
mod tests;

/// Packs that one task works on: 160 KiB, so that they stay in the second cache.
const TASK: usize = 512;
/// How many packs ahead a combination of columns asks for what it will read.
const AHEAD: usize = 1;

/// `first·ratio^i` as element `i` of `out`.
pub(crate) fn geometric<A: Arithmetic>(arithmetic: A, first: Fr, ratio: Fr, out: &mut [A::Fr]) {
    let width = <A::Fr as Pack<Fr>>::WIDTH;
    let start = |index: usize| first * ratio.pow_vartime([index as u64]);
    parallel::chunks(out, TASK, |chunk, out| {
        let lanes: Vec<_> =
            std::iter::successors(Some(start(chunk * TASK * width)), |x| Some(x * ratio))
                .take(width)
                .collect();
        arithmetic.vectorize(
            #[inline(always)]
            || {
                out[0] = A::Fr::from_lanes(&lanes);
                let mut done = 1;
                let mut ratio = ratio.pow_vartime([width as u64]);
                // Doubling, so that the products do not wait for each other.
                while done < out.len() {
                    let factor = A::Fr::splat(ratio);
                    let (from, to) = out.split_at_mut(done);
                    for (to, from) in to.iter_mut().zip(from) {
                        *to = from.mul(factor);
                    }
                    done *= 2;
                    ratio = ratio.square();
                }
            },
        );
    });
}

/// `base^i` for `i < n`; `n` is a multiple of the width.
pub(crate) fn powers<A: Arithmetic>(arithmetic: A, base: Fr, n: usize) -> Vec<A::Fr> {
    let mut powers = vec![A::Fr::zero(); n / <A::Fr as Pack<Fr>>::WIDTH];
    geometric(arithmetic, Fr::ONE, base, &mut powers);
    powers
}

/// Chains of products that [`invert`] keeps going at once: more than one product is needed to
/// fill the multipliers.
const CHAINS: usize = 4;

/// Inverts every element in place; zero stays zero.
///
/// Montgomery's trick: three products for each element, one inversion for each task.
pub(crate) fn invert<A: Arithmetic>(arithmetic: A, values: &mut [A::Fr]) {
    parallel::chunks(values, TASK, |_, values| {
        arithmetic.vectorize(
            #[inline(always)]
            || invert_chunk::<A>(values),
        );
    });
}

/// One where the element is zero, else zero.
#[inline(never)]
fn ones_at_zeros<A: Arithmetic>(zeros: u8) -> A::Fr {
    let lanes: [Fr; 8] = std::array::from_fn(|lane| Fr::from(u64::from(zeros >> lane & 1)));
    A::Fr::from_lanes(&lanes)
}

#[inline(always)]
fn invert_chunk<A: Arithmetic>(values: &mut [A::Fr]) {
    let one = A::Fr::splat(Fr::ONE);
    // Zeros become ones, so that the products are not zero; they are rare.
    let mut zeros = Vec::new();
    for (i, value) in values.iter_mut().enumerate() {
        let lanes = value.zero_lanes();
        if lanes != 0 {
            let ones = ones_at_zeros::<A>(lanes);
            *value = value.add(ones);
            zeros.push((i, ones));
        }
    }
    // Element i is in chain i % CHAINS; before[i] is the product of those before it there.
    let mut before = Vec::with_capacity(values.len());
    let mut products = [one; CHAINS];
    for values in values.chunks(CHAINS) {
        for (value, product) in values.iter().zip(&mut products) {
            before.push(*product);
            *product = product.mul(*value);
        }
    }
    let mut inverses = products;
    invert_chains::<A>(&mut inverses);
    for (values, before) in values.chunks_mut(CHAINS).zip(before.chunks(CHAINS)).rev() {
        for ((value, before), inverse) in values.iter_mut().zip(before).zip(&mut inverses) {
            let next = inverse.mul(*value);
            *value = inverse.mul(*before);
            *inverse = next;
        }
    }
    for (i, ones) in zeros {
        values[i] = values[i].sub(ones);
    }
}

/// Inverts packs without zeros with one inversion.
#[inline(always)]
fn invert_chains<A: Arithmetic>(packs: &mut [A::Fr; CHAINS]) {
    let mut before = [A::Fr::splat(Fr::ONE); CHAINS];
    for i in 1..CHAINS {
        before[i] = before[i - 1].mul(packs[i - 1]);
    }
    let mut lanes = [Fr::ONE; 8];
    before[CHAINS - 1].mul(packs[CHAINS - 1]).to_lanes(&mut lanes);
    invert_elements(&mut lanes);
    let mut inverse = A::Fr::from_lanes(&lanes);
    for i in (0..CHAINS).rev() {
        let next = inverse.mul(packs[i]);
        packs[i] = inverse.mul(before[i]);
        inverse = next;
    }
}

/// Inverts elements that are not zero with one inversion.
fn invert_elements(elements: &mut [Fr; 8]) {
    let mut before = [Fr::ONE; 8];
    let mut product = Fr::ONE;
    for (element, before) in elements.iter().zip(&mut before) {
        *before = product;
        product *= element;
    }
    let mut inverse = product.invert().expect("zeros were replaced");
    for (element, before) in elements.iter_mut().zip(before).rev() {
        let next = inverse * *element;
        *element = inverse * before;
        inverse = next;
    }
}

/// The sum of the lanes.
#[inline(always)]
fn add_lanes<P: Pack<Fr>>(pack: P) -> Fr {
    let mut lanes = [Fr::ZERO; 8];
    pack.to_lanes(&mut lanes);
    lanes[..P::WIDTH].iter().sum()
}

/// `Σ a_i·b_i`; both are relaxed and of the same length.
pub(crate) fn dot<A: Arithmetic>(arithmetic: A, a: &[A::Fr], b: &[A::Fr]) -> Fr {
    assert_eq!(a.len(), b.len(), "an inner product is of vectors of the same length");
    let products = parallel::map(a.len().div_ceil(TASK), |task| {
        let [a, b] = [a, b].map(|packs| &packs[task * TASK..packs.len().min((task + 1) * TASK)]);
        arithmetic.vectorize(
            #[inline(always)]
            || {
                let mut total = A::Fr::zero();
                for (a, b) in a.chunks(SUM_TERMS).zip(b.chunks(SUM_TERMS)) {
                    let mut sum = A::Fr::empty_sum();
                    for (&a, &b) in a.iter().zip(b) {
                        A::Fr::add_product(&mut sum, a, b);
                    }
                    total = total.add(A::Fr::reduce_sum(sum));
                }
                add_lanes(total)
            },
        )
    });
    products.iter().sum()
}

/// Weights of inner products with columns of integers.
#[derive(Clone, Debug)]
pub(crate) struct Weights<A: Arithmetic> {
    arithmetic: A,
    packs: Vec<A::Fr>,
    /// Σ of all weights.
    sum: Fr,
}

impl<A: Arithmetic> Weights<A> {
    /// Weights that are relaxed.
    pub(crate) fn new(arithmetic: A, packs: Vec<A::Fr>) -> Self {
        let sums = parallel::map(packs.len().div_ceil(TASK), |task| {
            let packs = &packs[task * TASK..packs.len().min((task + 1) * TASK)];
            arithmetic.vectorize(
                #[inline(always)]
                || {
                    let mut total = A::Fr::zero();
                    for &pack in packs {
                        total = total.add(pack);
                    }
                    add_lanes(total)
                },
            )
        });
        let sum = sums.iter().sum();
        Self { arithmetic, packs, sum }
    }

    /// The weights.
    pub(crate) fn packs(&self) -> &[A::Fr] {
        &self.packs
    }

    /// `Σ w_i·values[i]`; the values are relaxed and as many as the weights.
    pub(crate) fn dot(&self, values: &[A::Fr]) -> Fr {
        dot(self.arithmetic, &self.packs, values)
    }

    /// `Σ w_i·values[i + rotation mod n]`, for as many values as weights.
    pub(crate) fn dot_integers(&self, values: &[i32], rotation: isize) -> Fr {
        let width = <A::Fr as Pack<Fr>>::WIDTH;
        assert_eq!(values.len(), self.packs.len() * width, "as many values as weights");
        let rotation = rotate(0, rotation, values.len());
        let chunks: Vec<&[A::Fr]> = self.packs.chunks(SUM_TERMS).collect();
        let products = parallel::map(chunks.len(), |chunk| {
            let weights = chunks[chunk];
            let start = (chunk * SUM_TERMS * width + rotation) % values.len();
            let len = weights.len() * width;
            if let Some(values) = values.get(start..start + len) {
                return self.dot_chunk(weights, values);
            }
            let (end, rest) = (&values[start..], len - (values.len() - start));
            self.dot_chunk(weights, &[end, &values[..rest]].concat())
        });
        products.iter().sum::<Fr>() - self.sum * offset::<A::Fr>()
    }

    /// `Σ w_i·(values[i] + INTEGER_OFFSET)` for at most [`SUM_TERMS`] packs.
    fn dot_chunk(&self, weights: &[A::Fr], values: &[i32]) -> Fr {
        self.arithmetic.vectorize(
            #[inline(always)]
            || {
                let mut sum = A::Fr::empty_sum();
                let lanes = values.chunks_exact(<A::Fr as Pack<Fr>>::WIDTH);
                for (weight, lanes) in weights.iter().zip(lanes) {
                    weight.add_integer_product(&mut sum, lanes);
                }
                add_lanes(A::Fr::reduce_integer_sum(sum))
            },
        )
    }
}

/// `index + rotation mod n`.
fn rotate(index: usize, rotation: isize, n: usize) -> usize {
    let n = isize::try_from(n).expect("a length fits isize");
    let index = isize::try_from(index).expect("an index fits isize");
    usize::try_from((index + rotation).rem_euclid(n)).expect("a remainder is not negative")
}

/// What [`Pack::add_integer_product`] adds to integers.
fn offset<P: Pack<Fr>>() -> Fr {
    Fr::from(P::INTEGER_OFFSET.unsigned_abs())
}

/// An element that is the same in every lane.
pub(crate) type Uniform<A> = <<A as Arithmetic>::Fr as Pack<Fr>>::Uniform;

/// The scalars, to be read in every lane: in memory they take a lane only, so that many fit the
/// first cache.
pub(crate) fn uniforms<A: Arithmetic>(arithmetic: A, scalars: &[Fr]) -> Vec<Uniform<A>> {
    arithmetic.vectorize(
        #[inline(always)]
        || {
            let mut uniforms = Vec::with_capacity(scalars.len());
            for &scalar in scalars {
                uniforms.push(A::Fr::uniform(scalar));
            }
            uniforms
        },
    )
}

/// Adds `Σ_j scalars[j]·columns[j]` to `accumulate`, row by row. All is relaxed, and columns are
/// as long as `accumulate`.
pub(crate) fn add_scaled<A: Arithmetic>(
    arithmetic: A,
    accumulate: &mut [A::Fr],
    scalars: &[Fr],
    columns: &[&[A::Fr]],
) {
    assert_eq!(scalars.len(), columns.len(), "a scalar for each column");
    let scalars = uniforms(arithmetic, scalars);
    parallel::chunks(accumulate, TASK, |chunk, accumulate| {
        arithmetic.vectorize(
            #[inline(always)]
            || {
                let last = chunk * TASK + accumulate.len() - 1;
                for (row, to) in accumulate.iter_mut().enumerate() {
                    let row = chunk * TASK + row;
                    // There are more columns than the processor follows by itself.
                    let soon = (row + AHEAD).min(last);
                    for (scalars, columns) in
                        scalars.chunks(SUM_TERMS).zip(columns.chunks(SUM_TERMS))
                    {
                        let mut sum = A::Fr::empty_sum();
                        for (scalar, column) in scalars.iter().zip(columns) {
                            column[soon].prefetch_far();
                            let scalar = A::Fr::broadcast(scalar);
                            A::Fr::add_product(&mut sum, scalar, column[row]);
                        }
                        *to = to.add(A::Fr::reduce_sum(sum));
                    }
                }
            },
        );
    });
}

/// Adds `Σ_j scalars[j]·columns[j]` to `accumulate`, row by row; columns have as many elements as
/// `accumulate`, which is relaxed.
pub(crate) fn add_scaled_integers<A: Arithmetic>(
    arithmetic: A,
    accumulate: &mut [A::Fr],
    scalars: &[Fr],
    columns: &[&[i32]],
) {
    assert_eq!(scalars.len(), columns.len(), "a scalar for each column");
    let groups: Vec<_> = scalars
        .chunks(SUM_TERMS)
        .zip(columns.chunks(SUM_TERMS))
        .map(|(scalars, columns)| Group {
            excess: -offset::<A::Fr>() * scalars.iter().sum::<Fr>(),
            scalars: uniforms(arithmetic, scalars),
            columns,
        })
        .collect();
    parallel::chunks(accumulate, TASK, |chunk, accumulate| {
        arithmetic.vectorize(
            #[inline(always)]
            || {
                for group in &groups {
                    let excess = A::Fr::splat(group.excess);
                    let (pairs, rest) = accumulate.as_chunks_mut::<2>();
                    for (pair, to) in pairs.iter_mut().enumerate() {
                        group.add_rows(chunk * TASK + 2 * pair, to, excess);
                    }
                    for to in rest.as_chunks_mut::<1>().0 {
                        group.add_rows(chunk * TASK + 2 * pairs.len(), to, excess);
                    }
                }
            },
        );
    });
}

/// As many columns as a sum takes.
struct Group<'a, P: Pack<Fr>> {
    scalars: Vec<P::Uniform>,
    columns: &'a [&'a [i32]],
    /// What corrects the offset of the integers.
    excess: Fr,
}

impl<P: Pack<Fr>> Group<'_, P> {
    /// Adds some packs of rows: two are a cache line of integers.
    #[inline(always)]
    fn add_rows<const ROWS: usize>(&self, first: usize, to: &mut [P; ROWS], excess: P) {
        let mut sums = [P::empty_sum(); ROWS];
        for (scalar, column) in self.scalars.iter().zip(self.columns) {
            let lanes = &column[first * P::WIDTH..(first + ROWS) * P::WIDTH];
            for (sum, lanes) in sums.iter_mut().zip(lanes.chunks_exact(P::WIDTH)) {
                P::broadcast(scalar).add_integer_product(sum, lanes);
            }
        }
        for (to, sum) in to.iter_mut().zip(sums) {
            *to = to.add(P::reduce_integer_sum(sum)).add(excess);
        }
    }
}

/// For each row of `width` elements, for each piece of as many as there are weights (the last may
/// be shorter), `Σ_j weights[j]·piece[j]`.
pub(crate) fn combine_pieces<A: Arithmetic>(
    arithmetic: A,
    (values, width): (&[Fr], usize),
    weights: &[Fr],
) -> Vec<Fr> {
    let pieces = width.div_ceil(weights.len().max(1));
    let mut sums = vec![Fr::ZERO; values.len() / width.max(1) * pieces];
    if sums.is_empty() {
        return sums;
    }
    let scalars = uniforms(arithmetic, weights);
    let lanes = <A::Fr as Pack<Fr>>::WIDTH;
    // Some rows to a lane each; a task has as many as fit the second cache.
    parallel::chunks(&mut sums, TASK / 8 * lanes * pieces, |chunk, sums| {
        let first = chunk * TASK / 8 * lanes;
        arithmetic.vectorize(
            #[inline(always)]
            || {
                for (group, sums) in sums.chunks_mut(lanes * pieces).enumerate() {
                    let rows = &values[(first + group * lanes) * width..];
                    combine_lanes::<A>(rows, width, &scalars, sums);
                }
            },
        );
    });
    sums
}

/// The sums of the pieces of the first rows, a row to a lane; a lane without a row has the last one.
#[inline(always)]
fn combine_lanes<A: Arithmetic>(
    rows: &[Fr],
    width: usize,
    scalars: &[Uniform<A>],
    sums: &mut [Fr],
) {
    let pieces = width.div_ceil(scalars.len());
    let last = sums.len() / pieces - 1;
    for piece in 0..pieces {
        let columns = piece * scalars.len()..width.min((piece + 1) * scalars.len());
        let mut total = A::Fr::zero();
        let mut lanes = [Fr::ZERO; 8];
        let mut column = columns.start;
        for scalars in scalars[..columns.len()].chunks(SUM_TERMS) {
            let mut sum = A::Fr::empty_sum();
            for scalar in scalars {
                for (row, lane) in lanes[..<A::Fr as Pack<Fr>>::WIDTH].iter_mut().enumerate() {
                    *lane = rows[row.min(last) * width + column];
                }
                let scalar = A::Fr::broadcast(scalar);
                A::Fr::add_product(&mut sum, scalar, A::Fr::from_lanes(&lanes));
                column += 1;
            }
            total = total.add(A::Fr::reduce_sum(sum));
        }
        total.to_lanes(&mut lanes);
        for (row, lane) in lanes.iter().enumerate().take(last + 1) {
            sums[row * pieces + piece] = *lane;
        }
    }
}
