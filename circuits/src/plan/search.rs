//! The choice of k, lanes, weight columns and limb width: the cheapest layout that fits.

use rayon::prelude::*;
use zkinfer_models::{
    QuantizedGraph,
    quantized::{QuantizedNode, QuantizedOp},
};

use super::{PlanOptions, PlanSizes, Sizes, cost::Cost, gas::EvmFork, layers, nodes, shape, taken};
use crate::{
    algebra::MAX_DEGREE,
    error::PlanError,
    folding::Folded,
    frame::{Frame, usable_rows},
    lookup::{Table, ValueTables},
    units::{
        Lanes, Proven, Relations, Shape, UnitRows, Units,
        boundary::BoundaryRows,
        hash::{HashRows, Hidden},
        linear::{self, LinearRows, LinearWidths, Ways},
        slots::{self, Layer, RowFormat, SlotRows},
    },
};

/// Columns of packed weights that the search tries.
const WEIGHT_COLUMNS: [usize; 52] = [
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 20, 22, 24, 26, 28, 30, 32, 36, 40,
    44, 48, 52, 56, 60, 64, 72, 80, 88, 96, 108, 120, 136, 160, 192, 224, 256, 320, 384, 448, 512,
    640, 768, 896, 1024, 1280,
];
/// Read lanes that the search tries.
const READ_LANES: [usize; 26] =
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 20, 22, 24, 28, 32, 40, 48, 56, 64];
/// Limb widths that the search tries.
const LIMB_BITS: std::ops::RangeInclusive<u32> = 5..=14;
/// The fewest rows that the search tries, log2.
const MIN_K: u32 = 5;
/// Columns of public values that the search allows in circuits of [`SEVERAL_COLUMNS_K`] or more, where
/// the verifier is no contract: a contract reads one, and small circuits gain little.
const INSTANCE_COLUMNS: usize = 64;
/// The fewest rows, log2, of a circuit with several columns of public values.
const SEVERAL_COLUMNS_K: u32 = 10;
/// Claims side by side that the search allows.
const COMMITMENT_LANES: usize = 16;
/// Entries of the lookup table to a row that the search allows.
const TABLE_LANES: usize = 16;
/// How many columns of the units the search puts into one of the circuit, where points are what a proof
/// costs.
const INTERLEAVED: [usize; 5] = [1, 2, 4, 8, 16];
/// What a chain or a phone can afford of a proof for a claim.
const PROOF_BYTES: u64 = 8 << 10;
/// What a byte beyond that must save, in microseconds: a KiB is worth a twentieth of a second.
const MICROS_TO_BYTE: u64 = 50;

/// What the planner makes small.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Objective {
    /// Proving time, and 50 ms for every KiB of a proof beyond 8, or beyond 8 for each of its claims.
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
    /// What the search stops after, and at how many sizes above the best in that. With more rows
    /// than needed there are fewer columns, down to those that no plan does without: the shortest
    /// proofs are slow ones.
    fn limit(self) -> (Self, u32) {
        match self {
            Self::Balanced | Self::Time | Self::Memory => (self, 2),
            Self::Proof | Self::Gas => (Self::Time, 4),
        }
    }

    /// How many columns of the units may lie in one of the circuit.
    fn interleaved(self) -> &'static [usize] {
        match self {
            Self::Gas => &INTERLEAVED,
            Self::Balanced | Self::Time | Self::Proof | Self::Memory => &INTERLEAVED[..1],
        }
    }

    /// What makes a plan for proofs of so many claims dear: of two plans the one with less, compared in
    /// this order, is taken.
    #[must_use]
    pub fn score(self, cost: &Cost, claims: u32) -> (u64, u64) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a positive number of microseconds far below 2^63"
        )]
        let time = (cost.prove_seconds * 1e6) as u64;
        let bytes = u64::try_from(cost.proof_bytes).unwrap_or(u64::MAX);
        match self {
            Self::Balanced => {
                let free = PROOF_BYTES * u64::from(claims.max(1));
                (time + bytes.saturating_sub(free) * MICROS_TO_BYTE, bytes)
            }
            Self::Time => (time, bytes),
            Self::Proof => (bytes, time),
            Self::Gas => (cost.gas(EvmFork::Osaka), time),
            Self::Memory => (cost.memory_bytes, time),
        }
    }
}

