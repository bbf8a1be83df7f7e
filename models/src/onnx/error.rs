//! Why a file is not a model that can be proved.
//!
//! Names in messages come from the file; [`super::names`] has made them printable.

use std::collections::BTreeSet;

use thiserror::Error;

/// One reason why a file is not a model that can be proved.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImportError {
    /// A file of the model cannot be read.
    #[error("cannot read {path}: {cause}")]
    Io {
        /// The file.
        path: String,
        /// What the operating system says.
        cause: String,
    },
    /// The file is larger than any model that can be proved.
    #[error("the file has {got} bytes, more than the limit of {limit}")]
    FileSize {
        /// Bytes in the file.
        got: u64,
        /// Most bytes allowed.
        limit: u64,
    },
    /// The bytes are something else than a model.
    #[error("not an ONNX file but {found}; {action}")]
    Foreign {
        /// What the file is.
        found: &'static str,
        /// How to get a model.
        action: &'static str,
    },
    /// The bytes are not a protobuf `ModelProto`, or are cut short.
    #[error("not an ONNX file, or cut short: {cause}")]
    Decode {
        /// What the decoder found.
        cause: String,
    },
    /// The file holds no graph.
    #[error("not an ONNX model: the file holds no graph")]
    NoGraph,
    /// An operator set is missing, contradictory, or not one that is known.
    #[error("operator set `{domain}`: {what}, expected {expected}; export again with one of these")]
    OperatorSet {
        /// The domain, `ai.onnx` for the standard one.
        domain: String,
        /// What the file says.
        what: String,
        /// The versions that can be used.
        expected: String,
    },
    /// The graph has no inputs or no outputs.
    #[error("the graph has no {0}")]
    Empty(Part),
    /// Too many of something.
    #[error("{place}: {got} {what}, more than the limit of {limit}")]
    Limit {
        /// The node, tensor or graph.
        place: String,
        /// What is counted.
        what: &'static str,
        /// How many there are.
        got: u128,
        /// Most allowed.
        limit: u128,
    },
    /// An operation that zkinfer cannot prove.
    #[error("node `{node}`: operation `{op}` is not supported; {advice}")]
    UnsupportedOp {
        /// The ONNX node.
        node: String,
        /// The ONNX operation, with its domain where it is not the standard one.
        op: String,
        /// What to do.
        advice: &'static str,
    },
    /// A supported operation in a form that zkinfer cannot prove.
    #[error("node `{node}` ({op}): {what}")]
    UnsupportedForm {
        /// The ONNX node.
        node: String,
        /// The ONNX operation.
        op: String,
        /// What is not supported, and what to do.
        what: &'static str,
    },
    /// An attribute that the operation does not have in this operator set or this form.
    #[error("node `{node}` ({op}): unknown attribute `{attribute}`")]
    UnknownAttribute {
        /// The ONNX node.
        node: String,
        /// The ONNX operation.
        op: String,
        /// The attribute.
        attribute: String,
    },
    /// An attribute with a value of another type or out of range.
    #[error("node `{node}`: attribute `{attribute}` must be {expected}")]
    Attribute {
        /// The ONNX node.
        node: String,
        /// The attribute.
        attribute: String,
        /// What it must be.
        expected: &'static str,
    },
    /// An operand that the operation needs is not given.
    #[error("node `{node}` ({op}): operand {index} is missing")]
    MissingOperand {
        /// The ONNX node.
        node: String,
        /// The ONNX operation.
        op: String,
        /// Position of the operand.
        index: usize,
    },
    /// An operand is of another kind than the operation needs.
    #[error("node `{node}` ({op}): operand {index} must be {expected}")]
    Operand {
        /// The ONNX node.
        node: String,
        /// The ONNX operation.
        op: String,
        /// Position of the operand.
        index: usize,
        /// What it must be, and what to do.
        expected: &'static str,
    },
    /// An operand that must be known when the file is read depends on the inputs.
    #[error("node `{node}` ({op}): operand {index} must be a constant{}", Decided(input.as_deref()))]
    Computed {
        /// The ONNX node.
        node: String,
        /// The ONNX operation.
        op: String,
        /// Position of the operand.
        index: usize,
        /// The model's input that the operand is, where it is one.
        input: Option<String>,
    },
    /// Something reads an output of a node that cannot be proved.
    #[error("node `{node}` ({op}): output {index} is read, and not supported")]
    Output {
        /// The ONNX node.
        node: String,
        /// The ONNX operation.
        op: String,
        /// Position of the output.
        index: usize,
    },
    /// A name that nothing defines: for example a missing initializer.
    #[error("`{reader}` reads `{value}`, which no input, initializer or node defines")]
    UndefinedValue {
        /// The node or graph output that reads it.
        reader: String,
        /// The name.
        value: String,
    },
    /// A name that two places define.
    #[error("`{value}` is defined twice")]
    DuplicateValue {
        /// The name.
        value: String,
    },
    /// Nodes that wait for each other.
    #[error("node `{node}` depends on its own result")]
    Cycle {
        /// One node of the cycle.
        node: String,
    },
    /// A function of the file that cannot be inlined.
    #[error("function `{function}` of the file: {what}")]
    Function {
        /// Domain and name.
        function: String,
        /// Why it cannot be inlined.
        what: &'static str,
    },
    /// Operand shapes that do not fit each other.
    #[error("node `{node}` ({op}): {expected}, got shapes {got:?}")]
    Shape {
        /// The ONNX node.
        node: String,
        /// The ONNX operation.
        op: String,
        /// The relation that must hold.
        expected: &'static str,
        /// The shapes found.
        got: Vec<Vec<usize>>,
    },
    /// A graph input or initializer of an element type that cannot be used.
    #[error("tensor `{tensor}` has element type {dtype}, expected {expected}")]
    ElementType {
        /// The tensor.
        tensor: String,
        /// Its type, by its ONNX name or number.
        dtype: String,
        /// The types that can be used, and what to do.
        expected: &'static str,
    },
    /// A graph input that is no tensor.
    #[error("input `{input}` is not declared as a tensor")]
    Untyped {
        /// The input.
        input: String,
    },
    /// A graph input with a dimension that the file leaves open.
    #[error("input `{input}`: {dimension} is open; say which shape is proved: --shape {flag}")]
    OpenDimension {
        /// The input.
        input: String,
        /// The axis, and its symbol where it has one.
        dimension: String,
        /// The value that the flag takes, with `?` for what must be given.
        flag: String,
    },
    /// A dimension that is 0 or negative.
    #[error("tensor `{tensor}`: dimension {axis} is {got}; export with positive dimensions")]
    Dimension {
        /// The tensor.
        tensor: String,
        /// The axis.
        axis: usize,
        /// The number found.
        got: i64,
    },
    /// A shape given for an input that the file does not allow.
    #[error("--shape {input}={given}: {what}")]
    GivenShape {
        /// The input.
        input: String,
        /// The shape given.
        given: String,
        /// Why it does not fit.
        what: String,
    },
    /// A value given for an input that cannot be fixed so.
    #[error("--fix {input}=…: {what}")]
    Fixed {
        /// The input.
        input: String,
        /// Why it cannot be fixed.
        what: String,
    },
    /// Tensor data of another length than its shape says.
    #[error("tensor `{tensor}`: its shape needs {expected} elements, its data has {got}")]
    DataLength {
        /// The tensor.
        tensor: String,
        /// Elements by the shape.
        expected: usize,
        /// Elements found.
        got: usize,
    },
    /// Tensor data in another file that cannot be used.
    #[error("tensor `{tensor}` keeps its data in `{file}`: {what}")]
    ExternalData {
        /// The tensor.
        tensor: String,
        /// The other file, as the model names it.
        file: String,
        /// Why it cannot be used, and what to do.
        what: String,
    },
    /// A constant that is NaN, or a weight that is infinite.
    #[error("tensor `{tensor}`: element {index} is not a finite number")]
    NotFinite {
        /// The tensor.
        tensor: String,
        /// The element, in C order.
        index: usize,
    },
    /// An output that does not depend on any input.
    #[error("output `{output}` is a constant: there is nothing to prove")]
    ConstantOutput {
        /// The output.
        output: String,
    },
    /// An output that is a sequence of tensors.
    #[error(
        "output `{output}` is a sequence: make its tensors the outputs, with SequenceAt or \
         ConcatFromSequence"
    )]
    SequenceOutput {
        /// The output.
        output: String,
    },
}

