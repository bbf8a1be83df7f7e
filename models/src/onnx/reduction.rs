//! Sums, means, extremes and norms over dimensions.

use super::compose::{Lowered, Reduction};
use super::constant::{Constant, Data};
use super::error::ImportError;
use super::importer::Importer;
use super::node::{OnnxNode, Value};
use super::operators::{Operator, operator};
use super::pooling::norm;
use super::reshaping::distinct_axes;
use crate::activation::Activation;
use crate::function::Function;

const ATTRIBUTES: &[&str] = &["axes", "keepdims", "noop_with_empty_axes"];

pub(super) const OPERATORS: &[Operator] = &[
    operator("GlobalAveragePool", &[1, 22], &[], global_average),
    operator("GlobalLpPool", &[2, 22], &["p"], global_norm),
    operator("GlobalMaxPool", &[1, 22], &[], global_max),
    operator("LpNormalization", &[1, 22], &["axis", "p"], lp_normalization),
    operator("ReduceL1", &[1, 11, 13, 18], ATTRIBUTES, reduce),
    operator("ReduceL2", &[1, 11, 13, 18], ATTRIBUTES, reduce),
    operator("ReduceLogSum", &[1, 11, 13, 18, 28], ATTRIBUTES, reduce),
    operator("ReduceLogSumExp", &[1, 11, 13, 18, 28], ATTRIBUTES, reduce),
    operator("ReduceMax", &[1, 11, 12, 13, 18, 20], ATTRIBUTES, reduce),
    operator("ReduceMean", &[1, 11, 13, 18], ATTRIBUTES, reduce),
    operator("ReduceMin", &[1, 11, 12, 13, 18, 20], ATTRIBUTES, reduce),
    operator("ReduceProd", &[1, 11, 13, 18], ATTRIBUTES, reduce),
    operator("ReduceSum", &[1, 11, 13], ATTRIBUTES, reduce),
    operator("ReduceSumSquare", &[1, 11, 13, 18], ATTRIBUTES, reduce),
];

/// Any reduction; axes are an attribute in older operator sets and an operand in newer ones.
fn reduce(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let value = node.operand(0)?;
    let rank = importer.shape_of(value).len();
    let operand_since = if node.op() == "ReduceSum" { 13 } else { 18 };
    let keep = node.flag("keepdims", true)?;
    let leaves_empty = node.flag("noop_with_empty_axes", false)?;
    let given = node.integers_either("axes", 1, operand_since)?.unwrap_or_default();
    let axes = match given.is_empty() {
        // What is done to each element, or to a sum, is done all the same.
        true if leaves_empty => Vec::new(),
        true => (0..rank).collect(),
        false => distinct_axes(node, &given, rank)?,
    };
    let shape = importer.shape_of(value);
    if let (Value::Constant(list), [0], [0]) = (value, &shape[..], &axes[..]) {
        let shape = vec![1; usize::from(keep)];
        return Ok(vec![Constant { shape, data: of_nothing(node, &list.data)? }.into()]);
    }
    node.has_elements(&shape)?;
    let reduced = over(node, importer, value, &axes)?;
    if keep {
        return Ok(vec![reduced]);
    }
    let kept = (0..rank).filter(|axis| !axes.contains(axis)).map(|axis| shape[axis]).collect();
    Ok(vec![importer.reshaped(node, &reduced, kept)?])
}

/// The reduction of an empty list: exporters multiply the sizes of a scalar, of which there are none.
fn of_nothing(node: &OnnxNode<'_>, list: &Data) -> Result<Data, ImportError> {
    let neutral: i32 = match node.op() {
        "ReduceProd" => 1,
        "ReduceSum" => 0,
        _ => return Err(node.wrong_shape("no dimension may be 0", &[&[0]])),
    };
    Ok(match list {
        Data::Integer(_) => Data::Integer(vec![i64::from(neutral)]),
        Data::Real(_) => Data::Real(vec![f64::from(neutral)]),
    })
}

