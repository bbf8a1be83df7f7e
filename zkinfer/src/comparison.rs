//! How close the integer output is to the float model's.

use serde::Serialize;

/// The comparison of one run.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// Names of the outputs, in order.
    pub output_names: Vec<String>,
    /// What the integers stand for, one list per output.
    pub output: Vec<Vec<f64>>,
    /// The float model's outputs.
    pub float_output: Vec<Vec<f64>>,
    /// The largest difference between the two.
    pub max_abs_error: f64,
    /// Whether the largest element is at the same place, in every output.
    pub argmax_matches: bool,
}

impl Comparison {
    /// Compares outputs, one list of each kind per name.
    #[must_use]
    pub fn new(
        output_names: Vec<String>,
        output: Vec<Vec<f64>>,
        float_output: Vec<Vec<f64>>,
    ) -> Self {
        let pairs = || output.iter().zip(&float_output);
        let differences = pairs().flat_map(|(a, b)| a.iter().zip(b).map(|(a, b)| (a - b).abs()));
        let max_abs_error = differences.fold(0.0, f64::max);
        let argmax_matches = pairs().all(|(a, b)| argmax(a) == argmax(b));
        Self { output_names, output, float_output, max_abs_error, argmax_matches }
    }
}

/// The first of the largest elements.
fn argmax(values: &[f64]) -> Option<usize> {
    let larger = |best: Option<(usize, f64)>, (index, &value): (usize, &f64)| match best {
        Some((_, largest)) if value <= largest => best,
        _ => Some((index, value)),
    };
    values.iter().enumerate().fold(None, larger).map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_go_to_the_first() {
        assert_eq!(argmax(&[1.0, 3.0, 3.0]), Some(1));
        assert_eq!(argmax(&[]), None);
    }

    #[test]
    fn the_largest_error_counts() {
        let names = vec!["a".to_owned(), "b".to_owned()];
        let output = vec![vec![1.0, 2.0], vec![5.0]];
        let comparison = Comparison::new(names, output, vec![vec![1.5, 2.0], vec![4.0]]);
        assert!((comparison.max_abs_error - 1.0).abs() < 1e-12);
        assert!(comparison.argmax_matches);
    }
}
