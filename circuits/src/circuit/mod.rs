//! The halo2 circuit over a plan.

mod fixed;
mod inference;
mod witness;

pub use inference::InferenceCircuit;
pub use witness::{Tamper, Witness};
