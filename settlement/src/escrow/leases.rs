//! Jobs that are given to provers for a time, and the answers that bind them.

use zkinfer_verifier::VerifiedInference;

use super::{Escrow, payments::Payments};
use crate::{
    error::EscrowError,
    job::{AnyJob, Job, Live},
    quantities::{Address, Amount, JobId, ValuesDigest},
    record::Entry,
    refusal::Refusal,
    staked::{Lapsed, Staked},
    store::Store,
};

impl<S: Store> Escrow<S> {
    /// Gives an open job to a prover until `until`: its stake is taken from the prover's bond. After
    /// that moment the lease can [lapse](Self::lapse), and another can have the job.
    ///
    /// # Errors
    /// [`Refusal::UnknownJob`], a job that is over, [`Refusal::AlreadyStaked`],
    /// [`Refusal::DeadlinePassed`], [`Refusal::NoStakeAsked`], [`Refusal::Prover`],
    /// [`Refusal::LeaseEnd`], [`Refusal::InsufficientBond`], or a failure of the store.
    pub fn assign(
        &mut self,
        job: JobId,
        prover: Address,
        until: u64,
        now: u64,
    ) -> Result<(), EscrowError<S::Error>> {
        let price = self.open_job(job)?.terms().price;
        self.assign_at(job, prover, price, until, now)
    }

    /// Gives an open job to a prover as [`assign`](Self::assign) does, for less than its price: whoever
    /// pays the prover pays the rest back to the buyer in the same commit.
    ///
    /// # Errors
    /// Those of [`assign`](Self::assign), and [`Refusal::LeasePrice`].
    pub fn assign_at(
        &mut self,
        job: JobId,
        prover: Address,
        price: Amount,
        until: u64,
        now: u64,
    ) -> Result<(), EscrowError<S::Error>> {
        let staked = self.open_job(job)?.assign(prover, price, until, now)?;
        let taken = self.taken_from_bond(prover, staked.terms().stake)?;
        self.commit(&[Entry::Job(AnyJob::Staked(staked)), taken])
    }

    /// Binds the prover who has staked to an output, which it has to prove before `until`: the
    /// caller must know that the prover wants it. An answer is never changed; a proof of another
    /// output is not paid, and [slashes](Self::contradict).
    ///
    /// # Errors
    /// [`Refusal::UnknownJob`], a job that is over, [`Refusal::NotStaked`],
    /// [`Refusal::DeadlinePassed`], [`Refusal::Prover`], [`Refusal::AlreadyAnswered`],
    /// [`Refusal::LeaseOver`], [`Refusal::LeaseEnd`], or a failure of the store.
    pub fn answer(
        &mut self,
        job: JobId,
        prover: Address,
        output: ValuesDigest,
        until: u64,
        now: u64,
    ) -> Result<(), EscrowError<S::Error>> {
        let answered = self.staked_job(job)?.answer(prover, output, until, now)?;
        self.commit(&[Entry::Job(AnyJob::Staked(answered))])
    }

    /// Opens a job again whose lease is over. A prover that has answered nothing gets its stake
    /// back; the stake of one that has not proven its answer is the buyer's. The price stays.
    ///
    /// # Errors
    /// [`Refusal::UnknownJob`], a job that is over, [`Refusal::NotStaked`],
    /// [`Refusal::DeadlinePassed`] (then it is [slashed](Self::slash)), [`Refusal::LeaseAhead`], or a
    /// failure of the store.
    pub fn lapse(&mut self, job: JobId, now: u64) -> Result<(), EscrowError<S::Error>> {
        let staked = self.staked_job(job)?;
        let (open, stake) = match staked.lapse(now)? {
            Lapsed::Returned(open) => (open, self.returned(&staked)?),
            Lapsed::Forfeited(open) => {
                let terms = open.terms();
                (open, self.credited(terms.buyer, terms.stake)?)
            }
        };
        self.commit(&[Entry::Job(AnyJob::Open(open)), stake])
    }

