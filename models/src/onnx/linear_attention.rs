//! Attention with a state in place of keys, and the convolution before it.

use super::compose::{Lowered, count};
use super::constant::Constant;
use super::error::ImportError;
use super::importer::Importer;
use super::node::{OnnxNode, Value};
use super::operators::{Operator, operator};
use crate::activation::Activation;

pub(super) const OPERATORS: &[Operator] = &[
    operator("CausalConvWithState", &[27], &["activation"], causal_conv),
    operator(
        "LinearAttention",
        &[27],
        &["chunk_size", "kv_num_heads", "q_num_heads", "scale", "update_rule"],
        linear_attention,
    ),
];

/// `CausalConvWithState`: each channel on its own, over its past and itself.
fn causal_conv(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let value = node.operand(0)?;
    let shape = importer.shape_of(value);
    let (weight_shape, weights) = node.reals(1)?;
    let &[batch, channels, length] = &shape[..] else {
        return Err(node.wrong_shape("batch, channels and length", &[&shape]));
    };
    let taps = weight_shape.last().copied().unwrap_or(0);
    if *weight_shape != [channels, 1, taps] || taps == 0 {
        return Err(node.wrong_shape("weights [channels, 1, taps]", &[&shape, weight_shape]));
    }
    let function = match node.text("activation")? {
        None | Some(b"none" | b"") => Activation::Identity,
        Some(b"silu" | b"swish") => Activation::Silu,
        Some(_) => return Err(node.wrong_attribute("activation", "none, silu or swish")),
    };
    let past_shape = vec![batch, channels, taps - 1];
    let mut line = value.clone();
    if taps > 1 {
        let zeros =
            || Constant::reals(past_shape.clone(), vec![0.0; batch * channels * (taps - 1)]);
        importer.budget.elements(&node.name, &past_shape)?;
        let past = node.optional(3).cloned().unwrap_or_else(|| zeros().into());
        if importer.shape_of(&past) != past_shape {
            return Err(node.wrong_shape("a past as long as the kernel less one", &[&past_shape]));
        }
        line = importer.joined(node, &[past, line], 2)?;
    }
    let part = |importer: &mut Importer, from: usize, size: usize| {
        let axes = [(0..batch).collect(), (0..channels).collect(), (from..from + size).collect()];
        importer.picked(node, &line, &axes)
    };
    let mut sum: Option<Value> = None;
    for tap in 0..taps {
        let slice = part(importer, tap, length)?;
        let kernel = (0..channels).map(|channel| weights[channel * taps + tap]).collect();
        let kernel = Constant::reals(vec![channels, 1], kernel).into();
        let scaled = importer.product(node, &slice, &kernel)?;
        sum = Some(match sum {
            None => scaled,
            Some(sum) => importer.add(node, &sum, &scaled)?,
        });
    }
    let mut result = sum.ok_or_else(|| node.wrong_operand(1, "not empty"))?;
    if let Some(bias) = node.optional(2) {
        let bias = importer.reshaped(node, bias, vec![channels, 1])?;
        result = importer.add(node, &result, &bias)?;
    }
    let mut results = vec![importer.apply(node, &result, function)?];
    if taps > 1 {
        results.push(part(importer, length, taps - 1)?);
    }
    Ok(results)
}

/// How the state changes with each token.
#[derive(Clone, Copy, Debug)]
struct Rule {
    decays: bool,
    corrects: bool,
}

/// The heads of a node, and the sizes of its tensors.
struct Heads {
    batch: usize,
    tokens: usize,
    queries: usize,
    states: usize,
    key: usize,
    value: usize,
}

/// `LinearAttention`: token by token. The state is a matrix for each head, to which every token adds
/// the product of its key and its value; a query reads it.
fn linear_attention(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    // How a runtime may cut the sequence.
    node.has_no_effect(&["chunk_size"]);
    let rule = match node.text("update_rule")?.unwrap_or(b"gated_delta") {
        b"linear" => Rule { decays: false, corrects: false },
        b"gated" => Rule { decays: true, corrects: false },
        b"delta" => Rule { decays: false, corrects: true },
        b"gated_delta" => Rule { decays: true, corrects: true },
        _ => return Err(node.wrong_attribute("update_rule", "a rule of the standard")),
    };
    let heads = heads(node, importer)?;
    let scale = match node.float("scale")?.unwrap_or(0.0) {
        0.0 => 1.0 / libm::sqrt(count(heads.key)),
        scale => scale,
    };
    let past = [heads.batch, heads.states, heads.key, heads.value];
    let mut state = match node.optional(3) {
        Some(state) if importer.shape_of(state) == past => Some(state.clone()),
        Some(state) => {
            return Err(node.wrong_shape("a state of these heads", &[&importer.shape_of(state)]));
        }
        None => None,
    };
    let rows = Rows::new(node, importer, &heads, rule)?;
    let mut outputs = Vec::new();
    for token in 0..heads.tokens {
        state = Some(rows.step(node, importer, state, token)?);
        let Some(state) = &state else { continue };
        outputs.push(rows.read(node, importer, (state, &heads, scale), token)?);
    }
    let output = importer.stacked(node, &outputs, 1, false)?;
    let shape = vec![heads.batch, heads.tokens, heads.queries * heads.value];
    let output = importer.reshaped(node, &output, shape)?;
    let state = state.ok_or_else(|| node.wrong_operand(0, "of at least one token"))?;
    Ok(vec![output, state])
}

