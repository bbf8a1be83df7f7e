//! The integer format all rows of slots share: shift, clamp and limb widths.

use zkinfer_models::{
    QuantizedGraph,
    quantized::{QuantizedOp, Requant, TensorId},
};

use super::{
    columns::SlotShape,
    kind::{RequantKind, accumulators},
    packing::Packing,
    windows::{Pooling, poolings},
};
use crate::{
    error::PlanError,
    integers::{bits, limb_widths},
};

/// Bits of the output of a wide layer.
pub(crate) const WIDE_BITS: u32 = 16;

/// Largest magnitude of an accumulator, in bits; everything derived from it stays below 2^120.
const ACCUMULATOR_BITS: u32 = 62;

/// What the requantizations of a graph have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RowFormat {
    pub(crate) shift: u32,
    pub(crate) clamp_bits: u32,
    pub(crate) table_bits: Option<u32>,
    pub(crate) wide: bool,
    pub(crate) overflow_bits: u32,
    /// Bits of the largest difference between an accumulator that a row of slots can state and
    /// one that a layer can have, of wide layers and of all others: bases of [`Packing`].
    wide_digit_bits: u32,
    digit_bits: u32,
    /// Max pools that layers take over; none where each pool has rows of its own.
    pub(crate) poolings: Vec<Pooling>,
    /// Bits of what an accumulator of such a layer can fall short of another by.
    pub(crate) window_bits: u32,
    /// Outputs that a softmax reads: clamped to `table_bits`, with the identity as table.
    softmax_inputs: Vec<TensorId>,
}

fn width_bits(requant: &Requant) -> u32 {
    bits(i64::from(requant.hi) - i64::from(requant.lo))
}

impl RowFormat {
    pub(crate) fn of(graph: &QuantizedGraph) -> Result<Self, PlanError> {
        let softmax_inputs = softmax_inputs(graph);
        let requants: Vec<_> = (0..graph.nodes.len())
            .filter_map(|node| Some((node, accumulators(graph, node)?.0)))
            .collect();
        let tabled = |node: usize, r: &Requant| {
            r.table.is_some() || softmax_inputs.contains(&graph.nodes[node].output)
        };
        let plain = requants.iter().filter(|(n, r)| !tabled(*n, r)).map(|(_, r)| width_bits(r));
        let clamp_bits = plain.filter(|&b| b != WIDE_BITS).min();
        let mut format = Self {
            shift: requants.first().map_or(0, |(_, r)| r.shift),
            clamp_bits: clamp_bits.unwrap_or(8),
            table_bits: None,
            wide: false,
            overflow_bits: 0,
            wide_digit_bits: 0,
            digit_bits: 0,
            poolings: Vec::new(),
            window_bits: 0,
            softmax_inputs: softmax_inputs.clone(),
        };
        // All layers have 16 bits: wide outputs only, unless one of them can leave its range.
        let escapes = |r: &Requant| {
            r.round(r.acc_lo) < i64::from(r.lo) || r.round(r.acc_hi) > i64::from(r.hi)
        };
        if clamp_bits.is_none() && requants.iter().any(|(n, r)| !tabled(*n, r) && escapes(r)) {
            format.clamp_bits = WIDE_BITS;
        }
        let kinds: Vec<_> =
            requants.iter().map(|(node, r)| format.kind(r, graph.nodes[*node].output)).collect();
        let tables = requants.iter().zip(&kinds).filter(|(_, kind)| **kind == RequantKind::Table);
        format.table_bits = tables.map(|((_, r), _)| width_bits(r)).max();
        for (node, requant) in &requants {
            format.admit(graph, *node, requant)?;
        }
        format.set_digit_bits(graph);
        Ok(format)
    }

    /// The same with max pools taken over by the layers before them, if any can be.
    pub(crate) fn with_windows(&self, graph: &QuantizedGraph) -> Option<Self> {
        let kind = |node: usize| {
            let (requant, _) = accumulators(graph, node)?;
            Some(self.kind(requant, graph.nodes[node].output))
        };
        let poolings = poolings(graph, kind);
        let requants = poolings.iter().filter_map(|p| Some(accumulators(graph, p.layer)?.0));
        let window_bits = requants.map(|r| bits(r.acc_hi.saturating_sub(r.acc_lo)).max(1)).max()?;
        let mut format = Self { poolings, window_bits, ..self.clone() };
        format.set_digit_bits(graph);
        Some(format)
    }

    fn set_digit_bits(&mut self, graph: &QuantizedGraph) {
        for node in 0..graph.nodes.len() {
            let Some((requant, _)) = accumulators(graph, node) else { continue };
            let kind = self.kind(requant, graph.nodes[node].output);
            let short = if self.pooling(node).is_some() { 2 << self.window_bits } else { 0 };
            let digit_bits = self.digit_bits(requant, kind, short);
            let largest = match kind {
                RequantKind::Wide => &mut self.wide_digit_bits,
                RequantKind::Clamp | RequantKind::Table => &mut self.digit_bits,
            };
            *largest = digit_bits.max(*largest);
        }
    }

    /// The pool that a layer takes over.
    pub(crate) fn pooling(&self, layer: usize) -> Option<&Pooling> {
        self.poolings.iter().find(|pooling| pooling.layer == layer)
    }