/// The end of a sentence about an operand that must be a constant, and maybe is this input.
struct Decided<'a>(Option<&'a str>);

impl std::fmt::Display for Decided<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(input) => write!(f, "; the input `{input}` decides it: give its value with --fix"),
            None => f.write_str("; export it as one"),
        }
    }
}

/// A part of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// Graph inputs.
    Inputs,
    /// Graph outputs.
    Outputs,
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Inputs => "inputs",
            Self::Outputs => "outputs",
        })
    }
}

/// Every reason found why a file is not a model that can be proved, in the order of the file.
///
/// A node that reads the result of a refused one is not examined further, so removing these
/// reasons may bring up others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusals {
    first: ImportError,
    others: Vec<ImportError>,
}

/// Most reasons that are kept.
const MAX_REASONS: usize = 256;

impl Refusals {
    /// The reasons, unless there are none.
    pub(super) fn of(reasons: Vec<ImportError>) -> Option<Self> {
        let mut reasons = reasons.into_iter();
        let first = reasons.next()?;
        let mut others: Vec<ImportError> = Vec::new();
        for reason in reasons.take(MAX_REASONS) {
            if reason != first && !others.contains(&reason) {
                others.push(reason);
            }
        }
        Some(Self { first, others })
    }

    /// The first reason.
    #[must_use]
    pub fn first(&self) -> &ImportError {
        &self.first
    }

    /// The inputs that must be constants, by these reasons.
    #[must_use]
    pub fn inputs_to_fix(&self) -> BTreeSet<&str> {
        let decided = self.iter().filter_map(|reason| match reason {
            ImportError::Computed { input, .. } => input.as_deref(),
            _ => None,
        });
        decided.collect()
    }

    /// All reasons.
    pub fn iter(&self) -> impl Iterator<Item = &ImportError> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

impl From<ImportError> for Refusals {
    fn from(first: ImportError) -> Self {
        Self { first, others: Vec::new() }
    }
}

impl From<Refusals> for ImportError {
    fn from(refusals: Refusals) -> Self {
        refusals.first
    }
}

impl std::fmt::Display for Refusals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.first)?;
        self.others.iter().try_for_each(|reason| write!(f, "\n{reason}"))
    }
}

impl std::error::Error for Refusals {}
