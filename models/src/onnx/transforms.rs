//! Fourier transforms, which are constant matrices, and the constants that go with them.

use super::compose::{Lowered, count, whole};
use super::constant::Constant;
use super::error::ImportError;
use super::importer::Importer;
use super::node::OnnxNode;
use super::operators::{Operator, operator};
use crate::view::View;

pub(super) const OPERATORS: &[Operator] = &[
    operator("BlackmanWindow", &[17], WINDOW, window),
    operator("DFT", &[17, 20], &["axis", "inverse", "onesided"], dft),
    operator("HammingWindow", &[17], WINDOW, window),
    operator("HannWindow", &[17], WINDOW, window),
    operator("MelWeightMatrix", &[17], &["output_datatype"], mel_weights),
    operator("STFT", &[17], &["onesided"], stft),
];

const WINDOW: &[&str] = &["output_datatype", "periodic"];

/// A transform along one axis.
struct Transform {
    /// Numbers that are read, and 1 for real ones or 2 for complex ones.
    input: [usize; 2],
    /// Of how many numbers the transform is; others are 0.
    length: usize,
    /// Numbers of the result, and their components.
    output: [usize; 2],
    inverse: bool,
    /// Whether the numbers read are the first half of a spectrum of real numbers.
    is_half: bool,
}

impl Transform {
    /// The matrix from numbers and components to numbers and components.
    fn matrix(
        &self,
        node: &OnnxNode<'_>,
        importer: &mut Importer,
    ) -> Result<Constant, ImportError> {
        let [[numbers, components], [results, parts]] = [self.input, self.output];
        let shape = vec![numbers * components, results * parts];
        importer.budget.elements(&node.name, &shape)?;
        let mut matrix = vec![0.0; shape[0] * shape[1]];
        for number in 0..numbers.min(self.length) {
            let factor = match (self.inverse, self.is_half) {
                (false, _) => 1.0,
                (true, false) => 1.0 / count(self.length),
                // What a half leaves out is its mirror image.
                (true, true) if number == 0 || 2 * number == self.length => {
                    1.0 / count(self.length)
                }
                (true, true) => 2.0 / count(self.length),
            };
            for result in 0..results {
                let turns = count(number * result % self.length) / count(self.length);
                let angle = 2.0 * std::f64::consts::PI * turns;
                let cosine = factor * libm::cos(angle);
                let sine = factor * libm::sin(angle) * if self.inverse { 1.0 } else { -1.0 };
                for component in 0..components {
                    // The real and the imaginary part of (1 or i) · (cos + i · sin).
                    let product = if component == 0 { [cosine, sine] } else { [-sine, cosine] };
                    let row = (number * components + component) * shape[1] + result * parts;
                    matrix[row..row + parts].copy_from_slice(&product[..parts]);
                }
            }
        }
        Ok(Constant::reals(shape, matrix))
    }
}

/// `DFT`: the axis is an attribute before operator set 20, an operand since.
fn dft(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let value = node.operand(0)?;
    let shape = importer.shape_of(value);
    let rank = shape.len();
    if rank < 2 || !(1..=2).contains(&shape[rank - 1]) {
        return Err(node.wrong_shape("the last dimension is 1 or 2", &[&shape]));
    }
    let given = if node.opset < 20 {
        node.int("axis")?.unwrap_or(1)
    } else {
        match node.optional(2) {
            None => -2,
            Some(_) => one_integer(node, 2)?,
        }
    };
    let axis = node.axis_up_to(given, rank, rank - 1)?;
    let (inverse, onesided) = (node.flag("inverse", false)?, node.flag("onesided", false)?);
    let is_half = inverse && onesided;
    let length = match node.optional(1) {
        Some(_) => usize::try_from(one_integer(node, 1)?).ok().filter(|&length| length > 0),
        None if is_half => Some(2 * (shape[axis] - 1)).filter(|&length| length > 0),
        None => Some(shape[axis]),
    };
    let length = length.ok_or_else(|| node.wrong_operand(1, "a length of 1 or more"))?;
    let (results, parts) = match (onesided, inverse) {
        (true, false) => (length / 2 + 1, 2),
        (true, true) => (length, 1),
        (false, _) => (length, 2),
    };
    let input = [shape[axis], shape[rank - 1]];
    let transform = Transform { input, length, output: [results, parts], inverse, is_half };
    let matrix = transform.matrix(node, importer)?.into();
    // The axis goes beside the components.
    let mut order: Vec<usize> = (0..rank).filter(|&other| other != axis).collect();
    order.insert(rank - 2, axis);
    let moved = importer.transposed(node, value, &order)?;
    let outer: usize = shape.iter().product::<usize>() / (input[0] * input[1]).max(1);
    let flat = importer.reshaped(node, &moved, vec![outer, input[0] * input[1]])?;
    let product = importer.matrix_product(node, &flat, &matrix)?;
    let mut output: Vec<usize> = order.iter().map(|&axis| shape[axis]).collect();
    (output[rank - 2], output[rank - 1]) = (results, parts);
    let product = importer.reshaped(node, &product, output)?;
    let mut back: Vec<usize> = (0..rank - 2).collect();
    back.insert(axis, rank - 2);
    back.push(rank - 1);
    Ok(vec![importer.transposed(node, &product, &back)?])
}

