//! Operations on codes, which give codes: `QLinearConv` and its kin, as onnxruntime computes them
//! without graph optimizations.

use super::codes::{Target, scales, zeros};
use super::compose::{Lowered, Reduction, count};
use super::constant::Constant;
use super::element::Element;
use super::error::ImportError;
use super::importer::Importer;
use super::node::{OnnxNode, Value};
use super::operators::{Operator, operator};
use super::quantization::less_zeros;
use crate::activation::Activation;
use crate::graph::Rule;
use crate::numbers::{integer, narrow, real};

const MICROSOFT: &str = "com.microsoft";
const CONV: &[&str] = &["auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"];
const POOL: &[&str] = &[
    "auto_pad",
    "ceil_mode",
    "channels_last",
    "count_include_pad",
    "dilations",
    "kernel_shape",
    "pads",
    "strides",
];

pub(super) const OPERATORS: &[Operator] = &[
    operator("QGemm", &[1], &["alpha", "transA", "transB"], gemm)
        .of_domain(MICROSOFT)
        .keeping_codes(),
    operator("QLinearAdd", &[1], &[], add).of_domain(MICROSOFT).keeping_codes(),
    operator("QLinearAveragePool", &[1], POOL, average_pool).of_domain(MICROSOFT).keeping_codes(),
    operator("QLinearConcat", &[1], &["axis"], concat).of_domain(MICROSOFT).keeping_codes(),
    operator("QLinearConv", &[10], CONV, conv).keeping_codes(),
    operator("QLinearGlobalAveragePool", &[1], &["channels_last"], global_average_pool)
        .of_domain(MICROSOFT)
        .keeping_codes(),
    operator("QLinearLeakyRelu", &[1], &["alpha"], leaky_relu).of_domain(MICROSOFT).keeping_codes(),
    operator("QLinearMatMul", &[10, 21], &[], matmul).keeping_codes(),
    operator("QLinearMul", &[1], &[], mul).of_domain(MICROSOFT).keeping_codes(),
    operator("QLinearSigmoid", &[1], &[], sigmoid).of_domain(MICROSOFT).keeping_codes(),
    operator("QLinearSoftmax", &[1], &["axis", "opset"], softmax)
        .of_domain(MICROSOFT)
        .keeping_codes(),
];

/// The factors from sums to codes of the result, in single precision: one, or one for each of the
/// `channels` sums, which are those of so many images, each with slices in a row.
fn scaled(input: f32, weights: &[f32], output: f32, [channels, batch]: [usize; 2]) -> Rule {
    let factor = |weight: &f32| input * weight / output;
    let factors: Vec<f32> = weights.iter().map(factor).collect();
    let slices = (channels / batch.max(1) / factors.len()).max(1);
    let multipliers = match factors.len() {
        1 => factors,
        len => (0..channels).map(|channel| factors[channel / slices % len]).collect(),
    };
    Rule::Scaled { multipliers }
}

/// The bias of sums: integers, or real numbers in units of the sums.
fn bias(
    node: &OnnxNode<'_>,
    index: usize,
    input: f32,
    weights: &[f32],
) -> Result<Vec<f64>, ImportError> {
    if node.optional(index).is_none() {
        return Ok(Vec::new());
    }
    let constant = node.constant(index)?;
    constant.check_finite(node.operand_name(index))?;
    let numbers = constant.to_reals();
    if let super::constant::Data::Integer(_) = constant.data {
        return Ok(numbers);
    }
    let unit = |position: usize| f64::from(input) * f64::from(weights[position % weights.len()]);
    let numbers = numbers.into_iter().enumerate();
    Ok(numbers.map(|(position, bias)| (bias / unit(position)).round_ties_even()).collect())
}

/// `QLinearConv`.
fn conv(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let [source, target] = [importer.source(node, [0, 1, 2])?, importer.target(node, [6, 7])?];
    let input = importer.centred(node, node.operand(0)?, source.zero)?;
    let weights = node.constant(3)?;
    let weight_scales = scales(node, 4)?;
    let rank = weights.shape.len();
    let kernel = less_zeros(node, weights, &zeros(node, 5)?, rank, 5)?;
    let outputs = kernel.shape.first().copied().unwrap_or(0);
    if ![1, outputs].contains(&weight_scales.len()) {
        return Err(node.wrong_operand(4, "one number, or one for each output channel"));
    }
    let bias = bias(node, 8, source.scale, &weight_scales)?;
    if ![0, outputs].contains(&bias.len()) {
        return Err(node.wrong_operand(8, "one number for each output channel"));
    }
    let bias = (!bias.is_empty()).then(|| Constant::reals(vec![outputs], bias).into());
    let inner = node.with_operands(vec![Some(input.clone()), Some(kernel.into()), bias]);
    let sums = super::convolution::conv(&inner, importer)?;
    node.has_no_effect(CONV);
    let batch = importer.shape_of(&input).first().copied().unwrap_or(1);
    let rule = |channels| scaled(source.scale, &weight_scales, target.scale, [channels, batch]);
    let Some(sums) = sums.first() else { return Ok(Vec::new()) };
    Ok(vec![importer.codes_of_sums(node, sums, &[], rule, target)?])
}

