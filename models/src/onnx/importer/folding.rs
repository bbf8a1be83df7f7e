//! Nodes of which all operands are known.

use super::super::constant::Constant;
use super::super::element::Element;
use super::super::error::ImportError;
use super::super::limits::Budget;
use super::super::node::{OnnxNode, Tensor, Value};
use super::super::operators::Operator;
use super::Importer;

impl Importer {
    pub(super) fn results(
        &mut self,
        node: &OnnxNode<'_>,
        operator: &Operator,
    ) -> Result<Vec<Value>, ImportError> {
        let mut given = node.operands().iter().flatten().peekable();
        if operator.folds_by_running && given.peek().is_some() && given.all(Value::is_constant) {
            return self.run_on_constants(node, operator);
        }
        let results = (operator.lower)(node, self)?;
        node.all_read()?;
        Ok(results)
    }

    /// The outputs of a node that is lowered like any other, on operands that are known: a graph
    /// of its own is made for the first one and run.
    fn run_on_constants(
        &mut self,
        node: &OnnxNode<'_>,
        operator: &Operator,
    ) -> Result<Vec<Value>, ImportError> {
        let data = node.constant(0)?;
        node.has_elements(&data.shape)?;
        let budget = std::mem::replace(&mut self.budget, Budget::new());
        let mut scratch = Self::new(budget, self.check, self.recognize);
        let id = scratch.add_tensor("x", data.shape.clone());
        scratch.graph.inputs.push(id);
        let mut operands = node.operands().to_vec();
        operands[0] = Some(Value::Tensor(Tensor { id, element: Element::Real }));
        let node = node.with_operands(operands);
        let results = (operator.lower)(&node, &mut scratch);
        std::mem::swap(&mut self.budget, &mut scratch.budget);
        let results = results?;
        node.all_read()?;
        let input = ndarray::ArrayD::from_shape_vec(
            data.shape.clone(),
            data.to_reals().into_iter().map(single).collect(),
        );
        let graph = scratch.graph.finish();
        let trace = input.ok().and_then(|input| graph.trace_float(&[input]).ok());
        let trace = trace.ok_or_else(|| node.unsupported("its constant operands do not fit"))?;
        let folded = results.into_iter().map(|value| match value {
            Value::Tensor(tensor) => {
                let shape = graph.tensor(tensor.id).shape.clone();
                let constant = Constant::reals(shape, trace.values[tensor.id.0].clone());
                constant.check_numbers(&node.name)?;
                Ok(constant.into())
            }
            constant @ Value::Constant(_) => Ok(constant),
        });
        folded.collect()
    }
}

/// A number as models store it.
#[expect(clippy::cast_possible_truncation, reason = "weights are single-precision numbers")]
fn single(value: f64) -> f32 {
    value as f32
}
