//! Integers that stand for real numbers: tensors of codes.
//!
//! A tensor of codes is kept as codes less their zero point, so that padding is 0 and a product
//! needs no correction. The zero point is known of the tensor; an operation that knows nothing of it
//! reads the whole codes.

use super::constant::Constant;
use super::element::{Codes, Element};
use super::error::ImportError;
use super::functions::Clamp;
use super::importer::Importer;
use super::node::{OnnxNode, Tensor, Value};
use crate::activation::Activation;
use crate::graph::{Channels, Coded, Op, Rule, Sums, Term, pointwise};
use crate::numbers::{integer, narrow, real};
use crate::quantized::TensorId;
use crate::view::View;

/// The largest magnitude of a code less its zero point.
const LARGEST_CODE: f64 = 255.0;

/// What the codes of a result are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Target {
    /// What one code stands for.
    pub(super) scale: f32,
    /// The code of 0.
    pub(super) zero: i64,
    /// The type of the codes.
    pub(super) kind: Element,
}

impl Target {
    /// The smallest and the largest code less the zero point.
    pub(super) fn bounds(&self, node: &OnnxNode<'_>) -> Result<[i64; 2], ImportError> {
        let [lo, hi] = code_bounds(node, self.kind)?;
        Ok([lo - self.zero, hi - self.zero])
    }

    /// The same with the functions that follow on the result.
    fn clamped(&self, node: &OnnxNode<'_>) -> Result<[i64; 2], ImportError> {
        let [mut lo, mut hi] = self.bounds(node)?;
        let code = |index: usize| match node.constant(index)?.to_reals()[..] {
            [number] => Ok(Rule::of_real(self.scale, number)),
            _ => Err(node.wrong_operand(index, "a single number")),
        };
        for clamp in node.clamps() {
            match clamp {
                Clamp::Relu => lo = lo.max(0),
                Clamp::Between([least, most]) => {
                    // The upper bound decides where the two cross.
                    lo = least.map(code).transpose()?.map_or(lo, |least| least.clamp(lo, hi));
                    hi = most.map(code).transpose()?.map_or(hi, |most| most.clamp(lo, hi));
                }
            }
        }
        Ok([lo, hi.max(lo)])
    }
}

/// The smallest and the largest code of a type.
pub(super) fn code_bounds(node: &OnnxNode<'_>, kind: Element) -> Result<[i64; 2], ImportError> {
    match kind.bounds() {
        Some((lo, hi)) if matches!(kind, Element::Integer { bits: 8, .. }) => Ok([lo, hi]),
        _ => Err(node.unsupported("codes of other than 8 bits")),
    }
}

impl Importer {
    /// What is known of a value.
    pub(super) fn codes_of(&self, value: &Value) -> Option<Codes> {
        let Value::Tensor(tensor) = value else { return None };
        self.codes.get(&tensor.id).copied()
    }

    /// Hands on what is known of an operand to results that are its elements.
    pub(super) fn move_codes(&mut self, operand: Option<&Value>, results: &[Value]) {
        let Some(codes) = operand.and_then(|value| self.codes_of(value)) else { return };
        for result in results {
            if let Value::Tensor(tensor) = result {
                self.codes.insert(tensor.id, codes);
            }
        }
    }

