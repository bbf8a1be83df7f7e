//! The table of operations: which attributes each may have, and how it is lowered.

use super::importer::Importer;
use super::node::{OnnxNode, Value};
use super::{
    activations, arithmetic, convolution, matrix, movement, normalization, pooling, reduction,
    reshaping, shape_arithmetic,
};
use crate::error::ImportError;

/// Adds a node's operations to the graph and returns its outputs, in order.
pub(super) type Lower = fn(&OnnxNode<'_>, &mut Importer) -> Result<Vec<Value>, ImportError>;

/// An operation that can be imported.
pub(super) struct Operator {
    /// The attributes it may have in any operator set.
    pub(super) attributes: &'static [&'static str],
    /// How it becomes operations of the graph.
    pub(super) lower: Lower,
}

/// The operation of that name, or advice on what to do without it.
pub(super) fn operator(op: &str) -> Result<Operator, &'static str> {
    linear(op)
        .or_else(|| elementwise(op))
        .or_else(|| data_movement(op))
        .map(|(attributes, lower)| Operator { attributes, lower })
        .ok_or_else(|| advice(op))
}

type Row = (&'static [&'static str], Lower);

fn linear(op: &str) -> Option<Row> {
    let row: Row = match op {
        "AveragePool" => (pooling::AVERAGE_ATTRIBUTES, pooling::average_pool),
        "BatchNormalization" => {
            (normalization::BATCH_ATTRIBUTES, normalization::batch_normalization)
        }
        "Conv" => (convolution::ATTRIBUTES, convolution::conv),
        "Gemm" => (&["alpha", "beta", "transA", "transB"], matrix::gemm),
        "GlobalAveragePool" => (&[], reduction::global_average_pool),
        "GlobalMaxPool" => (&[], pooling::global_max_pool),
        "MatMul" => (&[], matrix::matmul),
        "MaxPool" => (pooling::MAX_ATTRIBUTES, pooling::max_pool),
        "ReduceMean" => (reduction::ATTRIBUTES, reduction::reduce_mean),
        "ReduceSum" => (reduction::ATTRIBUTES, reduction::reduce_sum),
        "Softmax" => (&["axis"], normalization::softmax),
        _ => return None,
    };
    Some(row)
}

fn elementwise(op: &str) -> Option<Row> {
    let row: Row = match op {
        "Add" => (&[], arithmetic::add),
        "Sub" => (&[], arithmetic::sub),
        "Mul" => (&[], arithmetic::mul),
        "Div" => (&[], arithmetic::div),
        "Neg" => (&[], arithmetic::neg),
        "Clip" => (&["min", "max"], activations::clip),
        "Elu" | "LeakyRelu" => (&["alpha"], activations::unary),
        "Gelu" => (&["approximate"], activations::unary),
        "HardSigmoid" => (&["alpha", "beta"], activations::unary),
        "PRelu" => (&[], activations::parametric_relu),
        "Selu" => (&["alpha", "gamma"], activations::unary),
        "Abs" | "Erf" | "Exp" | "HardSwish" | "Relu" | "Sigmoid" | "Softplus" | "Softsign"
        | "Tanh" => (&[], activations::unary),
        _ => return None,
    };
    Some(row)
}

fn data_movement(op: &str) -> Option<Row> {
    let row: Row = match op {
        "Cast" => (&["to", "saturate"], shape_arithmetic::cast),
        "Concat" => (&["axis"], reshaping::concat),
        "Constant" => (shape_arithmetic::CONSTANT_ATTRIBUTES, shape_arithmetic::constant),
        "ConstantOfShape" => (&["value"], shape_arithmetic::constant_of_shape),
        "Dropout" => (&["ratio", "seed"], reshaping::dropout),
        "Expand" => (&[], movement::expand),
        "Flatten" => (&["axis"], reshaping::flatten),
        "Gather" => (&["axis"], movement::gather),
        "Identity" => (&[], reshaping::identity),
        "Pad" => (&["mode", "pads", "value"], reshaping::pad),
        "Reshape" => (&["allowzero"], reshaping::reshape),
        "Shape" => (&["start", "end"], shape_arithmetic::shape),
        "Slice" => (&["axes", "ends", "starts"], movement::slice),
        "Split" => (&["axis", "split", "num_outputs"], movement::split),
        "Squeeze" => (&["axes"], reshaping::squeeze),
        "Transpose" => (&["perm"], movement::transpose),
        "Unsqueeze" => (&["axes"], reshaping::unsqueeze),
        _ => return None,
    };
    Some(row)
}

/// What a user can do about an operation that is not in the table.
fn advice(op: &str) -> &'static str {
    match op {
        "ArgMax" | "TopK" | "LogSoftmax" | "Hardmax" => {
            "export the model without it: the order of the outputs before it says the same"
        }
        "QuantizeLinear"
        | "DequantizeLinear"
        | "QLinearConv"
        | "QLinearMatMul"
        | "DynamicQuantizeLinear"
        | "MatMulInteger"
        | "ConvInteger" => "give the float model: zkinfer quantizes it itself",
        "LSTM" | "GRU" | "RNN" | "Loop" | "If" | "Scan" => {
            "unroll it into plain operations before export"
        }
        _ => "export the model without it, or see docs/adding-an-operator.md",
    }
}
