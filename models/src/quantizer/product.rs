//! Sums of products of two tensors in integers.
//!
//! There are no weights that could absorb scales, only a whole factor, so the scale of the result
//! gives way instead: a coarse factor would change the result by a constant one.

use super::form::{Form, OUTPUT_BITS, Role};
use super::{Format, Layer, Quantizer, SUM_BITS, check_scale};
use crate::activation::Activation;
use crate::calibration::Range;
use crate::error::QuantizeError;
use crate::numbers::{integer, power_of_two, real, small};
use crate::requant::Requant;

/// What is requantized.
pub(crate) struct Products<'a> {
    /// Applied to each sum.
    pub(crate) activation: Activation,
    /// The real number that one unit of a sum stands for, where the factor is 1.
    pub(crate) unit: f64,
    /// The smallest and the largest sum, where the factor is 1.
    pub(crate) bounds: [i64; 2],
    /// What is added to each element, if there is a place for it; nothing to any if it is empty.
    pub(crate) bias: Option<&'a [f64]>,
    /// Elements of the result.
    pub(crate) len: usize,
}

/// How the sums become outputs.
pub(crate) struct Factored {
    /// What sums are multiplied with.
    pub(crate) factor: i64,
    /// What is added to each element then; nothing to any if it is empty.
    pub(crate) bias: Vec<i64>,
    pub(crate) requant: Requant,
    pub(crate) format: Format,
}

impl Products<'_> {
    /// The smallest and the largest bias.
    fn bias_range(&self) -> Range {
        match self.bias {
            Some(bias) if !bias.is_empty() => Range::of(bias.iter().copied()),
            _ => Range { lo: 0.0, hi: 0.0 },
        }
    }

    fn proven(&self) -> Range {
        let ([lo, hi], bias) =
            (self.bounds.map(|bound| real(bound) * self.unit), self.bias_range());
        Range { lo: lo + bias.lo, hi: hi + bias.hi }
    }

    /// The bias in integers under a factor, with 0 where `form` has it.
    fn integer_bias(&self, form: &Form, [factor, shift]: [i64; 2]) -> Option<Vec<i64>> {
        let one = real(power_of_two(u32::try_from(shift).ok()?));
        let start = real(form.zero()) * one;
        let given = self.bias.unwrap_or_default();
        if given.is_empty() && start == 0.0 {
            return Some(Vec::new());
        }
        // Below it every input gives the smallest `z`: a mask of any size is as good as that.
        let floor = match form.is_argument() {
            true => real(form.lo - 1) * one - real(factor) * real(self.bounds[1]),
            false => f64::NEG_INFINITY,
        };
        let limit = real(power_of_two(SUM_BITS - 1));
        let bias = |element: usize| {
            let bias = given.get(element).copied().unwrap_or(0.0) * one / form.scale;
            let bias = (bias.round() + start).max(floor);
            (bias.abs() < limit).then(|| integer(bias))
        };
        (0..self.len).map(bias).collect()
    }
}

