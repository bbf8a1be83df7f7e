//! Layers with the same weights as one layer, which has a position for each of them.
//!
//! A recurrent cell occurs once a step, each time with the same weights. A circuit says that all
//! outputs of a layer are what its inputs give; in which order they were computed is nothing to it.
//! So steps are positions of one layer: its weights lie in the circuit once, it has one challenge,
//! and what it reads, put together step by step, may be what it gave in the step before. Whoever
//! runs the model goes by the graph as it is.
//!
//! A layer that does the same to all elements and has few channels, a sum or a concatenation, gets as
//! many as fill rows of slots, which hold channels side by side.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use zkinfer_models::{
    Execution, QuantizedGraph,
    quantized::{
        Affine, ConvTerm, ImageView, Mul, QuantizedNode, QuantizedOp, QuantizedTensor, Requant,
        TensorId, View,
    },
};

use crate::{cells::Source, integers::index};

/// A graph for the circuit, made of one that is run.
///
/// It has the tensors of that graph, and after them those that layers of several steps read and give.
/// Its nodes are in no order in which they could be run.
#[derive(Clone, Debug)]
pub(crate) struct Folded {
    graph: Arc<QuantizedGraph>,
    /// For each node those that it stands for, by their places in the graph that is run.
    nodes: Vec<Vec<usize>>,
    /// Tensors of elements of others.
    gathered: Vec<(TensorId, Vec<(TensorId, u32)>)>,
    /// Tensors that layers of several steps give: the tensor of each step.
    given: Vec<(TensorId, Vec<TensorId>)>,
}

impl Folded {
    pub(crate) fn of(graph: &Arc<QuantizedGraph>) -> Self {
        let groups = groups(graph);
        let mut folding = Folding {
            run: graph,
            tensors: graph.tensors.clone(),
            gathered: Vec::new(),
            given: Vec::new(),
        };
        let folded = groups.iter().map(|group| folding.node(group)).collect();
        let nodes = groups.into_iter().map(|group| group.places).collect();
        let Folding { tensors, gathered, given, .. } = folding;
        if given.is_empty() {
            return Self { graph: graph.clone(), nodes, gathered, given };
        }
        let (inputs, outputs) = (graph.inputs.clone(), graph.outputs.clone());
        let graph = QuantizedGraph { tensors, inputs, outputs, nodes: folded };
        Self { graph: Arc::new(graph), nodes, gathered, given }
    }

    pub(crate) fn graph(&self) -> &Arc<QuantizedGraph> {
        &self.graph
    }

    /// How many nodes of the graph that is run a node stands for.
    pub(crate) fn steps(&self, node: usize) -> usize {
        self.nodes[node].len()
    }

    /// Gives the tensor of each step its part of what layers of several steps give.
    pub(crate) fn hand_out<T: Clone>(&self, tensors: &mut [Vec<T>]) {
        for (TensorId(given), parts) in &self.given {
            let elements = std::mem::take(&mut tensors[*given]);
            let len = elements.len() / parts.len();
            for (TensorId(part), elements) in parts.iter().zip(elements.chunks(len)) {
                tensors[*part] = elements.to_vec();
            }
            tensors[*given] = elements;
        }
    }

    /// Puts together what layers of several steps read.
    pub(crate) fn gather<T: Clone>(&self, tensors: &mut [Vec<T>]) {
        for (TensorId(gathered), elements) in &self.gathered {
            let element = |&(TensorId(of), at): &(TensorId, u32)| tensors[of][at as usize].clone();
            tensors[*gathered] = elements.iter().map(element).collect();
        }
    }

    /// A run as one of this graph.
    pub(crate) fn execution<'a>(&self, run: &'a Execution) -> Cow<'a, Execution> {
        if self.given.is_empty() {
            return Cow::Borrowed(run);
        }
        let mut values = run.values.clone();
        values.resize(self.graph.tensors.len(), Vec::new());
        self.gather(&mut values);
        for (TensorId(given), parts) in &self.given {
            values[*given] = parts.iter().flat_map(|part| run.values[part.0].clone()).collect();
        }
        let of_node = |nodes: &Vec<usize>| {
            let of_steps = nodes.iter().map(|&node| run.accumulators[node].clone());
            Some(of_steps.collect::<Option<Vec<_>>>()?.concat())
        };
        Cow::Owned(Execution { values, accumulators: self.nodes.iter().map(of_node).collect() })
    }
}

