//! Why a verifying key is refused.

use thiserror::Error;

use crate::expression::ExpressionError;

/// Why a verifying key is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The file does not begin with the magic of a `.zkvk`.
    #[error("not a zkinfer verifying key")]
    Magic,
    /// A version that this crate does not read.
    #[error("unsupported key format version {got}")]
    Version {
        /// The version of the file.
        got: u16,
    },
    /// The bytes end inside a field, or a list claims more items than the bytes can hold.
    #[error("the key ends inside the field at byte {offset}")]
    Truncated {
        /// Where the field begins.
        offset: usize,
    },
    /// Bytes are left after the last field.
    #[error("{count} bytes after the end of the key")]
    TrailingBytes {
        /// How many.
        count: usize,
    },
    /// A list or name is longer than allowed.
    #[error("{list}: {got} items, at most {limit} allowed")]
    Limit {
        /// Which list.
        list: &'static str,
        /// The limit.
        limit: usize,
        /// Its length.
        got: usize,
    },
    /// A byte that should tell an alternative tells none.
    #[error("unknown tag {got} at byte {offset}")]
    Tag {
        /// Where.
        offset: usize,
        /// The byte.
        got: u8,
    },
    /// A scalar at or above the modulus.
    #[error("scalar at byte {offset} is not canonical")]
    Scalar {
        /// Where.
        offset: usize,
    },
    /// A G1 point that is off the curve or not spelled canonically.
    #[error("point at byte {offset} is off the curve or not canonical")]
    Point {
        /// Where.
        offset: usize,
    },
    /// \[τ\]₂ is off the curve, in a wrong subgroup, at infinity, the generator, or not canonical.
    #[error("[tau]_2 is no proper point of the second group")]
    Tau,
    /// A name is not UTF-8.
    #[error("name at byte {offset} is not UTF-8")]
    Name {
        /// Where.
        offset: usize,
    },
    /// A name holds characters that redraw or hide a part of a line; see
    /// [`is_hidden`](crate::is_hidden).
    #[error("a name holds control characters or invisible ones")]
    ControlCharacter,
    /// The SRS bears the name of another ceremony, or a known ceremony another name.
    #[error("the name of the SRS does not belong to its [tau]_2")]
    SrsName,
    /// The number of rows is not supported, or too few for the instance and the blinding rows.
    #[error("2^{k} rows are unsupported or fewer than the {required} needed")]
    Rows {
        /// Binary logarithm of the number of rows.
        k: u8,
        /// Rows needed.
        required: usize,
    },
    /// A phase above the last one.
    #[error("phase {got} does not exist")]
    Phase {
        /// The phase.
        got: u8,
    },
    /// A query of a column that does not exist.
    #[error("{list}[{index}]: no such column")]
    QueryColumn {
        /// Which list of queries.
        list: &'static str,
        /// Position in it.
        index: usize,
    },
    /// A rotation of a whole turn or more.
    #[error("{list}[{index}]: rotation beyond the number of rows")]
    QueryRotation {
        /// Which list of queries.
        list: &'static str,
        /// Position in it.
        index: usize,
    },
    /// A second query of the same column at the same row, perhaps by another rotation.
    #[error("{list}[{index}] repeats an earlier query")]
    DuplicateQuery {
        /// Which list of queries.
        list: &'static str,
        /// Position in it.
        index: usize,
    },
    /// A gate's instructions are no polynomial.
    #[error("gate {gate}: {source}")]
    Gate {
        /// Which gate polynomial.
        gate: usize,
        /// What is wrong with it.
        source: ExpressionError,
    },
    /// A gate refers to a query or challenge that does not exist.
    #[error("gate {gate}, instruction {instruction}: no such query or challenge")]
    GateIndex {
        /// Which gate polynomial.
        gate: usize,
        /// Which instruction.
        instruction: usize,
    },
    /// The stated degree is below what gates and permutation need, or above the limit.
    #[error("degree {got}: at least {required} needed, at most {limit} allowed")]
    Degree {
        /// What gates and permutation need.
        required: usize,
        /// The limit.
        limit: u8,
        /// The stated degree.
        got: u8,
    },
    /// A column is twice under copy constraints.
    #[error("permutation column {position} repeats an earlier one")]
    DuplicatePermutationColumn {
        /// Position among the permutation columns.
        position: usize,
    },
    /// A column under copy constraints is not queried at the current row.
    #[error("permutation column {position} is not queried at the current row")]
    PermutationQuery {
        /// Position among the permutation columns.
        position: usize,
    },
    /// Not one sigma commitment per permutation column.
    #[error("{got} sigma commitments for {expected} permutation columns")]
    SigmaCount {
        /// Permutation columns.
        expected: usize,
        /// Sigma commitments.
        got: usize,
    },
    /// A sigma commitment at infinity: no permutation has it.
    #[error("sigma commitment {index} is at infinity")]
    SigmaInfinity {
        /// Which one.
        index: usize,
    },
    /// No input or no output tensor.
    #[error("the model has no {list}")]
    NoTensors {
        /// `"inputs"` or `"outputs"`.
        list: &'static str,
    },
    /// A tensor without elements.
    #[error("tensor {tensor} has a dimension of zero")]
    EmptyTensor {
        /// Position among inputs, then outputs.
        tensor: usize,
    },
    /// A scale that is not finite and positive.
    #[error("the scale of tensor {tensor} is not finite and positive")]
    Scale {
        /// Position among inputs, then outputs.
        tensor: usize,
    },
    /// Neither one scale nor one for each index of the last dimension.
    #[error("tensor {tensor} has {got} scales: one, or one for each of {columns} columns, needed")]
    ScaleCount {
        /// Position among inputs, then outputs.
        tensor: usize,
        /// Indexes of its last dimension.
        columns: usize,
        /// How many scales there are.
        got: usize,
    },
    /// No names of classes, or not one for each index of the last dimension.
    #[error(
        "tensor {tensor} names {got} classes: one or more, or one for each of {columns} columns, needed"
    )]
    ClassCount {
        /// Position among inputs, then outputs.
        tensor: usize,
        /// Indexes of its last dimension.
        columns: usize,
        /// How many names there are.
        got: usize,
    },
    /// Names of classes in a format that has no place for them, or none in the one that is for them.
    #[error("keys that name classes have format 5, and only they have it")]
    ClassesFormat,
    /// The blocks do not take every public value.
    #[error("{got} public values are placed in the instance columns, there are {expected}")]
    Placement {
        /// Public values of a proof.
        expected: usize,
        /// Values that the blocks take.
        got: usize,
    },
    /// A block without values or columns, or one that covers cells of an earlier one.
    #[error("block {index} of the instance is empty or covers cells of an earlier one")]
    Block {
        /// Position among the blocks.
        index: usize,
    },
    /// No claim, or several claims that show values.
    #[error("{got} claims: at least one needed, and several must be committed to")]
    Claims {
        /// How many.
        got: u32,
    },
    /// A boundary without columns, or with a column that does not exist, is not of the first phase, is
    /// not opened at the current row or belongs to another boundary.
    #[error("boundary {boundary} has no columns of its own that are opened in the first phase")]
    Boundary {
        /// Position among the boundaries.
        boundary: usize,
    },
    /// A label that is there and empty.
    #[error("the label is empty: leave it out")]
    EmptyLabel,
    /// Something that keys of format 3 cannot say.
    #[error("format 3 has no {field}")]
    Format3 {
        /// What.
        field: &'static str,
    },
    /// The lower bound of a tensor is above the upper one.
    #[error("tensor {tensor}: lower bound {lo} above upper bound {hi}")]
    Bounds {
        /// Position among inputs, then outputs.
        tensor: usize,
        /// Lower bound.
        lo: i64,
        /// Upper bound.
        hi: i64,
    },
}
