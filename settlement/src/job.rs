//! Jobs, and the transitions between their states.
//!
//! ```text
//!            stake, assign       settle
//!   Open ───────────▶ Staked ───────────▶ Settled
//!   ││ │ ▲ ◀───────────┘ │                   ▲
//!   ││ │    lapse        │ slash,            │
//!   ││ │ settle          │ contradict        │
//!   ││ └─────────────────┼───────────────────┘
//!   ││ refund            ▼
//!   │└─────▶ Refunded  Slashed
//!   │ cancel
//!   └──────▶ Cancelled
//! ```
//!
//! From `Staked`, `accept` leads to `Accepted`: paid for an answer without a proof; `forfeit` to
//! `Forfeited`: paid for a job that cannot be done; and `release` back to `Open`.
//!
//! A transition takes the job by value and is a method of the one state that it leaves, so no other
//! can be written down. `Settled`, `Accepted`, `Forfeited`, `Refunded`, `Slashed` and
//! `Cancelled` have none.

mod any;

use zkinfer_verifier::{ClaimedValues, InferenceClaim, KeyDigest};

use crate::{
    opening::Submitted,
    quantities::{Address, Amount, JobId, ValuesDigest},
    refusal::Refusal,
    staked::{Lease, Staked},
};

pub use self::any::AnyJob;
pub(crate) use self::any::{Live, StoredState};

/// Most seconds from the opening of a job to its deadline: 366 days. What a job holds comes back to
/// its buyer after its deadline, so a deadline without a bound would hold it for good.
pub const MAX_SECONDS: u64 = 366 * 24 * 60 * 60;

/// How a buyer must get the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The proof shows it.
    Shown,
    /// The proof may hide it: then the escrow is given the opening, and keeps it for the buyer.
    Opened,
}

/// What a buyer asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobTerms {
    /// Who pays, and gets back what is not paid out.
    pub buyer: Address,
    /// The only prover who can be paid. `None`: the one who stakes, or, if no stake is asked,
    /// whoever is bound in the first proof.
    pub payee: Option<Address>,
    /// The verifying key, and with it the model and the trusted setup.
    pub model: KeyDigest,
    /// The input.
    pub input: ValuesDigest,
    /// How the output must be delivered.
    pub delivery: Delivery,
    /// The nonce that the proof must bear.
    pub nonce: u64,
    /// What the payee gets, at most: a lease may be for less.
    pub price: Amount,
    /// What a prover must stake before the job is done: lost if it is not done in time. Zero: no
    /// stake is asked.
    pub stake: Amount,
    /// The last moment at which the job can be done: Unix time in seconds, at most [`MAX_SECONDS`]
    /// after the job is opened.
    pub deadline: u64,
}

/// A job in the state `S`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job<S> {
    id: JobId,
    terms: JobTerms,
    state: S,
}

/// The escrow holds the price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open(());

impl Open {
    /// Of a job that comes back from a lease.
    pub(crate) fn new() -> Self {
        Self(())
    }
}

/// The payee has got the price, and the stake back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    pub(crate) payee: Address,
    pub(crate) price: Amount,
    pub(crate) expiry: u64,
    pub(crate) output: ValuesDigest,
    pub(crate) at: u64,
}

/// The prover has got the price, and its stake back, without a proof of the job: for an answer `O`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paid<O> {
    pub(crate) prover: Address,
    pub(crate) price: Amount,
    pub(crate) output: O,
    pub(crate) at: u64,
}

/// Paid for an answer that nobody has asked the prover to prove.
pub type Accepted = Paid<ValuesDigest>;

/// Paid for a job that cannot be done as it was ordered.
pub type Forfeited = Paid<()>;

/// The buyer has got the price back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refunded {
    at: u64,
}

/// The buyer has got the price back, and the stake of the prover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slashed {
    prover: Address,
    at: u64,
}

/// The buyer has taken the job back before anybody staked on it, and got the price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cancelled {
    at: u64,
}

/// Proof of payment. The escrow makes one only after the payment is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the receipt says what was bought"]
#[non_exhaustive]
pub struct Receipt {
    /// The job.
    pub job: JobId,
    /// Who was paid.
    pub payee: Address,
    /// The price that was paid.
    pub price: Amount,
    /// The stake that was returned with it.
    pub stake: Amount,
    /// The verifying key.
    pub model: KeyDigest,
    /// The input.
    pub input: ValuesDigest,
    /// The output that was proven.
    pub output: ValuesDigest,
    /// How it had to be delivered.
    pub delivery: Delivery,
    /// The nonce of the proof.
    pub nonce: u64,
    /// The expiry of the proof.
    pub expiry: u64,
    /// When it was paid.
    pub settled_at: u64,
}

