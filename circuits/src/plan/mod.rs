//! From a quantized graph to a layout of rows and columns, and its cost.

mod cells;
mod cost;
mod gas;
mod layers;
mod parts;
mod search;

use std::sync::Arc;

use zkinfer_models::{
    QuantizedGraph,
    quantized::{QuantizedNode, TensorId},
};
use zkinfer_verifier::Visibility;

use crate::{
    cells::{CellRef, Place},
    challenges::MAX_LAYERS,
    error::PlanError,
    folding::Folded,
    frame::Frame,
    instance::BINDING_ROWS,
    integers::index,
    lookup::{Table, ValueTables},
    units::{
        Lanes, Proven, Relations, Rows, Shape, Units,
        boundary::BoundaryRows,
        hash::{HashRows, HashWidths, Hidden},
        linear::{self, LinearShape, LinearWidths, Ways},
        slots::{self, Layer, RequantKind, RowFormat, SlotRows},
    },
};

use cells::Apart;

pub use cost::Cost;
pub use gas::{EvmFork, GasParts, Verification};
pub use layers::LayerRows;
pub use parts::ProofParts;
pub use search::Objective;

/// The most claims that a proof is about: more than anybody waits for, and few enough to be planned
/// at once, whoever says how many there are.
pub const MAX_CLAIMS: u32 = 4096;

/// What the planner may choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanOptions {
    /// What to make small.
    pub objective: Objective,
    /// The largest log2 of the row count.
    pub max_k: u32,
    /// Whether the instance holds the inputs or a commitment to them.
    pub input_visibility: Visibility,
    /// Whether the instance holds the outputs or a commitment to them.
    pub output_visibility: Visibility,
    /// How many claims, each about a run of its own, a proof is about. The instance then holds the
    /// root of their tree, and all of them are committed to.
    pub claims: u32,
    /// Whether the inputs are a boundary that the part before gives, and the outputs one for the part
    /// behind: the instance has nothing of a side that is.
    pub boundaries: [bool; 2],
    /// The log2 of the row count, where it is not free: parts that are linked have the same.
    pub k: Option<u32>,
}

impl Default for PlanOptions {
    fn default() -> Self {
        Self {
            objective: Objective::Balanced,
            max_k: 22,
            input_visibility: Visibility::Public,
            output_visibility: Visibility::Public,
            claims: 1,
            boundaries: [false; 2],
            k: None,
        }
    }
}

/// The public values.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InstanceRows {
    /// Where the outputs begin.
    outputs: usize,
    len: usize,
    visibility: [Visibility; 2],
}

impl InstanceRows {
    fn of(
        graph: &QuantizedGraph,
        claims: usize,
        visibility: [Visibility; 2],
        [takes, gives]: [bool; 2],
    ) -> Self {
        if claims > 1 {
            return Self { outputs: 1, len: 1, visibility };
        }
        let shown = |tensors: &[TensorId], visibility, is_boundary| match visibility {
            _ if is_boundary => 0,
            Visibility::Public => tensors.iter().map(|id| graph.tensors[id.0].len()).sum(),
            Visibility::Committed => 1,
        };
        let [input, output] = visibility;
        let outputs = BINDING_ROWS + shown(&graph.inputs, input, takes);
        Self { outputs, len: outputs + shown(&graph.outputs, output, gives), visibility }
    }
}

/// A circuit's layout: every cell's meaning and every fixed value. The same graph and options
/// give the same plan on every machine.
#[derive(Clone, Debug)]
pub struct CircuitPlan {
    /// The graph of one claim.
    of_claim: Arc<QuantizedGraph>,
    claims: usize,
    boundaries: [bool; 2],
    graph: Arc<QuantizedGraph>,
    folded: Folded,
    sizes: PlanSizes,
    shape: Shape,
    rows: Rows,
    /// The cells of every tensor.
    tensors: Vec<Vec<CellRef>>,
    instance: InstanceRows,
    table: Table,
}

/// The sizes of a plan, with which it can be planned again without a search: see
/// [`CircuitPlan::with_sizes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanSizes {
    format: usize,
    k: u32,
    interleaved: usize,
    linear: LinearWidths,
    limb_bits: u32,
}

