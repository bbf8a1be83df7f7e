//! Why a graph has no circuit.

/// Why [`crate::CircuitPlan::new`] refuses a graph.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// No size up to the limit holds the model.
    #[error(
        "the model needs more than 2^{max_k} rows: {slots} requantized values, {weights} weights; \
         raise the limit on k or use a smaller model"
    )]
    TooLarge {
        /// The largest `k` that was allowed.
        max_k: u32,
        /// Requantized values of the model.
        slots: usize,
        /// Integer weights of the model.
        weights: usize,
    },
    /// A bound is too wide for equality in the field to be equality of integers.
    #[error("node {node}: accumulators reach ±2^{bits}, the limit is ±2^{limit}")]
    AccumulatorTooWide {
        /// The node's name.
        node: String,
        /// Bits of its largest accumulator.
        bits: u32,
        /// Bits allowed.
        limit: u32,
    },
    /// Two softmax nodes whose outputs have unlike precision.
    #[error(
        "node {node}: its outputs have {got} fractional bits, those of another softmax {expected}"
    )]
    SoftmaxBits {
        /// The node's name.
        node: String,
        /// Fractional bits of the first softmax.
        expected: u32,
        /// Fractional bits of this one.
        got: u32,
    },
    /// A softmax whose exponentials its gates are not sound for.
    #[error(
        "node {node}: its table must have an entry for each difference of two inputs, none \
         negative, the first one positive and none larger than it"
    )]
    SoftmaxTable {
        /// The node's name.
        node: String,
    },
    /// A table of which no index chooses some row, or some index none, or an element out of range.
    #[error(
        "node {node}: its table must have a row for each index that there can be and no other, with \
         elements in the range of its output"
    )]
    EmbeddingTable {
        /// The node's name.
        node: String,
    },
    /// An element that is read, of which no cell of the circuit holds what the node gives.
    #[error("node {node}: no unit of the circuit proves element {element} of its output")]
    Unproven {
        /// The node's name.
        node: String,
        /// The flat index of the element.
        element: usize,
    },
    /// More branches and compared elements than the entries of a table can tell apart.
    #[error("the forests of the model need entries of {bits} bits, the limit is {limit}")]
    Forest {
        /// Bits of an entry.
        bits: u32,
        /// Bits allowed.
        limit: u32,
    },
    /// A forest some of whose leaves have fewer values than others, or are not there.
    #[error(
        "node {node}: the leaves of a tree must have as many values each, and those of all trees \
         together as many as the output has elements"
    )]
    ForestLeaves {
        /// The node's name.
        node: String,
    },
    /// More layers than a key has challenges for.
    #[error(
        "the model has {layers} layers that add up products, a key has challenges for {limit}; \
         split the model in two"
    )]
    TooManyLayers {
        /// Layers of the model: dense, convolution, addition, product, ….
        layers: usize,
        /// Layers that a key can have.
        limit: usize,
    },
    /// A committed input whose bounds are not those of an integer of some bits.
    #[error("input {tensor} cannot be committed to: {lo}..={hi} is not a range of 2^b values")]
    InputBounds {
        /// The tensor's name.
        tensor: String,
        /// Its lower bound.
        lo: i64,
        /// Its upper bound.
        hi: i64,
    },
    /// More claims than a proof is about.
    #[error("a proof is about {limit} claims at most, not {claims}")]
    TooManyClaims {
        /// How many.
        claims: u32,
        /// How many there can be.
        limit: u32,
    },
    /// Several claims, of which some would be shown.
    #[error("a proof of {claims} claims commits to inputs and outputs: it cannot show them")]
    ShownClaims {
        /// How many.
        claims: usize,
    },
    /// Several claims about a part of a model.
    #[error("a proof of {claims} claims is about a whole model: parts are proven one by one")]
    JointPart {
        /// How many.
        claims: usize,
    },
    /// A layer's requantization that no row of slots can state, or another shift than that of the
    /// layers before.
    #[error("node {node}: requantization to {got} does not fit the plan's {expected}")]
    Requant {
        /// The node's name.
        node: String,
        /// What the plan provides.
        expected: String,
        /// What the node asks for.
        got: String,
    },
}
