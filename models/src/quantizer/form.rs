//! Which of the few forms of requantization a layer takes.
//!
//! Calibrated ranges decide scales, so precision; proven ones bound what a circuit must hold, and
//! take over only where calibration saw nothing.

use super::{Format, Quantizer};
use crate::activation::Activation;
use crate::calibration::Range;
use crate::error::QuantizeError;
use crate::function::Function;
use crate::numbers::{integer, power_of_two, real};
use crate::tensor::TensorId;

/// What a layer's result is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Read by other layers.
    Hidden,
    /// A model output, maybe reordered.
    Output,
    /// The argument of a table that another operation has, maybe reordered; see
    /// [`Requirement::Argument`](crate::ops::form::Requirement::Argument).
    Argument {
        /// The tensor that the operation gives: under its name, calibration has the range of the
        /// largest argument of each group.
        of: TensorId,
    },
}

/// From accumulator to output: `z` in `[lo, hi]`, where `z` stands for `scale · (z − zero)`, then
/// maybe a table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Form {
    /// The real number that one unit of `z` stands for.
    pub(crate) scale: f64,
    /// The real number at `lo`, to the nearest unit, where `z` need not be 0 for 0.
    start: Option<f64>,
    /// Smallest `z`.
    pub(crate) lo: i64,
    /// Largest `z`.
    pub(crate) hi: i64,
    /// What follows.
    pub(crate) entries: Entries,
    /// Whether the scale may be a little larger, for exact weights.
    pub(crate) is_adjustable: bool,
    /// Whether no input in range may saturate it: a circuit has no clamp for more bits than those
    /// of activations.
    pub(crate) must_fit: bool,
}

/// What the output is for each `z`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Entries {
    /// `z` itself, without a table.
    Clamped,
    /// `z − zero`, by a table: the format of arguments.
    Shifted,
    /// A function, by a table with entries of so many bits.
    Function {
        /// The function.
        of: Activation,
        /// The bits.
        bits: u32,
        /// The largest magnitude that entries must hold; what is beyond saturates.
        reach: f64,
    },
}

impl Form {
    /// The `z` that stands for 0.
    pub(crate) fn zero(&self) -> i64 {
        self.start.map_or(0, |start| self.lo - integer((start / self.scale).round()))
    }

    /// Whether a smaller scale cuts off values that the form is for.
    pub(crate) fn is_cut_at(&self, scale: f64, seen: Range) -> bool {
        let largest = if self.lo < 0 { seen.magnitude() } else { seen.hi };
        let most = real(self.lo.abs().max(self.hi));
        let is_cut = self.start.is_some() || scale * most < largest;
        scale < self.scale && is_cut
    }

    /// Whether the layer is the argument of another operation's table.
    pub(crate) fn is_argument(&self) -> bool {
        self.entries == Entries::Shifted
    }

    /// The same with `z` standing for 0 at 0, for operations without a bias.
    pub(crate) fn centred(self) -> Self {
        let Some(start) = self.start else { return self };
        let end = start + self.scale * real(self.hi - self.lo);
        let scale = step(start.abs().max(end.abs()), self.hi);
        Self { scale, start: None, ..self }
    }

    /// `bits` of a sign and as many units on both sides of 0, reaching so far.
    pub(crate) fn signed(bits: u32, reach: f64) -> Self {
        let (lo, hi) = (-power_of_two(bits - 1), power_of_two(bits - 1) - 1);
        let (scale, entries) = (step(reach, hi), Entries::Clamped);
        Self { scale, start: None, lo, hi, entries, is_adjustable: true, must_fit: false }
    }

    /// The format of outputs, and of layers in which 8 bits would lose too much: it holds all that
    /// is proven.
    pub(crate) fn wide(proven: Range) -> Self {
        Self { must_fit: true, ..Self::signed(OUTPUT_BITS, proven.magnitude()) }
    }

    /// A sum of which only the sign counts: the layer chooses the scale.
    fn sign(of: Activation) -> Self {
        // −1 takes a second bit.
        let bits = if of == Activation::Function(Function::Sign) { 2 } else { 1 };
        let entries = Entries::Function { of, bits, reach: 1.0 };
        let (lo, hi, is_adjustable) = (SIGN[0], SIGN[1], false);
        Self { lo, hi, entries, is_adjustable, ..Self::signed(2, 0.0) }
    }

    /// Whether it tells no more than the sign.
    pub(crate) fn is_sign(&self) -> bool {
        [self.lo, self.hi] == SIGN
    }