impl PlanSizes {
    /// As numbers, to be kept.
    #[must_use]
    pub fn to_numbers(self) -> [u64; 7] {
        let Self { format, k, interleaved, linear, limb_bits } = self;
        let LinearWidths { lanes, columns, ways } = linear;
        let ways = Ways::ALL.into_iter().take_while(|&of| of != ways).count();
        let [format, interleaved, lanes, columns, ways] =
            [format, interleaved, lanes, columns, ways]
                .map(|size| u64::try_from(size).unwrap_or(u64::MAX));
        [format, k.into(), interleaved, lanes, columns, ways, limb_bits.into()]
    }

    /// From numbers that were kept; any may be wrong.
    #[must_use]
    pub fn from_numbers(numbers: [u64; 7]) -> Option<Self> {
        let [format, k, interleaved, lanes, columns, ways, limb_bits] = numbers;
        let size = |number: u64| usize::try_from(number).ok();
        Some(Self {
            format: size(format)?,
            k: k.try_into().ok()?,
            interleaved: size(interleaved)?,
            linear: LinearWidths {
                lanes: size(lanes)?,
                columns: size(columns)?,
                ways: *Ways::ALL.get(size(ways)?)?,
            },
            limb_bits: limb_bits.try_into().ok()?,
        })
    }
}

/// What a search begins with.
struct Basis {
    of_claim: Arc<QuantizedGraph>,
    claims: usize,
    boundaries: [bool; 2],
    graph: Arc<QuantizedGraph>,
    folded: Folded,
    /// The formats of rows that a plan can have.
    formats: Vec<RowFormat>,
    hidden: Option<Hidden>,
    instance: InstanceRows,
}

/// Sizes that the search chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sizes {
    k: u32,
    interleaved: usize,
    slot_lanes: usize,
    relation_lanes: Lanes,
    hash: HashWidths,
    linear: LinearWidths,
    limb_bits: u32,
    table_lanes: usize,
    instance_columns: usize,
}

impl Basis {
    fn of(graph: &QuantizedGraph, options: PlanOptions) -> Result<Self, PlanError> {
        let of_claim = Arc::new(graph.clone());
        if options.claims > MAX_CLAIMS {
            return Err(PlanError::TooManyClaims { claims: options.claims, limit: MAX_CLAIMS });
        }
        let claims = options.claims.max(1) as usize;
        let graph = match claims {
            1 => Arc::clone(&of_claim),
            _ => Arc::new(of_claim.repeated(claims)),
        };
        let folded = Folded::of(&graph);
        let layers = slots::layer_count(folded.graph());
        if layers > MAX_LAYERS {
            return Err(PlanError::TooManyLayers { layers, limit: MAX_LAYERS });
        }
        Relations::check(folded.graph())?;
        let format = RowFormat::of(folded.graph())?;
        let windows = format.with_windows(folded.graph());
        let narrowest = windows.as_ref().unwrap_or(&format);
        let exact = narrowest.with_exact_limbs();
        let tabled = narrowest.tabled(folded.graph());
        let formats: Vec<_> =
            [format].into_iter().chain(windows).chain(exact).chain(tabled).collect();
        let abreast = |format: &RowFormat| format.with_positions_abreast(folded.graph(), claims);
        let abreast: Vec<_> = formats.iter().filter_map(abreast).collect();
        let is_part = options.boundaries.contains(&true);
        if is_part && claims > 1 {
            return Err(PlanError::JointPart { claims });
        }
        let [takes, gives] = options.boundaries;
        let visibility = [
            if takes { Visibility::Public } else { options.input_visibility },
            if gives { Visibility::Public } else { options.output_visibility },
        ];
        let instance = InstanceRows::of(&of_claim, claims, visibility, options.boundaries);
        Ok(Self {
            formats: formats.into_iter().chain(abreast).collect(),
            hidden: Hidden::of(&of_claim, claims, visibility, instance.outputs)?,
            instance,
            boundaries: options.boundaries,
            of_claim,
            claims,
            graph,
            folded,
        })
    }

