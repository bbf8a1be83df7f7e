//! Every linear layer with fixed weights, then its activation.

pub(crate) mod columns;
mod execute;
pub(crate) mod patches;
mod quantize;
mod regroup;
mod shift;

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::alias::Alias;
use super::form::{Computed, IntegerForm, Quantizes, Reads, RealForm, Runs};
use crate::activation::Activation;
use crate::calibration::Range;
use crate::error::QuantizeError;
use crate::quantizer::form::Role;
use crate::quantizer::{Format, Layer, Quantizer};
use crate::requant::Requant;
use crate::tensor::{ImageView, QuantizedTensor, TensorId};
use patches::{Patches, bias_sums, scatter};

/// The real counterpart of [`QuantizedAffine`].
#[derive(Clone, Debug, PartialEq)]
pub struct Affine {
    /// The inputs, each with its own kernel; their contributions are added.
    pub terms: Vec<Term>,
    /// One number per output channel.
    pub bias: Vec<f64>,
    /// Where `(o, p, q)` lies in the output tensor; a bijection onto its elements.
    pub output: ImageView,
    /// Applied to each sum.
    pub activation: Activation,
}

/// One input of an [`Affine`] with its convolution kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// The tensor that is read.
    pub input: TensorId,
    /// How it is read.
    pub view: ImageView,
    /// How the kernel moves over it.
    pub window: Window,
    /// Flat `[out_channels, in_channels / groups, kernel_height, kernel_width]`.
    pub kernel: Vec<f64>,
}

/// How a convolution kernel moves over an image; see [`ConvTerm`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// `[kernel_height, kernel_width]`.
    pub kernel_size: [usize; 2],
    /// Channel groups.
    pub groups: usize,
    /// `[vertical, horizontal]` step.
    pub stride: [usize; 2],
    /// `[vertical, horizontal]` distance between kernel elements.
    pub dilation: [usize; 2],
    /// `[top, left]` padding with zeros.
    pub padding: [usize; 2],
}

impl Window {
    /// One pixel, every channel to every channel within `groups` groups.
    pub(crate) const fn pixel(groups: usize) -> Self {
        Self { kernel_size: [1, 1], groups, stride: [1, 1], dilation: [1, 1], padding: [0, 0] }
    }
}

/// `acc[o, p, q] = bias[o] + shift[o, p, q] + Σ_terms Σ_{c, u, v} kernel[o, c, u, v] · input[g(o) + c, p·s + u·d − pad, …]`
/// with out-of-range pixels 0, then [`Requant`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuantizedAffine {
    /// The inputs, each with its own kernel; their contributions are added.
    pub terms: Vec<ConvTerm>,
    /// One integer per output channel, in accumulator units.
    pub bias: Vec<i64>,
    /// One integer per element of the output tensor besides, in its order; all 0 if it is empty.
    pub shifts: Vec<i64>,
    /// Where `(o, p, q)` lies in the output tensor; a bijection onto its elements.
    pub output: ImageView,
    /// From accumulator to output.
    pub requant: Requant,
}

/// One input of a [`QuantizedAffine`] with its convolution kernel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConvTerm {
    /// The tensor that is read.
    pub input: TensorId,
    /// How it is read.
    pub view: ImageView,
    /// Flat `[out_channels, in_channels / groups, kernel_height, kernel_width]`.
    pub kernel: Vec<i32>,
    /// `[kernel_height, kernel_width]`.
    pub kernel_size: [usize; 2],
    /// Channel groups; divides both channel counts.
    pub groups: usize,
    /// `[vertical, horizontal]` step of the window.
    pub stride: [usize; 2],
    /// `[vertical, horizontal]` distance between kernel elements.
    pub dilation: [usize; 2],
    /// `[top, left]` padding with zeros (bottom and right follow from the output size).
    pub padding: [usize; 2],
}

/// What a layer becomes.
pub(crate) enum Integers {
    /// A layer.
    Layer(QuantizedAffine),
    /// The elements of its input, where each only stands for another number.
    Elements(Alias),
}

impl ConvTerm {
    /// How the kernel moves.
    pub(crate) fn window(&self) -> Window {
        Window {
            kernel_size: self.kernel_size,
            groups: self.groups,
            stride: self.stride,
            dilation: self.dilation,
            padding: self.padding,
        }
    }
}

