//! The table: every point, and its multiples by powers of two.

use halo2_proofs::halo2curves::{
    bn256::{Fq, G1Affine},
    ff::Field,
    group::prime::PrimeCurveAffine,
};

use super::{
    super::{
        arithmetic::Arithmetic,
        pack::{Coordinates, Pack, TablePoint},
        parallel,
    },
    layout::{SHORT_BITS, Windows},
    lists::{self, NEGATIVE},
    pairs::{MAX_WIDTH, invert},
};

/// Rows whose windows lie together: one task doubles them, with one inversion for each doubling.
const BLOCK: usize = 512;

/// The multiples of the [`Windows`] for every row.
///
/// Rows are in blocks, a block has all rows of its first window, then of the next. Where the point
/// is infinite, and beyond the last row, is some other point: such entries are never to be used.
pub(super) struct Table {
    points: Vec<TablePoint>,
    rows: usize,
    block: usize,
    windows: Windows,
    /// Which rows have the point at infinity; empty if none.
    infinite: Vec<bool>,
}

impl Table {
    /// The table of these points with as many windows as `table_bytes` allows, if they help.
    pub(super) fn new<A: Arithmetic>(
        arithmetic: A,
        points: &[G1Affine],
        table_bytes: usize,
    ) -> Self {
        let rows = points.len();
        let (block, windows) = Self::sizes::<A>(rows, table_bytes);
        let padded = rows.next_multiple_of(block);
        let mut infinite: Vec<bool> = points.iter().map(|p| bool::from(p.is_identity())).collect();
        if !infinite.contains(&true) {
            infinite.clear();
        }
        let mut table = vec![TablePoint::default(); padded * windows.count()];
        parallel::chunks(&mut table, block * windows.count(), |task, table| {
            let points = &points[task * block..points.len().min((task + 1) * block)];
            fill_block(arithmetic, table, block, windows, points);
        });
        Self { points: table, rows, block, windows, infinite }
    }

    /// The rows of a block and the windows of a table of so many points.
    pub(super) fn sizes<A: Arithmetic>(rows: usize, table_bytes: usize) -> (usize, Windows) {
        let block = rows.next_multiple_of(A::Fq::WIDTH).clamp(A::Fq::WIDTH, BLOCK);
        let padded = rows.next_multiple_of(block);
        // Entries are 31-bit indices.
        let most = (NEGATIVE as usize).saturating_mul(size_of::<TablePoint>());
        let bytes = table_bytes.min(most);
        let max_windows = bytes / (padded.max(1) * size_of::<TablePoint>());
        (block, Windows::choose(rows, max_windows))
    }

    /// A table that was made before, none of whose points is infinite.
    pub(super) fn from_kept(
        points: Vec<TablePoint>,
        rows: usize,
        (block, windows): (usize, Windows),
    ) -> Self {
        Self { points, rows, block, windows, infinite: Vec::new() }
    }

    /// The table of sums of points, without multiples.
    pub(super) fn of_sums(mut sums: Vec<TablePoint>) -> Self {
        let rows = sums.len();
        let mut infinite: Vec<bool> = sums.iter().map(TablePoint::is_infinity).collect();
        if !infinite.contains(&true) {
            infinite.clear();
        }
        sums.resize(rows.max(1), TablePoint::default());
        Self { block: sums.len(), points: sums, rows, windows: Windows::SINGLE, infinite }
    }

    /// The memory of its points.
    pub(super) fn into_points(self) -> Vec<TablePoint> {
        self.points
    }

    /// The points that entries refer to.
    pub(super) fn points(&self) -> &[TablePoint] {
        &self.points
    }

    /// The number of points it was made from.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// The multiples of each point.
    pub(super) fn windows(&self) -> Windows {
        self.windows
    }

    /// Whether some point is the point at infinity.
    pub(super) fn has_infinite(&self) -> bool {
        !self.infinite.is_empty()
    }

    /// Whether the point of this row is the point at infinity.
    #[inline]
    pub(super) fn is_infinite(&self, row: usize) -> bool {
        !self.infinite.is_empty() && self.infinite[row]
    }

    /// The entry of the point of a row; that of its window `w` is `w·window_stride()` more.
    #[inline]
    pub(super) fn entry(&self, row: usize) -> u32 {
        let index = row / self.block * self.windows.count() * self.block + row % self.block;
        lists::index(index)
    }

    /// From the entry of a window to that of the next.
    pub(super) fn window_stride(&self) -> u32 {
        u32::try_from(self.block).expect("a block is small")
    }
}

/// Fills the windows of the rows of a block; `points` may be fewer.
fn fill_block<A: Arithmetic>(
    arithmetic: A,
    table: &mut [TablePoint],
    block: usize,
    windows: Windows,
    points: &[G1Affine],
) {
    arithmetic.vectorize(
        #[inline(always)]
        || {
            let mut packs = load::<A::Fq>(points, block);
            let mut prefixes = vec![A::Fq::zero(); packs.len()];
            let (regular, short) = table.split_at_mut(block * windows.regular);
            for (window, table) in regular.chunks_exact_mut(block).enumerate() {
                if window > 0 {
                    for doublings in 0..windows.spacing {
                        if window == 1 && doublings == SHORT_BITS && windows.short {
                            store(&packs, short);
                        }
                        double(&mut packs, &mut prefixes);
                    }
                }
                store(&packs, table);
            }
        },
    );
}

/// Stores the points of a window.
#[inline(always)]
fn store<P: Coordinates>(packs: &[(P, P)], table: &mut [TablePoint]) {
    for (pack, table) in packs.iter().zip(table.chunks_exact_mut(P::WIDTH)) {
        P::store_points(
            pack.0,
            pack.1,
            #[inline(always)]
            |lane, point| table[lane] = point,
        );
    }
}

/// Coordinates of the points, with the generator for infinity and to fill the block.
#[inline(always)]
fn load<P: Coordinates>(points: &[G1Affine], block: usize) -> Vec<(P, P)> {
    let mut packs = Vec::with_capacity(block / P::WIDTH);
    let (mut x, mut y) = ([Fq::ZERO; MAX_WIDTH], [Fq::ZERO; MAX_WIDTH]);
    for first in (0..block).step_by(P::WIDTH) {
        for lane in 0..P::WIDTH {
            let point = match points.get(first + lane) {
                Some(point) if !bool::from(point.is_identity()) => *point,
                _ => G1Affine::generator(),
            };
            (x[lane], y[lane]) = (point.x, point.y);
        }
        packs.push((P::from_lanes(&x), P::from_lanes(&y)));
    }
    packs
}

/// Doubles finite points, with one inversion: the slope is `3x²/2y`, and `y` is never zero because
/// no point of the curve has order two.
#[inline(always)]
fn double<P: Coordinates>(points: &mut [(P, P)], prefixes: &mut [P]) {
    let mut product = P::splat(Fq::ONE);
    for ((_, y), prefix) in points.iter().zip(prefixes.iter_mut()) {
        *prefix = product;
        product = y.add_lazy(*y).mul_lazy(product);
    }
    let mut inverse = invert(product).expect("2y is not zero");
    for ((x, y), prefix) in points.iter_mut().zip(prefixes).rev() {
        let inverse_2y = inverse.mul(*prefix);
        inverse = y.add_lazy(*y).mul_lazy(inverse);
        let square = x.square();
        let slope = square.add_lazy(square).add_lazy(square).mul_lazy(inverse_2y);
        let new_x = slope.square().sub_lazy(x.add_lazy(*x)).relax();
        *y = x.sub_lazy(new_x).mul_lazy(slope).sub(*y);
        *x = new_x;
    }
}
