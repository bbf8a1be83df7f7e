//! The check that no money came into being or was lost.

use crate::{quantities::Amount, record::Entry, refusal::Refusal};

/// What an escrow holds, summed over all of its records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Audit {
    /// Sum of all balances.
    pub balances: Amount,
    /// Sum of what is free of all bonds.
    pub bonds: Amount,
    /// Sum of what is held for jobs.
    pub held: Amount,
    /// What was paid in and not out, as the books say.
    pub total: Amount,
    /// What was paid in and not out, as deposits and withdrawals say: their sum modulo 2¹²⁸, as more may have
    /// come in over time than there can be at once.
    pub transfers: Amount,
    /// How many jobs were ever opened.
    pub jobs: u64,
    /// Whether a sum was above the largest amount.
    overflow: bool,
}

impl Audit {
    pub(crate) fn add(&mut self, entry: &Entry) {
        match entry {
            Entry::Books { chain_id: _, total } => self.total = *total,
            Entry::Account { account: _, balance } => {
                self.balances = self.sum(self.balances, Ok(*balance));
            }
            Entry::Job(job) => {
                self.held = self.sum(self.held, job.held());
                self.jobs = self.jobs.saturating_add(1);
            }
            Entry::Deposit { deposit: _, account: _, amount } => {
                self.transfers = Amount(self.transfers.0.wrapping_add(amount.0));
            }
            Entry::Withdrawal { withdrawal: _, account: _, amount } => {
                self.transfers = Amount(self.transfers.0.wrapping_sub(amount.0));
            }
            Entry::Bond { prover: _, free } => self.bonds = self.sum(self.bonds, Ok(*free)),
            Entry::Opening { job: _, opening: _ } => {}
        }
    }

    fn sum(&mut self, sum: Amount, amount: Result<Amount, Refusal>) -> Amount {
        amount.and_then(|amount| sum.plus(amount)).unwrap_or_else(|_| {
            self.overflow = true;
            Amount(u128::MAX)
        })
    }

    /// Whether accounts, bonds and jobs hold exactly what was paid in and not out.
    pub(crate) fn balances(&self) -> bool {
        let holds = self.balances.plus(self.bonds).and_then(|sum| sum.plus(self.held));
        !self.overflow && holds == Ok(self.total) && self.transfers == self.total
    }
}
