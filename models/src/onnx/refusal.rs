//! What a refusal says to programs: where it is, and what to do.

use super::error::ImportError;

impl ImportError {
    /// A word for programs, one for each kind of reason; it never changes its meaning.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "unreadable",
            Self::FileSize { .. } => "file-size",
            Self::Foreign { .. } => "foreign-file",
            Self::Decode { .. } => "no-onnx",
            Self::NoGraph => "no-graph",
            Self::OperatorSet { .. } => "operator-set",
            Self::Empty(_) => "nothing-to-prove",
            Self::Limit { .. } => "limit",
            Self::UnsupportedOp { .. } => "unsupported-operation",
            Self::UnsupportedForm { .. } => "unsupported-form",
            Self::UnknownAttribute { .. } => "unknown-attribute",
            Self::Attribute { .. } => "attribute",
            Self::MissingOperand { .. } => "missing-operand",
            Self::Operand { .. } => "operand",
            Self::Computed { .. } => "computed-operand",
            Self::Output { .. } => "unsupported-output",
            Self::UndefinedValue { .. } => "undefined-value",
            Self::DuplicateValue { .. } => "defined-twice",
            Self::Cycle { .. } => "cycle",
            Self::Function { .. } => "function",
            Self::Shape { .. } => "shapes",
            Self::ElementType { .. } => "element-type",
            Self::Untyped { .. } => "no-tensor",
            Self::OpenDimension { .. } => "open-dimension",
            Self::Dimension { .. } => "dimension",
            Self::GivenShape { .. } => "given-shape",
            Self::Fixed { .. } => "fixed-input",
            Self::DataLength { .. } => "data-length",
            Self::ExternalData { .. } => "external-data",
            Self::NotFinite { .. } => "not-finite",
            Self::ConstantOutput { .. } => "constant-output",
            Self::SequenceOutput { .. } => "sequence-output",
        }
    }

    /// The node that is refused, where it is one.
    #[must_use]
    pub fn node(&self) -> Option<&str> {
        match self {
            Self::UnsupportedOp { node, .. }
            | Self::UnsupportedForm { node, .. }
            | Self::UnknownAttribute { node, .. }
            | Self::Attribute { node, .. }
            | Self::MissingOperand { node, .. }
            | Self::Operand { node, .. }
            | Self::Computed { node, .. }
            | Self::Output { node, .. }
            | Self::Cycle { node }
            | Self::Shape { node, .. } => Some(node),
            _ => None,
        }
    }

    /// Its operation.
    #[must_use]
    pub fn operation(&self) -> Option<&str> {
        match self {
            Self::UnsupportedOp { op, .. }
            | Self::UnsupportedForm { op, .. }
            | Self::UnknownAttribute { op, .. }
            | Self::MissingOperand { op, .. }
            | Self::Operand { op, .. }
            | Self::Computed { op, .. }
            | Self::Output { op, .. }
            | Self::Shape { op, .. } => Some(op),
            _ => None,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn advice(&self) -> &str {
        match self {
            Self::UnsupportedOp { advice, .. } => advice,
            Self::Foreign { action, .. } => action,
            // The text ends with what to do in this very case.
            Self::UnsupportedForm { what, .. } => what,
            Self::Operand { expected, .. } | Self::ElementType { expected, .. } => expected,
            Self::ExternalData { what, .. }
            | Self::GivenShape { what, .. }
            | Self::Fixed { what, .. } => what,
            Self::OpenDimension { .. } => {
                "say which shape is proved with --shape, or give an input or samples, which show it"
            }
            Self::Computed { input: Some(_), .. } => "give the input's value with --fix NAME=VALUE",
            Self::Computed { input: None, .. } => "export the operand as a constant",
            Self::Empty(_) | Self::ConstantOutput { .. } => {
                "export a model whose outputs depend on an input"
            }
            Self::SequenceOutput { .. } => {
                "make the tensors of the sequence the outputs, with SequenceAt or ConcatFromSequence"
            }
            Self::Limit { .. } | Self::FileSize { .. } => {
                "split the model, or export a smaller one"
            }
            Self::OperatorSet { .. } => "export again with an operator set that is known",
            Self::Io { .. } => "name a file that can be read",
            Self::NotFinite { .. } => "train or export again: a model with such weights is broken",
            Self::Output { .. } => "export a model that does not read this output",
            Self::Dimension { .. } | Self::Untyped { .. } => {
                "export again with inputs of positive dimensions"
            }
            Self::Decode { .. }
            | Self::NoGraph
            | Self::UnknownAttribute { .. }
            | Self::Attribute { .. }
            | Self::MissingOperand { .. }
            | Self::UndefinedValue { .. }
            | Self::DuplicateValue { .. }
            | Self::Cycle { .. }
            | Self::Function { .. }
            | Self::Shape { .. }
            | Self::DataLength { .. } => {
                "export or fetch the file again: it is damaged, or not what the standard says; onnx.checker \
                 tells more"
            }
        }
    }
}