/// How many columns of the units may lie in one of the circuit: a column of a boundary is one of the
/// neighbour's, too.
fn interleaved(options: PlanOptions) -> &'static [usize] {
    match options.boundaries {
        [false, false] => options.objective.interleaved(),
        _ => &INTERLEAVED[..1],
    }
}

/// The numbers of rows that may be chosen, log2.
fn sizes_of(options: PlanOptions) -> std::ops::RangeInclusive<u32> {
    let (least, most) = options.k.map_or((MIN_K, options.max_k), |k| (k, k));
    least.max(MIN_K)..=most.min(options.max_k)
}

/// Read lanes that serve a graph: a product reads two elements in one row.
fn read_lanes(graph: &QuantizedGraph) -> impl Iterator<Item = usize> {
    let multiplies = graph.nodes.iter().any(|node| matches!(node.op, QuantizedOp::Mul(_)));
    READ_LANES.into_iter().filter(move |&lanes| lanes > 1 || !multiplies)
}

struct Search<'a> {
    folded: &'a Folded,
    format: &'a RowFormat,
    hidden: Option<&'a Hidden>,
    /// The nodes that no layer takes over.
    nodes: Vec<&'a QuantizedNode>,
    instance: usize,
    boundaries: [bool; 2],
    /// Whether a contract verifies the proofs.
    for_contract: bool,
    /// The value tables of slots.
    tables: ValueTables,
}

/// Sizes that hold the model, and what their cost depends on.
struct Candidate {
    sizes: Sizes,
    shape: Shape,
    rows: UnitRows,
}

/// A candidate whose score is not lower than this.
struct Bounded {
    bound: (u64, u64),
    format: usize,
    candidate: Candidate,
}

/// Which of several formats a plan has, and its sizes.
pub(super) type Chosen = (usize, Sizes);

/// The layout that has these sizes, if they are ones that a search could choose and hold the model:
/// what says so may be any bytes.
pub(super) fn known(
    folded: &Folded,
    formats: &[RowFormat],
    options: PlanOptions,
    hidden: (Option<&Hidden>, usize),
    known: PlanSizes,
) -> Option<Chosen> {
    let PlanSizes { format, k, interleaved, linear, limb_bits } = known;
    let tried = read_lanes(folded.graph()).any(|lanes| lanes == linear.lanes)
        && WEIGHT_COLUMNS.contains(&linear.columns)
        && LIMB_BITS.contains(&limb_bits)
        && self::interleaved(options).contains(&interleaved)
        && sizes_of(options).contains(&k);
    let search = Search::new(folded, formats.get(format).filter(|_| tried)?, options, hidden);
    let candidates = search.at_size((k, interleaved), |layers, rows| {
        let layout = linear::dry_run(folded.graph(), layers, linear);
        (layout.row_count <= rows).then_some((linear, layout)).into_iter().collect()
    });
    let mut sizes = candidates.into_iter().map(|candidate| candidate.sizes);
    Some((format, sizes.find(|sizes| sizes.limb_bits == limb_bits)?))
}

/// The cheapest of the layouts that some of `formats` allows.
pub(super) fn sizes(
    folded: &Folded,
    formats: &[RowFormat],
    options: PlanOptions,
    (hidden, instance): (Option<&Hidden>, usize),
) -> Result<Chosen, PlanError> {
    let searches =
        formats.iter().map(|format| Search::new(folded, format, options, (hidden, instance)));
    let searches: Vec<_> = searches.collect();
    let objective = options.objective;
    let mut candidates = Vec::new();
    let (measure, span) = objective.limit();
    // The best of that so far, and the k that has it.
    let mut best: Option<((u64, u64), u32)> = None;
    for k in sizes_of(options) {
        if best.is_some_and(|(_, of)| k > of + span) {
            break;
        }
        for (format, search) in searches.iter().enumerate() {
            let strides = interleaved(options).iter();
            let of_all = strides.map(|&stride| search.narrowest_at((k, stride)));
            let found = of_all.flatten().collect::<Vec<_>>().into_par_iter().map(|candidate| {
                let cost = Cost::at_least(&candidate.shape, candidate.rows);
                let bound = objective.score(&cost, options.claims);
                let found = Bounded { bound, format, candidate };
                ((measure.score(&cost, options.claims), k), found)
            });
            let (scores, found): (Vec<_>, Vec<_>) = found.unzip();
            best = best.into_iter().chain(scores).min();
            candidates.extend(found);
        }
    }
    let rows = |format| slots::row_count(&layers(folded, format, 1));
    cheapest(candidates, (objective, options.claims)).ok_or_else(|| PlanError::TooLarge {
        max_k: options.max_k,
        slots: formats.iter().map(rows).min().unwrap_or_default(),
        weights: weight_count(folded.graph()),
    })
}

