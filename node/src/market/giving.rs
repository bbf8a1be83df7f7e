//! Giving jobs to nodes.

use zkinfer::verifier::KeyDigest;
use zkinfer_settlement::{Address, Amount, JobId, JobTerms};

use super::{Event, Market, Waiter, hidden_until, note, noted, offer, seconds};
use crate::{
    error::MarketError,
    ledger::{Ledger, Phase},
    queue::Queue,
};

impl<L: Ledger, Q: Queue, W: Waiter> Market<L, Q, W> {
    /// Gives the first waiting job of a model to the node that is chosen for it.
    pub(super) fn offer_one(&mut self, model: KeyDigest, now: u64) -> Result<(), MarketError> {
        match self.nodes.choose(model, now) {
            Some(node) => self.give(node, now).map(|_| ()),
            None => Ok(()),
        }
    }

    /// Gives a node jobs for as long as it waits, may have one, and there is one; its models, if there
    /// is none of them.
    pub(super) fn give(
        &mut self,
        node: Address,
        now: u64,
    ) -> Result<Option<Vec<KeyDigest>>, MarketError> {
        while let Some(models) = self.nodes.models_if_eligible(node, now) {
            if self.ledger.bond(node)? < Amount(self.rules.max_stake.into()) {
                break;
            }
            let until = seconds(now).saturating_add(self.rules.answer_seconds);
            let taken = self.queue.take(&models, now, hidden_until(until));
            let Some(taken) = taken.unwrap_or_else(|error| note(&error)) else {
                return Ok(Some(models));
            };
            self.assign(taken.job, node, until, now)?;
        }
        Ok(None)
    }

    fn assign(
        &mut self,
        job: JobId,
        node: Address,
        until: u64,
        now: u64,
    ) -> Result<(), MarketError> {
        let contract = self.ledger.contract(job)?;
        let (Some(contract), Some(known)) = (contract, self.live.get(&job)) else {
            // The queue remembers a job that the ledger has ended.
            noted(self.queue.drop_job(job));
            return Ok(());
        };
        let deadline = contract.terms.deadline;
        match contract.phase {
            Phase::Open if seconds(now) <= deadline => {}
            // It waits for the clock, which is about to act; never is it seen again before.
            Phase::Open | Phase::Staked { .. } => {
                let visible = hidden_until(known.timer).max(now.saturating_add(1_000));
                noted(self.queue.hide(job, visible));
                return Ok(());
            }
            _ended => {
                noted(self.queue.drop_job(job));
                return Ok(());
            }
        }
        let until = until.min(deadline);
        self.ledger.assign(job, node, until, seconds(now))?;
        let (request, revealed) = (known.request.clone(), known.lot.is_some());
        let conditions = self.conditions(&request.order, node, revealed, until, now);
        if let Some(known) = self.live.get_mut(&job) {
            (known.offered, known.conditions) = (Some(now), Some(conditions));
        }
        self.nodes.assigned(node, job);
        self.set_timer(job, until);
        self.events.push((job, Event::Assigned { node }));
        if let Some(waiter) = self.nodes.waiter(node) {
            waiter.deliver(offer(job, &request, until, conditions, false));
        }
        Ok(())
    }

    /// Takes a job back from a node whose lease is over, and gives it to another.
    ///
    /// A lease that an earlier life of the coordinator gave and that nothing was answered to counts
    /// against nobody. The node may not have heard of it; and if the job were counted on, a coordinator
    /// that is started again and again would make dead letters of jobs that no node has failed.
    pub(super) fn lapse(
        &mut self,
        job: JobId,
        node: Address,
        terms: JobTerms,
        now: u64,
    ) -> Result<(), MarketError> {
        self.ledger.lapse(job, seconds(now))?;
        let given = self.live.get(&job).and_then(|known| match &known.answer {
            None => known.offered,
            Some(_) => Some(known.offered.unwrap_or(now)),
        });
        match given {
            Some(given) => {
                self.nodes.lapsed(node, job, given, now);
                noted(self.queue.hide(job, 0));
                self.events.push((job, Event::Lapsed { node }));
            }
            None => {
                self.nodes.released(node, job);
                noted(self.queue.drop_job(job));
                self.enqueue(job, terms.model);
                self.events.push((job, Event::Returned { node }));
            }
        }
        if let Some(known) = self.live.get_mut(&job) {
            (known.answer, known.offered, known.answered) = (None, None, None);
            (known.conditions, known.undrawn) = (None, false);
        }
        self.set_timer(job, terms.deadline);
        self.offer_one(terms.model, now)
    }

    /// Puts a job in the queue; one that the queue does not take is put there later.
    pub(super) fn enqueue(&mut self, job: JobId, model: KeyDigest) {
        if noted(self.queue.put(job, model)) {
            self.unqueued.remove(&job);
        } else {
            self.unqueued.insert(job);
        }
    }
}
