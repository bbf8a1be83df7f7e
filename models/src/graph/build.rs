//! Building blocks from which the importer makes layers.

use std::collections::BTreeMap;

use super::{Activate, Affine, Alias, Graph, Node, Op, Term, Window};
use crate::activation::Activation;
use crate::tensor::{ImageView, TensorId, TensorSpec};
use crate::view::{Groups, View};

impl<F> Graph<F> {
    /// A graph without nodes.
    pub(crate) fn empty() -> Self {
        Self {
            tensors: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            nodes: Vec::new(),
            digest: [0; 32],
            whole_inputs: BTreeMap::new(),
            fixed_inputs: Vec::new(),
            classes: BTreeMap::new(),
        }
    }

    /// Adds a tensor; a name already taken gets a number.
    pub(crate) fn add_tensor(&mut self, name: &str, shape: Vec<usize>) -> TensorId {
        let name = self.free_name(name);
        self.tensors.push(TensorSpec { name, shape });
        TensorId(self.tensors.len() - 1)
    }

    /// Gives a tensor this name; one that has it already gets another.
    pub(crate) fn rename_tensor(&mut self, id: TensorId, name: &str) {
        let free = self.free_name(name);
        if let Some(other) = self.tensors.iter_mut().find(|tensor| tensor.name == name) {
            other.name = free;
        }
        self.tensors[id.0].name = name.to_owned();
    }

    /// `name`, with a number where a tensor has that name.
    fn free_name(&self, name: &str) -> String {
        let is_free =
            |candidate: &String| self.tensors.iter().all(|tensor| tensor.name != *candidate);
        let numbered = (2u32..).map(|count| format!("{name}#{count}"));
        let mut candidates = std::iter::once(name.to_owned()).chain(numbered);
        candidates.find(is_free).unwrap_or_default()
    }

    /// Adds a node that defines a new tensor.
    pub(crate) fn add_node(
        &mut self,
        node: &str,
        output: &str,
        shape: Vec<usize>,
        op: Op<F>,
    ) -> TensorId {
        let output = self.add_tensor(output, shape);
        self.nodes.push(Node { name: node.to_owned(), op, output });
        output
    }

    /// The identity on a tensor as a layer, for places where one is needed.
    pub(crate) fn identity_layer(&self, input: TensorId, activation: Activation) -> Affine {
        let size = self.tensors[input.0].len();
        pointwise(input, &Channels::flat(size), vec![1.0], vec![0.0], activation)
    }
}

/// A tensor's elements as `before × channels × after`, in C order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Channels {
    /// Product of the dimensions before the channel ones.
    pub(crate) before: usize,
    /// Number of channels.
    pub(crate) count: usize,
    /// Product of the dimensions after the channel ones.
    pub(crate) after: usize,
}

impl Channels {
    /// One channel with all elements.
    pub(crate) const fn flat(size: usize) -> Self {
        Self { before: 1, count: 1, after: size }
    }

    /// The dimensions `axes` of `shape` as channels.
    pub(crate) fn of_axes(shape: &[usize], axes: std::ops::Range<usize>) -> Self {
        Self {
            before: shape[..axes.start].iter().product(),
            count: shape[axes.clone()].iter().product(),
            after: shape[axes.end..].iter().product(),
        }
    }

    /// The elements that differ only in the channel, in groups; `None` where there are none.
    pub(crate) fn groups(&self) -> Option<Groups> {
        let Self { before, count, after } = *self;
        let elements = View::strided(&[before, after, count], &[count * after, 1, after], 0);
        Groups::equal(elements, count)
    }

    /// The tensor as an image with these channels: a single row where no element of a channel has a
    /// neighbour, since circuits read the elements of a row side by side.
    pub(crate) const fn view(&self) -> ImageView {
        let Self { before, count, after } = *self;
        let (height, width, strides) = match after {
            1 => (1, before, [1, 0, count]),
            _ => (before, after, [after, count * after, 1]),
        };
        ImageView { channels: count, height, width, strides, offset: 0 }
    }
}

/// `activation(scale[c] · x + bias[c])` per channel.
pub(crate) fn pointwise(
    input: TensorId,
    channels: &Channels,
    scale: Vec<f64>,
    bias: Vec<f64>,
    activation: Activation,
) -> Affine {
    let view = channels.view();
    let window = Window::pixel(channels.count);
    let term = Term { input, view: view.clone(), window, kernel: scale };
    Affine { terms: vec![term], bias, output: view, activation }
}

/// An [`Op::Alias`].
pub(crate) fn alias<F>(input: TensorId, elements: View) -> Op<F> {
    Op::Alias(Alias { input, elements })
}

/// An [`Op::Activate`].
pub(crate) fn activate(input: TensorId, function: Activation) -> Op<Activate> {
    Op::Activate(Activate { input, function })
}
