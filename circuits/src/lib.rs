//! halo2 circuits for zkinfer.
//!
//! [`CircuitPlan::new`] turns a [`zkinfer_models::QuantizedGraph`] into a layout: which cell holds
//! which integer, and the fixed data of every row. [`InferenceCircuit`] is the halo2 circuit over
//! that plan, with or without a witness. `docs/arithmetization.md` derives every relation used
//! here, its bound and why it is sound.
//!
//! The layout has eight units that run side by side over the rows:
//!
//! | unit | one row holds | module |
//! |---|---|---|
//! | slots | several requantized outputs: value, remainder, overflow | [`gates`](crate), `slots` |
//! | linear | elements being read, fixed weights, the check of every linear layer | `linear` |
//! | product | factors of matrix products of two tensors being read | `product` |
//! | normalize | elements of a group being read, or a check of the group | `normalize` |
//! | pool | four elements and their maximum | `pool` |
//! | forest | the rank of a compared element; a step down a tree in each lane | `forest` |
//! | softmax | elements of a group, their exponentials, their shares | `softmax` |
//! | commitment | a hidden input or output being packed, a step of the hash | `commitment` |
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
mod contraction;
mod error;
mod frame;
mod instance;
mod integers;
mod lookup;
mod plan;
mod units;

pub use chain::Monomial;
pub use circuit::{InferenceCircuit, Tamper, Witness};
pub use error::PlanError;
pub use instance::{Blindings, InstanceValues, instance_values};
pub use plan::{CircuitPlan, Cost, LayerRows, Objective, PlanOptions, PlanSizes, UnitRows};
pub use units::{
    Shape,
    commitment::{CommitmentShape, InputDigits},
    linear::LinearShape,
    normalize::NormalizeShape,
    pool::PoolShape,
    product::ProductShape,
    slots::{SlotShape, check_layers},
    softmax::SoftmaxShape,
};
