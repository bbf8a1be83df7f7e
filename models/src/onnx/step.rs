//! What a tensor is on the way to a normalization that a file has as the steps of it.

use std::rc::Rc;

use super::constant::Constant;
use crate::quantized::TensorId;

/// What a tensor is of another one.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// The tensor that is normalized.
    pub(super) of: TensorId,
    /// Axes of more than one element, over which it is.
    pub(super) axes: Vec<usize>,
    pub(super) what: What,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    /// The mean, or its opposite.
    Mean { is_negated: bool },
    /// `x − mean`.
    Centred,
    /// `(x − mean)²`; without centring `x²`, over no axes yet.
    Squares { is_centred: bool },
    /// The mean of the squares, and a number more.
    Variance(Moment),
    /// Its root.
    Deviation(Moment),
    /// One over it, times a constant.
    Inverse(Moment, Factor),
    /// `x` times that.
    Scaled(Moment, Factor),
    /// The mean or its opposite times that, and a constant more.
    Offset { moment: Moment, factor: Factor, shift: Factor, is_negated: bool },
    /// The normalization.
    Whole { moment: Moment, factor: Factor, shift: Factor },
}

/// Which deviation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Moment {
    /// Whether the mean is taken off.
    pub(super) is_centred: bool,
    /// What is added to the variance.
    pub(super) epsilon: f64,
}

/// A constant, where there is one.
pub(super) type Factor = Option<Rc<Constant>>;

/// An operand: the tensor, what is known of it, or the constant.
#[derive(Clone, Debug)]
pub(super) enum Part {
    Tensor(TensorId, Option<Step>),
    Constant(Rc<Constant>),
}

impl Part {
    pub(super) fn step(&self) -> Option<&Step> {
        match self {
            Self::Tensor(_, step) => step.as_ref(),
            Self::Constant(_) => None,
        }
    }

    fn is(&self, id: TensorId) -> bool {
        matches!(self, Self::Tensor(own, _) if *own == id)
    }

    /// The number that all elements of a constant are.
    pub(super) fn number(&self) -> Option<f64> {
        let Self::Constant(constant) = self else { return None };
        match constant.to_reals()[..] {
            [number] => Some(number),
            _ => None,
        }
    }
}

impl Step {
    fn with(&self, what: What) -> Option<Self> {
        Some(Self { what, ..self.clone() })
    }

    /// Whether two steps are of one tensor over the same axes.
    fn is_beside(&self, other: &Self) -> bool {
        self.of == other.of && self.axes == other.axes
    }

    /// `x²`, `(x − mean)²`.
    pub(super) fn squares(part: &Part) -> Option<Self> {
        match part {
            Part::Tensor(_, Some(step)) if matches!(step.what, What::Centred) => {
                step.with(What::Squares { is_centred: true })
            }
            Part::Tensor(of, _) => {
                let what = What::Squares { is_centred: false };
                Some(Self { of: *of, axes: Vec::new(), what })
            }
            Part::Constant(_) => None,
        }
    }

    /// `a · b`, in this order.
    pub(super) fn product(a: &Part, b: &Part) -> Option<Self> {
        let by = b.step()?;
        let What::Inverse(moment, factor) = &by.what else { return None };
        let (moment, own) = (*moment, factor.clone());
        if let Part::Constant(constant) = a {
            return match own {
                None => by.with(What::Inverse(moment, Some(constant.clone()))),
                Some(_) => None,
            };
        }
        if a.is(by.of) {
            return by.with(match moment.is_centred {
                true => What::Scaled(moment, own),
                false => What::Whole { moment, factor: own, shift: None },
            });
        }
        let of = a.step().filter(|step| step.is_beside(by) && moment.is_centred)?;
        match of.what {
            What::Centred => by.with(What::Whole { moment, factor: own, shift: None }),
            What::Mean { is_negated } => {
                by.with(What::Offset { moment, factor: own, shift: None, is_negated })
            }
            _ => None,
        }
    }

    /// `a + b`, in this order.
    pub(super) fn sum(a: &Part, b: &Part) -> Option<Self> {
        let by = b.step()?;
        match (&by.what, a) {
            (What::Mean { is_negated: true }, _) if a.is(by.of) => by.with(What::Centred),
            (What::Variance(moment), Part::Constant(_)) => {
                let more = a.number().filter(|more| *more >= 0.0)?;
                by.with(What::Variance(Moment { epsilon: moment.epsilon + more, ..*moment }))
            }
            (What::Offset { moment, factor, shift: None, is_negated }, Part::Constant(more)) => {
                let (factor, shift) = (factor.clone(), Some(more.clone()));
                let is_negated = *is_negated;
                by.with(What::Offset { moment: *moment, factor, shift, is_negated })
            }
            (What::Offset { moment, factor, shift, is_negated: true }, _) => {
                let scaled = a.step().filter(|step| step.is_beside(by))?;
                let What::Scaled(other, own) = &scaled.what else { return None };
                let (moment, factor, shift) = (*moment, factor.clone(), shift.clone());
                (*other == moment && *own == factor)
                    .then(|| by.with(What::Whole { moment, factor, shift }))?
            }
            _ => None,
        }
    }

    /// The opposite of a step that has one.
    pub(super) fn negated(&self) -> Option<Self> {
        match &self.what {
            What::Mean { is_negated } => self.with(What::Mean { is_negated: !is_negated }),
            What::Offset { moment, factor, shift: None, is_negated } => {
                let (moment, factor, shift) = (*moment, factor.clone(), None);
                self.with(What::Offset { moment, factor, shift, is_negated: !is_negated })
            }
            _ => None,
        }
    }

    /// `a / b`.
    pub(super) fn quotient(a: &Part, b: &Part) -> Option<Self> {
        let by = b.step()?;
        let What::Deviation(moment) = by.what else { return None };
        let inverse = by.with(What::Inverse(moment, None))?;
        match a.number() {
            Some(1.0) => Some(inverse),
            Some(_) => None,
            None => Self::product(a, &Part::Tensor(by.of, Some(inverse))),
        }
    }

    /// A power of a step.
    pub(super) fn power(part: &Part, exponent: f64) -> Option<Self> {
        let variance = |part: &Part| match part.step()?.what {
            What::Variance(moment) => Some(moment),
            _ => None,
        };
        match exponent {
            2.0 => Self::squares(part),
            0.5 => part.step()?.with(What::Deviation(variance(part)?)),
            -0.5 => part.step()?.with(What::Inverse(variance(part)?, None)),
            -1.0 => match part.step()?.what {
                What::Deviation(moment) => part.step()?.with(What::Inverse(moment, None)),
                _ => None,
            },
            _ => None,
        }
    }
}
