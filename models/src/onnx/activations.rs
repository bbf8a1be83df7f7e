//! Functions of one variable.

use super::constant::{Constant, Data};
use super::importer::Importer;
use super::node::{OnnxNode, Value};
use crate::activation::Activation;
use crate::error::ImportError;
use crate::graph::activate;

/// Any operation that applies one function to each element.
pub(super) fn unary(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
) -> Result<Vec<Value>, ImportError> {
    let function = function(node)?;
    apply(node, importer, function)
}

/// `Clip`: bounds as attributes before operator set 11, as operands since.
pub(super) fn clip(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
) -> Result<Vec<Value>, ImportError> {
    let min = node.real_either("min", 1, 11)?.unwrap_or(f64::NEG_INFINITY);
    let max = node.real_either("max", 2, 11)?.unwrap_or(f64::INFINITY);
    if min > max {
        return Err(node.unsupported("the lower bound is above the upper one"));
    }
    let unbounded = f64::from(f32::MAX);
    let function = match (min, max) {
        (0.0, max) if max >= unbounded => Activation::Relu,
        (min, max) if min <= -unbounded && max >= unbounded => Activation::Identity,
        (min, max) => Activation::Clip { min, max },
    };
    apply(node, importer, function)
}

/// `PRelu` with one slope for all elements.
pub(super) fn parametric_relu(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
) -> Result<Vec<Value>, ImportError> {
    let (_, slopes) = node.reals(1)?;
    match slopes.split_first() {
        Some((&alpha, rest)) if rest.iter().all(|&slope| slope == alpha) => {
            apply(node, importer, Activation::LeakyRelu { alpha })
        }
        _ => Err(node.unsupported("slopes that differ between channels; use LeakyRelu")),
    }
}

fn function(node: &OnnxNode<'_>) -> Result<Activation, ImportError> {
    let alpha = |default: f64| Ok::<_, ImportError>(node.float("alpha")?.unwrap_or(default));
    Ok(match node.op() {
        "Abs" => Activation::Abs,
        "Elu" => Activation::Elu { alpha: alpha(1.0)? },
        "Erf" => Activation::Erf,
        "Exp" => Activation::Exp,
        "Gelu" => match node.text("approximate")? {
            None | Some(b"none") => Activation::Gelu,
            Some(_) => return Err(node.unsupported("approximate; use the exact function")),
        },
        "HardSigmoid" => {
            Activation::HardSigmoid { alpha: alpha(0.2)?, beta: node.float("beta")?.unwrap_or(0.5) }
        }
        "HardSwish" => Activation::HardSwish,
        "LeakyRelu" => Activation::LeakyRelu { alpha: alpha(0.01)? },
        "Relu" => Activation::Relu,
        "Selu" => Activation::Selu {
            alpha: alpha(1.673_263_192_176_818_8)?,
            gamma: node.float("gamma")?.unwrap_or(1.050_701_022_148_132_3),
        },
        "Sigmoid" => Activation::Sigmoid,
        "Softplus" => Activation::Softplus,
        "Softsign" => Activation::Softsign,
        "Tanh" => Activation::Tanh,
        _ => return Err(node.unsupported("not a function of one variable")),
    })
}

fn apply(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    function: Activation,
) -> Result<Vec<Value>, ImportError> {
    let value = match node.operand(0)? {
        Value::Tensor(id) => {
            let shape = importer.shape(*id).to_vec();
            importer.reserve(node, &shape)?;
            importer.emit(node, shape, activate(*id, function))
        }
        Value::Constant(_) => {
            let (shape, data) = node.reals(0)?;
            let data = data.iter().map(|&x| function.apply(x)).collect();
            let constant = Constant { shape: shape.to_vec(), data: Data::Real(data) };
            constant.check_finite(&node.name)?;
            Value::Constant(constant.into())
        }
    };
    Ok(vec![value])
}
