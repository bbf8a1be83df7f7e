//! The choice of k, lanes, weight columns and limb width: the cheapest layout that fits.

use rayon::prelude::*;
use zkinfer_models::{QuantizedGraph, quantized::QuantizedOp};

use super::{
    Sizes, Tables,
    commitment::CommitmentPlan,
    cost::{Cost, UnitRows},
    format::RowFormat,
    linear::{self, LinearLayout, LinearWidths},
    range_widths, shape,
    slots::{self, Layer},
    units::Cells,
};
use crate::{PlanError, PlanOptions, shape::Shape};

/// Columns of packed weights that the search tries.
const WEIGHT_COLUMNS: [usize; 23] =
    [1, 2, 3, 4, 6, 8, 10, 12, 14, 16, 18, 20, 24, 28, 32, 36, 40, 48, 56, 64, 96, 128, 192];
/// Read lanes that the search tries.
const READ_LANES: [usize; 7] = [2, 3, 4, 5, 6, 7, 8];
/// Limb widths that the search tries.
const LIMB_BITS: std::ops::RangeInclusive<u32> = 5..=13;
/// Sizes above the smallest possible k that are still compared.
const K_SPAN: u32 = 3;
/// A proof that a chain or a phone can afford.
const PROOF_BYTES: u64 = 8 << 10;
/// What a byte beyond that must save, in microseconds: a KiB is worth a twentieth of a second.
const MICROS_TO_BYTE: u64 = 50;

/// What the planner makes small.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Objective {
    /// Proving time, and 50 ms for every KiB of a proof beyond 8.
    #[default]
    Balanced,
    /// Proving time, whatever the proof's length.
    Time,
    /// Bytes of the proof.
    Proof,
    /// Gas of the verifier.
    Gas,
    /// Memory of the prover.
    Memory,
}

impl Objective {
    fn score(self, cost: &Cost) -> (u64, u64) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a positive number of microseconds far below 2^63"
        )]
        let time = (cost.prove_seconds * 1e6) as u64;
        let bytes = u64::try_from(cost.proof_bytes).unwrap_or(u64::MAX);
        match self {
            Self::Balanced => (time + bytes.saturating_sub(PROOF_BYTES) * MICROS_TO_BYTE, bytes),
            Self::Time => (time, bytes),
            Self::Proof => (bytes, time),
            Self::Gas => (cost.gas, time),
            Self::Memory => (cost.memory_bytes, time),
        }
    }
}

struct Search<'a> {
    graph: &'a QuantizedGraph,
    format: &'a RowFormat,
    commitment: Option<&'a CommitmentPlan>,
    pool_rows: usize,
    softmax_rows: usize,
    instance: usize,
}

/// Sizes that hold the model, and what their cost depends on.
struct Candidate {
    sizes: Sizes,
    shape: Shape,
    rows: UnitRows,
}

pub(super) fn sizes(
    graph: &QuantizedGraph,
    format: &RowFormat,
    options: PlanOptions,
    commitment: Option<&CommitmentPlan>,
) -> Result<Sizes, PlanError> {
    let layers = slots::layers(graph, format, 1);
    let layout = slots::layout(graph, &layers, 1);
    let cells = Cells::of(graph, &layers, &layout, 1, commitment);
    let search = Search {
        graph,
        format,
        commitment,
        pool_rows: cells.pool.len(),
        softmax_rows: cells.softmax.len(),
        instance: cells.instance_len,
    };
    let mut candidates: Vec<Candidate> = Vec::new();
    for k in 5..=options.max_k {
        if candidates.first().is_some_and(|first| k > first.sizes.k + K_SPAN) {
            break;
        }
        candidates.extend(search.at_size(k));
    }
    let scored = candidates.into_par_iter().enumerate().map(|(index, candidate)| {
        let cost = Cost::of_shape(&candidate.shape, candidate.rows);
        ((options.objective.score(&cost), index), candidate.sizes)
    });
    // The first of equals, so that the plan does not depend on threads.
    let best = scored.min_by_key(|(score, _)| *score);
    best.map(|(_, sizes)| sizes).ok_or_else(|| PlanError::TooLarge {
        max_k: options.max_k,
        slots: slots::row_count(&layers),
        weights: weight_count(graph),
    })
}

