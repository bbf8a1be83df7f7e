//! Elements at places that are computed: each place is a row with one 1, times the data. Where the
//! data are a constant and the places an input's, rows of it are looked up as a whole.

use super::compose::count;
use super::constant::{Constant, Data};
use super::element::Element;
use super::error::ImportError;
use super::importer::Importer;
use super::node::{OnnxNode, Value};
use crate::activation::Activation;
use crate::function::Function;
use crate::graph::{Embed, Op};
use crate::quantized::TensorId;
use crate::view::row_major_strides;

/// Longest dimension in which a computed place is looked up.
const LOOKED_UP: usize = 1 << 10;

/// `Gather` of rows of a constant, by the elements of an input.
fn embedded(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    (shape, table): (&[usize], Vec<f64>),
    input: TensorId,
) -> Result<Value, ImportError> {
    let output = [importer.shape(input), &shape[1..]].concat();
    importer.reserve(node, shape)?;
    importer.reserve(node, &output)?;
    let width = shape[1..].iter().product();
    importer.emit(node, output, Op::Embed(Embed { input, width, table }))
}

/// `Gather` with computed indices: each is a row with one 1, times the data.
pub(super) fn slices_at(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    value: &Value,
    indices: &Value,
    axis: usize,
) -> Result<Value, ImportError> {
    let shape = importer.shape_of(value);
    if let (Value::Constant(table), Value::Tensor(indices), 0) = (value, indices, axis)
        && let Data::Real(data) = &table.data
        && importer.is_taken_from_input(indices.id)
    {
        table.check_finite(node.constant_name())?;
        return embedded(node, importer, (&shape, data.clone()), indices.id);
    }
    if shape[axis] > LOOKED_UP {
        return Err(node.unsupported(
            "computed positions in a dimension of more than 1024, where they are no elements of an \
             input or the data are no constant; where an input decides them, make it one with --fix",
        ));
    }
    let rows = importer.one_hot_rows(node, indices, shape[axis], true)?;
    let index_shape = importer.shape_of(indices);
    let count = index_shape.iter().product();
    let rows = importer.reshaped(node, &rows, vec![count, shape[axis]])?;
    let others = (0..shape.len()).filter(|&other| other != axis);
    let order: Vec<usize> = std::iter::once(axis).chain(others).collect();
    let table = importer.transposed(node, value, &order)?.with_element(Element::Real);
    let width = shape.iter().product::<usize>() / shape[axis];
    let table = importer.reshaped(node, &table, vec![shape[axis], width])?;
    let found = importer.matrix_product(node, &rows, &table)?;
    let [before, after] = [&shape[..axis], &shape[axis + 1..]];
    let found = importer.reshaped(node, &found, [&index_shape[..], before, after].concat())?;
    // The dimensions of the indices go where the axis was.
    let indices = 0..index_shape.len();
    let firsts = indices.end..indices.end + before.len();
    let lasts = firsts.end..firsts.end + after.len();
    let order: Vec<usize> = firsts.chain(indices).chain(lasts).collect();
    let found = importer.transposed(node, &found, &order)?;
    Ok(found.with_element(Importer::element_of(value)))
}

/// Refuses a dimension that is too long for a row of ones and zeros.
pub(super) fn check_length(node: &OnnxNode<'_>, size: usize) -> Result<(), ImportError> {
    if size <= LOOKED_UP {
        return Ok(());
    }
    Err(node.unsupported(
        "computed positions among more than 1024; where an input decides them, make it one with \
         --fix",
    ))
}

