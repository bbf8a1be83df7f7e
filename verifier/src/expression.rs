//! Gate polynomials as postfix programs: no recursion on bytes from outside, flat memory.

use alloc::vec::Vec;

use ark_bn254::Fr;
use thiserror::Error;

/// Most instructions in one polynomial.
pub(crate) const MAX_INSTRUCTIONS: usize = 1 << 17;
/// Most operands waiting at once while a polynomial is evaluated (the depth of its tree).
pub(crate) const MAX_DEPTH: usize = 1 << 10;

/// One step of a postfix program. Indexes are into the query lists of the constraint system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instruction {
    /// Pushes a constant.
    Constant(Fr),
    /// Pushes the evaluation of a fixed query.
    Fixed(u16),
    /// Pushes the evaluation of an advice query.
    Advice(u16),
    /// Pushes the evaluation of an instance query.
    Instance(u16),
    /// Pushes a challenge.
    Challenge(u16),
    /// Negates the top operand.
    Negate,
    /// Replaces the two top operands by their sum.
    Add,
    /// Replaces the two top operands by their product.
    Multiply,
    /// Multiplies the top operand by a constant.
    Scale(Fr),
}

/// Why a list of instructions is no polynomial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ExpressionError {
    /// More instructions than a key may have.
    #[error("{got} instructions, at most {limit} allowed")]
    TooLong {
        /// The limit.
        limit: usize,
        /// How many there are.
        got: usize,
    },
    /// The tree is deeper than allowed.
    #[error("instruction {at} needs more than {limit} pending operands")]
    TooDeep {
        /// The limit.
        limit: usize,
        /// Index of the instruction.
        at: usize,
    },
    /// An operator has too few operands before it.
    #[error("instruction {at} lacks an operand")]
    MissingOperand {
        /// Index of the instruction.
        at: usize,
    },
    /// The program leaves no result, or more than one.
    #[error("{got} results instead of one")]
    Results {
        /// How many results are left.
        got: usize,
    },
}

/// A polynomial over column queries and challenges, in postfix order, known to be well formed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    instructions: Vec<Instruction>,
    degree: usize,
}

impl Expression {
    /// Checks that `instructions` leave exactly one result and computes the degree.
    ///
    /// # Errors
    /// [`ExpressionError`] for the first instruction that is out of place.
    pub fn new(instructions: Vec<Instruction>) -> Result<Self, ExpressionError> {
        let got = instructions.len();
        if got > MAX_INSTRUCTIONS {
            return Err(ExpressionError::TooLong { limit: MAX_INSTRUCTIONS, got });
        }
        let mut degrees: Vec<usize> = Vec::new();
        for (at, instruction) in instructions.iter().enumerate() {
            let mut operand = || degrees.pop().ok_or(ExpressionError::MissingOperand { at });
            let degree = match instruction {
                Instruction::Constant(_) | Instruction::Challenge(_) => 0,
                Instruction::Fixed(_) | Instruction::Advice(_) | Instruction::Instance(_) => 1,
                Instruction::Negate | Instruction::Scale(_) => operand()?,
                Instruction::Add => operand()?.max(operand()?),
                Instruction::Multiply => operand()?.saturating_add(operand()?),
            };
            degrees.push(degree);
            if degrees.len() > MAX_DEPTH {
                return Err(ExpressionError::TooDeep { limit: MAX_DEPTH, at });
            }
        }
        match degrees.as_slice() {
            &[degree] => Ok(Self { instructions, degree }),
            other => Err(ExpressionError::Results { got: other.len() }),
        }
    }

    /// The degree in the column polynomials; challenges count as constants.
    #[must_use]
    pub fn degree(&self) -> usize {
        self.degree
    }

    /// The program.
    #[must_use]
    pub fn instructions(&self) -> &[Instruction] {
        &self.instructions
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    #[test]
    fn degree_follows_the_tree() {
        use Instruction::{Add, Advice, Challenge, Constant, Fixed, Multiply, Negate, Scale};
        let two = Fr::from(2);
        let program = vec![
            Advice(0),
            Advice(1),
            Multiply,
            Fixed(0),
            Multiply,
            Challenge(0),
            Constant(two),
            Multiply,
            Negate,
            Scale(two),
            Add,
        ];
        assert_eq!(Expression::new(program).unwrap().degree(), 3);
    }

    #[test]
    fn malformed_programs_are_refused() {
        use Instruction::{Add, Advice, Negate};
        let refused = |program| Expression::new(program).unwrap_err();
        assert_eq!(refused(vec![]), ExpressionError::Results { got: 0 });
        assert_eq!(refused(vec![Advice(0); 2]), ExpressionError::Results { got: 2 });
        assert_eq!(refused(vec![Negate]), ExpressionError::MissingOperand { at: 0 });
        assert_eq!(refused(vec![Advice(0), Add]), ExpressionError::MissingOperand { at: 1 });
        assert_eq!(
            refused(vec![Advice(0); MAX_DEPTH + 1]),
            ExpressionError::TooDeep { limit: MAX_DEPTH, at: MAX_DEPTH }
        );
        assert_eq!(
            refused(vec![Negate; MAX_INSTRUCTIONS + 1]),
            ExpressionError::TooLong { limit: MAX_INSTRUCTIONS, got: MAX_INSTRUCTIONS + 1 }
        );
    }
}