impl<S> Job<S> {
    /// The name of the job.
    #[must_use]
    pub fn id(&self) -> JobId {
        self.id
    }

    /// What the buyer asked for.
    #[must_use]
    pub fn terms(&self) -> &JobTerms {
        &self.terms
    }

    pub(crate) fn state(&self) -> &S {
        &self.state
    }

    pub(crate) fn into_state<T>(self, state: T) -> Job<T> {
        Job { id: self.id, terms: self.terms, state }
    }

    pub(crate) fn check_in_time(&self, now: u64) -> Result<(), Refusal> {
        let deadline = self.terms.deadline;
        if now <= deadline { Ok(()) } else { Err(Refusal::DeadlinePassed { deadline, now }) }
    }

    pub(crate) fn check_overdue(&self, now: u64) -> Result<(), Refusal> {
        let deadline = self.terms.deadline;
        if now > deadline { Ok(()) } else { Err(Refusal::DeadlineAhead { deadline, now }) }
    }

    pub(crate) fn check_model(&self, claim: &InferenceClaim) -> Result<(), Refusal> {
        let (expected, got) = (self.terms.model, claim.model);
        if expected == got { Ok(()) } else { Err(Refusal::Model { expected, got }) }
    }

    pub(crate) fn check_input(&self, claim: &InferenceClaim) -> Result<(), Refusal> {
        let (expected, got) = (self.terms.input, ValuesDigest::of(&claim.input));
        if expected == got { Ok(()) } else { Err(Refusal::Input { expected, got }) }
    }

    /// Settles for a claim that is what the job asks for and pays `payee`, if there is such a
    /// condition, this price. Whether claim and job have chain and name in common is checked by the escrow.
    pub(crate) fn settle_for(
        self,
        claim: &InferenceClaim,
        opening: Option<Submitted<'_>>,
        (payee, price): (Option<Address>, Amount),
        now: u64,
    ) -> Result<Job<Settled>, Refusal> {
        self.check_in_time(now)?;
        let InferenceClaim { model, input: _, output, binding } = claim;
        let expiry = binding.expiry;
        if binding.expired(now) {
            return Err(Refusal::Expired { expiry, now });
        }
        self.check_model(claim)?;
        let (expected, got) = (self.terms.nonce, binding.nonce);
        if expected != got {
            return Err(Refusal::Nonce { expected, got });
        }
        let got = Address(binding.payee);
        if got == Address::NOBODY {
            return Err(Refusal::ZeroPayee);
        }
        if let Some(expected) = payee.filter(|&expected| expected != got) {
            return Err(Refusal::Payee { expected, got });
        }
        let paid = got;
        self.check_input(claim)?;
        match (output, self.terms.delivery, opening) {
            (ClaimedValues::Public(_), _, None) => {}
            (ClaimedValues::Public(_), _, Some(_)) => return Err(Refusal::NothingToOpen),
            (ClaimedValues::Committed(_), Delivery::Shown, _) => return Err(Refusal::HiddenOutput),
            (ClaimedValues::Committed(_), Delivery::Opened, None) => {
                return Err(Refusal::OpeningMissing);
            }
            (ClaimedValues::Committed(commitment), Delivery::Opened, Some(opening)) => {
                opening.check(*model, *commitment)?;
            }
        }
        let output = ValuesDigest::of(output);
        Ok(self.into_state(Settled { payee: paid, price, expiry, output, at: now }))
    }
}

impl Job<Open> {
    pub(crate) fn open(id: JobId, terms: JobTerms, now: u64) -> Result<Self, Refusal> {
        let job = Self { id, terms, state: Open(()) };
        job.check_in_time(now)?;
        // After the latest moment there must be one at which the job is overdue.
        let latest = now.saturating_add(MAX_SECONDS).min(u64::MAX.saturating_sub(1));
        if terms.deadline > latest {
            return Err(Refusal::DeadlineTooFar { deadline: terms.deadline, latest });
        }
        if terms.price == Amount(0) {
            return Err(Refusal::ZeroPrice);
        }
        // What the job may come to hold, and pay out at once.
        terms.price.plus(terms.stake)?;
        Ok(job)
    }

