//! Weight chains: monomials of challenges, and columns that walk from one to the next.

mod columns;
pub(crate) mod monomial;

pub(crate) use columns::{ChainColumns, LayerStart};
pub use monomial::Monomial;
pub(crate) use monomial::{Step, StepSet, walk};