/// Nodes of the graph that is run which become one layer.
struct Group<'a> {
    places: Vec<usize>,
    steps: Steps<'a>,
}

/// What the nodes of a group do.
enum Steps<'a> {
    /// The same at single positions, each to tensors of its own.
    Layers {
        layers: Vec<&'a Affine>,
        /// From one position of an output to the next.
        distance: usize,
    },
    /// The same products, each of tensors of its own.
    Products(Vec<&'a Mul>),
    /// One layer that looks at windows.
    Windows(&'a Affine),
    /// One node of another kind.
    Other,
}

impl<'a> Steps<'a> {
    /// A node as the first of its group.
    fn first(node: &'a QuantizedNode) -> Self {
        match &node.op {
            QuantizedOp::Affine(affine) => match distance_of_single_positions(affine) {
                Some(distance) => Self::Layers { layers: vec![affine], distance },
                None => Self::Windows(affine),
            },
            QuantizedOp::Mul(mul) => Self::Products(vec![mul]),
            _ => Self::Other,
        }
    }

    /// Adds a node that does the same; whether it does.
    fn join(&mut self, node: &'a QuantizedNode) -> bool {
        match (self, &node.op) {
            (Self::Layers { layers, .. }, QuantizedOp::Affine(affine)) => {
                let alike = are_layers_alike(layers[0], affine);
                layers.extend(alike.then_some(affine));
                alike
            }
            (Self::Products(muls), QuantizedOp::Mul(mul)) => {
                let first = muls[0];
                let sizes = [first, mul].map(|mul| mul.a_elements.len());
                let alike = sizes[0] == sizes[1]
                    && first.factor == mul.factor
                    && requantize_alike(&first.requant, &mul.requant);
                muls.extend(alike.then_some(mul));
                alike
            }
            _ => false,
        }
    }
}

/// The nodes of a graph in groups that each become one layer, in the order of their first ones.
fn groups(graph: &QuantizedGraph) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
    for (place, node) in graph.nodes.iter().enumerate() {
        let of_name = by_name.entry(&node.name).or_default();
        match of_name.iter().find(|&&group| groups[group].steps.join(node)) {
            Some(&group) => groups[group].places.push(place),
            None => {
                of_name.push(groups.len());
                groups.push(Group { places: vec![place], steps: Steps::first(node) });
            }
        }
    }
    groups
}

/// Whether two layers do the same at positions of their own.
fn are_layers_alike(a: &Affine, b: &Affine) -> bool {
    a.output == b.output
        && a.terms.len() == b.terms.len()
        && requantize_alike(&a.requant, &b.requant)
        && a.terms.iter().zip(&b.terms).all(|(a, b)| weigh_alike(a, b))
}

fn requantize_alike(a: &Requant, b: &Requant) -> bool {
    (a.shift, a.lo, a.hi) == (b.shift, b.lo, b.hi) && a.table == b.table
}

fn weigh_alike(a: &ConvTerm, b: &ConvTerm) -> bool {
    sizes(&a.view) == sizes(&b.view)
        && (a.kernel_size, a.groups, a.stride) == (b.kernel_size, b.groups, b.stride)
        && a.padding == b.padding
        && a.kernel == b.kernel
}

fn sizes(view: &ImageView) -> [usize; 3] {
    [view.channels, view.height, view.width]
}

/// From one position of a layer's output to the next, where each output looks at the one position of
/// its own and those of a channel lie at equal distances.
fn distance_of_single_positions(affine: &Affine) -> Option<usize> {
    let is_pixel = |term: &ConvTerm| {
        term.kernel_size == [1, 1]
            && term.stride == [1, 1]
            && term.padding == [0, 0]
            && sizes(&term.view)[1..] == sizes(&affine.output)[1..]
    };
    distance(&affine.output).filter(|_| affine.terms.iter().all(is_pixel))
}