    pub(crate) fn stake(self, prover: Address, now: u64) -> Result<Job<Staked>, Refusal> {
        self.check_in_time(now)?;
        if self.terms.stake == Amount(0) {
            return Err(Refusal::NoStakeAsked);
        }
        if let Some(expected) = self.terms.payee.filter(|&expected| expected != prover) {
            return Err(Refusal::Prover { expected, got: prover });
        }
        let JobTerms { deadline: until, price, .. } = self.terms;
        let whole = Lease { until, price, bonded: false, answer: None };
        Ok(self.into_state(Staked { prover, lease: whole }))
    }

    /// Stakes from the prover's bond, for a lease at a price that ends at `until`.
    pub(crate) fn assign(
        self,
        prover: Address,
        price: Amount,
        until: u64,
        now: u64,
    ) -> Result<Job<Staked>, Refusal> {
        let Job { id, terms, state: Staked { prover, .. } } = self.stake(prover, now)?;
        if until < now || until > terms.deadline {
            return Err(Refusal::LeaseEnd { until, now, deadline: terms.deadline });
        }
        let most = terms.price;
        if price == Amount(0) || price > most {
            return Err(Refusal::LeasePrice { price, most });
        }
        let lease = Lease { until, price, bonded: true, answer: None };
        Ok(Job { id, terms, state: Staked { prover, lease } })
    }

    /// Takes the job back. Without a stake there is no knowing who works on it already.
    pub(crate) fn cancel(self, now: u64) -> Result<Job<Cancelled>, Refusal> {
        self.check_in_time(now)?;
        if self.terms.stake == Amount(0) {
            return Err(Refusal::CancelOfBounty);
        }
        Ok(self.into_state(Cancelled { at: now }))
    }

    pub(crate) fn settle(
        self,
        claim: &InferenceClaim,
        opening: Option<Submitted<'_>>,
        now: u64,
    ) -> Result<Job<Settled>, Refusal> {
        let JobTerms { payee, stake, price, .. } = self.terms;
        if stake != Amount(0) {
            return Err(Refusal::NotStaked { stake });
        }
        self.settle_for(claim, opening, (payee, price), now)
    }

    pub(crate) fn refund(self, now: u64) -> Result<Job<Refunded>, Refusal> {
        self.check_overdue(now)?;
        Ok(self.into_state(Refunded { at: now }))
    }
}

impl Job<Settled> {
    /// The receipt. Only of a job that was read from the store or has just been committed.
    pub(crate) fn receipt(&self) -> Receipt {
        let JobTerms { buyer: _, payee: _, model, input, delivery, nonce, stake, .. } = self.terms;
        let Settled { payee, price, expiry, output, at: settled_at } = self.state;
        let job = self.id;
        Receipt {
            job,
            payee,
            price,
            stake,
            model,
            input,
            output,
            delivery,
            nonce,
            expiry,
            settled_at,
        }
    }

    /// Who was paid.
    #[must_use]
    pub fn payee(&self) -> Address {
        self.state.payee
    }

    /// What was paid.
    #[must_use]
    pub fn price(&self) -> Amount {
        self.state.price
    }

    /// When it was paid.
    #[must_use]
    pub fn at(&self) -> u64 {
        self.state.at
    }
}

impl<O> Job<Paid<O>> {
    /// Who was paid.
    #[must_use]
    pub fn prover(&self) -> Address {
        self.state.prover
    }

    /// What was paid.
    #[must_use]
    pub fn price(&self) -> Amount {
        self.state.price
    }

    /// When it was paid.
    #[must_use]
    pub fn at(&self) -> u64 {
        self.state.at
    }
}

impl Job<Accepted> {
    /// The output that was answered. Nothing has shown that it is the model's.
    #[must_use]
    pub fn output(&self) -> ValuesDigest {
        self.state.output
    }
}

impl Job<Refunded> {
    /// When the buyer got the price back.
    #[must_use]
    pub fn at(&self) -> u64 {
        self.state.at
    }
}

impl Job<Cancelled> {
    /// When the buyer got the price back.
    #[must_use]
    pub fn at(&self) -> u64 {
        self.state.at
    }
}

impl Job<Slashed> {
    pub(crate) fn slashed(from: Job<Staked>, at: u64) -> Self {
        let prover = from.prover();
        from.into_state(Slashed { prover, at })
    }

    /// When the buyer got price and stake.
    #[must_use]
    pub fn at(&self) -> u64 {
        self.state.at
    }

    /// Who lost the stake.
    #[must_use]
    pub fn prover(&self) -> Address {
        self.state.prover
    }
}
