//! What the market remembers of a job that something can still happen to.

use std::sync::Arc;

use zkinfer_settlement::JobId;

use super::seconds;
use crate::{
    answer::SignedAnswer,
    encoding::Hex,
    ledger::{Contract, Phase},
    order::{JobRequest, Offer},
    sampling::{ALWAYS, is_drawn},
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
    /// The buyer's secret, once it is revealed.
    pub(super) secret: Option<Hex<32>>,
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
        let (answer, conditions, secret, offered, answered) = (None, None, None, None, None);
        Self { request, answer, conditions, secret, offered, answered, timer }
    }

    /// Whether the answer must be proven; none as long as that is not known, or there is none.
    pub(super) fn is_drawn(&self) -> Option<bool> {
        let answer = &self.answer.as_ref()?.answer;
        if answer.rate >= ALWAYS {
            return Some(true);
        }
        self.secret.as_ref().map(|secret| is_drawn(secret, answer))
    }

    /// Whether the answer is to be paid without a proof: it was not drawn, or the buyer was silent.
    pub(super) fn is_spared(&self, now: u64) -> bool {
        let Some(answer) = &self.answer else { return false };
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
    /// The buyer's secret, if it was revealed.
    pub secret: Option<Hex<32>>,
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
