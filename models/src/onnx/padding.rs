//! `Pad`, in all its modes.

use super::compose::Lowered;
use super::constant::{Constant, Data};
use super::convolution::planes;
use super::error::ImportError;
use super::importer::Importer;
use super::node::{OnnxNode, Tensor, Value};
use super::operators::{Operator, operator};
use crate::activation::Activation;
use crate::graph::{Affine, Op, Term, Window};

pub(super) const OPERATORS: &[Operator] =
    &[operator("Pad", &[2, 11, 13, 18, 19, 21, 23, 24, 25], &["mode", "pads", "value"], pad)];

/// What lies outside a tensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Mode {
    /// One number.
    Constant(f64),
    /// The element at the edge.
    Edge,
    /// The tensor mirrored at the element of the edge.
    Reflect,
    /// The tensor again.
    Wrap,
}

/// `Pad`: amounts as attributes before operator set 11, as operands since.
fn pad(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let value = node.operand(0)?;
    let rank = importer.shape_of(value).len();
    let mode = match node.text("mode")? {
        None | Some(b"constant") => {
            Mode::Constant(node.real_either("value", 2, 11)?.unwrap_or(0.0))
        }
        Some(b"edge") => Mode::Edge,
        Some(b"reflect") => Mode::Reflect,
        Some(b"wrap") => Mode::Wrap,
        Some(_) => return Err(node.wrong_attribute("mode", "constant, edge, reflect or wrap")),
    };
    // Old exporters write the constant beside every mode.
    if !matches!(mode, Mode::Constant(_)) {
        node.has_no_effect(&["value"]);
    }
    let given = node.integers_either("pads", 1, 11)?.unwrap_or_default();
    let axes = match node.optional(3) {
        None => (0..rank).collect(),
        Some(_) => {
            let axes = node.integers(3)?.iter().map(|&axis| node.axis(axis, rank));
            axes.collect::<Result<Vec<_>, _>>()?
        }
    };
    let mut sorted = axes.clone();
    sorted.sort_unstable();
    if given.len() != 2 * axes.len() || sorted.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(node.wrong_attribute("pads", "two numbers for each axis, none named twice"));
    }
    let mut pads = vec![0; 2 * rank];
    for (position, &axis) in axes.iter().enumerate() {
        pads[axis] = given[position];
        pads[rank + axis] = given[axes.len() + position];
    }
    Ok(vec![padded(node, importer, value, &pads, mode)?])
}

/// A value with so many elements more, or fewer, at the start and at the end of each axis.
pub(super) fn padded(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    value: &Value,
    pads: &[i64],
    mode: Mode,
) -> Result<Value, ImportError> {
    let shape = importer.shape_of(value);
    let axes = (0..shape.len()).map(|axis| {
        source_positions(shape[axis], pads[axis], pads[shape.len() + axis], mode)
            .ok_or_else(|| node.wrong_attribute("pads", "small enough for the dimension"))
    });
    let axes = axes.collect::<Result<Vec<Vec<Option<usize>>>, _>>()?;
    let output: Vec<usize> = axes.iter().map(Vec::len).collect();
    importer.budget.elements(&node.name, &output)?;
    let Mode::Constant(fill) = mode else {
        let axes: Vec<Vec<usize>> =
            axes.iter().map(|axis| axis.iter().filter_map(|&place| place).collect()).collect();
        return importer.picked(node, value, &axes);
    };
    match value {
        Value::Constant(constant) => Ok(padded_constant(constant, &axes, fill).into()),
        Value::Tensor(tensor) => padded_tensor(node, importer, *tensor, &axes, fill),
    }
}

/// For each position along the padded axis, the one that it shows; `None` for the constant.
fn source_positions(
    size: usize,
    before: i64,
    after: i64,
    mode: Mode,
) -> Option<Vec<Option<usize>>> {
    const LARGEST: i64 = 1 << 26;
    let signed = i64::try_from(size).ok()?;
    let small = -LARGEST..=LARGEST;
    if !small.contains(&before) || !small.contains(&after) || signed > LARGEST {
        return None;
    }
    if !matches!(mode, Mode::Constant(_)) && size == 0 {
        return None;
    }
    let place = |position: i64| match mode {
        Mode::Constant(_) => usize::try_from(position).ok().filter(|&place| place < size),
        Mode::Edge => usize::try_from(position.clamp(0, signed - 1)).ok(),
        Mode::Wrap => usize::try_from(position.rem_euclid(signed)).ok(),
        Mode::Reflect if signed == 1 => Some(0),
        Mode::Reflect => {
            let period = 2 * (signed - 1);
            let place = position.rem_euclid(period);
            usize::try_from(place.min(period - place)).ok()
        }
    };
    Some((-before..signed + after).map(place).collect())
}

