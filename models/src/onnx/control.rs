//! Control flow that is decided when the file is read: branches that are taken, loops that are
//! unrolled.

use super::compose::Lowered;
use super::constant::{Constant, Data};
use super::error::ImportError;
use super::importer::Importer;
use super::node::{OnnxNode, Value};
use super::operators::{Operator, operator};
use super::proto::GraphProto;

pub(super) const OPERATORS: &[Operator] = &[
    operator(
        "If",
        &[1, 11, 13, 16, 19, 21, 23, 24, 25],
        &["else_branch", "then_branch"],
        choose_branch,
    ),
    operator("Loop", &[1, 11, 13, 16, 19, 21, 23, 24, 25], &["body"], repeat),
    operator(
        "Scan",
        &[8, 9, 11, 16, 19, 21, 23, 24, 25],
        &[
            "body",
            "directions",
            "num_scan_inputs",
            "scan_input_axes",
            "scan_input_directions",
            "scan_output_axes",
            "scan_output_directions",
        ],
        scan,
    ),
];

/// Most rounds of one loop.
const ROUNDS: usize = 1 << 12;

/// The boolean that an operand is, which must be known.
fn condition(node: &OnnxNode<'_>, index: usize) -> Result<bool, ImportError> {
    match node.constant(index)?.to_reals()[..] {
        [condition] => Ok(condition != 0.0),
        _ => Err(node.wrong_operand(index, "one boolean")),
    }
}

/// `If` with a constant condition: the nodes of its branch.
fn choose_branch(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let branches = [node.graph("else_branch")?, node.graph("then_branch")?];
    let graph = branches[usize::from(condition(node, 0)?)];
    let graph = graph.ok_or_else(|| node.wrong_attribute("then_branch", "a graph"))?;
    importer.inlined(node, graph)
}

/// The graph that a loop repeats.
fn body<'a>(node: &OnnxNode<'a>) -> Result<&'a GraphProto, ImportError> {
    node.graph("body")?.ok_or_else(|| node.wrong_attribute("body", "a graph"))
}

fn number(number: usize) -> Value {
    let number = i64::try_from(number).unwrap_or(i64::MAX);
    Constant { shape: Vec::new(), data: Data::Integer(vec![number]) }.into()
}

/// `Loop` whose number of rounds is known: each round is the body once more. The condition may be
/// computed in the body, from constants.
fn repeat(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let graph = body(node)?;
    let most = match node.optional(0) {
        None => None,
        Some(_) => match node.integers(0)? {
            &[most] => Some(usize::try_from(most).unwrap_or(0)),
            _ => return Err(node.wrong_operand(0, "one integer")),
        },
    };
    let mut goes_on = node.optional(1).is_none() || condition(node, 1)?;
    let carried = node.operand_count().saturating_sub(2);
    let mut state = given(node, 2..2 + carried)?;
    let outputs = graph.output.len();
    if graph.input.len() != carried + 2 || outputs < carried + 1 {
        return Err(node.wrong_attribute("body", "a graph with these operands"));
    }
    let mut collected = vec![Vec::new(); outputs - carried - 1];
    let mut round = 0;
    while goes_on && most.is_none_or(|most| round < most) {
        if round >= ROUNDS {
            return Err(node.unsupported("a loop of more than 4096 rounds"));
        }
        let holds = Constant { shape: Vec::new(), data: Data::Integer(vec![1]) }.into();
        let inputs = [number(round), holds].into_iter().chain(state).collect();
        let mut results = importer.unrolled(node, graph, inputs)?.into_iter();
        goes_on = match results.next() {
            Some(Value::Constant(holds)) if holds.data.len() == 1 => holds.to_reals()[0] != 0.0,
            _ => {
                return Err(node.unsupported(
                    "a condition that depends on the input after a round; export a loop whose \
                     number of rounds is known",
                ));
            }
        };
        state = results.by_ref().take(carried).collect();
        collected.iter_mut().zip(results).for_each(|(list, value)| list.push(value));
        round += 1;
    }
    for list in collected {
        let stacked = importer.stacked(node, &list, 0, false)?;
        state.push(stacked);
    }
    Ok(state)
}

/// `Scan`: the body once for each slice of its operands; in operator set 8 for each item of a batch.
fn scan(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    if node.opset < 9 {
        return scan_batch(node, importer);
    }
    let operands = given(node, 0..node.operand_count())?;
    scan_once(node, importer, operands, "scan_input_directions")
}

/// `Scan` of operator set 8: operands after the first are batches, of which every item is scanned by
/// itself.
fn scan_batch(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    if node.optional(0).is_some() {
        return Err(node.unsupported("lengths of sequences; scan whole ones"));
    }
    let operands = given(node, 1..node.operand_count())?;
    let mut items: Vec<Vec<Value>> = Vec::new();
    for operand in &operands {
        let is_batch = !importer.shape_of(operand).is_empty();
        items.push(if is_batch { importer.slices(node, operand, 0, false)? } else { Vec::new() });
    }
    let batch = items.first().map_or(0, Vec::len);
    if batch == 0 || items.iter().any(|list| list.len() != batch) {
        return Err(node.unsupported("operands of different batches"));
    }
    let mut results: Vec<Vec<Value>> = Vec::new();
    for item in 0..batch {
        let operands = items.iter().map(|list| list[item].clone()).collect();
        results.push(scan_once(node, importer, operands, "directions")?);
    }
    let outputs = results[0].len();
    let of_output = |output: usize| results.iter().map(|list| list[output].clone()).collect();
    let batches: Vec<Vec<Value>> = (0..outputs).map(of_output).collect();
    batches.iter().map(|list| importer.stacked(node, list, 0, false)).collect()
}