/// The candidate of the lowest score, the first of equals. From the lowest bound on, until the
/// bounds are above the best score.
fn cheapest(mut candidates: Vec<Bounded>, (objective, claims): (Objective, u32)) -> Option<Chosen> {
    candidates.sort_by_key(|found| found.bound);
    let mut best: Option<((u64, u64), &Bounded)> = None;
    for found in &candidates {
        if best.is_some_and(|(score, _)| found.bound > score) {
            break;
        }
        let cost = Cost::of_shape(&found.candidate.shape, found.candidate.rows);
        if cost.degree > MAX_DEGREE {
            continue;
        }
        let score = objective.score(&cost, claims);
        debug_assert!(found.bound <= score, "every column is queried");
        if best.is_none_or(|(lowest, _)| score < lowest) {
            best = Some((score, found));
        }
    }
    best.map(|(_, found)| (found.format, found.candidate.sizes))
}

fn weight_count(graph: &QuantizedGraph) -> usize {
    let weights = |op: &QuantizedOp| match op {
        QuantizedOp::Affine(affine) => affine.terms.iter().map(|t| t.kernel.len()).sum(),
        _ => 0,
    };
    graph.nodes.iter().map(|node| weights(&node.op)).sum()
}

impl<'a> Search<'a> {
    fn new(
        folded: &'a Folded,
        format: &'a RowFormat,
        options: PlanOptions,
        (hidden, instance): (Option<&'a Hidden>, usize),
    ) -> Self {
        let mut tables = ValueTables::default();
        SlotRows::new(folded.graph(), &layers(folded, format, 1), 1, &mut tables);
        Self {
            folded,
            format,
            hidden,
            nodes: nodes(folded.graph(), &taken(format)),
            instance,
            boundaries: options.boundaries,
            for_contract: options.objective == Objective::Gas,
            tables,
        }
    }

    fn graph(&self) -> &'a QuantizedGraph {
        self.folded.graph()
    }

    /// The candidates of `2^k` rows, of whose columns each holds so many of the units', with as few
    /// columns of weights as fit.
    fn narrowest_at(&self, size: (u32, usize)) -> Vec<Candidate> {
        self.at_size(size, |layers, rows| {
            let reads: Vec<_> = read_lanes(self.graph()).collect();
            let reads = reads.into_par_iter();
            reads.flat_map_iter(|reads| self.narrowest(layers, reads, rows)).collect()
        })
    }

