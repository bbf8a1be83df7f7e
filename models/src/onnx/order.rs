//! The order in which nodes can be computed.

use std::collections::HashMap;

use super::error::ImportError;
use super::functions::FlatNode;

/// Positions of the nodes, each after the ones it reads from.
pub(super) fn dependency_order(nodes: &[FlatNode<'_>]) -> Result<Vec<usize>, ImportError> {
    let mut producer = HashMap::new();
    for (position, node) in nodes.iter().enumerate() {
        for output in node.output.iter().filter(|name| !name.is_empty()) {
            if producer.insert(output.as_str(), position).is_some() {
                return Err(ImportError::DuplicateValue { value: output.clone() });
            }
        }
    }
    let sources =
        |position: usize| nodes[position].reads().filter_map(|name| producer.get(name).copied());
    let mut waiting: Vec<usize> = (0..nodes.len()).map(|node| sources(node).count()).collect();
    let mut readers = vec![Vec::new(); nodes.len()];
    for position in 0..nodes.len() {
        for source in sources(position) {
            readers[source].push(position);
        }
    }
    let mut order: Vec<usize> = (0..nodes.len()).filter(|&node| waiting[node] == 0).collect();
    let mut done = 0;
    while done < order.len() {
        for &reader in &readers[order[done]] {
            waiting[reader] -= 1;
            if waiting[reader] == 0 {
                order.push(reader);
            }
        }
        done += 1;
    }
    let Some(mut stuck) = (0..nodes.len()).find(|&node| waiting[node] > 0) else {
        return Ok(order);
    };
    // A stuck node waits for a stuck node: after as many steps as nodes, we are on a cycle.
    for _ in 0..nodes.len() {
        stuck = sources(stuck).find(|&source| waiting[source] > 0).unwrap_or(stuck);
    }
    Err(ImportError::Cycle { node: nodes[stuck].name.clone() })
}
