//! What quantization does to the inputs.

use ndarray::ArrayD;
use serde::Serialize;

use super::runs::real;
use crate::calibration::{Calibration, GRID_TOLERANCE, InputRange};
use crate::quantized::{QuantizedGraph, QuantizedTensor};

/// What became of one input.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InputComparison {
    /// Its name.
    pub input: String,
    /// Its elements.
    pub elements: usize,
    /// Elements beyond the range that the key fixes: they count as its nearest end.
    pub clamped: usize,
    /// Elements within the range that are moved, because they are not on the grid that calibration
    /// found. Rounding to a quantum that calibration did not take for a grid is no move.
    pub moved: usize,
    /// Steps from 0 to the largest value of that grid; `None` where there is none.
    pub levels: Option<u32>,
    /// The furthest that an element is moved or clamped.
    pub largest_move: f64,
    /// Smallest and largest value that the key's integers hold, in the widest column.
    pub range: (f64, f64),
}

pub(super) fn compare(
    quantized: &QuantizedGraph,
    calibration: &Calibration,
    inputs: &[ArrayD<f32>],
) -> Vec<InputComparison> {
    let tensors = quantized.inputs.iter().map(|id| &quantized.tensors[id.0]);
    tensors
        .zip(inputs)
        .map(|(tensor, input)| {
            let levels = calibration.inputs.get(&tensor.name).and_then(|range| grid(range, tensor));
            compare_one(tensor, levels, input)
        })
        .collect()
}

/// The grid on which the integers of `tensor` are exact.
fn grid(input: &InputRange, tensor: &QuantizedTensor) -> Option<u32> {
    let largest = input.range.magnitude();
    let off = |levels: &u32| (f64::from(*levels) * tensor.scale - largest).abs();
    input.levels.filter(|levels| off(levels) <= largest * f64::EPSILON * 4.0)
}

fn compare_one(
    tensor: &QuantizedTensor,
    levels: Option<u32>,
    input: &ArrayD<f32>,
) -> InputComparison {
    let (lo, hi) = (real(tensor.lo), real(tensor.hi));
    let mut comparison = InputComparison {
        input: tensor.name.clone(),
        elements: input.len(),
        clamped: 0,
        moved: 0,
        levels,
        largest_move: 0.0,
        range: (lo * tensor.scale, hi * tensor.scale),
    };
    for (element, &x) in input.iter().enumerate() {
        let scale = tensor.scale_of(element);
        let step = tensor.rounded(element, x);
        let kept = step.clamp(lo, hi);
        let by = (f64::from(x) - kept * scale).abs();
        let is_clamped = step != kept;
        let is_moved = levels.is_some() && by > GRID_TOLERANCE * scale;
        comparison.clamped += usize::from(is_clamped);
        comparison.moved += usize::from(is_moved && !is_clamped);
        if is_clamped || is_moved {
            comparison.largest_move = comparison.largest_move.max(by);
        }
    }
    comparison
}
