//! Sequences and optional values whose length and places are known: lists of values, of which nothing
//! is left in the graph.

use super::compose::Lowered;
use super::constant::{Constant, Data};
use super::element::Element;
use super::error::ImportError;
use super::importer::Importer;
use super::node::{OnnxNode, Value};
use super::operators::{Operator, operator};

pub(super) const OPERATORS: &[Operator] = &[
    operator("ConcatFromSequence", &[11], &["axis", "new_axis"], concat).taking_sequences(),
    operator("Optional", &[15, 28], &["type"], optional).taking_sequences(),
    operator("OptionalGetElement", &[15, 18, 28], &[], optional).taking_sequences(),
    operator("OptionalHasElement", &[15, 18, 28], &[], has_element).taking_sequences(),
    operator("SequenceAt", &[11], &[], at).taking_sequences(),
    operator("SequenceConstruct", &[11], &[], construct),
    operator("SequenceEmpty", &[11], &["dtype"], empty),
    operator("SequenceErase", &[11], &[], erase).taking_sequences(),
    operator("SequenceInsert", &[11], &[], insert).taking_sequences(),
    operator("SequenceLength", &[11], &[], length).taking_sequences(),
    operator("SequenceMap", &[17], &["body"], map).taking_sequences(),
    operator("SplitToSequence", &[11, 24], &["axis", "keepdims"], split),
];

/// The sequence that an operand is.
fn sequence(
    node: &OnnxNode<'_>,
    importer: &Importer,
    index: usize,
) -> Result<Vec<Value>, ImportError> {
    let found = importer.sequences.get(node.operand_name(index)).cloned();
    found.ok_or_else(|| node.wrong_operand(index, "a sequence that the graph makes"))
}

/// Makes the node's output a sequence; no tensor has its name.
fn give(node: &OnnxNode<'_>, importer: &mut Importer, list: Vec<Value>) -> Lowered {
    if let Some(name) = node.outputs().first() {
        importer.sequences.insert(name.clone(), list);
    }
    Ok(Vec::new())
}

/// The place that an operand names among so many, from the end where it is negative; the last one
/// where the operand is left out.
fn place(node: &OnnxNode<'_>, index: usize, length: usize) -> Result<usize, ImportError> {
    let expected = || node.wrong_operand(index, "a place in the sequence");
    let Some(last) = length.checked_sub(1) else { return Err(expected()) };
    if node.optional(index).is_none() {
        return Ok(last);
    }
    let &[place] = node.integers(index)? else { return Err(expected()) };
    let signed = i64::try_from(length).unwrap_or(i64::MAX);
    let turned = if place < 0 { place.saturating_add(signed) } else { place };
    usize::try_from(turned).ok().filter(|&place| place < length).ok_or_else(expected)
}

fn construct(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let list = (0..node.operand_count()).map(|index| node.operand(index).cloned());
    let list = list.collect::<Result<_, _>>()?;
    give(node, importer, list)
}

fn empty(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    node.has_no_effect(&["dtype"]);
    give(node, importer, Vec::new())
}

fn insert(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let mut list = sequence(node, importer, 0)?;
    // There is one place more than elements: behind all of them.
    let place = place(node, 2, list.len() + 1)?;
    list.insert(place, node.operand(1)?.clone());
    give(node, importer, list)
}

fn erase(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let mut list = sequence(node, importer, 0)?;
    list.remove(place(node, 1, list.len())?);
    give(node, importer, list)
}

fn at(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let mut list = sequence(node, importer, 0)?;
    node.operand(1)?;
    let place = place(node, 1, list.len())?;
    Ok(vec![list.swap_remove(place)])
}

fn length(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let length = i64::try_from(sequence(node, importer, 0)?.len()).unwrap_or(i64::MAX);
    Ok(vec![Constant { shape: Vec::new(), data: Data::Integer(vec![length]) }.into()])
}

/// `ConcatFromSequence`: along an axis that the elements have, or along a new one.
fn concat(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let list = sequence(node, importer, 0)?;
    let Some(first) = list.first() else {
        return Err(node.wrong_operand(0, "a sequence of one element or more"));
    };
    let rank = importer.shape_of(first).len();
    let axis = node.int("axis")?.ok_or_else(|| node.wrong_attribute("axis", "given"))?;
    if node.flag("new_axis", false)? {
        let axis = node.axis(axis, rank + 1)?;
        return Ok(vec![importer.stacked(node, &list, axis, false)?]);
    }
    let axis = node.axis(axis, rank)?;
    Ok(vec![importer.joined(node, &list, axis)?])
}