    fn unsigned(bits: u32, reach: f64) -> Self {
        let (lo, hi) = (0, power_of_two(bits) - 1);
        Self { lo, hi, scale: step(reach, hi), ..Self::signed(bits, reach) }
    }

    /// The argument of a table over `window`, with 0 on a whole number.
    fn window(bits: u32, window: Range, entries: Entries) -> Self {
        let Self { lo, hi, .. } = Self::signed(bits, 0.0);
        // Not narrower than its distance from 0 allows in so many bits.
        let width = (window.hi - window.lo).max(window.magnitude() * libm::scalbn(1.0, -20));
        let scale = step(width, hi - lo);
        Self { scale, start: Some(window.lo), entries, ..Self::signed(bits, 0.0) }
    }
}

/// Smallest and largest `z` of a sum of which only the sign counts.
const SIGN: [i64; 2] = [-2, 1];
/// Bits of a model output.
pub(crate) const OUTPUT_BITS: u32 = 16;
/// How much smaller than that of the largest group the largest argument of a group may be, for the
/// scale to have regard for it.
const GROUP_SPREAD: f64 = 64.0;

impl Quantizer<'_> {
    /// The form of the layer that gives tensor `id`, with this activation, range on the samples and
    /// proven range, both before the activation.
    ///
    /// # Errors
    /// When the calibration has no usable range for the role.
    pub(crate) fn form(
        &self,
        id: TensorId,
        activation: Activation,
        role: Role,
        [seen, proven]: [Range; 2],
    ) -> Result<Form, QuantizeError> {
        let bits = self.bits_of(id);
        let wide = self.widened(seen).within(proven);
        Ok(match (activation, role) {
            (Activation::Identity, Role::Argument { of }) => {
                self.argument(of, proven, f64::NEG_INFINITY, f64::INFINITY)?
            }
            (Activation::Relu, Role::Argument { of }) => {
                self.argument(of, proven, 0.0, f64::INFINITY)?
            }
            (Activation::Identity, Role::Output) => Form::wide(proven),
            // Nothing negative to keep: the sign bit is better spent.
            (Activation::Identity, Role::Hidden) if proven.lo >= 0.0 => {
                Form::unsigned(bits, or_else(wide.hi, proven.hi))
            }
            (Activation::Identity, Role::Hidden) => {
                Form::signed(bits, or_else(wide.magnitude(), proven.magnitude()))
            }
            (Activation::Relu, Role::Hidden | Role::Output) => {
                let reach = if seen.hi > 0.0 { wide.hi } else { proven.hi };
                Form::unsigned(bits, or_else(reach, proven.magnitude()))
            }
            (Activation::Clip { min, max }, Role::Hidden | Role::Output)
                if min == 0.0 && max > 0.0 =>
            {
                let reach = if seen.hi > 0.0 { wide.hi.min(max) } else { max.min(proven.hi) };
                Form { is_adjustable: false, ..Form::unsigned(bits, or_else(reach, max)) }
            }
            (Activation::Function(of), Role::Hidden | Role::Output) if of.tells_sign() => {
                Form::sign(activation)
            }
            (function, _) => self.table_form(function, role, bits, [seen, proven]),
        })
    }

    /// The form of the argument of a softmax: from the largest of all groups down to where, in the
    /// group with the smallest largest one, no probability is left. What is below, a mask of any
    /// size, is as good as the end. `least` and `most` are where an activation cuts off.
    fn argument(
        &self,
        of: TensorId,
        proven: Range,
        least: f64,
        most: f64,
    ) -> Result<Form, QuantizeError> {
        let seen = self.range(of)?;
        let seen = Range { lo: seen.lo.max(seen.hi - GROUP_SPREAD), hi: seen.hi };
        let maxima = self.widened(seen);
        let nothing = std::f64::consts::LN_2 * f64::from(self.options.softmax_bits.max(12) + 2);
        let hi = maxima.hi.min(proven.hi).min(most);
        let lo = (maxima.lo - nothing).max(proven.lo).max(least);
        let window = if lo < hi { Range { lo, hi } } else { Range { lo: hi - nothing, hi } };
        let bits = self.options.table_bits(self.options.activation_bits);
        Ok(Form::window(bits, window, Entries::Shifted))
    }

    /// The form of a layer whose outputs a table gives.
    pub(crate) fn table_form(
        &self,
        function: Activation,
        role: Role,
        layer_bits: u32,
        [seen, proven]: [Range; 2],
    ) -> Form {
        let table_bits = self.options.table_bits(layer_bits);
        let bits = match role {
            Role::Output => OUTPUT_BITS,
            Role::Hidden => layer_bits,
            Role::Argument { .. } => layer_bits.min(table_bits),
        };
        let step = 1.0 / real(power_of_two(layer_bits + 1));
        let useful = function.useful_range(step);
        let mut window = self.spread(seen).within(proven);
        if window.magnitude() == 0.0 {
            window = proven;
        }
        if let Some(useful) = useful {
            window = window.within(Range { lo: -useful, hi: useful });
        }
        let (lo, hi) = function.domain();
        window = window.within(Range { lo, hi });
        if function == Activation::Exp {
            // So far below the largest result, the others are less than half a unit of it.
            let nothing = std::f64::consts::LN_2 * f64::from(bits + 1);
            window.lo = window.lo.max(window.hi.min(seen.hi) - nothing);
        }
        let image = |range: Range| {
            let (lo, hi) = function.image(range.lo, range.hi);
            Range { lo, hi }.magnitude()
        };
        // A function that goes on growing would spend its entries on values nobody has seen: only
        // those are free for them that a layer would not have.
        let largest = image(window);
        let spare = real(power_of_two(bits.saturating_sub(layer_bits)));
        let expected = self.factor * image(seen) * spare;
        let is_growing = useful.is_none() && expected > 0.0;
        let reach = if is_growing { largest.min(expected) } else { largest };
        let entries = Entries::Function { of: function, bits, reach };
        Form::window(table_bits, window, entries)
    }

    /// The table of a layer with this form, if it has one, and the format of its output.
    pub(crate) fn output_of(&self, form: &Form) -> (Option<Vec<i32>>, Format) {
        let zero = form.zero();
        match form.entries {
            Entries::Clamped => (None, Format { scale: form.scale, lo: form.lo, hi: form.hi }),
            Entries::Shifted => {
                let (lo, hi) = (form.lo - zero, form.hi - zero);
                let table = (lo..=hi).map(entry).collect();
                (Some(table), Format { scale: form.scale, lo, hi })
            }
            Entries::Function { of, bits, reach } => {
                let values = (form.lo..=form.hi).map(|z| of.apply(real(z - zero) * form.scale));
                let mut values: Vec<f64> = values.collect();
                fill_poles(&mut values);
                let (table, format) = table(&values, bits, reach);
                (Some(table), format)
            }
        }
    }
}