/// From one position of an image to the next, row by row.
fn distance(view: &ImageView) -> Option<usize> {
    let [_, row, column] = view.strides;
    match (view.height, view.width) {
        (_, 1) => Some(row),
        (1, _) => Some(column),
        (_, width) => (row == width * column).then_some(column),
    }
}

/// The elements of an image: position after position, at each all channels.
fn elements(view: &ImageView) -> impl Iterator<Item = usize> + '_ {
    let positions = (0..view.height).flat_map(|row| (0..view.width).map(move |at| (row, at)));
    positions.flat_map(move |(row, at)| (0..view.channels).map(move |of| view.index(of, row, at)))
}

/// Images of `channels` channels whose steps lie `[channel, step, position]` apart: along the longer
/// side of positions, since a circuit reads the elements of a line together.
fn image(
    [channels, steps, positions]: [usize; 3],
    [channel, step, position]: [usize; 3],
    offset: usize,
) -> ImageView {
    let (height, width, strides) = match steps < positions {
        true => (steps, positions, [channel, step, position]),
        false => (positions, steps, [channel, position, step]),
    };
    ImageView { channels, height, width, strides, offset }
}

/// A graph that is being folded.
struct Folding<'a> {
    run: &'a QuantizedGraph,
    tensors: Vec<QuantizedTensor>,
    gathered: Vec<(TensorId, Vec<(TensorId, u32)>)>,
    given: Vec<(TensorId, Vec<TensorId>)>,
}

