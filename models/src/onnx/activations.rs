//! Functions of one variable.

use super::compose::{Lowered, result_shape};
use super::constant::{Constant, Data};
use super::element::Element;
use super::error::ImportError;
use super::importer::Importer;
use super::node::{OnnxNode, Value};
use super::operators::{Operator, operator};
use crate::activation::Activation;
use crate::function::{self, Function};

/// The operators without attributes that are nothing but a table.
pub(super) const FUNCTIONS: &[Operator] = &{
    let mut rows = [const { operator("", &[], &[], unary) }; function::OPERATORS.len()];
    let mut at = 0;
    while at < rows.len() {
        let (name, sets, _) = function::OPERATORS[at];
        rows[at] = operator(name, sets, &[], unary);
        at += 1;
    }
    rows
};

pub(super) const OPERATORS: &[Operator] = &[
    operator("Abs", &[6, 13], &[], unary),
    operator("Celu", &[12, 28], &["alpha"], unary),
    operator("Clip", &[6, 11, 12, 13], &["min", "max"], clip),
    operator("Elu", &[6, 22], &["alpha"], unary),
    operator("Erf", &[9, 13], &[], unary),
    operator("Exp", &[6, 13], &[], unary),
    operator("Gelu", &[20], &["approximate"], unary),
    operator("Gelu", &[1], &[], unary).of_domain("com.microsoft"),
    operator("HardSigmoid", &[6, 22], &["alpha", "beta"], unary),
    operator("HardSwish", &[14, 22], &[], unary),
    operator("LeakyRelu", &[6, 16], &["alpha"], unary),
    operator("PRelu", &[7, 9, 16], &[], parametric_relu),
    operator("QuickGelu", &[1], &["alpha"], unary).of_domain("com.microsoft"),
    operator("Relu", &[6, 13, 14], &[], unary),
    operator("Selu", &[6, 22], &["alpha", "gamma"], unary),
    operator("Shrink", &[9], &["bias", "lambd"], unary),
    operator("Sigmoid", &[6, 13], &[], unary),
    operator("Softplus", &[1, 22], &[], unary),
    operator("Softsign", &[1, 22], &[], unary),
    operator("Swish", &[24], &["alpha"], unary),
    operator("Tanh", &[6, 13], &[], unary),
    operator("ThresholdedRelu", &[10, 22], &["alpha"], unary),
];

/// Any operation that applies one function to each element.
fn unary(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let activation = activation(node)?;
    Ok(vec![importer.apply(node, node.operand(0)?, activation)?])
}

fn activation(node: &OnnxNode<'_>) -> Result<Activation, ImportError> {
    let alpha = |default: f64| Ok::<_, ImportError>(node.float("alpha")?.unwrap_or(default));
    Ok(match node.op() {
        "Abs" => Activation::Abs,
        "Celu" => match alpha(1.0)? {
            0.0 => return Err(node.wrong_attribute("alpha", "different from 0")),
            alpha => Activation::Function(Function::Celu { alpha }),
        },
        "Elu" => Activation::Elu { alpha: alpha(1.0)? },
        "Erf" => Activation::Erf,
        "Exp" => Activation::Exp,
        "Gelu" => match node.text("approximate")? {
            None | Some(b"none") => Activation::Gelu,
            Some(b"tanh") => Activation::Function(Function::GeluTanh),
            Some(_) => return Err(node.wrong_attribute("approximate", "none or tanh")),
        },
        "HardSigmoid" => {
            Activation::HardSigmoid { alpha: alpha(0.2)?, beta: node.float("beta")?.unwrap_or(0.5) }
        }
        "HardSwish" => Activation::HardSwish,
        "LeakyRelu" => Activation::LeakyRelu { alpha: alpha(0.01)? },
        "QuickGelu" => Activation::Function(Function::Swish { alpha: alpha(1.702)? }),
        "Relu" => Activation::Relu,
        "Selu" => Activation::Selu {
            alpha: alpha(1.673_263_192_176_818_8)?,
            gamma: node.float("gamma")?.unwrap_or(1.050_701_022_148_132_3),
        },
        "Shrink" => Activation::Function(Function::Shrink {
            lambda: node.float("lambd")?.unwrap_or(0.5),
            bias: node.float("bias")?.unwrap_or(0.0),
        }),
        "Sigmoid" => Activation::Sigmoid,
        "Softplus" => Activation::Softplus,
        "Softsign" => Activation::Softsign,
        "Swish" => match alpha(1.0)? {
            1.0 => Activation::Silu,
            alpha => Activation::Function(Function::Swish { alpha }),
        },
        "Tanh" => Activation::Tanh,
        "ThresholdedRelu" => Activation::Function(Function::ThresholdedRelu { alpha: alpha(1.0)? }),
        op => match function::OPERATORS.iter().find(|(name, _, _)| *name == op) {
            Some(&(_, _, function)) => Activation::Function(function),
            None => return Err(node.unsupported("not a function of one variable")),
        },
    })
}

