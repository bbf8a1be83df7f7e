//! What JSON files with inputs look like: EZKL's and our own.

use std::collections::HashSet;

use super::array::{View, by_name, in_order};
use super::error::InputError;
use super::json::{Json, Node, layout};
use super::note::InputNote;
use super::samples::unstack;
use crate::tensor::TensorSpec;

/// EZKL's field with the inputs.
const INPUT_DATA: &str = "input_data";
/// EZKL's field with the outputs that an exporter has computed.
const OUTPUT_DATA: &str = "output_data";
/// What EZKL's files may hold beside the inputs: nothing of it is needed.
const BESIDE: [&str; 2] = ["input_shapes", OUTPUT_DATA];
/// Our field with described samples.
const SAMPLES: &str = "samples";
/// The label of a described sample.
const LABEL: &str = "label";

const OBJECT: &str = "an object {\"input_data\": [[…]]} or {\"name\": […]}, or a list of numbers";

/// One set of inputs.
pub(super) fn inputs<'a>(
    json: &'a Json,
    specs: &[&TensorSpec],
) -> Result<Vec<View<'a>>, InputError> {
    let fields = match json {
        Json::Object(fields) => fields,
        Json::Array(_) | Json::List(_) if specs.len() == 1 => {
            return Ok(vec![json.view("the file")?]);
        }
        Json::Array(_) | Json::List(_) => return listed(json, "the file", specs),
        Json::Number(_) | Json::Text(_) | Json::Null => return Err(layout("the file", OBJECT)),
    };
    match ezkl(json, specs)? {
        Some(data) => listed(data, INPUT_DATA, specs),
        None => named(fields, specs),
    }
}

/// Several sets of inputs.
pub(super) fn samples<'a>(
    json: &'a Json,
    specs: &[&TensorSpec],
) -> Result<Vec<Vec<View<'a>>>, InputError> {
    let fields = match json {
        Json::Object(fields) => fields,
        Json::Array(_) | Json::List(_) => return data_samples(json, "the file", specs),
        Json::Number(_) | Json::Text(_) | Json::Null => return Err(layout("the file", OBJECT)),
    };
    if let Some((samples, inputs)) = described(json, specs) {
        let order = described_names(inputs, "inputs")?;
        return described_sets(samples, "inputs", &order, specs);
    }
    match ezkl(json, specs)? {
        Some(data) => data_samples(data, INPUT_DATA, specs),
        None => unstack(named(fields, specs)?, specs),
    }
}

/// The shape of each input in one of several sets; `None` where one flat list may hold one or many.
pub(super) fn sample_shapes(
    json: &Json,
    specs: &[&TensorSpec],
) -> Result<Option<Vec<Vec<usize>>>, InputError> {
    let shapes = |views: Vec<View<'_>>| views.into_iter().map(|view| view.shape).collect();
    if let Some((samples, inputs)) = described(json, specs) {
        let order = described_names(inputs, "inputs")?;
        let sets = described_sets(samples, "inputs", &order, specs)?;
        return Ok(sets.into_iter().next().map(shapes));
    }
    let data = match json {
        Json::Object(fields) => match ezkl(json, specs)? {
            Some(data) => data,
            None => {
                let views = named(fields, specs)?.into_iter();
                let below = |view: View<'_>| view.shape.get(1..).map(<[usize]>::to_vec);
                return Ok(views.map(below).collect());
            }
        },
        _ => json,
    };
    let Some(first) = data.items("the file")?.into_iter().next() else { return Ok(None) };
    let views = match specs {
        [_] => vec![first.view("the file")?],
        _ => first.views("the file")?,
    };
    let is_flat = specs.len() == 1 && data.items("the file")?.len() == 1
        || views.iter().any(|view| view.shape.is_empty());
    Ok((!is_flat).then(|| shapes(views)))
}

/// The outputs of the samples, where the file gives them.
pub(super) fn outputs<'a>(
    json: &'a Json,
    specs: &[&TensorSpec],
) -> Result<Option<Vec<Vec<View<'a>>>>, InputError> {
    if let (Some(samples), Some(outputs)) = (json.field(SAMPLES), json.field("outputs")) {
        let order = described_names(outputs, "outputs")?;
        return described_sets(samples, "outputs", &order, specs).map(Some);
    }
    match (json.field(INPUT_DATA), json.field(OUTPUT_DATA)) {
        (Some(_), Some(data)) => data_samples(data, OUTPUT_DATA, specs).map(Some),
        _ => Ok(None),
    }
}

/// The label of each described sample; none where the file has another layout.
pub(super) fn labels(json: &Json) -> Vec<Option<&Json>> {
    let samples = json.field(SAMPLES).map(|samples| samples.objects(SAMPLES));
    let Some(Ok(samples)) = samples else { return Vec::new() };
    let labels = samples.iter().map(|sample| sample.field(LABEL));
    labels.map(|label| label.filter(|label| **label != Json::Null)).collect()
}

/// What the objects hold that is not used.
pub(super) fn notes(objects: &[Json]) -> Vec<InputNote> {
    let mut notes = Vec::new();
    for field in BESIDE {
        let has = |name: &str| objects.iter().any(|json| json.field(name).is_some());
        if has(INPUT_DATA) && has(field) {
            notes.push(InputNote::Ignored { field: field.to_owned() });
        }
    }
    notes
}

