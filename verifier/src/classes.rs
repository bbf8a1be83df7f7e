//! Names of classes: what a model's file calls the numbers of a tensor, or its columns.

use alloc::{string::String, vec::Vec};

use crate::{
    error::KeyError,
    layout::{TensorLayout, check_name},
};

/// Most names of a tensor.
pub(crate) const MAX_CLASSES: usize = 1 << 16;

/// How far a number may be from the place that it is: what its scale is rounded by, and no more.
const NEAR: f64 = 1e-3;

/// The names that a model's file gives classes. A circuit knows numbers only: that the names are
/// those of the model, a key says, and whoever compiles the model again sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Classes {
    /// Each element is the place of a class in the list.
    Values(Vec<String>),
    /// Each index of the last dimension (a column) is about the class at that place in the list.
    Columns(Vec<String>),
}

impl Classes {
    /// The names, in the order of the classes.
    #[must_use]
    pub fn names(&self) -> &[String] {
        match self {
            Self::Values(names) | Self::Columns(names) => names,
        }
    }

    /// The class that an element names, or is about: by its flat index in C order and the real number
    /// that it holds. `None` for a number that is a thousandth or more from the place of any class.
    #[must_use]
    pub fn name_of(&self, element: usize, value: f64) -> Option<&str> {
        let names = self.names();
        let place = match self {
            Self::Values(_) => usize::from(nearest(value)?),
            Self::Columns(_) => element.checked_rem(names.len())?,
        };
        names.get(place).map(String::as_str)
    }

    /// Checks the names of a tensor with so many columns; `tensor` counts inputs, then outputs.
    pub(crate) fn check(&self, tensor: usize, columns: usize) -> Result<(), KeyError> {
        let names = self.names();
        let got = names.len();
        if got > MAX_CLASSES {
            return Err(KeyError::Limit { list: "names of classes", limit: MAX_CLASSES, got });
        }
        let fits = match self {
            Self::Values(_) => got > 0,
            Self::Columns(_) => got == columns,
        };
        if !fits {
            return Err(KeyError::ClassCount { tensor, columns, got });
        }
        names.iter().try_for_each(|name| check_name(name))
    }
}

/// The place that a number is, or is nearly.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast from a float saturates, and what it changes is not near"
)]
fn nearest(value: f64) -> Option<u16> {
    let place = (value + 0.5) as u16;
    let distance = f64::from(place) - value;
    (-NEAR < distance && distance < NEAR).then_some(place)
}

impl TensorLayout {
    /// The class that each element names, or is about; `None` where the key names no classes of the
    /// tensor, and for more than 65,536 elements, whose names nobody reads.
    #[must_use]
    pub fn classes_of(&self, values: &[f64]) -> Option<Vec<Option<&str>>> {
        let classes = self.classes.as_ref().filter(|_| values.len() <= MAX_CLASSES)?;
        let named = values.iter().enumerate();
        Some(named.map(|(element, &value)| classes.name_of(element, value)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<String> {
        ["setosa", "versicolor", "virginica"].map(String::from).to_vec()
    }

    #[test]
    fn a_value_is_the_place_of_a_class() {
        let classes = Classes::Values(names());
        assert_eq!(classes.name_of(0, 2.0), Some("virginica"));
        assert_eq!(classes.name_of(7, 0.0), Some("setosa"));
        assert_eq!(classes.name_of(0, 49.0 * (1.0 / 49.0)), Some("versicolor"));
        for value in [3.0, -1.0, 0.5, 1.002, -0.5, 65_536.0, 1e300, f64::NAN, f64::INFINITY] {
            assert_eq!(classes.name_of(0, value), None, "{value}");
        }
    }

    /// A claim of many elements under a key of many names is shown without them.
    #[test]
    fn names_of_few_elements_are_listed() {
        let classes = Some(Classes::Values(names()));
        let (name, shape, scales) = ("y".into(), alloc::vec![1], alloc::vec![1.0]);
        let tensor = TensorLayout { name, shape, scales, lo: 0, hi: 2, classes };
        assert_eq!(tensor.classes_of(&[1.0, 9.0]), Some(alloc::vec![Some("versicolor"), None]));
        assert_eq!(tensor.classes_of(&alloc::vec![0.0; MAX_CLASSES + 1]), None);
        let unnamed = TensorLayout { classes: None, ..tensor };
        assert_eq!(unnamed.classes_of(&[1.0]), None);
    }

    #[test]
    fn a_column_is_about_a_class() {
        let classes = Classes::Columns(names());
        assert_eq!(classes.name_of(4, 0.25), Some("versicolor"));
        assert_eq!(Classes::Columns(Vec::new()).name_of(4, 0.25), None);
    }
}
