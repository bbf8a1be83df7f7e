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
    /// The layers of a graph disagree on the shift or on the clamping widths.
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
