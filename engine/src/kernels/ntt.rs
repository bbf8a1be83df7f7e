//! Number-theoretic transforms: values on a multiplicative subgroup or a coset of it to
//! coefficients, and back.
//!
//! H is the subgroup of order `n = 2^k` that halo2 uses, with generator ω. Element `i` of a
//! polynomial is lane `i % WIDTH` of pack `i / WIDTH`. Values are in natural order: element `i`
//! belongs to the point `shift·ω^i`. Coefficients are in *transform order*, the one that needs no
//! pass of its own: [`Domain::index`] says which coefficient an element is.
//!
//! Coefficients become values by decimation in time (Cooley and Tukey, 1965): a polynomial of even
//! and odd part E and O is `E(x²) + x·O(x²)`, which gives the values at x and -x. A stage of
//! *stride* h makes blocks of 2h values out of two blocks of h; its twiddles are the points x of a
//! coset of order 2h. So a shift costs nothing: it is in the twiddles. The way back undoes the
//! stages from the last to the first (decimation in frequency) with the inverse twiddles.
//!
//! Strides 1, 2 and 4 are done in the *base* on eight packs, which hold eight blocks of eight: with
//! eight lanes, every lane is a block, and the packs are transposed between this and the natural
//! order. Then come two strides at a time (radix 4), deepest first, so that blocks stay in the
//! caches as they grow; a *leaf* is a block that stays in the first one.
//!
//! Tables: n elements for each domain, which are the inverse twiddles, and n for each coset.

use std::fmt;

use halo2_proofs::halo2curves::{
    bn256::Fr,
    ff::{Field, PrimeField},
    fft::best_fft,
};

use super::{arithmetic::Arithmetic, pack::Pack, parallel};
use passes::{Leaf, Pair};
use twiddles::Twiddles;

mod passes;
#[cfg(test)]
mod tests;
mod twiddles;

/// Below this, transforms are done by halo2, element by element.
const SMALLEST: u32 = 6;
/// Transforms of fewer elements stay on one thread.
const PARALLEL: usize = 1 << 14;
/// Elements that a pass over a large block gives to one task.
const TASK: usize = 1 << 13;

/// Transforms of one size.
pub(crate) struct Domain<A: Arithmetic> {
    arithmetic: A,
    k: u32,
    /// ω.
    root: Fr,
    /// Of the way from values on H to coefficients. None where halo2 does the work.
    inverse: Option<Twiddles<A>>,
}

/// The coset shift·H.
pub(crate) struct Coset<A: Arithmetic> {
    shift: Fr,
    /// Of the way from coefficients to values. None where halo2 does the work.
    forward: Option<Twiddles<A>>,
}

impl<A: Arithmetic> fmt::Debug for Domain<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Domain").field("k", &self.k).finish_non_exhaustive()
    }
}

impl<A: Arithmetic> fmt::Debug for Coset<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Coset").field("shift", &self.shift).finish_non_exhaustive()
    }
}

impl<A: Arithmetic> Domain<A> {
    /// Transforms of `2^k` elements, at least one pack and at most `2^28`.
    pub(crate) fn new(arithmetic: A, k: u32) -> Self {
        let width = <A::Fr as Pack<Fr>>::WIDTH;
        assert!(k <= Fr::S && 1 << k >= width, "2^k elements fill packs and have a subgroup");
        let root = (k..Fr::S).fold(Fr::ROOT_OF_UNITY, |root, _| root.square());
        let scale = Fr::TWO_INV.pow_vartime([k.into()]);
        let inverse_root = root.invert().expect("a root of unity is not zero");
        let inverse =
            (k >= SMALLEST).then(|| Twiddles::new(arithmetic, k, [Fr::ONE, inverse_root], scale));
        Self { arithmetic, k, root, inverse }
    }

    /// Number of elements.
    pub(crate) fn len(&self) -> usize {
        1 << self.k
    }

    /// ω, the generator of H.
    #[cfg(test)]
    pub(crate) fn root(&self) -> Fr {
        self.root
    }

    /// The coset shift·H; `shift` is not zero. Costs a seventh to a third of a transform.
    pub(crate) fn coset(&self, shift: Fr) -> Coset<A> {
        let twiddles = || Twiddles::new(self.arithmetic, self.k, [shift, self.root], Fr::ONE);
        Coset { shift, forward: (self.k >= SMALLEST).then(twiddles) }
    }

