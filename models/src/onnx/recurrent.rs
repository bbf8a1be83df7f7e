//! `RNN`, `GRU` and `LSTM`, unrolled: each step is the layers of one cell.

use super::compose::Lowered;
use super::error::ImportError;
use super::importer::Importer;
use super::node::{OnnxNode, Value};
use super::operators::{Operator, operator};
use crate::activation::Activation;
use crate::function::Function;

pub(super) const OPERATORS: &[Operator] = &[
    operator("GRU", SETS, &attributes_and("linear_before_reset"), recurrent),
    operator("LSTM", SETS, &attributes_and("input_forget"), recurrent),
    operator("RNN", SETS, &ATTRIBUTES, recurrent),
];

/// The operator sets at which all three changed.
const SETS: &[i64] = &[7, 14, 22];

/// The attributes that all three have.
const ATTRIBUTES: [&str; 7] = [
    "activation_alpha",
    "activation_beta",
    "activations",
    "clip",
    "direction",
    "hidden_size",
    "layout",
];

/// The common attributes and one more.
const fn attributes_and(more: &'static str) -> [&'static str; 8] {
    let [alpha, beta, names, clip, direction, size, layout] = ATTRIBUTES;
    [alpha, beta, names, clip, direction, size, layout, more]
}

/// Which cell, and how many gates it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Rnn,
    Gru,
    Lstm,
}

impl Kind {
    fn gates(self) -> usize {
        match self {
            Self::Rnn => 1,
            Self::Gru => 3,
            Self::Lstm => 4,
        }
    }

    fn default_activations(self) -> &'static [Activation] {
        match self {
            Self::Rnn => &[Activation::Tanh],
            Self::Gru => &[Activation::Sigmoid, Activation::Tanh],
            Self::Lstm => &[Activation::Sigmoid, Activation::Tanh, Activation::Tanh],
        }
    }
}

/// What a node says of all its directions.
struct Settings {
    kind: Kind,
    hidden: usize,
    clip: Option<f64>,
    /// Of `LSTM`: the input gate is the opposite of the forget gate.
    input_forget: bool,
    /// Of `GRU`: the reset gate comes after the product.
    linear_before_reset: bool,
}

/// One direction of one node.
struct Cell<'a> {
    settings: &'a Settings,
    activations: &'a [Activation],
    /// For each gate: weights of the input and of the state, turned for a product on the right.
    weights: Vec<[Value; 2]>,
    /// For each gate: biases of both.
    biases: Vec<[Value; 2]>,
    /// Of `LSTM`: weights of the input, output and forget gates for the cell's state.
    peepholes: Option<[Value; 3]>,
}

fn recurrent(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let batch_first = node.flag("layout", false)?;
    let input = node.operand(0)?;
    let input =
        if batch_first { importer.transposed(node, input, &[1, 0, 2])? } else { input.clone() };
    let &[steps, batch, _] = &importer.shape_of(&input)[..] else {
        return Err(node.wrong_shape("three dimensions", &[&importer.shape_of(&input)]));
    };
    node.has_elements(&[steps, batch])?;
    let reversed: &[bool] = match node.text("direction")? {
        None | Some(b"forward") => &[false],
        Some(b"reverse") => &[true],
        Some(b"bidirectional") => &[false, true],
        Some(_) => {
            return Err(node.wrong_attribute("direction", "forward, reverse or bidirectional"));
        }
    };
    let settings = settings(node, importer, reversed.len())?;
    let activations = activations(node, settings.kind, reversed.len())?;
    check_lengths(node, importer, steps)?;
    let (mut outputs, mut last_states, mut last_cells) = (Vec::new(), Vec::new(), Vec::new());
    for (direction, &backwards) in reversed.iter().enumerate() {
        let per_direction = settings.kind.default_activations().len();
        let cell = Cell {
            settings: &settings,
            activations: &activations[direction * per_direction..][..per_direction],
            weights: weights(node, importer, &settings, direction)?,
            biases: biases(node, importer, &settings, direction)?,
            peepholes: peepholes(node, importer, &settings, direction)?,
        };
        let shape = [batch, settings.hidden];
        let mut state = initial(node, importer, 5, direction, shape, batch_first)?;
        let mut memory = initial(node, importer, 6, direction, shape, batch_first)?;
        let mut states = vec![state.clone(); steps];
        let order: Vec<usize> =
            if backwards { (0..steps).rev().collect() } else { (0..steps).collect() };
        for step in order {
            let x = part(node, importer, &input, 0, step)?;
            (state, memory) = cell.step(node, importer, &x, &state, &memory)?;
            states[step] = state.clone();
        }
        outputs.push(stacked(node, importer, &states)?);
        last_states.push(state);
        last_cells.push(memory);
    }
    let mut results =
        vec![with_directions(node, importer, &outputs, 1)?, stacked(node, importer, &last_states)?];
    if settings.kind == Kind::Lstm {
        results.push(stacked(node, importer, &last_cells)?);
    }
    if batch_first {
        results[0] = importer.transposed(node, &results[0], &[2, 0, 1, 3])?;
        for result in &mut results[1..] {
            *result = importer.transposed(node, result, &[1, 0, 2])?;
        }
    }
    Ok(results)
}

