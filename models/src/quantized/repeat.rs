//! Many runs of one graph as one graph.
//!
//! Run `n` of a tensor of `len` elements lies at `n·len`, so the values of the new graph are those
//! of the runs one after another, and the integers are the same bit for bit. Where a layer has a
//! free dimension of positions the runs are its positions and share its weights; else they are
//! groups of channels, each with weights of its own.

use super::{
    Affine, Alias, Contract, ConvTerm, ImageView, MatrixSizes, QuantizedGraph, QuantizedNode,
    QuantizedOp, QuantizedTensor, TensorId, View,
};
use crate::ops::form::Runs;

impl QuantizedGraph {
    /// The graph of `count` runs of this one: each tensor has a first dimension more.
    ///
    /// The result is one run's [`QuantizedGraph`] where `count` is 1, but for the dimension.
    #[must_use]
    pub fn repeated(&self, count: usize) -> Self {
        let mut repeat = Repeat { graph: self, count, tensors: Vec::new(), nodes: Vec::new() };
        repeat.tensors.extend(self.tensors.iter().map(|tensor| repeated_tensor(tensor, count)));
        for node in &self.nodes {
            repeat.node(node);
        }
        let Repeat { tensors, nodes, .. } = repeat;
        Self { tensors, inputs: self.inputs.clone(), outputs: self.outputs.clone(), nodes }
    }
}

fn repeated_tensor(tensor: &QuantizedTensor, count: usize) -> QuantizedTensor {
    let shape = [&[count], &tensor.shape[..]].concat();
    QuantizedTensor { shape, ..tensor.clone() }
}

/// A graph that is being repeated.
struct Repeat<'a> {
    graph: &'a QuantizedGraph,
    count: usize,
    tensors: Vec<QuantizedTensor>,
    nodes: Vec<QuantizedNode>,
}

/// Where a layer's runs lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Along {
    /// Each run is a row of positions, and all of them share the weights.
    Height,
    /// Each run is a column.
    Width,
    /// Each run is a group of channels.
    Channels,
}

impl Repeat<'_> {
    fn node(&mut self, node: &QuantizedNode) {
        match &node.op {
            QuantizedOp::Affine(affine) => self.affine(node, affine),
            QuantizedOp::Contract(contract) => {
                let MatrixSizes { batch, rows, inner, columns } = contract.sizes;
                let a = self.first(&node.name, contract.a, batch * rows * inner);
                let b = self.first(&node.name, contract.b, batch * inner * columns);
                let op = QuantizedOp::Contract(Contract { a, b, ..contract.clone() });
                self.push_runs(&node.name, op, node.output);
            }
            op => self.push_runs(&node.name, op.clone(), node.output),
        }
    }

    /// Adds the runs of an operation.
    fn push_runs(&mut self, name: &str, mut op: QuantizedOp, output: TensorId) {
        let runs = Runs { count: self.count, tensors: &self.graph.tensors };
        op.form_mut().repeat(runs);
        self.push(name, op, output);
    }

    fn push(&mut self, name: &str, op: QuantizedOp, output: TensorId) {
        self.nodes.push(QuantizedNode { name: name.to_owned(), op, output });
    }

    /// Elements of one run's tensor.
    fn len(&self, tensor: TensorId) -> usize {
        self.graph.tensors[tensor.0].len()
    }

    fn view(&self, tensor: TensorId, elements: &View) -> View {
        elements.repeated(self.count, self.len(tensor))
    }

    /// The first elements of a tensor, run after run: itself where it has no more.
    fn first(&mut self, name: &str, tensor: TensorId, len: usize) -> TensorId {
        if self.len(tensor) == len {
            return tensor;
        }
        let first = self.fresh(tensor);
        self.tensors[first.0].shape = vec![self.count, len];
        let elements = self.view(tensor, &View::in_order(len));
        self.push(name, QuantizedOp::Alias(Alias { input: tensor, elements }), first);
        first
    }

    fn affine(&mut self, node: &QuantizedNode, affine: &Affine) {
        let flat = flattened(affine);
        let affine = flat.as_ref().unwrap_or(affine);
        match along(affine) {
            Along::Channels => self.groups(node, affine),
            free => {
                let place = |view: &ImageView, len: usize| placed(view, free, (self.count, len));
                let term = |term: &ConvTerm| {
                    let mut stride = term.stride;
                    stride[usize::from(free == Along::Width)] = 1;
                    let view = place(&term.view, self.len(term.input));
                    ConvTerm { view, stride, ..term.clone() }
                };
                let terms = affine.terms.iter().map(term).collect();
                let output = place(&affine.output, self.len(node.output));
                let shifts = affine.shifts.repeat(self.count);
                let affine = Affine { terms, shifts, output, ..affine.clone() };
                self.push(&node.name, QuantizedOp::Affine(affine), node.output);
            }
        }
    }

    /// Each run as a group of channels. A tensor whose channels are not one after another is put in
    /// that order first.
    fn groups(&mut self, node: &QuantizedNode, affine: &Affine) {
        let term = |repeat: &mut Self, term: &ConvTerm| {
            let (input, view) = repeat.by_channel(&node.name, term.input, &term.view);
            ConvTerm { input, view, ..term.clone() }
        };
        let terms = affine.terms.iter().map(|of| term(self, of)).collect();
        let layer = Affine { terms, ..affine.clone() };
        if let Some(output) = channel_major(&affine.output, self.len(node.output)) {
            let op = QuantizedOp::Affine(Affine { output, ..layer });
            self.push_runs(&node.name, op, node.output);
            return;
        }
        let ordered = self.fresh(node.output);
        let shift_of = |element: usize| affine.shifts.get(element).copied();
        let shifts = elements(&affine.output).into_iter().filter_map(shift_of).collect();
        let op = QuantizedOp::Affine(Affine { output: in_order(&affine.output), shifts, ..layer });
        self.push_runs(&node.name, op, ordered);
        // The view is a bijection: each element is somewhere in it.
        let len = self.len(node.output);
        let mut places = vec![0; len];
        for (place, element) in elements(&affine.output).into_iter().enumerate() {
            places[element] = place;
        }
        let elements = View::from(places).repeated(self.count, len);
        self.push(&node.name, QuantizedOp::Alias(Alias { input: ordered, elements }), node.output);
    }

    /// A tensor and a view of it with the channels one after another, and then run after run.
    fn by_channel(
        &mut self,
        name: &str,
        tensor: TensorId,
        view: &ImageView,
    ) -> (TensorId, ImageView) {
        if let Some(view) = channel_major(view, self.len(tensor)) {
            return (tensor, view);
        }
        let elements = View::from(elements(view));
        let ordered = self.fresh(tensor);
        self.tensors[ordered.0].shape = vec![self.count, elements.len()];
        let elements = self.view(tensor, &elements);
        self.push(name, QuantizedOp::Alias(Alias { input: tensor, elements }), ordered);
        (ordered, in_order(view))
    }

    /// A tensor like another.
    fn fresh(&mut self, like: TensorId) -> TensorId {
        self.tensors.push(self.tensors[like.0].clone());
        TensorId(self.tensors.len() - 1)
    }
}

