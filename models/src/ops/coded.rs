//! Operations of models that are quantized already: exact sums of products of codes, and the rule
//! by which a runtime makes codes of them.
//!
//! A tensor of codes holds each code less the zero point, so padding is 0 and one unit is one code.

mod quantize;
pub(crate) mod rule;
mod steps;

pub use rule::Rule;

use super::affine::{Affine, QuantizedAffine};
use super::alias::Alias;
use super::contract::{Contract, QuantizedContract};
use super::form::{Computed, Quantizes, Reads, RealForm};
use super::mul::{Mul, QuantizedMul};
use crate::calibration::Range;
use crate::error::QuantizeError;
use crate::numbers::{integer, real};
use crate::quantizer::form::Role;
use crate::quantizer::{Format, Layer, Quantizer};
use crate::tensor::TensorId;

/// `output = clamp(rule(sum), lo, hi)`: what a runtime computes, bit for bit.
#[derive(Clone, Debug, PartialEq)]
pub struct Coded {
    /// The sums, whose weights are whole numbers.
    pub sums: Sums,
    /// How they become codes.
    pub rule: Rule,
    /// The smallest code less the zero point.
    pub lo: i64,
    /// The largest one.
    pub hi: i64,
}

/// What is added up; none has an activation.
#[derive(Clone, Debug, PartialEq)]
pub enum Sums {
    /// Codes times constant weights.
    Affine(Affine),
    /// Products of two tensors, element by element.
    Mul(Mul),
    /// Products of two stacks of matrices.
    Contract(Contract),
}

/// What a coded operation becomes.
pub(crate) enum Integers {
    /// A linear layer.
    Affine(QuantizedAffine),
    /// Products element by element.
    Mul(QuantizedMul),
    /// Products of matrices.
    Contract(QuantizedContract),
    /// The elements of its input, which are the codes.
    Elements(Alias),
}

impl Sums {
    fn form(&self) -> &dyn RealForm {
        match self {
            Self::Affine(op) => op,
            Self::Mul(op) => op,
            Self::Contract(op) => op,
        }
    }
}

impl Coded {
    fn clamped(&self, code: i64) -> f64 {
        real(code.clamp(self.lo, self.hi))
    }

    /// The values of the tensors that are added, where each is read element by element.
    fn pairs<'a>(&self, values: &'a [Vec<f64>]) -> Option<[&'a [f64]; 2]> {
        match &self.sums {
            Sums::Affine(affine) => match &affine.terms[..] {
                [a, b] => Some([&values[a.input.0], &values[b.input.0]]),
                _ => None,
            },
            _ => None,
        }
    }

    /// The channel of each element of the result.
    fn channels(&self, len: usize) -> Vec<usize> {
        let mut channels = vec![0; len];
        if let (Sums::Affine(affine), false) = (&self.sums, self.rule.is_one()) {
            let view = &affine.output;
            for channel in 0..view.channels {
                for pixel in 0..view.height * view.width {
                    let element = view.index(channel, pixel / view.width, pixel % view.width);
                    channels[element] = channel;
                }
            }
        }
        channels
    }
}

impl Reads for Coded {
    fn inputs(&self) -> Vec<TensorId> {
        match &self.sums {
            Sums::Affine(op) => op.inputs(),
            Sums::Mul(op) => op.inputs(),
            Sums::Contract(op) => op.inputs(),
        }
    }

    fn inputs_mut(&mut self) -> Vec<&mut TensorId> {
        match &mut self.sums {
            Sums::Affine(op) => op.inputs_mut(),
            Sums::Mul(op) => op.inputs_mut(),
            Sums::Contract(op) => op.inputs_mut(),
        }
    }
}

impl RealForm for Coded {
    fn run(&self, values: &[Vec<f64>], len: usize) -> Computed<f64> {
        if let (Rule::Added { .. }, Some([a, b])) = (&self.rule, self.pairs(values)) {
            let codes = a.iter().zip(b);
            let code = |(a, b): (&f64, &f64)| self.rule.of_pair([integer(*a), integer(*b)]);
            return Computed::plain(codes.map(|pair| self.clamped(code(pair))).collect());
        }
        let sums = self.sums.form().run(values, len).values;
        if let Rule::Nearest { scale } = self.rule {
            let code = |x: f64| self.clamped(Rule::of_real(scale, x));
            return Computed::plain(sums.into_iter().map(code).collect());
        }
        let channels = self.channels(len);
        let code = |(sum, channel): (f64, usize)| self.rule.of_sum(channel, integer(sum));
        let codes = sums.into_iter().zip(channels).map(|pair| self.clamped(code(pair)));
        Computed::plain(codes.collect())
    }

    fn range(&self, _: &[Range]) -> Range {
        Range { lo: real(self.lo), hi: real(self.hi) }
    }
}

impl Quantizes for Coded {
    type Integer = Integers;

    fn quantize(
        &self,
        quantizer: &Quantizer<'_>,
        layer: Layer<'_>,
        role: Role,
    ) -> Result<(Self::Integer, Format), QuantizeError> {
        let op = quantizer.coded(layer, self, role)?;
        Ok((op, Format { scale: 1.0, lo: self.lo, hi: self.hi }))
    }
}
