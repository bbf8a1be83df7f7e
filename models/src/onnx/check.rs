//! What can be refused without computing anything.

use std::collections::{BTreeMap, HashSet};

use super::error::{ImportError, Part};
use super::functions::{FlatNode, standard};
use super::operators::{self, Operator};
use super::proto::{FunctionProto, GraphProto, ModelProto, OperatorSetIdProto};

/// The versions of the standard operator set that are known.
pub(super) const STANDARD: std::ops::RangeInclusive<i64> = 7..=28;
/// Most bytes of the name of an input or output: keys hold them.
const NAME_BYTES: usize = 256;
/// Most inputs, and most outputs, that a key holds.
const TENSORS: usize = 64;

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

fn not_imported() -> ImportError {
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

/// Reasons to refuse the graph that show without looking at operands.
pub(super) fn graph(graph: &GraphProto, nodes: &[FlatNode<'_>]) -> Vec<ImportError> {
    let mut reasons = Vec::new();
    if graph.output.is_empty() {
        reasons.push(ImportError::Empty(Part::Outputs));
    }
    if let Some(sparse) = graph.sparse_initializer.first() {
        let name = sparse.values.as_ref().map(|values| values.name.clone());
        reasons.push(ImportError::ElementType {
            tensor: super::names::printable(&name.unwrap_or_default()),
            dtype: "sparse".to_owned(),
            expected: "a dense initializer; export the model without sparsity",
        });
    }
    for (what, infos) in [("inputs", &graph.input), ("outputs", &graph.output)] {
        let initialized: HashSet<&str> = graph.initializer.iter().map(|t| &*t.name).collect();
        let named = infos.iter().filter(|info| !initialized.contains(&*info.name));
        let count = named.clone().count();
        reasons.extend(super::limits::limit("the graph", what, count, TENSORS).err());
        reasons.extend(named.filter_map(|info| {
            let place = || format!("the name `{}` of the model's {what}", info.name);
            let got = info.name.len();
            super::limits::limit_at(place, "bytes", got, NAME_BYTES).err()
        }));
    }
    reasons.extend(nodes.iter().filter_map(|node| check_node(node).err()));
    reasons
}

/// The operator of a node, whose attributes are known.
pub(super) fn check_node(node: &FlatNode<'_>) -> Result<&'static Operator, ImportError> {
    let full_name = match node.domain {
        "" => node.op.to_owned(),
        domain => format!("{domain}.{}", node.op),
    };
    let unsupported = |advice| ImportError::UnsupportedOp {
        node: node.name.clone(),
        op: full_name.clone(),
        advice,
    };
    let operator = operators::find(node.domain, node.op)
        .ok_or_else(|| unsupported(operators::advice(node.domain, node.op)))?;
    if node.opset == 0 && node.domain.is_empty() {
        return Err(not_imported());
    }
    let first = operator.sets.first().copied().unwrap_or(1);
    if node.opset < first {
        return Err(unsupported(
            "the operator set that the file imports does not have it; export again with a newer one",
        ));
    }
    let mut seen: Vec<&str> = Vec::new();
    for &(name, value) in &node.attributes {
        let known = operator.attributes.contains(&name);
        // Outside a function no attribute can refer to a caller's.
        if !known || seen.contains(&name) || !value.ref_attr_name.is_empty() {
            return Err(ImportError::UnknownAttribute {
                node: node.name.clone(),
                op: full_name,
                attribute: name.to_owned(),
            });
        }
        seen.push(name);
    }
    Ok(operator)
}