/// `Clip`: bounds as attributes before operator set 11, as operands since. Where the bounds cross,
/// every element is the upper one, as the standard says.
fn clip(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let value = node.operand(0)?;
    if let (Value::Constant(constant), true) = (value, node.opset >= 11)
        && let Data::Integer(data) = &constant.data
    {
        let bound = |index: usize| match node.optional(index) {
            Some(_) => Ok::<_, ImportError>(node.integers(index)?.first().copied()),
            None => Ok(None),
        };
        let (min, max) = (bound(1)?.unwrap_or(i64::MIN), bound(2)?.unwrap_or(i64::MAX));
        let data = Data::Integer(data.iter().map(|&x| x.max(min).min(max)).collect());
        return Ok(vec![Constant { shape: constant.shape.clone(), data }.into()]);
    }
    let min = node.real_either("min", 1, 11)?.unwrap_or(f64::NEG_INFINITY);
    let max = node.real_either("max", 2, 11)?.unwrap_or(f64::INFINITY);
    let unbounded = f64::from(f32::MAX);
    if min > max {
        let shape = importer.shape_of(value);
        let zeros = importer.scaled(node, value, 0.0, 0.0)?;
        let constant = Constant::reals(vec![1; shape.len()], vec![max]).into();
        return Ok(vec![importer.add(node, &zeros, &constant)?]);
    }
    let function = match (min, max) {
        (0.0, max) if max >= unbounded => Activation::Relu,
        (min, max) if min <= -unbounded && max >= unbounded => Activation::Identity,
        (min, max) => Activation::Clip { min, max },
    };
    Ok(vec![importer.apply(node, value, function)?])
}

/// `PRelu`: with one slope for all elements a LeakyRelu, else `slope·x + (1 − slope)·relu(x)`.
fn parametric_relu(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let value = node.operand(0)?;
    let slope = node.operand(1)?;
    let shape = importer.shape_of(value);
    if result_shape(node, &shape, &importer.shape_of(slope))? != shape {
        return Err(node.wrong_shape("slopes must broadcast to the input", &[&shape]));
    }
    if let Value::Constant(slopes) = slope
        && let [alpha, rest @ ..] = &slopes.to_reals()[..]
        && rest.iter().all(|slope| slope == alpha)
    {
        return Ok(vec![importer.apply(node, value, Activation::LeakyRelu { alpha: *alpha })?]);
    }
    let positive = importer.apply(node, value, Activation::Relu)?;
    let negative = importer.sub(node, value, &positive)?;
    let scaled = importer.product(node, &negative, slope)?;
    Ok(vec![importer.add(node, &positive, &scaled)?])
}

/// The integers that a real number becomes without its fraction.
pub(super) fn truncated(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    value: &Value,
    element: Element,
) -> Result<Value, ImportError> {
    let function = Activation::Function(Function::Trunc);
    Ok(importer.apply(node, value, function)?.with_element(element))
}