/// Which dimension of positions is free for the runs.
fn along(affine: &Affine) -> Along {
    let is_free = |axis: usize| {
        let size = |view: &ImageView| [view.height, view.width][axis];
        let is_one = |term: &ConvTerm| {
            size(&term.view) == 1 && term.kernel_size[axis] == 1 && term.padding[axis] == 0
        };
        size(&affine.output) == 1 && affine.terms.iter().all(is_one)
    };
    match [is_free(0), is_free(1)] {
        [_, true] => Along::Width,
        [true, false] => Along::Height,
        [false, false] => Along::Channels,
    }
}

/// The runs of a view along a free dimension.
fn placed(view: &ImageView, along: Along, (count, len): (usize, usize)) -> ImageView {
    let [channel, row, column] = view.strides;
    match along {
        Along::Height => {
            ImageView { height: count, strides: [channel, len, column], ..view.clone() }
        }
        Along::Width => ImageView { width: count, strides: [channel, row, len], ..view.clone() },
        Along::Channels => view.clone(),
    }
}

/// A layer that looks at single positions, with all of them in one row; `None` where it is not so
/// or the positions do not follow each other.
fn flattened(affine: &Affine) -> Option<Affine> {
    let flat = |view: &ImageView| {
        let [channel, row, column] = view.strides;
        let column = if view.width == 1 { row } else { column };
        let is_line = row == view.width * column || view.height == 1;
        let width = view.height * view.width;
        let strides = [channel, width * column, column];
        is_line.then(|| ImageView { height: 1, width, strides, ..view.clone() })
    };
    let sizes = |view: &ImageView| [view.height, view.width];
    let term = |term: &ConvTerm| {
        let is_single = term.kernel_size == [1, 1]
            && term.stride == [1, 1]
            && term.padding == [0, 0]
            && sizes(&term.view) == sizes(&affine.output);
        Some(ConvTerm { view: flat(&term.view).filter(|_| is_single)?, ..term.clone() })
    };
    let terms = affine.terms.iter().map(term).collect::<Option<_>>()?;
    Some(Affine { terms, output: flat(&affine.output)?, ..affine.clone() })
}

/// A view whose channels lie so far apart that the first channel of the next run follows the last;
/// `None` where no distance says so.
fn channel_major(view: &ImageView, len: usize) -> Option<ImageView> {
    let [channel, row, column] = view.strides;
    let channel = if view.channels == 1 { len } else { channel };
    let follows = channel * view.channels == len;
    follows.then(|| ImageView { strides: [channel, row, column], ..view.clone() })
}

/// The same image where its elements lie one after another.
fn in_order(view: &ImageView) -> ImageView {
    let (height, width) = (view.height, view.width);
    ImageView { strides: [height * width, width, 1], offset: 0, ..view.clone() }
}

/// The elements of an image, channel by channel, row by row.
fn elements(view: &ImageView) -> Vec<usize> {
    let of_row = |channel: usize, row: usize| {
        (0..view.width).map(move |column| view.index(channel, row, column))
    };
    let of_channel = |channel: usize| (0..view.height).flat_map(move |row| of_row(channel, row));
    (0..view.channels).flat_map(of_channel).collect()
}