fn settings(
    node: &OnnxNode<'_>,
    importer: &Importer,
    directions: usize,
) -> Result<Settings, ImportError> {
    let kind = match node.op() {
        "LSTM" => Kind::Lstm,
        "GRU" => Kind::Gru,
        _ => Kind::Rnn,
    };
    let shape = importer.shape_of(node.operand(2)?);
    let [given, rows, hidden] = shape[..] else {
        return Err(node.wrong_shape("weights must have three dimensions", &[&shape]));
    };
    let claimed = node.int("hidden_size")?.map_or(Ok(hidden), usize::try_from);
    if given != directions || rows != kind.gates() * hidden || claimed != Ok(hidden) {
        return Err(node.wrong_shape("weights of all gates and directions", &[&shape]));
    }
    Ok(Settings {
        kind,
        hidden,
        clip: node.float("clip")?,
        input_forget: kind == Kind::Lstm && node.flag("input_forget", false)?,
        linear_before_reset: kind == Kind::Gru && node.flag("linear_before_reset", false)?,
    })
}

/// The activations of all directions.
fn activations(
    node: &OnnxNode<'_>,
    kind: Kind,
    directions: usize,
) -> Result<Vec<Activation>, ImportError> {
    let count = kind.default_activations().len() * directions;
    let mut alphas = node.floats("activation_alpha")?.unwrap_or_default().iter();
    let mut betas = node.floats("activation_beta")?.unwrap_or_default().iter();
    let Some(names) = node.texts("activations")? else {
        return Ok(kind.default_activations().repeat(directions));
    };
    if names.len() != count {
        return Err(node.wrong_attribute("activations", "as many as the cell has"));
    }
    let mut next = |default: f64| alphas.next().map_or(default, |&alpha| f64::from(alpha));
    let activation = |name: &Vec<u8>| {
        Ok(match name.to_ascii_lowercase().as_slice() {
            b"relu" => Activation::Relu,
            b"tanh" => Activation::Tanh,
            b"sigmoid" => Activation::Sigmoid,
            b"softsign" => Activation::Softsign,
            b"softplus" => Activation::Softplus,
            b"leakyrelu" => Activation::LeakyRelu { alpha: next(0.01) },
            b"thresholdedrelu" => {
                Activation::Function(Function::ThresholdedRelu { alpha: next(1.0) })
            }
            b"elu" => Activation::Elu { alpha: next(1.0) },
            b"hardsigmoid" => {
                let beta = betas.next().map_or(0.5, |&beta| f64::from(beta));
                Activation::HardSigmoid { alpha: next(0.2), beta }
            }
            _ => return Err(node.wrong_attribute("activations", "functions of the standard")),
        })
    };
    names.iter().map(activation).collect()
}

/// Lengths of sequences must be constant and all of the input's.
fn check_lengths(
    node: &OnnxNode<'_>,
    importer: &Importer,
    steps: usize,
) -> Result<(), ImportError> {
    if node.optional(4).is_none() || importer.shape_of(node.operand(4)?).contains(&0) {
        return Ok(());
    }
    let lengths = node.integers(4)?;
    if lengths.iter().any(|&length| usize::try_from(length) != Ok(steps)) {
        return Err(node.unsupported("sequences shorter than the input; cut the input instead"));
    }
    Ok(())
}