    /// Pays the prover of a job for its answer, and gives its stake back, without a proof: the caller
    /// must know that the buyer wants it. Nothing shows then that the output is the model's.
    ///
    /// # Errors
    /// [`Refusal::UnknownJob`], a job that is over, [`Refusal::NotStaked`], [`Refusal::NoAnswer`], or
    /// a failure of the store.
    pub fn accept(&mut self, job: JobId, now: u64) -> Result<(), EscrowError<S::Error>> {
        let staked = self.staked_job(job)?;
        let accepted = staked.accept(now)?;
        self.commit_end(AnyJob::Accepted(accepted), &staked)
    }

    /// Pays the prover of a job that cannot be done as it was ordered, and gives its stake back: the
    /// caller must have seen the evidence that the buyer is at fault.
    ///
    /// # Errors
    /// [`Refusal::UnknownJob`], a job that is over, [`Refusal::NotStaked`],
    /// [`Refusal::AlreadyAnswered`], or a failure of the store.
    pub fn forfeit(&mut self, job: JobId, now: u64) -> Result<(), EscrowError<S::Error>> {
        let staked = self.staked_job(job)?;
        let forfeited = staked.forfeit(now)?;
        self.commit_end(AnyJob::Forfeited(forfeited), &staked)
    }

    /// Opens a job again whose prover is not at fault, and gives it its stake back, whatever it has
    /// answered: the caller must know that. The price stays.
    ///
    /// # Errors
    /// [`Refusal::UnknownJob`], a job that is over, [`Refusal::NotStaked`], or a failure of the store.
    pub fn release(&mut self, job: JobId) -> Result<(), EscrowError<S::Error>> {
        let staked = self.staked_job(job)?;
        let stake = self.returned(&staked)?;
        self.commit(&[Entry::Job(AnyJob::Open(staked.release())), stake])
    }

    /// The end of a job that was staked: its prover is paid.
    fn commit_end(
        &mut self,
        ended: AnyJob,
        staked: &Job<Staked>,
    ) -> Result<(), EscrowError<S::Error>> {
        let mut payments = Payments::default();
        payments.end_of(staked)?;
        let mut entries = vec![Entry::Job(ended)];
        entries.extend(self.paid(&payments)?);
        self.commit(&entries)
    }

    /// Gives price and stake to the buyer, because a proof of this model on this input, whoever made
    /// it for whatever job, has another output than the prover's answer.
    ///
    /// # Errors
    /// [`Refusal::UntrustedSrs`], [`Refusal::UnknownJob`], a job that is over,
    /// [`Refusal::NothingToSlash`], [`Refusal::NoAnswer`], [`Refusal::Model`], [`Refusal::Input`],
    /// [`Refusal::HiddenOutput`], [`Refusal::NoContradiction`], or a failure of the store.
    pub fn contradict(
        &mut self,
        job: JobId,
        evidence: &VerifiedInference,
        now: u64,
    ) -> Result<(), EscrowError<S::Error>> {
        self.check_srs(evidence)?;
        let staked = match self.live(job)? {
            Live::Open(_) => return Err(Refusal::NothingToSlash.into()),
            Live::Staked(staked) => staked,
        };
        let held = AnyJob::Staked(staked).held()?;
        let slashed = staked.contradict(evidence.claim(), now)?;
        let buyer = self.credited(slashed.terms().buyer, held)?;
        self.commit(&[Entry::Job(AnyJob::Slashed(slashed)), buyer])
    }

    /// Shows every job that something can still happen to: what a queue of them is rebuilt from.
    ///
    /// # Errors
    /// A damaged or foreign record, or a failure of the store.
    pub fn for_each_live(
        &self,
        visit: &mut dyn FnMut(AnyJob),
    ) -> Result<(), EscrowError<S::Error>> {
        let mut outcome = Ok(());
        let each = &mut |key: &[u8], value: &[u8]| {
            if outcome.is_ok() {
                match super::decode(key, value) {
                    Ok(Entry::Job(job)) if job.live().is_ok() => visit(job),
                    Ok(_) => {}
                    Err(error) => outcome = Err(error),
                }
            }
        };
        self.store.for_each(each).map_err(EscrowError::Store)?;
        outcome
    }

    fn staked_job(&self, job: JobId) -> Result<Job<Staked>, EscrowError<S::Error>> {
        match self.live(job)? {
            Live::Open(open) => Err(Refusal::NotStaked { stake: open.terms().stake }.into()),
            Live::Staked(staked) => Ok(staked),
        }
    }
}
