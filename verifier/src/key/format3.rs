//! What keys of older formats cannot say.

use super::{KeyFormat, KeyParts};
use crate::{
    constraint_system::{Column, Query},
    digest::Digest,
    error::KeyError,
    placement::Placement,
};

/// Most instance queries in format 3.
pub(super) const MAX_INSTANCE_QUERIES: usize = 16;
/// The integer semantics of all keys of format 3.
pub(super) const SEMANTICS: u16 = 1;

impl KeyParts {
    /// The same circuit and model in another format: what an older format cannot say is left out
    /// where it is a label, and refused by [`VerifyingKey::new`](super::VerifyingKey::new)
    /// where it is not.
    #[must_use]
    pub fn in_format(self, format: KeyFormat) -> Self {
        let graph_digest = if format < KeyFormat::V4 { Digest::ZERO } else { self.graph_digest };
        let mut layout = self.layout;
        if format < KeyFormat::V5 {
            let tensors = layout.inputs.iter_mut().chain(&mut layout.outputs);
            tensors.for_each(|tensor| tensor.classes = None);
        }
        Self { format, graph_digest, layout, ..self }
    }
}

/// Refuses what the bytes of format 3 have no place for, so that no two keys have the same bytes.
pub(super) fn check(parts: &KeyParts) -> Result<(), KeyError> {
    let (layout, system) = (&parts.layout, &parts.constraint_system);
    let mut tensors = layout.inputs.iter().chain(&layout.outputs);
    let in_first_column = |query: &Query| query.column == 0;
    let other_column = |column: &Column| matches!(column, Column::Instance(1..));
    let fields = [
        ("other semantics", parts.semantics != SEMANTICS),
        ("graph digest", parts.graph_digest != Digest::ZERO),
        ("boundaries", !parts.boundaries.is_empty()),
        ("scale per column", tensors.any(|tensor| tensor.scales.len() != 1)),
        ("number of claims", layout.claims != 1),
        ("placement", layout.placement != Placement::one_column(layout.instance_len())),
        ("second instance column", !system.instance_queries.iter().all(in_first_column)),
        ("second instance column", system.permutation.iter().any(other_column)),
    ];
    match fields.into_iter().find(|(_, present)| *present) {
        Some((field, _)) => Err(KeyError::Format3 { field }),
        None => Ok(()),
    }
}