fn weight_count(graph: &QuantizedGraph) -> usize {
    let weights = |op: &QuantizedOp| match op {
        QuantizedOp::Affine(affine) => affine.terms.iter().map(|t| t.kernel.len()).sum(),
        _ => 0,
    };
    graph.nodes.iter().map(|node| weights(&node.op)).sum()
}

impl Search<'_> {
    fn at_size(&self, k: u32) -> Vec<Candidate> {
        let rows = (Shape { k, ..Shape::default() }).usable_rows().saturating_sub(1);
        let committed = self.commitment.map_or(0, |commitment| commitment.rows.len());
        let units = [self.instance + 1, self.pool_rows, self.softmax_rows, committed];
        if units.into_iter().any(|used| used > rows) {
            return Vec::new();
        }
        let lanes = (1..=64).find(|&m| {
            let layers = slots::layers(self.graph, self.format, m);
            slots::row_count(&layers) <= rows
        });
        let Some(lanes) = lanes else { return Vec::new() };
        let layers = slots::layers(self.graph, self.format, lanes);
        let steps = slots::layout(self.graph, &layers, lanes).steps;
        let of_reads = |&read_lanes: &usize| {
            let (weight_columns, linear) = self.narrowest(&layers, read_lanes, rows)?;
            let base = Sizes { k, slot_lanes: lanes, read_lanes, weight_columns, limb_bits: 0 };
            let shape = |limb_bits| {
                let sizes = Sizes { limb_bits, ..base };
                let mut shape = shape(self.graph, self.format, sizes, self.commitment);
                shape.layers = layers.len();
                shape.slot_steps = steps.clone();
                shape.linear_steps = linear.steps.clone();
                shape.product = linear.has_product;
                shape.vertical = linear.has_vertical;
                (sizes, shape)
            };
            let mut shapes: Vec<_> = LIMB_BITS.map(shape).collect();
            shapes.dedup_by(|a, b| a.1 == b.1);
            Some(shapes)
        };
        let shapes: Vec<_> = READ_LANES.par_iter().filter_map(of_reads).collect();
        let shapes = shapes.into_iter().flatten();
        shapes
            .filter_map(|(sizes, shape)| {
                let table = self.table_rows(&layers, &shape);
                let rows_used = UnitRows { table, instance: self.instance, ..UnitRows::default() };
                (table <= rows).then_some(Candidate { sizes, shape, rows: rows_used })
            })
            .collect()
    }

    /// The fewest columns of weights with which the linear unit fits into `rows`.
    fn narrowest(
        &self,
        layers: &[Layer],
        lanes: usize,
        rows: usize,
    ) -> Option<(usize, LinearLayout)> {
        let dry_run =
            |columns| linear::dry_run(self.graph, layers, LinearWidths { lanes, columns });
        let pack = layers.iter().map(|layer| layer.packing.size()).max().unwrap_or(1);
        let too_few = |&columns: &usize| {
            weight_count(self.graph) / (columns * pack) > rows || dry_run(columns).row_count > rows
        };
        let columns = *WEIGHT_COLUMNS.get(WEIGHT_COLUMNS.partition_point(too_few))?;
        Some((columns, dry_run(columns)))
    }

    fn table_rows(&self, layers: &[Layer], shape: &Shape) -> usize {
        let tables = Tables::of(self.graph, layers, shape);
        let ranges: usize = range_widths(shape).iter().map(|&bits| 1usize << bits).sum();
        ranges + tables.values.iter().map(Vec::len).sum::<usize>()
    }
}