    /// The node with whole codes in place of those that are kept.
    pub(super) fn with_whole_codes<'a>(
        &mut self,
        node: OnnxNode<'a>,
    ) -> Result<OnnxNode<'a>, ImportError> {
        if node.operands().iter().flatten().all(|value| self.codes_of(value).is_none()) {
            return Ok(node);
        }
        let mut operands = node.operands().to_vec();
        for value in operands.iter_mut().flatten() {
            *value = self.whole_codes(&node, value)?;
        }
        Ok(node.with_operands(operands))
    }

    /// The value as an operation reads it that knows nothing of zero points.
    pub(super) fn whole_codes(
        &mut self,
        node: &OnnxNode<'_>,
        value: &Value,
    ) -> Result<Value, ImportError> {
        match self.codes_of(value) {
            Some(Codes::Centred(zero)) => {
                let kind = Self::element_of(value);
                let shifted = self.shifted(node, value, zero, 0)?;
                if let (Value::Tensor(whole), true) = (&shifted, zero != 0) {
                    self.codes.remove(&whole.id);
                }
                Ok(shifted.with_element(kind))
            }
            Some(Codes::Dynamic) => Err(node.unsupported(
                "codes of DynamicQuantizeLinear; only MatMulInteger, ConvInteger and \
                 DequantizeLinear read them",
            )),
            None => Ok(value.clone()),
        }
    }

    /// Codes less another zero point than they are kept with.
    fn shifted(
        &mut self,
        node: &OnnxNode<'_>,
        codes: &Value,
        own: i64,
        zero: i64,
    ) -> Result<Value, ImportError> {
        if own == zero {
            return Ok(codes.clone());
        }
        let kind = Self::element_of(codes);
        let target = Target { scale: 1.0, zero, kind };
        let bounds = target.bounds(node)?;
        let Value::Tensor(tensor) = codes else { return Ok(codes.clone()) };
        let sums = self.each(tensor.id, real(own - zero));
        let rule = Rule::Scaled { multipliers: vec![1.0] };
        self.emit_codes(node, self.shape(tensor.id).to_vec(), (sums, rule), (target, bounds))
    }

    /// Each element of a tensor on its own, and a number more.
    pub(super) fn each(&self, id: TensorId, shift: f64) -> Sums {
        let channels = Channels::flat(self.graph.tensor(id).len());
        Sums::Affine(pointwise(id, &channels, vec![1.0], vec![shift], Activation::Identity))
    }

    /// Adds an operation that gives codes.
    fn emit_codes(
        &mut self,
        node: &OnnxNode<'_>,
        shape: Vec<usize>,
        (sums, rule): (Sums, Rule),
        (target, [lo, hi]): (Target, [i64; 2]),
    ) -> Result<Value, ImportError> {
        self.reserve(node, &shape)?;
        let codes = self.emit(node, shape, Op::Coded(Coded { sums, rule, lo, hi }))?;
        Ok(self.known_codes(codes, target))
    }

    fn known_codes(&mut self, codes: Value, target: Target) -> Value {
        if let Value::Tensor(tensor) = &codes {
            self.codes.insert(tensor.id, Codes::Centred(target.zero));
        }
        codes.with_element(target.kind)
    }

    /// The codes that `rule` makes of each element of a tensor.
    pub(super) fn codes_of_each(
        &mut self,
        node: &OnnxNode<'_>,
        id: TensorId,
        rule: Rule,
        target: Target,
    ) -> Result<Value, ImportError> {
        let (sums, bounds) = (self.each(id, 0.0), target.clamped(node)?);
        self.emit_codes(node, self.shape(id).to_vec(), (sums, rule), (target, bounds))
    }

    /// The codes that a rule makes of the sums that the last operation of the node gave; `rule`
    /// is told how many channels they have.
    pub(super) fn codes_of_sums(
        &mut self,
        node: &OnnxNode<'_>,
        sums: &Value,
        bias: &[f64],
        rule: impl FnOnce(usize) -> Rule,
        target: Target,
    ) -> Result<Value, ImportError> {
        let bounds = target.clamped(node)?;
        let codes = self.coded_sums(node, sums, bias, rule, bounds)?;
        Ok(self.known_codes(codes, target))
    }

    /// Makes the last operation of the node one whose sums become whole numbers within bounds.
    pub(super) fn coded_sums(
        &mut self,
        node: &OnnxNode<'_>,
        sums: &Value,
        bias: &[f64],
        rule: impl FnOnce(usize) -> Rule,
        [lo, hi]: [i64; 2],
    ) -> Result<Value, ImportError> {
        let Value::Tensor(tensor) = sums else {
            return Err(node.unsupported("constant operands only"));
        };
        let mut id = tensor.id;
        let position = loop {
            let position = self.graph.nodes.iter().rposition(|node| node.output == id);
            match position.map(|position| (position, &self.graph.nodes[position].op)) {
                Some((_, Op::Alias(alias))) => id = alias.input,
                Some((position, Op::Affine(_) | Op::Mul(_) | Op::Contract(_))) => break position,
                _ => return Err(node.unsupported("codes in this form")),
            }
        };
        let op = &mut self.graph.nodes[position].op;
        let (sums_of, channels) = match op.clone() {
            Op::Affine(mut affine) => {
                let channels = affine.bias.len();
                for (channel, sum) in affine.bias.iter_mut().enumerate() {
                    *sum += bias.get(channel % bias.len().max(1)).copied().unwrap_or(0.0);
                }
                (Sums::Affine(affine), channels)
            }
            Op::Mul(mul) => (Sums::Mul(mul), 1),
            Op::Contract(contract) => (Sums::Contract(contract), 1),
            _ => return Err(node.unsupported("codes in this form")),
        };
        *op = Op::Coded(Coded { sums: sums_of, rule: rule(channels), lo, hi });
        Ok(sums.clone())
    }

    /// The bias of the layer that gives sums, as whole numbers; the layer has none any more.
    pub(super) fn taken_bias(
        &mut self,
        node: &OnnxNode<'_>,
        sums: &Value,
    ) -> Result<Vec<i64>, ImportError> {
        let Value::Tensor(tensor) = sums else {
            return Err(node.unsupported("constant operands only"));
        };
        let producer = self.graph.nodes.iter_mut().rfind(|node| node.output == tensor.id);
        let Some(Op::Affine(affine)) = producer.map(|node| &mut node.op) else {
            return Err(node.unsupported("codes in this form"));
        };
        Ok(affine.bias.iter_mut().map(|bias| integer(std::mem::take(bias))).collect())
    }

    /// The largest magnitude of sums of codes with constant weights.
    pub(super) fn largest_sum(&self, sums: &Value) -> f64 {
        let Value::Tensor(tensor) = sums else { return f64::INFINITY };
        let producer = self.graph.nodes.iter().rfind(|node| node.output == tensor.id);
        let Some(Op::Affine(affine)) = producer.map(|node| &node.op) else { return f64::INFINITY };
        let is_dynamic = |id| self.codes.get(&id).is_none_or(|codes| *codes == Codes::Dynamic);
        if affine.terms.iter().any(|term| is_dynamic(term.input)) {
            return f64::INFINITY;
        }
        let per_channel = |kernel: &[f64]| kernel.iter().map(|weight| weight.abs()).sum::<f64>();
        let of_term = |term: &Term| {
            let size = (term.kernel.len() / affine.bias.len().max(1)).max(1);
            term.kernel.chunks(size).map(per_channel).fold(0.0, f64::max)
        };
        LARGEST_CODE * affine.terms.iter().map(of_term).sum::<f64>()
    }

    /// Sums of codes as the whole numbers that they are, which 16 bits must hold.
    pub(super) fn exact_sums(
        &mut self,
        node: &OnnxNode<'_>,
        sums: &Value,
        kind: Element,
    ) -> Result<Value, ImportError> {
        let rule = |_| Rule::Scaled { multipliers: vec![1.0] };
        let bounds = [i16::MIN.into(), i16::MAX.into()];
        let whole = self.coded_sums(node, sums, &[], rule, bounds)?;
        Ok(whole.with_element(kind))
    }

    /// Whether a value is elements of another one.
    pub(super) fn is_movement(&self, value: &Value) -> bool {
        let Value::Tensor(tensor) = value else { return true };
        let producer = self.graph.nodes.iter().rfind(|node| node.output == tensor.id);
        producer.is_some_and(|node| matches!(node.op, Op::Alias(_)))
    }

    /// Codes less a zero point, as real numbers.
    pub(super) fn centred(
        &mut self,
        node: &OnnxNode<'_>,
        codes: &Value,
        zero: i64,
    ) -> Result<Value, ImportError> {
        let centred = match (codes, self.codes_of(codes)) {
            (Value::Constant(constant), _) => {
                self.budget.elements(&node.name, &constant.shape)?;
                return Ok(constant.map(|code| code - real(zero)).into());
            }
            (_, Some(Codes::Dynamic)) => codes.clone(),
            (_, Some(Codes::Centred(own))) => self.shifted(node, codes, own, zero)?,
            (Value::Tensor(tensor), None) => {
                let whole = self.whole_input(node, *tensor)?;
                self.shifted(node, &whole, 0, zero)?
            }
        };
        Ok(centred.with_element(Element::Real))
    }

    /// Whole numbers of 8 bits of which nothing is known, as an input has them.
    fn whole_input(&mut self, node: &OnnxNode<'_>, tensor: Tensor) -> Result<Value, ImportError> {
        let target = Target { scale: 1.0, zero: 0, kind: tensor.element };
        let (sums, bounds) = (self.each(tensor.id, 0.0), target.bounds(node)?);
        let rule = Rule::Nearest { scale: 1.0 };
        self.emit_codes(node, self.shape(tensor.id).to_vec(), (sums, rule), (target, bounds))
    }

    /// The scale and the zero point that are the operands at these indices.
    pub(super) fn target(
        &self,
        node: &OnnxNode<'_>,
        [scale, zero]: [usize; 2],
    ) -> Result<Target, ImportError> {
        let kind = match node.optional(zero) {
            None => Element::Integer { bits: 8, signed: false },
            Some(Value::Tensor(_)) => return Err(node.computed_operand(zero)),
            Some(_) => self.kind_of(node.operand_name(zero)).ok_or_else(|| {
                node.wrong_operand(zero, "an initializer, so that its type is known")
            })?,
        };
        code_bounds(node, kind)?;
        Ok(Target { scale: one_scale(node, scale)?, zero: one_zero(node, zero)?, kind })
    }
}

