//! The last changes before quantization: every operation in a form that the integer graph has, and
//! every tensor in the form that its readers ask for.

use super::{Draft, Graph, Node, Op};
use crate::activation::Activation;
use crate::ops::form::Requirement;
use crate::tensor::TensorId;

impl Draft {
    /// Turns what is left of free activations into layers, puts a layer before each output that
    /// is only input data, and before each operation that asks for another form.
    pub(crate) fn legalize(self) -> Graph {
        let mut graph = self.finish();
        graph.separate_outputs();
        graph.separate_inputs();
        graph.prune();
        graph
    }

    /// Turns free activations into layers; every tensor keeps its place.
    pub(crate) fn finish(mut self) -> Graph {
        let drafts = std::mem::take(&mut self.nodes);
        let nodes = drafts.into_iter().map(|Node { name, op, output }| {
            let op = op.finished(|free| self.identity_layer(free.input, free.function));
            Node { name, op, output }
        });
        let nodes = nodes.collect();
        let Self { tensors, inputs, outputs, digest, whole_inputs, fixed_inputs, classes, .. } =
            self;
        Graph { tensors, inputs, outputs, nodes, digest, whole_inputs, fixed_inputs, classes }
    }
}

impl Graph {
    fn separate_outputs(&mut self) {
        for slot in 0..self.outputs.len() {
            let output = self.outputs[slot];
            let root = self.alias_root(output, &self.producers());
            if !self.inputs.contains(&root) {
                continue;
            }
            let copy = self.insert_identity(root, 0);
            if output == root {
                self.outputs[slot] = copy;
                continue;
            }
            self.read_instead(output, root, copy);
        }
    }

    /// Makes the aliases that lead to `id` read `copy` where they read `root`.
    fn read_instead(&mut self, id: TensorId, root: TensorId, copy: TensorId) {
        let producers = self.producers();
        let mut id = id;
        while let Some(position) = producers[id.0] {
            let Op::Alias(alias) = &mut self.nodes[position].op else { break };
            if alias.input == root {
                alias.input = copy;
                break;
            }
            id = alias.input;
        }
    }

    /// Gives each operation that asks for another form of a tensor a layer that copies it.
    fn separate_inputs(&mut self) {
        let mut position = 0;
        while position < self.nodes.len() {
            for input in 0..self.nodes[position].op.inputs().len() {
                let id = self.nodes[position].op.inputs()[input];
                let is_met = match self.nodes[position].op.form().requirement() {
                    Requirement::Nothing | Requirement::Precision => true,
                    Requirement::Argument => self.is_own_layer(id),
                    Requirement::Hidden => !self.is_output(id),
                };
                if !is_met {
                    let copy = self.insert_identity(id, position);
                    position += 1;
                    *self.nodes[position].op.inputs_mut()[input] = copy;
                }
            }
            position += 1;
        }
    }

    /// Whether the elements of `id` are those of a model output, too.
    fn is_output(&self, id: TensorId) -> bool {
        let producers = self.producers();
        let root = |id| self.alias_root(id, &producers);
        self.outputs.iter().any(|&output| root(output) == root(id))
    }

    /// Whether a layer with a bias gives `id`, and only one operation reads it.
    fn is_own_layer(&self, id: TensorId) -> bool {
        let (producers, uses) = (self.producers(), self.use_counts());
        let mut id = id;
        while uses[id.0] == 1 {
            let Some(position) = producers[id.0] else { return false };
            match &self.nodes[position].op {
                Op::Alias(alias) => id = alias.input,
                other => return matches!(other, Op::Affine(_) | Op::Contract(_)),
            }
        }
        false
    }

    /// Adds a layer that copies `input`, at `position`.
    fn insert_identity(&mut self, input: TensorId, position: usize) -> TensorId {
        let op = Op::Affine(self.identity_layer(input, Activation::Identity));
        let spec = self.tensors[input.0].clone();
        let output = self.add_tensor(&format!("{}/copy", spec.name), spec.shape);
        self.nodes.insert(position, Node { name: format!("{}/copy", spec.name), op, output });
        output
    }
}