    /// The candidates of a size with the linear units that `linear` gives for layers and rows.
    fn at_size(
        &self,
        (k, interleaved): (u32, usize),
        linear: impl Fn(&[Layer], usize) -> Vec<(LinearWidths, LinearRows)>,
    ) -> Vec<Candidate> {
        let rows = usable_rows(k, interleaved).saturating_sub(1);
        // The value behind the last is read as 0.
        let instance_columns = (self.instance + 1).div_ceil((rows * interleaved).max(1));
        let is_one = k < SEVERAL_COLUMNS_K || self.for_contract;
        let most_columns = if is_one { 1 } else { INSTANCE_COLUMNS };
        if instance_columns > most_columns {
            return Vec::new();
        }
        let mut slot_lanes = self.format.slots_to_row();
        let slot_lanes =
            slot_lanes.find(|&m| slots::row_count(&layers(self.folded, self.format, m)) <= rows);
        let Some(slot_lanes) = slot_lanes else { return Vec::new() };
        let layers = layers(self.folded, self.format, slot_lanes);
        let proven = Proven { graph: self.graph(), nodes: &self.nodes, layers: &layers };
        let Some(relation_lanes) = Lanes::fewest(proven, rows) else { return Vec::new() };
        let committed = match self.hidden.map(|hidden| hidden.narrowest(rows, COMMITMENT_LANES)) {
            Some(None) => return Vec::new(),
            found => found.flatten(),
        };
        let boundary = BoundaryRows::of(self.folded.graph(), self.boundaries, k);
        let mut tables = self.tables.clone();
        let relations = Relations::new(proven, relation_lanes, &mut tables);
        let steps = slots::layout(&layers, slot_lanes).steps;
        let of_linear = |(widths, linear): &(LinearWidths, LinearRows)| {
            let base = Sizes {
                k,
                interleaved,
                slot_lanes,
                relation_lanes,
                hash: committed.as_ref().map(HashRows::widths).unwrap_or_default(),
                linear: *widths,
                limb_bits: 0,
                table_lanes: 1,
                instance_columns,
            };
            let shape = |limb_bits| {
                let sizes = Sizes { limb_bits, ..base };
                let apart = (committed.as_ref(), boundary.as_ref());
                let mut shape = shape(self.format, sizes, apart);
                shape.slots.layers = slots::challenge_count(&layers);
                shape.slots.steps = steps.clone();
                linear.describe(&layers, (&mut shape.slots, &mut shape.linear));
                relations.describe(limb_bits, &mut shape);
                (sizes, shape)
            };
            let mut shapes: Vec<_> = LIMB_BITS.map(shape).collect();
            shapes.dedup_by(|a, b| a.1 == b.1);
            shapes
        };
        linear(&layers, rows)
            .iter()
            .flat_map(of_linear)
            .filter_map(|(sizes, shape)| self.with_table((rows, &tables.values), sizes, shape))
            .collect()
    }

    /// The candidate whose table has as few entries to a row as fit it into `rows`.
    fn with_table(
        &self,
        (rows, tables): (usize, &[Vec<i64>]),
        sizes: Sizes,
        shape: Shape,
    ) -> Option<Candidate> {
        let owed = Frame::count(|frame| Units::allocate(&shape, frame));
        let height = |&lanes: &usize| Table::height_of(&owed.ranges, tables, lanes);
        let table_lanes = (1..=TABLE_LANES).find(|lanes| height(lanes) <= rows)?;
        let table = height(&table_lanes);
        Some(Candidate {
            sizes: Sizes { table_lanes, ..sizes },
            shape: Shape { table_lanes, ..shape },
            rows: UnitRows { table, instance: self.instance, ..UnitRows::default() },
        })
    }

    /// The fewest columns of weights with which the linear unit fits into `rows`, and the fewest
    /// with more selectors, where that makes a difference.
    fn narrowest(
        &self,
        layers: &[Layer],
        lanes: usize,
        rows: usize,
    ) -> Vec<(LinearWidths, LinearRows)> {
        let fitting = |ways| {
            let widths = |columns| LinearWidths { lanes, columns, ways };
            let columns = self.fewest_columns(layers, rows, widths)?;
            Some((widths(columns), linear::dry_run(self.graph(), layers, widths(columns))))
        };
        let mut fewest = usize::MAX;
        let found = Ways::ALL.into_iter().filter_map(fitting);
        let narrower = found.filter(move |(widths, _)| {
            let is_narrower = widths.columns < fewest;
            fewest = fewest.min(widths.columns);
            is_narrower
        });
        narrower.collect::<Vec<_>>()
    }

    fn fewest_columns(
        &self,
        layers: &[Layer],
        rows: usize,
        widths: impl Fn(usize) -> LinearWidths,
    ) -> Option<usize> {
        let dry_run = |columns| linear::dry_run(self.graph(), layers, widths(columns));
        let pack = layers.iter().map(|layer| layer.packing.size()).max().unwrap_or(1);
        let too_few = |&columns: &usize| {
            weight_count(self.graph()) / (columns * pack) > rows
                || dry_run(columns).row_count > rows
        };
        WEIGHT_COLUMNS.get(WEIGHT_COLUMNS.partition_point(too_few)).copied()
    }
}