impl Importer {
    /// The same of an operand that is codes: where no zero point says so, their type is its own.
    pub(super) fn source(
        &self,
        node: &OnnxNode<'_>,
        [codes, scale, zero]: [usize; 3],
    ) -> Result<Target, ImportError> {
        let target = self.target(node, [scale, zero])?;
        match node.operand(codes)? {
            Value::Tensor(tensor) if node.optional(zero).is_none() && !tensor.element.is_wide() => {
                code_bounds(node, tensor.element)?;
                Ok(Target { kind: tensor.element, ..target })
            }
            _ => Ok(target),
        }
    }
}

/// Positive numbers of single precision.
pub(super) fn scales(node: &OnnxNode<'_>, index: usize) -> Result<Vec<f32>, ImportError> {
    let scales: Vec<f32> = node.constant(index)?.to_reals().into_iter().map(narrow).collect();
    if scales.is_empty() || scales.iter().any(|scale| !scale.is_finite() || *scale <= 0.0) {
        return Err(node.wrong_operand(index, "positive numbers"));
    }
    Ok(scales)
}

/// One scale for all channels.
pub(super) fn one_scale(node: &OnnxNode<'_>, index: usize) -> Result<f32, ImportError> {
    let scales = scales(node, index)?;
    match scales.iter().all(|scale| *scale == scales[0]) {
        true => Ok(scales[0]),
        false => Err(node.wrong_operand(index, "one number for all channels")),
    }
}

