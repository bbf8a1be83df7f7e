//! What a reader of an input file should know beside the numbers.

use std::fmt;

use super::labels::LabelFault;
use crate::shown::Shown;

/// Something in a file that is not used, or was decided in reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InputNote {
    /// A field beside `input_data` that EZKL's files may hold.
    Ignored {
        /// Its name.
        field: String,
    },
    /// Labels that are not used.
    UnusedLabels(LabelFault),
    /// A first line 0, 1, 2, …, taken as names of columns.
    NumberedColumns {
        /// How many columns.
        columns: usize,
    },
}

impl fmt::Display for InputNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ignored { field } => write!(f, "`{}` in the file is not used", Shown(field)),
            Self::UnusedLabels(fault) => {
                write!(f, "the labels in the file are not used: {fault}")
            }
            Self::NumberedColumns { columns } => write!(
                f,
                "the first line, 0 to {}, is taken as column names, not as numbers",
                columns.saturating_sub(1)
            ),
        }
    }
}
