//! Normalizations that files have as the steps of them: mean, difference, square, mean, root,
//! quotient, and a scale and a shift that some exporters work into the steps. The last step becomes
//! the normalization; the others are not there any more, unless something else reads them.

use super::element::Element;
use super::error::ImportError;
use super::importer::Importer;
use super::node::{OnnxNode, Tensor, Value};
use super::normalization::{Statistics, scaled_and_shifted};
use super::step::{Moment, Part, Step, What};
use crate::quantized::TensorId;

/// Keeps what a result is a step of, and puts the normalization in place of the last one.
pub(super) fn recognize(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    results: &mut [Value],
) -> Result<(), ImportError> {
    importer.recognized(node, results)
}

impl Importer {
    fn recognized(
        &mut self,
        node: &OnnxNode<'_>,
        results: &mut [Value],
    ) -> Result<(), ImportError> {
        let Some(Value::Tensor(Tensor { id, element: Element::Real })) = results.first() else {
            return Ok(());
        };
        let id = *id;
        let Some(step) = self.step_of(node, id) else { return Ok(()) };
        let What::Whole { moment, factor, shift } = &step.what else {
            self.steps.insert(id, step);
            return Ok(());
        };
        // A deviation of 0 has no reciprocal.
        if moment.epsilon <= 0.0 {
            return Ok(());
        }
        let statistics =
            Statistics { axes: step.axes, epsilon: moment.epsilon, is_centered: moment.is_centred };
        let of = Value::Tensor(Tensor { id: step.of, element: Element::Real });
        let normalized = statistics.normalize(node, self, &of)?;
        let [factor, shift] = [factor, shift].map(|constant| constant.clone().map(Value::Constant));
        let whole = scaled_and_shifted(node, self, normalized, [factor.as_ref(), shift.as_ref()])?;
        if self.shape_of(&whole) == self.shape(id) {
            results[0] = whole;
        }
        Ok(())
    }

    fn step_of(&self, node: &OnnxNode<'_>, result: TensorId) -> Option<Step> {
        let part = |index: usize| match node.optional(index)? {
            Value::Tensor(tensor) => (tensor.element == Element::Real && tensor.id != result)
                .then(|| Part::Tensor(tensor.id, self.steps.get(&tensor.id).cloned())),
            Value::Constant(constant) => Some(Part::Constant(constant.clone())),
        };
        let first = part(0)?;
        let step = match node.op() {
            "GlobalAveragePool" | "ReduceMean" => self.mean_of(&first, result),
            "Neg" => first.step()?.negated(),
            "Sqrt" => Step::power(&first, 0.5),
            "Reciprocal" => Step::power(&first, -1.0),
            "Pow" => Step::power(&first, part(1)?.number()?),
            "Div" => Step::quotient(&first, &part(1)?),
            "Mul" => match (&first, &part(1)?) {
                (Part::Tensor(a, _), Part::Tensor(b, _)) if a == b => Step::squares(&first),
                (a, b) => Step::product(a, b).or_else(|| Step::product(b, a)),
            },
            "Add" => {
                let second = part(1)?;
                Step::sum(&first, &second).or_else(|| Step::sum(&second, &first))
            }
            "Sub" => {
                let negated = match part(1)? {
                    Part::Tensor(id, Some(step)) => Part::Tensor(id, step.negated()),
                    _ => return None,
                };
                Step::sum(&first, &negated)
            }
            _ => None,
        }?;
        let fits = match step.what {
            What::Centred | What::Squares { .. } | What::Scaled(..) | What::Whole { .. } => {
                self.shape(result) == self.shape(step.of)
            }
            What::Mean { .. } | What::Variance(_) | What::Deviation(_) => {
                self.kept_of(step.of, result).as_ref() == Some(&step.axes)
            }
            // A constant of their own may make them larger.
            What::Inverse(..) | What::Offset { .. } => true,
        };
        fits.then_some(step)
    }

    /// The mean of a tensor, or of squares, where the axes are kept.
    fn mean_of(&self, part: &Part, result: TensorId) -> Option<Step> {
        let Part::Tensor(id, step) = part else { return None };
        let axes = self.kept_of(*id, result).filter(|axes| !axes.is_empty())?;
        match step {
            Some(Step { of, axes: own, what: What::Squares { is_centred } })
                if !is_centred || *own == axes =>
            {
                let moment = Moment { is_centred: *is_centred, epsilon: 0.0 };
                Some(Step { of: *of, axes, what: What::Variance(moment) })
            }
            _ => Some(Step { of: *id, axes, what: What::Mean { is_negated: false } }),
        }
    }

    /// The axes along which a result has one element where a tensor has several.
    fn kept_of(&self, tensor: TensorId, result: TensorId) -> Option<Vec<usize>> {
        let (before, after) = (self.shape(tensor), self.shape(result));
        let pairs = || before.iter().zip(after).enumerate();
        let is_kept = before.len() == after.len()
            && pairs().all(|(_, (before, after))| before == after || *after == 1);
        let axes = pairs().filter(|(_, (before, after))| before != after).map(|(axis, _)| axis);
        is_kept.then(|| axes.collect())
    }
}