fn padded_constant(constant: &Constant, axes: &[Vec<Option<usize>>], fill: f64) -> Constant {
    let strides = crate::view::row_major_strides(&constant.shape);
    let mut index = vec![Some(0)];
    for (positions, stride) in axes.iter().zip(strides) {
        index = index
            .iter()
            .flat_map(|&start: &Option<usize>| {
                positions.iter().map(move |&place| Some(start? + place? * stride))
            })
            .collect();
    }
    let shape = axes.iter().map(Vec::len).collect();
    let data = match &constant.data {
        Data::Real(data) => {
            Data::Real(index.iter().map(|place| place.map_or(fill, |i| data[i])).collect())
        }
        Data::Integer(data) => {
            let fill = super::compose::whole(fill).unwrap_or(0);
            Data::Integer(index.iter().map(|place| place.map_or(fill, |i| data[i])).collect())
        }
    };
    Constant { shape, data }
}

/// Crops by choice of elements, adds zeros by layers of two axes each, and then the constant.
fn padded_tensor(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    tensor: Tensor,
    axes: &[Vec<Option<usize>>],
    fill: f64,
) -> Result<Value, ImportError> {
    let kept: Vec<Vec<usize>> =
        axes.iter().map(|axis| axis.iter().filter_map(|&place| place).collect()).collect();
    let mut value = Value::Tensor(tensor);
    if kept.iter().map(Vec::len).ne(importer.shape(tensor.id).iter().copied()) {
        value = importer.picked(node, &value, &kept)?;
    }
    let before = |axis: usize| axes[axis].iter().take_while(|place| place.is_none()).count();
    let padded: Vec<usize> =
        (0..axes.len()).filter(|&axis| kept[axis].len() < axes[axis].len()).collect();
    for chunk in padded.chunks(2) {
        // A neighbour that stays as it is makes channels fewer.
        let pair = match *chunk {
            [0] if axes.len() > 1 => vec![0, 1],
            [axis] if axis > 0 => vec![axis - 1, axis],
            _ => chunk.to_vec(),
        };
        let shape = importer.shape_of(&value);
        let amount = |&axis: &usize| match chunk.contains(&axis) {
            true => [before(axis), axes[axis].len()],
            false => [0, shape[axis]],
        };
        let amounts: Vec<[usize; 2]> = pair.iter().map(amount).collect();
        value = zeros_around(node, importer, &value, &pair, &amounts)?;
    }
    if fill == 0.0 || padded.is_empty() {
        return Ok(value);
    }
    let inside = axes.iter().fold(vec![true], |inside, axis| {
        let next = |is_inside: &bool| {
            let is_inside = *is_inside;
            axis.iter().map(move |place| is_inside && place.is_some())
        };
        inside.iter().flat_map(next).collect()
    });
    let data = inside.into_iter().map(|inside| if inside { 0.0 } else { fill }).collect();
    let constant = Constant::reals(axes.iter().map(Vec::len).collect(), data);
    importer.add(node, &value, &constant.into())
}

/// Zeros around one or two axes, given by how many come first and how long the axis gets.
fn zeros_around(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    value: &Value,
    axes: &[usize],
    amounts: &[[usize; 2]],
) -> Result<Value, ImportError> {
    let shape = importer.shape_of(value);
    let others = (0..shape.len()).filter(|axis| !axes.contains(axis));
    let order: Vec<usize> = others.chain(axes.iter().copied()).collect();
    let moved = importer.transposed(node, value, &order)?;
    let Value::Tensor(tensor) = moved else { return Ok(moved) };
    let mut inner = importer.shape(tensor.id).to_vec();
    let channels: usize = inner[..shape.len() - axes.len()].iter().product();
    let image = |sizes: &[usize]| match *sizes {
        [width] => [1, width],
        [height, width] => [height, width],
        _ => [1, 1],
    };
    let view = planes(channels, image(&inner[shape.len() - axes.len()..]));
    let sizes: Vec<usize> = amounts.iter().map(|amount| amount[1]).collect();
    let first: Vec<usize> = amounts.iter().map(|amount| amount[0]).collect();
    inner.truncate(shape.len() - axes.len());
    inner.extend(&sizes);
    importer.reserve(node, &inner)?;
    let mut window = Window::pixel(channels);
    window.padding = match first[..] {
        [left] => [0, left],
        [top, left] => [top, left],
        _ => [0, 0],
    };
    let term = Term { input: tensor.id, view, window, kernel: vec![1.0; channels] };
    let op = Op::Affine(Affine {
        terms: vec![term],
        bias: vec![0.0; channels],
        output: planes(channels, image(&sizes)),
        activation: Activation::Identity,
    });
    let padded = importer.emit(node, inner, op)?.with_element(tensor.element);
    let mut back = vec![0; order.len()];
    order.iter().enumerate().for_each(|(position, &axis)| back[axis] = position);
    importer.transposed(node, &padded, &back)
}