/// `GatherElements` with computed indices: for each a row with one 1, times the elements of its
/// line.
pub(super) fn elements_at(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    value: &Value,
    indices: &Value,
    axis: usize,
) -> Result<Value, ImportError> {
    let (shape, wanted) = (importer.shape_of(value), importer.shape_of(indices));
    let fits = wanted.len() == shape.len()
        && (0..shape.len()).all(|other| other == axis || wanted[other] <= shape[other]);
    if !fits {
        return Err(node.wrong_shape("indices must fit the data", &[&shape, &wanted]));
    }
    let (size, places) = (shape[axis], wanted[axis]);
    check_length(node, size)?;
    let kind = Importer::element_of(value);
    let seen = |other: usize| if other == axis { size } else { wanted[other] };
    let seen: Vec<Vec<usize>> = (0..shape.len()).map(|other| (0..seen(other)).collect()).collect();
    let lines = importer.picked(node, value, &seen)?;
    let mut order: Vec<usize> = (0..shape.len()).filter(|&other| other != axis).collect();
    let outer: Vec<usize> = order.iter().map(|&other| wanted[other]).collect();
    order.push(axis);
    let count = outer.iter().product();
    let lines = importer.transposed(node, &lines, &order)?;
    let lines = importer.reshaped(node, &lines, vec![count, size, 1])?;
    let indices = importer.transposed(node, indices, &order)?;
    let indices = importer.reshaped(node, &indices, vec![count, places])?;
    let output = [&outer[..], &[places]].concat();
    let found = rows_of_tables(node, importer, (&lines, &indices), true, output)?;
    let mut back: Vec<usize> = (0..outer.len()).collect();
    back.insert(axis, outer.len());
    Ok(importer.transposed(node, &found, &back)?.with_element(kind))
}

/// `GatherND` with computed indices: the places of a row of indices are one place among all that
/// they can name.
pub(super) fn rows_at(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    value: &Value,
    indices: &Value,
    batch: usize,
) -> Result<Value, ImportError> {
    let (shape, index_shape) = (importer.shape_of(value), importer.shape_of(indices));
    let Some((&depth, outer)) = index_shape.split_last() else {
        return Err(node.wrong_operand(1, "of at least one dimension"));
    };
    let fits = batch <= outer.len()
        && shape[..batch] == outer[..batch]
        && depth >= 1
        && batch + depth <= shape.len();
    if !fits {
        return Err(node.wrong_shape("indices must fit the data", &[&shape, &index_shape]));
    }
    let (named, rest) = shape[batch..].split_at(depth);
    let size: usize = named.iter().product();
    check_length(node, size)?;
    let kind = Importer::element_of(value);
    let reals = |sizes: Vec<usize>| {
        let numbers = sizes.into_iter().map(count).collect();
        Value::from(Constant::reals(vec![depth, 1], numbers))
    };
    // Negative places count from the end.
    let batches: usize = shape[..batch].iter().product();
    let places = outer.iter().product::<usize>() / batches.max(1);
    let indices = indices.clone().with_element(Element::Real);
    let indices = importer.reshaped(node, &indices, vec![batches * places, depth])?;
    let negated = importer.scaled(node, &indices, -1.0, 0.0)?;
    let is_negative = importer.apply(node, &negated, Activation::Function(Function::IsPositive))?;
    let strides = row_major_strides(named);
    let turns = named.iter().zip(&strides).map(|(size, stride)| size * stride);
    let turns: Vec<usize> = turns.collect();
    let bound = i64::try_from(turns.iter().sum::<usize>()).unwrap_or(i64::MAX);
    let bounds = [-bound, bound];
    let start = importer.matrix_product(node, &indices, &reals(strides))?;
    let start = importer.whole_sums(node, &start, &[], bounds)?;
    let turned = importer.matrix_product(node, &is_negative, &reals(turns))?;
    let turned = importer.whole_sums(node, &turned, &[], bounds)?;
    let place = importer.add(node, &start, &turned)?;
    let place = importer.whole_sums(node, &place, &[], bounds)?;
    let place = importer.reshaped(node, &place, vec![batches, places])?;
    let width = rest.iter().product();
    let tables = importer.reshaped(node, value, vec![batches, size, width])?;
    let output = [outer, rest].concat();
    let found = rows_of_tables(node, importer, (&tables, &place), false, output)?;
    Ok(found.with_element(kind))
}

/// The rows of `[batches, size, width]` at computed places `[batches, places]`, in another shape.
fn rows_of_tables(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    (tables, places): (&Value, &Value),
    wraps: bool,
    output: Vec<usize>,
) -> Result<Value, ImportError> {
    let size = importer.shape_of(tables)[1];
    let rows = importer.one_hot_rows(node, places, size, wraps)?;
    let tables = tables.clone().with_element(Element::Real);
    let found = importer.matrix_product(node, &rows, &tables)?;
    importer.reshaped(node, &found, output)
}
