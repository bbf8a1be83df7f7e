//! What the public values of a proof mean: names, shapes, scales and bounds.

use alloc::{string::String, vec::Vec};

use crate::{
    boundary::Boundary,
    classes::Classes,
    error::KeyError,
    placement::Placement,
    side::{Side, Visibility},
};

/// Most input tensors, and most output tensors, of a model.
pub(crate) const MAX_TENSORS: usize = 64;
/// Most scales of a tensor.
pub(crate) const MAX_SCALES: usize = 1 << 16;
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
    /// The real number that one integer unit stands for, finite and positive: one for all elements,
    /// or one for each index of the last dimension (a column).
    pub scales: Vec<f64>,
    /// Smallest value allowed, inclusive.
    pub lo: i64,
    /// Largest value allowed, inclusive.
    pub hi: i64,
    /// What the model calls its classes, where it holds some that have names.
    pub classes: Option<Classes>,
}

impl TensorLayout {
    /// Number of elements; saturates.
    #[must_use]
    pub fn element_count(&self) -> usize {
        self.shape.iter().fold(1usize, |count, &dimension| {
            count.saturating_mul(usize::try_from(dimension).unwrap_or(usize::MAX))
        })
    }

    /// The scale of an element, by its flat index in C order.
    #[must_use]
    pub fn scale_of(&self, element: usize) -> f64 {
        let column = element.checked_rem(self.scales.len()).unwrap_or(0);
        // One scale at least is there in every layout that a key may have.
        self.scales.get(column).copied().unwrap_or(f64::NAN)
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
        let columns = self.shape.last().map_or(1, |&last| usize::try_from(last).unwrap_or(0));
        let got = self.scales.len();
        if got != 1 && got != columns {
            return Err(KeyError::ScaleCount { tensor, columns, got });
        }
        if !self.scales.iter().all(|scale| scale.is_finite() && *scale > 0.0) {
            return Err(KeyError::Scale { tensor });
        }
        if self.lo > self.hi {
            return Err(KeyError::Bounds { tensor, lo: self.lo, hi: self.hi });
        }
        self.classes.as_ref().map_or(Ok(()), |classes| classes.check(tensor, columns))
    }
}

/// What the public values of a proof mean, and where in the instance columns they lie.
///
/// The public values of a claim are, in this order: the two of its binding; the elements of the
/// inputs, each tensor flat in C order, or one commitment to all of them; the outputs likewise. A
/// key of several claims has one public value, the root of its [claims](crate::joint).
#[derive(Clone, Debug, PartialEq)]
pub struct InstanceLayout {
    /// The model's inputs; none only for a part of a model that takes all from its neighbour.
    pub inputs: Vec<TensorLayout>,
    /// The model's outputs; none only for a part that gives all to its neighbour.
    pub outputs: Vec<TensorLayout>,
    /// Whether a claim shows the inputs.
    pub input_visibility: Visibility,
    /// Whether a claim shows the outputs.
    pub output_visibility: Visibility,
    /// How many claims a proof is about; not zero. Several are all committed.
    pub claims: u32,
    /// Where the public values lie.
    pub placement: Placement,
}

impl InstanceLayout {
    /// One claim, all of whose public values lie in one column from the first row on.
    #[must_use]
    pub fn new(
        inputs: Vec<TensorLayout>,
        outputs: Vec<TensorLayout>,
        input_visibility: Visibility,
        output_visibility: Visibility,
    ) -> Self {
        let placement = Placement(Vec::new());
        let layout =
            Self { inputs, outputs, input_visibility, output_visibility, claims: 1, placement };
        let placement = Placement::one_column(layout.instance_len());
        Self { placement, ..layout }
    }

    /// Whether a tensor names classes.
    #[must_use]
    pub fn names_classes(&self) -> bool {
        self.inputs.iter().chain(&self.outputs).any(|tensor| tensor.classes.is_some())
    }

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

    /// Number of public values; saturates.
    #[must_use]
    pub fn instance_len(&self) -> usize {
        if self.claims != 1 {
            return 1;
        }
        let shown = |visibility, len| match visibility {
            Visibility::Public => len,
            Visibility::Committed => 1,
        };
        let inputs = shown(self.input_visibility, self.input_len());
        let outputs = shown(self.output_visibility, self.output_len());
        inputs.saturating_add(outputs).saturating_add(2)
    }

    /// Checks every tensor; `tensor` in an error counts inputs, then outputs. A side may be without
    /// tensors where a boundary stands for it.
    pub(crate) fn check(&self, boundaries: &[Boundary]) -> Result<(), KeyError> {
        let sides =
            [("inputs", &self.inputs, Side::Input), ("outputs", &self.outputs, Side::Output)];
        for (list, tensors, side) in sides {
            let got = tensors.len();
            if got > MAX_TENSORS {
                return Err(KeyError::Limit { list, limit: MAX_TENSORS, got });
            }
            if got == 0 && !boundaries.iter().any(|boundary| boundary.side == side) {
                return Err(KeyError::NoTensors { list });
            }
        }
        let mut tensors = self.inputs.iter().chain(&self.outputs).enumerate();
        tensors.try_for_each(|(index, tensor)| tensor.check(index))?;
        let lens = [("input elements", self.input_len()), ("output elements", self.output_len())];
        if let Some((list, got)) = lens.into_iter().find(|(_, got)| *got > MAX_ELEMENTS) {
            return Err(KeyError::Limit { list, limit: MAX_ELEMENTS, got });
        }
        let hidden = [self.input_visibility, self.output_visibility] == [Visibility::Committed; 2];
        if self.claims == 0 || (self.claims > 1 && !hidden) {
            return Err(KeyError::Claims { got: self.claims });
        }
        self.placement.check(self.instance_len())
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
