//! How the numbers of an output are read as an answer: a class, a side of a threshold, or neither.

use serde::Serialize;

use crate::activation::Activation;
use crate::calibration::{Calibration, CalibrationSource};
use crate::function::Function;
use crate::graph::Graph;
use crate::quantized::TensorId;

/// What the numbers of an output mean to those who act on them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Reading {
    /// The place of the largest element of each row is a class.
    Class {
        /// Rows, one answer each.
        rows: usize,
        /// Elements of a row.
        classes: usize,
    },
    /// Each element answers yes above the threshold and no below it.
    Side {
        /// The threshold.
        threshold: f64,
    },
    /// Numbers that are no choice: images, sequences, quantities.
    Values,
}

impl Reading {
    /// The reading of output `id`.
    ///
    /// The first dimension of an output of two or more is its rows. A row with one dimension of
    /// more than one element is a score for each class. A row of one element is compared with
    /// `threshold`, and without one with the default of the activation that gives it: 1/2 after a
    /// sigmoid, a hard sigmoid or a clip from 0 to 1; 0 where values have both signs (tanh, no
    /// activation), unless calibration samples had one sign only. Everything else is values.
    #[must_use]
    pub fn of(
        graph: &Graph,
        calibration: &Calibration,
        id: TensorId,
        threshold: Option<f64>,
    ) -> Self {
        let shape = &graph.tensor(id).shape;
        let (rows, row) = match &shape[..] {
            [rows, row @ ..] if !row.is_empty() => (*rows, row),
            row => (1, row),
        };
        let mut wide = row.iter().filter(|&&size| size != 1);
        match (wide.next(), wide.next()) {
            (Some(&classes), None) => Self::Class { rows, classes },
            (None, _) => threshold
                .or_else(|| default_threshold(graph, calibration, id))
                .map_or(Self::Values, |threshold| Self::Side { threshold }),
            _ => Self::Values,
        }
    }

    /// The answer of each row: its class, or 1 and 0 for yes and no. `None` where two classes share
    /// the largest score, or an element is the threshold itself. Empty for values.
    #[must_use]
    pub fn answers(&self, values: &[f32]) -> Vec<Option<usize>> {
        match *self {
            Self::Class { classes, .. } => values.chunks(classes.max(1)).map(largest).collect(),
            Self::Side { threshold } => values
                .iter()
                .map(|&value| {
                    let order = f64::from(value).partial_cmp(&threshold)?;
                    order.is_ne().then(|| usize::from(order.is_gt()))
                })
                .collect(),
            Self::Values => Vec::new(),
        }
    }
}

/// The place of the largest element, where only one is as large and all are numbers.
fn largest(row: &[f32]) -> Option<usize> {
    if row.iter().any(|value| value.is_nan()) {
        return None;
    }
    let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut places = row.iter().enumerate().filter(|&(_, &value)| value == most);
    let (place, _) = places.next()?;
    places.next().is_none().then_some(place)
}

fn default_threshold(graph: &Graph, calibration: &Calibration, id: TensorId) -> Option<f64> {
    let signed = || {
        let seen = calibration.outputs.get(&graph.tensor(id).name);
        let many =
            matches!(calibration.source, CalibrationSource::Samples { count, .. } if count > 1);
        let one_sign = seen.is_some_and(|range| range.lo >= 0.0 || range.hi <= 0.0);
        (!(many && one_sign)).then_some(0.0)
    };
    match last_activation(graph, id)? {
        Activation::Sigmoid | Activation::HardSigmoid { .. } => Some(0.5),
        Activation::Clip { min, max } if min == 0.0 && max == 1.0 => Some(0.5),
        Activation::Clip { min, max } if min >= 0.0 || max <= 0.0 => None,
        Activation::Relu | Activation::Softplus | Activation::Exp | Activation::Abs => None,
        Activation::Function(
            Function::IsPositive | Function::IsAbove | Function::IsNonNegative | Function::IsZero,
        ) => Some(0.5),
        Activation::Function(Function::Sqrt | Function::InverseSqrt { .. } | Function::Cosh) => {
            None
        }
        Activation::Identity
        | Activation::Clip { .. }
        | Activation::LeakyRelu { .. }
        | Activation::Tanh
        | Activation::HardSwish
        | Activation::Elu { .. }
        | Activation::Selu { .. }
        | Activation::Softsign
        | Activation::Erf
        | Activation::Gelu
        | Activation::Silu
        | Activation::Function(_) => signed(),
    }
}

/// The activation of the layer that gives the elements of `id`, through movement and maxima.
fn last_activation(graph: &Graph, id: TensorId) -> Option<Activation> {
    let producers = graph.producers();
    let mut id = id;
    loop {
        let op = &graph.nodes[producers[id.0]?].op;
        match op.passes() {
            Some(source) => id = source,
            None => return op.activation(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_and_missing_numbers_name_no_class() {
        let scores = Reading::Class { rows: 3, classes: 3 };
        let rows = [1.0, 3.0, 2.0, 3.0, 1.0, 3.0, f32::NAN, 1.0, 0.0];
        assert_eq!(scores.answers(&rows), [Some(1), None, None]);
        let zeros = Reading::Class { rows: 1, classes: 10 };
        assert_eq!(zeros.answers(&[0.0; 10]), [None]);
    }

    #[test]
    fn an_element_on_the_threshold_is_on_no_side() {
        let side = Reading::Side { threshold: 0.5 };
        assert_eq!(side.answers(&[0.4, 0.5, 0.6, f32::NAN]), [Some(0), None, Some(1), None]);
        assert_eq!(Reading::Values.answers(&[1.0, 2.0]), []);
    }
}
