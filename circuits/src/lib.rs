//! halo2 circuits for zkinfer.
//!
//! [`CircuitPlan::new`] turns a [`zkinfer_models::QuantizedGraph`] into a layout: which cell holds
//! which integer, and the fixed data of every row. [`InferenceCircuit`] is the halo2 circuit over
//! that plan, with or without a witness. `docs/arithmetization.md` derives every relation used
//! here, its bound and why it is sound.
//!
//! The layout has units that run side by side over the rows: slots hold requantized outputs, the
//! linear unit reads elements and checks every linear layer, each other operation has a relation
//! with a unit of its own, and a commitment hides inputs or outputs. [`UnitRows`] lists them,
//! `src/units` has a folder or file for each.
//!
//! No gate multiplies a layer out. After the first phase commits every tensor, challenges come
//! from the transcript and each linear layer becomes one identity between evaluations (Freivalds
//! with Schwartz–Zippel). Lookups are logUp ([eprint 2022/1530](https://eprint.iacr.org/2022/1530))
//! written as gates.

#![forbid(unsafe_code)]

mod algebra;
mod cells;
mod chain;
mod challenges;
mod circuit;
mod config;
mod error;
mod folding;
mod frame;
mod instance;
mod integers;
mod interleaving;
mod lookup;
mod plan;
mod units;

pub use chain::Monomial;
pub use circuit::{InferenceCircuit, Tamper, Witness};
pub use error::PlanError;
pub use instance::{Blindings, InstanceValues, instance_values};
pub use plan::{
    CircuitPlan, Cost, EvmFork, GasParts, LayerRows, MAX_CLAIMS, Objective, PlanOptions, PlanSizes,
    ProofParts, Verification,
};
pub use units::{
    Shape, UnitRows,
    boundary::{BOUNDARY_BLINDING, BoundaryShape, PROOFS_A_SIDE},
    hash::{HashShape, HashWidths, InputDigits},
    linear::LinearShape,
    shapes::*,
    slots::{SlotShape, check_layers},
};
