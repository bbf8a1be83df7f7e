//! The openings of outputs that proofs hide.

use zkinfer_verifier::{Commitment, KeyDigest, Opening, VerifyingKey};

use crate::refusal::Refusal;

/// An opening that came with a proof, not yet compared with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Submitted<'a> {
    /// Has the bounds of the outputs, which the commitment depends on.
    pub(crate) key: &'a VerifyingKey,
    pub(crate) opening: &'a Opening,
}

impl Submitted<'_> {
    /// Whether it opens this commitment to outputs of this model.
    ///
    /// # Errors
    /// [`Refusal::OpeningKey`], [`Refusal::OpeningValues`] or [`Refusal::Opening`].
    pub(crate) fn check(&self, model: KeyDigest, expected: Commitment) -> Result<(), Refusal> {
        let got = self.key.digest();
        if model != got {
            return Err(Refusal::OpeningKey { expected: model, got });
        }
        let outputs = &self.key.parts().layout.outputs;
        let got = self.opening.commitment(outputs).map_err(Refusal::OpeningValues)?;
        if expected == got { Ok(()) } else { Err(Refusal::Opening { expected, got }) }
    }
}