impl Quantizer<'_> {
    /// Requantization of the sums of a layer. Where not even the factor 1 makes them small enough
    /// for their form, the result has the bits of an output.
    ///
    /// # Errors
    /// When sums could exceed 62 bits, or their values on the samples do not fit the result.
    pub(crate) fn factored(
        &self,
        layer: Layer<'_>,
        role: Role,
        products: &Products<'_>,
    ) -> Result<Factored, QuantizeError> {
        let shift = self.shift;
        let step = products.unit * real(power_of_two(shift));
        let (mut form, mut ideal) = self.own_form(layer, role, products, step)?;
        let tied = self.ties.scale(layer.output);
        let tied = tied.and_then(|scale| Some((scale, whole_factor(step, scale)?)));
        (form.scale, ideal) = tied.unwrap_or((form.scale, ideal));
        check_scale(layer.name, form.scale)?;
        self.ties.keep(layer.output, form.scale);
        let factor = integer(ideal);
        let overflow = || QuantizeError::Overflow { layer: layer.name.to_owned() };
        let bias = products.integer_bias(&form, [factor, i64::from(shift)]).ok_or_else(overflow)?;
        let [acc_lo, acc_hi] = sum_bounds(products.bounds, factor, &bias).ok_or_else(overflow)?;
        let (table, format) = self.output_of(&form);
        let (lo, hi, zero) = (small(form.lo), small(form.hi), form.zero());
        let requant = Requant { scale: form.scale, zero, shift, lo, hi, acc_lo, acc_hi, table };
        Ok(Factored { factor, bias, requant, format })
    }

    /// The form that follows from the ranges, with a scale at which the factor is a whole number, and
    /// the factor.
    fn own_form(
        &self,
        layer: Layer<'_>,
        role: Role,
        products: &Products<'_>,
        step: f64,
    ) -> Result<(Form, f64), QuantizeError> {
        let measured = match (products.activation, role) {
            // Measured at the reader.
            (Activation::Identity | Activation::Relu, Role::Argument { of }) => of,
            _ => layer.output,
        };
        let reach = self.range(measured)?;
        let proven = products.proven();
        // The largest result in its units, where the factor is 1.
        let largest = proven.magnitude() / step;
        let fits = largest <= real(power_of_two(OUTPUT_BITS - 1) - 1);
        let role = if fits || role != Role::Output { role } else { Role::Hidden };
        let bounding = self.bounding(layer.output, reach, proven);
        let mut form = self.product_form(layer, products, role, [reach, bounding])?;
        let is_plain = products.activation == Activation::Identity && !form.is_argument();
        let ideal = if fits && (form.must_fit || (is_plain && step < form.scale)) {
            form = Form::wide(proven);
            (real(form.hi) / largest).floor()
        } else {
            (step / form.scale).floor()
        };
        if form.is_cut_at(step, self.seen(measured)?) {
            let (layer, shift) = (layer.name.to_owned(), self.shift);
            return Err(QuantizeError::Product { layer, shift });
        }
        let ideal = ideal.clamp(1.0, real(power_of_two(SUM_BITS - 1)));
        form.scale = step / ideal;
        Ok((form, ideal))
    }

    /// The form of the result; without a place for a bias, 0 stands for 0.
    fn product_form(
        &self,
        layer: Layer<'_>,
        products: &Products<'_>,
        role: Role,
        [seen, proven]: [Range; 2],
    ) -> Result<Form, QuantizeError> {
        let form = self.form(layer.output, products.activation, role, [seen, proven])?;
        // The cap of a clip would have to be a whole number of units, which the factor decides.
        let form = match form.is_adjustable {
            true => form,
            false => {
                let bits = self.bits_of(layer.output);
                self.table_form(products.activation, role, bits, [seen, proven])
            }
        };
        Ok(if products.bias.is_some() { form } else { form.centred() })
    }
}

/// The whole number at which products of this step have a scale, if there is one.
fn whole_factor(step: f64, scale: f64) -> Option<f64> {
    let factor = (step / scale).round();
    let is_whole = (step / factor - scale).abs() <= scale * libm::scalbn(1.0, -40);
    ((1.0..=real(power_of_two(SUM_BITS - 1))).contains(&factor) && is_whole).then_some(factor)
}

/// The smallest and the largest accumulator, if their magnitudes are within the limit.
fn sum_bounds(bounds: [i64; 2], factor: i64, bias: &[i64]) -> Option<[i64; 2]> {
    let [lo, hi] = bounds.map(|bound| i128::from(bound) * i128::from(factor));
    let least = i128::from(bias.iter().min().copied().unwrap_or(0));
    let most = i128::from(bias.iter().max().copied().unwrap_or(0));
    let limit = 1_i128 << SUM_BITS;
    let largest = lo.abs().max(hi.abs()) + least.abs().max(most.abs());
    let within = |sum: i128| i64::try_from(sum).ok().filter(|_| largest < limit);
    Some([within(lo + least)?, within(hi + most)?])
}
