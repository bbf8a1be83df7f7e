//! `TopK`: places by the number of elements that come before each.

use super::compose::{Lowered, count};
use super::constant::{Constant, Data};
use super::element::Element;
use super::error::ImportError;
use super::importer::Importer;
use super::node::{OnnxNode, Value};
use super::operators::{Operator, operator};
use super::selection::POSITION;
use crate::activation::Activation;
use crate::function::Function;

pub(super) const OPERATORS: &[Operator] =
    &[operator("TopK", &[1, 10, 11, 24], &["axis", "k", "largest", "sorted"], top_k)];

/// Longest axis: there is a comparison for each pair of its elements.
const LONGEST: usize = 256;

/// `TopK`: the largest or smallest elements of an axis and their positions, in order; of equal ones
/// the first comes first.
fn top_k(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    // Any order will do where none is asked for.
    node.has_no_effect(&["sorted"]);
    let kind = Importer::element_of(node.operand(0)?);
    let value = node.operand(0)?.clone().with_element(Element::Real);
    let shape = importer.shape_of(&value);
    let axis = node.axis(node.int("axis")?.unwrap_or(-1), shape.len())?;
    let largest = node.flag("largest", true)?;
    let wanted = if node.opset < 10 {
        node.int("k")?.unwrap_or(0)
    } else {
        match node.integers(1)? {
            &[wanted] => wanted,
            _ => return Err(node.wrong_operand(1, "one integer")),
        }
    };
    let size = shape[axis];
    let wanted = usize::try_from(wanted).ok().filter(|wanted| (1..=size).contains(wanted));
    let wanted = wanted.ok_or_else(|| node.wrong_operand(1, "1 to the length of the axis"))?;
    if let Value::Constant(constant) = &value {
        return Ok(of_constant(constant, axis, wanted, largest));
    }
    if size > LONGEST {
        return Err(node.unsupported(
            "an axis of more than 256 elements; prove the elements, and take the largest of the claim's",
        ));
    }
    let mut order: Vec<usize> = (0..shape.len()).filter(|&other| other != axis).collect();
    order.push(axis);
    let moved = importer.transposed(node, &value, &order)?;
    let rows = shape.iter().product::<usize>() / size.max(1);
    importer.budget.elements(&node.name, &[rows, size, size])?;
    let flat = importer.reshaped(node, &moved, vec![rows, size])?;
    let ranks = importer.ranks(node, &flat, largest)?;
    // For each wanted rank a row with a 1 at its place.
    let ranks = importer.reshaped(node, &ranks, vec![rows, 1, size])?;
    let wanted_ranks = Constant::reals(vec![wanted, 1], (0..wanted).map(count).collect());
    let distance = importer.sub(node, &ranks, &wanted_ranks.into())?;
    let is_place = importer.apply(node, &distance, Activation::Function(Function::IsZero))?;
    let positions = Constant::reals(vec![size, 1], (0..size).map(count).collect());
    let positions = importer.matrix_product(node, &is_place, &positions.into())?;
    let column = importer.reshaped(node, &flat, vec![rows, size, 1])?;
    let values = importer.matrix_product(node, &is_place, &column)?;
    let outer: Vec<usize> = order[..shape.len() - 1].iter().map(|&axis| shape[axis]).collect();
    let mut back: Vec<usize> = (0..shape.len() - 1).collect();
    back.insert(axis, shape.len() - 1);
    let mut results = Vec::new();
    for (result, kind) in [(values, kind), (positions, POSITION)] {
        let result = importer.reshaped(node, &result, [&outer[..], &[wanted]].concat())?;
        results.push(importer.transposed(node, &result, &back)?.with_element(kind));
    }
    Ok(results)
}

/// The first elements of each line of a constant, and their places.
fn of_constant(constant: &Constant, axis: usize, wanted: usize, largest: bool) -> Vec<Value> {
    let mut shape = constant.shape.clone();
    let (size, after) = (shape[axis], shape[axis + 1..].iter().product::<usize>());
    let before: usize = shape[..axis].iter().product();
    shape[axis] = wanted;
    let (mut chosen, mut places) = (vec![0; before * wanted * after], Vec::new());
    places.resize(chosen.len(), 0);
    for (outer, inner) in (0..before).flat_map(|outer| (0..after).map(move |inner| (outer, inner)))
    {
        let element = |place: usize| (outer * size + place) * after + inner;
        let mut line: Vec<usize> = (0..size).collect();
        line.sort_by(|&one, &other| {
            let order = constant.order(element(one), element(other));
            if largest { order.reverse() } else { order }
        });
        for (rank, &place) in line[..wanted].iter().enumerate() {
            let at = (outer * wanted + rank) * after + inner;
            chosen[at] = element(place);
            places[at] = i64::try_from(place).unwrap_or(i64::MAX);
        }
    }
    let places = Constant { shape: shape.clone(), data: Data::Integer(places) };
    vec![constant.elements_at(&chosen, shape).into(), places.into()]
}

impl Importer {
    /// For each element of a row, how many come before it in order of size.
    fn ranks(
        &mut self,
        node: &OnnxNode<'_>,
        rows: &Value,
        largest: bool,
    ) -> Result<Value, ImportError> {
        let shape = self.shape_of(rows);
        let size = shape[1];
        let pairs: Vec<[usize; 2]> = (0..size).flat_map(|b| (0..b).map(move |a| [a, b])).collect();
        if pairs.is_empty() {
            return Ok(Constant::reals(shape.clone(), vec![0.0; shape[0]]).into());
        }
        let all: Vec<usize> = (0..shape[0]).collect();
        let side = |importer: &mut Self, which: usize| {
            let places = pairs.iter().map(|pair| pair[which]).collect();
            importer.picked(node, rows, &[all.clone(), places])
        };
        let (earlier, later) = (side(self, 0)?, side(self, 1)?);
        let lead = match largest {
            true => self.sub(node, &later, &earlier)?,
            false => self.sub(node, &earlier, &later)?,
        };
        // The later of a pair comes first only where it is ahead.
        let is_ahead = self.apply(node, &lead, Activation::Function(Function::IsPositive))?;
        let sign = |holds: bool| if holds { 1.0 } else { 0.0 };
        let moves = pairs.iter().flat_map(|&[earlier, later]| {
            (0..size).map(move |place| sign(place == earlier) - sign(place == later))
        });
        let moves = Constant::reals(vec![pairs.len(), size], moves.collect());
        let ranks = self.matrix_product(node, &is_ahead, &moves.into())?;
        // Whole numbers, which what follows compares with others.
        let before: Vec<f64> = (0..size).map(count).collect();
        let bounds = [0, i64::try_from(size).unwrap_or(i64::MAX) - 1];
        self.whole_sums(node, &ranks, &before, bounds)
    }
}
