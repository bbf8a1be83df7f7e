//! The operations, one file each: real form, integer form, both runs, bounds, quantization.
//!
//! [`Op`] is what a graph holds, [`QuantizedOp`] what a proof is about. Nothing outside this module
//! asks which operation it has before it, but for the rules that rewrite graphs and the circuits:
//! everything else goes through [`RealForm`] and [`IntegerForm`], and what is here besides them is
//! dispatch.

pub(crate) mod activate;
pub(crate) mod affine;
pub(crate) mod alias;
pub(crate) mod coded;
pub(crate) mod contract;
pub(crate) mod embed;
pub(crate) mod forest;
pub(crate) mod max_pool;
pub(crate) mod mul;
pub(crate) mod normalize;
pub(crate) mod softmax;

use std::convert::Infallible;

use serde::{Deserialize, Serialize};

use crate::activation::Activation;
use crate::calibration::Range;
use crate::error::QuantizeError;
use crate::graph::Node;
use crate::quantize::{Format, Quantizer, Role};
use crate::quantized::{QuantizedGraph, Requant, TensorId};
use activate::Activate;

/// The list of operations: of each its file, its real and its integer form, and what it is called.
macro_rules! operations {
    ($(
        $(#[$doc:meta])*
        $op:ident: $file:ident::{
            $real:ident $(<$r:ty>)? => $integer:ident $(<$i:ty>)?
        }, $name:literal;
    )*) => {
        /// The real forms.
        pub(crate) mod real {
            pub use super::coded::{Coded, Rule, Sums};
            $(pub use super::$file::$real as $op;)*
        }

        /// The integer forms.
        pub(crate) mod integer {
            $(pub use super::$file::$integer as $op;)*
        }

        /// The closed set of real operations; each but the last two has its counterpart in
        /// [`QuantizedOp`].
        ///
        /// `F` is the activation that no layer has absorbed yet. Only while a model is imported and
        /// fused there is such a thing: a finished graph has `F = Infallible`, of which there is no
        /// value.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Op<F = Infallible> {
            $($(#[$doc])* $op(real::$op $(<$r>)?),)*
            /// Codes of a model that is quantized already, which become one of the others.
            Coded(real::Coded),
            /// An activation on its own.
            Activate(F),
        }

        /// The closed set of integer operations; those with accumulators requantize them.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub enum QuantizedOp {
            $($(#[$doc])* $op(integer::$op $(<$i>)?),)*
        }

        #[expect(private_bounds, reason = "the trait serves this crate, and so do these methods")]
        impl<F: Reads> Op<F> {
            fn reads(&self) -> &dyn Reads {
                match self {
                    $(Self::$op(op) => op,)*
                    Self::Coded(op) => op,
                    Self::Activate(op) => op,
                }
            }

            fn reads_mut(&mut self) -> &mut dyn Reads {
                match self {
                    $(Self::$op(op) => op,)*
                    Self::Coded(op) => op,
                    Self::Activate(op) => op,
                }
            }
        }

        impl Op<Activate> {
            /// The same in a finished graph; `layer` makes a layer of an activation on its own.
            pub(crate) fn finished(self, layer: impl FnOnce(Activate) -> real::Affine) -> Op {
                match self {
                    $(Self::$op(op) => Op::$op(op),)*
                    Self::Coded(op) => Op::Coded(op),
                    Self::Activate(op) => Op::Affine(layer(op)),
                }
            }
        }

        impl Op {
            /// The operation as what it computes.
            pub(crate) fn form(&self) -> &dyn RealForm {
                match self {
                    $(Self::$op(op) => op,)*
                    Self::Coded(op) => op,
                    Self::Activate(never) => match *never {},
                }
            }

            /// What the operation is called, in a word or two.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$op(_) => $name,)*
                    Self::Coded(_) => "codes",
                    Self::Activate(never) => match *never {},
                }
            }
        }

        impl QuantizedOp {
            /// The operation as what it computes.
            pub(crate) fn form(&self) -> &dyn IntegerForm {
                match self {
                    $(Self::$op(op) => op,)*
                }
            }
        }
    };
}

operations! {
    /// Every linear layer with fixed weights: dense, convolution, average pooling, batch
    /// normalisation, addition; then its activation.
    Affine: affine::{Affine => QuantizedAffine}, "affine";
    /// Elements taken from the input: reshape, transpose, slice. Costs nothing.
    Alias: alias::{Alias => Alias}, "alias";
    /// The largest element of each window.
    MaxPool: max_pool::{MaxPool => MaxPool}, "max pool";
    /// Elementwise product of two tensors.
    Mul: mul::{Mul => QuantizedMul}, "mul";
    /// Products of two stacks of matrices.
    Contract: contract::{Contract => QuantizedContract}, "contract";
    /// Groups of elements over their deviation.
    Normalize: normalize::{Normalize => QuantizedNormalize}, "normalize";
    /// Softmax over groups of elements.
    Softmax: softmax::{Softmax => QuantizedSoftmax}, "softmax";
    /// What the leaves of decision trees say.
    Forest: forest::{Forest<f64> => Forest<i64>}, "forest";
    /// Rows of a table, chosen by indices.
    Embed: embed::{Embed => QuantizedEmbed}, "embed";
}

/// What an operation computes: its result and, where it has any, the values before requantization
/// or activation, in the element order of the result.
pub(crate) struct Computed<T> {
    pub(crate) accumulators: Option<Vec<T>>,
    pub(crate) values: Vec<T>,
}

impl<T> Computed<T> {
    /// A result without accumulators.
    pub(crate) const fn plain(values: Vec<T>) -> Self {
        Self { accumulators: None, values }
    }
}

/// What an operation asks of the integers of a tensor that it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Requirement {
    /// Any integers with any scale.
    Nothing,
    /// The argument of a table: a layer of its own, which nothing else reads, in the format of
    /// [`Role::Argument`].
    Argument,
    /// As many bits as a model output has.
    Precision,
    /// The few bits of a tensor between layers, which model outputs do not have.
    Hidden,
}

