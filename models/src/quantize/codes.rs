//! Models that are quantized already: the format of inputs that hold codes, and the shift with
//! which most layers round as their runtime does.

use std::collections::BTreeSet;

use super::input::InputFormats;
use super::with_shift;
use crate::calibration::Calibration;
use crate::error::QuantizeError;
use crate::graph::{Coded, Graph, Op, Rule};
use crate::ops::form::Reads as _;
use crate::quantized::QuantizedGraph;
use crate::quantizer::INEXACT;
use crate::quantizer::options::QuantizeOptions;
use crate::quantizer::{Format, Origin};
use crate::tensor::TensorId;

/// The shifts that are tried: weights have at most 32 bits.
const SHIFTS: [u32; 10] = [16, 18, 20, 22, 24, 26, 27, 28, 29, 30];

/// Whether a layer gives codes of the model's own.
pub(super) fn has_codes(graph: &Graph) -> bool {
    graph.nodes.iter().any(|node| matches!(node.op, Op::Coded(_)))
}

/// The program with the smallest shift at which fewest codes begin at another sum than they should.
pub(super) fn quantize(
    graph: &Graph,
    calibration: &Calibration,
    options: &QuantizeOptions,
) -> Result<QuantizedGraph, QuantizeError> {
    let mut best = with_shift(graph, calibration, options, SHIFTS[0])?;
    for &shift in &SHIFTS[1..] {
        if best.1 == 0 {
            break;
        }
        match with_shift(graph, calibration, options, shift) {
            Ok(program) if program.1 < best.1 => best = program,
            Ok(_) => {}
            Err(QuantizeError::Overflow { .. }) => break,
            Err(other) => return Err(other),
        }
    }
    exact(best)
}

/// The program, unless what must be exact is not.
pub(super) fn exact(
    (program, misplaced): (QuantizedGraph, usize),
) -> Result<QuantizedGraph, QuantizeError> {
    if misplaced < INEXACT { Ok(program) } else { Err(QuantizeError::InexactQuotient) }
}

impl InputFormats<'_> {
    /// The format of input `id`, and the scale of its codes, where all that reads it quantizes it
    /// in the same way.
    pub(super) fn coded_format(&self, id: TensorId) -> Option<Format> {
        if self.options.input_bits.is_some() || self.graph.outputs.contains(&id) {
            return None;
        }
        // Whoever moves its elements hands them on.
        let mut moved = BTreeSet::from([id]);
        let mut found = None;
        for node in &self.graph.nodes {
            if !node.op.inputs().iter().any(|input| moved.contains(input)) {
                continue;
            }
            let format = match &node.op {
                Op::Alias(_) if !self.graph.outputs.contains(&node.output) => {
                    moved.insert(node.output);
                    continue;
                }
                Op::Coded(Coded { rule: Rule::Nearest { scale }, lo, hi, .. }) => {
                    Format { scale: f64::from(*scale), lo: *lo, hi: *hi }
                }
                _ => return None,
            };
            if *found.get_or_insert(format) != format {
                return None;
            }
        }
        found
    }

    /// Where the elements of every tensor come from.
    pub(super) fn origins(&self) -> Vec<Origin> {
        let mut origins = vec![Origin::default(); self.graph.tensors.len()];
        // Whether the elements of a tensor are those of an input.
        let mut is_of_input = vec![false; origins.len()];
        for &id in &self.graph.inputs {
            is_of_input[id.0] = true;
            let holds_codes = self.coded_format(id).is_some();
            origins[id.0] = Origin { is_taken_from_input: true, holds_codes, is_coded: false };
        }
        for node in &self.graph.nodes {
            origins[node.output.0] = match &node.op {
                Op::Alias(alias) => {
                    is_of_input[node.output.0] = is_of_input[alias.input.0];
                    origins[alias.input.0]
                }
                Op::MaxPool(pool) => {
                    Origin { is_coded: origins[pool.input.0].is_coded, ..Origin::default() }
                }
                Op::Coded(coded) => Origin {
                    is_taken_from_input: matches!(coded.rule, Rule::Nearest { .. })
                        && coded.inputs().iter().any(|input| is_of_input[input.0]),
                    holds_codes: false,
                    is_coded: true,
                },
                _ => Origin::default(),
            };
        }
        origins
    }
}
