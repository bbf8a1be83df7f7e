//! A graph cut into parts, each of which takes what the one before it gives.
//!
//! A cut lies between two nodes. What crosses it are the tensors that are there before it and read
//! behind it, model inputs and outputs among them: so a part takes from its neighbour alone, and a
//! tensor that is read far behind goes through every part between. A part's tensors hold the same
//! integers as the whole graph's.

use std::collections::{BTreeMap, BTreeSet};

use super::{QuantizedGraph, QuantizedNode, QuantizedOp, QuantizedTensor, TensorId};

/// Cells of a circuit that an element of a result takes, its limbs and their lookups among them.
const CELLS_OF_RESULT: usize = 8;
/// Fixed numbers that lie in one cell.
const WEIGHTS_TO_CELL: usize = 8;

/// A part of a graph.
#[derive(Clone, Debug, PartialEq)]
pub struct GraphPart {
    /// What it computes. Its inputs are the model's in the first part, else what the part before
    /// gives; its outputs the model's in the last part, else what crosses the cut.
    pub graph: QuantizedGraph,
    /// For each of its tensors, that of the whole graph.
    pub tensors: Vec<TensorId>,
}

impl QuantizedGraph {
    /// The parts between cuts, each of which is how many nodes lie before it; `None` unless they
    /// ascend and every part has a node.
    #[must_use]
    pub fn split(&self, cuts: &[usize]) -> Option<Vec<GraphPart>> {
        let ends: Vec<usize> = cuts.iter().copied().chain([self.nodes.len()]).collect();
        let starts: Vec<usize> = [0].into_iter().chain(cuts.iter().copied()).collect();
        let ascends = starts.iter().zip(&ends).all(|(start, end)| start < end);
        ascends
            .then(|| starts.iter().zip(&ends).map(|(&start, &end)| self.part(start, end)).collect())
    }

    /// The cuts that make `parts` parts of costs as equal as they can be, where a part costs what its
    /// nodes do and what it takes and gives; `None` where there are not so many nodes that compute.
    #[must_use]
    pub fn balanced_cuts(&self, parts: usize) -> Option<Vec<usize>> {
        let nodes = self.nodes.len();
        if !(1..=nodes).contains(&parts) {
            return None;
        }
        let crossing: Vec<u64> = (0..=nodes).map(|cut| self.crossing_len(cut)).collect();
        let (mut sums, mut computing) = (vec![0], vec![0]);
        for (place, node) in self.nodes.iter().enumerate() {
            sums.push(sums[place] + self.cost(node));
            let is_alias = matches!(node.op, QuantizedOp::Alias(_));
            computing.push(computing[place] + usize::from(!is_alias));
        }
        // A part that only moves elements proves nothing, and nothing links one that takes none.
        let cost = |start: usize, end: usize| {
            let crossed = crossing[start] + crossing[end];
            let is_part = computing[start] < computing[end] && (start == 0 || crossing[start] > 0);
            is_part.then(|| sums[end] - sums[start] + crossed)
        };
        // For each number of nodes what its dearest part costs at least, and where the parts are cut.
        let mut best: Vec<Option<(u64, Vec<usize>)>> =
            (0..=nodes).map(|end| Some((cost(0, end)?, Vec::new()))).collect();
        for _ in 1..parts {
            let extended = |end: usize| {
                let last = |start: usize| {
                    let (dearest, cuts) = best[start].as_ref()?;
                    Some((cost(start, end)?.max(*dearest), start, cuts))
                };
                let (dearest, start, cuts) =
                    (0..end).filter_map(last).min_by_key(|(dearest, ..)| *dearest)?;
                Some((dearest, [&cuts[..], &[start]].concat()))
            };
            best = (0..=nodes).map(extended).collect();
        }
        best.pop().flatten().map(|(_, cuts)| cuts)
    }

