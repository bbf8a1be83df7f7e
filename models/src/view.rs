//! Elements chosen from a tensor, as strides where strides can say it.
//!
//! Reshaping, transposing, slicing and broadcasting give strides, and so does each of them applied
//! to another: [`View::after`] composes them without looking at single elements. Only what no
//! strides express, as an arbitrary gather, is a list.

mod strided;

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

use strided::{Axis, Strided};

/// For each element of a result, in C order, the flat index of the element that it is.
///
/// Two views are equal exactly if they choose the same elements.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<usize>", into = "Vec<usize>")]
pub struct View(Form);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    Strided(Strided),
    /// Of elements that no strides express.
    Listed(Vec<usize>),
}

impl View {
    /// The first `len` elements, in their order.
    #[must_use]
    pub fn in_order(len: usize) -> Self {
        Self::strided(&[len], &[1], 0)
    }

    /// `offset + Σ position·stride` for every position of `shape`, in C order.
    #[must_use]
    pub fn strided(shape: &[usize], strides: &[usize], offset: usize) -> Self {
        let axis = |(&len, &stride)| Axis { len, stride: strided::signed(stride) };
        Self(Form::Strided(Strided::new(offset, shape.iter().zip(strides).map(axis))))
    }

    /// For each element of a tensor of shape `to`, the element of one of shape `from` that ONNX
    /// broadcasting puts there.
    pub(crate) fn broadcast(from: &[usize], to: &[usize]) -> Self {
        let mut strides = vec![0; to.len()];
        let skipped = to.len() - from.len();
        for (axis, stride) in row_major_strides(from).into_iter().enumerate() {
            strides[skipped + axis] = if from[axis] == 1 { 0 } else { stride };
        }
        Self::strided(to, &strides, 0)
    }

    /// The elements of a tensor of this shape at every combination of the positions that the views
    /// of its axes choose.
    pub(crate) fn grid(shape: &[usize], axes: &[Self]) -> Self {
        let places = || axes.iter().zip(row_major_strides(shape));
        let along = |(view, place): (&Self, usize)| Some(view.as_strided()?.scaled(place));
        if let Some(axes) = places().map(along).collect::<Option<Vec<_>>>() {
            return Self(Form::Strided(Strided::grid(axes)));
        }
        let mut index = vec![0];
        for (positions, place) in places() {
            let positions: Vec<usize> = positions.iter().map(|p| p * place).collect();
            let from = |&start| positions.iter().map(move |position| start + position);
            index = index.iter().flat_map(from).collect();
        }
        index.into()
    }

    /// What this view chooses of the elements that `before` chooses.
    #[must_use]
    pub fn after(&self, before: &Self) -> Self {
        let composed = self.as_strided().zip(before.as_strided());
        match composed.and_then(|(outer, inner)| outer.after(inner)) {
            Some(composed) => Self(Form::Strided(composed)),
            None => self.iter().map(|position| before.get(position)).collect(),
        }
    }

    /// The same elements of each of `count` tensors that lie one after another, `distance` apart.
    pub(crate) fn repeated(&self, count: usize, distance: usize) -> Self {
        let copy = |at: usize| self.iter().map(move |element| at * distance + element);
        (0..count).flat_map(copy).collect()
    }

    fn as_strided(&self) -> Option<&Strided> {
        match &self.0 {
            Form::Strided(strided) => Some(strided),
            Form::Listed(_) => None,
        }
    }

    /// How many elements are chosen.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            Form::Strided(strided) => strided.len(),
            Form::Listed(index) => index.len(),
        }
    }

    /// Whether no element is chosen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the elements are the first ones, in their order.
    #[must_use]
    pub fn is_in_order(&self) -> bool {
        *self == Self::in_order(self.len())
    }

    /// The element at a position of the result.
    ///
    /// # Panics
    /// When there is no such position.
    #[must_use]
    pub fn get(&self, position: usize) -> usize {
        match &self.0 {
            Form::Strided(strided) => strided.get(position),
            Form::Listed(index) => index[position],
        }
    }

    /// The elements, in the order of the result.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        let (walk, list) = match &self.0 {
            Form::Strided(strided) => (Some(strided.walk()), &[][..]),
            Form::Listed(index) => (None, &index[..]),
        };
        walk.into_iter().flatten().chain(list.iter().copied())
    }

    /// The chosen ones of some values.
    ///
    /// # Panics
    /// When an element is beyond the values.
    #[must_use]
    pub fn of<T: Copy>(&self, values: &[T]) -> Vec<T> {
        self.iter().map(|element| values[element]).collect()
    }
}

