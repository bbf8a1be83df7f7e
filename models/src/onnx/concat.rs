//! Tensors joined along an axis.

use super::compose::Lowered;
use super::constant::{Constant, Data};
use super::error::ImportError;
use super::importer::Importer;
use super::node::{OnnxNode, Tensor, Value};
use super::operators::{Operator, operator};
use crate::activation::Activation;
use crate::graph::{Affine, Channels, Op, Term, Window, alias};
use crate::quantized::{ImageView, TensorId};
use crate::view::View;

pub(super) const OPERATORS: &[Operator] = &[operator("Concat", &[4, 11, 13], &["axis"], concat)];

fn concat(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let axis = node.int("axis")?.ok_or_else(|| node.wrong_attribute("axis", "given"))?;
    let count = node.operand_count();
    let parts = (0..count).map(|index| node.operand(index).cloned());
    let parts = parts.collect::<Result<Vec<_>, _>>()?;
    let first = importer.shape_of(node.operand(0)?);
    let axis = node.axis(axis, first.len())?;
    Ok(vec![importer.joined(node, &parts, axis)?])
}

impl Importer {
    /// The parts one after the other along an axis.
    ///
    /// Constants alone are folded, parts of one tensor are a choice of its elements, and anything
    /// else is a sum of layers that each copy one part into its place.
    pub(super) fn joined(
        &mut self,
        node: &OnnxNode<'_>,
        parts: &[Value],
        axis: usize,
    ) -> Result<Value, ImportError> {
        let shapes: Vec<Vec<usize>> = parts.iter().map(|part| self.shape_of(part)).collect();
        let mut output = shapes[0].clone();
        output[axis] = 0;
        for shape in &shapes {
            let mut other = shape.clone();
            if other.len() == output.len() {
                other[axis] = output[axis];
            }
            if other != output {
                return Err(node.wrong_shape("shapes must be equal but for the axis", &[shape]));
            }
            output[axis] += shape[axis];
        }
        // What is empty adds nothing.
        let parts = parts.iter().zip(&shapes).filter(|(_, shape)| shape[axis] > 0);
        let parts: Vec<&Value> = parts.map(|(part, _)| part).collect();
        if parts.iter().all(|part| part.is_constant()) {
            return self.joined_constants(node, &parts, output, axis);
        }
        self.reserve(node, &output)?;
        if let [part] = parts[..] {
            return Ok(part.clone());
        }
        if let Some(value) = self.joined_views(node, &parts, &output, axis)? {
            return Ok(value);
        }
        self.joined_layers(node, &parts, output, axis)
    }

    fn joined_constants(
        &mut self,
        node: &OnnxNode<'_>,
        parts: &[&Value],
        shape: Vec<usize>,
        axis: usize,
    ) -> Result<Value, ImportError> {
        let count = self.budget.elements(&node.name, &shape)?;
        let outer: usize = shape[..axis].iter().product();
        let (mut reals, mut integers) = (Vec::new(), Vec::new());
        for block in 0..outer {
            for part in parts {
                let Value::Constant(constant) = part else { continue };
                let size = constant.data.len() / outer;
                let range = block * size..(block + 1) * size;
                match &constant.data {
                    Data::Real(data) => reals.extend_from_slice(&data[range]),
                    Data::Integer(data) => integers.extend_from_slice(&data[range]),
                }
            }
        }
        let data = match (reals.len(), integers.len()) {
            (reals_count, 0) if reals_count == count => Data::Real(reals),
            (0, _) => Data::Integer(integers),
            _ => return Err(node.unsupported("constants of different element types")),
        };
        Ok(Constant { shape, data }.into())
    }

    /// Where all parts are elements of one tensor, its elements in their order.
    fn joined_views(
        &mut self,
        node: &OnnxNode<'_>,
        parts: &[&Value],
        output: &[usize],
        axis: usize,
    ) -> Result<Option<Value>, ImportError> {
        let producers = self.graph.producers();
        let mut sources: Vec<(Tensor, View)> = Vec::new();
        for part in parts {
            let Value::Tensor(tensor) = part else { return Ok(None) };
            let op = producers[tensor.id.0].map(|position| &self.graph.nodes[position].op);
            sources.push(match op {
                Some(Op::Alias(alias)) => {
                    (Tensor { id: alias.input, ..*tensor }, alias.elements.clone())
                }
                _ => (*tensor, View::in_order(self.graph.tensor(tensor.id).len())),
            });
        }
        let root: TensorId = sources[0].0.id;
        if sources.iter().any(|(source, _)| source.id != root) {
            return Ok(None);
        }
        let outer: usize = output[..axis].iter().product();
        let mut elements: Vec<_> =
            sources.iter().map(|(_, view)| (view.iter(), view.len() / outer)).collect();
        let mut joined = Vec::with_capacity(output.iter().product());
        for _ in 0..outer {
            for (elements, block) in &mut elements {
                joined.extend(elements.by_ref().take(*block));
            }
        }
        let element = sources[0].0.element;
        let joined = self.emit(node, output.to_vec(), alias(root, joined.into()))?;
        Ok(Some(joined.with_element(element)))
    }

    /// Each part is an image whose rows are the axis, moved down by so many rows of zeros.
    fn joined_layers(
        &mut self,
        node: &OnnxNode<'_>,
        parts: &[&Value],
        output: Vec<usize>,
        axis: usize,
    ) -> Result<Value, ImportError> {
        let view = rows(&output, axis);
        let mut terms = Vec::new();
        let mut constants = Vec::new();
        let mut start = 0;
        for part in parts {
            let shape = self.shape_of(part);
            match part {
                Value::Tensor(tensor) => {
                    let mut window = Window::pixel(view.channels);
                    window.padding = [start, 0];
                    let (input, kernel) = (tensor.id, vec![1.0; view.channels]);
                    terms.push(Term { input, view: rows(&shape, axis), window, kernel });
                    constants
                        .push(Constant::reals(shape.clone(), vec![0.0; shape.iter().product()]));
                }
                Value::Constant(constant) => constants.push((**constant).clone()),
            }
            start += shape[axis];
        }
        self.budget.elements(&node.name, &output)?;
        let bias = vec![0.0; view.channels];
        let activation = Activation::Identity;
        let op = Op::Affine(Affine { terms, bias, output: view, activation });
        let element = Self::element_of(
            parts.iter().find(|part| !part.is_constant()).copied().unwrap_or(parts[0]),
        );
        let joined = self.emit(node, output.clone(), op)?.with_element(element);
        if !parts.iter().any(|part| part.is_constant()) {
            return Ok(joined);
        }
        let constants: Vec<Value> = constants
            .into_iter()
            .map(|constant| Constant::reals(constant.shape.clone(), constant.to_reals()).into())
            .collect();
        let constants: Vec<&Value> = constants.iter().collect();
        let constants = self.joined_constants(node, &constants, output, axis)?;
        self.add(node, &joined, &constants)
    }
}

/// The dimensions before the axis as channels, the axis as rows, those after it as columns.
fn rows(shape: &[usize], axis: usize) -> ImageView {
    let Channels { before, count, after } = Channels::of_axes(shape, axis..axis + 1);
    ImageView {
        channels: before,
        height: count,
        width: after,
        strides: [count * after, after, 1],
        offset: 0,
    }
}