    /// What is committed to, and the number of public values.
    fn hidden(&self) -> (Option<&Hidden>, usize) {
        (self.hidden.as_ref(), self.instance.len)
    }
}

impl CircuitPlan {
    /// Plans the circuit of `graph`.
    ///
    /// # Errors
    /// When no size up to `options.max_k` holds the model, or a bound of the graph is not one the
    /// gates are sound for.
    pub fn new(graph: &QuantizedGraph, options: PlanOptions) -> Result<Self, PlanError> {
        let basis = Basis::of(graph, options)?;
        let chosen = search::sizes(&basis.folded, &basis.formats, options, basis.hidden())?;
        Self::lay_out(basis, chosen)
    }

    /// Plans the circuit of `graph` with known sizes; `None` if the model does not fit them.
    ///
    /// With the sizes of [`Self::new`]'s plan it is that plan. With others it is another circuit
    /// for the same model, so whoever has them from elsewhere compares the key.
    ///
    /// # Errors
    /// When a bound of the graph is not one the gates are sound for.
    pub fn with_sizes(
        graph: &QuantizedGraph,
        options: PlanOptions,
        sizes: PlanSizes,
    ) -> Result<Option<Self>, PlanError> {
        let basis = Basis::of(graph, options)?;
        let chosen = search::known(&basis.folded, &basis.formats, options, basis.hidden(), sizes);
        chosen.map(|chosen| Self::lay_out(basis, chosen)).transpose()
    }

    fn lay_out(basis: Basis, (format_index, sizes): search::Chosen) -> Result<Self, PlanError> {
        let Basis { of_claim, claims, boundaries, graph, folded, formats, hidden, instance } =
            basis;
        let hash = hidden.map(|hidden| HashRows::new(&hidden, sizes.hash));
        let format = &formats[format_index];
        let layers = layers(&folded, format, sizes.slot_lanes);
        let mut tables = ValueTables::default();
        let slots = SlotRows::new(folded.graph(), &layers, sizes.slot_lanes, &mut tables);
        let linear = linear::layout(folded.graph(), &layers, sizes.linear);
        let taken = taken(format);
        let nodes = nodes(folded.graph(), &taken);
        let proven = Proven { graph: folded.graph(), nodes: &nodes, layers: &layers };
        let relations = Relations::new(proven, sizes.relation_lanes, &mut tables);
        let boundary = BoundaryRows::of(folded.graph(), boundaries, sizes.k);
        let apart = (hash.as_ref(), boundary.as_ref());
        let tensors = cells::cells(&folded, (&slots, &relations), &taken, apart)?;
        let mut shape = shape(format, sizes, apart);
        shape.slots.layers = slots::challenge_count(&layers);
        shape.slots.steps = slots.steps().clone();
        linear.describe(&layers, (&mut shape.slots, &mut shape.linear));
        relations.describe(sizes.limb_bits, &mut shape);
        let owed = Frame::count(|frame| Units::allocate(&shape, frame));
        let table = Table::new(&owed.ranges, &tables.values, shape.table_lanes);
        let rows = relations.with(slots, linear, hash, boundary);
        let Sizes { k, interleaved, linear, limb_bits, .. } = sizes;
        let sizes = PlanSizes { format: format_index, k, interleaved, linear, limb_bits };
        Ok(Self {
            of_claim,
            claims,
            boundaries,
            graph,
            folded,
            sizes,
            shape,
            rows,
            tensors,
            instance,
            table,
        })
    }

    /// What the search chose.
    #[must_use]
    pub fn sizes(&self) -> PlanSizes {
        self.sizes
    }

    /// log2 of the number of rows.
    #[must_use]
    pub fn k(&self) -> u32 {
        self.shape.k
    }

    /// Column counts and limb widths.
    #[must_use]
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The graph that is proven: that of all claims, run after run.
    #[must_use]
    pub fn graph(&self) -> &QuantizedGraph {
        &self.graph
    }

