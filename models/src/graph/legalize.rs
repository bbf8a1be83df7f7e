//! The last changes before quantization: every operation in a form that the integer graph has.

use super::{Activate, Graph, Node, Op};
use crate::activation::Activation;
use crate::quantized::TensorId;

impl Graph {
    /// Turns what is left of free activations into layers, puts a layer before each output that
    /// is only input data, and before each softmax whose input serves another purpose too.
    pub(crate) fn legalize(&mut self) {
        for position in 0..self.nodes.len() {
            if let Op::Activate(Activate { input, function }) = self.nodes[position].op {
                self.nodes[position].op = self.identity_layer(input, function);
            }
        }
        self.separate_outputs();
        self.separate_softmax();
        self.prune();
    }

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

    fn separate_softmax(&mut self) {
        let mut position = 0;
        while position < self.nodes.len() {
            if let Op::Softmax(softmax) = &self.nodes[position].op {
                let input = softmax.input;
                if !self.is_ready_for_softmax(input) {
                    let copy = self.insert_identity(input, position);
                    position += 1;
                    for input in self.nodes[position].op.inputs_mut() {
                        *input = copy;
                    }
                }
            }
            position += 1;
        }
    }

    /// Whether a layer gives `id`, and nothing but this softmax reads it.
    fn is_ready_for_softmax(&self, id: TensorId) -> bool {
        let (producers, uses) = (self.producers(), self.use_counts());
        let mut id = id;
        while uses[id.0] == 1 {
            let Some(position) = producers[id.0] else { return false };
            match &self.nodes[position].op {
                Op::Alias(alias) => id = alias.input,
                Op::Affine(_) | Op::Mul(_) => return true,
                Op::MaxPool(_) | Op::Softmax(_) | Op::Activate(_) => return false,
            }
        }
        false
    }

    /// Adds a layer that copies `input`, at `position`.
    fn insert_identity(&mut self, input: TensorId, position: usize) -> TensorId {
        let op = self.identity_layer(input, Activation::Identity);
        let spec = self.tensors[input.0].clone();
        let output = self.add_tensor(&format!("{}/copy", spec.name), spec.shape);
        self.nodes.insert(position, Node { name: format!("{}/copy", spec.name), op, output });
        output
    }
}