fn heads(node: &OnnxNode<'_>, importer: &Importer) -> Result<Heads, ImportError> {
    let number = |name: &'static str| {
        let number = node.int(name)?.and_then(|number| usize::try_from(number).ok());
        number.filter(|n| *n > 0).ok_or_else(|| node.wrong_attribute(name, "1 or more"))
    };
    let (queries, states) = (number("q_num_heads")?, number("kv_num_heads")?);
    let shapes = [0, 1, 2].map(|index| node.operand(index).map(|v| importer.shape_of(v)));
    let [q, k, v] = shapes;
    let (q, k, v) = (q?, k?, v?);
    let fits = q.len() == 3
        && k.len() == 3
        && v.len() == 3
        && queries % states == 0
        && q[2] % queries == 0
        && k[2] % states == 0
        && v[2] % states == 0
        && q[2] / queries == k[2] / states
        && q[..2] == k[..2]
        && k[..2] == v[..2];
    if !fits {
        return Err(node.wrong_shape("query, key and value of these heads", &[&q, &k, &v]));
    }
    let (key, value) = (k[2] / states, v[2] / states);
    Ok(Heads { batch: q[0], tokens: q[1], queries, states, key, value })
}

/// What each token brings: rows `[batch, heads, …]` in the order of tokens.
struct Rows {
    queries: Vec<Value>,
    keys: Vec<Value>,
    values: Vec<Value>,
    decays: Option<Vec<Value>>,
    rates: Option<Vec<Value>>,
}

impl Rows {
    fn new(
        node: &OnnxNode<'_>,
        importer: &mut Importer,
        heads: &Heads,
        rule: Rule,
    ) -> Result<Self, ImportError> {
        let Heads { batch, tokens, queries, states, key, value } = *heads;
        let groups = queries / states;
        let rows = |importer: &mut Importer, index: usize, shape: &[usize]| {
            let all = node.operand(index)?;
            let shape = [&[batch, tokens], shape].concat();
            if importer.shape_of(all).iter().product::<usize>() != shape.iter().product::<usize>() {
                return Err(node.wrong_shape("a number for each head", &[&shape]));
            }
            let all = importer.reshaped(node, all, shape)?;
            importer.slices(node, &all, 1, false)
        };
        let decays = match rule.decays {
            false => None,
            true => {
                let width = importer.shape_of(node.operand(4)?).last().copied().unwrap_or(0);
                let width = if width == states * key { key } else { 1 };
                let exponents = rows(importer, 4, &[states, width, 1])?;
                let decay = |exponent: &Value| importer.apply(node, exponent, Activation::Exp);
                Some(exponents.iter().map(decay).collect::<Result<_, _>>()?)
            }
        };
        let rates = match rule.corrects {
            false => None,
            true => {
                let width = importer.shape_of(node.operand(5)?).last().copied().unwrap_or(0);
                let width = if width == states { states } else { 1 };
                Some(rows(importer, 5, &[width, 1, 1])?)
            }
        };
        Ok(Self {
            queries: rows(importer, 0, &[states, groups, key])?,
            keys: rows(importer, 1, &[states, key, 1])?,
            values: rows(importer, 2, &[states, 1, value])?,
            decays,
            rates,
        })
    }

    /// The state after a token.
    fn step(
        &self,
        node: &OnnxNode<'_>,
        importer: &mut Importer,
        state: Option<Value>,
        token: usize,
    ) -> Result<Value, ImportError> {
        let (key, value) = (&self.keys[token], &self.values[token]);
        let state = match (state, &self.decays) {
            (Some(state), Some(decays)) => Some(importer.product(node, &state, &decays[token])?),
            (state, _) => state,
        };
        let mut news = value.clone();
        if let Some(rates) = &self.rates {
            if let Some(state) = &state {
                let row = importer.transposed(node, key, &[0, 1, 3, 2])?;
                let known = importer.matrix_product(node, &row, state)?;
                news = importer.sub(node, &news, &known)?;
            }
            news = importer.product(node, &news, &rates[token])?;
        }
        let added = importer.product(node, key, &news)?;
        match state {
            Some(state) => importer.add(node, &state, &added),
            None => Ok(added),
        }
    }

    /// What the queries of a token read: `[batch, heads · value]`.
    fn read(
        &self,
        node: &OnnxNode<'_>,
        importer: &mut Importer,
        (state, heads, scale): (&Value, &Heads, f64),
        token: usize,
    ) -> Result<Value, ImportError> {
        let query = importer.scaled(node, &self.queries[token], scale, 0.0)?;
        let read = importer.matrix_product(node, &query, state)?;
        importer.reshaped(node, &read, vec![heads.batch, heads.queries * heads.value])
    }
}
