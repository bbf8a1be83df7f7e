//! The passes over a block of a transform.
//!
//! Between passes elements are lazy. On the way to values they are in [2p, 18p), so that a product,
//! which is below 2p, can be subtracted from them as it is; on the way to coefficients below 4p.
//! The former are sums of a coefficient and, in all passes, one product for each stride, at most 28,
//! that were not carried; the latter of two such products, or carried.

use halo2_proofs::halo2curves::bn256::Fr;

use super::{
    Arithmetic, Pack, TASK, parallel,
    twiddles::{BUTTERFLIES, Constant, Twiddles},
};

/// A block in the first cache: the base and all strides, pass by pass.
#[derive(Clone, Copy)]
pub(super) struct Leaf<'a, A: Arithmetic> {
    pub(super) twiddles: &'a Twiddles<A>,
    /// Elements, at least 64.
    pub(super) len: usize,
}

impl<A: Arithmetic> Leaf<'_, A> {
    /// The first stride that is one of a pair: 8 is done alone where the number of strides from it
    /// on is odd.
    #[inline(always)]
    fn first_pair(self) -> usize {
        if self.len.trailing_zeros() % 2 == 1 { 8 } else { 16 }
    }

    /// Coefficients to values, which are relaxed if this is the `last` pass; the coefficients are in
    /// `out` where they are nowhere else.
    #[inline(always)]
    pub(super) fn to_values(self, coefficients: Option<&[A::Fr]>, out: &mut [A::Fr], last: bool) {
        let blocks = out.as_chunks_mut::<8>().0;
        if let Some(coefficients) = coefficients {
            for (from, to) in coefficients.as_chunks::<8>().0.iter().zip(blocks) {
                base_to_values(self.twiddles, from, to);
            }
        } else {
            for block in blocks {
                base_to_values(self.twiddles, &{ *block }, block);
            }
        }
        let mut stride = self.first_pair();
        if stride > 8 {
            let half = 8 / <A::Fr as Pack<Fr>>::WIDTH;
            for block in out.chunks_exact_mut(2 * half) {
                let (low, high) = block.split_at_mut(half);
                for ((low, high), x) in low.iter_mut().zip(high).zip(self.twiddles.stride(8)) {
                    // Both are in [2p, 16p).
                    let product = high.mul_uncarried(x);
                    (*low, *high) = (low.add_lazy(product), low.sub_lazy_by::<2>(product));
                }
            }
        }
        while stride < self.len {
            for block in out.chunks_exact_mut(4 * stride / <A::Fr as Pack<Fr>>::WIDTH) {
                let last = last && 4 * stride == self.len;
                Pair::new(self.twiddles, stride, block).combine(last);
            }
            stride *= 4;
        }
    }

    /// Values < 4p to relaxed coefficients, in place.
    #[inline(always)]
    pub(super) fn to_coefficients(self, values: &mut [A::Fr]) {
        let mut stride = self.len / 4;
        while stride >= 8 {
            for block in values.chunks_exact_mut(4 * stride / <A::Fr as Pack<Fr>>::WIDTH) {
                Pair::new(self.twiddles, stride, block).divide();
            }
            stride /= 4;
        }
        if self.first_pair() > 8 {
            let half = 8 / <A::Fr as Pack<Fr>>::WIDTH;
            for block in values.chunks_exact_mut(2 * half) {
                let (low, high) = block.split_at_mut(half);
                for ((low, high), x) in low.iter_mut().zip(high).zip(self.twiddles.stride(8)) {
                    let difference = low.sub_lazy(*high);
                    *low = low.add_lazy(*high).relax();
                    *high = difference.mul_uncarried(x);
                }
            }
        }
        for block in values.as_chunks_mut::<8>().0 {
            base_to_coefficients(self.twiddles, block);
        }
    }
}

/// Strides 1, 2 and 4 on relaxed coefficients; gives values in [2p, 16p).
#[inline(always)]
fn base_to_values<A: Arithmetic>(twiddles: &Twiddles<A>, from: &[A::Fr; 8], to: &mut [A::Fr; 8]) {
    // In `to` from the first stride on: a copy of 2560 bytes is a tenth of the work here. What is 6p
    // less after three strides is to be 2p at least; what is a factor at the second or third stride
    // is not to be negative then.
    base_first::<A, 8>(twiddles, from, to, 0);
    base_first::<A, 2>(twiddles, from, to, 1);
    base_first::<A, 4>(twiddles, from, to, 2);
    base_first::<A, 2>(twiddles, from, to, 3);
    for (&(low, stride), x) in BUTTERFLIES[4..].iter().zip(&twiddles.base[4..]) {
        let product = to[low + stride].mul_uncarried(x);
        to[low + stride] = to[low].sub_lazy_by::<0>(product);
        to[low] = to[low].add_lazy(product);
    }
    A::Fr::lanes_to_rows(to);
}

/// A butterfly of stride 1, plus `ABOVE` times p.
#[inline(always)]
fn base_first<A: Arithmetic, const ABOVE: u64>(
    twiddles: &Twiddles<A>,
    from: &[A::Fr; 8],
    to: &mut [A::Fr; 8],
    i: usize,
) {
    let product = from[2 * i + 1].mul_uncarried(&twiddles.base[i]);
    let low = from[2 * i].add_multiple::<ABOVE>();
    (to[2 * i], to[2 * i + 1]) = (low.add_lazy(product), low.sub_lazy_by::<0>(product));
}

