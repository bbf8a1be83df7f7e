//! Bookkeeping for rewriting a graph: who makes what, who reads what, what is dead.

use super::{Graph, Op};
use crate::ops::form::Reads;
use crate::tensor::TensorId;

#[expect(private_bounds, reason = "the trait serves this crate, and so do these methods")]
impl<F: Reads> Graph<F> {
    /// For each tensor, the position of the node that defines it; `None` for graph inputs.
    pub(crate) fn producers(&self) -> Vec<Option<usize>> {
        let mut producers = vec![None; self.tensors.len()];
        for (position, node) in self.nodes.iter().enumerate() {
            producers[node.output.0] = Some(position);
        }
        producers
    }

    /// For each tensor, how often it is read; being a graph output counts as one.
    pub(crate) fn use_counts(&self) -> Vec<usize> {
        let mut uses = vec![0; self.tensors.len()];
        for node in &self.nodes {
            for input in node.op.inputs() {
                uses[input.0] += 1;
            }
        }
        for output in &self.outputs {
            uses[output.0] += 1;
        }
        uses
    }

    /// The tensor whose elements `id` takes, through any number of aliases.
    pub(crate) fn alias_root(&self, id: TensorId, producers: &[Option<usize>]) -> TensorId {
        let mut root = id;
        while let Some(position) = producers[root.0] {
            let Op::Alias(alias) = &self.nodes[position].op else { break };
            root = alias.input;
        }
        root
    }

    /// Removes nodes and tensors that no output depends on; graph inputs stay.
    pub(crate) fn prune(&mut self) {
        let mut live = vec![false; self.tensors.len()];
        for id in &self.outputs {
            live[id.0] = true;
        }
        for node in self.nodes.iter().rev() {
            if live[node.output.0] {
                for input in node.op.inputs() {
                    live[input.0] = true;
                }
            }
        }
        self.nodes.retain(|node| live[node.output.0]);
        for id in &self.inputs {
            live[id.0] = true;
        }
        let mut next = 0;
        let renumbered: Vec<TensorId> = live
            .iter()
            .map(|&live| {
                let id = TensorId(next);
                next += usize::from(live);
                id
            })
            .collect();
        let mut position = 0;
        self.tensors.retain(|_| {
            position += 1;
            live[position - 1]
        });
        self.rename(|id| renumbered[id.0]);
    }

    fn rename(&mut self, new: impl Fn(TensorId) -> TensorId) {
        for node in &mut self.nodes {
            node.output = new(node.output);
            for input in node.op.inputs_mut() {
                *input = new(*input);
            }
        }
        for id in self.inputs.iter_mut().chain(&mut self.outputs) {
            *id = new(*id);
        }
        let whole = std::mem::take(&mut self.whole_inputs);
        self.whole_inputs = whole.into_iter().map(|(id, bounds)| (new(id), bounds)).collect();
    }
}