/// `STFT`: frames of a signal, each weighted by a constant window and transformed.
fn stft(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let value = node.operand(0)?;
    let shape = importer.shape_of(value);
    let (batch, samples, components) = match shape[..] {
        [batch, samples] => (batch, samples, 1),
        [batch, samples, components @ (1 | 2)] => (batch, samples, components),
        _ => return Err(node.wrong_shape("[batch, samples, 1 or 2]", &[&shape])),
    };
    let positive = |index: usize| {
        let number = usize::try_from(one_integer(node, index)?).ok().filter(|&n| n > 0);
        number.ok_or_else(|| node.wrong_operand(index, "1 or more"))
    };
    let step = positive(1)?;
    let window = match node.optional(2) {
        None => None,
        Some(_) => Some(node.reals(2)?.1.to_vec()),
    };
    let length = match (node.optional(3), &window) {
        (Some(_), _) => positive(3)?,
        (None, Some(window)) => window.len(),
        (None, None) => return Err(node.wrong_operand(3, "given, or a window")),
    };
    let window = window.unwrap_or_else(|| vec![1.0; length]);
    if length > samples || window.len() != length {
        return Err(node.wrong_operand(2, "as long as a frame, which the signal must hold"));
    }
    let onesided = node.flag("onesided", true)? && components == 1;
    let frames = (samples - length) / step + 1;
    let results = if onesided { length / 2 + 1 } else { length };
    let input = [length, components];
    let transform =
        Transform { input, length, output: [results, 2], inverse: false, is_half: false };
    let mut matrix = transform.matrix(node, importer)?;
    if let super::constant::Data::Real(data) = &mut matrix.data {
        let row = components * results * 2;
        data.iter_mut().enumerate().for_each(|(place, weight)| *weight *= window[place / row]);
    }
    let width = length * components;
    let strides = [samples * components, step * components, 1];
    let framed = importer.select(node, value, vec![batch, frames, width], |output| {
        View::strided(output, &strides, 0)
    })?;
    let product = importer.matrix_product(node, &framed, &matrix.into())?;
    Ok(vec![importer.reshaped(node, &product, vec![batch, frames, results, 2])?])
}

/// The windows of signals, whose length is known.
fn window(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    node.has_no_effect(&["output_datatype"]);
    let length = usize::try_from(one_integer(node, 0)?).ok().filter(|&length| length > 0);
    let length = length.ok_or_else(|| node.wrong_operand(0, "a length of 1 or more"))?;
    importer.budget.elements(&node.name, &[length])?;
    let period = if node.flag("periodic", true)? { length } else { (length - 1).max(1) };
    let waves: [f64; 3] = match node.op() {
        "HannWindow" => [0.5, -0.5, 0.0],
        "HammingWindow" => [25.0 / 46.0, -21.0 / 46.0, 0.0],
        _ => [0.42, -0.5, 0.08],
    };
    let weight = |place: usize| {
        let angle = 2.0 * std::f64::consts::PI * count(place) / count(period);
        waves[0] + waves[1] * libm::cos(angle) + waves[2] * libm::cos(2.0 * angle)
    };
    Ok(vec![Constant::reals(vec![length], (0..length).map(weight).collect()).into()])
}

/// `MelWeightMatrix`: triangles over the bins of a spectrum, evenly spaced in mels.
fn mel_weights(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    node.has_no_effect(&["output_datatype"]);
    let size = |index: usize| {
        let size = usize::try_from(one_integer(node, index)?).ok().filter(|&size| size > 0);
        size.ok_or_else(|| node.wrong_operand(index, "1 or more"))
    };
    let (bands, length, rate) = (size(0)?, size(1)?, size(2)?);
    let edge = |index: usize| match node.constant(index)?.to_reals()[..] {
        [edge] if edge.is_finite() && edge >= 0.0 => Ok(edge),
        _ => Err(node.wrong_operand(index, "a frequency")),
    };
    let [lower, upper] =
        [edge(3)?, edge(4)?].map(|hertz| 2595.0 * libm::log10(1.0 + hertz / 700.0));
    let bins = length / 2 + 1;
    importer.budget.elements(&node.name, &[bins, bands])?;
    // One part more than there are gaps, as the standard writes it.
    let step = (upper - lower) / count(bands + 2);
    let center = |band: usize| {
        let hertz = 700.0 * (libm::pow(10.0, (lower + count(band) * step) / 2595.0) - 1.0);
        whole((count(length + 1) * hertz / count(rate)).floor()).unwrap_or(0)
    };
    let centers: Vec<i64> = (0..bands + 2).map(center).collect();
    let real = super::constant::real;
    let weight = |bin: i64, band: usize| {
        let [from, top, to] = [centers[band], centers[band + 1], centers[band + 2]];
        if from == top && bin == top {
            1.0
        } else if (from..top).contains(&bin) {
            real(bin - from) / real(top - from)
        } else if (top..to).contains(&bin) {
            real(to - bin) / real(to - top)
        } else {
            0.0
        }
    };
    let bin = |bin: usize| i64::try_from(bin).unwrap_or(i64::MAX);
    let weights = (0..bins)
        .flat_map(|at| (0..bands).map(move |band| (bin(at), band)))
        .map(|(b, m)| weight(b, m));
    Ok(vec![Constant::reals(vec![bins, bands], weights.collect()).into()])
}

/// The one integer that an operand is.
fn one_integer(node: &OnnxNode<'_>, index: usize) -> Result<i64, ImportError> {
    match node.integers(index)? {
        &[number] => Ok(number),
        _ => Err(node.wrong_operand(index, "one integer")),
    }
}
