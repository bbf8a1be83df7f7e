//! The operations, one file each: real form, integer form, both runs, bounds, quantization.
//!
//! [`Op`] is what a graph holds, [`QuantizedOp`] what a proof is about. Nothing outside this module
//! asks which operation it has before it, but for the rules that rewrite graphs and the circuits:
//! everything else goes through [`RealForm`] and [`IntegerForm`], and what is here is dispatch.

pub(crate) mod activate;
pub(crate) mod affine;
pub(crate) mod alias;
pub(crate) mod coded;
pub(crate) mod contract;
pub(crate) mod embed;
pub(crate) mod forest;
pub(crate) mod form;
pub(crate) mod max_pool;
pub(crate) mod mul;
pub(crate) mod normalize;
pub(crate) mod softmax;

use std::convert::Infallible;

use serde::{Deserialize, Serialize};

use crate::activation::Activation;
use crate::error::QuantizeError;
use crate::quantizer::form::Role;
use crate::quantizer::{Format, Layer, Quantizer};
use crate::requant::Requant;
use crate::tensor::TensorId;
use activate::Activate;
use form::{IntegerForm, Quantizes, Reads, RealForm};

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

            /// Its integer form and the format of the result.
            pub(crate) fn quantize(
                &self,
                quantizer: &Quantizer<'_>,
                layer: Layer<'_>,
                role: Role,
            ) -> Result<(QuantizedOp, Format), QuantizeError> {
                match self {
                    $(Self::$op(op) => integers(op, quantizer, layer, role),)*
                    Self::Coded(op) => integers(op, quantizer, layer, role),
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

        $(impl From<integer::$op $(<$i>)?> for QuantizedOp {
            fn from(op: integer::$op $(<$i>)?) -> Self {
                Self::$op(op)
            }
        })*

        impl QuantizedOp {
            /// The operation as what it computes.
            pub(crate) fn form(&self) -> &dyn IntegerForm {
                match self {
                    $(Self::$op(op) => op,)*
                }
            }

            /// The same, to be changed.
            pub(crate) fn form_mut(&mut self) -> &mut dyn IntegerForm {
                match self {
                    $(Self::$op(op) => op,)*
                }
            }
        }
    };
}

/// The integer form of an operation, as one of the closed set.
fn integers<T: Quantizes<Integer: Into<QuantizedOp>>>(
    op: &T,
    quantizer: &Quantizer<'_>,
    layer: Layer<'_>,
    role: Role,
) -> Result<(QuantizedOp, Format), QuantizeError> {
    op.quantize(quantizer, layer, role).map(|(op, format)| (op.into(), format))
}

impl From<affine::Integers> for QuantizedOp {
    fn from(integers: affine::Integers) -> Self {
        match integers {
            affine::Integers::Layer(op) => op.into(),
            affine::Integers::Elements(op) => op.into(),
        }
    }
}

impl From<coded::Integers> for QuantizedOp {
    fn from(integers: coded::Integers) -> Self {
        match integers {
            coded::Integers::Affine(op) => op.into(),
            coded::Integers::Mul(op) => op.into(),
            coded::Integers::Contract(op) => op.into(),
            coded::Integers::Elements(op) => op.into(),
        }
    }
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
