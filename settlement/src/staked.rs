//! A job that a prover has staked on: its lease, its answer, and the ways out.

use zkinfer_verifier::{ClaimedValues, InferenceClaim};

use crate::{
    job::{Accepted, Forfeited, Job, Open, Settled, Slashed},
    opening::Submitted,
    quantities::{Address, Amount, ValuesDigest},
    refusal::Refusal,
};

/// The escrow holds the price and the stake of a prover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Staked {
    pub(crate) prover: Address,
    pub(crate) lease: Lease,
}

/// For how long a prover has a job for itself, and what it has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The last moment before the job can be given to another: Unix time in seconds, at most the
    /// deadline.
    pub until: u64,
    /// What the prover gets: at most the price of the job. The rest goes back to the buyer.
    pub price: Amount,
    /// Whether the stake was taken from the prover's bond, to which it returns; else from its
    /// balance.
    pub bonded: bool,
    /// The output that the prover has answered and must prove.
    pub answer: Option<ValuesDigest>,
}

/// What a lease that has lapsed leaves.
pub(crate) enum Lapsed {
    /// No answer was given: the stake goes back.
    Returned(Job<Open>),
    /// An answer was not proven in time: the stake is the buyer's.
    Forfeited(Job<Open>),
}

impl Job<Staked> {
    /// Who has staked.
    #[must_use]
    pub fn prover(&self) -> Address {
        self.state().prover
    }

    /// For how long, and what the prover has answered.
    #[must_use]
    pub fn lease(&self) -> &Lease {
        &self.state().lease
    }

    /// The job with this lease, where the rules lead to it.
    pub(crate) fn with_lease(self, lease: Lease) -> Option<Self> {
        let deadline = self.terms().deadline;
        let most = self.terms().price;
        let possible = if lease.bonded {
            lease.until <= deadline && lease.price != Amount(0) && lease.price <= most
        } else {
            lease.until == deadline && lease.price == most
        };
        let prover = self.prover();
        possible.then(|| self.into_state(Staked { prover, lease }))
    }

    /// Binds the prover to an output, and gives it until `until` to prove it.
    pub(crate) fn answer(
        self,
        prover: Address,
        output: ValuesDigest,
        until: u64,
        now: u64,
    ) -> Result<Self, Refusal> {
        self.check_in_time(now)?;
        let expected = self.prover();
        if prover != expected {
            return Err(Refusal::Prover { expected, got: prover });
        }
        let Lease { until: ends, price, bonded, answer } = *self.lease();
        if let Some(output) = answer {
            return Err(Refusal::AlreadyAnswered { output });
        }
        if now > ends {
            return Err(Refusal::LeaseOver { until: ends, now });
        }
        let deadline = self.terms().deadline;
        // A stake from the balance is for the whole job.
        if until < now || until > deadline || (!bonded && until != deadline) {
            return Err(Refusal::LeaseEnd { until, now, deadline });
        }
        let lease = Lease { until, price, bonded, answer: Some(output) };
        Ok(self.into_state(Staked { prover, lease }))
    }

    /// Ends a lease that is over, while another prover can still do the job.
    pub(crate) fn lapse(self, now: u64) -> Result<Lapsed, Refusal> {
        self.check_in_time(now)?;
        let Lease { until, answer, price: _, bonded: _ } = *self.lease();
        if now <= until {
            return Err(Refusal::LeaseAhead { until, now });
        }
        let open = self.into_state(Open::new());
        Ok(if answer.is_some() { Lapsed::Forfeited(open) } else { Lapsed::Returned(open) })
    }

    /// Takes the job back from a prover who is not at fault.
    pub(crate) fn release(self) -> Job<Open> {
        self.into_state(Open::new())
    }

    pub(crate) fn settle(
        self,
        claim: &InferenceClaim,
        opening: Option<Submitted<'_>>,
        now: u64,
    ) -> Result<Job<Settled>, Refusal> {
        let payee = Some(self.prover());
        let Lease { price, answer, .. } = *self.lease();
        let settled = self.settle_for(claim, opening, (payee, price), now)?;
        // An answer is about values, which a hidden output shows by its opening.
        let opened = opening.map(|Submitted { opening, key: _ }| opening.values.clone());
        let opened = opened.map(|values| ValuesDigest::of(&ClaimedValues::Public(values)));
        let got = opened.unwrap_or(settled.state().output);
        match answer.filter(|&expected| expected != got) {
            Some(expected) => Err(Refusal::Contradicts { expected, got }),
            None => Ok(settled),
        }
    }

    /// Pays for the answer without a proof. It was given in time, so there is no last moment for that.
    pub(crate) fn accept(self, now: u64) -> Result<Job<Accepted>, Refusal> {
        let Lease { price, answer, .. } = *self.lease();
        let output = answer.ok_or(Refusal::NoAnswer)?;
        let prover = self.prover();
        Ok(self.into_state(Accepted { prover, price, output, at: now }))
    }

    /// Pays the prover of a job that cannot be done, by the fault of its buyer.
    pub(crate) fn forfeit(self, now: u64) -> Result<Job<Forfeited>, Refusal> {
        let Lease { price, answer, .. } = *self.lease();
        if let Some(output) = answer {
            return Err(Refusal::AlreadyAnswered { output });
        }
        let prover = self.prover();
        Ok(self.into_state(Forfeited { prover, price, output: (), at: now }))
    }

    pub(crate) fn slash(self, now: u64) -> Result<Job<Slashed>, Refusal> {
        self.check_overdue(now)?;
        Ok(Job::slashed(self, now))
    }

    /// Slashes for a claim, proven by anybody for whatever job, of another output than the answer.
    pub(crate) fn contradict(
        self,
        claim: &InferenceClaim,
        now: u64,
    ) -> Result<Job<Slashed>, Refusal> {
        let expected = self.lease().answer.ok_or(Refusal::NoAnswer)?;
        self.check_model(claim)?;
        self.check_input(claim)?;
        // Commitments to the same values differ.
        let ClaimedValues::Public(_) = claim.output else { return Err(Refusal::HiddenOutput) };
        if ValuesDigest::of(&claim.output) == expected {
            return Err(Refusal::NoContradiction { output: expected });
        }
        Ok(Job::slashed(self, now))
    }
}
