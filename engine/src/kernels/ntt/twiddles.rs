//! The constants of a transform.

use halo2_proofs::halo2curves::{bn256::Fr, ff::Field};

use super::{super::batch::geometric, Arithmetic, Pack};

/// The twiddles of the strides of a transform, of n elements in all.
///
/// Those of stride h are the first half, `x = first^(n/2h)·ratio^(n/2h·j)` for `j < h`, of a coset
/// of order 2h.
pub(super) struct Twiddles<A: Arithmetic> {
    /// Of strides 8 to n/2, one after the other.
    strides: Vec<Constant<A>>,
    /// Of the butterflies of the base, in the order of [`BUTTERFLIES`].
    pub(super) base: [Constant<A>; 12],
    /// What the first coefficient of each base is multiplied by, on the way to coefficients.
    pub(super) scale: Constant<A>,
}

/// A twiddle.
pub(super) type Constant<A> = <<A as Arithmetic>::Fr as Pack<Fr>>::Constant;

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
    /// For `2^k` elements, at least [`super::SMALLEST`]; `ratio` has order n. On the way to
    /// coefficients, all of them have the factor `scale`.
    pub(super) fn new(arithmetic: A, k: u32, [first, ratio]: [Fr; 2], scale: Fr) -> Self {
        let width = <A::Fr as Pack<Fr>>::WIDTH;
        let n = 1_usize << k;
        let mut points = vec![A::Fr::zero(); (n - 8) / width];
        let top = (n / 2 - 8) / width;
        geometric(arithmetic, first, ratio, &mut points[top..]);
        // A point and the root of its coset, for strides 1, 2 and 4.
        let top = [first, ratio].map(|point| point.pow_vartime([n as u64 / 8]));
        let base = [top.map(|x| x.square().square()), top.map(|x| x.square()), top];
        let twiddle = |i: usize| {
            let (place, stride) = BUTTERFLIES[i];
            let [point, root] = base[stride / 2];
            let factor = if SCALED.contains(&i) { scale } else { Fr::ONE };
            (0..place % stride).fold(point, |x, _| x * root) * factor
        };
        let base: [Fr; 12] = std::array::from_fn(twiddle);
        arithmetic.vectorize(
            #[inline(always)]
            || {
                // The square of a point is the one of half the stride.
                let mut stride = n / 4;
                while stride >= 8 {
                    let (start, next) = ((stride - 8) / width, (2 * stride - 8) / width);
                    for i in 0..stride / width {
                        points[start + i] = points[next + i].mul(points[next + i]);
                    }
                    stride /= 2;
                }
                // Loops: `map` is not always inlined, and its closure is not vectorized then.
                let mut strides = Vec::with_capacity(points.len());
                for point in points {
                    strides.push(point.constant());
                }
                let scale = A::Fr::splat(scale).constant();
                let mut constants = [scale; 12];
                for (to, point) in constants.iter_mut().zip(base) {
                    *to = A::Fr::splat(point).constant();
                }
                Self { strides, base: constants, scale }
            },
        )
    }

    /// Those of one stride, 8 or more.
    #[inline(always)]
    pub(super) fn stride(&self, stride: usize) -> &[Constant<A>] {
        let width = <A::Fr as Pack<Fr>>::WIDTH;
        &self.strides[(stride - 8) / width..(2 * stride - 8) / width]
    }
}
