//! Categories and labels: `OneHotEncoder`, `LabelEncoder`, `ZipMap`, and the labels of classifiers.
//! Labels that are strings stand for their places in a list, which is part of the key.

use std::collections::HashMap;

use super::compose::{Lowered, count};
use super::constant::{Constant, real};
use super::element::Element;
use super::error::ImportError;
use super::importer::Importer;
use super::machine_learning::{DOMAIN, numbers};
use super::node::{OnnxNode, Value};
use super::operators::{Operator, TextsIn, operator};
use super::selection::POSITION;
use super::texts::{TextList, texts};
use crate::activation::Activation;
use crate::function::Function;
use crate::graph::{Forest, Op, Window};

pub(super) const OPERATORS: &[Operator] = &[
    operator("LabelEncoder", &[2, 4], LABEL_ENCODER, encode_labels)
        .of_domain(DOMAIN)
        .taking_texts(TextsIn::Computed),
    operator("OneHotEncoder", &[1], &["cats_int64s", "cats_strings", "zeros"], one_hot)
        .of_domain(DOMAIN)
        .taking_texts(TextsIn::Computed),
    operator("ZipMap", &[1], &["classlabels_int64s", "classlabels_strings"], zip_map)
        .of_domain(DOMAIN),
];

const LABEL_ENCODER: &[&str] = &[
    "default_float",
    "default_int64",
    "default_string",
    "default_tensor",
    "keys_floats",
    "keys_int64s",
    "keys_strings",
    "keys_tensor",
    "values_floats",
    "values_int64s",
    "values_strings",
    "values_tensor",
];

/// The classes of a node.
pub(super) struct ClassLabels {
    /// The label of each: a number, or the place of its name where labels are strings.
    pub(super) numbers: Vec<f64>,
    /// What these numbers are.
    pub(super) kind: Element,
    /// The label of each as it is written.
    pub(super) names: Vec<String>,
}

