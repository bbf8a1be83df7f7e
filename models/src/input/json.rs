//! JSON files. Duplicate keys are refused, where most readers silently take the last.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::samples::unstack;
use super::{Array, by_name, in_order, names};
use crate::error::InputError;
use crate::graph::TensorSpec;

/// What these files are made of.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    Number(f64),
    Text(String),
    Null,
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    fn field(&self, name: &str) -> Option<&Json> {
        let Self::Object(fields) = self else { return None };
        fields.iter().find(|(field, _)| field == name).map(|(_, value)| value)
    }

    fn list(&self, place: &str) -> Result<&[Json], InputError> {
        match self {
            Self::List(items) => Ok(items),
            _ => Err(layout(place, "a list")),
        }
    }

    /// A number that is exactly an integer.
    #[expect(clippy::cast_possible_truncation, reason = "whole, and less than 2^53")]
    fn integer(&self) -> Option<i64> {
        match self {
            Self::Number(number) if number.fract() == 0.0 && number.abs() < 2f64.powi(53) => {
                Some(*number as i64)
            }
            _ => None,
        }
    }

    /// A nested list of numbers as an array.
    fn array(&self, place: &str) -> Result<Array, InputError> {
        let mut shape = Vec::new();
        let mut inner = self;
        while let Self::List(items) = inner {
            shape.push(items.len());
            let Some(first) = items.first() else { break };
            inner = first;
        }
        let mut data = Vec::new();
        self.flatten(&shape, place, &mut data)?;
        Ok(Array { shape, data })
    }

    fn flatten(&self, shape: &[usize], place: &str, data: &mut Vec<f64>) -> Result<(), InputError> {
        match (self, shape) {
            (Self::Number(number), []) => data.push(*number),
            (Self::List(items), [size, inner @ ..]) if items.len() == *size => {
                for item in items {
                    item.flatten(inner, place, data)?;
                }
            }
            _ => return Err(layout(place, "numbers, in lists of equal lengths")),
        }
        Ok(())
    }
}

/// One set of inputs.
pub(super) fn arrays(json: &Json, specs: &[&TensorSpec]) -> Result<Vec<Array>, InputError> {
    let Json::Object(fields) = json else { return Err(layout("the file", OBJECT)) };
    if let Some(data) = ezkl(json, specs)? {
        let items = data.list("input_data")?.iter().enumerate();
        let arrays = items.map(|(position, item)| item.array(&format!("input_data[{position}]")));
        return in_order(arrays.collect::<Result<_, _>>()?, specs);
    }
    by_name(named(fields)?, specs)
}

/// Several sets of inputs.
pub(super) fn samples(json: &Json, specs: &[&TensorSpec]) -> Result<Vec<Vec<Array>>, InputError> {
    let Json::Object(fields) = json else { return Err(layout("the file", OBJECT)) };
    let is_input = |name: &str| specs.iter().any(|spec| spec.name == name);
    if let (Some(samples), Some(inputs), false) =
        (json.field("samples"), json.field("inputs"), is_input("samples"))
    {
        return described(samples, inputs, specs);
    }
    let Some(data) = ezkl(json, specs)? else {
        return unstack(by_name(named(fields)?, specs)?, specs);
    };
    let sample = |(position, item): (usize, &Json)| {
        let place = format!("input_data[{position}]");
        if specs.len() == 1 {
            return in_order(vec![item.array(&place)?], specs);
        }
        let arrays = item.list(&place)?.iter().map(|array| array.array(&place));
        in_order(arrays.collect::<Result<_, _>>()?, specs)
    };
    data.list("input_data")?.iter().enumerate().map(sample).collect()
}

const OBJECT: &str = "an object: {\"input_data\": [[…]]} or {\"name\": […]}";

/// The label of each sample, where samples have labels.
pub(super) fn labels(json: &Json) -> Result<Option<Vec<i64>>, InputError> {
    let Some(samples) = json.field("samples") else { return Ok(None) };
    let samples = samples.list("samples")?;
    let mut labels = Vec::new();
    for (position, sample) in samples.iter().enumerate() {
        if let Some(label) = sample.field("label").filter(|label| **label != Json::Null) {
            let place = || format!("samples[{position}].label");
            labels.push(label.integer().ok_or_else(|| layout(&place(), "a whole number"))?);
        }
    }
    let (expected, got) = (samples.len(), labels.len());
    match got {
        0 => Ok(None),
        _ if got == expected => Ok(Some(labels)),
        _ => Err(InputError::LabelCount { expected, got }),
    }
}

/// The value of `input_data`, where the file has that layout.
fn ezkl<'a>(json: &'a Json, specs: &[&TensorSpec]) -> Result<Option<&'a Json>, InputError> {
    let Json::Object(fields) = json else { return Ok(None) };
    if specs.iter().any(|spec| spec.name == "input_data") {
        return Ok(None);
    }
    let Some(data) = json.field("input_data") else { return Ok(None) };
    match fields.iter().find(|(name, _)| name != "input_data") {
        Some((name, _)) => Err(InputError::Extra { name: name.clone(), expected: names(specs) }),
        None => Ok(Some(data)),
    }
}

fn named(fields: &[(String, Json)]) -> Result<Vec<(String, Array)>, InputError> {
    fields.iter().map(|(name, value)| Ok((name.clone(), value.array(name)?))).collect()
}

/// Samples with a description of their inputs.
fn described(
    samples: &Json,
    inputs: &Json,
    specs: &[&TensorSpec],
) -> Result<Vec<Vec<Array>>, InputError> {
    let name = |input: &Json| match input.field("name") {
        Some(Json::Text(name)) => Ok(name.clone()),
        _ => Err(layout("inputs", "objects with a name")),
    };
    let order = inputs.list("inputs")?.iter().map(name).collect::<Result<Vec<_>, _>>()?;
    let sample = |(position, sample): (usize, &Json)| {
        let place = format!("samples[{position}].inputs");
        let arrays = sample.field("inputs").ok_or_else(|| layout(&place, "a list"))?;
        let arrays = arrays.list(&place)?.iter().map(|array| array.array(&place));
        let arrays = arrays.collect::<Result<Vec<_>, _>>()?;
        if arrays.len() != order.len() {
            return Err(layout(&place, "one list per input"));
        }
        by_name(order.iter().cloned().zip(arrays).collect(), specs)
    };
    samples.list("samples")?.iter().enumerate().map(sample).collect()
}

fn layout(place: &str, expected: &'static str) -> InputError {
    InputError::Layout { place: place.to_owned(), expected }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("numbers in lists, by name")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Number(value))
    }

    #[expect(clippy::cast_precision_loss, reason = "JSON numbers are read as real numbers")]
    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "JSON numbers are read as real numbers")]
    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value as f64))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let mut fields: Vec<(String, Json)> = Vec::new();
        while let Some((name, value)) = entries.next_entry::<String, Json>()? {
            if fields.iter().any(|(field, _)| *field == name) {
                return Err(A::Error::custom(format_args!("`{name}` is given twice")));
            }
            fields.push((name, value));
        }
        Ok(Json::Object(fields))
    }
}
