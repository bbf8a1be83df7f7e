//! Linear layers: integer weights that absorb the scales, and bounds of every sum.

use super::patches::Patches;
use super::regroup::regrouped;
use super::{Affine, ConvTerm, Integers, QuantizedAffine, Term, Window};
use crate::activation::Activation;
use crate::calibration::Range;
use crate::error::QuantizeError;
use crate::function::Function;
use crate::numbers::{integer, power_of_two, real, small};
use crate::ops::alias::Alias;
use crate::ops::form::RealForm as _;
use crate::quantizer::form::{Form, Role};
use crate::quantizer::shift::FINEST;
use crate::quantizer::{Format, Layer, Quantizer, SUM_BITS, check_scale};
use crate::requant::Requant;
use crate::tensor::ImageView;
use crate::view::View;

/// How much an output's scale grows at a time until rounded weights cannot saturate it.
const WIDENING: f64 = 1.000_5;
/// So often it grows by that, in case of need also by as much as is missing, and then no more.
const SMALL_STEPS: u32 = 8;
const STEPS: u32 = 16;
/// The unit of a sign is so small a part of the smallest change of the sum.
const STEP_PARTS: f64 = 4.0;
/// A term that reaches fewer units than this is drowned by the others.
const DROWNED: f64 = 16.0;

