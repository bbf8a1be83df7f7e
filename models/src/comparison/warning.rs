//! What a user must be told, in data and in words.

use serde::Serialize;

use super::blame::{self, Blame};
use super::inputs::InputComparison;
use super::layers::LayerComparison;
use super::outputs::{OutputComparison, differing};
use super::runs::{Runs, Tolerance, max_error};
use crate::numbers::narrow;
use crate::quantized::TensorId;
use crate::reading::Reading;

/// A way in which the integers do not do what the float model does.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Warning {
    /// The integers name another class, or none because several share the largest score.
    AnotherClass {
        /// The output.
        output: String,
        /// The first row with another class.
        row: usize,
        /// How many rows have another class.
        rows: usize,
        /// The float model's class.
        float: usize,
        /// The integers' class.
        integer: Option<usize>,
        /// Where it comes from.
        blame: Blame,
    },
    /// A number is on the other side of its threshold, or on it.
    OtherSide {
        /// The output.
        output: String,
        /// The first row that is.
        row: usize,
        /// How many rows are.
        rows: usize,
        /// The threshold.
        threshold: f64,
        /// The float model's number.
        float: f32,
        /// What the integer stands for.
        integer: f32,
        /// Where it comes from.
        blame: Blame,
    },
    /// An output is far off.
    LargeError {
        /// The output.
        output: String,
        /// The largest difference of an element.
        max_error: f64,
        /// The same as a share of what calibration saw there.
        share: f64,
        /// The share from which on it is a warning.
        limit: f64,
        /// Where it comes from.
        blame: Blame,
    },
    /// The float model itself gives infinity or no number, which integers cannot.
    NotFinite {
        /// The output.
        output: String,
        /// How many of its elements.
        count: usize,
    },
    /// Inputs beyond the range that the key fixes.
    InputsClamped {
        /// The input.
        input: String,
        /// How many elements.
        count: usize,
        /// Of how many.
        elements: usize,
        /// Smallest and largest value that the key's integers hold.
        range: (f64, f64),
        /// The furthest beyond.
        by: f64,
    },
    /// Inputs that are not on the grid on which the key's integers are exact.
    InputsMoved {
        /// The input.
        input: String,
        /// How many elements.
        count: usize,
        /// Of how many.
        elements: usize,
        /// Steps of the grid from 0 to its largest value.
        levels: u32,
        /// The furthest move.
        by: f64,
    },
}

impl Warning {
    /// Whether the answer itself is another: a class, or a side of the threshold.
    #[must_use]
    pub fn is_other_answer(&self) -> bool {
        matches!(self, Self::AnotherClass { .. } | Self::OtherSide { .. })
    }

    /// What a user can do about it.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self {
            Self::AnotherClass { blame, .. }
            | Self::OtherSide { blame, .. }
            | Self::LargeError { blame, .. } => blame.cause.advice(),
            Self::NotFinite { .. } => "use an input for which the model gives numbers",
            Self::InputsClamped { .. } => {
                "make the key from samples that cover inputs like this one"
            }
            Self::InputsMoved { .. } => "make the key from real samples in place of this grid",
        }
    }
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AnotherClass { output, row, rows, float, integer, blame } => {
                write!(f, "output `{output}`{} is ", rows_affected(*row, *rows))?;
                match integer {
                    Some(class) => write!(f, "class {class}")?,
                    None => write!(f, "a tie, no class")?,
                }
                write!(f, ", the float model says class {float}: {blame}")?;
            }
            Self::OtherSide { output, row, rows, threshold, float, integer, blame } => write!(
                f,
                "output `{output}`{} is {integer}, the float model says {float}, \
                 on the other side of {threshold}: {blame}",
                rows_affected(*row, *rows)
            )?,
            Self::LargeError { output, max_error, share, limit, blame } => write!(
                f,
                "output `{output}` is off by {max_error:.6}, which is {:.1} % of its range \
                 (more than {:.1} %): {blame}",
                100.0 * share,
                100.0 * limit
            )?,
            Self::NotFinite { output, count } => write!(
                f,
                "output `{output}`: {count} elements of the float model are infinite or no \
                 number, which integers cannot say"
            )?,
            Self::InputsClamped { input, count, elements, range, by } => write!(
                f,
                "input `{input}`: {count} of {elements} elements are beyond the range of the \
                 key, {:.6} to {:.6}, and count as its nearest end (the furthest by {by:.6})",
                range.0, range.1
            )?,
            Self::InputsMoved { input, count, elements, levels, by } => write!(
                f,
                "input `{input}`: {count} of {elements} elements are not on the grid of {levels} \
                 steps that the calibration found, and are moved to it (the furthest by {by:.6})"
            )?,
        }
        write!(f, "; {}", self.advice())
    }
}

