//! Constraints as straight-line programs over rows.
//!
//! A program computes one value per row from *sources* (columns at rotations) and *uniforms*
//! (values that are the same in every row: constants, challenges and what follows from them). It is
//! made once per key; the uniforms are computed once per proof.

mod build;
mod factor;
mod graph;
mod groups;
mod plan;
mod quotient;
mod uniform;

pub(crate) use self::{
    build::ProgramBuilder,
    graph::{Linear, Source},
    plan::{Operand, Program, Step, Term},
    quotient::{Group, Limits, Quotient},
    uniform::Uniform,
};
