//! Operations of `ai.onnx.ml` that are linear, or tables: what converters write for pipelines.

use super::compose::{Lowered, Reduction};
use super::constant::Constant;
use super::element::Element;
use super::error::ImportError;
use super::importer::Importer;
use super::labels::class_labels;
use super::node::{OnnxNode, Value};
use super::operators::{Operator, TextsIn, operator};
use crate::activation::Activation;
use crate::function::Function;

pub(super) const DOMAIN: &str = "ai.onnx.ml";

pub(super) const OPERATORS: &[Operator] = &[
    operator("ArrayFeatureExtractor", &[1], &[], extract)
        .of_domain(DOMAIN)
        .taking_texts(TextsIn::All),
    operator("Binarizer", &[1], &["threshold"], binarize).of_domain(DOMAIN),
    operator("FeatureVectorizer", &[1], &["inputdimensions"], vectorize).of_domain(DOMAIN),
    operator(
        "Imputer",
        &[1],
        &[
            "imputed_value_floats",
            "imputed_value_int64s",
            "replaced_value_float",
            "replaced_value_int64",
        ],
        impute,
    )
    .of_domain(DOMAIN),
    operator(
        "LinearClassifier",
        &[1],
        &[
            "classlabels_ints",
            "classlabels_strings",
            "coefficients",
            "intercepts",
            "multi_class",
            "post_transform",
        ],
        linear_classifier,
    )
    .of_domain(DOMAIN),
    operator(
        "LinearRegressor",
        &[1],
        &["coefficients", "intercepts", "post_transform", "targets"],
        linear_regressor,
    )
    .of_domain(DOMAIN),
    operator("Normalizer", &[1], &["norm"], normalize).of_domain(DOMAIN),
    operator("Scaler", &[1], &["offset", "scale"], scale).of_domain(DOMAIN),
];

/// Numbers of an attribute.
pub(super) fn numbers(node: &OnnxNode<'_>, name: &'static str) -> Result<Vec<f64>, ImportError> {
    let given = node.floats(name)?.unwrap_or_default();
    let numbers: Vec<f64> = given.iter().copied().map(f64::from).collect();
    if numbers.iter().any(|number| !number.is_finite()) {
        return Err(node.wrong_attribute(name, "finite"));
    }
    Ok(numbers)
}

/// Numbers of any type as the real ones that these operations compute with.
fn real_input(node: &OnnxNode<'_>, importer: &Importer) -> Result<(Value, usize), ImportError> {
    let value = node.operand(0)?.clone().with_element(Element::Real);
    match importer.shape_of(&value).last() {
        Some(&width) => Ok((value, width)),
        None => Err(node.wrong_operand(0, "of one dimension or more")),
    }
}

/// `Scaler`: `(x − offset) · scale`, one number for each feature or one for all.
fn scale(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let (value, width) = real_input(node, importer)?;
    let (offset, scale) = (numbers(node, "offset")?, numbers(node, "scale")?);
    if [&offset, &scale].iter().any(|list| list.len() != 1 && list.len() != width) {
        return Err(node.wrong_attribute("scale", "one number for each feature, or one for all"));
    }
    let constant = |list: Vec<f64>| Value::from(Constant::reals(vec![list.len()], list));
    let shifted = importer.sub(node, &value, &constant(offset))?;
    Ok(vec![importer.product(node, &shifted, &constant(scale))?])
}

/// `Normalizer`: each row over its largest magnitude or its norm.
fn normalize(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let (value, _) = real_input(node, importer)?;
    let axis = importer.shape_of(&value).len() - 1;
    let (sums, inverse) = match node.text("norm")? {
        None | Some(b"MAX") => {
            let magnitudes = importer.apply(node, &value, Activation::Abs)?;
            (importer.reduced(node, &magnitudes, &[axis], Reduction::Max)?, Function::Reciprocal)
        }
        Some(b"L1") => {
            let magnitudes = importer.apply(node, &value, Activation::Abs)?;
            (importer.reduced(node, &magnitudes, &[axis], Reduction::Sum)?, Function::Reciprocal)
        }
        Some(b"L2") => {
            let squares = importer.product(node, &value, &value)?;
            let sums = importer.reduced(node, &squares, &[axis], Reduction::Sum)?;
            (sums, Function::InverseSqrt { epsilon: 0.0 })
        }
        Some(_) => return Err(node.wrong_attribute("norm", "MAX, L1 or L2")),
    };
    let inverse = importer.apply(node, &sums, Activation::Function(inverse))?;
    Ok(vec![importer.product(node, &value, &inverse)?])
}

