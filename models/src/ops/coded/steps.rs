//! Whole factors and offsets under which rounding a sum gives what a rule says.
//!
//! A rule never decreases, so it is a list of thresholds: for each code the least sum that has it.
//! Rounding `factor · sum + offset` gives the same codes exactly where, for every threshold `τ` of
//! a code `k`, `factor · τ + offset` reaches `k` and `factor · (τ − 1) + offset` does not. That is
//! an interval of offsets for each code, as wide as the factor.

use super::rule::Rule;
use crate::numbers::{integer, real};

/// Most factors that are tried.
const FACTORS: i64 = 24;

/// The least sum for each code after the first that a rule gives in a range of sums.
#[derive(Clone, Debug)]
pub(super) struct Steps {
    /// Codes and sums.
    thresholds: Vec<[i64; 2]>,
    /// The smallest code and sum, where the code is not the smallest of all.
    start: Option<[i64; 2]>,
    /// The code after the largest, which the largest sum does not reach, unless there is none.
    end: Option<[i64; 2]>,
    /// What a unit of a sum is of a code.
    multiplier: f64,
}

/// `factor · sum + offset`, and how many codes begin at another sum than the rule says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Line {
    pub(super) factor: i64,
    pub(super) offset: i64,
    pub(super) misplaced: usize,
}

impl Line {
    /// The line under which sums between these ends, rounded by `shift` digits, are their quotients
    /// by `divisor` rounded down. With `factor · divisor = 2^shift + excess`, a sum `k·divisor + r`
    /// is `k` units and `r·2^shift/divisor + sum·excess/divisor + offset'` parts of one, which must
    /// be from 0 to below `2^shift`.
    pub(super) fn quotient(divisor: i64, [lo, hi]: [i64; 2], shift: u32) -> Self {
        let one = 1_i128 << shift;
        let wide = i128::from(divisor);
        let factor = (one + wide - 1) / wide;
        let excess = factor * wide - one;
        let offset = (excess * i128::from(lo.min(0).unsigned_abs()) + wide - 1) / wide;
        let is_exact = excess * i128::from(hi.max(0)) + wide * offset < one;
        // Rounding adds half a unit.
        let offset = i64::try_from(offset - one / 2).unwrap_or(i64::MAX / 2);
        let factor = i64::try_from(factor).unwrap_or(i64::MAX / 2);
        Self { factor, offset, misplaced: usize::from(!is_exact) }
    }
}

impl Steps {
    /// The thresholds of a channel for sums and codes in these ranges.
    pub(super) fn of(rule: &Rule, channel: usize, sums: [i64; 2], codes: [i64; 2]) -> Self {
        let code = |sum| rule.of_sum(channel, sum).clamp(codes[0], codes[1]);
        let (first, last) = (code(sums[0]), code(sums[1]));
        let mut thresholds = Vec::new();
        let mut below = sums[0];
        for wanted in first + 1..=last {
            // The least sum with at least this code lies above `below` and is not above `reached`.
            let mut reached = sums[1];
            while reached - below > 1 {
                let middle = below + (reached - below) / 2;
                if code(middle) >= wanted { reached = middle } else { below = middle }
            }
            thresholds.push([wanted, reached]);
            below = reached - 1;
        }
        let start = (first > codes[0]).then_some([first, sums[0]]);
        let end = (last < codes[1]).then_some([last + 1, sums[1]]);
        Self { thresholds, start, end, multiplier: rule.multiplier(channel) }
    }

    /// The sums between which codes change, and one more on either side.
    pub(super) fn window(&self) -> Option<[i64; 2]> {
        let ([_, first], [_, last]) = (self.thresholds.first()?, self.thresholds.last()?);
        Some([first - 1, *last])
    }

    /// The best line whose values are rounded by `shift` digits; without a place for an offset it
    /// is 0.
    pub(super) fn line(&self, shift: u32, has_offset: bool) -> Line {
        let one = 1_i64 << shift;
        let ideal = self.multiplier * real(one);
        // A weight has at most 32 bits; beyond that no factor is of use.
        let centre = integer(ideal.round()).clamp(1, 1 << 32);
        // Beyond this distance from the ideal, the last threshold is off by a whole sum.
        let reach = self.thresholds.iter().map(|[_, sum]| sum.abs()).max().unwrap_or(1).max(1);
        let step = (centre / reach / FACTORS).max(1);
        let mut best = Line { factor: centre, offset: 0, misplaced: usize::MAX };
        for place in 0..=2 * FACTORS {
            let distance = if place % 2 == 0 { place / 2 } else { -(place + 1) / 2 };
            let factor = centre + distance * step;
            if factor < 1 {
                continue;
            }
            let line = self.with_factor(factor, shift, has_offset);
            if line.misplaced < best.misplaced {
                best = line;
            }
            if best.misplaced == 0 {
                break;
            }
        }
        best
    }

