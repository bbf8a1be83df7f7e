//! How near answers are to being others: what a few samples say of the inputs that are not among
//! them.

use super::runs::real_count;
use crate::reading::Reading;

/// How far an answer is from another one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Margin {
    /// In the float model: from the largest score to the next, or from the threshold.
    float: f64,
    /// How far the integers move it, either way.
    moved: f64,
}

impl Margin {
    /// The margin of each answer of an output. A tie of the float model has no answer, so none.
    pub(super) fn of(reading: &Reading, integer: &[f64], float: &[f64]) -> Vec<Self> {
        let margins: Vec<Option<Self>> = match *reading {
            Reading::Values => Vec::new(),
            Reading::Side { threshold } => {
                let pairs = integer.iter().zip(float);
                pairs
                    .map(|(integer, float)| Self::new(integer - threshold, float - threshold))
                    .collect()
            }
            Reading::Class { classes, .. } => {
                let rows = integer.chunks(classes.max(1)).zip(float.chunks(classes.max(1)));
                rows.map(|(integer, float)| Self::of_row(integer, float)).collect()
            }
        };
        margins.into_iter().flatten().collect()
    }

    fn of_row(integer: &[f64], float: &[f64]) -> Option<Self> {
        let mut places: Vec<usize> = (0..float.len()).collect();
        places.sort_by(|&a, &b| float[b].total_cmp(&float[a]));
        let &[first, second, ..] = &places[..] else { return None };
        Self::new(integer[first] - integer[second], float[first] - float[second])
    }

    fn new(integer: f64, float: f64) -> Option<Self> {
        let margin = Self { float: float.abs(), moved: (integer - float).abs() };
        (margin.float > 0.0 && margin.moved.is_finite()).then_some(margin)
    }
}

/// The share of answers expected to be others: a margin that is smaller than what it is moved by is
/// lost, or not, as likely either way.
///
/// How many margins are that small follows from their density near 0. Of `n` samples hardly one is
/// so close; the density is that up to the √n-th smallest, as nearest neighbours estimate it.
pub(super) fn expected_other_answers(mut margins: Vec<Margin>) -> f64 {
    margins.sort_by(|a, b| a.float.total_cmp(&b.float));
    let neighbours = margins.len().isqrt().max(1);
    let Some(reach) = margins.get(neighbours - 1).map(|margin| margin.float) else { return 0.0 };
    let density = real_count(neighbours) / real_count(margins.len()) / reach;
    let lost = margins.iter().map(|margin| (margin.moved * density).min(1.0) / 2.0);
    lost.sum::<f64>() / real_count(margins.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_margin_is_that_of_the_two_best_or_that_of_a_side() {
        let class = Reading::Class { rows: 2, classes: 3 };
        let float = [1.0, 4.0, 2.0, 5.0, 5.0, 0.0];
        let integer = [9.0, 4.5, 2.25, 5.0, 4.0, 0.0];
        // The tie of the second row is no answer.
        assert_eq!(Margin::of(&class, &integer, &float), [Margin { float: 2.0, moved: 0.25 }]);
        let side = Reading::Side { threshold: 0.5 };
        let margins = Margin::of(&side, &[0.5, 0.625], &[0.25, 0.75]);
        let margin = Margin { float: 0.25, moved: 0.25 };
        assert_eq!(margins, [margin, Margin { moved: 0.125, ..margin }]);
        assert_eq!(Margin::of(&Reading::Values, &integer, &float), []);
    }

    #[test]
    fn answers_are_lost_as_often_as_margins_are_small() {
        let even = |moved| (1..=100).map(|i| Margin { float: f64::from(i), moved }).collect();
        // One margin of a hundred is below 1 or so, and is lost every second time.
        assert!((expected_other_answers(even(1.0)) - 0.005).abs() < 1e-12);
        assert!((expected_other_answers(even(10.0)) - 0.05).abs() < 1e-12);
        assert!((expected_other_answers(even(1e9)) - 0.5).abs() < 1e-12);
        assert!(expected_other_answers(even(0.0)).abs() < 1e-12);
        assert!(expected_other_answers(Vec::new()).abs() < 1e-12);
    }
}
