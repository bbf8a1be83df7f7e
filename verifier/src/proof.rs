//! A proof, and the messages read from it in the order of the protocol.

use alloc::vec::Vec;

use ark_bn254::{Fr, G1Affine};
use ark_ec::AffineRepr;

use crate::{
    checks::{Challenge, ProofPoint, Step},
    curve::{decode_point, decode_scalar, scalar_from_digest},
    error::VerifyError,
    key::VerifyingKey,
    transcript::Transcript,
};

/// The bytes of a proof. Nothing is known about them until [`verify`](crate::verify) accepts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Proof(Vec<u8>);

impl Proof {
    /// Wraps bytes.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Proof {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

/// What the prover sent and what the transcript answered.
pub(crate) struct Messages {
    /// Advice commitments by column, permutation products, random polynomial.
    pub(crate) commitments: Vec<G1Affine>,
    /// Where the permutation products begin among them.
    first_product: usize,
    /// Pieces of the quotient polynomial, lowest powers first.
    pub(crate) quotient: Vec<G1Affine>,
    /// Evaluations, in the order of the opening plan.
    pub(crate) evaluations: Vec<Fr>,
    /// The two commitments of the multi-opening.
    pub(crate) openings: [G1Affine; 2],
    pub(crate) challenges: Challenges,
    /// Depends on every byte of key, claim and proof.
    pub(crate) binder: Fr,
}

#[derive(Default)]
pub(crate) struct Challenges {
    /// Those of the circuit, by index.
    pub(crate) circuit: Vec<Fr>,
    pub(crate) beta: Fr,
    pub(crate) gamma: Fr,
    /// Combines the constraints.
    pub(crate) y: Fr,
    /// Where the polynomials are opened.
    pub(crate) x: Fr,
    /// Combines the commitments of a group.
    pub(crate) opening_y: Fr,
    /// Combines the groups.
    pub(crate) opening_v: Fr,
    /// Where the multi-opening is checked.
    pub(crate) opening_u: Fr,
}

impl Messages {
    /// Reads `proof` under `key` for the instance columns `instance`, absorbing everything into
    /// `transcript` in the order of the key's [steps](crate::checks::Checks::steps).
    pub(crate) fn read(
        key: &VerifyingKey,
        instance: &[Vec<Fr>],
        proof: &Proof,
        transcript: &mut impl Transcript,
    ) -> Result<Self, VerifyError> {
        let (expected, got) = (key.proof_len(), proof.0.len());
        if expected != got {
            return Err(VerifyError::ProofLength { expected, got });
        }
        let mut messages = Self::blank(key);
        let mut reader = Reader { rest: &proof.0, element: 0, expected, transcript };
        for step in &key.checks().steps {
            match *step {
                Step::KeyDigest => {
                    reader.transcript.absorb_scalar(&scalar_from_digest(&key.digest().0.0));
                }
                Step::TranscriptRepr => {
                    reader.transcript.absorb_scalar(&key.parts().transcript_repr);
                }
                Step::InstanceColumn(index) => {
                    let values = instance.get(index).ok_or(VerifyError::MalformedKey)?;
                    values.iter().for_each(|value| reader.transcript.absorb_scalar(value));
                }
                Step::Point(point) => {
                    let value = reader.point(point)?;
                    *messages.point_mut(point).ok_or(VerifyError::MalformedKey)? = value;
                }
                Step::Evaluations(count) => {
                    let evaluations = (0..count).map(|_| reader.scalar());
                    messages.evaluations = evaluations.collect::<Result<_, _>>()?;
                }
                Step::Challenge(challenge) => {
                    let value = reader.transcript.challenge();
                    messages.draw(challenge, value).ok_or(VerifyError::MalformedKey)?;
                }
            }
        }
        Ok(messages)
    }

    /// Everything in its number, nothing read.
    fn blank(key: &VerifyingKey) -> Self {
        let system = &key.parts().constraint_system;
        let (advice, products) = (system.advice_phases.len(), system.permutation_product_count());
        let points = |count: usize| alloc::vec![G1Affine::identity(); count];
        let circuit = alloc::vec![Fr::default(); system.challenge_phases.len()];
        Self {
            commitments: points(advice.saturating_add(products).saturating_add(1)),
            first_product: advice,
            quotient: points(system.quotient_piece_count()),
            evaluations: Vec::new(),
            openings: [G1Affine::identity(); 2],
            challenges: Challenges { circuit, ..Challenges::default() },
            binder: Fr::default(),
        }
    }

    fn point_mut(&mut self, point: ProofPoint) -> Option<&mut G1Affine> {
        let [opening, opening_at_u] = &mut self.openings;
        match point {
            ProofPoint::Advice(column) => self.commitments.get_mut(column),
            ProofPoint::Product(index) => {
                self.commitments.get_mut(self.first_product.saturating_add(index))
            }
            ProofPoint::Random => self.commitments.last_mut(),
            ProofPoint::Quotient(piece) => self.quotient.get_mut(piece),
            ProofPoint::Opening => Some(opening),
            ProofPoint::OpeningAtU => Some(opening_at_u),
        }
    }

    fn draw(&mut self, challenge: Challenge, value: Fr) -> Option<()> {
        let challenges = &mut self.challenges;
        let place = match challenge {
            Challenge::Circuit(index) => challenges.circuit.get_mut(index)?,
            // For lookup arguments, of which there are none.
            Challenge::Theta => return Some(()),
            Challenge::Beta => &mut challenges.beta,
            Challenge::Gamma => &mut challenges.gamma,
            Challenge::Y => &mut challenges.y,
            Challenge::X => &mut challenges.x,
            Challenge::OpeningY => &mut challenges.opening_y,
            Challenge::OpeningV => &mut challenges.opening_v,
            Challenge::OpeningU => &mut challenges.opening_u,
            Challenge::Binder => &mut self.binder,
        };
        *place = value;
        Some(())
    }
}

struct Reader<'a, T> {
    rest: &'a [u8],
    element: usize,
    expected: usize,
    transcript: &'a mut T,
}

impl<T: Transcript> Reader<'_, T> {
    /// A commitment. An honest prover blinds all but quotient pieces, so they are never at infinity;
    /// the quotient of a circuit whose gates never reach the full degree has zero pieces.
    fn point(&mut self, point: ProofPoint) -> Result<G1Affine, VerifyError> {
        let (element, bytes) = self.next()?;
        let value = decode_point(&bytes).ok_or(VerifyError::Point { element })?;
        let may_vanish = matches!(point, ProofPoint::Quotient(_));
        if value.is_zero() && !may_vanish {
            return Err(VerifyError::Infinity { element });
        }
        self.transcript.absorb_point(&value);
        Ok(value)
    }

    fn scalar(&mut self) -> Result<Fr, VerifyError> {
        let (element, bytes) = self.next()?;
        let scalar = decode_scalar(&bytes).ok_or(VerifyError::Scalar { element })?;
        self.transcript.absorb_scalar(&scalar);
        Ok(scalar)
    }

    fn next(&mut self) -> Result<(usize, [u8; 32]), VerifyError> {
        let element = self.element;
        let got = element.saturating_mul(32);
        let short = VerifyError::ProofLength { expected: self.expected, got };
        let (bytes, rest) = self.rest.split_first_chunk::<32>().ok_or(short)?;
        self.rest = rest;
        self.element = element.saturating_add(1);
        Ok((element, *bytes))
    }
}
