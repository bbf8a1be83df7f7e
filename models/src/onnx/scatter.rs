//! Elements put into a tensor at constant places.

use super::compose::Lowered;
use super::constant::Constant;
use super::error::ImportError;
use super::importer::Importer;
use super::node::{OnnxNode, Value};
use super::operators::{Operator, operator};
use crate::view::{View, row_major_strides};

pub(super) const OPERATORS: &[Operator] = &[
    operator("Scatter", &[9], &["axis"], scatter_elements),
    operator("ScatterElements", &[11, 13, 16, 18], &["axis", "reduction"], scatter_elements),
    operator("ScatterND", &[11, 13, 16, 18], &["reduction"], scatter_nd),
];

/// `ScatterElements`: each update has a position along one axis.
fn scatter_elements(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let data = node.operand(0)?;
    let shape = importer.shape_of(data);
    let axis = node.axis(node.int("axis")?.unwrap_or(0), shape.len())?;
    let indices = node.integers(1)?;
    let index_shape = node.constant(1)?.shape.clone();
    let fits = index_shape.len() == shape.len()
        && (0..shape.len()).all(|other| other == axis || index_shape[other] <= shape[other]);
    if !fits || importer.shape_of(node.operand(2)?) != index_shape {
        return Err(node.wrong_shape("indices and updates must fit the data", &[&shape]));
    }
    let strides = row_major_strides(&shape);
    let mut others = strides.clone();
    others[axis] = 0;
    importer.budget.elements(&node.name, &index_shape)?;
    let starts = View::strided(&index_shape, &others, 0);
    let places = starts.iter().zip(indices).map(|(start, &index)| {
        let place = node.axis(index, shape[axis]);
        place.map(|place| start + place * strides[axis])
    });
    let places = places.collect::<Result<Vec<_>, _>>();
    let places = places.map_err(|_| node.wrong_operand(1, "positions within the axis"))?;
    Ok(vec![put(node, importer, &places)?])
}

/// `ScatterND`: each row of indices names the place of a slice of the updates.
fn scatter_nd(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let shape = importer.shape_of(node.operand(0)?);
    let indices = node.constant(1)?;
    let rows = node.integers(1)?;
    let Some((&depth, outer)) = indices.shape.split_last().filter(|(depth, _)| **depth > 0) else {
        return Err(node.wrong_operand(1, "of at least one dimension"));
    };
    if depth > shape.len()
        || importer.shape_of(node.operand(2)?) != [outer, &shape[depth..]].concat()
    {
        return Err(node.wrong_shape("indices and updates must fit the data", &[&shape]));
    }
    let strides = row_major_strides(&shape);
    let slice: usize = shape[depth..].iter().product();
    importer.budget.elements(&node.name, &[rows.len() / depth, slice])?;
    let mut places = Vec::new();
    for row in rows.chunks(depth) {
        let mut start = 0;
        for (axis, &index) in row.iter().enumerate() {
            let place = node.axis(index, shape[axis]);
            let place = place.map_err(|_| node.wrong_operand(1, "positions within the data"))?;
            start += place * strides[axis];
        }
        places.extend(start..start + slice);
    }
    Ok(vec![put(node, importer, &places)?])
}

/// The data with the updates at their places.
fn put(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    places: &[usize],
) -> Result<Value, ImportError> {
    let (data, updates) = (node.operand(0)?, node.operand(2)?);
    let shape = importer.shape_of(data);
    let count = importer.budget.elements(&node.name, &shape)?;
    let mut source = vec![None; count];
    let adds = match node.text("reduction")? {
        None | Some(b"none") => false,
        Some(b"add") => true,
        Some(_) => return Err(node.unsupported("this reduction; only none and add")),
    };
    for (update, &place) in places.iter().enumerate() {
        if source[place].replace(update).is_some() {
            return Err(node.unsupported("a place that is named twice"));
        }
    }
    if places.is_empty() {
        return Ok(data.clone());
    }
    let chosen = source.iter().map(|source| source.unwrap_or(0)).collect();
    let spread = importer.select(node, updates, shape.clone(), |_| chosen)?;
    let is_update: Vec<bool> = source.iter().map(Option::is_some).collect();
    let kind = Importer::element_of(data);
    let result = if adds {
        let mask = is_update.iter().map(|&is| if is { 1.0 } else { 0.0 }).collect();
        let mask = Constant::reals(shape, mask).into();
        let added = importer.product(node, &spread, &mask)?;
        importer.add(node, data, &added)?
    } else {
        super::logic::by_constant(node, importer, &is_update, [&spread, data], &shape)?
    };
    Ok(match result {
        tensor @ Value::Tensor(_) => tensor.with_element(kind),
        constant @ Value::Constant(_) => constant,
    })
}
