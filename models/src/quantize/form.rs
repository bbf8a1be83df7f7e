//! Which of the few forms of requantization a layer takes.

use super::{Format, Quantizer, integer, power_of_two, real};
use crate::activation::Activation;
use crate::calibration::Range;
use crate::graph::Graph;
use crate::ops::Requirement;

/// What a layer's result is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Read by other layers.
    Hidden,
    /// A model output, maybe reordered.
    Output,
    /// The argument of a table that another operation has, maybe reordered; see
    /// [`Requirement::Argument`].
    Argument,
}

/// The role of each tensor.
pub(super) fn roles(graph: &Graph) -> Vec<Role> {
    let producers = graph.producers();
    let mut roles = vec![Role::Hidden; graph.tensors.len()];
    let askers = graph.nodes.iter().filter(|n| n.op.form().requirement() == Requirement::Argument);
    for input in askers.flat_map(|node| node.op.inputs()) {
        roles[graph.alias_root(input, &producers).0] = Role::Argument;
    }
    for &output in &graph.outputs {
        roles[graph.alias_root(output, &producers).0] = Role::Output;
    }
    roles
}

/// From accumulator to output: `z` in `[lo, hi]` with its scale, then maybe a function.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Form {
    /// The real number that one unit of `z` stands for.
    pub(crate) scale: f64,
    /// Smallest `z`.
    pub(crate) lo: i64,
    /// Largest `z`.
    pub(crate) hi: i64,
    /// The function that a table must hold.
    pub(crate) table: Option<Activation>,
    /// Whether the scale may be a little larger, for exact weights.
    pub(crate) is_adjustable: bool,
}

/// Bits of a model output that is computed by a layer without activation.
const OUTPUT_BITS: u32 = 16;

impl Quantizer<'_> {
    /// The form of a layer with this activation, calibrated range and proven range, both before
    /// the activation.
    pub(crate) fn form(
        &self,
        activation: Activation,
        role: Role,
        calibrated: Range,
        proven: Range,
    ) -> Form {
        let bits = self.options.activation_bits;
        match activation {
            Activation::Identity => match role {
                Role::Argument => signed(self.options.table_bits(), calibrated.magnitude(), true),
                Role::Output => signed(OUTPUT_BITS, proven.magnitude(), true),
                // Nothing negative to keep: the sign bit is better spent.
                Role::Hidden if proven.lo >= 0.0 => unsigned(bits, calibrated, true),
                Role::Hidden => signed(bits, calibrated.magnitude(), true),
            },
            Activation::Relu => unsigned(bits, calibrated, true),
            Activation::Clip { min, max } if min == 0.0 && max > 0.0 => {
                let largest = if calibrated.hi > 0.0 { calibrated.hi.min(max) } else { max };
                unsigned(bits, Range { lo: 0.0, hi: largest }, false)
            }
            function => self.table_form(function, calibrated),
        }
    }

    fn table_form(&self, function: Activation, calibrated: Range) -> Form {
        let step = 1.0 / real(power_of_two(self.options.activation_bits + 1));
        let useful = function.useful_range(step).unwrap_or(f64::INFINITY);
        let reach = calibrated.magnitude().min(useful);
        let form = signed(self.options.table_bits(), reach, true);
        Form { table: Some(function), ..form }
    }

    /// The table of a layer with this form, if it has one, and the format of its output.
    pub(crate) fn output_of(&self, form: &Form) -> (Option<Vec<i32>>, Format) {
        let Some(function) = form.table else {
            return (None, Format { scale: form.scale, lo: form.lo, hi: form.hi });
        };
        let (table, format) = self.table(form, function);
        (Some(table), format)
    }

    /// The table of `function` for `z` in the form's range, and the format of its entries.
    fn table(&self, form: &Form, function: Activation) -> (Vec<i32>, Format) {
        let bits = self.options.activation_bits;
        let mut values: Vec<f64> =
            (form.lo..=form.hi).map(|z| function.apply(real(z) * form.scale)).collect();
        fill_poles(&mut values);
        let smallest = values.iter().copied().fold(0.0, f64::min);
        let largest = values.iter().copied().fold(0.0, f64::max);
        let (lo, hi) = if smallest < 0.0 {
            (-power_of_two(bits - 1), power_of_two(bits - 1) - 1)
        } else {
            (0, power_of_two(bits) - 1)
        };
        let reach = (largest / real(hi)).max(if lo < 0 { smallest / real(lo) } else { 0.0 });
        let scale = if reach > 0.0 { reach } else { 1.0 };
        let entry = |value: &f64| integer((value / scale).round()).clamp(lo, hi);
        let entries: Vec<i64> = values.iter().map(entry).collect();
        let smallest = entries.iter().copied().min().unwrap_or(0);
        let largest = entries.iter().copied().max().unwrap_or(0);
        let table = entries
            .into_iter()
            .map(|entry| i32::try_from(entry).expect("entries have at most 16 bits"))
            .collect();
        (table, Format { scale, lo: smallest, hi: largest })
    }
}

fn signed(bits: u32, reach: f64, is_adjustable: bool) -> Form {
    let (lo, hi) = (-power_of_two(bits - 1), power_of_two(bits - 1) - 1);
    Form { scale: step(reach, hi), lo, hi, table: None, is_adjustable }
}

fn unsigned(bits: u32, range: Range, is_adjustable: bool) -> Form {
    let hi = power_of_two(bits) - 1;
    let reach = if range.hi > 0.0 { range.hi } else { range.magnitude() };
    Form { scale: step(reach, hi), lo: 0, hi, table: None, is_adjustable }
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