/// Zero points; 0 where there is no such operand.
pub(super) fn zeros(node: &OnnxNode<'_>, index: usize) -> Result<Vec<i64>, ImportError> {
    match node.optional(index) {
        None => Ok(vec![0]),
        Some(_) => {
            let zeros = node.constant(index)?.to_reals();
            match zeros.is_empty() {
                true => Err(node.wrong_operand(index, "a number")),
                false if zeros.iter().any(|zero| zero.abs() > LARGEST_CODE) => {
                    Err(node.wrong_operand(index, "a number of 8 bits"))
                }
                false => Ok(zeros.into_iter().map(integer).collect()),
            }
        }
    }
}

/// One zero point for all channels.
pub(super) fn one_zero(node: &OnnxNode<'_>, index: usize) -> Result<i64, ImportError> {
    let zeros = zeros(node, index)?;
    match zeros.iter().all(|zero| *zero == zeros[0]) {
        true => Ok(zeros[0]),
        false => Err(node.wrong_operand(index, "one number for all channels")),
    }
}

/// A scale or zero point that broadcasts along an axis of a tensor of this shape.
pub(super) fn along_axis(
    node: &OnnxNode<'_>,
    constant: &Constant,
    shape: &[usize],
) -> Result<Constant, ImportError> {
    let given = node.int("axis")?.unwrap_or(1);
    let block = node.int("block_size")?.unwrap_or(0);
    if block != 0 {
        let axis = node.axis(given, shape.len())?;
        return of_blocks(node, constant, (shape, axis), block);
    }
    if constant.data.len() == 1 {
        return Ok(Constant { shape: Vec::new(), data: constant.data.clone() });
    }
    let axis = node.axis(given, shape.len())?;
    if constant.data.len() != shape[axis] {
        return Err(node.wrong_operand(1, "one number, or one for each index of the axis"));
    }
    let mut broadcast = vec![1; shape.len()];
    broadcast[axis] = shape[axis];
    Ok(Constant { shape: broadcast, data: constant.data.clone() })
}

/// A number for each element, of constants that have one for each block along an axis.
fn of_blocks(
    node: &OnnxNode<'_>,
    constant: &Constant,
    (shape, axis): (&[usize], usize),
    block: i64,
) -> Result<Constant, ImportError> {
    let block = usize::try_from(block).ok().filter(|block| *block > 0);
    let block = block.ok_or_else(|| node.wrong_attribute("block_size", "0 or more"))?;
    let mut blocks = shape.to_vec();
    blocks[axis] = shape[axis].div_ceil(block);
    if constant.shape != blocks {
        return Err(node.wrong_operand(1, "one number for each block"));
    }
    let axes = shape.iter().enumerate().map(|(other, &size)| {
        let places = (0..size).map(|place| if other == axis { place / block } else { place });
        View::from(places.collect::<Vec<usize>>())
    });
    let elements = View::grid(&blocks, &axes.collect::<Vec<View>>());
    Ok(Constant { shape: shape.to_vec(), data: constant.data.select(&elements) })
}
