//! A model that several provers have proven part by part: each is paid for its own part.

use std::collections::BTreeMap;

use zkinfer_verifier::VerifiedParts;

use super::Escrow;
use crate::{
    error::EscrowError,
    job::{AnyJob, Job, Live, Receipt, Settled},
    quantities::{Address, Amount, JobId},
    record::Entry,
    refusal::Refusal,
    store::Store,
};

/// What goes to whom, summed up: several parts may have one prover.
#[derive(Default)]
struct Payments {
    balances: BTreeMap<Address, Amount>,
    bonds: BTreeMap<Address, Amount>,
}

fn add(to: &mut BTreeMap<Address, Amount>, who: Address, amount: Amount) -> Result<(), Refusal> {
    let sum = to.entry(who).or_default();
    *sum = sum.plus(amount)?;
    Ok(())
}

impl<S: Store> Escrow<S> {
    /// Pays all parts of a model at once: for each the job that its proof is bound to, to the payee that
    /// is bound in it, as [`submit`](Self::submit) does. There is one job for each part, with the key
    /// of the part, the input of the model for the first and no values for the others; its name is
    /// [`Manifest::part_job`](zkinfer_verifier::Manifest::part_job).
    ///
    /// Nothing is paid for some of the parts: their proofs alone show nothing.
    ///
    /// # Errors
    /// Those of [`submit`](Self::submit), for the first part that is refused; then nothing is paid.
    pub fn submit_parts(
        &mut self,
        evidence: VerifiedParts,
        now: u64,
    ) -> Result<Vec<Receipt>, EscrowError<S::Error>> {
        let (mut settled, mut payments) = (Vec::new(), Payments::default());
        for part in evidence.parts() {
            let claim = part.claim();
            self.check_trust(part.srs())?;
            let (expected, got) = (self.chain_id, claim.binding.chain_id);
            if expected != got {
                return Err(Refusal::Chain { expected, got }.into());
            }
            let job: Job<Settled> = match self.live(JobId(claim.binding.job_id))? {
                Live::Open(job) => job.settle(claim, None, now)?,
                Live::Staked(job) => {
                    let (prover, stake) = (job.prover(), job.terms().stake);
                    let lease = *job.lease();
                    let settled = job.settle(claim, None, now)?;
                    let to =
                        if lease.bonded { &mut payments.bonds } else { &mut payments.balances };
                    add(to, prover, stake)?;
                    settled
                }
            };
            add(&mut payments.balances, job.payee(), job.terms().price)?;
            settled.push(job);
        }
        let mut entries: Vec<Entry> =
            settled.iter().map(|job| Entry::Job(AnyJob::Settled(*job))).collect();
        for (&account, &amount) in &payments.balances {
            entries.push(self.credited(account, amount)?);
        }
        for (&prover, &amount) in &payments.bonds {
            entries.push(self.bonded(prover, amount)?);
        }
        self.commit(&entries)?;
        Ok(settled.iter().map(Job::receipt).collect())
    }
}