/// `Binarizer`: 1 above the threshold, else 0.
fn binarize(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let (value, _) = real_input(node, importer)?;
    let threshold = node.float("threshold")?.unwrap_or(0.0);
    let shifted = importer.scaled(node, &value, 1.0, -threshold)?;
    Ok(vec![importer.apply(node, &shifted, Activation::Function(Function::IsPositive))?])
}

/// `FeatureVectorizer`: the features of all operands one after the other.
fn vectorize(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    // The widths, which shapes tell already.
    node.has_no_effect(&["inputdimensions"]);
    let mut parts = Vec::new();
    for index in 0..node.operand_count() {
        let value = node.operand(index)?.clone().with_element(Element::Real);
        let shape = importer.shape_of(&value);
        let rows = if shape.len() < 2 { 1 } else { shape[0] };
        let width = shape.iter().product::<usize>() / rows.max(1);
        parts.push(importer.reshaped(node, &value, vec![rows, width])?);
    }
    if parts.is_empty() {
        return Err(node.wrong_operand(0, "given"));
    }
    Ok(vec![importer.joined(node, &parts, 1)?])
}

/// `Imputer`: another number where an element is the replaced one. No input of a proof is missing,
/// so nothing is done where that is NaN.
fn impute(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let value = node.operand(0)?;
    let given = |list: Option<&[i64]>| -> Vec<f64> {
        list.unwrap_or_default().iter().copied().map(super::constant::real).collect()
    };
    let whole = given(node.ints("imputed_value_int64s")?);
    let reals = numbers(node, "imputed_value_floats")?;
    let replaced = node.attribute("replaced_value_float").map(|given| f64::from(given.f));
    let replaced = match node.int("replaced_value_int64")? {
        Some(replaced) if !whole.is_empty() => super::constant::real(replaced),
        _ => replaced.unwrap_or(f64::NAN),
    };
    if replaced.is_nan() {
        return Ok(vec![value.clone()]);
    }
    let imputed = if whole.is_empty() { reals } else { whole };
    if replaced != 0.0 && Importer::element_of(value) == Element::Real {
        return Err(node.unsupported(
            "a replaced real number other than NaN and 0, which rounded ones are not equal to; replace \
             it beforehand",
        ));
    }
    let (x, width) = real_input(node, importer)?;
    if imputed.len() != 1 && imputed.len() != width {
        return Err(node.wrong_attribute(
            "imputed_value_floats",
            "one number for each feature, or one for all",
        ));
    }
    let distance = importer.scaled(node, &x, 1.0, -replaced)?;
    let is_replaced = importer.apply(node, &distance, Activation::Function(Function::IsZero))?;
    let moves = imputed.iter().map(|imputed| imputed - replaced).collect();
    let moves = Constant::reals(vec![imputed.len()], moves).into();
    let moved = importer.product(node, &is_replaced, &moves)?;
    let kind = Importer::element_of(value);
    Ok(vec![importer.add(node, &x, &moved)?.with_element(kind)])
}

/// `ArrayFeatureExtractor`: places of the last dimension.
fn extract(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let value = node.operand(0)?;
    let shape = importer.shape_of(value);
    let width = shape.last().copied().unwrap_or(0);
    if !node.operand(1)?.is_constant() {
        return extract_computed(node, importer, width);
    }
    let places = super::movement::sizes(node, 1)?;
    if places.is_empty() || places.iter().any(|&place| place >= width) {
        return Err(node.wrong_operand(1, "places within the last dimension"));
    }
    let mut axes: Vec<Vec<usize>> = shape.iter().map(|&size| (0..size).collect()).collect();
    axes[shape.len() - 1] = places;
    let picked = importer.picked(node, value, &axes)?;
    if shape.len() > 1 {
        return Ok(vec![picked]);
    }
    let flat = importer.shape_of(&picked);
    Ok(vec![importer.reshaped(node, &picked, vec![1, flat[0]])?])
}