/// The labels of classes that two attributes list, of which one is given.
pub(super) fn class_labels(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    [numbers, names]: [&'static str; 2],
) -> Result<ClassLabels, ImportError> {
    let (numbers, names) = (node.ints(numbers)?, strings(node, names)?);
    match (numbers.unwrap_or_default(), &names[..]) {
        ([], []) => Err(node.unsupported("no labels of classes")),
        (labels, []) => Ok(ClassLabels {
            numbers: labels.iter().copied().map(real).collect(),
            kind: POSITION,
            names: labels.iter().map(ToString::to_string).collect(),
        }),
        ([], names) => {
            let mut list = TextList::default();
            let numbers = names.iter().map(|name| count(list.place(name))).collect();
            let names = names.iter().map(|&name| name.to_owned()).collect();
            Ok(ClassLabels { numbers, kind: importer.text_kind(list), names })
        }
        _ => Err(node.unsupported("labels that are both integers and strings")),
    }
}

/// The strings of an attribute; none where it is not given.
fn strings<'a>(node: &OnnxNode<'a>, name: &'static str) -> Result<Vec<&'a str>, ImportError> {
    let given = node.texts(name)?.unwrap_or_default();
    texts(given).ok_or_else(|| node.wrong_attribute(name, "UTF-8 of at most 256 bytes each"))
}

/// `ZipMap`: the scores, whose columns are about the classes of its labels.
fn zip_map(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let labels = class_labels(node, importer, ["classlabels_int64s", "classlabels_strings"])?;
    importer.name_columns(node, 0, labels.names);
    Ok(vec![node.operand(0)?.clone()])
}

/// For each element of a value a row with a 1 for each key that it is equal to: `[elements, keys]`.
pub(super) fn matches(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    value: &Value,
    keys: Vec<f64>,
) -> Result<Value, ImportError> {
    let length = importer.shape_of(value).iter().product();
    importer.budget.elements(&node.name, &[length, keys.len()])?;
    let value = importer.reshaped(node, value, vec![length, 1])?.with_element(Element::Real);
    let keys = Constant::reals(vec![keys.len()], keys).into();
    let distance = importer.sub(node, &value, &keys)?;
    importer.apply(node, &distance, Activation::Function(Function::IsZero))
}

/// `OneHotEncoder` of numbers: for each a row with a 1 at its category. Others have a row of zeros,
/// also where the file asks for an error then.
fn one_hot(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    node.has_no_effect(&["zeros"]);
    let mut value = node.operand(0)?.clone();
    let names = strings(node, "cats_strings")?;
    let keys = match importer.text_list(Importer::element_of(&value)) {
        Some(list) => places(list, &names),
        None if !names.is_empty() => {
            return Err(node.unsupported(
                "categories that are strings; give the model their numbers, and export it from \
                 there",
            ));
        }
        None => node.ints("cats_int64s")?.unwrap_or_default().iter().copied().map(real).collect(),
    };
    if keys.is_empty() {
        return Err(node.wrong_attribute("cats_int64s", "one number or more"));
    }
    let shape = [&importer.shape_of(&value)[..], &[keys.len()]].concat();
    if Importer::element_of(&value) == Element::Real {
        value = super::activations::truncated(node, importer, &value, POSITION)?;
    }
    let rows = matches(node, importer, &value, keys)?;
    Ok(vec![importer.reshaped(node, &rows, shape)?])
}

/// The place of each text in a list; −1, which no element is, for those that are not in it.
fn places(list: &[String], texts: &[&str]) -> Vec<f64> {
    let known = list.iter().enumerate().map(|(place, text)| (text.as_str(), place));
    let known: HashMap<&str, usize> = known.collect();
    texts.iter().map(|text| known.get(text).copied().map_or(-1.0, count)).collect()
}

/// Keys, values and the value of anything else, of `LabelEncoder`.
struct Map {
    keys: Vec<f64>,
    values: Vec<f64>,
    default: f64,
    kind: Element,
}

/// `LabelEncoder`: a value for each key. Values that are strings become their places in the list of
/// different ones, in the order of their first keys; the default comes after them.
fn encode_labels(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let map = map(node, importer)?;
    node.has_no_effect(&["default_float", "default_int64", "default_string", "default_tensor"]);
    if map.keys.is_empty() || map.keys.len() != map.values.len() {
        return Err(node.unsupported(
            "keys that are no numbers, or values of another number; give the model the numbers",
        ));
    }
    let value = node.operand(0)?;
    let kind = map.kind;
    if let Some(leaves) = leaves(importer, value) {
        let encoded = leaves_encoded(leaves, &map);
        let shape = importer.shape_of(value);
        importer.reserve(node, &shape)?;
        return Ok(vec![importer.emit(node, shape, Op::Forest(encoded))?.with_element(kind)]);
    }
    let shape = importer.shape_of(value);
    let rows = matches(node, importer, value, map.keys)?;
    let parts: Vec<f64> = map.values.iter().map(|value| value - map.default).collect();
    let parts = Constant::reals(vec![parts.len(), 1], parts).into();
    let sum = importer.matrix_product(node, &rows, &parts)?;
    let encoded = importer.scaled(node, &sum, 1.0, map.default)?;
    let result = importer.reshaped(node, &encoded, shape)?;
    Ok(vec![result.with_element(kind)])
}

/// The numbers of a list of integers, or of a tensor, that an attribute holds.
fn whole(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    [list, tensor]: [&'static str; 2],
) -> Result<Vec<f64>, ImportError> {
    if let Some(proto) = node.tensor_attribute(tensor)? {
        return Ok(Constant::decode(proto, tensor, &mut importer.budget)?.to_reals());
    }
    Ok(node.ints(list)?.unwrap_or_default().iter().copied().map(real).collect())
}

fn map(node: &OnnxNode<'_>, importer: &mut Importer) -> Result<Map, ImportError> {
    let names = strings(node, "keys_strings")?;
    let keys = match importer.text_list(Importer::element_of(node.operand(0)?)) {
        Some(list) => places(list, &names),
        None if !names.is_empty() => Vec::new(),
        None if node.floats("keys_floats")?.is_some() => numbers(node, "keys_floats")?,
        None => whole(node, importer, ["keys_int64s", "keys_tensor"])?,
    };
    let names = strings(node, "values_strings")?;
    if !names.is_empty() {
        let mut list = TextList::default();
        let values = names.iter().map(|name| count(list.place(name))).collect();
        let default = node.text("default_string")?.map(<[u8]>::to_vec);
        let default = [default.unwrap_or_else(|| b"_Unused".to_vec())];
        let default = texts(&default)
            .ok_or_else(|| node.wrong_attribute("default_string", "UTF-8 of at most 256 bytes"))?;
        let default = count(list.place(default[0]));
        return Ok(Map { keys, values, default, kind: importer.text_kind(list) });
    }
    if node.floats("values_floats")?.is_some() {
        let default = node.float("default_float")?.unwrap_or(0.0);
        let values = numbers(node, "values_floats")?;
        return Ok(Map { keys, values, default, kind: Element::Real });
    }
    let values = whole(node, importer, ["values_int64s", "values_tensor"])?;
    let is_real = match node.tensor_attribute("values_tensor")? {
        Some(proto) => Element::of(proto.data_type) == Some(Element::Real),
        None => false,
    };
    let default = match node.tensor_attribute("default_tensor")? {
        Some(proto) => {
            let tensor = Constant::decode(proto, "default_tensor", &mut importer.budget)?;
            tensor.to_reals().first().copied().unwrap_or(0.0)
        }
        None if is_real => 0.0,
        None => real(node.int("default_int64")?.unwrap_or(-1)),
    };
    let kind = if is_real { Element::Real } else { POSITION };
    Ok(Map { keys, values, default, kind })
}

/// The trees of which a value is the leaves: of one value each, with what is done to it up to here.
fn leaves(importer: &Importer, value: &Value) -> Option<Forest<f64>> {
    let Value::Tensor(tensor) = value else { return None };
    let count = importer.graph.tensor(tensor.id).len();
    let mut id = tensor.id;
    let mut functions: Vec<Box<dyn Fn(f64) -> f64>> = Vec::new();
    let mut forest = loop {
        let producer = importer.graph.nodes.iter().rfind(|node| node.output == id)?;
        match &producer.op {
            Op::Forest(forest) => break forest.clone(),
            Op::Alias(alias) if alias.elements.is_in_order() => id = alias.input,
            Op::Activate(activate) => {
                let function = activate.function;
                functions.push(Box::new(move |x| function.apply(x)));
                id = activate.input;
            }
            Op::Affine(layer) => {
                let [term] = &layer.terms[..] else { return None };
                let (&weight, &bias) = (term.kernel.first()?, layer.bias.first()?);
                let is_same = term.view == layer.output
                    && term.window == Window::pixel(layer.output.channels)
                    && term.kernel.iter().all(|other| *other == weight)
                    && layer.bias.iter().all(|other| *other == bias);
                if !is_same {
                    return None;
                }
                let activation = layer.activation;
                functions.push(Box::new(move |x| activation.apply(weight * x + bias)));
                id = term.input;
            }
            _ => return None,
        }
    };
    if forest.trees.len() != count || forest.trees.iter().any(|tree| tree.width() != 1) {
        return None;
    }
    for leaf in forest.trees.iter_mut().flat_map(|tree| tree.leaves.iter_mut().flatten()) {
        *leaf = functions.iter().rev().fold(*leaf, |x, function| function(x));
    }
    Some(forest)
}

/// The same trees, with what a list of labels has for each leaf.
fn leaves_encoded(mut forest: Forest<f64>, map: &Map) -> Forest<f64> {
    for leaf in forest.trees.iter_mut().flat_map(|tree| tree.leaves.iter_mut().flatten()) {
        let place = map.keys.iter().position(|key| *key == *leaf);
        *leaf = place.map_or(map.default, |place| map.values[place]);
    }
    forest
}
