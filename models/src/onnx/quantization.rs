//! Codes of real numbers and back, and integer products: `QuantizeLinear` and its kin.

use super::codes::{Target, along_axis, code_bounds, one_zero, scales, zeros};
use super::compose::Lowered;
use super::constant::{Constant, Data};
use super::element::{Codes, Element};
use super::error::ImportError;
use super::importer::Importer;
use super::node::{OnnxNode, Value};
use super::operators::{Operator, operator};
use crate::graph::Rule;
use crate::numbers::{integer, narrow, real};

const MICROSOFT: &str = "com.microsoft";
const LINEAR: &[&str] = &["axis", "block_size", "output_dtype", "precision", "saturate"];
const CONV: &[&str] = &["auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"];
const SETS: &[i64] = &[10, 13, 19, 21, 23, 24, 25];

pub(super) const OPERATORS: &[Operator] = &[
    operator("ConvInteger", &[10], CONV, conv_integer).keeping_codes(),
    operator("DequantizeLinear", SETS, LINEAR, dequantize).keeping_codes(),
    operator("DequantizeLinear", &[1], LINEAR, dequantize).of_domain(MICROSOFT).keeping_codes(),
    operator("DynamicQuantizeLinear", &[11], &[], dynamic),
    operator("DynamicQuantizeMatMul", &[1], &[], dynamic_matmul).of_domain(MICROSOFT),
    operator("MatMulInteger", &[10], &[], matmul_integer).keeping_codes(),
    operator("MatMulIntegerToFloat", &[1], &[], matmul_to_float)
        .of_domain(MICROSOFT)
        .keeping_codes(),
    operator("QuantizeLinear", SETS, LINEAR, quantize),
    operator("QuantizeLinear", &[1], LINEAR, quantize).of_domain(MICROSOFT),
];

/// The type of the codes of `QuantizeLinear`.
fn kind(node: &OnnxNode<'_>, importer: &Importer) -> Result<Element, ImportError> {
    node.has_no_effect(&["saturate", "precision"]);
    let named = node.int("output_dtype")?.filter(|dtype| *dtype != 0);
    if let Some(Value::Tensor(_)) = node.optional(2) {
        return Err(node.computed_operand(2));
    }
    if node.optional(2).is_some() {
        let known = importer.kind_of(node.operand_name(2));
        return known.ok_or_else(|| node.wrong_operand(2, "an initializer"));
    }
    let unsigned = Element::Integer { bits: 8, signed: false };
    match named {
        None => Ok(unsigned),
        Some(dtype) => i32::try_from(dtype)
            .ok()
            .and_then(Element::of)
            .ok_or_else(|| node.unsupported("codes of other than 8 bits")),
    }
}

/// `QuantizeLinear`: the nearest code, ties to even, saturated.
fn quantize(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let kind = kind(node, importer)?;
    match node.operand(0)? {
        Value::Constant(constant) => quantized(node, importer, constant, kind),
        Value::Tensor(tensor) => {
            code_bounds(node, kind)?;
            node.has_no_effect(LINEAR);
            let scale = super::codes::one_scale(node, 1)?;
            let target = Target { scale, zero: one_zero(node, 2)?, kind };
            Ok(vec![importer.codes_of_each(node, tensor.id, Rule::Nearest { scale }, target)?])
        }
    }
}

/// The codes of a constant.
fn quantized(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    constant: &Constant,
    kind: Element,
) -> Lowered {
    scales(node, 1)?;
    let scale = along_axis(node, node.constant(1)?, &constant.shape)?.broadcast(&constant.shape);
    importer.budget.elements(&node.name, &constant.shape)?;
    let zero = match node.optional(2) {
        None => vec![0.0; constant.data.len()],
        Some(_) => {
            let zero = along_axis(node, node.constant(2)?, &constant.shape)?;
            zero.broadcast(&constant.shape).to_reals()
        }
    };
    let (lo, hi) = kind.bounds().unwrap_or((0, 255));
    let numbers = constant.to_reals().into_iter().zip(scale.to_reals()).zip(zero);
    let codes = numbers.map(|((x, scale), zero)| {
        let code = Rule::of_real(narrow(scale), x).saturating_add(integer(zero));
        code.clamp(lo, hi)
    });
    let data = Data::Integer(codes.collect());
    for output in node.outputs() {
        importer.set_kind(output, kind);
    }
    Ok(vec![Constant { shape: constant.shape.clone(), data }.into()])
}