/// What an operation reads, and what it does last.
pub(crate) trait Reads {
    /// The tensors that it reads, repetitions included.
    fn inputs(&self) -> Vec<TensorId>;

    /// The same, to be renamed.
    fn inputs_mut(&mut self) -> Vec<&mut TensorId>;

    /// The tensor of which every element of the result is an element.
    fn passes(&self) -> Option<TensorId> {
        None
    }

    /// What it applies to its accumulators; `None` where it has none.
    fn activation(&self) -> Option<Activation> {
        None
    }

    /// The same, to be replaced.
    fn activation_mut(&mut self) -> Option<&mut Activation> {
        None
    }
}

/// An operation in real numbers, and its way to integers.
pub(crate) trait RealForm: Reads {
    /// What it asks of every tensor that it reads.
    fn requirement(&self) -> Requirement {
        Requirement::Nothing
    }

    /// Its result, of `len` elements, from the values of all tensors before it.
    fn run(&self, values: &[Vec<f64>], len: usize) -> Computed<f64>;

    /// The range of its accumulators, or of its result where it has none, for inputs within the
    /// given ranges of all tensors before it.
    fn range(&self, inputs: &[Range]) -> Range;

    /// Its integer form and the format of the result.
    fn quantize(
        &self,
        quantizer: &Quantizer<'_>,
        node: &Node,
        role: Role,
    ) -> Result<(QuantizedOp, Format), QuantizeError>;
}

/// An operation in integers.
pub(crate) trait IntegerForm {
    /// The tensors that it reads, repetitions included.
    fn inputs(&self) -> Vec<TensorId>;

    /// Its accumulators and result, bit for bit, from the values of all tensors before it.
    fn run(&self, graph: &QuantizedGraph, values: &[Vec<i64>], output: TensorId) -> Computed<i64>;

    /// How its accumulators become outputs; `None` where it has none.
    fn requant(&self) -> Option<&Requant> {
        None
    }

    /// What the accumulator of each of the `len` elements of its result is besides what it
    /// computes from its inputs.
    fn biases(&self, len: usize) -> Vec<i64> {
        vec![0; len]
    }

    /// The least shift at which what it rounds besides its result shows less than that; 0 where it
    /// rounds nothing else.
    fn shift(&self, _graph: &QuantizedGraph) -> f64 {
        0.0
    }
}

impl Reads for Infallible {
    fn inputs(&self) -> Vec<TensorId> {
        match *self {}
    }

    fn inputs_mut(&mut self) -> Vec<&mut TensorId> {
        match *self {}
    }
}

#[expect(private_bounds, reason = "the trait serves this crate, and so do these methods")]
impl<F: Reads> Op<F> {
    /// The tensors that the operation reads, repetitions included.
    #[must_use]
    pub fn inputs(&self) -> Vec<TensorId> {
        self.reads().inputs()
    }

    /// The tensors that the operation reads, to be renamed.
    pub(crate) fn inputs_mut(&mut self) -> Vec<&mut TensorId> {
        self.reads_mut().inputs_mut()
    }

    /// The tensor of which every element of the result is an element.
    pub(crate) fn passes(&self) -> Option<TensorId> {
        self.reads().passes()
    }

    /// What the operation applies to its accumulators; `None` where it has none.
    #[must_use]
    pub fn activation(&self) -> Option<Activation> {
        self.reads().activation()
    }

    /// The place for an activation, where the operation has one and it is free.
    pub(crate) fn free_activation_mut(&mut self) -> Option<&mut Activation> {
        let activation = self.reads_mut().activation_mut()?;
        (*activation == Activation::Identity).then_some(activation)
    }
}

impl QuantizedOp {
    /// The tensors that the operation reads, repetitions included.
    #[must_use]
    pub fn inputs(&self) -> Vec<TensorId> {
        self.form().inputs()
    }

    /// How the operation's accumulators become outputs; `None` where it has none.
    #[must_use]
    pub fn requant(&self) -> Option<&Requant> {
        self.form().requant()
    }

    /// What the accumulator of each of the `len` elements of the result is besides what it is
    /// computed from; all 0 where there are no accumulators.
    #[must_use]
    pub fn biases(&self, len: usize) -> Vec<i64> {
        self.form().biases(len)
    }
}
