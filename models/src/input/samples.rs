//! Arrays with a leading sample dimension, taken apart.

use std::collections::{BTreeMap, HashSet};

use super::array::{Array, View, by_name, in_order, names};
use super::error::InputError;
use super::npz::Archive;
use crate::tensor::TensorSpec;

/// How names of inputs begin, in archives that hold outputs too.
pub(super) const INPUT: &str = "in";
/// How names of outputs begin.
pub(super) const OUTPUT: &str = "out";

/// One set of tensors per position of the arrays' leading dimension.
pub(super) fn unstack<'a>(
    arrays: Vec<View<'a>>,
    specs: &[&TensorSpec],
) -> Result<Vec<Vec<View<'a>>>, InputError> {
    let mut samples: Vec<Vec<View<'a>>> = Vec::new();
    for (position, (array, spec)) in arrays.into_iter().zip(specs).enumerate() {
        let rows = array.samples(spec)?;
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

/// The one set of inputs of an archive: by name, with or without `in_`, or numbered.
pub(super) fn inputs_of_archive<'a>(
    archive: &'a Archive,
    specs: &[&TensorSpec],
) -> Result<Vec<View<'a>>, InputError> {
    if let Some(views) = numbered(&archive.arrays, specs) {
        return in_order(views, specs);
    }
    let (stacked, single) = sorted(archive, specs, INPUT)?;
    let mut single = single.into_values();
    match (single.next(), single.len()) {
        (None, _) => views(&stacked, specs),
        (Some(only), 0) if stacked.is_empty() => views(&only, specs),
        (Some(_), more) => Err(InputError::Several { got: more + 1 }),
    }
}

/// The samples of an archive: one array per tensor, or one per tensor and sample.
pub(super) fn of_archive<'a>(
    archive: &'a Archive,
    specs: &[&TensorSpec],
    direction: &str,
) -> Result<Vec<Vec<View<'a>>>, InputError> {
    if let Some(views) = numbered(&archive.arrays, specs) {
        return unstack(in_order(views, specs)?, specs);
    }
    let (stacked, single) = sorted(archive, specs, direction)?;
    if single.is_empty() {
        return unstack(views(&stacked, specs)?, specs);
    }
    if let Some((name, _)) = stacked.first() {
        return Err(InputError::Extra { name: (*name).to_owned(), expected: names(specs) });
    }
    single.values().map(|tensors| views(tensors, specs)).collect()
}

/// The shape of each input in one sample.
pub(super) fn shapes_of_archive(
    archive: &Archive,
    specs: &[&TensorSpec],
) -> Result<Option<Vec<Vec<usize>>>, InputError> {
    let below = |view: View<'_>| view.shape.get(1..).map(<[usize]>::to_vec);
    if let Some(arrays) = numbered(&archive.arrays, specs) {
        return Ok(arrays.into_iter().map(below).collect());
    }
    let (stacked, single) = sorted(archive, specs, INPUT)?;
    match single.values().next() {
        None => Ok(views(&stacked, specs)?.into_iter().map(below).collect()),
        Some(first) => Ok(Some(views(first, specs)?.into_iter().map(|view| view.shape).collect())),
    }
}

/// Arrays by the names of tensors.
type Named<'a> = Vec<(&'a str, &'a Array)>;
/// Samples in the order of their numbers, which may have leading zeros.
type Singles<'a> = BTreeMap<(usize, &'a str), Named<'a>>;

/// The arrays of one direction: those that hold all samples, and those of one sample each.
fn sorted<'a>(
    archive: &'a Archive,
    specs: &[&TensorSpec],
    direction: &str,
) -> Result<(Named<'a>, Singles<'a>), InputError> {
    let mut stacked = Vec::new();
    let mut single = Singles::new();
    for (name, array) in &archive.arrays {
        if specs.iter().any(|spec| spec.name == *name) {
            stacked.push((name.as_str(), array));
            continue;
        }
        let Some(member) = Member::of(name) else {
            // An input that an output is asked for, which must not be in the way.
            if direction == OUTPUT {
                continue;
            }
            return Err(InputError::Extra { name: name.clone(), expected: names(specs) });
        };
        match member {
            _ if member.direction != direction => {}
            Member { sample: None, name, .. } => stacked.push((name, array)),
            Member { sample: Some(sample), name, .. } => {
                single.entry((sample.len(), sample)).or_default().push((name, array));
            }
        }
    }
    Ok((stacked, single))
}

fn views<'a>(
    tensors: &[(&'a str, &'a Array)],
    specs: &[&TensorSpec],
) -> Result<Vec<View<'a>>, InputError> {
    let mut seen = HashSet::new();
    if let Some((twice, _)) = tensors.iter().find(|(name, _)| !seen.insert(*name)) {
        return Err(InputError::Duplicate { name: (*twice).to_owned() });
    }
    Ok(by_name(tensors, specs)?.into_iter().map(Array::view).collect())
}

/// Arrays with numpy's default names, which stand for the order.
fn numbered<'a>(arrays: &'a [(String, Array)], specs: &[&TensorSpec]) -> Option<Vec<View<'a>>> {
    let numbers = (0..specs.len()).map(|position| format!("arr_{position}"));
    let is_numbered = arrays.iter().map(|(name, _)| name.clone()).eq(numbers);
    is_numbered.then(|| arrays.iter().map(|(_, array)| array.view()).collect())
}

/// A name in an archive: `in_NAME`, `out_NAME`, `s00_in_NAME` or `s00_out_NAME`.
pub(super) struct Member<'a> {
    /// The number of the sample.
    sample: Option<&'a str>,
    /// [`INPUT`] or [`OUTPUT`].
    pub(super) direction: &'static str,
    name: &'a str,
}

impl<'a> Member<'a> {
    pub(super) fn of(text: &'a str) -> Option<Self> {
        let directed = |text: &'a str| {
            let (prefix, name) = text.split_once('_')?;
            let direction = [INPUT, OUTPUT].into_iter().find(|direction| *direction == prefix)?;
            Some((direction, name))
        };
        if let Some((direction, name)) = directed(text) {
            return Some(Self { sample: None, direction, name });
        }
        let (sample, rest) = text.split_once('_')?;
        let sample = sample.strip_prefix('s')?;
        let is_number = !sample.is_empty() && sample.bytes().all(|byte| byte.is_ascii_digit());
        let (direction, name) = directed(rest)?;
        is_number.then_some(Self { sample: Some(sample), direction, name })
    }
}