/// `DequantizeLinear`: `(code − zero point) · scale`.
fn dequantize(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    node.has_no_effect(&["output_dtype", "saturate", "precision"]);
    let codes = node.operand(0)?.clone();
    let shape = importer.shape_of(&codes);
    let scale = along_axis(node, node.constant(1)?, &shape)?;
    let scale: Value = Constant::reals(scale.shape.clone(), scale.to_reals()).into();
    let is_dynamic = importer.codes_of(&codes) == Some(Codes::Dynamic);
    let zero = match node.optional(2) {
        None => None,
        Some(_) => Some(along_axis(node, node.constant(2)?, &shape)?),
    };
    let reals = |zero: &Constant| Value::from(Constant::reals(zero.shape.clone(), zero.to_reals()));
    let is_of_8_bits = matches!(Importer::element_of(&codes), Element::Integer { bits: 8, .. });
    let centred = match (&codes, &zero) {
        (Value::Tensor(_), _) if is_dynamic => codes.clone().with_element(Element::Real),
        (Value::Tensor(_), zero) if is_of_8_bits && zero.as_ref().is_none_or(is_uniform) => {
            importer.centred(node, &codes, one_zero(node, 2)?)?
        }
        (codes, zero) => {
            let whole = match codes {
                Value::Constant(constant) => reals(constant),
                Value::Tensor(_) => importer.whole_codes(node, codes)?.with_element(Element::Real),
            };
            match zero {
                None => whole,
                Some(zero) => importer.sub(node, &whole, &reals(zero))?,
            }
        }
    };
    Ok(vec![importer.product(node, &centred, &scale)?.with_element(Element::Real)])
}

/// Whether all numbers of a constant are the same.
fn is_uniform(constant: &Constant) -> bool {
    let numbers = constant.to_reals();
    numbers.iter().all(|number| *number == numbers[0])
}

/// `DynamicQuantizeLinear`: what reads the codes reads the numbers themselves, with a scale of 1,
/// which are within half a code of what a runtime computes with.
fn dynamic(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    if let Value::Constant(constant) = node.operand(0)? {
        return dynamically_quantized(node, importer, constant);
    }
    let shape = importer.shape_of(node.operand(0)?);
    let codes = importer.reshaped(node, node.operand(0)?, shape)?;
    let Value::Tensor(tensor) = &codes else { return Err(node.computed_operand(0)) };
    importer.codes.insert(tensor.id, Codes::Dynamic);
    let scale = Constant::reals(Vec::new(), vec![1.0]).into();
    let zero = Constant { shape: Vec::new(), data: Data::Integer(vec![0]) }.into();
    Ok(vec![codes.with_element(Element::Integer { bits: 8, signed: false }), scale, zero])
}

/// The codes of a constant, with the scale and the zero point that its range gives.
fn dynamically_quantized(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    constant: &Constant,
) -> Lowered {
    importer.budget.elements(&node.name, &constant.shape)?;
    let numbers: Vec<f32> = constant.to_reals().into_iter().map(narrow).collect();
    let lo = numbers.iter().copied().fold(0.0, f32::min);
    let hi = numbers.iter().copied().fold(0.0, f32::max);
    let scale = if lo < hi { (hi - lo) / 255.0 } else { 1.0 };
    let zero = integer(f64::from((-lo / scale).clamp(0.0, 255.0).round_ties_even()));
    let code =
        |number: &f32| Rule::of_real(scale, f64::from(*number)).saturating_add(zero).clamp(0, 255);
    let codes = Data::Integer(numbers.iter().map(code).collect());
    for output in node.outputs().iter().step_by(2) {
        importer.set_kind(output, Element::Integer { bits: 8, signed: false });
    }
    Ok(vec![
        Constant { shape: constant.shape.clone(), data: codes }.into(),
        Constant::reals(Vec::new(), vec![f64::from(scale)]).into(),
        Constant { shape: Vec::new(), data: Data::Integer(vec![zero]) }.into(),
    ])
}