/// `SplitToSequence`: parts of a size, of these sizes, or of one element without the axis.
fn split(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let value = node.operand(0)?;
    let shape = importer.shape_of(value);
    let axis = node.axis(node.int("axis")?.unwrap_or(0), shape.len())?;
    let keeps = node.flag("keepdims", true)?;
    if node.optional(1).is_none() && !keeps {
        let list = importer.slices(node, value, axis, false)?;
        return give(node, importer, list);
    }
    let sizes = match node.optional(1) {
        None => vec![1; shape[axis]],
        Some(given) if importer.shape_of(given).is_empty() => {
            let size = super::movement::sizes(node, 1)?[0];
            if size == 0 {
                return Err(node.wrong_operand(1, "1 or more"));
            }
            let starts = (0..shape[axis]).step_by(size);
            starts.map(|start| size.min(shape[axis] - start)).collect()
        }
        Some(_) => super::movement::sizes(node, 1)?,
    };
    if sizes.iter().fold(0usize, |sum, &size| sum.saturating_add(size)) != shape[axis] {
        return Err(node.wrong_operand(1, "sizes that are the length of the axis together"));
    }
    let mut list = Vec::new();
    let mut start = 0;
    for size in sizes {
        let mut places: Vec<Vec<usize>> = shape.iter().map(|&n| (0..n).collect()).collect();
        places[axis] = (start..start + size).collect();
        list.push(importer.picked(node, value, &places)?);
        start += size;
    }
    give(node, importer, list)
}

/// `SequenceMap`: the body once for each element; tensors are the same for all.
fn map(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let graph = node.graph("body")?.ok_or_else(|| node.wrong_attribute("body", "a graph"))?;
    let rounds = sequence(node, importer, 0)?.len();
    let mut lists = vec![Vec::new(); node.outputs().len()];
    if graph.input.len() != node.operand_count() || graph.output.len() != lists.len() {
        return Err(node.wrong_attribute("body", "a graph with these operands and outputs"));
    }
    for round in 0..rounds {
        let operand = |index: usize| match importer.sequences.get(node.operand_name(index)) {
            Some(list) => list
                .get(round)
                .cloned()
                .ok_or_else(|| node.wrong_operand(index, "a sequence as long as the first")),
            None => node.operand(index).cloned(),
        };
        let inputs = (0..node.operand_count()).map(operand).collect::<Result<_, _>>()?;
        let results = importer.unrolled(node, graph, inputs)?;
        lists.iter_mut().zip(results).for_each(|(list, value)| list.push(value));
    }
    for (name, list) in node.outputs().iter().zip(lists) {
        importer.sequences.insert(name.clone(), list);
    }
    Ok(Vec::new())
}

/// `Optional`, `OptionalGetElement`: the value itself.
fn optional(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    node.has_no_effect(&["type"]);
    match importer.sequences.get(node.operand_name(0)).cloned() {
        Some(list) => give(node, importer, list),
        None => match node.optional(0) {
            Some(value) => Ok(vec![value.clone()]),
            None => Err(node.unsupported("an optional value that is not there")),
        },
    }
}

/// `OptionalHasElement`: whether the operand is given, which is known.
fn has_element(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let is_list = importer.sequences.contains_key(node.operand_name(0));
    let has = i64::from(is_list || node.optional(0).is_some());
    let constant = Constant { shape: Vec::new(), data: Data::Integer(vec![has]) };
    Ok(vec![super::constants::cast_constant(node, &constant, Element::Boolean)?])
}

impl Importer {
    /// Refuses sequences where an operation knows tensors only.
    pub(super) fn check_sequences(
        &self,
        node: &OnnxNode<'_>,
        operator: &Operator,
    ) -> Result<(), ImportError> {
        let is_sequence = |index: usize| {
            node.optional(index).is_none() && self.sequences.contains_key(node.operand_name(index))
        };
        match operator.takes_sequences || !(0..node.operand_count()).any(is_sequence) {
            true => Ok(()),
            false => Err(node.unsupported(
                "a sequence; take tensors out of it with SequenceAt or ConcatFromSequence first",
            )),
        }
    }
}