    /// Bits of what a layer's accumulator can be off by, where the layers before it are right:
    /// the largest that limbs within their ranges can state, `short` below it for windows, and the
    /// largest that its inputs give.
    fn digit_bits(&self, requant: &Requant, kind: RequantKind, short: u128) -> u32 {
        let overflow = (1i128 << self.overflow_bits) - 1;
        let (low, high) = (i128::from(requant.lo), i128::from(requant.hi));
        let (least, most) = match kind {
            RequantKind::Clamp | RequantKind::Table => (low - overflow, high + overflow),
            RequantKind::Wide => (low, low + ((overflow + 1) << self.clamp_bits)),
        };
        // Remainder and rounding change it by less than one unit.
        let stated = (least.unsigned_abs().max(most.unsigned_abs()) + 1) << self.shift;
        let given = requant.acc_lo.unsigned_abs().max(requant.acc_hi.unsigned_abs());
        u128::BITS - (stated + short + u128::from(given)).leading_zeros()
    }

    /// Checks that the format serves a layer and widens the overflow for it.
    fn admit(
        &mut self,
        graph: &QuantizedGraph,
        node: usize,
        requant: &Requant,
    ) -> Result<(), PlanError> {
        let name = || graph.nodes[node].name.clone();
        let reach = bits(requant.acc_hi.max(requant.acc_lo.saturating_neg()));
        if reach > ACCUMULATOR_BITS {
            return Err(PlanError::AccumulatorTooWide {
                node: name(),
                bits: reach,
                limit: ACCUMULATOR_BITS,
            });
        }
        let kind = self.kind(requant, graph.nodes[node].output);
        let width = match kind {
            RequantKind::Clamp => self.clamp_bits,
            RequantKind::Table => self.table_bits.unwrap_or(0),
            RequantKind::Wide => WIDE_BITS,
        };
        let (lo, hi) = (i64::from(requant.lo), i64::from(requant.hi));
        let below = lo - requant.round(requant.acc_lo);
        let above = requant.round(requant.acc_hi) - hi;
        let wide_escapes = kind == RequantKind::Wide && below.max(above) > 0;
        if hi - lo + 1 != 1i64 << width || requant.shift != self.shift || wide_escapes {
            return Err(PlanError::Requant {
                node: name(),
                expected: format!("{width} bits after a shift of {}", self.shift),
                got: format!(
                    "[{lo}, {hi}] after a shift of {}, accumulators in [{}, {}]",
                    requant.shift, requant.acc_lo, requant.acc_hi
                ),
            });
        }
        let overflow = match kind {
            RequantKind::Wide => {
                self.wide = true;
                WIDE_BITS - self.clamp_bits
            }
            RequantKind::Clamp | RequantKind::Table => bits(below.max(above)),
        };
        self.overflow_bits = self.overflow_bits.max(overflow);
        Ok(())
    }

    /// How the channels of a layer are packed, with `lanes` slots to a row.
    pub(crate) fn packing(&self, kind: RequantKind, lanes: usize) -> Packing {
        match kind {
            RequantKind::Wide => Packing::new(self.wide_digit_bits, 1),
            RequantKind::Clamp | RequantKind::Table => Packing::new(self.digit_bits, lanes),
        }
    }

    /// The columns of such rows, `lanes` slots to a row and limbs of at most `limit` bits, but for
    /// what depends on the layout.
    pub(crate) fn shape(&self, lanes: usize, limit: u32) -> SlotShape {
        SlotShape {
            lanes,
            shift: self.shift,
            remainder_limbs: limb_widths(self.shift, limit),
            clamp_bits: self.clamp_bits,
            value_limbs: self.value_limbs(limit),
            table_bits: self.table_bits,
            overflow_limbs: limb_widths(self.overflow_bits, limit),
            wide: self.wide,
            packing: self.packing(RequantKind::Clamp, lanes),
            window_limbs: (!self.poolings.is_empty()).then(|| limb_widths(self.window_bits, limit)),
            ..SlotShape::default()
        }
    }

    /// Limbs of the clamped value; the lowest must hold the index of a table.
    fn value_limbs(&self, limit: u32) -> Vec<u32> {
        match self.table_bits {
            Some(_) if self.clamp_bits > limit => {
                let mut widths = vec![limit];
                widths.extend(limb_widths(self.clamp_bits - limit, limit));
                widths
            }
            _ => limb_widths(self.clamp_bits, limit),
        }
    }

    pub(crate) fn kind(&self, requant: &Requant, output: TensorId) -> RequantKind {
        let for_softmax = self.softmax_inputs.contains(&output);
        if requant.table.is_some() || (for_softmax && width_bits(requant) != self.clamp_bits) {
            RequantKind::Table
        } else if width_bits(requant) == WIDE_BITS && self.clamp_bits != WIDE_BITS {
            RequantKind::Wide
        } else {
            RequantKind::Clamp
        }
    }
}

/// The tensors with accumulators that a softmax reads, seen through aliases.
fn softmax_inputs(graph: &QuantizedGraph) -> Vec<TensorId> {
    let mut found: Vec<TensorId> = Vec::new();
    for node in graph.nodes.iter().rev() {
        match &node.op {
            QuantizedOp::Softmax(softmax) => found.push(softmax.input),
            QuantizedOp::Alias(alias) if found.contains(&node.output) => found.push(alias.input),
            _ => {}
        }
    }
    found
}
