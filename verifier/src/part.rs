//! Parts of a model that are proven one by one, and the columns that neighbours share.
//!
//! A model that is too large for one circuit is cut into parts. The tensor at a cut lies in advice
//! columns of its own, in both neighbours at the same rows, and both proofs commit to these columns
//! with the same blinding: so the very same points stand in both proofs, and whoever holds both
//! compares them. A proof of a part says nothing about the whole model, so its evidence has a type
//! of its own, which nothing pays for.

use alloc::vec::Vec;

use ark_bn254::G1Affine;

use crate::{
    boundary::Boundary,
    claim::{InferenceClaim, JobBinding},
    digest::SrsDigest,
    error::{PartError, VerifyError},
    key::VerifyingKey,
    proof::Proof,
    side::Side,
    srs::SrsPolicy,
    verify::Checked,
};

/// A part of a model that was proven: nobody is paid for it alone.
#[derive(Debug, PartialEq)]
#[must_use = "a part is worth something only with its neighbours"]
pub struct VerifiedPart {
    claim: InferenceClaim,
    srs: SrsDigest,
    k: u8,
    boundaries: Vec<(Boundary, Vec<G1Affine>)>,
}

/// Checks that `proof` proves `claim` of a part of a model, under a key with boundaries.
///
/// # Errors
/// The first check that fails, in the order of the variants of [`VerifyError`].
pub fn verify_part(
    key: &VerifyingKey,
    claim: &InferenceClaim,
    proof: &Proof,
    policy: SrsPolicy,
) -> Result<VerifiedPart, VerifyError> {
    if key.parts().boundaries.is_empty() {
        return Err(VerifyError::Whole);
    }
    let checked = Checked::new(key, claim, proof, policy)?;
    let commitments = checked.advice.clone();
    checked.pairing(key)?;
    let shared = |boundary: &Boundary| {
        let points = boundary.columns.iter().map(|&column| commitments.get(usize::from(column)));
        let points = points.collect::<Option<Vec<_>>>()?;
        Some((boundary.clone(), points.into_iter().copied().collect()))
    };
    let boundaries = key.parts().boundaries.iter().map(shared).collect::<Option<_>>();
    Ok(VerifiedPart {
        claim: claim.clone(),
        srs: key.srs_digest(),
        k: key.parts().k,
        boundaries: boundaries.ok_or(VerifyError::MalformedKey)?,
    })
}

impl VerifiedPart {
    /// What was proven of this part.
    #[must_use]
    pub fn claim(&self) -> &InferenceClaim {
        &self.claim
    }

    /// The boundaries, each with the commitments to its columns.
    #[must_use]
    pub fn boundaries(&self) -> &[(Boundary, Vec<G1Affine>)] {
        &self.boundaries
    }

    /// Checks that everything this part gives is what `next` takes, in the same order, for the same
    /// job, under the same setup and number of rows.
    ///
    /// # Errors
    /// [`PartError`], the first check that fails.
    pub fn check_continued_by(&self, next: &Self) -> Result<(), PartError> {
        let job = |part: &Self| -> JobBinding { part.claim.binding };
        if job(self) != job(next) {
            return Err(PartError::Job);
        }
        if (self.srs, self.k) != (next.srs, next.k) {
            return Err(PartError::Setup);
        }
        let given: Vec<_> = self.of(Side::Output).collect();
        let taken: Vec<_> = next.of(Side::Input).collect();
        let (expected, got) = (given.len(), taken.len());
        if expected != got || got == 0 {
            return Err(PartError::Count { expected, got });
        }
        for (index, ((given, points), (taken, others))) in given.into_iter().zip(taken).enumerate()
        {
            if given.layout != taken.layout || points.len() != others.len() {
                return Err(PartError::Layout { index });
            }
            if points != others {
                return Err(PartError::Commitment { index });
            }
        }
        Ok(())
    }

    fn of(&self, side: Side) -> impl Iterator<Item = &(Boundary, Vec<G1Affine>)> {
        self.boundaries.iter().filter(move |(boundary, _)| boundary.side == side)
    }
}

#[cfg(test)]
mod tests {
    use ark_bn254::Fr;
    use ark_ec::{AffineRepr, CurveGroup};

    use super::*;
    use crate::digest::{Digest, KeyDigest};

    fn part(side: Side, layout: u8, point: u64) -> VerifiedPart {
        let point = (G1Affine::generator() * Fr::from(point)).into_affine();
        let boundary = Boundary { side, columns: alloc::vec![0], layout: Digest([layout; 32]) };
        VerifiedPart {
            claim: InferenceClaim {
                model: KeyDigest(Digest::ZERO),
                input: Vec::new().into(),
                output: Vec::new().into(),
                binding: JobBinding::NONE,
            },
            srs: SrsDigest(Digest::ZERO),
            k: 9,
            boundaries: alloc::vec![(boundary, alloc::vec![point])],
        }
    }

    #[test]
    fn parts_are_linked_by_the_same_points_for_the_same_job() {
        let (before, next) = (part(Side::Output, 1, 5), part(Side::Input, 1, 5));
        assert_eq!(before.check_continued_by(&next), Ok(()));
        let values = part(Side::Input, 1, 6);
        assert_eq!(before.check_continued_by(&values), Err(PartError::Commitment { index: 0 }));
        let layout = part(Side::Input, 2, 5);
        assert_eq!(before.check_continued_by(&layout), Err(PartError::Layout { index: 0 }));
        let backwards = Err(PartError::Count { expected: 0, got: 0 });
        assert_eq!(next.check_continued_by(&before), backwards);
        let rows = VerifiedPart { k: 10, ..part(Side::Input, 1, 5) };
        assert_eq!(before.check_continued_by(&rows), Err(PartError::Setup));
        let mut job = part(Side::Input, 1, 5);
        job.claim.binding.nonce = 1;
        assert_eq!(before.check_continued_by(&job), Err(PartError::Job));
    }
}
