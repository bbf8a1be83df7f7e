//! A job in whatever state it is: what a store holds, and what it gives back.

use zkinfer_verifier::JobBinding;

use super::{Accepted, Cancelled, Forfeited, Job, JobTerms, Open, Refunded, Settled, Slashed};
use crate::{
    quantities::{Address, Amount, JobId},
    refusal::Refusal,
    staked::Staked,
};

/// A job in whatever state it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is the state that it names")]
pub enum AnyJob {
    Open(Job<Open>),
    Staked(Job<Staked>),
    Settled(Job<Settled>),
    Refunded(Job<Refunded>),
    Slashed(Job<Slashed>),
    Cancelled(Job<Cancelled>),
    Accepted(Job<Accepted>),
    Forfeited(Job<Forfeited>),
}

/// A job that something can still happen to.
pub(crate) enum Live {
    Open(Job<Open>),
    Staked(Job<Staked>),
}

/// A state as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoredState {
    Open,
    Staked(Staked),
    Settled(Settled),
    Refunded { at: u64 },
    Slashed { prover: Address, at: u64 },
    Cancelled { at: u64 },
    Accepted(Accepted),
    Forfeited(Forfeited),
}

impl AnyJob {
    /// The name of the job.
    #[must_use]
    pub fn id(&self) -> JobId {
        match self {
            Self::Open(job) => job.id,
            Self::Staked(job) => job.id,
            Self::Settled(job) => job.id,
            Self::Refunded(job) => job.id,
            Self::Slashed(job) => job.id,
            Self::Cancelled(job) => job.id,
            Self::Accepted(job) => job.id,
            Self::Forfeited(job) => job.id,
        }
    }

    /// What the buyer asked for.
    #[must_use]
    pub fn terms(&self) -> &JobTerms {
        match self {
            Self::Open(job) => &job.terms,
            Self::Staked(job) => &job.terms,
            Self::Settled(job) => &job.terms,
            Self::Refunded(job) => &job.terms,
            Self::Slashed(job) => &job.terms,
            Self::Cancelled(job) => &job.terms,
            Self::Accepted(job) => &job.terms,
            Self::Forfeited(job) => &job.terms,
        }
    }

    /// What the escrow holds for the job.
    ///
    /// # Errors
    /// [`Refusal::Overflow`]: never, as the sum is checked when the job is opened.
    pub fn held(&self) -> Result<Amount, Refusal> {
        match self {
            Self::Open(job) => Ok(job.terms.price),
            Self::Staked(job) => job.terms.price.plus(job.terms.stake),
            Self::Settled(_)
            | Self::Refunded(_)
            | Self::Slashed(_)
            | Self::Cancelled(_)
            | Self::Accepted(_)
            | Self::Forfeited(_) => Ok(Amount(0)),
        }
    }

    /// The job, if something can still happen to it.
    pub(crate) fn live(self) -> Result<Live, Refusal> {
        match self {
            Self::Open(job) => Ok(Live::Open(job)),
            Self::Staked(job) => Ok(Live::Staked(job)),
            Self::Settled(job) => Err(Refusal::AlreadySettled { at: job.at() }),
            Self::Refunded(job) => Err(Refusal::AlreadyRefunded { at: job.at() }),
            Self::Slashed(job) => Err(Refusal::AlreadySlashed { at: job.at() }),
            Self::Cancelled(job) => Err(Refusal::AlreadyCancelled { at: job.at() }),
            Self::Accepted(job) => Err(Refusal::AlreadyAccepted { at: job.at() }),
            Self::Forfeited(job) => Err(Refusal::AlreadyForfeited { at: job.at() }),
        }
    }

    pub(crate) fn stored_state(&self) -> StoredState {
        match self {
            Self::Open(_) => StoredState::Open,
            Self::Staked(job) => StoredState::Staked(*job.state()),
            Self::Settled(job) => StoredState::Settled(*job.state()),
            Self::Refunded(job) => StoredState::Refunded { at: job.at() },
            Self::Slashed(job) => StoredState::Slashed { prover: job.prover(), at: job.at() },
            Self::Cancelled(job) => StoredState::Cancelled { at: job.at() },
            Self::Accepted(job) => StoredState::Accepted(*job.state()),
            Self::Forfeited(job) => StoredState::Forfeited(*job.state()),
        }
    }

    /// The job that was stored; `None` if the rules do not lead to it.
    pub(crate) fn restore(id: JobId, terms: JobTerms, state: StoredState) -> Option<Self> {
        let open = Job::open(id, terms, terms.deadline).ok()?;
        let staked_by = |prover| open.stake(prover, terms.deadline).ok();
        let payable = |price: Amount| price != Amount(0) && price <= terms.price;
        match state {
            StoredState::Open => Some(Self::Open(open)),
            StoredState::Staked(Staked { prover, lease }) => {
                let staked = staked_by(prover)?;
                staked.with_lease(lease).map(Self::Staked)
            }
            StoredState::Cancelled { at } => open.cancel(at).ok().map(Self::Cancelled),
            StoredState::Refunded { at } => open.refund(at).ok().map(Self::Refunded),
            // Before the deadline for a contradiction, after it for a missing proof.
            StoredState::Slashed { prover, at } => {
                Some(Self::Slashed(Job::slashed(staked_by(prover)?, at)))
            }
            StoredState::Accepted(accepted) => {
                let staked = staked_by(accepted.prover).filter(|_| payable(accepted.price))?;
                Some(Self::Accepted(staked.into_state(accepted)))
            }
            StoredState::Forfeited(forfeited) => {
                let staked = staked_by(forfeited.prover).filter(|_| payable(forfeited.price))?;
                Some(Self::Forfeited(staked.into_state(forfeited)))
            }
            StoredState::Settled(settled) => {
                open.check_in_time(settled.at).ok()?;
                let wanted = terms.payee.is_none_or(|payee| payee == settled.payee);
                let proof = JobBinding { expiry: settled.expiry, ..JobBinding::NONE };
                let asked = if terms.stake == Amount(0) {
                    settled.price == terms.price
                } else {
                    payable(settled.price)
                };
                let consistent = wanted && asked && !proof.expired(settled.at);
                consistent.then(|| Self::Settled(open.into_state(settled)))
            }
        }
    }
}