/// The elements at one position of an axis, without the axis.
fn part(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    value: &Value,
    axis: usize,
    position: usize,
) -> Result<Value, ImportError> {
    let mut shape = importer.shape_of(value);
    let mut places: Vec<Vec<usize>> = shape.iter().map(|&size| (0..size).collect()).collect();
    places[axis] = vec![position];
    let picked = importer.picked(node, value, &places)?;
    shape.remove(axis);
    importer.reshaped(node, &picked, shape)
}

/// Rows `gate·hidden ..` of one direction of an operand.
fn rows(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    value: &Value,
    direction: usize,
    range: std::ops::Range<usize>,
) -> Result<Value, ImportError> {
    let value = part(node, importer, value, 0, direction)?;
    let shape = importer.shape_of(&value);
    if range.end > shape[0] {
        return Err(node.wrong_shape("parameters of all gates", &[&shape]));
    }
    let mut places: Vec<Vec<usize>> = shape.iter().map(|&size| (0..size).collect()).collect();
    places[0] = range.collect();
    importer.picked(node, &value, &places)
}

fn weights(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    settings: &Settings,
    direction: usize,
) -> Result<Vec<[Value; 2]>, ImportError> {
    let hidden = settings.hidden;
    let gates = 0..settings.kind.gates();
    let gate = |gate: usize| {
        let range = gate * hidden..(gate + 1) * hidden;
        let mut turned = |index: usize| {
            let rows = rows(node, importer, node.operand(index)?, direction, range.clone())?;
            importer.transposed(node, &rows, &[1, 0])
        };
        Ok([turned(1)?, turned(2)?])
    };
    gates.map(gate).collect()
}

fn biases(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    settings: &Settings,
    direction: usize,
) -> Result<Vec<[Value; 2]>, ImportError> {
    let (hidden, count) = (settings.hidden, settings.kind.gates());
    let zeros = super::constant::Constant::reals(vec![hidden], vec![0.0; hidden]);
    let gate = |gate: usize| {
        let mut bias = |place: usize| match node.optional(3) {
            None => Ok(zeros.clone().into()),
            Some(value) => {
                let range = place * hidden..(place + 1) * hidden;
                rows(node, importer, value, direction, range)
            }
        };
        Ok([bias(gate)?, bias(count + gate)?])
    };
    (0..count).map(gate).collect()
}

fn peepholes(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    settings: &Settings,
    direction: usize,
) -> Result<Option<[Value; 3]>, ImportError> {
    let Some(value) = node.optional(7).filter(|_| settings.kind == Kind::Lstm) else {
        return Ok(None);
    };
    let mut weight = |place: usize| {
        let range = place * settings.hidden..(place + 1) * settings.hidden;
        rows(node, importer, value, direction, range)
    };
    Ok(Some([weight(0)?, weight(1)?, weight(2)?]))
}

/// The state before the first step: the operand at `index`, or zeros.
fn initial(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    index: usize,
    direction: usize,
    shape: [usize; 2],
    batch_first: bool,
) -> Result<Value, ImportError> {
    let given = node.optional(index).filter(|_| index == 5 || node.op() == "LSTM");
    let Some(value) = given else {
        let count = importer.budget.elements(&node.name, &shape)?;
        return Ok(super::constant::Constant::reals(shape.to_vec(), vec![0.0; count]).into());
    };
    let axis = usize::from(batch_first);
    let state = part(node, importer, value, axis, direction)?;
    if importer.shape_of(&state) != shape {
        return Err(node.wrong_shape("an initial state of batch and hidden size", &[&shape]));
    }
    Ok(state)
}

/// Values of one shape along a new first axis.
fn stacked(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    values: &[Value],
) -> Result<Value, ImportError> {
    with_directions(node, importer, values, 0)
}

/// Values of one shape along a new axis.
fn with_directions(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    values: &[Value],
    axis: usize,
) -> Result<Value, ImportError> {
    let mut wide = Vec::new();
    for value in values {
        let mut shape = importer.shape_of(value);
        shape.insert(axis, 1);
        wide.push(importer.reshaped(node, value, shape)?);
    }
    importer.joined(node, &wide, axis)
}

