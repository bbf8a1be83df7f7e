//! Where the money is, as the market sees it.

use zkinfer::verifier::{ClaimedValues, VerifiedInference, VerifiedParts};
use zkinfer_settlement::{
    Address, Amount, AnyJob, Escrow, EscrowError, JobId, JobTerms, Lease, Refusal, Store,
    ValuesDigest,
};

use crate::error::MarketError;

/// A job of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contract {
    /// What the buyer asked for.
    pub terms: JobTerms,
    /// What became of it.
    pub phase: Phase,
}

/// What became of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It waits for a node.
    Open,
    /// A node has it.
    Staked {
        /// Which node.
        prover: Address,
        /// What it gets.
        price: Amount,
        /// Until when it has it for itself, in Unix seconds.
        until: u64,
        /// What it has answered.
        answer: Option<ValuesDigest>,
    },
    /// A node was paid.
    Settled {
        /// Which node.
        payee: Address,
        /// What it got.
        price: Amount,
        /// When.
        at: u64,
    },
    /// A node was paid for its answer, which nothing has proven.
    Accepted {
        /// Which node.
        prover: Address,
        /// What it got.
        price: Amount,
        /// When.
        at: u64,
    },
    /// A node was paid, because the job cannot be done as it was ordered.
    Forfeited {
        /// Which node.
        prover: Address,
        /// What it got.
        price: Amount,
        /// When.
        at: u64,
    },
    /// The buyer has the price back.
    Refunded {
        /// When.
        at: u64,
    },
    /// The buyer has the price back, and the stake of a node.
    Slashed {
        /// Which node.
        prover: Address,
        /// When.
        at: u64,
    },
    /// The buyer has taken the job back.
    Cancelled {
        /// When.
        at: u64,
    },
}

impl Phase {
    /// Its name, as views of jobs have it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Staked { .. } => "staked",
            Self::Settled { .. } => "settled",
            Self::Accepted { .. } => "accepted",
            Self::Forfeited { .. } => "forfeited",
            Self::Refunded { .. } => "refunded",
            Self::Slashed { .. } => "slashed",
            Self::Cancelled { .. } => "cancelled",
        }
    }

    /// The node that has the job, was paid or lost its stake.
    #[must_use]
    pub fn node(&self) -> Option<Address> {
        match self {
            Self::Staked { prover, .. }
            | Self::Slashed { prover, .. }
            | Self::Forfeited { prover, .. }
            | Self::Accepted { prover, .. } => Some(*prover),
            Self::Settled { payee, .. } => Some(*payee),
            Self::Open | Self::Refunded { .. } | Self::Cancelled { .. } => None,
        }
    }

    /// What a node gets for the job, or got.
    #[must_use]
    pub fn price(&self) -> Option<Amount> {
        match self {
            Self::Staked { price, .. }
            | Self::Settled { price, .. }
            | Self::Forfeited { price, .. }
            | Self::Accepted { price, .. } => Some(*price),
            Self::Open | Self::Refunded { .. } | Self::Slashed { .. } | Self::Cancelled { .. } => {
                None
            }
        }
    }

    /// When it came to an end, if it did.
    #[must_use]
    pub fn ended_at(&self) -> Option<u64> {
        match self {
            Self::Settled { at, .. }
            | Self::Accepted { at, .. }
            | Self::Forfeited { at, .. }
            | Self::Refunded { at }
            | Self::Slashed { at, .. }
            | Self::Cancelled { at } => Some(*at),
            Self::Open | Self::Staked { .. } => None,
        }
    }
}

/// The operations of `zkinfer-settlement` that a market uses, with their refusals. Each happens as a
/// whole or not at all. Times are Unix seconds.
#[expect(missing_docs, reason = "each operation is the escrow's of the same name")]
#[expect(clippy::missing_errors_doc, reason = "the errors are the refusals of that operation")]
pub trait Ledger {
    /// What shows that a job was done.
    type Evidence;
    /// What shows that all parts of a job were.
    type Parts;

    fn open(&mut self, job: JobId, terms: JobTerms, now: u64) -> Result<(), MarketError>;
    fn open_together(&mut self, jobs: &[(JobId, JobTerms)], now: u64) -> Result<(), MarketError>;
    fn assign(
        &mut self,
        job: JobId,
        prover: Address,
        price: Amount,
        until: u64,
        now: u64,
    ) -> Result<(), MarketError>;
    fn answer(
        &mut self,
        job: JobId,
        prover: Address,
        output: ValuesDigest,
        until: u64,
        now: u64,
    ) -> Result<(), MarketError>;
    fn accept(&mut self, job: JobId, now: u64) -> Result<(), MarketError>;
    fn lapse(&mut self, job: JobId, now: u64) -> Result<(), MarketError>;
    fn slash(&mut self, job: JobId, now: u64) -> Result<(), MarketError>;
    fn refund(&mut self, job: JobId, now: u64) -> Result<(), MarketError>;
    fn cancel(&mut self, job: JobId, now: u64) -> Result<(), MarketError>;
    fn release(&mut self, job: JobId) -> Result<(), MarketError>;
    fn forfeit(&mut self, job: JobId, now: u64) -> Result<(), MarketError>;
    fn submit_parts(&mut self, evidence: Self::Parts, now: u64) -> Result<(), MarketError>;
    /// Pays; the output that was proven.
    fn submit(&mut self, evidence: Self::Evidence, now: u64) -> Result<(), MarketError>;
    fn contradict(
        &mut self,
        job: JobId,
        evidence: &Self::Evidence,
        now: u64,
    ) -> Result<(), MarketError>;
    /// The job that evidence is bound to, and the output that it proves.
    fn says(evidence: &Self::Evidence) -> (JobId, ValuesDigest);
    fn contract(&self, job: JobId) -> Result<Option<Contract>, MarketError>;
    /// Every job that something can still happen to.
    fn live(&self) -> Result<Vec<(JobId, Contract)>, MarketError>;
    fn bond(&self, prover: Address) -> Result<Amount, MarketError>;
}