    /// The graph of one claim.
    #[must_use]
    pub fn claim_graph(&self) -> &QuantizedGraph {
        &self.of_claim
    }

    /// How many claims a proof is about.
    #[must_use]
    pub fn claims(&self) -> usize {
        self.claims
    }

    /// The graph that the rows are about.
    pub(crate) fn folded(&self) -> &Folded {
        &self.folded
    }

    /// Whether the part before gives the inputs, and the part behind takes the outputs.
    #[must_use]
    pub fn boundaries(&self) -> [bool; 2] {
        self.boundaries
    }

    pub(crate) fn rows(&self) -> &Rows {
        &self.rows
    }

    pub(crate) fn table(&self) -> &Table {
        &self.table
    }

    /// The cells of every tensor.
    pub(crate) fn tensors(&self) -> &[Vec<CellRef>] {
        &self.tensors
    }

    /// Whether the instance holds the inputs or a commitment to them.
    #[must_use]
    pub fn input_visibility(&self) -> Visibility {
        self.instance.visibility[0]
    }

    /// Whether the instance holds the outputs or a commitment to them.
    #[must_use]
    pub fn output_visibility(&self) -> Visibility {
        self.instance.visibility[1]
    }

    /// Public values. The cell after them is read as the constant 0: halo2's instance polynomials
    /// are 0 beyond the public values.
    #[must_use]
    pub fn instance_len(&self) -> usize {
        self.instance.len
    }

    /// Columns that the public values are dealt to, row by row.
    #[must_use]
    pub fn instance_columns(&self) -> usize {
        self.shape.instance_columns.max(1)
    }

    /// The public values that are outputs, with the cell that holds it.
    pub(crate) fn shown_outputs(&self) -> Vec<(usize, CellRef)> {
        let [_, gives] = self.boundaries;
        if gives || self.output_visibility() == Visibility::Committed {
            return Vec::new();
        }
        let outputs = self.graph.outputs.iter().flat_map(|id| &self.tensors[id.0]);
        (self.instance.outputs..).zip(outputs.copied()).collect()
    }

    /// What a proof of this plan costs.
    #[must_use]
    pub fn cost(&self) -> Cost {
        Cost::of_shape(&self.shape, self.rows.counts(self.table.height(), self.instance_len()))
    }

    pub(crate) fn zero_cell(&self) -> CellRef {
        CellRef { place: Place::Instance, row: index(self.instance_len()) }
    }
}

/// The linear layers of a graph, with so many slots to a row.
fn layers(folded: &Folded, format: &RowFormat, slot_lanes: usize) -> Vec<Layer> {
    slots::layers(folded, format, slot_lanes, Relations::lattice)
}

/// The max pools that layers take over: they have no rows of their own.
fn taken(format: &RowFormat) -> Vec<usize> {
    format.poolings.iter().map(|pooling| pooling.pool).collect()
}

/// The nodes that no layer takes over.
fn nodes<'a>(graph: &'a QuantizedGraph, taken: &[usize]) -> Vec<&'a QuantizedNode> {
    let nodes = graph.nodes.iter().enumerate().filter(|(place, _)| !taken.contains(place));
    nodes.map(|(_, node)| node).collect()
}

/// The columns of a plan, but for relations and for what depends on the layout of the rows.
fn shape(format: &RowFormat, sizes: Sizes, (hash, boundary): Apart<'_>) -> Shape {
    let limit = sizes.limb_bits;
    let packing = format.packing(RequantKind::Clamp, sizes.slot_lanes);
    Shape {
        k: sizes.k,
        interleaved: sizes.interleaved,
        table_lanes: sizes.table_lanes,
        instance_columns: sizes.instance_columns,
        slots: format.shape(sizes.slot_lanes, limit),
        linear: LinearShape {
            lanes: sizes.linear.lanes,
            weight_columns: sizes.linear.columns,
            digit_bits: packing.digit_bits,
            pack_size: packing.size(),
            ..LinearShape::default()
        },
        hash: hash.map(|hash| hash.shape(limit)),
        boundary: boundary.map(BoundaryRows::shape),
        ..Shape::default()
    }
}
