//! What the market remembers of a job that something can still happen to.

use std::sync::Arc;

use zkinfer_settlement::JobId;

use super::seconds;
use crate::{
    answer::SignedAnswer,
    encoding::Hex,
    ledger::{Contract, Phase},
    order::{JobRequest, Offer},
    sampling::{ALWAYS, Lot, Sampling, is_drawn},
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
    pub(super) fn new(request: Arc<JobRequest>, timer: u64) -> Self {
        let (answer, conditions, lot, offered, answered) = (None, None, None, None, None);
        let undrawn = false;
        Self { request, answer, conditions, lot, undrawn, offered, answered, timer }
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
}

impl Remains {
    /// The answer that the ledger knows: an answer of an earlier lease may be left over.
    pub(super) fn answer_of(&self, phase: Phase) -> Option<Arc<SignedAnswer>> {
        let Phase::Staked { prover, answer: Some(output), .. } = phase else { return None };
        let own = |answer: &&SignedAnswer| {
            answer.output_digest() == output && answer.answer.node.address() == prover
        };
        self.answer.as_ref().filter(own).cloned().map(Arc::new)
    }
}

/// A job for a node, under these conditions.
pub(super) fn offer(
    job: JobId,
    request: &JobRequest,
    answer_by: u64,
    conditions: Conditions,
    answered: bool,
) -> Offer {
    let JobRequest { order, signature, input } = request;
    let Conditions { rate, reveal_by, prove_by } = conditions;
    Offer {
        job: Hex(job.0),
        order: order.clone(),
        signature: *signature,
        input: input.clone(),
        answer_by,
        rate,
        reveal_by,
        prove_by,
        answered,
    }
}
