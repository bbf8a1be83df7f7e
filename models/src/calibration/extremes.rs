//! How far the values of many inputs go beyond those of a few samples.

use super::Range;

/// Of so many inputs, one is expected to go further.
const INPUTS: f64 = 10_000.0;
/// Fewer samples than these say nothing about the spread of their largest values.
const FEWEST: f64 = 8.0;
/// What the largest of each sample follows is Gumbel's distribution, as the largest of many do; this
/// is its scale as a share of its standard deviation, √6/π.
const GUMBEL_SCALE: f64 = 0.779_696_801_233_676;
/// What its mean lies above its location, in units of its scale: Euler's constant.
const GUMBEL_MEAN: f64 = 0.577_215_664_901_533;

/// The smallest and the largest value of each of several samples, as far as they are needed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extremes {
    range: Range,
    lower: Moments,
    upper: Moments,
}

impl Extremes {
    /// Of one sample.
    pub(super) fn of(range: Range) -> Self {
        Self { range, lower: Moments::of(-range.lo), upper: Moments::of(range.hi) }
    }

    /// Of the samples of both.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            range: self.range.union(other.range),
            lower: self.lower.and(other.lower),
            upper: self.upper.and(other.upper),
        }
    }

    /// The range of all samples.
    pub(super) fn range(&self) -> Range {
        self.range
    }

    /// The range which `headroom` times goes as far as many inputs like these samples, each end
    /// where the samples have it or further out.
    pub(super) fn expected(&self, headroom: f64) -> Range {
        let lo = -self.lower.expected(-self.range.lo, headroom);
        Range { lo, hi: self.upper.expected(self.range.hi, headroom) }
    }
}

/// Count, sum and sum of squares.
#[derive(Clone, Copy, Debug)]
struct Moments {
    count: f64,
    sum: f64,
    squares: f64,
}

impl Moments {
    const fn of(value: f64) -> Self {
        Self { count: 1.0, sum: value, squares: value * value }
    }

    fn and(self, other: Self) -> Self {
        Self {
            count: self.count + other.count,
            sum: self.sum + other.sum,
            squares: self.squares + other.squares,
        }
    }

    /// The end which `headroom` times lies where one in [`INPUTS`] inputs goes further, if that is
    /// beyond the largest value `seen`.
    fn expected(&self, seen: f64, headroom: f64) -> f64 {
        if self.count < FEWEST {
            return seen;
        }
        let mean = self.sum / self.count;
        let variance = (self.squares / self.count - mean * mean).max(0.0);
        let scale = GUMBEL_SCALE * variance.sqrt();
        let end = mean + scale * (INPUTS.ln() - GUMBEL_MEAN);
        // An end is moved outward by a share of its magnitude.
        let within = if end > 0.0 { end / headroom } else { end / (2.0 - headroom) };
        seen.max(within)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extremes(ranges: &[(f64, f64)]) -> Extremes {
        let of = |&(lo, hi)| Extremes::of(Range { lo, hi });
        ranges.iter().map(of).reduce(Extremes::and).unwrap()
    }

    #[test]
    fn samples_alike_say_that_others_are_like_them() {
        let alike = extremes(&[(-2.0, 4.0); 20]);
        assert_eq!(alike.expected(1.25), Range { lo: -2.0, hi: 4.0 });
        let nearly = extremes(&[(-2.0, 4.0), (-2.1, 3.9)].repeat(10));
        assert_eq!(nearly.expected(1.25), Range { lo: -2.1, hi: 4.0 });
    }

    #[test]
    fn samples_unlike_each_other_say_that_others_go_further() {
        let ranges: Vec<_> = (0..20).map(|i| (0.0, 1.0 + f64::from(i * i % 20))).collect();
        let unlike = extremes(&ranges);
        let (seen, reach) = (unlike.range(), unlike.expected(1.25));
        assert_eq!((seen.lo, reach.lo), (0.0, 0.0));
        // Mean and deviation of the largest values are 7.5 and 5.6.
        assert!(reach.hi > 1.9 * seen.hi && reach.hi < 2.3 * seen.hi, "{reach:?} {seen:?}");
        assert_eq!(extremes(&ranges[..7]).expected(1.25), extremes(&ranges[..7]).range());
        // Ends below 0 may move beyond it.
        let below: Vec<_> = (1..=20).map(|i| (-30.0, -f64::from(i))).collect();
        assert!(extremes(&below).expected(1.25).hi > 0.0);
    }
}