/// The body once for each slice of the last operands, the others being what is handed on.
fn scan_once(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    given: Vec<Value>,
    directions: &'static str,
) -> Lowered {
    let graph = body(node)?;
    let scanned = node.int("num_scan_inputs")?.and_then(|count| usize::try_from(count).ok());
    let states = scanned.and_then(|scanned| given.len().checked_sub(scanned));
    let (Some(scanned), Some(states)) = (scanned.filter(|count| *count > 0), states) else {
        return Err(node.wrong_attribute("num_scan_inputs", "1 to the number of operands"));
    };
    let outputs = graph.output.len();
    if graph.input.len() != states + scanned || outputs < states {
        return Err(node.wrong_attribute("body", "a graph with these operands"));
    }
    let list = |name: &'static str, count: usize| match node.ints(name)? {
        None => Ok(vec![0; count]),
        Some(list) if list.len() == count => Ok(list.to_vec()),
        Some(_) => Err(node.wrong_attribute(name, "one number for each scanned tensor")),
    };
    let axes = list("scan_input_axes", scanned)?;
    let backwards = list(directions, scanned)?;
    let output_axes = list("scan_output_axes", outputs - states)?;
    let output_backwards = list("scan_output_directions", outputs - states)?;
    let mut state = given;
    let operands = state.split_off(states);
    let is_plain = |list: &[i64]| list.iter().all(|&number| number == 0);
    if [&axes, &backwards, &output_axes, &output_backwards].into_iter().all(|list| is_plain(list))
        && super::rounds::are_apart(graph, states)
        && let Some(results) = super::rounds::at_once(node, importer, (graph, &state), &operands)?
    {
        return Ok(results);
    }
    let mut slices: Vec<Vec<Value>> = Vec::new();
    for ((operand, &axis), &backward) in operands.iter().zip(&axes).zip(&backwards) {
        let axis = node.axis(axis, importer.shape_of(operand).len())?;
        slices.push(importer.slices(node, operand, axis, backward != 0)?);
    }
    let rounds = slices[0].len();
    if rounds > ROUNDS || slices.iter().any(|list| list.len() != rounds) {
        return Err(node.unsupported("scanned tensors of different lengths, or longer than 4096"));
    }
    let mut collected = vec![Vec::new(); outputs - states];
    for round in 0..rounds {
        let slices = slices.iter().map(|list| list[round].clone());
        let inputs = state.into_iter().chain(slices).collect();
        let mut results = importer.unrolled(node, graph, inputs)?.into_iter();
        state = results.by_ref().take(states).collect();
        collected.iter_mut().zip(results).for_each(|(list, value)| list.push(value));
    }
    for ((list, axis), backward) in collected.into_iter().zip(output_axes).zip(output_backwards) {
        let rank = list.first().map_or(0, |value| importer.shape_of(value).len());
        let axis = node.axis(axis, rank + 1)?;
        let stacked = importer.stacked(node, &list, axis, backward != 0)?;
        state.push(stacked);
    }
    Ok(state)
}

/// The operands in a range, which must be given.
fn given(node: &OnnxNode<'_>, range: std::ops::Range<usize>) -> Lowered {
    range.map(|index| node.operand(index).cloned()).collect()
}

impl Importer {
    /// The slices of a value along an axis, which they do not have.
    pub(super) fn slices(
        &mut self,
        node: &OnnxNode<'_>,
        value: &Value,
        axis: usize,
        backward: bool,
    ) -> Lowered {
        let shape = self.shape_of(value);
        let mut kept = shape.clone();
        kept.remove(axis);
        let slice = |importer: &mut Self, place: usize| {
            let mut axes: Vec<Vec<usize>> = shape.iter().map(|&size| (0..size).collect()).collect();
            axes[axis] = vec![place];
            let picked = importer.picked(node, value, &axes)?;
            importer.reshaped(node, &picked, kept.clone())
        };
        let mut slices =
            (0..shape[axis]).map(|place| slice(self, place)).collect::<Result<Vec<_>, _>>()?;
        if backward {
            slices.reverse();
        }
        Ok(slices)
    }

    /// Values of one shape, one after the other along a new axis.
    pub(super) fn stacked(
        &mut self,
        node: &OnnxNode<'_>,
        values: &[Value],
        axis: usize,
        backward: bool,
    ) -> Result<Value, ImportError> {
        let slice = |importer: &mut Self, value: &Value| {
            let mut shape = importer.shape_of(value);
            shape.insert(axis, 1);
            importer.reshaped(node, value, shape)
        };
        let mut slices =
            values.iter().map(|value| slice(self, value)).collect::<Result<Vec<_>, _>>()?;
        if backward {
            slices.reverse();
        }
        match &slices[..] {
            [] => Err(node.unsupported("a loop without rounds that collects values")),
            _ => self.joined(node, &slices, axis),
        }
    }
}