    /// The line with this factor whose offset serves most thresholds.
    fn with_factor(&self, factor: i64, shift: u32, has_offset: bool) -> Line {
        // The least offset with which a sum reaches a code.
        let least = |[code, sum]: [i64; 2]| {
            let unit = i128::from(code) << shift;
            let least = unit - (1_i128 << shift) / 2 - i128::from(factor) * i128::from(sum);
            i64::try_from(least).unwrap_or(if least < 0 { i64::MIN / 2 } else { i64::MAX / 2 })
        };
        let inner = self.thresholds.iter().map(|&threshold| {
            let from = least(threshold);
            (from, from.saturating_add(factor))
        });
        let start = self.start.map(|end| (least(end), i64::MAX));
        let end = self.end.map(|end| (i64::MIN, least(end)));
        stabbed(factor, inner.chain(start).chain(end).collect(), has_offset)
    }
}

/// The offset that is in most of the intervals, which do not contain their ends.
pub(super) fn stabbed(factor: i64, intervals: Vec<(i64, i64)>, has_offset: bool) -> Line {
    let missed =
        |offset: i64| intervals.iter().filter(|(from, to)| !(*from..*to).contains(&offset)).count();
    if !has_offset {
        return Line { factor, offset: 0, misplaced: missed(0) };
    }
    let from = intervals.iter().map(|interval| interval.0).max().unwrap_or(0);
    let to = intervals.iter().map(|interval| interval.1).min().unwrap_or(1);
    if from < to {
        // Every offset between serves all: the middle, or the finite end.
        let offset = match (from, to) {
            (i64::MIN, i64::MAX) => 0,
            (i64::MIN, to) => to - 1,
            (from, i64::MAX) => from,
            (from, to) => from + (to - 1 - from) / 2,
        };
        return Line { factor, offset, misplaced: 0 };
    }
    let mut begins: Vec<i64> = intervals.iter().map(|interval| interval.0).collect();
    let mut ends: Vec<i64> = intervals.iter().map(|interval| interval.1).collect();
    begins.sort_unstable();
    ends.sort_unstable();
    let mut best = Line { factor, offset: 0, misplaced: usize::MAX };
    let mut ended = 0;
    for (place, &offset) in begins.iter().enumerate() {
        // Of equal beginnings the last one counts them all.
        if begins.get(place + 1) == Some(&offset) {
            continue;
        }
        ended += ends[ended..].iter().take_while(|to| **to <= offset).count();
        let misplaced = intervals.len() - (place + 1 - ended);
        if misplaced < best.misplaced && offset > i64::MIN {
            best = Line { factor, offset, misplaced };
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounded(value: i64, shift: u32) -> i64 {
        (value + (1 << (shift - 1))) >> shift
    }

    /// Codes of every sum in the range, by the line and by the rule; as many differ as thresholds
    /// are misplaced, or none.
    #[test]
    fn a_line_without_misplaced_thresholds_is_the_rule() {
        for (position, multiplier) in
            [0.003_7_f32, 0.011, 0.049_3, 0.000_91, 0.25, 0.007_8].into_iter().enumerate()
        {
            let rule = Rule::Scaled { multipliers: vec![multiplier] };
            let sums = [-70_000, 90_000 + i64::try_from(position).unwrap()];
            let codes = [-128, 127];
            let steps = Steps::of(&rule, 0, sums, codes);
            for shift in [16, 24, 30] {
                let line = steps.line(shift, true);
                let differs = |sum: &i64| {
                    let z = rounded(line.factor * sum + line.offset, shift);
                    z.clamp(codes[0], codes[1]) != rule.of_sum(0, *sum).clamp(codes[0], codes[1])
                };
                let differing = (sums[0]..=sums[1]).filter(differs).count();
                assert_eq!(differing == 0, line.misplaced == 0, "{multiplier} {shift} {line:?}");
            }
        }
    }

    /// Every sum in the range, at both of its ends too; a line that is told to be exact is.
    #[test]
    fn quotients_are_rounded_down_where_the_line_says_so() {
        let mut exact = 0;
        for divisor in [1, 2, 3, 5, 7, 8, 23, 24, 100, 255, 256, 1000, 32_767] {
            for [lo, hi] in [[-70_000, 90_000], [0, 255], [-128, 127], [-3000, -1000], [5, 70_000]]
            {
                for shift in [16, 20, 24, 30] {
                    let line = Line::quotient(divisor, [lo, hi], shift);
                    let z = |sum: i64| rounded(line.factor * sum + line.offset, shift);
                    let is_right = (lo..=hi).all(|sum| z(sum) == sum.div_euclid(divisor));
                    assert!(is_right || line.misplaced > 0, "{divisor} {lo} {hi} {shift}");
                    exact += usize::from(line.misplaced == 0);
                    assert!(line.misplaced == 0 || shift < 30 || divisor > 1000);
                }
            }
        }
        assert!(exact > 200, "{exact}");
    }

    #[test]
    fn ties_to_even_are_no_line() {
        let rule = Rule::Scaled { multipliers: vec![0.25] };
        let steps = Steps::of(&rule, 0, [-200, 200], [-128, 127]);
        assert!(steps.line(30, true).misplaced > 0);
        assert_eq!(steps.window(), Some([-198, 198]));
        let rule = Rule::Scaled { multipliers: vec![1.0] };
        let steps = Steps::of(&rule, 0, [-200, 200], [-128, 127]);
        assert_eq!(steps.line(16, true).misplaced, 0);
    }
}