    /// What a node costs: cells of its results, of what it reads, and weights, many to a cell.
    fn cost(&self, node: &QuantizedNode) -> u64 {
        let len = |id: &TensorId| self.tensors[id.0].len();
        let (result, read) = (len(&node.output), node.op.inputs().iter().map(len).sum::<usize>());
        let cells = match &node.op {
            QuantizedOp::Alias(_) => 0,
            QuantizedOp::Affine(affine) => {
                let weights: usize = affine.terms.iter().map(|term| term.kernel.len()).sum();
                CELLS_OF_RESULT * result + read + weights / WEIGHTS_TO_CELL
            }
            QuantizedOp::Embed(embed) => {
                CELLS_OF_RESULT * result + read + embed.table.len() / WEIGHTS_TO_CELL
            }
            QuantizedOp::MaxPool(_)
            | QuantizedOp::Mul(_)
            | QuantizedOp::Contract(_)
            | QuantizedOp::Normalize(_)
            | QuantizedOp::Softmax(_)
            | QuantizedOp::Forest(_) => CELLS_OF_RESULT * result + read,
        };
        u64::try_from(cells).unwrap_or(u64::MAX)
    }

    /// The tensors that cross a cut, in the order of their ids.
    fn crossing(&self, cut: usize) -> Vec<TensorId> {
        let (before, behind) = self.nodes.split_at(cut);
        let made = before.iter().map(|node| node.output).chain(self.inputs.iter().copied());
        let made: BTreeSet<TensorId> = made.collect();
        let read = behind.iter().flat_map(|node| node.op.inputs());
        let read: BTreeSet<TensorId> = read.chain(self.outputs.iter().copied()).collect();
        made.intersection(&read).copied().collect()
    }

    /// Elements that cross a cut within the graph.
    fn crossing_len(&self, cut: usize) -> u64 {
        if cut == 0 || cut == self.nodes.len() {
            return 0;
        }
        let len = |id: &TensorId| self.tensors[id.0].len();
        u64::try_from(self.crossing(cut).iter().map(len).sum::<usize>()).unwrap_or(u64::MAX)
    }

    fn part(&self, start: usize, end: usize) -> GraphPart {
        let inputs = if start == 0 { self.inputs.clone() } else { self.crossing(start) };
        let is_last = end == self.nodes.len();
        let outputs = if is_last { self.outputs.clone() } else { self.crossing(end) };
        let nodes = &self.nodes[start..end];
        let held = inputs.iter().copied().chain(nodes.iter().map(|node| node.output));
        let held: BTreeSet<TensorId> = held.collect();
        let places: BTreeMap<TensorId, TensorId> =
            held.iter().enumerate().map(|(place, &id)| (id, TensorId(place))).collect();
        let renamed = |ids: &[TensorId]| ids.iter().map(|id| places[id]).collect();
        let node = |node: &QuantizedNode| {
            let mut node = node.clone();
            node.output = places[&node.output];
            reads_mut(&mut node.op).into_iter().for_each(|id| *id = places[id]);
            node
        };
        let tensor = |id: &TensorId| -> QuantizedTensor { self.tensors[id.0].clone() };
        let graph = Self {
            tensors: held.iter().map(tensor).collect(),
            inputs: renamed(&inputs),
            outputs: renamed(&outputs),
            nodes: nodes.iter().map(node).collect(),
        };
        GraphPart { graph, tensors: held.into_iter().collect() }
    }
}

/// The tensors that an operation reads, to be renamed.
fn reads_mut(op: &mut QuantizedOp) -> Vec<&mut TensorId> {
    match op {
        QuantizedOp::Affine(affine) => affine.terms.iter_mut().map(|t| &mut t.input).collect(),
        QuantizedOp::Alias(alias) => vec![&mut alias.input],
        QuantizedOp::MaxPool(pool) => vec![&mut pool.input],
        QuantizedOp::Mul(mul) => vec![&mut mul.a, &mut mul.b],
        QuantizedOp::Contract(contract) => vec![&mut contract.a, &mut contract.b],
        QuantizedOp::Normalize(normalize) => vec![&mut normalize.input],
        QuantizedOp::Softmax(softmax) => vec![&mut softmax.input],
        QuantizedOp::Forest(forest) => vec![&mut forest.input],
        QuantizedOp::Embed(embed) => vec![&mut embed.input],
    }
}
