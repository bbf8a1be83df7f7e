//! Arrays with a leading sample dimension, taken apart.

use super::{Array, by_name, names};
use crate::error::InputError;
use crate::graph::TensorSpec;

/// One set of inputs per position of the arrays' leading dimension.
pub(super) fn unstack(
    arrays: Vec<Array>,
    specs: &[&TensorSpec],
) -> Result<Vec<Vec<Array>>, InputError> {
    let mut samples: Vec<Vec<Array>> = Vec::new();
    for (position, (array, spec)) in arrays.into_iter().zip(specs).enumerate() {
        let rows = rows(array, spec)?;
        if position > 0 && rows.len() != samples.len() {
            let place = spec.name.clone();
            return Err(InputError::Layout { place, expected: "as many samples as other inputs" });
        }
        for (sample, row) in rows.into_iter().enumerate() {
            match samples.get_mut(sample) {
                Some(inputs) => inputs.push(row),
                None => samples.push(vec![row]),
            }
        }
    }
    Ok(samples)
}

/// `[samples, shape…]`, where a leading 1 of the shape may be left out; or a single sample.
fn rows(array: Array, spec: &TensorSpec) -> Result<Vec<Array>, InputError> {
    if array.shape == spec.shape {
        return Ok(vec![array]);
    }
    let expected = &spec.shape[..];
    let without_batch = expected.strip_prefix(&[1]).unwrap_or(expected);
    let fits =
        |inner: &[usize]| inner == expected || inner == without_batch || *inner == [spec.len()];
    match array.shape.split_first() {
        Some((_, inner)) if fits(inner) && !array.data.is_empty() => {
            let row = |data: &[f64]| Array { shape: spec.shape.clone(), data: data.to_vec() };
            Ok(array.data.chunks(spec.len()).map(row).collect())
        }
        _ => Err(InputError::Shape {
            input: spec.name.clone(),
            expected: [&[1], expected].concat(),
            got: array.shape,
        }),
    }
}

/// The samples of an archive: one array per input, or one per input and sample.
pub(super) fn of_archive(
    arrays: &[(String, Array)],
    specs: &[&TensorSpec],
) -> Result<Vec<Vec<Array>>, InputError> {
    let mut stacked = Vec::new();
    let mut single: Vec<(&str, Vec<(String, Array)>)> = Vec::new();
    for (name, array) in arrays {
        let is_input = |name: &str| specs.iter().any(|spec| spec.name == name);
        match sample_name(name) {
            _ if is_input(name) => stacked.push((name.clone(), array.clone())),
            Some((_, "out", _)) => {}
            Some(("", _, input)) => stacked.push((input.to_owned(), array.clone())),
            Some((sample, _, input)) => {
                let entry = (input.to_owned(), array.clone());
                match single.iter_mut().find(|(other, _)| *other == sample) {
                    Some((_, inputs)) => inputs.push(entry),
                    None => single.push((sample, vec![entry])),
                }
            }
            None => {
                return Err(InputError::Extra { name: name.clone(), expected: names(specs) });
            }
        }
    }
    if single.is_empty() {
        return unstack(by_name(stacked, specs)?, specs);
    }
    if let Some((name, _)) = stacked.into_iter().next() {
        return Err(InputError::Extra { name, expected: names(specs) });
    }
    single.sort_by(|a, b| a.0.cmp(b.0));
    single.into_iter().map(|(_, inputs)| by_name(inputs, specs)).collect()
}

/// Splits `in_NAME`, `out_NAME`, `s00_in_NAME` and `s00_out_NAME` into sample, direction and
/// name.
fn sample_name(name: &str) -> Option<(&str, &str, &str)> {
    if let Some(input) = name.strip_prefix("in_") {
        return Some(("", "in", input));
    }
    if let Some(output) = name.strip_prefix("out_") {
        return Some(("", "out", output));
    }
    let (sample, rest) = name.split_once('_')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let (direction, input) = rest.split_once('_')?;
    (is_number(sample.strip_prefix('s')?) && (direction == "in" || direction == "out"))
        .then_some((sample, direction, input))
}
