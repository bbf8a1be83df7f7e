//! Parts of a model as they go over the wire: which part it is, what goes from one to the next, and
//! whether a proof of one is what its node has answered.

use std::sync::Arc;

use thiserror::Error;
use zkinfer::{
    BoundarySetup,
    prover::{BOUNDARY_BLINDING, BoundaryBlinding},
    verifier::{
        ClaimedValues, G1Affine, Manifest, PartProof, ProofFile, Side, SrsPolicy, TensorLayout,
        VerifiedPart, VerifiedParts, VerifyError, VerifyingKey, boundary_layout, verify_part,
    },
};
use zkinfer_settlement::{Address, JobId, ValuesDigest};

use crate::{
    answer::{Answer, AnswerError, SignedAnswer},
    division::Division,
    encoding::{Decimal, Hex},
    execution::Trace,
    order::{JobRequest, Order, check_values, digest},
    sampling::ALWAYS,
    schema::wire,
};

/// What blinds the columns of a boundary: for each, the scalars of its last rows, little-endian.
pub type Blinding = Vec<Vec<Hex<32>>>;

/// A part of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The job of all parts: the digest of the order.
    pub whole: JobId,
    /// Which part, from 0.
    pub index: usize,
}

impl Place {
    /// Whether it is the last of so many.
    #[must_use]
    pub fn is_last(&self, count: usize) -> bool {
        self.index.saturating_add(1) == count
    }
}

wire! {
    /// That a node is offered a part of the order's model. Its input is what the part takes.
    pub struct PartOffer {
        /// Which part, from 0.
        pub index: u32,
        /// What blinds what it takes from the part before, in columns.
        pub taken_blinding: Option<Blinding>,
        /// What blinds what it gives to the part behind.
        pub given_blinding: Option<Blinding>,
    }

    /// Elements of one tensor that goes from a part to the next.
    pub struct Span {
        /// How many.
        pub count: u32,
        /// The smallest value that one can have.
        pub lo: i64,
        /// The largest.
        pub hi: i64,
    }

    /// Where a job belongs that is a part of another, as the coordinator keeps it.
    pub struct PlaceRecord {
        /// The job of all parts.
        pub whole: Hex<32>,
        /// Which part, from 0.
        pub index: u32,
        /// What blinds what it gives.
        pub blinding: Option<Blinding>,
    }

    /// A part of a job, as the coordinator sees it.
    pub struct PartView {
        /// The job of the part.
        pub job: Hex<32>,
        /// open, staked, settled, refunded, slashed or cancelled.
        pub state: String,
        /// The account of the node that has it, had it paid, or lost its stake.
        pub node: Option<Hex<20>>,
        /// What that node gets, or got; before a node has it, its share of the order's price.
        pub price: Decimal<u128>,
        /// Whether that node has said what the part gives.
        pub answered: bool,
        /// Whether its proof is there.
        pub proven: bool,
    }
}

impl Span {
    /// That of a tensor.
    #[must_use]
    pub fn of(tensor: &TensorLayout) -> Self {
        let count = u32::try_from(tensor.element_count()).unwrap_or(u32::MAX);
        Self { count, lo: tensor.lo, hi: tensor.hi }
    }

    fn tensor(&self) -> TensorLayout {
        let Self { count, lo, hi } = *self;
        let (name, scales) = (String::new(), Vec::new());
        TensorLayout { name, shape: vec![count], scales, lo, hi, classes: None }
    }
}

/// A blinding for so many columns.
#[must_use]
pub(crate) fn draw_blinding(columns: usize) -> Blinding {
    let [[drawn, ..], _] = BoundaryBlinding::draw(columns);
    let column = |column: [[u8; 32]; BOUNDARY_BLINDING]| column.map(Hex).to_vec();
    drawn.to_bytes().into_iter().map(column).collect()
}

/// What the library takes for a blinding; `None` for scalars that are none.
#[must_use]
pub(crate) fn read_blinding(blinding: &Blinding) -> Option<BoundaryBlinding> {
    let column = |column: &Vec<Hex<32>>| {
        let scalars: Vec<[u8; 32]> = column.iter().map(|Hex(scalar)| *scalar).collect();
        <[[u8; 32]; BOUNDARY_BLINDING]>::try_from(scalars).ok()
    };
    let columns = blinding.iter().map(column).collect::<Option<Vec<_>>>()?;
    BoundaryBlinding::from_bytes(&columns)
}

