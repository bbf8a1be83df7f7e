//! Nodes and buyers who are at fault, by evidence that others bring.

use std::sync::Arc;

use zkinfer_settlement::{JobId, Refusal};

use super::{Event, Market, Waiter, seconds};
use crate::{
    error::MarketError,
    ledger::{Ledger, Phase},
    queue::Queue,
    sealed::BoxEvidence,
};

impl<L: Ledger, Q: Queue, W: Waiter> Market<L, Q, W> {
    /// Slashes the node whose answer to `job` a proof contradicts, for whatever job it was made.
    ///
    /// # Errors
    /// A refusal of the ledger.
    pub fn contradict(
        &mut self,
        job: JobId,
        evidence: &L::Evidence,
        now: u64,
    ) -> Result<(), MarketError> {
        self.ledger.contradict(job, evidence, seconds(now))?;
        self.slashed(job, true, now)
    }

    /// Pays a node for a job whose sealed input is none: the caller has checked what the node has shown
    /// of it.
    ///
    /// # Errors
    /// [`MarketError::NotLive`], another node's evidence, or a refusal of the ledger.
    pub fn forfeit(&mut self, evidence: BoxEvidence, now: u64) -> Result<(), MarketError> {
        let (job, got) = (JobId(evidence.job.0), evidence.node.address());
        let phase = self.ledger.contract(job)?.map(|contract| contract.phase);
        match phase {
            Some(Phase::Staked { prover, .. }) if prover != got => {
                return Err(Refusal::Prover { expected: prover, got }.into());
            }
            _ => self.ledger.forfeit(job, seconds(now))?,
        }
        self.nodes.released(got, job);
        self.end(job, Event::Forfeited { node: got, evidence: Arc::new(evidence) });
        self.give(got, now).map(|_| ())
    }

    pub(super) fn slashed(
        &mut self,
        job: JobId,
        contradicted: bool,
        now: u64,
    ) -> Result<(), MarketError> {
        let node = self.ledger.contract(job)?.and_then(|contract| contract.phase.node());
        let node = node.ok_or(MarketError::NotLive { job })?;
        self.nodes.slashed(node, job, now);
        self.end(job, Event::Slashed { node, contradicted });
        Ok(())
    }
}
