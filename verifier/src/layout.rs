//! What the public values of a proof mean: names, shapes, scales and bounds.

use alloc::{string::String, vec::Vec};
use core::fmt;

use crate::error::KeyError;

/// Most input tensors, and most output tensors, of a model.
pub(crate) const MAX_TENSORS: usize = 64;
/// Most dimensions of a tensor.
pub(crate) const MAX_RANK: usize = 16;

/// Most elements of all inputs, and of all outputs, shown or committed to: far more than can be
/// proven, and few enough that whoever makes an array for a key's tensors can.
pub(crate) const MAX_ELEMENTS: usize = 1 << 24;

/// One public tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorLayout {
    /// Its name in the model.
    pub name: String,
    /// Its dimensions, none of them zero; no dimensions at all for a single number.
    pub shape: Vec<u32>,
    /// The real number that one integer unit stands for: finite and positive.
    pub scale: f64,
    /// Smallest value allowed, inclusive.
    pub lo: i64,
    /// Largest value allowed, inclusive.
    pub hi: i64,
}

impl TensorLayout {
    /// Number of elements; saturates.
    #[must_use]
    pub fn element_count(&self) -> usize {
        self.shape.iter().fold(1usize, |count, &dimension| {
            count.saturating_mul(usize::try_from(dimension).unwrap_or(usize::MAX))
        })
    }

    fn check(&self, tensor: usize) -> Result<(), KeyError> {
        check_name(&self.name)?;
        if self.shape.len() > MAX_RANK {
            let got = self.shape.len();
            return Err(KeyError::Limit { list: "tensor shape", limit: MAX_RANK, got });
        }
        if self.shape.contains(&0) {
            return Err(KeyError::EmptyTensor { tensor });
        }
        if !self.scale.is_finite() || self.scale <= 0.0 {
            return Err(KeyError::Scale { tensor });
        }
        if self.lo > self.hi {
            return Err(KeyError::Bounds { tensor, lo: self.lo, hi: self.hi });
        }
        Ok(())
    }
}

/// Whether a claim shows values, or a commitment to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Visibility {
    /// The values are in the claim.
    #[default]
    Public,
    /// A [`Commitment`](crate::Commitment) to them is.
    Committed,
}

impl fmt::Display for Visibility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Public => "public",
            Self::Committed => "committed",
        })
    }
}

/// The instance column after the binding: the elements of the inputs, then of the outputs, each
/// tensor flat in C order; one commitment in place of all inputs, or all outputs, that are committed.
#[derive(Clone, Debug, PartialEq)]
pub struct InstanceLayout {
    /// The model's inputs.
    pub inputs: Vec<TensorLayout>,
    /// The model's outputs.
    pub outputs: Vec<TensorLayout>,
    /// Whether a claim shows the inputs.
    pub input_visibility: Visibility,
    /// Whether a claim shows the outputs.
    pub output_visibility: Visibility,
}

impl InstanceLayout {
    /// Number of input elements; saturates.
    #[must_use]
    pub fn input_len(&self) -> usize {
        element_count(&self.inputs)
    }

    /// Number of output elements; saturates.
    #[must_use]
    pub fn output_len(&self) -> usize {
        element_count(&self.outputs)
    }

    /// Number of public values: two for the binding, then inputs and outputs; saturates.
    #[must_use]
    pub fn instance_len(&self) -> usize {
        let shown = |visibility, len| match visibility {
            Visibility::Public => len,
            Visibility::Committed => 1,
        };
        let inputs = shown(self.input_visibility, self.input_len());
        let outputs = shown(self.output_visibility, self.output_len());
        inputs.saturating_add(outputs).saturating_add(2)
    }

    /// Checks every tensor; `tensor` in an error counts inputs, then outputs.
    pub(crate) fn check(&self) -> Result<(), KeyError> {
        for (list, tensors) in [("inputs", &self.inputs), ("outputs", &self.outputs)] {
            let got = tensors.len();
            if got > MAX_TENSORS {
                return Err(KeyError::Limit { list, limit: MAX_TENSORS, got });
            }
            if got == 0 {
                return Err(KeyError::NoTensors { list });
            }
        }
        let mut tensors = self.inputs.iter().chain(&self.outputs).enumerate();
        tensors.try_for_each(|(index, tensor)| tensor.check(index))?;
        let lens = [("input elements", self.input_len()), ("output elements", self.output_len())];
        match lens.into_iter().find(|(_, got)| *got > MAX_ELEMENTS) {
            Some((list, got)) => Err(KeyError::Limit { list, limit: MAX_ELEMENTS, got }),
            None => Ok(()),
        }
    }
}

/// Number of elements of all tensors; saturates.
pub(crate) fn element_count(tensors: &[TensorLayout]) -> usize {
    tensors.iter().fold(0usize, |count, tensor| count.saturating_add(tensor.element_count()))
}

/// Names are printed in reports: no characters that redraw or hide a part of one, no unbounded
/// length.
pub(crate) fn check_name(name: &str) -> Result<(), KeyError> {
    let got = name.len();
    if got > crate::bytes::MAX_NAME {
        return Err(KeyError::Limit { list: "name", limit: crate::bytes::MAX_NAME, got });
    }
    if name.chars().any(is_hidden) {
        return Err(KeyError::ControlCharacter);
    }
    Ok(())
}

/// Whether a character may not stand in a name of a key: control characters, separators of lines,
/// and Unicode's default-ignorable characters, which show nothing or turn the direction of text.
#[must_use]
pub fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// For every element the tensor that it belongs to.
pub(crate) fn owners(tensors: &[TensorLayout]) -> impl Iterator<Item = &TensorLayout> {
    tensors.iter().flat_map(|tensor| core::iter::repeat_n(tensor, tensor.element_count()))
}

/// The first value outside the bounds of its tensor, as `(index, value, tensor)`.
pub(crate) fn first_out_of_range<'a>(
    tensors: &'a [TensorLayout],
    values: &[i64],
) -> Option<(usize, i64, &'a TensorLayout)> {
    let mut owned = values.iter().zip(owners(tensors)).enumerate();
    owned.find_map(|(index, (&value, tensor))| {
        let inside = tensor.lo <= value && value <= tensor.hi;
        (!inside).then_some((index, value, tensor))
    })
}
