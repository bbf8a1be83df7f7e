//! Losses of classifiers, as functions of scores and labels.

use super::compose::{Lowered, Reduction};
use super::constant::{Constant, Data};
use super::element::Element;
use super::error::ImportError;
use super::importer::Importer;
use super::node::{OnnxNode, Value};
use super::operators::{Operator, operator};
use crate::activation::Activation;
use crate::function::Function;

pub(super) const OPERATORS: &[Operator] = &[
    operator("NegativeLogLikelihoodLoss", &[12, 13, 22], ATTRIBUTES, negative_log_likelihood),
    operator("SoftmaxCrossEntropyLoss", &[12, 13], ATTRIBUTES, cross_entropy),
];

const ATTRIBUTES: &[&str] = &["ignore_index", "reduction"];

/// `NegativeLogLikelihoodLoss`: minus the score of each label.
fn negative_log_likelihood(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let scores = node.operand(0)?.clone();
    Ok(vec![loss(node, importer, &scores)?])
}

/// `SoftmaxCrossEntropyLoss`: the same of the logarithms of softmax.
fn cross_entropy(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let scores = node.operand(0)?;
    if importer.shape_of(scores).len() < 2 {
        return Err(node.wrong_shape("batch and classes", &[&importer.shape_of(scores)]));
    }
    let sum = importer.log_sum_exp(node, scores, &[1])?;
    let logarithms = importer.sub(node, scores, &sum)?;
    Ok(vec![loss(node, importer, &logarithms)?, logarithms])
}

fn loss(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    scores: &Value,
) -> Result<Value, ImportError> {
    let shape = importer.shape_of(scores);
    let labels = node.operand(1)?;
    let label_shape = importer.shape_of(labels);
    let fits = shape.len() >= 2 && label_shape == [&shape[..1], &shape[2..]].concat();
    if !fits {
        return Err(node.wrong_shape("one label for each score", &[&shape, &label_shape]));
    }
    // `[batch, …, classes]`, then the classes second as in the scores.
    let rows = chosen(node, importer, labels, shape[1])?;
    let mut order: Vec<usize> = (0..shape.len() - 1).collect();
    order.insert(1, shape.len() - 1);
    let mut weights = importer.transposed(node, &rows, &order)?;
    if let Some(given) = node.optional(2) {
        let mut wide = vec![1; shape.len() - 1];
        wide[0] = shape[1];
        let given = importer.reshaped(node, given, wide)?;
        weights = importer.product(node, &weights, &given)?;
    }
    let products = importer.product(node, scores, &weights)?;
    let losses = importer.reduced(node, &products, &[1], Reduction::Sum)?;
    let losses = importer.scaled(node, &losses, -1.0, 0.0)?;
    let losses = importer.reshaped(node, &losses, label_shape.clone())?;
    let all: Vec<usize> = (0..label_shape.len()).collect();
    match node.text("reduction")? {
        Some(b"none") => Ok(losses),
        Some(b"sum") => {
            let sum = importer.reduced(node, &losses, &all, Reduction::Sum)?;
            importer.reshaped(node, &sum, Vec::new())
        }
        None | Some(b"mean") => {
            let sum = importer.reduced(node, &losses, &all, Reduction::Sum)?;
            let everything: Vec<usize> = (0..shape.len()).collect();
            let total = importer.reduced(node, &weights, &everything, Reduction::Sum)?;
            let [sum, total] = [
                importer.reshaped(node, &sum, Vec::new())?,
                importer.reshaped(node, &total, Vec::new())?,
            ];
            let inverse = Activation::Function(Function::Reciprocal);
            let inverse = importer.apply(node, &total, inverse)?;
            importer.product(node, &sum, &inverse)
        }
        Some(_) => Err(node.wrong_attribute("reduction", "none, sum or mean")),
    }
}

/// A 1 at each label's class, nothing at labels that are ignored.
fn chosen(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    labels: &Value,
    classes: usize,
) -> Result<Value, ImportError> {
    let ignored = node.int("ignore_index")?;
    let Value::Constant(constant) = labels else {
        let in_range = ignored.and_then(|ignored| usize::try_from(ignored).ok());
        let rows = importer.one_hot_rows(node, labels, classes, false)?;
        return match in_range.filter(|&ignored| ignored < classes) {
            None => Ok(rows),
            Some(ignored) => {
                let mask = (0..classes).map(|class| if class == ignored { 0.0 } else { 1.0 });
                let mask = Constant::reals(vec![classes], mask.collect()).into();
                importer.product(node, &rows, &mask)
            }
        };
    };
    let Data::Integer(numbers) = &constant.data else {
        return Err(node.wrong_operand(1, "of an integer type"));
    };
    let mut shape = constant.shape.clone();
    shape.push(classes);
    importer.budget.elements(&node.name, &shape)?;
    let mut rows = vec![0.0; numbers.len() * classes];
    for (position, &label) in numbers.iter().enumerate() {
        if Some(label) == ignored {
            continue;
        }
        let class = node.axis(label, classes);
        let class = class.map_err(|_| node.wrong_operand(1, "labels of the classes"))?;
        rows[position * classes + class] = 1.0;
    }
    let rows: Value = Constant::reals(shape, rows).into();
    Ok(rows.with_element(Element::Real))
}
