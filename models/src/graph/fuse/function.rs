//! Functions of one variable that a model spells out in several operations.

use super::super::{Activate, Affine, Channels, Draft, Mul, Node, Op, activate, pointwise};
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

    /// `1 / (1 + exp(−x))` is one function of `x`, which no number in between is too large for.
    pub(super) fn join_functions(&mut self, position: usize, context: &Context<'_>) -> bool {
        let Some((input, [scale, bias], outer)) = self.function_at(position) else { return false };
        let Some(before) = self.behind_identities(input, context) else { return false };
        let op = &self.nodes[before].op;
        let inner = match op {
            Op::Activate(Activate { function, .. }) => *function,
            _ => op.activation().unwrap_or(Activation::Identity),
        };
        if (inner, outer) != (Activation::Exp, Activation::Function(Function::Reciprocal)) {
            return false;
        }
        let joined = |x: f64| outer.apply(scale * inner.apply(x) + bias);
        let is_logistic = |sign: f64| {
            arguments().all(|x| (joined(x) - Activation::Sigmoid.apply(sign * x)).abs() < TOLERANCE)
        };
        let Some(sign) = [1.0, -1.0].into_iter().find(|&sign| is_logistic(sign)) else {
            return false;
        };
        let op = match op {
            Op::Activate(Activate { input, .. }) => {
                let channels = Channels::flat(self.tensors[input.0].len());
                pointwise(*input, &channels, vec![sign], vec![0.0], Activation::Sigmoid)
            }
            Op::Affine(layer) => {
                let mut layer = layer.clone();
                let kernels = layer.terms.iter_mut().flat_map(|term| &mut term.kernel);
                kernels.chain(&mut layer.bias).for_each(|weight| *weight *= sign);
                layer.activation = Activation::Sigmoid;
                layer
            }
            _ => return false,
        };
        let Node { name, output, .. } = self.nodes.remove(position);
        self.nodes[before] = Node { name, op: Op::Affine(op), output };
        true
    }

    /// The tensor, the scale and shift of each of its elements, and the function of them that a
    /// node is.
    fn function_at(&self, position: usize) -> Option<(TensorId, [f64; 2], Activation)> {
        match &self.nodes[position].op {
            Op::Activate(Activate { input, function }) => Some((*input, [1.0, 0.0], *function)),
            Op::Affine(layer) if is_uniform(layer) => match &layer.terms[..] {
                [term] => {
                    let numbers = [*term.kernel.first()?, *layer.bias.first()?];
                    Some((term.input, numbers, layer.activation))
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// The tensors that `id` is computed from element by element, the same on all elements; `None`
    /// where another operation gives it.
    pub(super) fn operands(&self, id: TensorId, context: &Context<'_>) -> Option<Vec<TensorId>> {
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
        arguments().all(|at| {
            let value = self.value_at(id, (argument, at), context, &mut OPERATIONS.clone());
            value.is_some_and(|value| (value - function.apply(at)).abs() <= TOLERANCE)
        })
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

/// Where functions are compared.
fn arguments() -> impl Iterator<Item = f64> {
    std::iter::successors(Some(-LARGEST), |at| Some(at + STEP)).take_while(|at| *at <= LARGEST)
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