    /// Values on H to coefficients, in place. Both are relaxed.
    pub(crate) fn interpolate(&self, values: &mut [A::Fr]) {
        match &self.inverse {
            Some(twiddles) => self.to_coefficients(twiddles, values),
            None => self.interpolate_elements(values, Fr::ONE),
        }
    }

    /// Values of polynomials on the coset to their coefficients, in place. Both are relaxed.
    ///
    /// Makes twiddles for this one call, which costs as much as [`Domain::coset`].
    pub(crate) fn interpolate_coset(&self, polynomials: &mut [Vec<A::Fr>], coset: &Coset<A>) {
        if self.inverse.is_none() {
            let each = polynomials.iter_mut();
            return each.for_each(|values| self.interpolate_elements(values, coset.shift));
        }
        let invert = |point: Fr| point.invert().expect("a shift is not zero");
        let scale = Fr::TWO_INV.pow_vartime([self.k.into()]);
        let points = [coset.shift, self.root].map(invert);
        let twiddles = Twiddles::new(self.arithmetic, self.k, points, scale);
        parallel::chunks(polynomials, 1, |_, polynomials| {
            polynomials.iter_mut().for_each(|values| self.to_coefficients(&twiddles, values));
        });
    }

    /// Coefficients to values on the coset. Both are relaxed.
    pub(crate) fn evaluate(&self, coefficients: &[A::Fr], coset: &Coset<A>, out: &mut [A::Fr]) {
        assert!(coefficients.len() == out.len(), "as many values as coefficients");
        self.evaluate_from(Some(coefficients), coset, out);
    }

    /// [`Domain::evaluate`] in place.
    pub(crate) fn evaluate_in_place(&self, polynomial: &mut [A::Fr], coset: &Coset<A>) {
        self.evaluate_from(None, coset, polynomial);
    }

    /// The coefficients are in `out` where they are nowhere else.
    fn evaluate_from(&self, coefficients: Option<&[A::Fr]>, coset: &Coset<A>, out: &mut [A::Fr]) {
        match &coset.forward {
            Some(twiddles) => {
                assert!(
                    out.len() == self.packs(),
                    "a polynomial has as many elements as the domain"
                );
                self.to_values(twiddles, coefficients, out);
            }
            None => {
                let mut elements = self.elements(coefficients.unwrap_or(out));
                let powers =
                    std::iter::successors(Some(Fr::ONE), |power| Some(power * coset.shift));
                elements.iter_mut().zip(powers).for_each(|(element, power)| *element *= power);
                best_fft(&mut elements, self.root, self.k);
                self.write_elements(&elements, out);
            }
        }
    }

    /// Which coefficient the element at `position` is, in transform order.
    #[cfg(test)]
    pub(crate) fn index(&self, position: usize) -> usize {
        if self.inverse.is_none() {
            return position;
        }
        let width = <A::Fr as Pack<Fr>>::WIDTH;
        let (pack, lane) = (position / width, position % width);
        // The base leaves place p of the block of lane l in pack p.
        let reversed = pack / 8 * 8 * width + 8 * lane + pack % 8;
        reversed.reverse_bits() >> (usize::BITS - self.k)
    }

    /// Where coefficient `index` is: the inverse of [`Domain::index`].
    #[cfg(test)]
    fn position(&self, index: usize) -> usize {
        (0..self.len()).find(|&position| self.index(position) == index).expect("an index below n")
    }

    /// Coefficients in natural order.
    #[cfg(test)]
    pub(crate) fn coefficients(&self, transformed: &[A::Fr]) -> Vec<Fr> {
        let elements = self.elements(transformed);
        let mut coefficients = vec![Fr::ZERO; elements.len()];
        for (position, element) in elements.into_iter().enumerate() {
            coefficients[self.index(position)] = element;
        }
        coefficients
    }

    /// Packs of a polynomial.
    fn packs(&self) -> usize {
        self.len() / <A::Fr as Pack<Fr>>::WIDTH
    }

    /// The elements of packs.
    fn elements(&self, packs: &[A::Fr]) -> Vec<Fr> {
        let mut elements = vec![Fr::ZERO; self.len()];
        self.arithmetic.vectorize(
            #[inline(always)]
            || {
                let lanes = elements.chunks_exact_mut(<A::Fr as Pack<Fr>>::WIDTH);
                for (pack, lanes) in packs.iter().zip(lanes) {
                    pack.to_lanes(lanes);
                }
            },
        );
        elements
    }

