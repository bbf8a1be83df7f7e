//! Parts of a model that are proven one by one, and the columns that neighbours share.
//!
//! A model that is too large for one circuit is cut into parts. The tensor at a cut lies in advice
//! columns of its own, in both neighbours at the same rows, and both proofs commit to these columns
//! with the same blinding: so the very same points stand in both proofs, and whoever holds both
//! compares them. A proof of a part says nothing about the whole model, so its evidence has a type
//! of its own, which nothing pays for. [`Manifest`](crate::Manifest) is about all parts of a model
//! together.

use alloc::vec::Vec;

use ark_bn254::G1Affine;

use crate::{
    boundary::Boundary,
    claim::InferenceClaim,
    digest::{Digest, SrsDigest, keccak256},
    error::{PartError, VerifyError},
    key::VerifyingKey,
    layout::TensorLayout,
    proof::Proof,
    side::Side,
    srs::{SrsPolicy, SrsTrust},
    verify::Checked,
};

/// What the cells of a boundary mean, which neighbours must agree on: Keccak-256 of a domain, the
/// number of columns as four bytes, and for each tensor, in order, the number of its elements as eight
/// bytes and its bounds. Element `i` of all of them lies in column `i mod columns`, row
/// `⌊i / columns⌋`.
#[must_use]
pub fn boundary_layout(columns: u32, tensors: &[TensorLayout]) -> Digest {
    let tensor = |tensor: &TensorLayout| {
        let len = u64::try_from(tensor.element_count()).unwrap_or(u64::MAX);
        [len.to_be_bytes(), tensor.lo.to_be_bytes(), tensor.hi.to_be_bytes()].concat()
    };
    let tensors: Vec<u8> = tensors.iter().flat_map(tensor).collect();
    Digest(keccak256(&[b"zkinfer.boundary.v1\0", &columns.to_be_bytes(), &tensors]))
}

/// A part of a model that was proven: nobody is paid for it alone.
#[derive(Debug, PartialEq)]
#[must_use = "a part is worth something only with its neighbours"]
pub struct VerifiedPart {
    claim: InferenceClaim,
    srs: SrsDigest,
    trust: SrsTrust,
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
    checked.pairing(key)?;
    let Checked { advice: commitments, srs: trust, .. } = checked;
    let shared = |boundary: &Boundary| {
        let points = boundary.columns.iter().map(|&column| commitments.get(usize::from(column)));
        let points = points.collect::<Option<Vec<_>>>()?;
        Some((boundary.clone(), points.into_iter().copied().collect()))
    };
    let boundaries = key.parts().boundaries.iter().map(shared).collect::<Option<_>>();
    Ok(VerifiedPart {
        claim: claim.clone(),
        srs: key.srs_digest(),
        trust,
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

    /// Why the trusted setup was accepted.
    #[must_use]
    pub fn srs(&self) -> SrsTrust {
        self.trust
    }

    /// The boundaries, each with the commitments to its columns.
    #[must_use]
    pub fn boundaries(&self) -> &[(Boundary, Vec<G1Affine>)] {
        &self.boundaries
    }

    /// Checks that everything this part gives is what `next` takes, in the same order, under the same
    /// setup and number of rows. That both are for one job is for
    /// [`Manifest::verify`](crate::Manifest::verify) to check.
    ///
    /// # Errors
    /// [`PartError`], the first check that fails.
    pub fn check_continued_by(&self, next: &Self) -> Result<(), PartError> {
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
    use crate::{claim::JobBinding, digest::KeyDigest};

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
            trust: SrsTrust::InsecureDev,
            k: 9,
            boundaries: alloc::vec![(boundary, alloc::vec![point])],
        }
    }

    #[test]
    fn parts_are_linked_by_the_same_points() {
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
    }
}
