//! The whole check of one proof.

use alloc::vec::Vec;

use ark_bn254::{Bn254, Fr, G1Affine, G1Projective};
use ark_ec::{AffineRepr, CurveGroup, pairing::Pairing};
use ark_ff::Zero;

use crate::{
    claim::{ClaimedValues, InferenceClaim},
    error::VerifyError,
    joint::{Leaf, check_leaf},
    key::VerifyingKey,
    layout::{InstanceLayout, first_out_of_range},
    msm::msm,
    proof::{Messages, Proof},
    real::{RealTensor, real_tensors},
    shplonk::PairingEquation,
    srs::{INSECURE_DEV, SrsPolicy, SrsTrust},
    transcript::{KeccakTranscript, Transcript},
    vanishing::quotient_evaluation,
};

/// A claim that passed [`verify`] or [`verify_batch`](crate::verify_batch); nothing else can make
/// one, so holding it is the evidence.
///
/// ```compile_fail
/// # fn forge(claim: zkinfer_verifier::InferenceClaim) -> zkinfer_verifier::VerifiedInference {
/// zkinfer_verifier::VerifiedInference { claim, srs: zkinfer_verifier::SrsTrust::InsecureDev }
/// # }
/// ```
///
/// It cannot be copied either, so that whoever takes it by value is paid once.
///
/// ```compile_fail
/// # fn pay_twice(evidence: zkinfer_verifier::VerifiedInference) {
/// let again = evidence.clone();
/// # }
/// ```
#[derive(Debug, PartialEq)]
#[must_use = "the evidence is what gets paid"]
pub struct VerifiedInference {
    claim: InferenceClaim,
    layout: InstanceLayout,
    srs: SrsTrust,
}

impl VerifiedInference {
    pub(crate) fn new(key: &VerifyingKey, claim: &InferenceClaim, srs: SrsTrust) -> Self {
        Self { claim: claim.clone(), layout: key.parts().layout.clone(), srs }
    }

    /// What was proved.
    #[must_use]
    pub fn claim(&self) -> &InferenceClaim {
        &self.claim
    }

    /// The real numbers that the proven inputs stand for; `None` where the claim hides them.
    #[must_use]
    pub fn inputs(&self) -> Option<Vec<RealTensor>> {
        Some(real_tensors(&self.layout.inputs, self.claim.input.public()?))
    }

    /// The real numbers that the proven outputs stand for; `None` where the claim hides them.
    #[must_use]
    pub fn outputs(&self) -> Option<Vec<RealTensor>> {
        Some(real_tensors(&self.layout.outputs, self.claim.output.public()?))
    }

    /// Why the trusted setup was accepted.
    #[must_use]
    pub fn srs(&self) -> SrsTrust {
        self.srs
    }
}

/// Checks that `proof` proves `expected` under `key`. Total: returns for every input.
///
/// # Errors
/// The first check that fails, in the order of the variants of [`VerifyError`].
pub fn verify(
    key: &VerifyingKey,
    expected: &InferenceClaim,
    proof: &Proof,
    policy: SrsPolicy,
) -> Result<VerifiedInference, VerifyError> {
    Checked::alone_or_leaf(key, expected, None, proof, policy)?.finish(key, expected)
}

/// Whether a proof under this key is about one claim of a whole model.
fn whole(key: &VerifyingKey) -> Result<(), VerifyError> {
    if !key.parts().boundaries.is_empty() {
        return Err(VerifyError::Part);
    }
    match key.parts().layout.claims {
        1 => Ok(()),
        claims => Err(VerifyError::Joint { claims }),
    }
}

/// A proof of which only the pairing is left to check.
pub(crate) struct Checked {
    pub(crate) equation: PairingEquation,
    pub(crate) srs: SrsTrust,
    /// Depends on every byte of key, claim and proof.
    pub(crate) binder: Fr,
    /// The commitments to the advice columns.
    pub(crate) advice: Vec<G1Affine>,
}

impl Checked {
    /// Checks everything but the pairing, of a claim that is its proof's only one, or one of several.
    pub(crate) fn alone_or_leaf(
        key: &VerifyingKey,
        claim: &InferenceClaim,
        leaf: Option<&Leaf>,
        proof: &Proof,
        policy: SrsPolicy,
    ) -> Result<Self, VerifyError> {
        match leaf {
            None => {
                whole(key)?;
                Self::new(key, claim, proof, policy)
            }
            Some(leaf) => check_leaf(key, claim, leaf, proof, policy),
        }
    }

    /// Checks everything but the pairing, of one claim.
    pub(crate) fn new(
        key: &VerifyingKey,
        claim: &InferenceClaim,
        proof: &Proof,
        policy: SrsPolicy,
    ) -> Result<Self, VerifyError> {
        let srs = trust(key, policy)?;
        check_claim(key, claim)?;
        Self::of(key, &claim.instance(), proof, srs)
    }