impl Folding<'_> {
    fn node(&mut self, group: &Group<'_>) -> QuantizedNode {
        let first = &self.run.nodes[group.places[0]];
        let Some(op) = self.op(group) else { return first.clone() };
        let parts: Vec<_> = group.places.iter().map(|&node| self.run.nodes[node].output).collect();
        let output = self.tensor(first.output, parts.len());
        self.given.push((output, parts));
        QuantizedNode { name: first.name.clone(), op, output }
    }

    /// What a group becomes; `None` for one node that is left as it is.
    fn op(&mut self, Group { places, steps }: &Group<'_>) -> Option<QuantizedOp> {
        let is_one = places.len() == 1;
        match steps {
            Steps::Layers { layers, distance } => {
                let affine = match self.covers(places, layers) {
                    Some(covers) => self.spread(places, layers, covers),
                    None if is_one => return None,
                    None => self.affine(places, layers, *distance),
                };
                Some(QuantizedOp::Affine(affine))
            }
            Steps::Windows(layer) => {
                let covers = self.covers(places, &[layer])?;
                Some(QuantizedOp::Affine(self.spread(places, &[layer], covers)))
            }
            Steps::Products(_) if is_one => None,
            Steps::Products(muls) => Some(QuantizedOp::Mul(self.mul(muls))),
            Steps::Other => None,
        }
    }

    /// A tensor of so many like one of the graph that is run.
    fn tensor(&mut self, like: TensorId, count: usize) -> TensorId {
        let tensor = &self.run.tensors[like.0];
        let shape = [&[count], &tensor.shape[..]].concat();
        self.tensors.push(QuantizedTensor { shape, ..tensor.clone() });
        TensorId(self.tensors.len() - 1)
    }

    /// A tensor of elements of others.
    fn gather(&mut self, elements: Vec<(TensorId, u32)>) -> TensorId {
        // Layers that read the same are told by it.
        if let Some((known, _)) = self.gathered.iter().find(|(_, known)| *known == elements) {
            return *known;
        }
        let gathered = self.tensor(elements[0].0, 1);
        self.tensors[gathered.0].shape = vec![elements.len()];
        for of_tensor in elements.chunk_by(|a, b| a.0 == b.0) {
            let (read, all) = (&self.run.tensors[of_tensor[0].0.0], &mut self.tensors[gathered.0]);
            (all.lo, all.hi) = (all.lo.min(read.lo), all.hi.max(read.hi));
        }
        self.gathered.push((gathered, elements));
        gathered
    }

    /// Elements that a step of a layer gives.
    fn output_len(&self, places: &[usize]) -> usize {
        self.run.tensors[self.run.nodes[places[0]].output.0].len()
    }

    /// The covers of each step of a layer, if it has any and they are worth it.
    fn covers(&self, places: &[usize], layers: &[&Affine]) -> Option<Vec<Vec<Cover>>> {
        let len = self.output_len(places);
        let is_small = layers.len() == 1 && len < LEAST_ELEMENTS;
        if is_small { None } else { layers.iter().map(|layer| covers(layer, len)).collect() }
    }

    fn affine(&mut self, places: &[usize], layers: &[&Affine], distance: usize) -> Affine {
        let (first, steps) = (layers[0], layers.len());
        let positions = first.output.height * first.output.width;
        let term = |folding: &mut Self, place: usize| {
            let of_step = |layer: &&Affine| {
                let ConvTerm { input, ref view, .. } = layer.terms[place];
                elements(view).map(move |element| (input, index(element))).collect::<Vec<_>>()
            };
            let input = folding.gather(layers.iter().flat_map(of_step).collect());
            let term = &first.terms[place];
            let channels = term.view.channels;
            let view = image([channels, steps, positions], [1, positions * channels, channels], 0);
            ConvTerm { input, view, ..term.clone() }
        };
        let terms = (0..first.terms.len()).map(|place| term(self, place)).collect();
        let (view, len) = (&first.output, first.output.channels * positions);
        let output =
            image([view.channels, steps, positions], [view.strides[0], len, distance], view.offset);
        Affine { terms, output, ..self.shifted(places, layers, view.channels) }
    }

    /// A layer that does the same to all elements, with channels that fill rows of slots.
    fn spread(&mut self, places: &[usize], layers: &[&Affine], covers: Vec<Vec<Cover>>) -> Affine {
        let len = self.output_len(places);
        let channels = channels(len);
        let positions = layers.len() * len / channels;
        let view = image([channels, positions, 1], [1, channels, 1], 0);
        let mut steps: Vec<_> = covers.into_iter().map(Vec::into_iter).collect();
        let mut terms = Vec::new();
        loop {
            let covers: Vec<Cover> = steps.iter_mut().filter_map(Iterator::next).collect();
            let Some(&Cover { weight, .. }) = covers.first() else { break };
            terms.push(ConvTerm {
                input: self.gather(covers.into_iter().flat_map(|cover| cover.elements).collect()),
                view: view.clone(),
                kernel: vec![weight; channels],
                kernel_size: [1, 1],
                groups: channels,
                stride: [1, 1],
                dilation: [1, 1],
                padding: [0, 0],
            });
        }
        Affine { terms, output: view, ..self.shifted(places, layers, channels) }
    }

    /// The layer without terms: the bias of each step is added to each of its elements.
    fn shifted(&self, places: &[usize], layers: &[&Affine], channels: usize) -> Affine {
        let biases = places.iter().flat_map(|&node| {
            let QuantizedNode { op, output, .. } = &self.run.nodes[node];
            op.biases(self.run.tensors[output.0].len())
        });
        Affine {
            terms: Vec::new(),
            bias: vec![0; channels],
            shifts: biases.collect(),
            output: layers[0].output.clone(),
            requant: widest(layers.iter().map(|layer| &layer.requant), &layers[0].requant),
        }
    }

    fn mul(&mut self, muls: &[&Mul]) -> Mul {
        let first = muls[0];
        let factors = |of: fn(&Mul) -> (TensorId, &View)| {
            let of_step = |&mul: &&Mul| {
                let (tensor, elements) = of(mul);
                elements.iter().map(move |element| (tensor, index(element))).collect::<Vec<_>>()
            };
            muls.iter().flat_map(of_step).collect()
        };
        let (a, b) =
            (factors(|mul| (mul.a, &mul.a_elements)), factors(|mul| (mul.b, &mul.b_elements)));
        let (a, b) = (self.gather(a), self.gather(b));
        let elements = View::in_order(first.a_elements.len() * muls.len());
        Mul {
            a,
            b,
            a_elements: elements.clone(),
            b_elements: elements,
            factor: first.factor,
            requant: widest(muls.iter().map(|mul| &mul.requant), &first.requant),
        }
    }
}

