//! Functions of one variable that a model spells out in several operations.

use super::super::{Activate, Affine, Draft, Mul, Op, activate};
use super::Context;
use super::affine::is_pointwise;
use crate::activation::Activation;
use crate::function::Function;
use crate::tensor::TensorId;

/// What is recognized, by its values.
const KNOWN: [Activation; 5] = [
    Activation::Gelu,
    Activation::Function(Function::GeluTanh),
    Activation::Silu,
    Activation::HardSwish,
    Activation::Function(Function::Mish),
];
/// Arguments at which functions are compared, from the negative of the largest one on.
const LARGEST: f64 = 6.0;
const STEP: f64 = 0.43;
/// The largest difference of two that are taken for the same: constants have single precision.
const TOLERANCE: f64 = 2e-6;
/// The most operations that a function is spelled out in.
const OPERATIONS: usize = 16;

impl Draft {
    /// `x·sigmoid(x)`, `x/2·(1 + erf(x/√2))` and the like are one function of `x`, whatever they are
    /// composed of.
    pub(super) fn recognize_function(&mut self, position: usize, context: &Context<'_>) -> bool {
        let root = self.nodes[position].output;
        if matches!(self.nodes[position].op, Op::Activate(_)) {
            return false;
        }
        if self.operands(root, context).is_none() {
            return false;
        }
        let mut arguments = Vec::new();
        self.ancestors(root, context, &mut arguments);
        let found = arguments.into_iter().find_map(|argument| {
            let known =
                |function: &Activation| self.is_function(root, argument, *function, context);
            Some((argument, KNOWN.into_iter().find(known)?))
        });
        let Some((argument, function)) = found else { return false };
        self.nodes[position].op = activate(argument, function);
        true
    }

    /// The tensors that `id` is computed from element by element, the same on all elements; `None`
    /// where another operation gives it.
    fn operands(&self, id: TensorId, context: &Context<'_>) -> Option<Vec<TensorId>> {
        match &self.nodes[context.producers[id.0]?].op {
            Op::Mul(mul) if is_in_place(mul) => Some(vec![mul.a, mul.b]),
            Op::Affine(layer) if is_uniform(layer) => {
                Some(layer.terms.iter().map(|term| term.input).collect())
            }
            Op::Activate(Activate { input, .. }) => Some(vec![*input]),
            _ => None,
        }
    }

    /// The tensors before `id`, nearest first, as far as elements are computed one by one.
    fn ancestors(&self, id: TensorId, context: &Context<'_>, found: &mut Vec<TensorId>) {
        let mut open = vec![id];
        while let Some(id) = open.pop() {
            for operand in self.operands(id, context).unwrap_or_default() {
                if found.len() < OPERATIONS && !found.contains(&operand) {
                    found.push(operand);
                    open.push(operand);
                }
            }
        }
    }

    /// Whether `id` is `function` of the tensor `argument`, and not only in part.
    fn is_function(
        &self,
        id: TensorId,
        argument: TensorId,
        function: Activation,
        context: &Context<'_>,
    ) -> bool {
        let mut at = -LARGEST;
        while at <= LARGEST {
            let mut budget = OPERATIONS;
            let Some(value) = self.value_at(id, (argument, at), context, &mut budget) else {
                return false;
            };
            if (value - function.apply(at)).abs() > TOLERANCE {
                return false;
            }
            at += STEP;
        }
        true
    }

    /// An element of `id` where that of `argument` is given.
    fn value_at(
        &self,
        id: TensorId,
        (argument, at): (TensorId, f64),
        context: &Context<'_>,
        budget: &mut usize,
    ) -> Option<f64> {
        if id == argument {
            return Some(at);
        }
        *budget = budget.checked_sub(1)?;
        let mut value = |id| self.value_at(id, (argument, at), context, budget);
        match &self.nodes[context.producers[id.0]?].op {
            Op::Mul(mul) if is_in_place(mul) => {
                Some(mul.activation.apply(value(mul.a)? * value(mul.b)?))
            }
            Op::Affine(layer) if is_uniform(layer) => {
                let mut sum = *layer.bias.first()?;
                for term in &layer.terms {
                    sum += term.kernel.first()? * value(term.input)?;
                }
                Some(layer.activation.apply(sum))
            }
            Op::Activate(Activate { input, function }) => Some(function.apply(value(*input)?)),
            _ => None,
        }
    }
}

/// Whether both factors are taken element by element.
fn is_in_place(mul: &Mul) -> bool {
    mul.a_elements.is_in_order() && mul.b_elements.is_in_order()
}

/// Whether a layer does the same with every element.
fn is_uniform(layer: &Affine) -> bool {
    let same = |values: &[f64]| values.iter().all(|&value| value == values[0]);
    layer.terms.iter().all(|term| is_pointwise(term, &layer.output) && same(&term.kernel))
        && same(&layer.bias)
}