/// `QLinearMatMul`.
fn matmul(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let [left, target] = [importer.source(node, [0, 1, 2])?, importer.target(node, [6, 7])?];
    let a = importer.centred(node, node.operand(0)?, left.zero)?;
    let product = Product { a, b: [3, 4, 5], input: left.scale };
    product.codes(node, importer, node.operand(3)?.clone(), &[], target)
}

/// `QGemm`.
fn gemm(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let left = importer.source(node, [0, 1, 2])?;
    if node.optional(7).is_none() {
        return Err(node.unsupported("results that are no codes; give it y_scale"));
    }
    let target = importer.target(node, [7, 8])?;
    let alpha = narrow(node.float("alpha")?.unwrap_or(1.0));
    let mut a = importer.centred(node, node.operand(0)?, left.zero)?;
    let mut b = node.operand(3)?.clone();
    if node.flag("transA", false)? {
        a = importer.transposed(node, &a, &[1, 0])?;
    }
    if node.flag("transB", false)? {
        b = importer.transposed(node, &b, &[1, 0])?;
    }
    let bias = bias(node, 6, left.scale, &scales(node, 4)?)?;
    let product = Product { a, b: [3, 4, 5], input: alpha * left.scale };
    product.codes(node, importer, b, &bias, target)
}

/// A product of matrices of codes.
struct Product {
    a: Value,
    /// The operands that are the matrix on the right, its scale and its zero point.
    b: [usize; 3],
    /// The scale of the left one.
    input: f32,
}

impl Product {
    fn codes(
        self,
        node: &OnnxNode<'_>,
        importer: &mut Importer,
        matrix: Value,
        bias: &[f64],
        target: Target,
    ) -> Lowered {
        let [_, scale, zero] = self.b;
        let weights = scales(node, scale)?;
        let b = match &matrix {
            Value::Constant(constant) => {
                less_zeros(node, constant, &zeros(node, zero)?, 1, zero)?.into()
            }
            Value::Tensor(_) => {
                let zero = super::codes::one_zero(node, zero)?;
                importer.centred(node, &matrix, zero)?
            }
        };
        let columns = importer.shape_of(&b).last().copied().unwrap_or(1);
        if ![1, columns].contains(&weights.len()) || ![0, 1, columns].contains(&bias.len()) {
            return Err(node.wrong_operand(scale, "one number, or one for each column"));
        }
        if weights.len() > 1 && (self.a.is_constant() || !b.is_constant()) {
            return Err(node.unsupported("scales for each column of a computed matrix"));
        }
        let sums = importer.matrix_product(node, &self.a, &b)?;
        let rule = |channels: usize| {
            scaled(self.input, &weights, target.scale, [channels, channels / columns.max(1)])
        };
        Ok(vec![importer.codes_of_sums(node, &sums, bias, rule, target)?])
    }
}

/// Two tensors of one shape, and their scales and zero points; the second may be one number.
fn operands(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
) -> Result<([Value; 2], [Target; 2], Target), ImportError> {
    let sources = [importer.source(node, [0, 1, 2])?, importer.source(node, [3, 4, 5])?];
    let target = importer.target(node, [6, 7])?;
    let a = importer.centred(node, node.operand(0)?, sources[0].zero)?;
    let b = importer.centred(node, node.operand(3)?, sources[1].zero)?;
    let shapes = [&a, &b].map(|value| importer.shape_of(value));
    let shape = super::compose::result_shape(node, &shapes[0], &shapes[1])?;
    let a = if a.is_constant() { a } else { importer.broadcast(node, &a, &shape)? };
    let b = if b.is_constant() { b } else { importer.broadcast(node, &b, &shape)? };
    Ok(([a, b], sources, target))
}

/// A function of two codes: by `both` where both are computed, by a table where one is a number.
fn of_two(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    pair: impl Fn([i64; 2]) -> i64,
    both: impl FnOnce(&mut Importer, &Value, &Value) -> Result<Value, ImportError>,
) -> Lowered {
    let ([a, b], sources, target) = operands(node, importer)?;
    let (tensor, constant, place) = match (&a, &b) {
        (Value::Tensor(tensor), Value::Constant(constant)) => (tensor, constant, 0),
        (Value::Constant(constant), Value::Tensor(tensor)) => (tensor, constant, 1),
        _ => return Ok(vec![both(importer, &a, &b)?]),
    };
    let numbers = constant.to_reals();
    let Some(&number) = numbers.first().filter(|first| numbers.iter().all(|n| n == *first)) else {
        return Ok(vec![both(importer, &a, &b)?]);
    };
    let other = integer(number);
    let code = |own: i64| pair(if place == 0 { [own, other] } else { [other, own] });
    let rule = table(node, &sources[place], code)?;
    Ok(vec![importer.codes_of_each(node, tensor.id, rule, target)?])
}

