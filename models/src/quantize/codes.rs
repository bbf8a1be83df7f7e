//! Models that are quantized already: the format of inputs that hold codes, and the shift with
//! which most layers round as their runtime does.

use std::collections::BTreeSet;

use super::{Format, QuantizeOptions, Quantizer, with_shift};
use crate::calibration::Calibration;
use crate::error::QuantizeError;
use crate::graph::{Coded, Graph, Op, Rule};
use crate::ops::Reads as _;
use crate::quantized::{QuantizedGraph, TensorId};

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
    Ok(best.0)
}

impl Quantizer<'_> {
    /// The format of input `id`, and the scale of its codes, where all that reads it quantizes it
    /// in the same way.
    pub(crate) fn coded_format(&self, id: TensorId) -> Option<Format> {
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

    /// Counts codes that begin at another sum than they should.
    pub(crate) fn misplace(&self, count: usize) {
        self.misplaced.set(self.misplaced.get().saturating_add(count));
    }

    /// The tensor whose elements a tensor takes.
    pub(crate) fn root(&self, id: TensorId) -> TensorId {
        self.graph.alias_root(id, &self.graph.producers())
    }

    /// Whether a tensor is an input of the model.
    pub(crate) fn is_input(&self, id: TensorId) -> bool {
        self.graph.inputs.contains(&id)
    }

    /// Whether the elements of a tensor are those of an input that is held in codes.
    pub(crate) fn is_taken_from_input(&self, id: TensorId) -> bool {
        let producers = self.graph.producers();
        let root = self.graph.alias_root(id, &producers);
        let producer = producers[root.0].map(|position| &self.graph.nodes[position].op);
        match producer {
            Some(Op::Coded(coded)) => {
                coded.inputs().iter().any(|input| self.is_input(self.root(*input)))
                    && matches!(coded.rule, Rule::Nearest { .. })
            }
            _ => self.is_input(root),
        }
    }

    /// Whether the elements of a tensor are codes.
    pub(crate) fn is_coded(&self, id: TensorId) -> bool {
        let producers = self.graph.producers();
        let mut id = id;
        while let Some(position) = producers[id.0] {
            match &self.graph.nodes[position].op {
                Op::Coded(_) => return true,
                Op::Alias(alias) => id = alias.input,
                Op::MaxPool(pool) => id = pool.input,
                _ => return false,
            }
        }
        false
    }
}
