//! What goes to whom at the end of jobs, summed up: an account may get several of it, and has one record.

use std::collections::BTreeMap;

use super::Escrow;
use crate::{
    error::EscrowError,
    job::Job,
    quantities::{Address, Amount},
    record::Entry,
    refusal::Refusal,
    staked::Staked,
    store::Store,
};

/// What goes to whom.
#[derive(Default)]
pub(super) struct Payments {
    balances: BTreeMap<Address, Amount>,
    bonds: BTreeMap<Address, Amount>,
}

fn add(to: &mut BTreeMap<Address, Amount>, who: Address, amount: Amount) -> Result<(), Refusal> {
    if amount == Amount(0) {
        return Ok(());
    }
    let sum = to.entry(who).or_default();
    *sum = sum.plus(amount)?;
    Ok(())
}

impl Payments {
    /// An amount to a balance.
    pub(super) fn pay(&mut self, who: Address, amount: Amount) -> Result<(), Refusal> {
        add(&mut self.balances, who, amount)
    }

    /// The stake of a job, back where it came from.
    pub(super) fn give_back(&mut self, job: &Job<Staked>) -> Result<(), Refusal> {
        let to = if job.lease().bonded { &mut self.bonds } else { &mut self.balances };
        add(to, job.prover(), job.terms().stake)
    }

    /// The price of the lease to the prover, the rest to the buyer, and the stake back.
    pub(super) fn end_of(&mut self, job: &Job<Staked>) -> Result<(), Refusal> {
        let (price, most) = (job.lease().price, job.terms().price);
        self.pay(job.prover(), price)?;
        self.pay(job.terms().buyer, most.minus(price).ok_or(Refusal::LeasePrice { price, most })?)?;
        self.give_back(job)
    }
}

impl<S: Store> Escrow<S> {
    /// The records of everybody who gets something.
    pub(super) fn paid(&self, payments: &Payments) -> Result<Vec<Entry>, EscrowError<S::Error>> {
        let Payments { balances, bonds } = payments;
        let balances = balances.iter().map(|(&account, &amount)| self.credited(account, amount));
        let bonds = bonds.iter().map(|(&prover, &amount)| self.bonded(prover, amount));
        balances.chain(bonds).collect()
    }
}