/// Strides 4, 2 and 1 on values < 4p; gives relaxed coefficients.
#[inline(always)]
fn base_to_coefficients<A: Arithmetic>(twiddles: &Twiddles<A>, block: &mut [A::Fr; 8]) {
    A::Fr::rows_to_lanes(block);
    for (&(low, stride), x) in BUTTERFLIES[4..].iter().zip(&twiddles.base[4..]).rev() {
        // Sums are < 8p after stride 4 and < 16p after stride 2.
        let difference = block[low].sub_lazy_by::<8>(block[low + stride]);
        block[low] = block[low].add_lazy(block[low + stride]);
        block[low + stride] = difference.mul_uncarried(x);
    }
    block[0] = block[0].relax();
    block[1] = block[1].relax();
    for (pair, x) in block.as_chunks_mut::<2>().0.iter_mut().zip(&twiddles.base) {
        let difference = pair[0].sub_lazy(pair[1]);
        pair[0] = pair[0].add_lazy(pair[1]);
        pair[1] = difference.mul_constant(x);
    }
    block[0] = block[0].mul_constant(&twiddles.scale);
    for place in [2, 4, 6] {
        block[place] = block[place].relax();
    }
}

/// Two strides, h and 2h, on a block of 4h elements, or the same part of each of its quarters.
pub(super) struct Pair<'a, A: Arithmetic> {
    quarters: [&'a mut [A::Fr]; 4],
    /// Twiddles of stride h, and the halves of those of stride 2h.
    twiddles: [&'a [Constant<A>]; 3],
}

impl<'a, A: Arithmetic> Pair<'a, A> {
    /// Strides `stride` and twice that on `block`.
    #[inline(always)]
    pub(super) fn new(twiddles: &'a Twiddles<A>, stride: usize, block: &'a mut [A::Fr]) -> Self {
        let quarter = stride / <A::Fr as Pack<Fr>>::WIDTH;
        let (low, high) = block.split_at_mut(2 * quarter);
        let ((a, b), (c, d)) = (low.split_at_mut(quarter), high.split_at_mut(quarter));
        let (x, ix) = twiddles.stride(2 * stride).split_at(quarter);
        Self { quarters: [a, b, c, d], twiddles: [twiddles.stride(stride), x, ix] }
    }

    /// Calls `f` on parts of a block, in parallel if it is large.
    pub(super) fn for_each(self, f: &(impl Fn(Pair<'_, A>) + Sync)) {
        let packs = self.quarters[0].len();
        if 4 * packs * <A::Fr as Pack<Fr>>::WIDTH <= TASK {
            return f(self);
        }
        let [a, b, c, d] = self.quarters.map(|quarter| quarter.split_at_mut(packs / 2));
        let [w, x, ix] = self.twiddles.map(|twiddles| twiddles.split_at(packs / 2));
        let low = Self { quarters: [a.0, b.0, c.0, d.0], twiddles: [w.0, x.0, ix.0] };
        let high = Self { quarters: [a.1, b.1, c.1, d.1], twiddles: [w.1, x.1, ix.1] };
        parallel::join(|| low.for_each(f), || high.for_each(f));
    }

    /// Four polynomials of the four classes of coefficients to one; its values are in [2p, 14p), or
    /// relaxed in the `last` pass.
    #[inline(always)]
    pub(super) fn combine(self, last: bool) {
        let [a, b, c, d] = self.quarters;
        let [w, x, ix] = self.twiddles;
        let quads = a.iter_mut().zip(b).zip(c.iter_mut().zip(d));
        for (((a, b), (c, d)), ((w, x), ix)) in quads.zip(w.iter().zip(x).zip(ix)) {
            // Products of one line do not wait for each other: the processor looks less than two
            // products ahead.
            let (wd, wb) = (d.mul_uncarried(w), b.mul_uncarried(w));
            let (odd, odd_minus) = (c.add_lazy(wd), c.sub_lazy_by::<0>(wd));
            let (odd, odd_minus) = (odd.mul_uncarried(x), odd_minus.mul_uncarried(ix));
            let even = a.relax_above::<6>();
            let (even, even_minus) = (even.add_lazy(wb), even.sub_lazy_by::<0>(wb));
            *a = even.add_lazy(odd);
            *b = even_minus.add_lazy(odd_minus);
            *c = even.sub_lazy_by::<0>(odd);
            *d = even_minus.sub_lazy_by::<0>(odd_minus);
            if last {
                for value in [a, b, c, d] {
                    *value = value.relax();
                }
            }
        }
    }

    /// One polynomial to four, all their values < 4p.
    #[inline(always)]
    pub(super) fn divide(self) {
        let [a, b, c, d] = self.quarters;
        let [w, x, ix] = self.twiddles;
        let quads = a.iter_mut().zip(b).zip(c.iter_mut().zip(d));
        for (((a, b), (c, d)), ((w, x), ix)) in quads.zip(w.iter().zip(x).zip(ix)) {
            let (even, odd) = (a.add_lazy(*c), a.sub_lazy(*c).mul_uncarried(x));
            let (even_minus, odd_minus) = (b.add_lazy(*d), b.sub_lazy(*d).mul_uncarried(ix));
            // Even < 8p, and differences of them < 16p.
            *a = even.add_lazy(even_minus).relax();
            *b = even.sub_lazy_by::<8>(even_minus).mul_uncarried(w);
            *c = odd.add_lazy(odd_minus);
            *d = odd.sub_lazy_by::<2>(odd_minus).mul_uncarried(w);
        }
    }
}
