//! Why a file of inputs or samples is refused.

use thiserror::Error;

use crate::shown::{Names, Shown};

/// Why a file of inputs or samples cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InputError {
    /// The file cannot be read.
    #[error("cannot read the file: {0}")]
    Io(std::io::Error),
    /// The file is larger than any input.
    #[error("the file, unpacked, has {got} bytes or more; at most {limit} are read")]
    FileSize {
        /// Bytes found.
        got: u64,
        /// Most bytes allowed.
        limit: u64,
    },
    /// An archive of more arrays than are read.
    #[error("the archive holds {got} arrays; at most {limit} are read")]
    ManyArrays {
        /// Arrays found.
        got: usize,
        /// Most arrays allowed.
        limit: usize,
    },
    /// More samples than are read.
    #[error("the file holds {got} samples or more; at most {limit} are read")]
    ManySamples {
        /// Samples found.
        got: usize,
        /// Most samples allowed.
        limit: usize,
    },
    /// A file without content.
    #[error("the file is empty")]
    Empty,
    /// A file of a kind that is not read.
    #[error("{0}: expected numbers as JSON, CSV, .npy or .npz")]
    Kind(FileKind),
    /// Not JSON.
    #[error("not valid JSON: {0}")]
    Json(serde_json::Error),
    /// JSON of another layout.
    #[error("{}: expected {expected}", Shown(place))]
    Layout {
        /// Where in the file.
        place: String,
        /// What belongs there.
        expected: &'static str,
    },
    /// A table in which quotes or characters are wrong.
    #[error("not a table of numbers: {0}")]
    Csv(csv::Error),
    /// A line of a table that is no line of numbers.
    #[error("line {line}{fault}")]
    Table {
        /// The line, from 1.
        line: u64,
        /// What is wrong there.
        fault: TableFault,
    },
    /// A table of more or fewer columns than there are elements.
    #[error(
        "the table has {got} columns of numbers, {expected} are expected; a column of row numbers \
         must be left out, one of classes must be called `label`"
    )]
    Columns {
        /// Elements of all inputs.
        expected: usize,
        /// Columns in the file.
        got: usize,
    },
    /// A table for several tensors whose columns are not called like them.
    #[error(
        "the first line must name the columns after {}, with [0], [1], … behind a name of several \
         numbers; it names {}",
        Names(expected),
        Names(found)
    )]
    ColumnNames {
        /// Names of the tensors.
        expected: Vec<String>,
        /// Names of the columns.
        found: Vec<String>,
    },
    /// Not a zip archive, as `.npz` must be.
    #[error("not a valid .npz archive: {0}")]
    Zip(zip::result::ZipError),
    /// Not an array in numpy's format.
    #[error("`{}` is not a valid .npy: {expected}", Shown(array))]
    Npy {
        /// The array.
        array: String,
        /// What is wrong.
        expected: &'static str,
    },
    /// Elements of another type.
    #[error(
        "`{}` has element type {}; real numbers, whole numbers and booleans of up to 64 bits are \
         read: convert it with .astype(numpy.float32)",
        Shown(input),
        Shown(got)
    )]
    ElementType {
        /// The array.
        input: String,
        /// numpy's name of the type.
        got: String,
    },
    /// An input that the model has as a constant of another value.
    #[error(
        "`{}` in the file is not what it is fixed to: the model is proved for that value only",
        Shown(input)
    )]
    OtherThanFixed {
        /// The input.
        input: String,
    },
    /// A whole number that no 32-bit float holds.
    #[error(
        "`{}`: element {index} is a whole number ({got}) that no 32-bit float holds exactly; if \
         rounding is meant, convert it with .astype(numpy.float32)",
        Shown(input)
    )]
    Inexact {
        /// The array.
        input: String,
        /// The element, as it lies in the file.
        index: usize,
        /// numpy's name of the type.
        got: String,
    },
    /// A file with another number of unnamed tensors.
    #[error("the file holds {got} tensors, expected are {expected}: {}", Names(names))]
    InputCount {
        /// Tensors expected.
        expected: usize,
        /// Tensors in the file.
        got: usize,
        /// Names of those expected.
        names: Vec<String>,
    },
    /// A file with several samples where one set of inputs is wanted.
    #[error("the file holds {got} sets of inputs where one is expected")]
    Several {
        /// How many there are.
        got: usize,
    },
    /// A tensor that the file does not give.
    #[error("`{}` of shape {shape:?} is missing; the file has: {}", Shown(input), Names(found))]
    Missing {
        /// The tensor.
        input: String,
        /// Its shape.
        shape: Vec<usize>,
        /// What the file gives.
        found: Vec<String>,
    },
    /// A name that is not among those expected.
    #[error("`{}` in the file is not expected; expected: {}", Shown(name), Names(expected))]
    Extra {
        /// The name in the file.
        name: String,
        /// The names expected.
        expected: Vec<String>,
    },
    /// A name given twice.
    #[error("`{}` is given twice", Shown(name))]
    Duplicate {
        /// The name.
        name: String,
    },
    /// A tensor of another shape.
    #[error("`{}` has shape {got:?}, expected {expected:?}", Shown(input))]
    Shape {
        /// The tensor.
        input: String,
        /// Its shape in the model.
        expected: Vec<usize>,
        /// The shape found.
        got: Vec<usize>,
    },
    /// A number that is NaN, infinite or too large for single precision.
    #[error("`{}`: element {index} is not a finite 32-bit number", Shown(input))]
    NotFinite {
        /// The tensor.
        input: String,
        /// The element, in C order.
        index: usize,
    },
    /// A calibration file without samples.
    #[error("the file holds no samples")]
    NoSamples,
}

// Not by `#[from]`: the messages hold the causes, which would be printed again as sources.
impl From<std::io::Error> for InputError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<serde_json::Error> for InputError {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(error)
    }
}

impl From<zip::result::ZipError> for InputError {
    fn from(error: zip::result::ZipError) -> Self {
        Self::Zip(error)
    }
}

impl From<csv::Error> for InputError {
    fn from(error: csv::Error) -> Self {
        Self::Csv(error)
    }
}

/// What is wrong with a line of a table.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TableFault {
    /// More or fewer columns than the first line.
    #[error(" has {got} columns, the first line has {expected}")]
    Width {
        /// Columns of the first line.
        expected: usize,
        /// Columns found.
        got: usize,
    },
    /// A cell that holds no finite number.
    #[error(", column {column}: `{}` is no finite number", Shown(cell))]
    NoNumber {
        /// The column, from 1.
        column: usize,
        /// What it holds.
        cell: String,
    },
}

/// What a file is that holds no numbers to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FileKind {
    /// PNG, JPEG, GIF or BMP.
    #[error("an image, which must be decoded to numbers as the model's training did")]
    Image,
    /// A pickled Python object.
    #[error("a Python pickle, which cannot be read safely")]
    Pickle,
    /// A file of PyTorch's `save`.
    #[error("a PyTorch file; save the tensor with numpy.save(path, tensor.numpy())")]
    Torch,
    /// HDF5.
    #[error("an HDF5 file")]
    Hdf5,
    /// Parquet or Arrow.
    #[error("a Parquet or Arrow file")]
    Parquet,
    /// Compressed by gzip.
    #[error("a gzip archive; unpack it first")]
    Gzip,
    /// What git leaves in place of a large file.
    #[error("a git-lfs pointer; fetch the file with `git lfs pull`")]
    LfsPointer,
    /// A web page or other markup.
    #[error("a web page or other markup")]
    Markup,
    /// Bytes of no known format.
    #[error("an unknown kind of file")]
    Other,
}
