//! The few operations from which operators are composed, on tensors and constants alike: what is
//! constant is folded, everything else becomes nodes of the graph.

use super::constant::{Constant, Data};
use super::element::Element;
use super::error::ImportError;
use super::importer::Importer;
use super::node::{OnnxNode, Tensor, Value};
use crate::activation::Activation;
use crate::graph::{Affine, Channels, Mul, Op, Term, Window, activate, alias, pointwise};
pub(super) use crate::numbers::{count, whole};
use crate::quantized::{MaxPool, TensorId};
use crate::view::{View, row_major_strides};

/// The outputs of a node, in order.
pub(super) type Lowered = Result<Vec<Value>, ImportError>;
type Composed = Result<Value, ImportError>;

/// What becomes of the elements of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reduction {
    Sum,
    Mean,
    Max,
}

/// Facts about values.
impl Importer {
    /// The shape of a value.
    pub(super) fn shape_of(&self, value: &Value) -> Vec<usize> {
        match value {
            Value::Tensor(tensor) => self.shape(tensor.id).to_vec(),
            Value::Constant(constant) => constant.shape.clone(),
        }
    }

    /// What the elements of a value are.
    pub(super) fn element_of(value: &Value) -> Element {
        match value {
            Value::Tensor(tensor) => tensor.element,
            Value::Constant(constant) => match constant.data {
                Data::Real(_) => Element::Real,
                Data::Integer(_) => Element::Integer { bits: 64, signed: true },
            },
        }
    }

    /// Refuses integers that wrap around where real numbers grow.
    fn check_wide(node: &OnnxNode<'_>, tensor: Tensor) -> Result<(), ImportError> {
        if tensor.element.is_wide() {
            return Ok(());
        }
        Err(node.unsupported(
            "arithmetic on booleans or on integers of fewer than 32 bits; cast them to float first",
        ))
    }
}

/// Arithmetic, with ONNX broadcasting.
impl Importer {
    /// `a + b`.
    pub(super) fn add(&mut self, node: &OnnxNode<'_>, a: &Value, b: &Value) -> Composed {
        self.weighted_sum(node, a, b, 1.0)
    }

    /// `a − b`.
    pub(super) fn sub(&mut self, node: &OnnxNode<'_>, a: &Value, b: &Value) -> Composed {
        self.weighted_sum(node, a, b, -1.0)
    }

    /// `a + sign·b`.
    fn weighted_sum(&mut self, node: &OnnxNode<'_>, a: &Value, b: &Value, sign: f64) -> Composed {
        match (a, b) {
            (Value::Constant(a), Value::Constant(b)) => {
                let integers = |a: i64, b: i64| {
                    if sign > 0.0 { a.checked_add(b) } else { a.checked_sub(b) }
                };
                self.fold(node, a, b, |a, b| a + sign * b, integers)
            }
            (Value::Tensor(tensor), Value::Constant(constant)) => {
                self.scale_and_shift(node, *tensor, constant, |c| (1.0, sign * c))
            }
            (Value::Constant(constant), Value::Tensor(tensor)) => {
                self.scale_and_shift(node, *tensor, constant, |c| (sign, c))
            }
            (Value::Tensor(a), Value::Tensor(b)) => self.sum_of_tensors(node, *a, *b, sign),
        }
    }

    fn sum_of_tensors(&mut self, node: &OnnxNode<'_>, a: Tensor, b: Tensor, sign: f64) -> Composed {
        Self::check_wide(node, a)?;
        Self::check_wide(node, b)?;
        let shape = result_shape(node, self.shape(a.id), self.shape(b.id))?;
        let inputs = [self.repeated(node, a.id, &shape)?, self.repeated(node, b.id, &shape)?];
        let view = Channels::flat(self.reserve(node, &shape)?).view();
        let term = |(input, weight)| Term {
            input,
            view: view.clone(),
            window: Window::pixel(1),
            kernel: vec![weight],
        };
        let op = Op::Affine(Affine {
            terms: inputs.into_iter().zip([1.0, sign]).map(term).collect(),
            bias: vec![0.0],
            output: view.clone(),
            activation: Activation::Identity,
        });
        Ok(self.emit(node, shape, op)?.with_element(a.element))
    }

    /// `a · b`.
    pub(super) fn product(&mut self, node: &OnnxNode<'_>, a: &Value, b: &Value) -> Composed {
        match (a, b) {
            (Value::Constant(a), Value::Constant(b)) => {
                self.fold(node, a, b, |a, b| a * b, i64::checked_mul)
            }
            (Value::Tensor(tensor), Value::Constant(constant))
            | (Value::Constant(constant), Value::Tensor(tensor)) => {
                constant.check_finite(node.constant_name())?;
                self.scale_and_shift(node, *tensor, constant, |c| (c, 0.0))
            }
            (Value::Tensor(a), Value::Tensor(b)) => {
                Self::check_wide(node, *a)?;
                Self::check_wide(node, *b)?;
                let shape = result_shape(node, self.shape(a.id), self.shape(b.id))?;
                let elements = [a, b].map(|of| View::broadcast(self.shape(of.id), &shape));
                let product = self.multiplied(node, [a.id, b.id], elements, shape)?;
                Ok(product.with_element(a.element))
            }
        }
    }

