//! Several operations in one: what operator sets and onnxruntime's optimizer fuse.

use super::compose::{Lowered, Reduction};
use super::convolution::CONV_ATTRIBUTES;
use super::error::ImportError;
use super::importer::Importer;
use super::node::{OnnxNode, Value};
use super::operators::{Operator, operator};
use crate::activation::Activation;
use crate::function::Function;

const MICROSOFT: &str = "com.microsoft";
const SKIP: &[&str] = &["epsilon"];

pub(super) const OPERATORS: &[Operator] = &[
    operator("BiasGelu", &[1], &[], bias_gelu).of_domain(MICROSOFT),
    operator("CDist", &[1], &["metric"], distances).of_domain(MICROSOFT),
    operator("FastGelu", &[1], &[], fast_gelu).of_domain(MICROSOFT),
    operator(
        "FusedConv",
        &[1],
        &[
            "activation",
            "activation_params",
            "auto_pad",
            "dilations",
            "group",
            "kernel_shape",
            "pads",
            "strides",
        ],
        fused_conv,
    )
    .of_domain(MICROSOFT),
    operator(
        "FusedGemm",
        &[1],
        &["activation", "activation_alpha", "alpha", "beta", "transA", "transB"],
        fused_gemm,
    )
    .of_domain(MICROSOFT),
    operator(
        "FusedMatMul",
        &[1],
        &["alpha", "transA", "transB", "transBatchA", "transBatchB"],
        fused_matmul,
    )
    .of_domain(MICROSOFT),
    operator("SkipLayerNormalization", &[1], SKIP, skip_layer).of_domain(MICROSOFT),
    operator("SkipSimplifiedLayerNormalization", &[1], SKIP, skip_simplified).of_domain(MICROSOFT),
    operator("SwiGLU", &[28], &["alpha"], swiglu),
];

/// `CDist`: the distance of each row of one matrix to each of another.
fn distances(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let (a, b) = (node.operand(0)?, node.operand(1)?);
    let shapes = [importer.shape_of(a), importer.shape_of(b)];
    let (&[rows, width], &[columns, other]) = (&shapes[0][..], &shapes[1][..]) else {
        return Err(node.wrong_shape("two matrices", &[&shapes[0], &shapes[1]]));
    };
    if width != other {
        return Err(node.wrong_shape("rows of one length", &[&shapes[0], &shapes[1]]));
    }
    let is_squared = match node.text("metric")? {
        None | Some(b"sqeuclidean") => true,
        Some(b"euclidean") => false,
        Some(_) => return Err(node.wrong_attribute("metric", "euclidean or sqeuclidean")),
    };
    let a = importer.reshaped(node, a, vec![rows, 1, width])?;
    let b = importer.reshaped(node, b, vec![1, columns, width])?;
    let difference = importer.sub(node, &a, &b)?;
    let squares = importer.product(node, &difference, &difference)?;
    let sums = importer.reduced(node, &squares, &[2], Reduction::Sum)?;
    let sums = importer.reshaped(node, &sums, vec![rows, columns])?;
    match is_squared {
        true => Ok(vec![sums]),
        false => Ok(vec![importer.apply(node, &sums, Activation::Function(Function::Sqrt))?]),
    }
}

/// `SwiGLU`: `Swish(a) · b`, of two tensors of one shape.
fn swiglu(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let (gate, value) = (node.operand(0)?, node.operand(1)?);
    let shapes = [importer.shape_of(gate), importer.shape_of(value)];
    if shapes[0] != shapes[1] {
        return Err(node.wrong_shape("both operands have one shape", &[&shapes[0], &shapes[1]]));
    }
    let function = match node.float("alpha")?.unwrap_or(1.0) {
        1.0 => Activation::Silu,
        alpha => Activation::Function(Function::Swish { alpha }),
    };
    let gate = importer.apply(node, gate, function)?;
    Ok(vec![importer.product(node, &gate, value)?])
}

/// `BiasGelu`: GELU of a sum.
fn bias_gelu(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let sum = importer.add(node, node.operand(0)?, node.operand(1)?)?;
    Ok(vec![importer.apply(node, &sum, Activation::Gelu)?])
}

/// `FastGelu`: GELU by the hyperbolic tangent, of a sum where there is a bias.
fn fast_gelu(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let value = node.operand(0)?;
    let sum = match node.optional(1) {
        Some(bias) => importer.add(node, value, bias)?,
        None => value.clone(),
    };
    Ok(vec![importer.apply(node, &sum, Activation::Function(Function::GeluTanh))?])
}