fn failed<E: std::error::Error>(error: EscrowError<E>) -> MarketError {
    match error {
        EscrowError::Refused(refusal) => refusal.into(),
        other => MarketError::Ledger(other.to_string()),
    }
}

fn contract(job: &AnyJob) -> Contract {
    let phase = match job {
        AnyJob::Open(_) => Phase::Open,
        AnyJob::Staked(job) => {
            let (prover, lease) = (job.prover(), job.lease());
            let Lease { until, price, answer, .. } = *lease;
            Phase::Staked { prover, price, until, answer }
        }
        AnyJob::Settled(job) => {
            Phase::Settled { payee: job.payee(), price: job.price(), at: job.at() }
        }
        AnyJob::Accepted(job) => {
            Phase::Accepted { prover: job.prover(), price: job.price(), at: job.at() }
        }
        AnyJob::Forfeited(job) => {
            Phase::Forfeited { prover: job.prover(), price: job.price(), at: job.at() }
        }
        AnyJob::Refunded(job) => Phase::Refunded { at: job.at() },
        AnyJob::Slashed(job) => Phase::Slashed { prover: job.prover(), at: job.at() },
        AnyJob::Cancelled(job) => Phase::Cancelled { at: job.at() },
    };
    Contract { terms: *job.terms(), phase }
}

impl<S: Store> Ledger for Escrow<S> {
    type Evidence = VerifiedInference;
    type Parts = VerifiedParts;

    fn open(&mut self, job: JobId, terms: JobTerms, now: u64) -> Result<(), MarketError> {
        Self::open(self, job, terms, now).map_err(failed)
    }

    fn assign(
        &mut self,
        job: JobId,
        prover: Address,
        price: Amount,
        until: u64,
        now: u64,
    ) -> Result<(), MarketError> {
        self.assign_at(job, prover, price, until, now).map_err(failed)
    }

    fn answer(
        &mut self,
        job: JobId,
        prover: Address,
        output: ValuesDigest,
        until: u64,
        now: u64,
    ) -> Result<(), MarketError> {
        Self::answer(self, job, prover, output, until, now).map_err(failed)
    }

    fn accept(&mut self, job: JobId, now: u64) -> Result<(), MarketError> {
        Self::accept(self, job, now).map_err(failed)
    }

    fn lapse(&mut self, job: JobId, now: u64) -> Result<(), MarketError> {
        Self::lapse(self, job, now).map_err(failed)
    }

    fn slash(&mut self, job: JobId, now: u64) -> Result<(), MarketError> {
        Self::slash(self, job, now).map_err(failed)
    }

    fn refund(&mut self, job: JobId, now: u64) -> Result<(), MarketError> {
        Self::refund(self, job, now).map_err(failed)
    }

    fn cancel(&mut self, job: JobId, now: u64) -> Result<(), MarketError> {
        Self::cancel(self, job, now).map_err(failed)
    }

    fn open_together(&mut self, jobs: &[(JobId, JobTerms)], now: u64) -> Result<(), MarketError> {
        Self::open_together(self, jobs, now).map_err(failed)
    }

    fn release(&mut self, job: JobId) -> Result<(), MarketError> {
        Self::release(self, job).map_err(failed)
    }

    fn forfeit(&mut self, job: JobId, now: u64) -> Result<(), MarketError> {
        Self::forfeit(self, job, now).map_err(failed)
    }

    fn submit_parts(&mut self, evidence: VerifiedParts, now: u64) -> Result<(), MarketError> {
        Self::submit_parts(self, evidence, now).map(|_receipts| ()).map_err(failed)
    }

    fn submit(&mut self, evidence: VerifiedInference, now: u64) -> Result<(), MarketError> {
        Self::submit(self, evidence, now).map(|_receipt| ()).map_err(failed)
    }

    fn contradict(
        &mut self,
        job: JobId,
        evidence: &VerifiedInference,
        now: u64,
    ) -> Result<(), MarketError> {
        Self::contradict(self, job, evidence, now).map_err(failed)
    }

    fn says(evidence: &VerifiedInference) -> (JobId, ValuesDigest) {
        let claim = evidence.claim();
        (JobId(claim.binding.job_id), ValuesDigest::of(&claim.output))
    }

    fn contract(&self, job: JobId) -> Result<Option<Contract>, MarketError> {
        Ok(self.job(job).map_err(failed)?.as_ref().map(contract))
    }

    fn live(&self) -> Result<Vec<(JobId, Contract)>, MarketError> {
        let mut live = Vec::new();
        self.for_each_live(&mut |job| live.push((job.id(), contract(&job)))).map_err(failed)?;
        Ok(live)
    }

    fn bond(&self, prover: Address) -> Result<Amount, MarketError> {
        Self::bond(self, prover).map_err(failed)
    }
}

/// Whether an output is hidden, so that nothing is known of its values.
pub(crate) fn shows_output(evidence: &VerifiedInference) -> bool {
    matches!(evidence.claim().output, ClaimedValues::Public(_))
}

/// Whether a refusal says that what was asked for has happened before.
pub(crate) fn is_repetition(error: &MarketError) -> bool {
    matches!(error, MarketError::Refused(Refusal::JobExists { .. }))
}