/// The value of `input_data`, where the file has that layout.
fn ezkl<'a>(json: &'a Json, specs: &[&TensorSpec]) -> Result<Option<&'a Json>, InputError> {
    let Json::Object(fields) = json else { return Ok(None) };
    if specs.iter().any(|spec| spec.name == INPUT_DATA) {
        return Ok(None);
    }
    let Some(data) = json.field(INPUT_DATA) else { return Ok(None) };
    let is_known = |name: &str| name == INPUT_DATA || BESIDE.contains(&name);
    match fields.iter().find(|(name, _)| !is_known(name)) {
        Some((name, _)) => {
            Err(InputError::Extra { name: name.clone(), expected: vec![INPUT_DATA.to_owned()] })
        }
        None => Ok(Some(data)),
    }
}

/// One item per input, in order.
fn listed<'a>(
    data: &'a Json,
    place: &str,
    specs: &[&TensorSpec],
) -> Result<Vec<View<'a>>, InputError> {
    let items = data.items(place)?.into_iter().enumerate();
    let views = items.map(|(position, item)| item.view(&format!("{place}[{position}]")));
    in_order(views.collect::<Result<_, _>>()?, specs)
}

/// Fields by name, all of them inputs.
fn named<'a>(
    fields: &'a [(String, Json)],
    specs: &[&TensorSpec],
) -> Result<Vec<View<'a>>, InputError> {
    let given: Vec<(&str, &Json)> =
        fields.iter().map(|(name, json)| (name.as_str(), json)).collect();
    let values = by_name(&given, specs)?;
    specs.iter().zip(values).map(|(spec, json)| json.view(&spec.name)).collect()
}

/// The samples of `input_data`: one item per sample, or one per input with all samples in it.
fn data_samples<'a>(
    data: &'a Json,
    place: &str,
    specs: &[&TensorSpec],
) -> Result<Vec<Vec<View<'a>>>, InputError> {
    if let Some(samples) = flat_samples(data, specs)? {
        return Ok(samples);
    }
    let sample = |(position, item): (usize, Node<'a>)| {
        let place = format!("{place}[{position}]");
        if specs.len() == 1 { Ok(vec![item.view(&place)?]) } else { item.views(&place) }
    };
    let samples = data.items(place)?.into_iter().enumerate().map(sample);
    samples.map(|views| in_order(views?, specs)).collect()
}

/// The samples of an EZKL calibration file, which has one flat list per input with all samples one
/// after the other; `None` if the data are not of that kind.
fn flat_samples<'a>(
    data: &'a Json,
    specs: &[&TensorSpec],
) -> Result<Option<Vec<Vec<View<'a>>>>, InputError> {
    let is_whole = |view: &View<'_>, spec: &TensorSpec| {
        let len = spec.len().max(1);
        view.shape.len() == 1 && !view.data.is_empty() && view.data.len().is_multiple_of(len)
    };
    let views = match data {
        Json::Array(array) if array.shape.first() == Some(&specs.len()) => array.view().rows()?,
        Json::List(items) if items.len() == specs.len() => {
            let views = items.iter().map(|item| item.view(INPUT_DATA));
            let Ok(views) = views.collect::<Result<Vec<_>, _>>() else { return Ok(None) };
            views
        }
        _ => return Ok(None),
    };
    if !views.iter().zip(specs).all(|(view, spec)| is_whole(view, spec)) {
        return Ok(None);
    }
    let stacks = views.into_iter().zip(specs);
    let stacks = stacks.map(|(View { data, .. }, spec)| {
        let shape = [&[data.len() / spec.len().max(1)], &spec.shape[..]].concat();
        View { shape, data }
    });
    unstack(stacks.collect(), specs).map(Some)
}

/// Samples and the description of their inputs, where the file has both and neither is an input.
fn described<'a>(json: &'a Json, specs: &[&TensorSpec]) -> Option<(&'a Json, &'a Json)> {
    let is_input = |name: &str| specs.iter().any(|spec| spec.name == name);
    let (samples, inputs) = (json.field(SAMPLES)?, json.field("inputs")?);
    (!is_input(SAMPLES) && !is_input("inputs")).then_some((samples, inputs))
}

/// The names in a description, in order.
fn described_names<'a>(description: &'a Json, place: &str) -> Result<Vec<&'a str>, InputError> {
    let name = |item: &'a Json| match item.field("name") {
        Some(Json::Text(name)) => Ok(name.as_str()),
        _ => Err(layout(place, "objects with a name")),
    };
    description.objects(place)?.iter().map(name).collect()
}

/// The tensors of described samples.
fn described_sets<'a>(
    samples: &'a Json,
    field: &str,
    order: &[&str],
    specs: &[&TensorSpec],
) -> Result<Vec<Vec<View<'a>>>, InputError> {
    let mut seen = HashSet::new();
    if let Some(twice) = order.iter().find(|name| !seen.insert(**name)) {
        return Err(InputError::Duplicate { name: (*twice).to_owned() });
    }
    let sample = |(position, sample): (usize, &'a Json)| {
        let place = format!("{SAMPLES}[{position}].{field}");
        let values = sample.field(field).ok_or_else(|| layout(&place, "a list"))?;
        let views = values.node().views(&place)?;
        if views.len() != order.len() {
            return Err(layout(&place, "one list per tensor"));
        }
        let given: Vec<(&str, &View<'_>)> = order.iter().copied().zip(&views).collect();
        Ok(by_name(&given, specs)?.into_iter().cloned().collect())
    };
    samples.objects(SAMPLES)?.iter().enumerate().map(sample).collect()
}