/// The requantization of all steps, with the bounds of all of them.
fn widest<'a>(steps: impl Iterator<Item = &'a Requant>, first: &Requant) -> Requant {
    steps.fold(first.clone(), |all, step| Requant {
        acc_lo: all.acc_lo.min(step.acc_lo),
        acc_hi: all.acc_hi.max(step.acc_hi),
        ..all
    })
}

/// A layer of so few channels is worth other ones.
const FEW_CHANNELS: usize = 16;
/// So many fill rows of slots.
const MANY_CHANNELS: usize = 128;
/// A layer of fewer elements, and of one step, is left as it is.
const LEAST_ELEMENTS: usize = 2 * MANY_CHANNELS;

/// Into how many channels so many elements are spread: the fewest that fill rows of slots.
fn channels(len: usize) -> usize {
    (MANY_CHANNELS..len).find(|&channels| len.is_multiple_of(channels)).unwrap_or(len)
}

/// For each element of a layer's output the one that it reads, all with the same weight.
#[derive(Debug)]
struct Cover {
    weight: i32,
    elements: Vec<(TensorId, u32)>,
}

/// The covers of a layer of few channels, where it adds up some elements to each of its outputs with
/// weights that all outputs share: copies, sums, concatenations.
fn covers(affine: &Affine, len: usize) -> Option<Vec<Cover>> {
    if affine.output.channels >= FEW_CHANNELS || len < 2 {
        return None;
    }
    let mut covers: Vec<(i32, Vec<Source>)> = Vec::new();
    for term in &affine.terms {
        let weight = uniform_weight(affine, term)?;
        let reads = reads(affine, term);
        let is_free = |(of, elements): &(i32, Vec<_>)| {
            *of == weight && reads.iter().all(|&(output, _)| Option::is_none(&elements[output]))
        };
        let place = covers.iter().position(is_free).unwrap_or(covers.len());
        if place == covers.len() {
            covers.push((weight, vec![None; len]));
        }
        for (output, element) in reads {
            covers[place].1[output] = Some((term.input, index(element)));
        }
    }
    let whole = |(weight, elements): (i32, Vec<Source>)| {
        Some(Cover { weight, elements: elements.into_iter().collect::<Option<_>>()? })
    };
    covers.into_iter().map(whole).collect()
}

/// The weight of a term that reads single elements and weighs all of them alike.
fn uniform_weight(affine: &Affine, term: &ConvTerm) -> Option<i32> {
    let weight = *term.kernel.first()?;
    let is_uniform = term.kernel_size == [1, 1]
        && term.stride == [1, 1]
        && term.groups == affine.output.channels
        && term.view.channels == affine.output.channels
        && term.kernel.iter().all(|other| *other == weight);
    is_uniform.then_some(weight)
}

/// The outputs of a layer that look at an element of such a term, each with the element.
fn reads(affine: &Affine, term: &ConvTerm) -> Vec<(usize, usize)> {
    let (output, view) = (&affine.output, &term.view);
    let shifted = |position: usize, padding: usize, size: usize| {
        position.checked_sub(padding).filter(|&pixel| pixel < size)
    };
    let mut reads = Vec::new();
    for channel in 0..output.channels {
        for row in 0..output.height {
            let Some(pixel_row) = shifted(row, term.padding[0], view.height) else { continue };
            for column in 0..output.width {
                let Some(pixel) = shifted(column, term.padding[1], view.width) else { continue };
                let element = view.index(channel, pixel_row, pixel);
                reads.push((output.index(channel, row, column), element));
            }
        }
    }
    reads
}
