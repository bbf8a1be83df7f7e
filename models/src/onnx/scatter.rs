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
    operator("TensorScatter", &[24], &["axis", "mode"], tensor_scatter),
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

/// What becomes of an element and the update at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Combine {
    Replace,
    Add,
    Multiply,
    Larger,
    Smaller,
}

/// Most updates of one place.
const MOST_UPDATES: usize = 64;

/// The data with the updates at their places, combined as the node says.
fn put(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    places: &[usize],
) -> Result<Value, ImportError> {
    let combine = match node.text("reduction")? {
        None | Some(b"none") => Combine::Replace,
        Some(b"add") => Combine::Add,
        Some(b"mul") => Combine::Multiply,
        Some(b"max") => Combine::Larger,
        Some(b"min") => Combine::Smaller,
        Some(_) => return Err(node.wrong_attribute("reduction", "none, add, mul, max or min")),
    };
    importer.put_at(node, [node.operand(0)?, node.operand(2)?], places, combine)
}

impl Importer {
    /// The data with each update at its place.
    pub(super) fn put_at(
        &mut self,
        node: &OnnxNode<'_>,
        [data, updates]: [&Value; 2],
        places: &[usize],
        combine: Combine,
    ) -> Result<Value, ImportError> {
        let shape = self.shape_of(data);
        let count = self.budget.elements(&node.name, &shape)?;
        // A round has one update for each place at most.
        let mut rounds: Vec<Vec<Option<usize>>> = Vec::new();
        let mut seen = vec![0; count];
        for (update, &place) in places.iter().enumerate() {
            if seen[place] == rounds.len() {
                self.budget.elements(&node.name, &[count])?;
                rounds.push(vec![None; count]);
            }
            rounds[seen[place]][place] = Some(update);
            seen[place] += 1;
        }
        if rounds.len() > 1 && combine == Combine::Replace {
            return Err(node.unsupported("a place that is named twice"));
        }
        if rounds.len() > MOST_UPDATES {
            return Err(node.unsupported("a place that is named more than 64 times"));
        }
        let mut result = data.clone();
        for sources in &rounds {
            result = self.put_once(node, [&result, updates], sources, combine)?;
        }
        Ok(match result {
            tensor @ Value::Tensor(_) => tensor.with_element(Self::element_of(data)),
            constant @ Value::Constant(_) => constant,
        })
    }

    /// The data with at most one update at each place.
    fn put_once(
        &mut self,
        node: &OnnxNode<'_>,
        [data, updates]: [&Value; 2],
        sources: &[Option<usize>],
        combine: Combine,
    ) -> Result<Value, ImportError> {
        let shape = self.shape_of(data);
        let chosen = sources.iter().map(|source| source.unwrap_or(0)).collect();
        let spread = self.select(node, updates, shape.clone(), |_| chosen)?;
        let is_update: Vec<bool> = sources.iter().map(Option::is_some).collect();
        let filled = |importer: &mut Self, neutral: f64| {
            let neutral = Constant::reals(vec![1; shape.len()], vec![neutral]).into();
            super::logic::by_constant(node, importer, &is_update, [&spread, &neutral], &shape)
        };
        match combine {
            Combine::Replace => {
                super::logic::by_constant(node, self, &is_update, [&spread, data], &shape)
            }
            Combine::Add => {
                let added = filled(self, 0.0)?;
                self.add(node, data, &added)
            }
            Combine::Multiply => {
                let factors = filled(self, 1.0)?;
                self.product(node, data, &factors)
            }
            Combine::Larger | Combine::Smaller => {
                let others =
                    super::logic::by_constant(node, self, &is_update, [&spread, data], &shape)?;
                match combine {
                    Combine::Larger => self.larger(node, data, &others),
                    _ => self.smaller(node, data, &others),
                }
            }
        }
    }
}

/// `TensorScatter`: updates of a cache from a constant position on, one for each sample.
fn tensor_scatter(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let (cache, update) = (node.operand(0)?, node.operand(1)?);
    let (shape, update_shape) = (importer.shape_of(cache), importer.shape_of(update));
    let axis = node.axis(node.int("axis")?.unwrap_or(-2), shape.len())?;
    let wraps = match node.text("mode")? {
        None | Some(b"linear") => false,
        Some(b"circular") => true,
        Some(_) => return Err(node.wrong_attribute("mode", "linear or circular")),
    };
    let mut wanted = shape.clone();
    wanted[axis] = update_shape.get(axis).copied().unwrap_or(0);
    if axis == 0 || update_shape != wanted || wanted[axis] > shape[axis] {
        return Err(node.wrong_shape("updates must fit the cache", &[&shape, &update_shape]));
    }
    let starts = match node.optional(2) {
        None => vec![0; shape[0]],
        Some(_) => super::movement::sizes(node, 2)?,
    };
    if starts.len() != shape[0] {
        return Err(node.wrong_operand(2, "one position for each sample"));
    }
    let (from, to) = (row_major_strides(&update_shape), row_major_strides(&shape));
    let count = importer.budget.elements(&node.name, &update_shape)?;
    let place = |element: usize| {
        let position = |other: usize| element / from[other] % update_shape[other];
        let at = starts[position(0)].saturating_add(position(axis));
        let at = if wraps { at % shape[axis] } else { at };
        let others = (0..shape.len()).filter(|&other| other != axis);
        let place = others.map(|other| position(other) * to[other]).sum::<usize>();
        (at < shape[axis]).then(|| place + at * to[axis])
    };
    let places = (0..count).map(place).collect::<Option<Vec<usize>>>();
    let places = places.ok_or_else(|| node.wrong_operand(2, "positions within the cache"))?;
    Ok(vec![importer.put_at(node, [cache, update], &places, Combine::Replace)?])
}
