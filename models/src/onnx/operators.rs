//! A row of the table of operations: in which operator sets its definition changed, which attributes
//! it may have, and how it is lowered.

use super::compose::Lowered;
use super::error::ImportError;
use super::functions::FlatNode;
use super::importer::Importer;
use super::node::{OnnxNode, Value};

/// Adds a node's operations to the graph and returns its outputs, in order.
pub(super) type Lower = fn(&OnnxNode<'_>, &mut Importer) -> Lowered;

/// The operation of a node, whose attributes are known, or why there is none.
pub(super) type Check = fn(&FlatNode<'_>) -> Result<&'static Operator, ImportError>;

/// Takes the results of a node as a step of something larger, whose last step it replaces.
pub(super) type Recognize =
    fn(&OnnxNode<'_>, &mut Importer, &mut [Value]) -> Result<(), ImportError>;

/// An operation that can be imported.
#[derive(Debug)]
pub(super) struct Operator {
    /// The domain; empty for the standard one.
    pub(super) domain: &'static str,
    pub(super) name: &'static str,
    /// The versions of the operator set at which the definition changed, from the first one that
    /// is in force at version 7 or later; all of them are read.
    pub(super) sets: &'static [i64],
    /// The attributes it may have in any operator set.
    pub(super) attributes: &'static [&'static str],
    /// How it becomes operations of the graph.
    pub(super) lower: Lower,
    /// Whether constant operands are folded by running the operations instead.
    pub(super) folds_by_running: bool,
    /// How it reads codes.
    pub(super) codes: CodesIn,
    /// Which of its operands may be texts.
    pub(super) texts: TextsIn,
    /// Whether its operands may be sequences.
    pub(super) takes_sequences: bool,
}

/// Which operands of an operation may be texts, which are kept as places in lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextsIn {
    /// None.
    None,
    /// Those that are computed.
    Computed,
    /// All.
    All,
}

/// How an operation reads tensors of codes, which are kept less their zero points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CodesIn {
    /// As the whole codes that the file says.
    Whole,
    /// As they are kept: it knows of zero points.
    Kept,
    /// As they are kept, and hands them on.
    Moved,
}

/// A row of the table.
pub(super) const fn operator(
    name: &'static str,
    sets: &'static [i64],
    attributes: &'static [&'static str],
    lower: Lower,
) -> Operator {
    let (folds_by_running, codes, texts) = (false, CodesIn::Whole, TextsIn::None);
    Operator {
        domain: "",
        name,
        sets,
        attributes,
        lower,
        folds_by_running,
        codes,
        texts,
        takes_sequences: false,
    }
}

impl Operator {
    /// The row of an operation whose import function knows nothing of constant data.
    pub(super) const fn folded_by_running(self) -> Self {
        Self { folds_by_running: true, ..self }
    }

    /// The row of an operation that knows of zero points.
    pub(super) const fn keeping_codes(self) -> Self {
        Self { codes: CodesIn::Kept, ..self }
    }

    /// The row of an operation that only moves elements of its first operand, or takes the largest.
    pub(super) const fn moving_codes(self) -> Self {
        Self { codes: CodesIn::Moved, ..self }
    }

    /// The row of an operation that takes sequences.
    pub(super) const fn taking_sequences(self) -> Self {
        Self { takes_sequences: true, ..self }
    }

    /// The row of an operation that takes texts.
    pub(super) const fn taking_texts(self, texts: TextsIn) -> Self {
        Self { texts, ..self }
    }

    /// The row of an operation of another domain.
    pub(super) const fn of_domain(self, domain: &'static str) -> Self {
        Self { domain, ..self }
    }
}