/// Columns of what a part gives to the next, and what its key says of them.
fn given_boundary(key: &VerifyingKey) -> Option<(u32, [u8; 32])> {
    let mut boundaries = key.parts().boundaries.iter();
    let given = boundaries.find(|boundary| boundary.side == Side::Output)?;
    Some((u32::try_from(given.columns.len()).ok()?, given.layout.0))
}

/// How many columns a part of this key gives to the next.
#[must_use]
pub(crate) fn given_columns(key: &VerifyingKey) -> usize {
    given_boundary(key).map_or(0, |(columns, _)| usize::try_from(columns).unwrap_or(usize::MAX))
}

impl SignedAnswer {
    /// Whether it answers a part of the order, and its node has signed it; the key is that of the part.
    /// Whether what it took is what the part before gives, the coordinator knows.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check_part(
        &self,
        order: &Order,
        manifest: &Manifest,
        index: usize,
        key: &VerifyingKey,
    ) -> Result<(), AnswerError> {
        let Self { answer, signature, output, trace, spans } = self;
        let Answer { chain_id, job, model, prove_by, rate, reveal_by, .. } = answer;
        let part = manifest.parts.get(index);
        let same = [
            ("chain_id", *chain_id == order.chain_id),
            ("job", job.0 == manifest.part_job(index, &order.job().0)),
            ("model", part == Some(&key.digest()) && model.0 == key.digest().0.0),
            ("input", index > 0 || answer.input == order.input),
            ("prove_by", *prove_by <= order.deadline),
            ("rate", *rate == ALWAYS),
            ("reveal_by", *reveal_by == 0),
            ("execution", !trace.is_empty()),
        ];
        if let Some((field, _)) = same.into_iter().find(|(_, same)| !same) {
            return Err(AnswerError::Field { field });
        }
        let layout: Vec<TensorLayout> = match (given_boundary(key), spans) {
            (None, None) => key.parts().layout.outputs.clone(),
            (Some((columns, expected)), Some(spans)) => {
                let layout: Vec<_> = spans.iter().map(Span::tensor).collect();
                if boundary_layout(columns, &layout).0 != expected {
                    return Err(AnswerError::Spans);
                }
                layout
            }
            _ => return Err(AnswerError::Spans),
        };
        check_values(&layout, output).map_err(AnswerError::Values)?;
        let (expected, got) = (self.output_digest(), digest(output));
        if got != expected {
            return Err(AnswerError::Output { expected, got });
        }
        let (expected, got) = (answer.execution, Trace::from_digests(trace).root());
        if got != expected {
            return Err(AnswerError::Execution { expected, got });
        }
        if answer.is_signed(signature) { Ok(()) } else { Err(AnswerError::Signature) }
    }
}

/// A part that a node works on, as a proof of it is checked.
#[derive(Clone, Debug)]
pub struct PartWork {
    /// Which one, of which job.
    pub place: Place,
    /// The parts.
    pub division: Arc<Division>,
    /// The whole order.
    pub request: Arc<JobRequest>,
    /// Who has it and has answered it.
    pub node: Option<Address>,
    /// What it takes, if that is known; of the first, the input.
    pub taken: Option<Arc<Vec<i64>>>,
    /// What its node has answered that it gives.
    pub given: Option<Arc<Vec<i64>>>,
    /// What blinds what it takes, and what it gives.
    pub blinding: [Option<Arc<Blinding>>; 2],
}

