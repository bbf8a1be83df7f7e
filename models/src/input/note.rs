//! What a reader of an input file should know beside the numbers.

use std::fmt;

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
    /// Labels that are no whole numbers, so no classes: a regression's targets.
    NoClasses,
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
            Self::NoClasses => {
                f.write_str("the labels in the file are no whole numbers, so no classes: not used")
            }
            Self::NumberedColumns { columns } => write!(
                f,
                "the first line, 0 to {}, is taken as column names, not as numbers",
                columns.saturating_sub(1)
            ),
        }
    }
}
