//! A proof, and the messages read from it in the order of the protocol.

use alloc::vec::Vec;

use ark_bn254::{Fr, G1Affine};
use ark_ec::AffineRepr;

use crate::{
    constraint_system::ConstraintSystem,
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
    /// Reads `proof` under `key` for the public values `instance`, absorbing everything into
    /// `transcript` before the first challenge that may depend on it.
    pub(crate) fn read(
        key: &VerifyingKey,
        instance: &[Fr],
        proof: &Proof,
        transcript: &mut impl Transcript,
    ) -> Result<Self, VerifyError> {
        let (expected, got) = (key.proof_len(), proof.0.len());
        if expected != got {
            return Err(VerifyError::ProofLength { expected, got });
        }
        let system = &key.parts().constraint_system;
        transcript.absorb_scalar(&scalar_from_digest(&key.digest().0.0));
        transcript.absorb_scalar(&key.parts().transcript_repr);
        instance.iter().for_each(|value| transcript.absorb_scalar(value));

        let mut reader = Reader { rest: &proof.0, element: 0, expected, transcript };
        let (mut commitments, circuit) = reader.phases(system)?;
        // Drawn by halo2 for lookup arguments, of which there are none.
        let _theta = reader.transcript.challenge();
        let beta = reader.transcript.challenge();
        let gamma = reader.transcript.challenge();
        for _ in 0..system.permutation_product_count() {
            commitments.push(reader.point()?);
        }
        commitments.push(reader.point()?);
        let y = reader.transcript.challenge();
        let quotient = (0..system.quotient_piece_count())
            .map(|_| reader.quotient_piece())
            .collect::<Result<_, _>>()?;
        let x = reader.transcript.challenge();
        let evaluations =
            (0..key.evaluation_count()).map(|_| reader.scalar()).collect::<Result<_, _>>()?;
        let opening_y = reader.transcript.challenge();
        let opening_v = reader.transcript.challenge();
        let first_opening = reader.point()?;
        let opening_u = reader.transcript.challenge();
        let openings = [first_opening, reader.point()?];
        let binder = reader.transcript.challenge();
        let challenges = Challenges { circuit, beta, gamma, y, x, opening_y, opening_v, opening_u };
        Ok(Self { commitments, quotient, evaluations, openings, challenges, binder })
    }
}

struct Reader<'a, T> {
    rest: &'a [u8],
    element: usize,
    expected: usize,
    transcript: &'a mut T,
}

impl<T: Transcript> Reader<'_, T> {
    /// Advice commitments and challenges, phase by phase; both by index.
    fn phases(
        &mut self,
        system: &ConstraintSystem,
    ) -> Result<(Vec<G1Affine>, Vec<Fr>), VerifyError> {
        let mut commitments = Vec::with_capacity(system.advice_phases.len());
        let mut challenges = Vec::with_capacity(system.challenge_phases.len());
        for phase in system.phases() {
            for column in positions(&system.advice_phases, phase) {
                commitments.push((column, self.point()?));
            }
            for index in positions(&system.challenge_phases, phase) {
                challenges.push((index, self.transcript.challenge()));
            }
        }
        Ok((by_index(commitments), by_index(challenges)))
    }

    /// A commitment to a polynomial that an honest prover blinds: never at infinity.
    fn point(&mut self) -> Result<G1Affine, VerifyError> {
        let element = self.element;
        let point = self.quotient_piece()?;
        if point.is_zero() { Err(VerifyError::Infinity { element }) } else { Ok(point) }
    }

    /// A commitment that may be at infinity: the quotient of a circuit whose gates never reach the
    /// full degree has zero pieces.
    fn quotient_piece(&mut self) -> Result<G1Affine, VerifyError> {
        let (element, bytes) = self.next()?;
        let point = decode_point(&bytes).ok_or(VerifyError::Point { element })?;
        self.transcript.absorb_point(&point);
        Ok(point)
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

fn positions(phases: &[u8], phase: u8) -> impl Iterator<Item = usize> {
    phases.iter().enumerate().filter_map(move |(index, &own)| (own == phase).then_some(index))
}

fn by_index<T>(mut items: Vec<(usize, T)>) -> Vec<T> {
    items.sort_unstable_by_key(|(index, _)| *index);
    items.into_iter().map(|(_, item)| item).collect()
}
