//! Fewer, larger layers: every layer that is not there needs no requantization in the proof.

mod affine;
mod contract;
mod convolutions;
mod forest;
mod function;
mod parts;

use super::{Activate, Alias, Draft, Node, Op, activate};
use crate::activation::Activation;
use crate::tensor::TensorId;

impl Draft {
    /// Applies every rule until none applies.
    pub(crate) fn fuse(&mut self) {
        self.prune();
        while self.fuse_in_order() {}
    }

    /// Applies rules node after node, to each as long as one applies; whether any did. Nodes are not
    /// visited again for what happens behind them, since a model has thousands: the next pass does.
    fn fuse_in_order(&mut self) -> bool {
        let (mut position, mut has_changed) = (0, false);
        while position < self.nodes.len() {
            let (producers, uses) = (self.producers(), self.use_counts());
            let context = Context { producers: &producers, uses: &uses };
            let next = (position..self.nodes.len()).find(|&at| self.fuse_at(at, &context));
            let Some(found) = next else { break };
            (position, has_changed) = (found.saturating_sub(1), true);
            self.prune();
        }
        has_changed
    }

    /// Applies a rule to a node, if one applies.
    fn fuse_at(&mut self, position: usize, context: &Context<'_>) -> bool {
        self.compose_aliases(position, context)
            || self.recognize_function(position, context)
            || self.join_functions(position, context)
            || self.fold_into_leaves(position, context)
            || self.read_through(position, context)
            || self.absorb_activation(position, context)
            || self.hoist_activation(position, context)
            || self.merge_producer(position, context)
            || self.fold_scaling(position)
            || self.compose_convolutions(position, context)
            || self.read_parts(position, context)
            || self.scale_product(position, context)
            || self.scale_factor(position, context)
    }

    /// An alias of an alias reads from the first one's input.
    fn compose_aliases(&mut self, position: usize, context: &Context<'_>) -> bool {
        let Op::Alias(alias) = &self.nodes[position].op else { return false };
        let Some(before) = context.producers[alias.input.0] else { return false };
        let Op::Alias(before) = &self.nodes[before].op else { return false };
        let elements = alias.elements.after(&before.elements);
        self.nodes[position].op = Op::Alias(Alias { input: before.input, elements });
        true
    }

    /// The only reader of a layer without activation is one: the layer takes it over.
    fn absorb_activation(&mut self, position: usize, context: &Context<'_>) -> bool {
        let Op::Activate(Activate { input, function }) = self.nodes[position].op else {
            return false;
        };
        let Some(layer) = context.sole_producer(input) else { return false };
        let Some(activation) = self.nodes[layer].op.free_activation_mut() else { return false };
        *activation = function;
        let Node { name, output, .. } = self.nodes.remove(position);
        self.nodes[layer].name = name;
        self.nodes[layer].output = output;
        true
    }

    /// Moves an activation before data movement, and a monotone one before a maximum, where a
    /// layer further up can absorb it.
    fn hoist_activation(&mut self, position: usize, context: &Context<'_>) -> bool {
        let Op::Activate(Activate { input, function }) = self.nodes[position].op else {
            return false;
        };
        if !self.layer_is_above(input, function, context) {
            return false;
        }
        let Some(before) = context.sole_producer(input) else { return false };
        let Some(&source) = self.nodes[before].op.inputs().first() else { return false };
        let shape = self.tensors[source.0].shape.clone();
        let name = self.tensors[self.nodes[position].output.0].name.clone();
        let hoisted = self.add_tensor(&format!("{name}/hoisted"), shape);
        let mut movement = self.nodes[before].op.clone();
        for input in movement.inputs_mut() {
            *input = hoisted;
        }
        self.nodes[before].op = activate(source, function);
        self.nodes[before].output = hoisted;
        self.nodes[position].op = movement;
        let (head, tail) = self.nodes.split_at_mut(position);
        std::mem::swap(&mut head[before].name, &mut tail[0].name);
        true
    }

    /// Whether only movable nodes lie between `id` and a layer that can absorb `function`.
    fn layer_is_above(&self, id: TensorId, function: Activation, context: &Context<'_>) -> bool {
        let mut id = id;
        let mut moved = false;
        while let Some(position) = context.sole_producer(id) {
            match &self.nodes[position].op {
                Op::Alias(alias) => id = alias.input,
                Op::MaxPool(pool) if function.is_monotone() => id = pool.input,
                other => return moved && other.activation() == Some(Activation::Identity),
            }
            moved = true;
        }
        false
    }
}

/// Facts about the graph as it is before a rule applies.
struct Context<'a> {
    producers: &'a [Option<usize>],
    uses: &'a [usize],
}

impl Context<'_> {
    /// The node that defines `id`, where `id` is read exactly once.
    fn sole_producer(&self, id: TensorId) -> Option<usize> {
        (self.uses[id.0] == 1).then_some(self.producers[id.0])?
    }
}