/// Computed places of a row that is constant, as the labels of classes are.
fn extract_computed(node: &OnnxNode<'_>, importer: &mut Importer, width: usize) -> Lowered {
    let row = node.constant(0)?;
    if row.data.len() != width || width == 0 {
        return Err(node.unsupported("computed places of several rows; only of one constant row"));
    }
    let known = importer.kind_of(node.operand_name(0));
    let kind = known.unwrap_or(Importer::element_of(node.operand(0)?));
    let column = Constant::reals(vec![width, 1], row.to_reals()).into();
    let places = node.operand(1)?;
    let length: usize = importer.shape_of(places).iter().product();
    let places = importer.reshaped(node, places, vec![length])?;
    let rows = importer.one_hot_rows(node, &places, width, false)?;
    let picked = importer.matrix_product(node, &rows, &column)?;
    Ok(vec![importer.reshaped(node, &picked, vec![1, length])?.with_element(kind)])
}

/// `x · coefficients' + intercepts`, with `rows` outputs.
fn linear(node: &OnnxNode<'_>, importer: &mut Importer, rows: usize) -> Result<Value, ImportError> {
    let (value, width) = real_input(node, importer)?;
    let (coefficients, intercepts) = (numbers(node, "coefficients")?, numbers(node, "intercepts")?);
    if rows == 0 || coefficients.len() != rows * width {
        return Err(node.wrong_attribute("coefficients", "one for each feature and output"));
    }
    if !intercepts.is_empty() && intercepts.len() != rows {
        return Err(node.wrong_attribute("intercepts", "one for each output"));
    }
    let flat = match importer.shape_of(&value).len() {
        1 => importer.reshaped(node, &value, vec![1, width])?,
        _ => value,
    };
    let matrix = Constant::reals(vec![rows, width], coefficients).into();
    let matrix = importer.transposed(node, &matrix, &[1, 0])?;
    let product = importer.matrix_product(node, &flat, &matrix)?;
    if intercepts.is_empty() {
        return Ok(product);
    }
    importer.add(node, &product, &Constant::reals(vec![rows], intercepts).into())
}

impl Importer {
    /// Softmax over the last dimension.
    pub(super) fn softmax_of_rows(
        &mut self,
        node: &OnnxNode<'_>,
        scores: Value,
    ) -> Result<Value, ImportError> {
        match scores {
            Value::Tensor(tensor) => {
                let rank = self.shape(tensor.id).len();
                self.softmax_of(node, tensor.id, rank - 1..rank)
            }
            Value::Constant(_) => Err(node.unsupported("scores that are constant")),
        }
    }
}

/// Scores after the node's transformation.
fn transformed(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    scores: Value,
) -> Result<Value, ImportError> {
    match node.text("post_transform")? {
        None | Some(b"NONE") => Ok(scores),
        Some(b"LOGISTIC") => importer.apply(node, &scores, Activation::Sigmoid),
        Some(b"SOFTMAX") => importer.softmax_of_rows(node, scores),
        Some(_) => Err(node.unsupported("this post_transform; only NONE, LOGISTIC and SOFTMAX")),
    }
}

fn linear_regressor(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let targets = node.int("targets")?.unwrap_or(1);
    let targets =
        usize::try_from(targets).map_err(|_| node.wrong_attribute("targets", "1 or more"))?;
    let scores = linear(node, importer, targets)?;
    Ok(vec![transformed(node, importer, scores)?])
}

/// `LinearClassifier`: the label of the largest score, and the scores.
fn linear_classifier(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    // How the scores were trained.
    node.has_no_effect(&["multi_class"]);
    let labels = class_labels(node, importer, ["classlabels_ints", "classlabels_strings"])?;
    let (_, width) = real_input(node, importer)?;
    let rows = numbers(node, "coefficients")?.len() / width.max(1);
    if rows < 2 || rows != labels.names.len() {
        return Err(node.unsupported(
            "one row of coefficients for two classes; convert it as a LinearRegressor with a \
             Sigmoid",
        ));
    }
    let scores = linear(node, importer, rows)?;
    let axis = importer.shape_of(&scores).len() - 1;
    let place = importer.largest_place(node, &scores, axis, false)?;
    let label = importer.number_of_place(node, &place, axis, labels.numbers)?;
    let batch = importer.shape_of(&label)[..axis].to_vec();
    let label = importer.reshaped(node, &label, batch)?.with_element(labels.kind);
    importer.name_columns(node, 1, labels.names);
    Ok(vec![label, transformed(node, importer, scores)?])
}
