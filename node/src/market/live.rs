//! What the market remembers of a job that something can still happen to.

use std::sync::Arc;

use zkinfer::verifier::KeyDigest;
use zkinfer_settlement::{Address, Amount, JobId};

use super::seconds;
use crate::{
    answer::{SignedAnswer, is_drawn},
    division::Division,
    encoding::{Decimal, Hex},
    ledger::{Contract, Phase},
    offer::Offer,
    order::JobRequest,
    part::{Blinding, PartOffer, Place},
    ramp::Prices,
    sampling::{ALWAYS, Lot, Sampling},
};

/// The conditions under which an offer is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Conditions {
    /// How many of a million such answers are drawn to be proven.
    pub(super) rate: u32,
    /// Last moment at which the buyer can reveal his secret; 0 where the answer must be proven anyway.
    pub(super) reveal_by: u64,
    /// Last moment of the proof.
    pub(super) prove_by: u64,
}

/// What is known of a job that something can still happen to.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) request: Arc<JobRequest>,
    /// Which part of the request, if it is one.
    pub(super) place: Option<Place>,
    /// The key of the model, or of the part.
    pub(super) model: KeyDigest,
    /// What its node gets.
    pub(super) prices: Prices,
    pub(super) answer: Option<Arc<SignedAnswer>>,
    /// Those of the lease, if there is one.
    pub(super) conditions: Option<Conditions>,
    /// What draws the lot of the answer, once it is known.
    pub(super) lot: Option<Lot>,
    /// No round of drand was handed in in time, so that the answer must be proven.
    pub(super) undrawn: bool,
    /// When the node got it, in Unix milliseconds; none where an earlier life of the coordinator gave
    /// it, of which the node may not have heard.
    pub(super) offered: Option<u64>,
    /// When the node answered.
    pub(super) answered: Option<u64>,
    /// When to look again, in Unix seconds.
    pub(super) timer: u64,
}

impl Conditions {
    /// The answer must be proven by then.
    pub(super) fn always(prove_by: u64) -> Self {
        Self { rate: ALWAYS, reveal_by: 0, prove_by }
    }
}

impl Live {
    /// One of which nothing is known but its order.
    pub(super) fn new(request: Arc<JobRequest>, model: KeyDigest, timer: u64) -> Self {
        let prices = request.order.prices();
        Self {
            request,
            place: None,
            model,
            prices,
            answer: None,
            conditions: None,
            lot: None,
            undrawn: false,
            offered: None,
            answered: None,
            timer,
        }
    }

    /// Nobody has it any more.
    pub(super) fn forget_lease(&mut self) {
        (self.answer, self.offered, self.answered) = (None, None, None);
        (self.conditions, self.undrawn) = (None, false);
    }

    /// Whether the answer must be proven; none as long as that is not known, or there is none.
    pub(super) fn is_drawn(&self) -> Option<bool> {
        let answer = &self.answer.as_ref()?.answer;
        if answer.rate >= ALWAYS {
            return Some(true);
        }
        match &self.lot {
            Some(lot) => Some(is_drawn(&lot.secret(), answer)),
            None if self.undrawn => Some(true),
            None => None,
        }
    }

    /// Whether a round of drand should have drawn the lot, and nobody has handed it in in time.
    pub(super) fn is_overdue(&self, now: u64) -> bool {
        let by_beacon = self.request.order.sampling.as_ref().is_some_and(Sampling::is_by_beacon);
        let late = |answer: &SignedAnswer| seconds(now) > answer.answer.reveal_by;
        by_beacon && self.is_drawn().is_none() && self.answer.as_ref().is_some_and(|one| late(one))
    }

    /// Whether the answer is to be paid without a proof: it was not drawn, or the buyer was silent.
    pub(super) fn is_spared(&self, now: u64) -> bool {
        let Some(answer) = &self.answer else { return false };
        if self.is_overdue(now) {
            return false;
        }
        !self.is_drawn().unwrap_or(seconds(now) <= answer.answer.reveal_by)
    }

    /// When something is due for the job.
    pub(super) fn due(&self, contract: &Contract) -> u64 {
        let deadline = contract.terms.deadline;
        let Phase::Staked { until, .. } = contract.phase else { return deadline };
        let undecided = self.answer.as_ref().filter(|_| self.is_drawn().is_none());
        let end = match (self.is_drawn(), undecided) {
            (Some(false), _) => 0,
            (None, Some(answer)) => answer.answer.reveal_by,
            _ => until,
        };
        end.min(deadline)
    }
}

/// What is left of a job in the coordinator's files.
#[derive(Clone, Debug)]
pub struct Remains {
    /// The order with its input.
    pub request: JobRequest,
    /// The answer, if there is one.
    pub answer: Option<SignedAnswer>,
    /// What has drawn the lot of the answer, if it was drawn.
    pub lot: Option<Lot>,
    /// Which part it is, if it is one.
    pub part: Option<PartRemains>,
}

/// What is left of a part.
#[derive(Clone, Debug)]
pub struct PartRemains {
    /// Which one, of which job.
    pub place: Place,
    /// All parts.
    pub division: Arc<Division>,
    /// What blinds what it gives to the next part.
    pub blinding: Option<Arc<Blinding>>,
    /// Whose proof of it is there.
    pub proven_by: Option<Address>,
}

impl Remains {
    /// Whether it is a part whose proof is there, by the node that has it.
    pub(super) fn is_delivered(&self, phase: Phase) -> bool {
        let Phase::Staked { prover, answer: Some(_), .. } = phase else { return false };
        self.part.as_ref().is_some_and(|part| part.proven_by == Some(prover))
    }

    /// The answer that the ledger knows: an answer of an earlier lease may be left over.
    pub(super) fn answer_of(&self, phase: Phase) -> Option<Arc<SignedAnswer>> {
        let Phase::Staked { prover, answer: Some(output), .. } = phase else { return None };
        let own = |answer: &&SignedAnswer| {
            // What a part gives to the next is not what its proof claims.
            let same = self.part.is_some() || answer.output_digest() == output;
            same && answer.answer.node.address() == prover
        };
        self.answer.as_ref().filter(own).cloned().map(Arc::new)
    }
}

/// A job for a node, under these conditions.
pub(super) fn offer(
    job: JobId,
    (request, part): (&JobRequest, Option<(Vec<i64>, PartOffer)>),
    price: Amount,
    answer_by: u64,
    conditions: Conditions,
    answered: bool,
) -> Offer {
    let JobRequest { order, signature, input, sealed } = request;
    let (input, part) = match part {
        Some((taken, part)) => (taken, Some(part)),
        None => (input.clone(), None),
    };
    let Conditions { rate, reveal_by, prove_by } = conditions;
    Offer {
        job: Hex(job.0),
        order: order.clone(),
        signature: *signature,
        part,
        input,
        sealed: sealed.clone(),
        price: Decimal(price.0),
        answer_by,
        rate,
        reveal_by,
        prove_by,
        answered,
    }
}