    /// Packs elements.
    fn write_elements(&self, elements: &[Fr], packs: &mut [A::Fr]) {
        self.arithmetic.vectorize(
            #[inline(always)]
            || {
                let lanes = elements.chunks_exact(<A::Fr as Pack<Fr>>::WIDTH);
                for (to, from) in packs.iter_mut().zip(lanes) {
                    *to = A::Fr::from_lanes(from);
                }
            },
        );
    }

    /// Values on a coset to coefficients by halo2.
    fn interpolate_elements(&self, values: &mut [A::Fr], shift: Fr) {
        let mut elements = self.elements(values);
        let invert = |point: Fr| point.invert().expect("neither a root nor a shift is zero");
        best_fft(&mut elements, invert(self.root), self.k);
        let scale = Fr::TWO_INV.pow_vartime([self.k.into()]);
        let factors = std::iter::successors(Some(scale), |power| Some(power * invert(shift)));
        elements.iter_mut().zip(factors).for_each(|(element, factor)| *element *= factor);
        self.write_elements(&elements, values);
    }
}

/// The recursion over blocks. `LAST` passes leave relaxed values.
impl<A: Arithmetic> Domain<A> {
    /// Elements of a leaf: 256 or 512 where that is less than all, so that the strides left are in
    /// pairs.
    fn leaf_len(&self) -> usize {
        1 << if self.k <= 9 { self.k } else { 8 + self.k % 2 }
    }

    /// Coefficients `from` or in `out` to values.
    fn to_values<'a>(&self, twiddles: &Twiddles<A>, from: Option<&'a [A::Fr]>, out: &mut [A::Fr]) {
        let n = out.len() * <A::Fr as Pack<Fr>>::WIDTH;
        let last = n == self.len();
        if n <= self.leaf_len() {
            let leaf = Leaf { twiddles, len: n };
            return self.arithmetic.vectorize(
                #[inline(always)]
                || leaf.to_values(from, out, last),
            );
        }
        let quarter = out.len() / 4;
        let split = |from: Option<&'a [A::Fr]>, at| match from.map(|from| from.split_at(at)) {
            Some((low, high)) => (Some(low), Some(high)),
            None => (None, None),
        };
        let (from, to) = (split(from, 2 * quarter), out.split_at_mut(2 * quarter));
        let half = |from: Option<&'a [A::Fr]>, to: &mut [A::Fr]| {
            let (from, to) = (split(from, quarter), to.split_at_mut(quarter));
            fork(
                n,
                || self.to_values(twiddles, from.0, to.0),
                || self.to_values(twiddles, from.1, to.1),
            );
        };
        fork(n, || half(from.0, to.0), || half(from.1, to.1));
        let combine = |pair: Pair<'_, A>| {
            self.arithmetic.vectorize(
                #[inline(always)]
                || pair.combine(last),
            );
        };
        Pair::new(twiddles, n / 4, out).for_each(&combine);
    }

    fn to_coefficients(&self, twiddles: &Twiddles<A>, values: &mut [A::Fr]) {
        assert!(values.len() == self.packs(), "a polynomial has as many elements as the domain");
        self.split(twiddles, values);
    }

    /// The way back of [`Domain::to_values`], on a block.
    fn split(&self, twiddles: &Twiddles<A>, values: &mut [A::Fr]) {
        let n = values.len() * <A::Fr as Pack<Fr>>::WIDTH;
        if n <= self.leaf_len() {
            let leaf = Leaf { twiddles, len: n };
            return self.arithmetic.vectorize(
                #[inline(always)]
                || leaf.to_coefficients(values),
            );
        }
        let divide = |pair: Pair<'_, A>| {
            self.arithmetic.vectorize(
                #[inline(always)]
                || pair.divide(),
            );
        };
        Pair::new(twiddles, n / 4, values).for_each(&divide);
        let quarter = values.len() / 4;
        let half = |values: &mut [A::Fr]| {
            let (low, high) = values.split_at_mut(quarter);
            fork(n, || self.split(twiddles, low), || self.split(twiddles, high));
        };
        let (low, high) = values.split_at_mut(2 * quarter);
        fork(n, || half(low), || half(high));
    }
}

/// Does both, at once where a block of `n` elements is worth it.
fn fork(n: usize, first: impl FnOnce() + Send, second: impl FnOnce() + Send) {
    if n >= PARALLEL {
        parallel::join(first, second);
    } else {
        first();
        second();
    }
}
