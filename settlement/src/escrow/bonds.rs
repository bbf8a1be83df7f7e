//! What provers put at stake in general, for jobs to be given to them.

use super::{Escrow, check_amount};
use crate::{
    error::EscrowError,
    job::Job,
    quantities::{Address, Amount},
    record::{Entry, RecordKey},
    refusal::Refusal,
    staked::Staked,
    store::Store,
};

impl<S: Store> Escrow<S> {
    /// Moves an amount from the prover's balance to its bond, of which jobs that are
    /// [assigned](Self::assign) to it take their stakes.
    ///
    /// # Errors
    /// [`Refusal::ZeroAmount`], [`Refusal::InsufficientFunds`], or a failure of the store.
    pub fn post_bond(
        &mut self,
        prover: Address,
        amount: Amount,
    ) -> Result<(), EscrowError<S::Error>> {
        check_amount(amount)?;
        let debited = self.debited(prover, amount)?;
        let bonded = self.bonded(prover, amount)?;
        self.commit(&[debited, bonded])
    }

    /// Moves an amount from what is free of the prover's bond to its balance.
    ///
    /// # Errors
    /// [`Refusal::ZeroAmount`], [`Refusal::InsufficientBond`], or a failure of the store.
    pub fn withdraw_bond(
        &mut self,
        prover: Address,
        amount: Amount,
    ) -> Result<(), EscrowError<S::Error>> {
        check_amount(amount)?;
        let taken = self.taken_from_bond(prover, amount)?;
        let credited = self.credited(prover, amount)?;
        self.commit(&[taken, credited])
    }

    /// What of a prover's bond is not held for jobs.
    ///
    /// # Errors
    /// A damaged record, or a failure of the store.
    pub fn bond(&self, prover: Address) -> Result<Amount, EscrowError<S::Error>> {
        let found = self.entry(RecordKey::Bond(prover))?;
        let Some(Entry::Bond { prover: _, free }) = found else { return Ok(Amount(0)) };
        Ok(free)
    }

    pub(super) fn bonded(
        &self,
        prover: Address,
        amount: Amount,
    ) -> Result<Entry, EscrowError<S::Error>> {
        let free = self.bond(prover)?.plus(amount)?;
        Ok(Entry::Bond { prover, free })
    }

    pub(super) fn taken_from_bond(
        &self,
        prover: Address,
        needed: Amount,
    ) -> Result<Entry, EscrowError<S::Error>> {
        let free = self.bond(prover)?;
        let rest = free.minus(needed);
        let rest = rest.ok_or(Refusal::InsufficientBond { prover, free, needed })?;
        Ok(Entry::Bond { prover, free: rest })
    }

    /// The stake of a job back where it came from.
    pub(super) fn returned(&self, job: &Job<Staked>) -> Result<Entry, EscrowError<S::Error>> {
        let (prover, stake) = (job.prover(), job.terms().stake);
        if job.lease().bonded { self.bonded(prover, stake) } else { self.credited(prover, stake) }
    }
}