impl Quantizer<'_> {
    pub(super) fn affine(
        &self,
        layer: Layer<'_>,
        affine: &Affine,
        role: Role,
    ) -> Result<(Integers, Format), QuantizeError> {
        if let Some(scaled) = self.scaled_codes(affine, role) {
            return Ok(scaled);
        }
        let absorbed = self.absorbed(affine);
        let affine = absorbed.as_ref();
        let proven = affine.range(&self.ranges());
        let tied = self.ties.scale(layer.output);
        let mut form = self.affine_form(layer, affine, role, proven)?;
        form.scale = tied.unwrap_or(form.scale);
        // The many digits of a model that is quantized already are for weights below one.
        let is_coarsened = self.shift > FINEST && self.options.shift.is_none();
        if is_coarsened && self.smallest_scale(affine) > form.scale {
            return Err(QuantizeError::Overflow { layer: layer.name.to_owned() });
        }
        if tied.is_none() {
            form.scale = match form.is_sign() {
                false => self.exact_scale(affine, &form),
                true => self.sign_unit(affine).unwrap_or(self.finest_step(affine) / STEP_PARTS),
            };
        }
        if !form.is_argument() {
            form.scale = form.scale.max(self.smallest_scale(affine));
        }
        let mut sums = self.integers(layer, affine, &form)?;
        if form.must_fit {
            sums = self.fitting(layer, affine, &mut form, sums)?;
        }
        self.ties.keep(layer.output, form.scale);
        let (table, format) = self.output_of(&form);
        sums.0.requant.table = table;
        let regrouped = regrouped(sums.0, &self.tensors[layer.output.0].shape);
        Ok((Integers::Layer(regrouped), format))
    }

    /// Codes of which each stands for as much: the codes themselves.
    fn scaled_codes(&self, affine: &Affine, role: Role) -> Option<(Integers, Format)> {
        let [term] = &affine.terms[..] else { return None };
        let &weight = term.kernel.first()?;
        let is_scaling = weight > 0.0
            && affine.activation == Activation::Identity
            && term.window == Window::pixel(affine.output.channels)
            && term.view == affine.output
            && term.kernel.iter().all(|other| *other == weight)
            && affine.bias.iter().all(|bias| *bias == 0.0);
        let is_read_elsewhere = match role {
            Role::Hidden => false,
            // An output is computed, even from an input that it is equal to.
            Role::Output => self.origins[term.input.0].is_taken_from_input,
            Role::Argument { .. } => true,
        };
        if !is_scaling || is_read_elsewhere || !self.origins[term.input.0].is_coded {
            return None;
        }
        let format = self.format(term.input);
        let elements = View::in_order(self.tensors[term.input.0].len());
        let alias = Alias { input: term.input, elements };
        Some((Integers::Elements(alias), Format { scale: format.scale * weight, ..format }))
    }

    fn affine_form(
        &self,
        layer: Layer<'_>,
        affine: &Affine,
        role: Role,
        proven: Range,
    ) -> Result<Form, QuantizeError> {
        let seen = match (affine.activation, role) {
            // Measured at the reader.
            (Activation::Identity | Activation::Relu, Role::Argument { of }) => self.range(of)?,
            _ => self.range(layer.output)?,
        };
        let bounding = self.bounding(layer.output, seen, proven);
        let form = self.form(layer.output, affine.activation, role, [seen, bounding])?;
        if form.is_sign() && !self.tells_sign(affine) {
            let bits = self.bits_of(layer.output);
            return Ok(self.table_form(affine.activation, role, bits, [seen, bounding]));
        }
        let wide = Form::wide(proven);
        // What holds all that is proven of one step of a recurrent cell does not hold the next.
        let is_plain = role == Role::Hidden
            && affine.activation == Activation::Identity
            && !self.ties.is_tied(layer.output);
        if is_plain && wide.scale < form.scale && self.drowns_a_term(affine, &form) {
            return Ok(wide);
        }
        Ok(form)
    }

    /// Whether the layer only brings values together (a concatenation, a residual sum) that are so
    /// unlike in size that the smallest would not survive in units of `form`.
    fn drowns_a_term(&self, affine: &Affine, form: &Form) -> bool {
        let reach = |term: &Term| {
            let largest = term.kernel.iter().fold(0.0, |most: f64, w| most.max(w.abs()));
            largest * self.ranges()[term.input.0].magnitude()
        };
        affine.terms.len() > 1
            && brings_together(affine)
            && affine.terms.iter().any(|term| reach(term) < DROWNED * form.scale)
    }

    /// The unit in which the sign of a difference of values is told: that of the coarser one, so that
    /// what is equal in real numbers is equal in integers. `None` where the sum is no difference of
    /// values that are held as finely as they are known, those of inputs and whole numbers, or that
    /// have one grid.
    fn sign_unit(&self, affine: &Affine) -> Option<f64> {
        let step = |term: &Term| Some(one_weight(term)? * self.tensors[term.input.0].scale);
        let steps = affine.terms.iter().map(step).collect::<Option<Vec<f64>>>()?;
        let (&first, rest) = steps.split_first().filter(|_| brings_together(affine))?;
        let has_one_grid = rest.iter().all(|step| *step == first);
        let is_plain = affine.bias.iter().all(|bias| *bias == 0.0);
        let is_known = (has_one_grid && is_plain) || self.reads_known_values(affine);
        is_known.then(|| rest.iter().copied().fold(first, f64::max))
    }

    /// Whether a layer reads nothing but inputs and whole numbers, none of them rounded on its way.
    fn reads_known_values(&self, affine: &Affine) -> bool {
        let is_known = |term: &Term| {
            self.origins[term.input.0].is_taken_from_input
                || self.tensors[term.input.0].scale == 1.0
        };
        affine.terms.iter().all(is_known)
    }

    /// Whether the sign of a layer's sum is told by the sum itself, and not by a table: what was
    /// rounded before is told apart only as finely as a table does.
    fn tells_sign(&self, affine: &Affine) -> bool {
        affine.activation == Activation::Function(Function::IsAbove)
            || self.sign_unit(affine).is_some()
            || self.reads_known_values(affine)
    }

    /// The layer with the first scale at which no input in range saturates it.
    fn fitting(
        &self,
        layer: Layer<'_>,
        affine: &Affine,
        form: &mut Form,
        mut sums: Sums,
    ) -> Result<Sums, QuantizeError> {
        for step in 0..STEPS {
            let excess = sums.excess();
            if excess <= 1.0 {
                return Ok(sums);
            }
            form.scale *= WIDENING * if step < SMALL_STEPS { 1.0 } else { excess };
            sums = self.integers(layer, affine, form)?;
        }
        Err(QuantizeError::Overflow { layer: layer.name.to_owned() })
    }

    /// The smallest scale at which every weight fits 32 bits.
    fn smallest_scale(&self, affine: &Affine) -> f64 {
        let weights = affine.terms.iter().map(|term| {
            let largest = term.kernel.iter().fold(0.0, |largest: f64, w| largest.max(w.abs()));
            largest * self.tensors[term.input.0].scale
        });
        weights.fold(0.0, f64::max) * real(power_of_two(self.shift)) / f64::from(i32::MAX)
    }

    /// Where all weights but zeros are one number, as in averages and copies, the scale a little
    /// above the form's at which that number is an exact integer.
    fn exact_scale(&self, affine: &Affine, form: &Form) -> f64 {
        let mut steps = self.steps(affine);
        let first = steps.next().unwrap_or(0.0);
        let unit = first * real(power_of_two(self.shift));
        let weight = (unit / form.scale).floor();
        if form.is_adjustable && weight >= 1.0 && steps.all(|step| step == first) {
            return unit / weight;
        }
        form.scale
    }

    /// The smallest change of a sum that one unit of an input makes; 1 where none makes any.
    fn finest_step(&self, affine: &Affine) -> f64 {
        let finest = self.steps(affine).fold(f64::INFINITY, f64::min);
        if finest.is_finite() { finest } else { 1.0 }
    }

    /// By how much a unit of an input changes a sum, for every weight that is not 0.
    fn steps<'b>(&'b self, affine: &'b Affine) -> impl Iterator<Item = f64> + 'b {
        let steps = affine.terms.iter().flat_map(|term| {
            let scale = self.tensors[term.input.0].scale;
            term.kernel.iter().map(move |weight| weight.abs() * scale)
        });
        steps.filter(|&step| step > 0.0)
    }

    fn integers(
        &self,
        layer: Layer<'_>,
        affine: &Affine,
        form: &Form,
    ) -> Result<Sums, QuantizeError> {
        check_scale(layer.name, form.scale)?;
        let overflow = || QuantizeError::Overflow { layer: layer.name.to_owned() };
        let unit = real(power_of_two(self.shift)) / form.scale;
        let limit = real(power_of_two(SUM_BITS - 1));
        let mut terms = Vec::with_capacity(affine.terms.len());
        for term in &affine.terms {
            let factor = unit * self.tensors[term.input.0].scale;
            // One unit of input under the largest weight takes an argument from end to end.
            let most = if form.is_argument() { f64::from(i32::MAX) } else { f64::INFINITY };
            let weight = |w: &f64| i32::try_from(integer((w * factor).round().clamp(-most, most)));
            let kernel = term.kernel.iter().map(weight).collect::<Result<Vec<i32>, _>>();
            terms.push(ConvTerm {
                input: term.input,
                view: term.view.clone(),
                kernel: kernel.map_err(|_| overflow())?,
                kernel_size: term.window.kernel_size,
                groups: term.window.groups,
                stride: term.window.stride,
                dilation: term.window.dilation,
                padding: term.window.padding,
            });
        }
        let zero = form.zero();
        let floors = form.is_argument().then(|| self.floors(affine, &terms, form));
        let start = real(zero) * real(power_of_two(self.shift));
        let bias = affine.bias.iter().enumerate().map(|(channel, bias)| {
            let floor = floors.as_ref().map_or(f64::NEG_INFINITY, |floors| floors[channel]);
            let bias = ((bias * unit).round() + start).max(floor);
            if bias.abs() < limit { Ok(integer(bias)) } else { Err(overflow()) }
        });
        let bias = bias.collect::<Result<Vec<i64>, _>>()?;
        let (lo, hi) = (small(form.lo), small(form.hi));
        let shift = self.shift;
        let scale = form.scale;
        let requant = Requant { scale, zero, shift, lo, hi, acc_lo: 0, acc_hi: 0, table: None };
        let output = affine.output.clone();
        let mut sums = Sums(QuantizedAffine { terms, bias, shifts: Vec::new(), output, requant });
        let (acc_lo, acc_hi) = self.sum_bounds(&sums.0).ok_or_else(overflow)?;
        (sums.0.requant.acc_lo, sums.0.requant.acc_hi) = (acc_lo, acc_hi);
        Ok(sums)
    }

    /// For each channel of an argument, a bias below which every input gives the smallest `z`: a
    /// mask of any size is as good as that.
    fn floors(&self, affine: &Affine, terms: &[ConvTerm], form: &Form) -> Vec<f64> {
        let start = real(form.lo - 1) * real(power_of_two(self.shift));
        let sums = self.channel_sums(&vec![0; affine.bias.len()], terms, &affine.output);
        sums.iter().map(|sum| start - sum[1] as f64).collect()
    }

    /// The smallest and largest sum over all channels; `None` where magnitudes exceed the limit.
    pub(crate) fn sum_bounds(&self, layer: &QuantizedAffine) -> Option<(i64, i64)> {
        let sums = self.channel_sums(&layer.bias, &layer.terms, &layer.output);
        let within = sums.iter().all(|sum| sum[2] < 1 << SUM_BITS);
        let lo = sums.iter().map(|sum| sum[0]).min()?;
        let hi = sums.iter().map(|sum| sum[1]).max()?;
        within.then_some((i64::try_from(lo).ok()?, i64::try_from(hi).ok()?))
    }

    /// The smallest and largest sum of each channel, and that of all magnitudes.
    pub(crate) fn channel_sums(
        &self,
        bias: &[i64],
        terms: &[ConvTerm],
        output: &ImageView,
    ) -> Vec<[i128; 3]> {
        let mut sums: Vec<[i128; 3]> =
            bias.iter().map(|&bias| [bias.into(), bias.into(), i128::from(bias).abs()]).collect();
        for term in terms {
            let tensor = &self.tensors[term.input.0];
            let patches = Patches {
                view: &term.view,
                window: term.window(),
                rows: output.height,
                columns: output.width,
            };
            let padded = patches.touches_padding();
            let lo = i128::from(if padded { tensor.lo.min(0) } else { tensor.lo });
            let hi = i128::from(if padded { tensor.hi.max(0) } else { tensor.hi });
            let per_channel = term.kernel.len() / sums.len();
            for (position, &weight) in term.kernel.iter().enumerate() {
                let (a, b) = (i128::from(weight) * lo, i128::from(weight) * hi);
                let sum = &mut sums[position / per_channel];
                sum[0] += a.min(b);
                sum[1] += a.max(b);
                sum[2] += a.abs().max(b.abs());
            }
        }
        sums
    }
}

/// Whether each sum takes one element of each term at most.
fn brings_together(affine: &Affine) -> bool {
    let few = |term: &Term| {
        let per_channel = (term.kernel.len() / affine.bias.len()).max(1);
        let weights = |kernel: &[f64]| kernel.iter().filter(|w| **w != 0.0).count();
        term.kernel.chunks(per_channel).all(|kernel| weights(kernel) <= 1)
    };
    affine.terms.iter().all(few)
}

/// The one weight that a term has, but for zeros and signs.
fn one_weight(term: &Term) -> Option<f64> {
    let mut weights = term.kernel.iter().map(|w| w.abs()).filter(|w| *w > 0.0);
    let first = weights.next()?;
    weights.all(|other| other == first).then_some(first)
}

/// A layer in integers, before its table.
struct Sums(QuantizedAffine);

impl Sums {
    /// The furthest that an input in range can go, as a multiple of what does not saturate.
    fn excess(&self) -> f64 {
        let requant = &self.0.requant;
        let low = real(requant.round(requant.acc_lo)) / f64::from(requant.lo);
        let high = real(requant.round(requant.acc_hi)) / f64::from(requant.hi);
        low.max(high)
    }
}
