//! Steps that take time, for whoever wants to show them.

use zkinfer_prover::Stage;

/// A step that begins, and ends where the next begins.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Step {
    /// Settings are tried on the samples.
    Calibrating {
        /// How many were, with these.
        trial: usize,
    },
    /// The circuit is planned.
    Planning,
    /// The SRS is read or made.
    LoadingSrs,
    /// The circuit's fixed columns are laid out and committed to.
    MakingKeys,
    /// A proof is made.
    Proving {
        /// The stage of the proof.
        stage: Stage,
        /// Seconds that the whole proof should take on two cores of a reference processor.
        expected_seconds: f64,
    },
}

/// Called when a step begins; `&|_| ()` for nobody.
pub type Watch<'a> = &'a dyn Fn(Step);