/// A factor of an integer product less its zero point, which may be one for each column of a
/// constant.
fn factor(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    [index, zero_index]: [usize; 2],
    axis_from_end: usize,
) -> Result<Value, ImportError> {
    let codes = node.operand(index)?.clone();
    if importer.codes_of(&codes) == Some(Codes::Dynamic) {
        return Ok(codes.with_element(Element::Real));
    }
    match &codes {
        Value::Tensor(_) => {
            let zero = one_zero(node, zero_index)?;
            importer.centred(node, &codes, zero)
        }
        Value::Constant(constant) => {
            let zeros = zeros(node, zero_index)?;
            importer.budget.elements(&node.name, &constant.shape)?;
            Ok(less_zeros(node, constant, &zeros, axis_from_end, zero_index)?.into())
        }
    }
}

/// A constant less its zero points: one, or one for each index of the axis that is so far from the
/// end.
pub(super) fn less_zeros(
    node: &OnnxNode<'_>,
    constant: &Constant,
    zeros: &[i64],
    axis_from_end: usize,
    zero_index: usize,
) -> Result<Constant, ImportError> {
    let rank = constant.shape.len();
    let axis = rank.checked_sub(axis_from_end);
    let size = axis.and_then(|axis| constant.shape.get(axis)).copied().unwrap_or(1);
    if zeros.len() != 1 && zeros.len() != size {
        return Err(node.wrong_operand(zero_index, "one number, or one for each channel"));
    }
    let after: usize = constant.shape.iter().skip(axis.unwrap_or(0) + 1).product();
    let of = |position: usize| zeros[position / after.max(1) % size.max(1) % zeros.len()];
    let numbers = constant.to_reals().into_iter().enumerate();
    let centred = numbers.map(|(position, code)| code - real(of(position)));
    Ok(Constant::reals(constant.shape.clone(), centred.collect()))
}

const SUM: Element = Element::Integer { bits: 32, signed: true };

/// `MatMulInteger`: products of codes less their zero points.
fn matmul_integer(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let a = factor(node, importer, [0, 2], 2)?;
    let b = factor(node, importer, [1, 3], 1)?;
    let sums = importer.matrix_product(node, &a, &b)?;
    Ok(vec![whole_sums(node, importer, sums)?])
}

/// Sums of products of codes. Outputs of the model are whole numbers where 16 bits hold them; other
/// sums are real numbers to whoever scales them.
fn whole_sums(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    sums: Value,
) -> Result<Value, ImportError> {
    if importer.gives_output(node) && importer.largest_sum(&sums) <= f64::from(i16::MAX) {
        return importer.exact_sums(node, &sums, SUM);
    }
    Ok(sums.with_element(SUM))
}

/// `ConvInteger`: the same for a convolution, whose padding is the zero point.
fn conv_integer(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let input = factor(node, importer, [0, 2], 1)?;
    let rank = importer.shape_of(node.operand(1)?).len();
    let kernel = factor(node, importer, [1, 3], rank)?;
    let inner = node.with_operands(vec![Some(input), Some(kernel)]);
    let sums = super::convolution::conv(&inner, importer)?;
    node.has_no_effect(CONV);
    sums.into_iter().map(|sum| whole_sums(node, importer, sum)).collect()
}

/// Factors of a constant matrix for each column, and a bias after the product.
fn scaled_product(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    [a, matrix]: [&Value; 2],
    scales: &Value,
    bias: Option<usize>,
) -> Lowered {
    let matrix = importer.product(node, matrix, scales)?;
    let product = importer.matrix_product(node, a, &matrix)?;
    let Some(bias) = bias.and_then(|index| node.optional(index)) else { return Ok(vec![product]) };
    Ok(vec![importer.add(node, &product, bias)?])
}

/// `DynamicQuantizeMatMul`: as [`dynamic`].
fn dynamic_matmul(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let a = node.operand(0)?.clone();
    let matrix = factor(node, importer, [1, 3], 1)?;
    let scales = real_constant(node, 2)?;
    scaled_product(node, importer, [&a, &matrix], &scales, Some(4))
}

/// `MatMulIntegerToFloat`.
fn matmul_to_float(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let a = factor(node, importer, [0, 4], 2)?;
    let a = importer.product(node, &a, &real_constant(node, 2)?)?;
    let matrix = factor(node, importer, [1, 5], 1)?;
    let scales = real_constant(node, 3)?;
    scaled_product(node, importer, [&a, &matrix], &scales, Some(6))
}

fn real_constant(node: &OnnxNode<'_>, index: usize) -> Result<Value, ImportError> {
    let constant = node.constant(index)?;
    Ok(Constant::reals(constant.shape.clone(), constant.to_reals()).into())
}
