//! The constants of a transform.

use halo2_proofs::halo2curves::{bn256::Fr, ff::Field};

use super::{super::batch::geometric, Arithmetic, Pack};

/// The twiddles of the strides of a transform, of n elements in all.
///
/// Those of stride h are the first half, `x = first^(n/2h)·ratio^(n/2h·j)` for `j < h`, of a coset
/// of order 2h.
pub(super) struct Twiddles<A: Arithmetic> {
    /// Of strides 8 to n/2, one after the other.
    strides: Vec<A::Fr>,
    /// Of the butterflies of the base, in the order of [`BUTTERFLIES`].
    pub(super) base: [A::Fr; 12],
    /// What the first coefficient of each base is multiplied by, on the way to coefficients.
    pub(super) scale: A::Fr,
}

/// The butterflies of the base by increasing stride 1, 2, 4: lower place and stride.
pub(super) const BUTTERFLIES: [(usize, usize); 12] = [
    (0, 1),
    (2, 1),
    (4, 1),
    (6, 1),
    (0, 2),
    (1, 2),
    (4, 2),
    (5, 2),
    (0, 4),
    (1, 4),
    (2, 4),
    (3, 4),
];

/// The butterflies of the base whose product is the only one on the way to a coefficient: it is
/// where a scale belongs. The first coefficient has none.
const SCALED: [usize; 7] = [0, 4, 5, 8, 9, 10, 11];

impl<A: Arithmetic> Twiddles<A> {
    /// For `2^k` elements, at least [`super::SMALLEST`]; `ratio` has order n.
    pub(super) fn new(arithmetic: A, k: u32, first: Fr, ratio: Fr) -> Self {
        let width = <A::Fr as Pack<Fr>>::WIDTH;
        let n = 1_usize << k;
        let zero = A::Fr::zero();
        let mut strides = vec![zero; (n - 8) / width];
        let top = (n / 2 - 8) / width;
        geometric(arithmetic, first, ratio, &mut strides[top..]);
        arithmetic.vectorize(
            #[inline(always)]
            || {
                // The square of a point is the one of half the stride.
                let mut stride = n / 4;
                while stride >= 8 {
                    let (start, next) = ((stride - 8) / width, (2 * stride - 8) / width);
                    for i in 0..stride / width {
                        strides[start + i] = strides[next + i].mul(strides[next + i]);
                    }
                    stride /= 2;
                }
            },
        );
        // A point and the root of its coset, for strides 1, 2 and 4.
        let top = [first, ratio].map(|point| point.pow_vartime([n as u64 / 8]));
        let points = [top.map(|x| x.square().square()), top.map(|x| x.square()), top];
        let twiddle = |(place, stride): (usize, usize)| {
            let [point, root] = points[stride / 2];
            (0..place % stride).fold(point, |x, _| x * root)
        };
        let points = BUTTERFLIES.map(twiddle);
        let (mut base, mut scale) = ([zero; 12], zero);
        arithmetic.vectorize(
            #[inline(always)]
            || {
                // A loop: `map` is not always inlined, and its closure is not vectorized then.
                for (to, point) in base.iter_mut().zip(points) {
                    *to = A::Fr::splat(point);
                }
                scale = A::Fr::splat(Fr::ONE);
            },
        );
        Self { strides, base, scale }
    }

    /// With a factor on all coefficients, for the way to them.
    pub(super) fn scaled(mut self, arithmetic: A, factor: Fr) -> Self {
        arithmetic.vectorize(
            #[inline(always)]
            || {
                self.scale = A::Fr::splat(factor);
                for i in SCALED {
                    self.base[i] = self.base[i].mul(self.scale);
                }
            },
        );
        self
    }

    /// Those of one stride, 8 or more.
    #[inline(always)]
    pub(super) fn stride(&self, stride: usize) -> &[A::Fr] {
        let width = <A::Fr as Pack<Fr>>::WIDTH;
        &self.strides[(stride - 8) / width..(2 * stride - 8) / width]
    }
}