/// The results for all codes of a tensor.
fn table(
    node: &OnnxNode<'_>,
    source: &Target,
    code: impl Fn(i64) -> i64,
) -> Result<Rule, ImportError> {
    let [first, last] = source.bounds(node)?;
    Ok(Rule::Table { first, codes: (first..=last).map(code).collect() })
}

/// `QLinearAdd`: the output's zero point is added before rounding.
fn add(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let sources = [importer.source(node, [0, 1, 2])?, importer.source(node, [3, 4, 5])?];
    let target = importer.target(node, [6, 7])?;
    let rule = Rule::Added {
        ratios: sources.map(|source| source.scale / target.scale),
        zeros: sources.map(|source| narrow(real(source.zero))),
        zero: narrow(real(target.zero)),
    };
    of_two(
        node,
        importer,
        |pair| rule.of_pair(pair),
        |importer, a, b| {
            let sum = importer.add(node, a, b)?;
            let Rule::Added { ratios, zeros, zero } = rule else { return Ok(sum) };
            let is_first = a.is_constant();
            if !is_first && !b.is_constant() {
                return importer.codes_of_sums(node, &sum, &[], |_| rule.clone(), target);
            }
            let others = importer.taken_bias(node, &sum)?;
            let rule = |_| Rule::AddedTo { ratios, zeros, zero, others, is_first };
            importer.codes_of_sums(node, &sum, &[], rule, target)
        },
    )
}

/// `QLinearMul`: the same.
fn mul(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let sources = [importer.source(node, [0, 1, 2])?, importer.source(node, [3, 4, 5])?];
    let target = importer.target(node, [6, 7])?;
    let rule = Rule::Shifted {
        multiplier: sources[0].scale * sources[1].scale / target.scale,
        zero: narrow(real(target.zero)),
    };
    of_two(
        node,
        importer,
        |[a, b]| rule.of_sum(0, a * b),
        |importer, a, b| {
            let product = importer.product(node, a, b)?;
            importer.codes_of_sums(node, &product, &[], |_| rule.clone(), target)
        },
    )
}

/// A function of real numbers as a table of codes.
fn function(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    function: impl Fn(f32) -> f32,
) -> Lowered {
    let [source, target] = [importer.source(node, [0, 1, 2])?, importer.target(node, [3, 4])?];
    let codes = importer.centred(node, node.operand(0)?, source.zero)?;
    let Value::Tensor(tensor) = codes else {
        return Err(node.wrong_operand(0, "computed from the input"));
    };
    let zero = narrow(real(target.zero));
    let rule = table(node, &source, |code| {
        let result = function(source.scale * narrow(real(code))) / target.scale + zero;
        integer(f64::from(result.round_ties_even())).saturating_sub(target.zero)
    })?;
    Ok(vec![importer.codes_of_each(node, tensor.id, rule, target)?])
}

/// `QLinearSigmoid`.
fn sigmoid(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    function(node, importer, |x| narrow(Activation::Sigmoid.apply(f64::from(x))))
}

/// `QLinearLeakyRelu`.
fn leaky_relu(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let alpha = narrow(node.float("alpha")?.unwrap_or(0.01));
    function(node, importer, |x| if x >= 0.0 { x } else { alpha * x })
}

/// Codes with channels after the first dimension, where the node has them last.
fn channels_first(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    codes: Value,
) -> Result<(Value, Option<Vec<usize>>), ImportError> {
    if !node.flag("channels_last", false)? {
        return Ok((codes, None));
    }
    let rank = importer.shape_of(&codes).len();
    if rank < 3 {
        return Err(node.wrong_shape("images", &[&importer.shape_of(&codes)]));
    }
    let first: Vec<usize> = [0, rank - 1].into_iter().chain(1..rank - 1).collect();
    let last: Vec<usize> = [0].into_iter().chain(2..rank).chain([1]).collect();
    Ok((importer.transposed(node, &codes, &first)?, Some(last)))
}

/// `QLinearAveragePool`. A runtime adds up rounded numbers, so where a mean is half way between two
/// codes it may be either there, and is the even one here.
fn average_pool(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let [source, target] = [importer.source(node, [0, 1, 2])?, importer.target(node, [3, 4])?];
    let codes = importer.centred(node, node.operand(0)?, source.zero)?;
    let (codes, back) = channels_first(node, importer, codes)?;
    let inner = node.with_operands(vec![Some(codes)]);
    let (sums, divisor) = super::pooling::window_sums(&inner, importer)?;
    node.has_no_effect(POOL);
    let rule = |_| Rule::Mean {
        scale: source.scale,
        count: narrow(count(divisor)),
        output: target.scale,
        zero: narrow(real(target.zero)),
    };
    let codes = importer.codes_of_sums(node, &sums, &[], rule, target)?;
    Ok(vec![turned(node, importer, codes, back)?])
}