impl Term {
    /// The kernel's way over the input of a layer with this output.
    fn patches<'a>(&'a self, output: &ImageView) -> Patches<'a> {
        let (rows, columns) = (output.height, output.width);
        Patches { view: &self.view, window: self.window, rows, columns }
    }

    /// The kernel with a row for each output channel.
    fn matrix(&self, out_channels: usize) -> ArrayView2<'_, f64> {
        let [height, width] = self.window.kernel_size;
        let per_output = self.view.channels / self.window.groups * height * width;
        ArrayView2::from_shape((out_channels, per_output), &self.kernel)
            .expect("a term's kernel has one weight per output channel and patch element")
    }
}

impl Reads for Affine {
    fn inputs(&self) -> Vec<TensorId> {
        self.terms.iter().map(|term| term.input).collect()
    }

    fn inputs_mut(&mut self) -> Vec<&mut TensorId> {
        self.terms.iter_mut().map(|term| &mut term.input).collect()
    }

    fn activation(&self) -> Option<Activation> {
        Some(self.activation)
    }

    fn activation_mut(&mut self) -> Option<&mut Activation> {
        Some(&mut self.activation)
    }
}

impl RealForm for Affine {
    fn run(&self, values: &[Vec<f64>], len: usize) -> Computed<f64> {
        let mut sums = bias_sums(&self.bias, &self.output);
        for term in &self.terms {
            let kernel = term.matrix(self.output.channels);
            let patches = term.patches(&self.output);
            patches.accumulate(kernel, &values[term.input.0], sums.view_mut());
        }
        let sums = scatter(&sums, &self.output, len);
        let values = sums.iter().map(|&x| self.activation.apply(x)).collect();
        Computed { accumulators: Some(sums), values }
    }

    /// The range over all output channels.
    fn range(&self, inputs: &[Range]) -> Range {
        let mut sums: Vec<Range> =
            self.bias.iter().map(|&bias| Range { lo: bias, hi: bias }).collect();
        for term in &self.terms {
            let mut input = inputs[term.input.0];
            if term.patches(&self.output).touches_padding() {
                input = Range { lo: input.lo.min(0.0), hi: input.hi.max(0.0) };
            }
            let per_channel = term.kernel.len() / self.output.channels;
            for (position, &weight) in term.kernel.iter().enumerate() {
                let part = Range::product(input, Range { lo: weight, hi: weight });
                let sum = &mut sums[position / per_channel];
                *sum = Range { lo: sum.lo + part.lo, hi: sum.hi + part.hi };
            }
        }
        sums.into_iter().reduce(Range::union).unwrap_or(Range { lo: 0.0, hi: 0.0 })
    }
}

impl Quantizes for Affine {
    type Integer = Integers;

    fn quantize(
        &self,
        quantizer: &Quantizer<'_>,
        layer: Layer<'_>,
        role: Role,
    ) -> Result<(Self::Integer, Format), QuantizeError> {
        quantizer.affine(layer, self, role)
    }
}

impl IntegerForm for QuantizedAffine {
    fn inputs(&self) -> Vec<TensorId> {
        self.terms.iter().map(|term| term.input).collect()
    }

    fn run(
        &self,
        tensors: &[QuantizedTensor],
        values: &[Vec<i64>],
        output: TensorId,
    ) -> Computed<i64> {
        let mut accumulators = execute::accumulators(tensors, self, values, output);
        for (accumulator, shift) in accumulators.iter_mut().zip(&self.shifts) {
            *accumulator += shift;
        }
        self.requant.computed(accumulators)
    }

    fn requant(&self) -> Option<&Requant> {
        Some(&self.requant)
    }

    fn biases(&self, len: usize) -> Vec<i64> {
        let (view, mut biases) = (&self.output, vec![0; len]);
        for (channel, &bias) in self.bias.iter().enumerate() {
            for row in 0..view.height {
                for column in 0..view.width {
                    biases[view.index(channel, row, column)] = bias;
                }
            }
        }
        for (bias, shift) in biases.iter_mut().zip(&self.shifts) {
            *bias += shift;
        }
        biases
    }

    fn shift(&self, tensors: &[QuantizedTensor]) -> f64 {
        shift::needed(tensors, self)
    }

    /// Each run is a group of channels, with weights of its own. The channels of every view, the
    /// output's too, must be one after another, so that those of a run follow those of the one
    /// before.
    fn repeat(&mut self, Runs { count, .. }: Runs<'_>) {
        for term in &mut self.terms {
            term.view.channels *= count;
            term.kernel = term.kernel.repeat(count);
            term.groups *= count;
        }
        self.bias = self.bias.repeat(count);
        self.shifts = self.shifts.repeat(count);
        self.output.channels *= count;
    }
}
