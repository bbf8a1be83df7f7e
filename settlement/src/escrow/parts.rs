//! A model that several provers have proven part by part: each is paid for its own part.

use zkinfer_verifier::VerifiedParts;

use super::{Escrow, payments::Payments};
use crate::{
    error::EscrowError,
    job::{AnyJob, Job, Live, Receipt, Settled},
    quantities::JobId,
    record::Entry,
    refusal::Refusal,
    store::Store,
};

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
                Live::Open(job) => {
                    let settled = job.settle(claim, None, now)?;
                    payments.pay(settled.payee(), job.terms().price)?;
                    settled
                }
                Live::Staked(job) => {
                    let settled = job.settle(claim, None, now)?;
                    payments.end_of(&job)?;
                    settled
                }
            };
            settled.push(job);
        }
        let mut entries: Vec<Entry> =
            settled.iter().map(|job| Entry::Job(AnyJob::Settled(*job))).collect();
        entries.extend(self.paid(&payments)?);
        self.commit(&entries)?;
        Ok(settled.iter().map(Job::receipt).collect())
    }
}