fn over(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    value: &Value,
    axes: &[usize],
) -> Result<Value, ImportError> {
    let logarithm = Activation::Function(Function::Log);
    match node.op() {
        "ReduceL1" => importer.norm_over(node, value, axes, 1.0),
        "ReduceL2" => importer.norm_over(node, value, axes, 2.0),
        "ReduceLogSum" => {
            let sum = importer.reduced(node, value, axes, Reduction::Sum)?;
            importer.apply(node, &sum, logarithm)
        }
        "ReduceLogSumExp" => importer.log_sum_exp(node, value, axes),
        "ReduceMax" => importer.reduced(node, value, axes, Reduction::Max),
        "ReduceMean" => importer.reduced(node, value, axes, Reduction::Mean),
        "ReduceMin" => {
            let opposite = importer.scaled(node, value, -1.0, 0.0)?;
            let largest = importer.reduced(node, &opposite, axes, Reduction::Max)?;
            importer.scaled(node, &largest, -1.0, 0.0)
        }
        "ReduceProd" => importer.product_over(node, value, axes),
        "ReduceSum" => importer.reduced(node, value, axes, Reduction::Sum),
        "ReduceSumSquare" => {
            let squares = importer.product(node, value, value)?;
            importer.reduced(node, &squares, axes, Reduction::Sum)
        }
        _ => Err(node.unsupported("not a reduction")),
    }
}

impl Importer {
    /// The norm over some dimensions, which become 1.
    pub(super) fn norm_over(
        &mut self,
        node: &OnnxNode<'_>,
        value: &Value,
        axes: &[usize],
        norm: f64,
    ) -> Result<Value, ImportError> {
        let powers = self.powers(node, value, norm)?;
        let sums = self.reduced(node, &powers, axes, Reduction::Sum)?;
        self.root(node, &sums, norm)
    }

    /// `m + ln Σ exp(x − m)` with the largest element `m`, so that nothing overflows.
    pub(super) fn log_sum_exp(
        &mut self,
        node: &OnnxNode<'_>,
        value: &Value,
        axes: &[usize],
    ) -> Result<Value, ImportError> {
        let largest = self.reduced(node, value, axes, Reduction::Max)?;
        let below = self.sub(node, value, &largest)?;
        let powers = self.apply(node, &below, Activation::Function(Function::Decay))?;
        let sums = self.reduced(node, &powers, axes, Reduction::Sum)?;
        let logarithms = self.apply(node, &sums, Activation::Function(Function::Log))?;
        self.add(node, &largest, &logarithms)
    }

    /// The product over some dimensions, by halves.
    fn product_over(
        &mut self,
        node: &OnnxNode<'_>,
        value: &Value,
        axes: &[usize],
    ) -> Result<Value, ImportError> {
        let mut value = value.clone();
        for &axis in axes {
            loop {
                let shape = self.shape_of(&value);
                if shape[axis] <= 1 {
                    break;
                }
                let half = shape[axis] / 2;
                let mut places: Vec<Vec<usize>> = shape.iter().map(|&n| (0..n).collect()).collect();
                places[axis] = (0..half).collect();
                let first = self.picked(node, &value, &places)?;
                places[axis] = (half..2 * half).collect();
                let second = self.picked(node, &value, &places)?;
                let products = self.product(node, &first, &second)?;
                value = if shape[axis] == 2 * half {
                    products
                } else {
                    places[axis] = vec![2 * half];
                    let rest = self.picked(node, &value, &places)?;
                    self.joined(node, &[products, rest], axis)?
                };
            }
        }
        Ok(value)
    }
}

/// The spatial dimensions of operand 0.
fn spatial(node: &OnnxNode<'_>, importer: &Importer) -> Result<Vec<usize>, ImportError> {
    let rank = importer.shape_of(node.operand(0)?).len();
    if rank < 3 {
        return Err(node.unsupported("batch, channels and spatial dimensions are needed"));
    }
    Ok((2..rank).collect())
}

fn global_average(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let axes = spatial(node, importer)?;
    Ok(vec![importer.reduced(node, node.operand(0)?, &axes, Reduction::Mean)?])
}

fn global_max(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let axes = spatial(node, importer)?;
    Ok(vec![importer.reduced(node, node.operand(0)?, &axes, Reduction::Max)?])
}

fn global_norm(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let axes = spatial(node, importer)?;
    let norm = norm(node)?;
    Ok(vec![importer.norm_over(node, node.operand(0)?, &axes, norm)?])
}

/// `LpNormalization`: each element over the norm of its group.
fn lp_normalization(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let value = node.operand(0)?;
    let rank = importer.shape_of(value).len();
    let axis = node.axis(node.int("axis")?.unwrap_or(-1), rank)?;
    let norm = norm(node)?;
    if norm > 2.0 {
        return Err(node.wrong_attribute("p", "1 or 2"));
    }
    let powers = importer.powers(node, value, norm)?;
    let sums = importer.reduced(node, &powers, &[axis], Reduction::Sum)?;
    let inverse = match norm {
        1.0 => Function::Reciprocal,
        _ => Function::InverseSqrt { epsilon: 0.0 },
    };
    let inverse = importer.apply(node, &sums, Activation::Function(inverse))?;
    Ok(vec![importer.product(node, value, &inverse)?])
}
