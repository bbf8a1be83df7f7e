//! The shapes that a file shows of inputs whose dimensions a model leaves open.

use super::array::in_order;
use super::error::InputError;
use super::{Content, InputFile, layout, samples};
use crate::tensor::TensorSpec;

/// How many sets of inputs a file is meant to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputSets {
    /// One, as it is run.
    One,
    /// Many, as a model is calibrated with.
    Many,
}

impl InputFile {
    /// The shape that each of the inputs has in one set, in the order of `names`; `None` where the
    /// file does not tell one set from several.
    pub(crate) fn shapes(&self, names: &[&str], sets: InputSets) -> Option<Vec<Vec<usize>>> {
        let spec = |name: &&str| TensorSpec { name: (*name).to_owned(), shape: Vec::new() };
        let specs: Vec<TensorSpec> = names.iter().map(spec).collect();
        let specs: Vec<&TensorSpec> = specs.iter().collect();
        let shapes = match sets {
            InputSets::One => self.shapes_of_one(&specs),
            InputSets::Many => self.shapes_of_many(&specs),
        };
        // What is wrong with the file is told when it is read as inputs.
        shapes.ok().flatten().filter(|shapes| shapes.len() == names.len())
    }

    fn shapes_of_one(&self, specs: &[&TensorSpec]) -> Result<Option<Vec<Vec<usize>>>, InputError> {
        let views = match &self.content {
            Content::Json(json) => layout::inputs(json, specs)?,
            Content::Npy(array) => in_order(vec![array.view()], specs)?,
            Content::Npz(archive) => samples::inputs_of_archive(archive, specs)?,
            Content::Table(table) => return Ok(Some(vec![table.shape()])),
            Content::Lines(_) => return Ok(None),
        };
        Ok(Some(views.into_iter().map(|view| view.shape).collect()))
    }

    fn shapes_of_many(&self, specs: &[&TensorSpec]) -> Result<Option<Vec<Vec<usize>>>, InputError> {
        let below = |shape: &[usize]| shape.get(1..).map(<[usize]>::to_vec);
        Ok(match &self.content {
            Content::Json(json) => layout::sample_shapes(json, specs)?,
            Content::Lines(lines) => match lines.first() {
                Some(line) => {
                    let views = layout::inputs(line, specs)?;
                    Some(views.into_iter().map(|view| view.shape).collect())
                }
                None => None,
            },
            Content::Table(table) => table.shape().last().map(|&columns| vec![vec![columns]]),
            Content::Npy(array) => below(&array.shape).map(|shape| vec![shape]),
            Content::Npz(archive) => samples::shapes_of_archive(archive, specs)?,
        })
    }
}
