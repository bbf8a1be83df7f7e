//! Numbers with a shape, owned and borrowed, and the ways in which they fit a tensor.

use std::borrow::Cow;

use ndarray::{ArrayD, IxDyn};

use super::error::InputError;
use crate::tensor::TensorSpec;

/// Most samples of a file.
const SAMPLES: usize = 1 << 20;

/// Numbers with a shape, in C order.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Array {
    pub(super) shape: Vec<usize>,
    pub(super) data: Vec<f32>,
}

/// A part of the numbers of a file, with a shape.
#[derive(Clone, Debug)]
pub(super) struct View<'a> {
    pub(super) shape: Vec<usize>,
    pub(super) data: Cow<'a, [f32]>,
}

impl Array {
    pub(super) fn view(&self) -> View<'_> {
        View { shape: self.shape.clone(), data: Cow::Borrowed(&self.data) }
    }
}

impl<'a> View<'a> {
    /// The numbers as this tensor: of its shape, flat, or with other leading dimensions of 1.
    pub(super) fn fit(&self, spec: &TensorSpec) -> Result<ArrayD<f32>, InputError> {
        if !self.is_one(spec) {
            return Err(match self.sample_len(spec) {
                Some(len) if self.data.len() > len => {
                    InputError::Several { got: self.data.len() / len }
                }
                _ => self.misfit(spec, spec.shape.clone()),
            });
        }
        if let Some(index) = self.data.iter().position(|x| !x.is_finite()) {
            return Err(InputError::NotFinite { input: spec.name.clone(), index });
        }
        Ok(ArrayD::from_shape_vec(IxDyn(&spec.shape), self.data.to_vec())
            .expect("as many elements as the shape says were found"))
    }

    /// Whether these are the numbers of one tensor: flat, or of its shape but for leading ones.
    fn is_one(&self, spec: &TensorSpec) -> bool {
        let is_flat = self.shape.len() == 1 && self.data.len() == spec.len();
        is_flat || without_leading_ones(&self.shape) == without_leading_ones(&spec.shape)
    }

    /// The samples along a leading dimension, or the only one.
    pub(super) fn samples(self, spec: &TensorSpec) -> Result<Vec<View<'a>>, InputError> {
        if self.is_one(spec) {
            return Ok(vec![self]);
        }
        let Some(len) = self.sample_len(spec) else {
            return Err(self.misfit(spec, [&[1], &spec.shape[..]].concat()));
        };
        self.split(len, &spec.shape)
    }

    /// The parts along the leading dimension, which there must be.
    pub(super) fn rows(self) -> Result<Vec<View<'a>>, InputError> {
        let (count, inner) = match self.shape.split_first() {
            Some((count, inner)) => (*count, inner.to_vec()),
            None => (0, Vec::new()),
        };
        match inner.iter().product() {
            // Empty parts have no numbers to split.
            0 => {
                check_count(count)?;
                Ok(vec![View { shape: inner, data: Cow::Borrowed(&[]) }; count])
            }
            len => self.split(len, &inner),
        }
    }

    /// Parts of `len` numbers each, of a common shape.
    pub(super) fn split(self, len: usize, shape: &[usize]) -> Result<Vec<View<'a>>, InputError> {
        check_count(self.data.len() / len)?;
        let part = |data: Cow<'a, [f32]>| View { shape: shape.to_vec(), data };
        Ok(match self.data {
            Cow::Borrowed(data) => data.chunks(len).map(|row| part(Cow::Borrowed(row))).collect(),
            Cow::Owned(data) => data.chunks(len).map(|row| part(Cow::Owned(row.into()))).collect(),
        })
    }

    /// The number of elements of a sample, if there is a leading dimension of samples that fit.
    fn sample_len(&self, spec: &TensorSpec) -> Option<usize> {
        let (_, inner) = self.shape.split_first()?;
        let fits = without_leading_ones(inner) == without_leading_ones(&spec.shape)
            || *inner == [spec.len()];
        (fits && !self.data.is_empty()).then(|| spec.len())
    }

    fn misfit(&self, spec: &TensorSpec, expected: Vec<usize>) -> InputError {
        InputError::Shape { input: spec.name.clone(), expected, got: self.shape.clone() }
    }
}

/// Refuses more parts than [`SAMPLES`], each of which takes memory of its own.
fn check_count(got: usize) -> Result<(), InputError> {
    if got > SAMPLES {
        return Err(InputError::ManySamples { got, limit: SAMPLES });
    }
    Ok(())
}

fn without_leading_ones(shape: &[usize]) -> &[usize] {
    let ones = shape.iter().take_while(|&&size| size == 1).count();
    &shape[ones..]
}

/// Arrays that come without names.
pub(super) fn in_order<'a>(
    arrays: Vec<View<'a>>,
    specs: &[&TensorSpec],
) -> Result<Vec<View<'a>>, InputError> {
    if arrays.len() == specs.len() {
        return Ok(arrays);
    }
    Err(InputError::InputCount { expected: specs.len(), got: arrays.len(), names: names(specs) })
}

/// What `value` gives for each tensor's name, from named things of which each is used.
///
/// The names given must be different.
pub(super) fn by_name<T: Copy>(
    given: &[(&str, T)],
    specs: &[&TensorSpec],
) -> Result<Vec<T>, InputError> {
    let found = || given.iter().map(|(name, _)| (*name).to_owned()).collect();
    let value = |spec: &&TensorSpec| {
        let named = given.iter().find(|(name, _)| *name == spec.name);
        named.map(|(_, value)| *value).ok_or_else(|| InputError::Missing {
            input: spec.name.clone(),
            shape: spec.shape.clone(),
            found: found(),
        })
    };
    let values = specs.iter().map(value).collect::<Result<Vec<T>, _>>()?;
    let is_wanted = |name: &str| specs.iter().any(|spec| spec.name == name);
    match given.iter().find(|(name, _)| !is_wanted(name)) {
        None => Ok(values),
        Some((name, _)) => {
            Err(InputError::Extra { name: (*name).to_owned(), expected: names(specs) })
        }
    }
}

pub(super) fn names(specs: &[&TensorSpec]) -> Vec<String> {
    specs.iter().map(|spec| spec.name.clone()).collect()
}

/// The nearest 32-bit float; infinite beyond the largest, which [`View::fit`] refuses.
#[expect(clippy::cast_possible_truncation, reason = "rounding is what is wanted")]
pub(super) fn single(value: f64) -> f32 {
    value as f32
}