impl From<Vec<usize>> for View {
    fn from(index: Vec<usize>) -> Self {
        Self(Strided::recognized(&index).map_or(Form::Listed(index), Form::Strided))
    }
}

impl From<View> for Vec<usize> {
    fn from(view: View) -> Self {
        match view.0 {
            Form::Listed(index) => index,
            Form::Strided(strided) => strided.walk().collect(),
        }
    }
}

impl FromIterator<usize> for View {
    fn from_iter<I: IntoIterator<Item = usize>>(elements: I) -> Self {
        Vec::from_iter(elements).into()
    }
}

/// Elements of a tensor in groups: at least one, and none of them empty.
///
/// Two values are equal exactly if they have the same groups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Vec<usize>>", into = "Vec<Vec<usize>>")]
pub struct Groups {
    /// Those of all groups, one group after another.
    elements: View,
    sizes: Sizes,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Sizes {
    Equal(NonZeroUsize),
    Each { sizes: Vec<NonZeroUsize>, largest: NonZeroUsize },
}

/// Why lists of elements are no [`Groups`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there must be a group, and no group may be empty")]
pub struct EmptyGroup;

impl Groups {
    /// Groups of one size, whose elements follow each other; `None` where there is no group, none
    /// has an element, or the last one is cut off.
    #[must_use]
    pub fn equal(elements: View, size: usize) -> Option<Self> {
        let size = NonZeroUsize::new(size)?;
        let whole = !elements.is_empty() && elements.len().is_multiple_of(size.get());
        whole.then_some(Self { elements, sizes: Sizes::Equal(size) })
    }

    /// The same groups of each of `count` tensors that lie one after another, `distance` apart.
    pub(crate) fn repeated(&self, count: usize, distance: usize) -> Self {
        let sizes = match &self.sizes {
            Sizes::Equal(size) => Sizes::Equal(*size),
            Sizes::Each { sizes, largest } => {
                Sizes::Each { sizes: sizes.repeat(count), largest: *largest }
            }
        };
        Self { elements: self.elements.repeated(count, distance), sizes }
    }

    /// How many groups there are.
    #[must_use]
    pub fn count(&self) -> usize {
        match &self.sizes {
            Sizes::Equal(size) => self.elements.len() / size.get(),
            Sizes::Each { sizes, .. } => sizes.len(),
        }
    }

    /// Elements of the largest group.
    #[must_use]
    pub fn largest(&self) -> usize {
        match &self.sizes {
            Sizes::Equal(size) => size.get(),
            Sizes::Each { largest, .. } => largest.get(),
        }
    }

    /// How many elements each group has.
    pub fn sizes(&self) -> impl Iterator<Item = usize> + '_ {
        let (equal, each) = match &self.sizes {
            Sizes::Equal(size) => (self.count(), std::slice::from_ref(size)),
            Sizes::Each { sizes, .. } => (1, &sizes[..]),
        };
        std::iter::repeat_n(each, equal).flatten().map(|size| size.get())
    }

    /// The elements of all groups, one group after another.
    pub fn elements(&self) -> impl Iterator<Item = usize> + '_ {
        self.elements.iter()
    }

    /// The elements of each group.
    pub fn iter(&self) -> impl Iterator<Item = Vec<usize>> + '_ {
        let mut elements = self.elements();
        self.sizes().map(move |size| elements.by_ref().take(size).collect())
    }
}

impl TryFrom<Vec<Vec<usize>>> for Groups {
    type Error = EmptyGroup;

    fn try_from(groups: Vec<Vec<usize>>) -> Result<Self, EmptyGroup> {
        let sizes = groups.iter().map(|group| NonZeroUsize::new(group.len()).ok_or(EmptyGroup));
        let sizes = sizes.collect::<Result<Vec<_>, _>>()?;
        let largest = sizes.iter().copied().max().ok_or(EmptyGroup)?;
        let elements = groups.into_iter().flatten().collect();
        let are_equal = sizes.iter().all(|&size| size == largest);
        let sizes = if are_equal { Sizes::Equal(largest) } else { Sizes::Each { sizes, largest } };
        Ok(Self { elements, sizes })
    }
}

impl From<Groups> for Vec<Vec<usize>> {
    fn from(groups: Groups) -> Self {
        groups.iter().collect()
    }
}

/// The distance between neighbours along each axis, in C order.
pub(crate) fn row_major_strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

#[cfg(test)]
mod tests;
