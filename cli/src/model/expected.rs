//! Files with the values that a proof is expected to be about. Where only the key is known there
//! is no model to read them with, so the tensors are told by name and shape.

use std::{io, path::Path};

use anyhow::{Context, Result, bail};
use ndarray::{ArrayD, IxDyn};
use serde_json::{Map, Value};
use zkinfer_models::TensorSpec;
use zkinfer_prover::files;

const MAX_BYTES: u64 = 1 << 28;

/// Reads `{"input_data": [[…], …]}`, one list per tensor in order, or `{"name": […], …}`, one per
/// name; lists are nested or flat.
pub(super) fn read(path: &Path, specs: &[TensorSpec]) -> Result<Vec<ArrayD<f32>>> {
    let bytes = files::read_bounded(path, MAX_BYTES)?;
    let Value::Object(fields) = serde_json::from_slice(&bytes).map_err(io::Error::from)? else {
        bail!("expected an object: {{\"input_data\": [[…]]}} or {{\"name\": […]}}");
    };
    let lists = match fields.get("input_data") {
        Some(Value::Array(lists)) if fields.len() == 1 => lists.iter().collect(),
        Some(_) => bail!("input_data must be a list and the only field"),
        None => by_name(&fields, specs)?,
    };
    if lists.len() != specs.len() {
        bail!("it holds {} tensors, expected {}", lists.len(), specs.len());
    }
    specs.iter().zip(lists).map(|(spec, list)| tensor(spec, list)).collect()
}

fn by_name<'a>(fields: &'a Map<String, Value>, specs: &[TensorSpec]) -> Result<Vec<&'a Value>> {
    let known = |name: &str| specs.iter().any(|spec| spec.name == name);
    if let Some(name) = fields.keys().find(|name| !known(name)) {
        bail!("unknown tensor {name}");
    }
    let list = |spec: &TensorSpec| {
        fields.get(&spec.name).with_context(|| format!("tensor {} is missing", spec.name))
    };
    specs.iter().map(list).collect()
}

fn tensor(spec: &TensorSpec, list: &Value) -> Result<ArrayD<f32>> {
    let mut data = Vec::with_capacity(spec.len());
    flatten(list, &mut data).with_context(|| format!("tensor {}", spec.name))?;
    let (expected, got) = (spec.len(), data.len());
    ArrayD::from_shape_vec(IxDyn(&spec.shape), data)
        .with_context(|| format!("tensor {} has {got} elements, expected {expected}", spec.name))
}

fn flatten(value: &Value, data: &mut Vec<f32>) -> Result<()> {
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| flatten(item, data)),
        Value::Number(number) => {
            let number = number.as_f64().unwrap_or(f64::NAN);
            if !number.is_finite() || number.abs() > f64::from(f32::MAX) {
                bail!("{number} is not a finite 32-bit number");
            }
            data.push(single(number));
            Ok(())
        }
        _ => bail!("expected numbers and lists of numbers only"),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "checked to be within single precision")]
fn single(value: f64) -> f32 {
    value as f32
}
