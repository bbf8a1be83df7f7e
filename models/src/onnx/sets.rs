//! The versions of operator sets that a file imports.

use std::collections::BTreeMap;

use super::error::ImportError;
use super::proto::{FunctionProto, ModelProto, OperatorSetIdProto};

/// The versions of the standard operator set that are known.
pub(super) const STANDARD: std::ops::RangeInclusive<i64> = 7..=28;

/// The standard domain has two spellings.
pub(super) fn standard(domain: &str) -> &str {
    if domain == "ai.onnx" { "" } else { domain }
}

/// The version of each domain's operator set.
#[derive(Clone, Debug, Default)]
pub(super) struct OperatorSets(BTreeMap<String, i64>);

impl OperatorSets {
    /// The version of the domain's set; 0 where it is not imported.
    pub(super) fn version(&self, domain: &str) -> i64 {
        self.0.get(standard(domain)).copied().unwrap_or(0)
    }
}

/// The operator sets that the model imports. A set may be imported twice, as converters do, but
/// not in two versions.
pub(super) fn operator_sets(model: &ModelProto) -> Result<OperatorSets, ImportError> {
    if model.opset_import.is_empty() {
        return Err(not_imported());
    }
    sets(&model.opset_import)
}

/// No operator set is imported.
pub(super) fn not_imported() -> ImportError {
    ImportError::OperatorSet {
        domain: "ai.onnx".to_owned(),
        what: "the file imports none".to_owned(),
        expected: expected_versions(),
    }
}

fn expected_versions() -> String {
    format!("one version, {} to {}", STANDARD.start(), STANDARD.end())
}

/// The operator sets of a function's body.
pub(super) fn function_sets(function: &FunctionProto) -> Result<OperatorSets, ImportError> {
    sets(&function.opset_import)
}

fn sets(imports: &[OperatorSetIdProto]) -> Result<OperatorSets, ImportError> {
    let mut sets = BTreeMap::new();
    let refused = |domain: &str, what: String| ImportError::OperatorSet {
        domain: if domain.is_empty() { "ai.onnx" } else { domain }.to_owned(),
        what,
        expected: expected_versions(),
    };
    for set in imports {
        let domain = standard(&set.domain);
        let before = sets.insert(domain.to_owned(), set.version);
        if let Some(other) = before.filter(|&other| other != set.version) {
            let what = format!("it is imported in the versions {other} and {}", set.version);
            return Err(refused(domain, what));
        }
        if domain.is_empty() && !STANDARD.contains(&set.version) {
            return Err(refused(domain, format!("version {} is not supported", set.version)));
        }
    }
    Ok(OperatorSets(sets))
}