    /// The products of the elements that two views choose.
    pub(super) fn multiplied(
        &mut self,
        node: &OnnxNode<'_>,
        [a, b]: [TensorId; 2],
        [a_elements, b_elements]: [View; 2],
        shape: Vec<usize>,
    ) -> Composed {
        self.reserve(node, &shape)?;
        let activation = Activation::Identity;
        self.emit(node, shape, Op::Mul(Mul { a, b, a_elements, b_elements, activation }))
    }

    /// `factor · value + shift`.
    pub(super) fn scaled(
        &mut self,
        node: &OnnxNode<'_>,
        value: &Value,
        factor: f64,
        shift: f64,
    ) -> Composed {
        match value {
            Value::Constant(constant) => self.mapped(node, constant, |x| factor * x + shift),
            Value::Tensor(tensor) => {
                let constant = Constant::reals(Vec::new(), vec![0.0]);
                self.scale_and_shift(node, *tensor, &constant, |_| (factor, shift))
            }
        }
    }

    /// Scales and shifts each element by what `weights` makes of the constant.
    pub(super) fn scale_and_shift(
        &mut self,
        node: &OnnxNode<'_>,
        tensor: Tensor,
        constant: &Constant,
        weights: impl Fn(f64) -> (f64, f64),
    ) -> Composed {
        Self::check_wide(node, tensor)?;
        let shape = result_shape(node, self.shape(tensor.id), &constant.shape)?;
        let input = self.repeated(node, tensor.id, &shape)?;
        self.reserve(node, &shape)?;
        if constant.data.len() == 0 {
            return Err(node.wrong_shape("no dimension may be 0", &[&constant.shape]));
        }
        let (channels, values) = per_channel(&constant.shape, &constant.to_reals(), &shape);
        let (scale, shift) = values.into_iter().map(weights).map(|(a, b)| (a, finite(b))).unzip();
        let op = pointwise(input, &channels, scale, shift, Activation::Identity);
        Ok(self.emit(node, shape, Op::Affine(op))?.with_element(tensor.element))
    }

    /// A function of two constants, element by element.
    pub(super) fn fold(
        &mut self,
        node: &OnnxNode<'_>,
        a: &Constant,
        b: &Constant,
        reals: impl Fn(f64, f64) -> f64,
        integers: impl Fn(i64, i64) -> Option<i64>,
    ) -> Composed {
        let shape = result_shape(node, &a.shape, &b.shape)?;
        self.budget.elements(&node.name, &shape)?;
        let (a, b) = (a.broadcast(&shape), b.broadcast(&shape));
        let data = match (&a.data, &b.data) {
            (Data::Integer(a), Data::Integer(b)) => {
                let pairs = a.iter().zip(b);
                let result: Option<Vec<i64>> = pairs.map(|(&a, &b)| integers(a, b)).collect();
                Data::Integer(result.ok_or_else(|| {
                    node.unsupported("integer arithmetic that overflows or divides by zero")
                })?)
            }
            _ => {
                let (a, b) = (a.to_reals(), b.to_reals());
                Data::Real(a.into_iter().zip(b).map(|(a, b)| reals(a, b)).collect())
            }
        };
        let constant = Constant { shape, data };
        constant.check_numbers(&node.name)?;
        Ok(constant.into())
    }

    /// A function of each element of a constant.
    pub(super) fn mapped(
        &mut self,
        node: &OnnxNode<'_>,
        constant: &Constant,
        function: impl Fn(f64) -> f64,
    ) -> Composed {
        self.budget.elements(&node.name, &constant.shape)?;
        let mut mapped = constant.map(function);
        if let Data::Integer(_) = constant.data {
            let whole = |x: f64| whole(x).ok_or_else(|| node.unsupported("integers that overflow"));
            mapped.data =
                Data::Integer(mapped.to_reals().into_iter().map(whole).collect::<Result<_, _>>()?);
        }
        mapped.check_numbers(&node.name)?;
        Ok(mapped.into())
    }

    /// A function of one variable, of each element.
    pub(super) fn apply(
        &mut self,
        node: &OnnxNode<'_>,
        value: &Value,
        function: Activation,
    ) -> Composed {
        match value {
            Value::Constant(constant) => self.mapped(node, constant, |x| function.apply(x)),
            Value::Tensor(tensor) => {
                let shape = self.shape(tensor.id).to_vec();
                self.reserve(node, &shape)?;
                let result = self.emit(node, shape, activate(tensor.id, function))?;
                Ok(result.with_element(tensor.element))
            }
        }
    }
}

