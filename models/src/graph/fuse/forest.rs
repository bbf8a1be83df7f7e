//! What is computed of the leaves of trees, element by element, are leaves themselves.

use super::super::{Activate, Draft, Forest, Op};
use super::Context;
use crate::tensor::TensorId;
use crate::view::View;

impl Draft {
    /// A function of what some trees say is what trees of the same branches say: of each leaf, the
    /// function of its values. What exporters make of the number of a leaf vanishes so.
    pub(super) fn fold_into_leaves(&mut self, position: usize, context: &Context<'_>) -> bool {
        let operands = self.operands(self.nodes[position].output, context).unwrap_or_default();
        let forests = operands.into_iter().map(|id| self.forest_behind(id, context));
        let Some(forests) = forests.collect::<Option<Vec<_>>>() else { return false };
        let Some((first, others)) = forests.split_first() else { return false };
        if !others.iter().all(|other| is_alike(first, other)) {
            return false;
        }
        let mut folded = (*first).clone();
        for (index, tree) in folded.trees.iter_mut().enumerate() {
            for (leaf, values) in tree.leaves.iter_mut().enumerate() {
                for (place, value) in values.iter_mut().enumerate() {
                    let operands = forests.iter().map(|of| of.trees[index].leaves[leaf][place]);
                    let Some(result) = self.value_of(position, &operands.collect::<Vec<_>>())
                    else {
                        return false;
                    };
                    *value = result;
                }
            }
        }
        self.nodes[position].op = Op::Forest(folded);
        true
    }

    /// Trees that read a choice of elements read them where they are.
    pub(super) fn read_through(&mut self, position: usize, context: &Context<'_>) -> bool {
        let Op::Forest(forest) = &self.nodes[position].op else { return false };
        let Some(before) = context.producers[forest.input.0] else { return false };
        let Op::Alias(alias) = &self.nodes[before].op else { return false };
        let (input, elements) = (alias.input, alias.elements.clone());
        if let Op::Forest(forest) = &mut self.nodes[position].op {
            forest.input = input;
            for branch in forest.trees.iter_mut().flat_map(|tree| &mut tree.branches) {
                branch.element = elements.get(branch.element);
            }
        }
        true
    }

    /// The trees whose values are the elements of a tensor, in their order.
    fn forest_behind(&self, id: TensorId, context: &Context<'_>) -> Option<&Forest<f64>> {
        match &self.nodes[context.producers[id.0]?].op {
            Op::Forest(forest) => Some(forest),
            Op::Alias(alias)
                if alias.elements == View::in_order(self.tensors[alias.input.0].len()) =>
            {
                self.forest_behind(alias.input, context)
            }
            _ => None,
        }
    }

    /// An element of a node's result, from those of its operands; `None` where it is no number.
    fn value_of(&self, position: usize, operands: &[f64]) -> Option<f64> {
        let value = match &self.nodes[position].op {
            Op::Mul(mul) => mul.activation.apply(operands.iter().product()),
            Op::Affine(layer) => {
                let mut sum = *layer.bias.first()?;
                for (term, operand) in layer.terms.iter().zip(operands) {
                    sum += term.kernel.first()? * operand;
                }
                layer.activation.apply(sum)
            }
            Op::Activate(Activate { function, .. }) => function.apply(*operands.first()?),
            _ => return None,
        };
        value.is_finite().then_some(value)
    }
}

/// Whether two forests differ in the values of their leaves at most.
fn is_alike(a: &Forest<f64>, b: &Forest<f64>) -> bool {
    let leaves = |forest: &Forest<f64>| -> Vec<(usize, usize)> {
        forest.trees.iter().map(|tree| (tree.leaves.len(), tree.width())).collect()
    };
    let branches = a.trees.iter().zip(&b.trees);
    a.input == b.input
        && leaves(a) == leaves(b)
        && branches.into_iter().all(|(a, b)| (a.root, &a.branches) == (b.root, &b.branches))
}
