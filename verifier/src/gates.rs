//! Gate polynomials at the point `x`.

#![expect(
    clippy::arithmetic_side_effects,
    reason = "field arithmetic only: it wraps by definition and divides nowhere"
)]

use alloc::vec::Vec;

use ark_bn254::Fr;

use crate::{
    constraint_system::CurrentRow,
    expression::{Expression, Instruction},
};

/// The evaluations of columns, by query, and the challenges of the circuit.
#[derive(Clone, Copy)]
pub(crate) struct Evaluations<'a> {
    pub(crate) advice: &'a [Fr],
    pub(crate) fixed: &'a [Fr],
    pub(crate) instance: &'a [Fr],
    pub(crate) challenges: &'a [Fr],
}

impl Evaluations<'_> {
    pub(crate) fn current_row(&self, column: CurrentRow) -> Option<Fr> {
        match column {
            CurrentRow::Advice(query) => self.advice.get(query).copied(),
            CurrentRow::Fixed(query) => self.fixed.get(query).copied(),
            CurrentRow::Instance(query) => self.instance.get(query).copied(),
        }
    }

    /// The value of a gate polynomial; `None` only where an index or operand is missing, which the
    /// checks of the key exclude. `stack` is scratch space.
    pub(crate) fn evaluate(&self, gate: &Expression, stack: &mut Vec<Fr>) -> Option<Fr> {
        stack.clear();
        for instruction in gate.instructions() {
            let value = match *instruction {
                Instruction::Constant(scalar) => scalar,
                Instruction::Fixed(query) => *self.fixed.get(usize::from(query))?,
                Instruction::Advice(query) => *self.advice.get(usize::from(query))?,
                Instruction::Instance(query) => *self.instance.get(usize::from(query))?,
                Instruction::Challenge(index) => *self.challenges.get(usize::from(index))?,
                Instruction::Negate => -stack.pop()?,
                Instruction::Add => stack.pop()? + stack.pop()?,
                Instruction::Multiply => stack.pop()? * stack.pop()?,
                Instruction::Scale(factor) => stack.pop()? * factor,
            };
            stack.push(value);
        }
        stack.pop()
    }
}