/// Why a proof of a part is not taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PartRefusal {
    /// Nobody has answered the part.
    #[error("the part was not answered: its proof would be compared with the answer")]
    NoAnswer,
    /// Made for another job, place, chain or nonce.
    #[error("the proof is bound to another job, place, market or nonce than this part's")]
    Job,
    /// Made by another node than the one that has the part.
    #[error("the proof pays {got}, the part is {expected}'s")]
    Payee {
        /// Who has it.
        expected: Address,
        /// Whom the proof names.
        got: Address,
    },
    /// Of another part, or false.
    #[error("the proof is rejected: {0}")]
    Rejected(VerifyError),
    /// About another input of the model.
    #[error("the proof of the first part is about another input than the order's")]
    Input,
    /// With another output of the model.
    #[error("the proof of the last part has another output than was answered")]
    Output,
    /// Of another run: not on what the part before gives, or not under its blinding.
    #[error("the proof takes something else than the part before gives, or under another blinding")]
    Taken,
    /// Not of what was answered, or under another blinding than the offer's.
    #[error("the proof gives something else than was answered, or under another blinding")]
    Given,
}

impl PartRefusal {
    /// A word for programs, which never changes its meaning.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoAnswer => "no-answer",
            Self::Job => "job",
            Self::Payee { .. } => "payee",
            Self::Rejected(_) => "rejected",
            Self::Input => "input",
            Self::Output => "output",
            Self::Taken => "taken",
            Self::Given => "given",
        }
    }
}

/// Checks the proof of a part against what its node has answered and was offered; alone, it proves
/// nothing of the model.
///
/// # Errors
/// The first thing that is wrong: it is this proof that is, whatever the other parts are.
pub(crate) fn check_part_proof(
    work: &PartWork,
    key: &VerifyingKey,
    setup: &BoundarySetup,
    file: &ProofFile,
    policy: SrsPolicy,
) -> Result<(), PartRefusal> {
    let (Some(node), Some(taken), Some(given)) = (work.node, &work.taken, &work.given) else {
        return Err(PartRefusal::NoAnswer);
    };
    let (claim, index) = (&file.claim, work.place.index);
    let got = Address(claim.binding.payee);
    if got != node {
        return Err(PartRefusal::Payee { expected: node, got });
    }
    let whole = work.request.order.binding(node);
    if claim.binding != work.division.manifest().binding(index, &whole, node.0) {
        return Err(PartRefusal::Job);
    }
    let proven = verify_part(key, claim, &file.proof, policy).map_err(PartRefusal::Rejected)?;
    if index == 0 && claim.input != ClaimedValues::Public(taken.to_vec()) {
        return Err(PartRefusal::Input);
    }
    if work.place.is_last(work.division.count())
        && claim.output != ClaimedValues::Public(given.to_vec())
    {
        return Err(PartRefusal::Output);
    }
    let [taken_blinding, given_blinding] = &work.blinding;
    let sides = [
        (Side::Input, taken, taken_blinding, PartRefusal::Taken),
        (Side::Output, given, given_blinding, PartRefusal::Given),
    ];
    for (side, values, blinding, refusal) in sides {
        let expected = blinding.as_deref().map(|blinding| {
            let blinding = read_blinding(blinding)?;
            setup.commitments(values, &blinding)
        });
        let expected = match expected {
            None => Vec::new(),
            Some(points) => points.ok_or(refusal.clone())?,
        };
        if points_of(&proven, side) != expected {
            return Err(refusal);
        }
    }
    Ok(())
}

fn points_of(part: &VerifiedPart, side: Side) -> Vec<G1Affine> {
    let of_side = part.boundaries().iter().filter(|(boundary, _)| boundary.side == side);
    of_side.flat_map(|(_, points)| points.iter().copied()).collect()
}

/// Verifies the proofs of all parts of an order together, as `verify --manifest` does.
///
/// # Errors
/// What is wrong.
pub(crate) fn verify_parts(
    manifest: &Manifest,
    keys: &[&VerifyingKey],
    order: &Order,
    files: &[ProofFile],
    policy: SrsPolicy,
) -> Result<VerifiedParts, String> {
    let job = order.binding(Address::NOBODY);
    let payees: Vec<[u8; 20]> = files.iter().map(|file| file.claim.binding.payee).collect();
    let proofs: Vec<PartProof<'_>> =
        files.iter().map(|file| PartProof { claim: &file.claim, proof: &file.proof }).collect();
    let verified = manifest.verify(keys, &job, &payees, &proofs, policy);
    let verified = verified.map_err(|error| error.to_string())?;
    let input = verified.input().map(ValuesDigest::of);
    if input != Some(order.input()) {
        return Err("they are about another input".to_owned());
    }
    Ok(verified)
}