/// Order and repetition of elements.
impl Importer {
    /// The elements that a view chooses for the output shape.
    pub(super) fn select(
        &mut self,
        node: &OnnxNode<'_>,
        value: &Value,
        output: Vec<usize>,
        view: impl FnOnce(&[usize]) -> View,
    ) -> Composed {
        match value {
            Value::Tensor(tensor) => {
                self.reserve(node, &output)?;
                let op = alias(tensor.id, view(&output));
                Ok(self.emit(node, output, op)?.with_element(tensor.element))
            }
            Value::Constant(constant) => {
                if self.budget.elements(&node.name, &output)? > 0 {
                    node.has_elements(&constant.shape)?;
                }
                let data = constant.data.select(&view(&output));
                Ok(Constant { shape: output, data }.into())
            }
        }
    }

    /// The same elements in another shape with as many.
    pub(super) fn reshaped(
        &mut self,
        node: &OnnxNode<'_>,
        value: &Value,
        shape: Vec<usize>,
    ) -> Composed {
        self.select(node, value, shape, |shape| View::in_order(shape.iter().product()))
    }

    /// The dimensions in another order.
    pub(super) fn transposed(
        &mut self,
        node: &OnnxNode<'_>,
        value: &Value,
        order: &[usize],
    ) -> Composed {
        if order.iter().copied().eq(0..order.len()) {
            return Ok(value.clone());
        }
        let shape = self.shape_of(value);
        let strides = row_major_strides(&shape);
        let output: Vec<usize> = order.iter().map(|&axis| shape[axis]).collect();
        let strides: Vec<usize> = order.iter().map(|&axis| strides[axis]).collect();
        self.select(node, value, output, |output| View::strided(output, &strides, 0))
    }

    /// The value repeated to a shape that it broadcasts to.
    pub(super) fn broadcast(
        &mut self,
        node: &OnnxNode<'_>,
        value: &Value,
        shape: &[usize],
    ) -> Composed {
        match value {
            Value::Tensor(tensor) => {
                let id = self.repeated(node, tensor.id, shape)?;
                Ok(Value::Tensor(Tensor { id, ..*tensor }))
            }
            Value::Constant(constant) => {
                self.budget.elements(&node.name, shape)?;
                Ok(constant.broadcast(shape).into())
            }
        }
    }

    fn repeated(
        &mut self,
        node: &OnnxNode<'_>,
        input: TensorId,
        shape: &[usize],
    ) -> Result<TensorId, ImportError> {
        if self.shape(input) == shape {
            return Ok(input);
        }
        self.reserve(node, shape)?;
        let view = View::broadcast(self.shape(input), shape);
        let name = format!("{}/broadcast", self.graph.tensor(input).name);
        self.add_node(node, &name, shape.to_vec(), alias(input, view))
    }
}

/// Groups of elements.
impl Importer {
    /// Reduces the dimensions `axes`, which become 1.
    pub(super) fn reduced(
        &mut self,
        node: &OnnxNode<'_>,
        value: &Value,
        axes: &[usize],
        reduction: Reduction,
    ) -> Composed {
        let shape = self.shape_of(value);
        let mut output = shape.clone();
        axes.iter().for_each(|&axis| output[axis] = 1);
        let reduced: Vec<usize> =
            (0..shape.len()).filter(|axis| axes.contains(axis) && shape[*axis] > 1).collect();
        let (Some(&first), Some(&last)) = (reduced.first(), reduced.last()) else {
            return Ok(value.clone());
        };
        if reduced.len() == last + 1 - first {
            return self.reduced_range(node, value, first..last + 1, output, reduction);
        }
        let kept = (0..shape.len()).filter(|axis| !reduced.contains(axis));
        let order: Vec<usize> = kept.chain(reduced.iter().copied()).collect();
        let moved = self.transposed(node, value, &order)?;
        let axes = shape.len() - reduced.len()..shape.len();
        self.reduced_range(node, &moved, axes, output, reduction)
    }

