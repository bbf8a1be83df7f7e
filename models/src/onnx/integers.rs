//! Arithmetic on integers that stay the whole numbers that they are: inputs and what is computed
//! from them here. Nothing wraps around: the program is refused where an input could make it.

use super::compose::{Lowered, whole};
use super::constant::{Constant, Data};
use super::element::Element;
use super::error::ImportError;
use super::importer::Importer;
use super::node::{OnnxNode, Tensor, Value};
use super::operators::{Operator, operator};
use crate::activation::Activation;
use crate::function::Function;
use crate::graph::{Op, Rule, Term, Window};
use crate::quantized::TensorId;

pub(super) const OPERATORS: &[Operator] =
    &[operator("BitShift", &[11, 28], &["direction"], bit_shift)];

/// Two integers, or an integer and a constant, one of them narrow: sums of them would wrap around.
pub(super) fn are_narrow(a: &Value, b: &Value) -> bool {
    let is_integer = |value: &Value| match value {
        Value::Tensor(tensor) => matches!(tensor.element, Element::Integer { .. }),
        Value::Constant(constant) => matches!(constant.data, Data::Integer(_)),
    };
    let is_narrow = |value: &Value| match value {
        Value::Tensor(tensor) => matches!(tensor.element, Element::Integer { bits: ..32, .. }),
        Value::Constant(_) => false,
    };
    is_integer(a) && is_integer(b) && (is_narrow(a) || is_narrow(b))
}

/// The integer type of two operands, of which one is a tensor.
pub(super) fn kind_of(a: &Value, b: &Value) -> Element {
    Importer::element_of(if a.is_constant() { b } else { a })
}

pub(super) fn as_numbers(value: &Value) -> Value {
    value.clone().with_element(Element::Real)
}