fn rows_affected(row: usize, rows: usize) -> String {
    match (row, rows) {
        (0, 1) => String::new(),
        (row, 1) => format!(", row {row},"),
        (row, rows) => format!(", row {row} and {} more,", rows - 1),
    }
}

pub(super) fn warnings(
    runs: &Runs<'_>,
    inputs: &[InputComparison],
    layers: &[LayerComparison],
    outputs: &[OutputComparison],
    tolerance: &Tolerance,
) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for (&id, output) in runs.forms.graph.outputs.iter().zip(outputs) {
        if output.not_finite > 0 {
            let (output, count) = (output.output.clone(), output.not_finite);
            warnings.push(Warning::NotFinite { output, count });
        }
        warnings.extend(other_answer(runs, inputs, layers, id, output));
        if output.error_share > tolerance.max_error {
            let float = &runs.trace.values[id.0];
            let half = output.max_error / 2.0;
            let is_wrong = |values: &[f64]| max_error(values, float) >= half;
            warnings.push(Warning::LargeError {
                output: output.output.clone(),
                max_error: output.max_error,
                share: output.error_share,
                limit: tolerance.max_error,
                blame: blame::find(runs, inputs, layers, id, is_wrong),
            });
        }
    }
    warnings.extend(inputs.iter().flat_map(input_warnings));
    warnings
}

fn other_answer(
    runs: &Runs<'_>,
    inputs: &[InputComparison],
    layers: &[LayerComparison],
    id: TensorId,
    output: &OutputComparison,
) -> Option<Warning> {
    let row = output.first_other_answer()?;
    let (rows, name) = (output.other_answers(), output.output.clone());
    let is_wrong = |values: &[f64]| {
        let values: Vec<f32> = values.iter().copied().map(narrow).collect();
        let answers = output.reading.answers(&values);
        differing(&answers, &output.float_answers).any(|other| other == row)
    };
    let blame = blame::find(runs, inputs, layers, id, is_wrong);
    match output.reading {
        Reading::Class { .. } => Some(Warning::AnotherClass {
            output: name,
            row,
            rows,
            float: output.float_answers[row]?,
            integer: output.integer_answers[row],
            blame,
        }),
        Reading::Side { threshold } => Some(Warning::OtherSide {
            output: name,
            row,
            rows,
            threshold,
            float: output.float[row],
            integer: output.integer[row],
            blame,
        }),
        Reading::Values => None,
    }
}

fn input_warnings(input: &InputComparison) -> Vec<Warning> {
    let (name, elements, by) = (&input.input, input.elements, input.largest_move);
    let mut warnings = Vec::new();
    if input.clamped > 0 {
        let (count, range) = (input.clamped, input.range);
        let input = name.clone();
        warnings.push(Warning::InputsClamped { input, count, elements, range, by });
    }
    if let (Some(levels), 1..) = (input.levels, input.moved) {
        let (count, input) = (input.moved, name.clone());
        warnings.push(Warning::InputsMoved { input, count, elements, levels, by });
    }
    warnings
}
