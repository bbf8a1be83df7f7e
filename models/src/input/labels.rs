//! The right classes of samples, where a file tells them.

use thiserror::Error;

use super::json::Json;
use super::npy;

/// The name of an archive's array of labels, and of a table's column of them.
pub(super) const LABELS: &str = "labels";

/// The largest magnitude below which a 32-bit float holds every whole number.
const EXACT: f32 = 16_777_216.0;

/// The right class of each sample, or of each position of each sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels {
    samples: usize,
    /// The shape of one sample's labels; empty where it has one.
    shape: Vec<usize>,
    /// Sample after sample, in C order.
    classes: Vec<i64>,
}

/// Why labels are not used. They are no part of what is proved, so this is never a reason to refuse
/// the samples.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LabelFault {
    /// They are no classes: a regression's targets, for instance.
    #[error("they are no whole numbers, or of unlike shapes")]
    NoClasses,
    /// They are not as many as the samples.
    #[error("there are {labels} for {samples} samples")]
    Count {
        /// How many samples.
        samples: usize,
        /// How many of them are labelled, or how many labels the file holds.
        labels: usize,
    },
    /// They are not of the shape of the positions at which the first output has scores.
    #[error(
        "each sample has labels of the shape {labels:?}, and the first output is of {output:?}"
    )]
    Positions {
        /// The shape of one sample's labels.
        labels: Vec<usize>,
        /// The shape of the output.
        output: Vec<usize>,
    },
}

impl Labels {
    /// Labels of samples along the leading dimension; a single one is that of one sample.
    pub(super) fn new(shape: &[usize], classes: Vec<i64>) -> Self {
        let (samples, shape) = match shape.split_first() {
            Some((samples, shape)) => (*samples, shape.to_vec()),
            None => (1, Vec::new()),
        };
        Self { samples, shape, classes }
    }

    /// One label a sample.
    pub(super) fn of_samples(classes: Vec<i64>) -> Self {
        Self::new(&[classes.len()], classes)
    }

    /// How many samples have labels.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// The shape of one sample's labels; empty where it has one.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// How many labels a sample has.
    #[must_use]
    pub fn per_sample(&self) -> usize {
        self.shape.iter().product()
    }

    /// The classes of each sample.
    pub fn iter(&self) -> impl Iterator<Item = &[i64]> {
        self.classes.chunks(self.per_sample().max(1))
    }
}

/// The labels of an array of numpy.
pub(super) fn of_array(bytes: &[u8]) -> Result<Labels, LabelFault> {
    // Labels of text, or an array that cannot be read, are none that can be compared.
    npy::decode_labels(bytes).ok().flatten().ok_or(LabelFault::NoClasses)
}

/// The labels of described samples; `None` for a sample without.
pub(super) fn of_json(values: &[Option<&Json>]) -> Result<Option<Labels>, LabelFault> {
    let given: Vec<&Json> = values.iter().copied().flatten().collect();
    let Some(first) = given.first() else { return Ok(None) };
    if given.len() != values.len() {
        return Err(LabelFault::Count { samples: values.len(), labels: given.len() });
    }
    let shape = shape(first);
    let mut classes = Vec::new();
    for label in given {
        if self::shape(label) != shape {
            return Err(LabelFault::NoClasses);
        }
        classes.extend(whole_numbers(label).ok_or(LabelFault::NoClasses)?);
    }
    Ok(Some(Labels::new(&[&[values.len()], &shape[..]].concat(), classes)))
}

fn shape(label: &Json) -> Vec<usize> {
    match label {
        Json::Array(array) => array.shape.clone(),
        _ => Vec::new(),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "whole, and less than 2^24")]
fn whole_numbers(label: &Json) -> Option<Vec<i64>> {
    let Json::Array(array) = label else { return Some(vec![label.integer()?]) };
    let whole =
        |&number: &f32| (number.fract() == 0.0 && number.abs() < EXACT).then_some(number as i64);
    array.data.iter().map(whole).collect()
}