/// `QLinearGlobalAveragePool`.
fn global_average_pool(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let [source, target] = [importer.source(node, [0, 1, 2])?, importer.target(node, [3, 4])?];
    let codes = importer.centred(node, node.operand(0)?, source.zero)?;
    let (codes, back) = channels_first(node, importer, codes)?;
    let shape = importer.shape_of(&codes);
    if shape.len() < 3 {
        return Err(node.wrong_shape("images", &[&shape]));
    }
    let axes: Vec<usize> = (2..shape.len()).collect();
    let area: usize = shape[2..].iter().product();
    if area == 1 {
        return Err(node.unsupported("images of one pixel"));
    }
    let sums = importer.reduced(node, &codes, &axes, Reduction::Sum)?;
    let multiplier = source.scale / (target.scale * narrow(count(area)));
    let rule = |_| Rule::Scaled { multipliers: vec![multiplier] };
    let codes = importer.codes_of_sums(node, &sums, &[], rule, target)?;
    Ok(vec![turned(node, importer, codes, back)?])
}

/// Codes in another order of dimensions.
fn turned(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    codes: Value,
    order: Option<Vec<usize>>,
) -> Result<Value, ImportError> {
    let Some(order) = order else { return Ok(codes) };
    let turned = importer.transposed(node, &codes, &order)?;
    importer.move_codes(Some(&codes), std::slice::from_ref(&turned));
    Ok(turned)
}

/// `QLinearConcat`: each part in codes of the result, one after the other.
fn concat(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let target = importer.target(node, [0, 1])?;
    let zero = narrow(real(target.zero));
    let mut parts = Vec::new();
    for first in (2..node.operand_count()).step_by(3) {
        let source = importer.source(node, [first, first + 1, first + 2])?;
        let codes = importer.centred(node, node.operand(first)?, source.zero)?;
        let requantized = |code: i64| {
            let result = source.scale * narrow(real(code)) / target.scale + zero;
            integer(f64::from(result.round_ties_even())).saturating_sub(target.zero)
        };
        let is_same = source == target;
        parts.push(match codes {
            Value::Tensor(tensor) if !is_same || node.operand_count() == 5 => {
                let rule = table(node, &source, requantized)?;
                importer.codes_of_each(node, tensor.id, rule, target)?.with_element(Element::Real)
            }
            Value::Constant(constant) => {
                let [lo, hi] = target.bounds(node)?;
                constant.map(|code| real(requantized(integer(code)).clamp(lo, hi))).into()
            }
            codes @ Value::Tensor(_) => codes,
        });
    }
    let Some(first) = parts.first() else { return Err(node.wrong_operand(2, "given")) };
    if let [part] = &parts[..] {
        node.has_no_effect(&["axis"]);
        return Ok(vec![part.clone().with_element(target.kind)]);
    }
    let axis = node.int("axis")?.ok_or_else(|| node.wrong_attribute("axis", "given"))?;
    let axis = node.axis(axis, importer.shape_of(first).len())?;
    let joined = importer.joined(node, &parts, axis)?;
    if importer.is_movement(&joined) {
        importer.move_codes(Some(first), std::slice::from_ref(&joined));
        return Ok(vec![joined.with_element(target.kind)]);
    }
    let rule = |_| Rule::Scaled { multipliers: vec![1.0] };
    Ok(vec![importer.codes_of_sums(node, &joined, &[], rule, target)?])
}

/// `QLinearSoftmax`: probabilities in so many levels as there are whole codes to 1. Within one code
/// of a runtime.
fn softmax(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let [source, target] = [importer.source(node, [0, 1, 2])?, importer.target(node, [3, 4])?];
    let codes = importer.centred(node, node.operand(0)?, source.zero)?;
    let numbers = importer.scaled(node, &codes, f64::from(source.scale), 0.0)?;
    let mut inner = node.with_operands(vec![Some(numbers)]);
    inner.opset = node.int("opset")?.unwrap_or(13);
    let probabilities = super::normalization::softmax(&inner, importer)?;
    node.has_no_effect(&["axis", "opset"]);
    let Some(Value::Tensor(tensor)) = probabilities.first() else { return Ok(Vec::new()) };
    let scale = 1.0 / (1.0 / target.scale).floor();
    Ok(vec![importer.codes_of_each(node, tensor.id, Rule::Nearest { scale }, target)?])
}