impl Importer {
    /// What makes real sums or products of the operands, as integers that do not wrap around.
    pub(super) fn exactly(
        &mut self,
        node: &OnnxNode<'_>,
        [a, b]: [&Value; 2],
        compute: fn(&mut Self, &OnnxNode<'_>, &Value, &Value) -> Result<Value, ImportError>,
    ) -> Result<Value, ImportError> {
        self.check_whole(node, &[a, b])?;
        let kind = kind_of(a, b);
        let result = compute(self, node, &as_numbers(a), &as_numbers(b))?;
        self.made_exact(node, &result, Rule::Exact, (kind, held_bounds(kind)))
    }

    /// Refuses values that are not held as the integers that they are.
    pub(super) fn check_whole(
        &self,
        node: &OnnxNode<'_>,
        values: &[&Value],
    ) -> Result<(), ImportError> {
        let is_whole = |value: &&Value| match value {
            Value::Tensor(tensor) => self.is_held_whole(tensor.id),
            Value::Constant(_) => true,
        };
        if values.iter().all(is_whole) {
            return Ok(());
        }
        Err(node.unsupported(
            "integers that wrap around or are divided, and are computed; cast them to float first",
        ))
    }

    /// Whether a tensor holds integers of an input, or what is computed from them here.
    fn is_held_whole(&self, id: TensorId) -> bool {
        let root = self.root_of(id);
        self.graph.whole_inputs.contains_key(&root) || self.whole.contains(&root)
    }

    /// The whole sums that the last operation of the node gives and a bias for each channel, which
    /// are within these bounds for every input.
    pub(super) fn whole_sums(
        &mut self,
        node: &OnnxNode<'_>,
        sums: &Value,
        bias: &[f64],
        bounds: [i64; 2],
    ) -> Result<Value, ImportError> {
        let rule = Rule::Scaled { multipliers: vec![1.0] };
        let result = self.coded_sums(node, sums, bias, |_| rule, bounds)?;
        Ok(result.with_element(Element::Real))
    }

    /// The sums that the last operation of the node gives, as integers of a type within bounds.
    pub(super) fn made_exact(
        &mut self,
        node: &OnnxNode<'_>,
        sums: &Value,
        rule: Rule,
        (kind, bounds): (Element, [i64; 2]),
    ) -> Result<Value, ImportError> {
        let result = self.coded_sums(node, sums, &[], |_| rule, bounds)?;
        if let Value::Tensor(tensor) = &result {
            let root = self.root_of(tensor.id);
            self.whole.insert(root);
        }
        Ok(result.with_element(kind))
    }

    /// `factor · a + shift` over the divisor, one number each for every element or for all, without
    /// the fraction: rounded down, or towards 0.
    pub(super) fn quotient(
        &mut self,
        node: &OnnxNode<'_>,
        tensor: Tensor,
        divisor: &Constant,
        truncates: bool,
    ) -> Result<Value, ImportError> {
        let (kind, real) = (tensor.element, Tensor { element: Element::Real, ..tensor });
        let is_signed = matches!(kind, Element::Integer { signed: true, .. });
        let negative = match truncates && is_signed {
            false => None,
            true => {
                let negated = self.scale_and_shift(node, real, divisor, |d| (-d.signum(), 0.0))?;
                Some(self.apply(node, &negated, Activation::Function(Function::IsPositive))?)
            }
        };
        let scaled = self.scale_and_shift(node, real, divisor, |d| (d, 0.0))?;
        let mut divisors = Vec::new();
        if let Some(Op::Affine(layer)) = self.graph.nodes.last_mut().map(|node| &mut node.op) {
            for weight in layer.terms.iter_mut().flat_map(|term| &mut term.kernel) {
                divisors.extend(whole(weight.abs()));
                *weight = weight.signum();
            }
            // Rounded towards 0 is rounded down, after all but a unit is added below 0.
            if let Some(Value::Tensor(negative)) = negative {
                let channels = layer.output.channels;
                let kernel = divisors.iter().map(|&d| super::constant::real(d - 1)).collect();
                let (input, view) = (negative.id, layer.output.clone());
                layer.terms.push(Term { input, view, window: Window::pixel(channels), kernel });
            }
        }
        let rule = Rule::Quotient { divisors };
        self.made_exact(node, &scaled, rule, (kind, held_bounds(kind)))
    }
}

/// The smallest and the largest integer of a type, as far as 16 bits hold them.
pub(super) fn held_bounds(kind: Element) -> [i64; 2] {
    match (kind, kind.bounds()) {
        (Element::Integer { bits: ..=16, .. }, Some((lo, hi))) => [lo, hi],
        (_, Some((0, _))) => [0, u16::MAX.into()],
        _ => [i16::MIN.into(), i16::MAX.into()],
    }
}

/// `Div` of integers: the quotient without its fraction.
pub(super) fn divide(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    tensor: Tensor,
    divisor: &Constant,
) -> Result<Value, ImportError> {
    importer.check_whole(node, &[&Value::Tensor(tensor)])?;
    importer.quotient(node, tensor, divisor, true)
}

/// `Mod` of integers: what is left of a quotient that is rounded down, or towards 0.
pub(super) fn remainder(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    tensor: Tensor,
    divisor: &Constant,
    truncates: bool,
) -> Result<Value, ImportError> {
    importer.check_whole(node, &[&Value::Tensor(tensor)])?;
    let quotient = importer.quotient(node, tensor, divisor, truncates)?;
    // It is between the divisor and 0, on the side of the divisor or of what is divided.
    let divisors: Vec<i64> = divisor.to_reals().into_iter().filter_map(whole).collect();
    let is_signed = matches!(tensor.element, Element::Integer { signed: true, .. });
    let reach = divisors.iter().map(|d| d.saturating_abs() - 1).max().unwrap_or(0);
    let bounds = match (truncates, is_signed) {
        (true, true) => [-reach, reach],
        (true, false) => [0, reach],
        (false, _) => {
            let below = divisors.iter().map(|d| (d + 1).min(0)).min().unwrap_or(0);
            [below, divisors.iter().map(|d| (d - 1).max(0)).max().unwrap_or(0)]
        }
    };
    if reach > i64::from(i16::MAX) {
        return Err(node.wrong_operand(1, "of 16 bits"));
    }
    less_multiples(node, importer, (tensor, &quotient, divisor), bounds)
}

/// `a − divisor · quotient`, within bounds.
fn less_multiples(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    (a, quotient, divisor): (Tensor, &Value, &Constant),
    bounds: [i64; 2],
) -> Result<Value, ImportError> {
    let kind = a.element;
    let shape = importer.shape_of(quotient);
    let a = importer.broadcast(node, &as_numbers(&Value::Tensor(a)), &shape)?;
    let (Value::Tensor(a), Value::Tensor(quotient)) = (&a, quotient) else {
        return Err(node.unsupported("constant operands only"));
    };
    let quotient = Tensor { element: Element::Real, ..*quotient };
    let sums = importer.scale_and_shift(node, quotient, divisor, |d| (-d, 0.0))?;
    if let Some(Op::Affine(layer)) = importer.graph.nodes.last_mut().map(|node| &mut node.op) {
        let channels = layer.output.channels;
        let (view, window) = (layer.output.clone(), Window::pixel(channels));
        layer.terms.push(Term { input: a.id, view, window, kernel: vec![1.0; channels] });
    }
    // Whatever the bounds of quotient and operand say of the sum, it is within these.
    importer.made_exact(node, &sums, Rule::Scaled { multipliers: vec![1.0] }, (kind, bounds))
}

/// `BitShift` by constants: to the right a quotient that is rounded down, to the left a product. A
/// shift by as many bits as there are, or by a negative number, leaves nothing but the sign.
fn bit_shift(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let right = match node.text("direction")? {
        Some(b"RIGHT") => true,
        Some(b"LEFT") => false,
        _ => return Err(node.wrong_attribute("direction", "RIGHT or LEFT")),
    };
    let shifts = node.constant(1)?;
    let value = node.operand(0)?;
    let Value::Tensor(tensor) = value else {
        return Err(node.wrong_operand(0, "computed from the input"));
    };
    let Element::Integer { bits, .. } = tensor.element else {
        return Err(node.wrong_operand(0, "integers"));
    };
    importer.check_whole(node, &[value])?;
    // What is held has fewer than 32 bits, so that a shift by more says no more.
    let width = f64::from(bits.min(31));
    let amount = |shift: f64| if shift < 0.0 { width } else { shift.min(width) };
    if right {
        let divisors = shifts.map(|shift| libm::exp2(amount(shift)));
        return Ok(vec![importer.quotient(node, *tensor, &divisors, false)?]);
    }
    let factors =
        shifts.map(
            |shift| if amount(shift) >= f64::from(bits) { 0.0 } else { libm::exp2(amount(shift)) },
        );
    let real = Tensor { element: Element::Real, ..*tensor };
    let product = importer.scale_and_shift(node, real, &factors, |factor| (factor, 0.0))?;
    let held = (tensor.element, held_bounds(tensor.element));
    Ok(vec![importer.made_exact(node, &product, Rule::Exact, held)?])
}