    /// Checks everything but the pairing, of public values that have passed their own checks.
    pub(crate) fn of(
        key: &VerifyingKey,
        public_values: &[Fr],
        proof: &Proof,
        srs: SrsTrust,
    ) -> Result<Self, VerifyError> {
        let mut transcript = KeccakTranscript::new();
        let (equation, messages) = reduce(key, public_values, proof, &mut transcript)?;
        let mut advice = messages.commitments;
        advice.truncate(key.parts().constraint_system.advice_phases.len());
        Ok(Self { equation, srs, binder: messages.binder, advice })
    }

    /// Checks the pairing, for the key and claim of [`new`](Self::new).
    pub(crate) fn finish(
        self,
        key: &VerifyingKey,
        claim: &InferenceClaim,
    ) -> Result<VerifiedInference, VerifyError> {
        self.pairing(key)?;
        Ok(VerifiedInference::new(key, claim, self.srs))
    }

    /// Checks the pairing, for the key of [`of`](Self::of).
    pub(crate) fn pairing(&self, key: &VerifyingKey) -> Result<(), VerifyError> {
        let left = (self.equation.left.into(), key.prepared_tau().clone());
        let holds = pairings_cancel(key, [left], msm(self.right(key)));
        if holds { Ok(()) } else { Err(VerifyError::Pairing) }
    }

    /// All terms of the equation's right side.
    fn right<'a>(&'a self, key: &'a VerifyingKey) -> impl Iterator<Item = (G1Affine, Fr)> + 'a {
        let PairingEquation { left: _, terms, key_scalars, generator } = &self.equation;
        let of_key = key.commitments().copied().zip(key_scalars.iter().copied());
        terms.iter().copied().chain(of_key).chain([(G1Affine::generator(), *generator)])
    }
}

/// Everything between the public values and the pairing.
pub(crate) fn reduce(
    key: &VerifyingKey,
    public_values: &[Fr],
    proof: &Proof,
    transcript: &mut impl Transcript,
) -> Result<(PairingEquation, Messages), VerifyError> {
    let instance = key.parts().layout.placement.columns(public_values);
    let messages = Messages::read(key, &instance, proof, transcript)?;
    let quotient = quotient_evaluation(key, &messages, &instance)?;
    Ok((PairingEquation::new(key, &messages, quotient)?, messages))
}

pub(crate) fn trust(key: &VerifyingKey, policy: SrsPolicy) -> Result<SrsTrust, VerifyError> {
    let srs = &key.parts().srs;
    let refused = if srs.name == INSECURE_DEV {
        VerifyError::InsecureDevSrs
    } else {
        VerifyError::UntrustedSrs { srs: srs.digest() }
    };
    policy.accepts(srs).ok_or(refused)
}

pub(crate) fn check_claim(key: &VerifyingKey, claim: &InferenceClaim) -> Result<(), VerifyError> {
    if claim.model != key.digest() {
        return Err(VerifyError::Model { expected: claim.model, got: key.digest() });
    }
    let layout = &key.parts().layout;
    let (expected, got) = (layout.input_visibility, claim.input.visibility());
    if expected != got {
        return Err(VerifyError::InputVisibility { expected, got });
    }
    let (expected, got) = (layout.output_visibility, claim.output.visibility());
    if expected != got {
        return Err(VerifyError::OutputVisibility { expected, got });
    }
    let shown = |values: &ClaimedValues| values.public().map(<[i64]>::len);
    let (expected, got) = (layout.input_len(), shown(&claim.input));
    if let Some(got) = got.filter(|&got| got != expected) {
        return Err(VerifyError::InputLength { expected, got });
    }
    let (expected, got) = (layout.output_len(), shown(&claim.output));
    if let Some(got) = got.filter(|&got| got != expected) {
        return Err(VerifyError::OutputLength { expected, got });
    }
    // The circuit itself bounds values that are not shown.
    let outside = |tensors, values: &ClaimedValues| first_out_of_range(tensors, values.public()?);
    if let Some((index, value, tensor)) = outside(&layout.inputs, &claim.input) {
        return Err(VerifyError::InputRange { index, value, lo: tensor.lo, hi: tensor.hi });
    }
    if let Some((index, value, tensor)) = outside(&layout.outputs, &claim.output) {
        return Err(VerifyError::OutputRange { index, value, lo: tensor.lo, hi: tensor.hi });
    }
    Ok(())
}

type G2Prepared = <Bn254 as Pairing>::G2Prepared;

/// Whether `Π e(left, τ) = e(right, [1]₂)`, by one product of pairings.
pub(crate) fn pairings_cancel(
    key: &VerifyingKey,
    lefts: impl IntoIterator<Item = (G1Projective, G2Prepared)>,
    right: G1Projective,
) -> bool {
    use core::ops::Neg;
    let (mut points, mut taus): (Vec<G1Affine>, Vec<G2Prepared>) =
        lefts.into_iter().map(|(left, tau)| (left.into_affine(), tau)).unzip();
    points.push(right.into_affine().neg());
    taus.push(key.prepared_generator().clone());
    let product = Bn254::final_exponentiation(Bn254::multi_miller_loop(points, taus));
    product.is_some_and(|product| product.is_zero())
}