/// Entries of so many bits for `values`, the scale at which they reach so far, and their range.
fn table(values: &[f64], bits: u32, reach: f64) -> (Vec<i32>, Format) {
    let within = |value: f64| value.max(-reach).min(reach);
    let smallest = values.iter().copied().map(within).fold(0.0, f64::min);
    let largest = values.iter().copied().map(within).fold(0.0, f64::max);
    let (lo, hi) = if smallest < 0.0 {
        (-power_of_two(bits - 1), power_of_two(bits - 1) - 1)
    } else {
        (0, power_of_two(bits) - 1)
    };
    let scale = (largest / real(hi)).max(if lo < 0 { smallest / real(lo) } else { 0.0 });
    let scale = if scale > 0.0 { scale } else { 1.0 };
    let rounded = |value: &f64| integer((value / scale).round()).clamp(lo, hi);
    let entries: Vec<i64> = values.iter().map(rounded).collect();
    let smallest = entries.iter().copied().min().unwrap_or(0);
    let largest = entries.iter().copied().max().unwrap_or(0);
    let table = entries.into_iter().map(entry).collect();
    (table, Format { scale, lo: smallest, hi: largest })
}

fn entry(value: i64) -> i32 {
    i32::try_from(value).expect("entries have at most 16 bits, arguments at most 32")
}

/// `reach`, or `other` where there is nothing to reach.
fn or_else(reach: f64, other: f64) -> f64 {
    if reach > 0.0 { reach } else { other }
}

/// The scale at which `hi` units reach that far; 1 for nothing.
fn step(reach: f64, hi: i64) -> f64 {
    let is_nothing = reach < libm::scalbn(1.0, -200);
    if is_nothing { 1.0 } else { reach / real(hi) }
}

/// Gives each entry where the function is not defined the value of the nearest one where it is.
fn fill_poles(values: &mut [f64]) {
    let defined: Vec<usize> = (0..values.len()).filter(|&i| values[i].is_finite()).collect();
    for position in 0..values.len() {
        if !values[position].is_finite() {
            let after = defined.partition_point(|&other| other < position);
            let around = defined[after.saturating_sub(1)..].iter().take(2);
            let nearest = around.min_by_key(|other| other.abs_diff(position));
            values[position] = nearest.map_or(0.0, |&nearest| values[nearest]);
        }
    }
}