    /// Reduces neighbouring dimensions; the elements get the shape `output`.
    fn reduced_range(
        &mut self,
        node: &OnnxNode<'_>,
        value: &Value,
        axes: std::ops::Range<usize>,
        output: Vec<usize>,
        reduction: Reduction,
    ) -> Composed {
        let shape = self.shape_of(value);
        let channels = Channels::of_axes(&shape, axes);
        match value {
            Value::Constant(constant) => {
                self.budget.elements(&node.name, &constant.shape)?;
                Ok(reduce_constant(node, constant, &channels, output, reduction)?.into())
            }
            Value::Tensor(tensor) if reduction == Reduction::Max => {
                let Channels { before, count, after } = channels;
                self.budget.lists(&node.name, before * after, count)?;
                self.reserve(node, &output)?;
                let none = || node.wrong_shape("no dimension may be 0", &[&shape]);
                let windows = channels.groups().ok_or_else(none)?;
                let op = Op::MaxPool(MaxPool { input: tensor.id, windows });
                Ok(self.emit(node, output, op)?.with_element(tensor.element))
            }
            Value::Tensor(tensor) => {
                Self::check_wide(node, *tensor)?;
                self.reserve(node, &output)?;
                let view = channels.view();
                let mean = reduction == Reduction::Mean;
                let weight = if mean { 1.0 / count(view.channels) } else { 1.0 };
                let mut out = view.clone();
                (out.channels, out.strides) = (1, [0, view.width, 1]);
                let kernel = vec![weight; view.channels];
                let term = Term { input: tensor.id, view, window: Window::pixel(1), kernel };
                let (bias, activation) = (vec![0.0], Activation::Identity);
                let op = Op::Affine(Affine { terms: vec![term], bias, output: out, activation });
                Ok(self.emit(node, output, op)?.with_element(tensor.element))
            }
        }
    }
}

fn reduce_constant(
    node: &OnnxNode<'_>,
    constant: &Constant,
    channels: &Channels,
    shape: Vec<usize>,
    reduction: Reduction,
) -> Result<Constant, ImportError> {
    let &Channels { before, count: size, after } = channels;
    let group = |group: usize| {
        let start = group / after * size * after + group % after;
        (0..size).map(move |position| start + position * after)
    };
    let groups = (0..before * after).map(group);
    let mean = count(size);
    let data = match (&constant.data, reduction) {
        (Data::Integer(data), Reduction::Max) => {
            Data::Integer(groups.map(|group| group.map(|i| data[i]).max().unwrap_or(0)).collect())
        }
        (Data::Integer(data), Reduction::Sum) => {
            let sums = groups.map(|mut group| group.try_fold(0i64, |s, i| s.checked_add(data[i])));
            let sums = sums.collect::<Option<Vec<_>>>();
            Data::Integer(sums.ok_or_else(|| node.unsupported("integers that overflow"))?)
        }
        (Data::Integer(_), Reduction::Mean) => {
            return Err(node.unsupported("a mean of integers; cast them to float first"));
        }
        (Data::Real(data), _) => {
            let groups = groups.map(|group| group.map(|i| data[i]));
            Data::Real(match reduction {
                Reduction::Max => groups.map(|of| of.fold(f64::NEG_INFINITY, f64::max)).collect(),
                Reduction::Sum => groups.map(|of| of.sum()).collect(),
                Reduction::Mean => groups.map(|of| of.sum::<f64>() / mean).collect(),
            })
        }
    };
    let reduced = Constant { shape, data };
    reduced.check_numbers(&node.name)?;
    Ok(reduced)
}

/// The fewest channels of a tensor of shape `to` on which a broadcast constant is constant, and
/// its value on each.
fn per_channel(from: &[usize], data: &[f64], to: &[usize]) -> (Channels, Vec<f64>) {
    let skipped = to.len() - from.len();
    let varying = |axis: &usize| *axis >= skipped && from[axis - skipped] > 1;
    let same = data.iter().all(|value| value.to_bits() == data[0].to_bits());
    let first = (0..to.len()).find(varying).filter(|_| !same);
    let last = (0..to.len()).rfind(varying);
    let (Some(first), Some(last)) = (first, last) else {
        return (Channels::flat(to.iter().product()), vec![data[0]]);
    };
    let axes = first..last + 1;
    let inner = &from[first - skipped..=last - skipped];
    let elements = View::broadcast(inner, &to[axes.clone()]);
    (Channels::of_axes(to, axes), elements.of(data))
}

/// The shape that both shapes broadcast to.
pub(super) fn result_shape(
    node: &OnnxNode<'_>,
    a: &[usize],
    b: &[usize],
) -> Result<Vec<usize>, ImportError> {
    let rank = a.len().max(b.len());
    let size = |shape: &[usize], axis: usize| {
        (axis + shape.len()).checked_sub(rank).map_or(1, |axis| shape[axis])
    };
    (0..rank)
        .map(|axis| match (size(a, axis), size(b, axis)) {
            (x, y) if x == y || y == 1 => Ok(x),
            (1, y) => Ok(y),
            _ => Err(node.wrong_shape("operands must have shapes that broadcast", &[a, b])),
        })
        .collect()
}

/// A number to add: an infinite one, as masks have, as the largest finite single-precision one.
fn finite(value: f64) -> f64 {
    value.clamp(f64::from(f32::MIN), f64::from(f32::MAX))
}