/// The function that a fused node applies last, by its name and parameters.
fn last(node: &OnnxNode<'_>, parameters: &[f64]) -> Result<Activation, ImportError> {
    let parameter = |index: usize, default: f64| parameters.get(index).copied().unwrap_or(default);
    Ok(match node.text("activation")?.unwrap_or_default() {
        b"" => Activation::Identity,
        b"Relu" => Activation::Relu,
        b"Tanh" => Activation::Tanh,
        b"Sigmoid" => Activation::Sigmoid,
        b"LeakyRelu" => Activation::LeakyRelu { alpha: parameter(0, 0.01) },
        b"HardSigmoid" => {
            Activation::HardSigmoid { alpha: parameter(0, 0.2), beta: parameter(1, 0.5) }
        }
        b"Clip" if parameters.len() == 2 && parameters[0] <= parameters[1] => {
            Activation::Clip { min: parameters[0], max: parameters[1] }
        }
        _ => return Err(node.unsupported("this fused activation; export without optimizations")),
    })
}

/// `FusedConv`: a convolution, a sum with another tensor, a function.
fn fused_conv(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let parameters = node.floats("activation_params")?.unwrap_or_default();
    let parameters: Vec<f64> = parameters.iter().copied().map(f64::from).collect();
    let function = last(node, &parameters)?;
    let operands = node.operands().iter().take(3).cloned().collect();
    let conv = node.with_operands(operands);
    let mut result = first(node, super::convolution::conv(&conv, importer)?)?;
    node.has_no_effect(CONV_ATTRIBUTES);
    if let Some(other) = node.optional(3) {
        result = importer.add(node, &result, other)?;
    }
    Ok(vec![importer.apply(node, &result, function)?])
}

/// `FusedGemm`: `Gemm` and a function.
fn fused_gemm(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let parameters: Vec<f64> = node.float("activation_alpha")?.into_iter().collect();
    let function = last(node, &parameters)?;
    let result = first(node, super::matrix::gemm(node, importer)?)?;
    Ok(vec![importer.apply(node, &result, function)?])
}

fn first(node: &OnnxNode<'_>, results: Vec<Value>) -> Result<Value, ImportError> {
    results.into_iter().next().ok_or_else(|| node.unsupported("a node without a result"))
}

/// `FusedMatMul`: `alpha · A' · B'`, stacks of matrices transposed where it says so.
fn fused_matmul(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    if node.flag("transBatchA", false)? || node.flag("transBatchB", false)? {
        return Err(node.unsupported("transposed batches; export without optimizations"));
    }
    let mut factors = Vec::new();
    for (index, name) in ["transA", "transB"].into_iter().enumerate() {
        let value = node.operand(index)?;
        let rank = importer.shape_of(value).len();
        let mut order: Vec<usize> = (0..rank).collect();
        // A vector has nothing to transpose.
        if node.flag(name, false)? && rank > 1 {
            order.swap(rank - 2, rank - 1);
        }
        factors.push(importer.transposed(node, value, &order)?);
    }
    let alpha = node.float("alpha")?.unwrap_or(1.0);
    if alpha != 1.0 {
        // A constant factor takes the scale, so that no layer of its own is needed.
        let index = usize::from(!factors[0].is_constant());
        factors[index] = importer.scaled(node, &factors[index], alpha, 0.0)?;
    }
    Ok(vec![importer.matrix_product(node, &factors[0], &factors[1])?])
}

/// `SkipLayerNormalization`: `LayerNormalization` of a sum of two or three tensors.
fn skip_layer(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    normalized_sum(node, importer, 4, true)
}

/// `SkipSimplifiedLayerNormalization`: the same without mean and shift.
fn skip_simplified(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    normalized_sum(node, importer, 3, false)
}

fn normalized_sum(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    bias: usize,
    is_centered: bool,
) -> Lowered {
    let mut sum = importer.add(node, node.operand(0)?, node.operand(1)?)?;
    if let Some(bias) = node.optional(bias) {
        sum = importer.add(node, &sum, bias)?;
    }
    if node.outputs().iter().skip(1).take(2).any(|name| !name.is_empty()) {
        return Err(node.unsupported("mean and deviation as outputs"));
    }
    let scale = node.operands().get(2).cloned().flatten();
    let shift = if is_centered { node.operands().get(3).cloned().flatten() } else { None };
    let inner = node.with_operands(vec![Some(sum.clone()), scale, shift]);
    let epsilon = node.float("epsilon")?.unwrap_or(1e-12);
    let result = super::normalization::of_last_axis(&inner, importer, epsilon, is_centered)?;
    // The sum is the fourth output; nobody reads the two between.
    Ok(vec![result, sum.clone(), sum.clone(), sum])
}