impl Cell<'_> {
    /// State and memory after one step.
    fn step(
        &self,
        node: &OnnxNode<'_>,
        importer: &mut Importer,
        x: &Value,
        state: &Value,
        memory: &Value,
    ) -> Result<(Value, Value), ImportError> {
        match self.settings.kind {
            Kind::Rnn => {
                let sum = self.sum(node, importer, 0, x, state)?;
                let state = self.activated(node, importer, &sum, self.activations[0])?;
                Ok((state, memory.clone()))
            }
            Kind::Gru => Ok((self.gru(node, importer, x, state)?, memory.clone())),
            Kind::Lstm => self.lstm(node, importer, x, state, memory),
        }
    }

    /// `x·W' + h·R' + b` of a gate.
    fn sum(
        &self,
        node: &OnnxNode<'_>,
        importer: &mut Importer,
        gate: usize,
        x: &Value,
        state: &Value,
    ) -> Result<Value, ImportError> {
        let from_input = self.product(node, importer, gate, 0, x)?;
        let from_state = self.product(node, importer, gate, 1, state)?;
        importer.add(node, &from_input, &from_state)
    }

    /// The product of input or state with the weights of a gate, and its bias.
    fn product(
        &self,
        node: &OnnxNode<'_>,
        importer: &mut Importer,
        gate: usize,
        side: usize,
        value: &Value,
    ) -> Result<Value, ImportError> {
        let product = importer.matrix_product(node, value, &self.weights[gate][side])?;
        importer.add(node, &product, &self.biases[gate][side])
    }

    fn activated(
        &self,
        node: &OnnxNode<'_>,
        importer: &mut Importer,
        value: &Value,
        activation: Activation,
    ) -> Result<Value, ImportError> {
        match self.settings.clip {
            None => importer.apply(node, value, activation),
            Some(clip) => {
                let bounds = Activation::Clip { min: -clip.abs(), max: clip.abs() };
                let clipped = importer.apply(node, value, bounds)?;
                importer.apply(node, &clipped, activation)
            }
        }
    }

    fn gru(
        &self,
        node: &OnnxNode<'_>,
        importer: &mut Importer,
        x: &Value,
        state: &Value,
    ) -> Result<Value, ImportError> {
        let (update, reset, new) = (0, 1, 2);
        let sum = self.sum(node, importer, update, x, state)?;
        let z = self.activated(node, importer, &sum, self.activations[0])?;
        let sum = self.sum(node, importer, reset, x, state)?;
        let r = self.activated(node, importer, &sum, self.activations[0])?;
        let from_input = self.product(node, importer, new, 0, x)?;
        let from_state = if self.settings.linear_before_reset {
            let product = self.product(node, importer, new, 1, state)?;
            importer.product(node, &r, &product)?
        } else {
            let kept = importer.product(node, &r, state)?;
            self.product(node, importer, new, 1, &kept)?
        };
        let sum = importer.add(node, &from_input, &from_state)?;
        let candidate = self.activated(node, importer, &sum, self.activations[1])?;
        // (1 − z)·n + z·h = n + z·(h − n).
        let difference = importer.sub(node, state, &candidate)?;
        let kept = importer.product(node, &z, &difference)?;
        importer.add(node, &candidate, &kept)
    }

    fn lstm(
        &self,
        node: &OnnxNode<'_>,
        importer: &mut Importer,
        x: &Value,
        state: &Value,
        memory: &Value,
    ) -> Result<(Value, Value), ImportError> {
        let (input, output, forget, new) = (0, 1, 2, 3);
        let gate = |importer: &mut Importer, gate: usize, memory: &Value| {
            let mut sum = self.sum(node, importer, gate, x, state)?;
            if let Some(peepholes) = &self.peepholes {
                let seen = importer.product(node, memory, &peepholes[gate])?;
                sum = importer.add(node, &sum, &seen)?;
            }
            self.activated(node, importer, &sum, self.activations[0])
        };
        let i = gate(importer, input, memory)?;
        let f = if self.settings.input_forget {
            importer.scaled(node, &i, -1.0, 1.0)?
        } else {
            gate(importer, forget, memory)?
        };
        let sum = self.sum(node, importer, new, x, state)?;
        let candidate = self.activated(node, importer, &sum, self.activations[1])?;
        let kept = importer.product(node, &f, memory)?;
        let added = importer.product(node, &i, &candidate)?;
        let memory = importer.add(node, &kept, &added)?;
        let o = gate(importer, output, &memory)?;
        let shown = importer.apply(node, &memory, self.activations[2])?;
        Ok((importer.product(node, &o, &shown)?, memory))
    }
}
