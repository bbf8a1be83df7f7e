//! Giving jobs to nodes.

use std::collections::BTreeMap;

use zkinfer::verifier::KeyDigest;
use zkinfer_settlement::{Address, Amount, JobId, JobTerms};

use super::{Event, Live, Market, Waiter, hidden_until, note, noted, offer, seconds};
use crate::{
    error::MarketError,
    ledger::{Ledger, Phase},
    nodes::Nodes,
    queue::Queue,
};

/// Whether a node wants a job, and may have it. One that is not known is looked at by who takes it.
fn may_have<W: Waiter>(
    live: &BTreeMap<JobId, Live>,
    nodes: &Nodes<W>,
    (node, job): (Address, JobId),
    now: u64,
) -> bool {
    live.get(&job).is_none_or(|known| {
        let price = known.prices.at(seconds(now));
        nodes.ask(node, known.model) <= price && known.request.is_for(node)
    })
}

impl<L: Ledger, Q: Queue, W: Waiter> Market<L, Q, W> {
    /// Looks for a node that takes a job, which waits.
    pub(super) fn offer_one(
        &mut self,
        job: JobId,
        model: KeyDigest,
        now: u64,
    ) -> Result<(), MarketError> {
        let Self { live, nodes, .. } = self;
        match nodes.choose(model, now, |nodes, node| may_have(live, nodes, (node, job), now)) {
            Some(node) => self.give(node, now).map(|_| ()),
            None => Ok(()),
        }
    }

    /// Gives a node jobs for as long as it waits, may have one, and there is one; its models, if there
    /// is none of them for anybody.
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
            let Self { live, nodes, queue, .. } = self;
            let mut passed_over = false;
            let mut wanted = |job| {
                let may = may_have(live, nodes, (node, job), now);
                passed_over |= !may;
                may
            };
            let taken = queue.take(&models, now, hidden_until(until), &mut wanted);
            let Some(taken) = taken.unwrap_or_else(|error| note(&error)) else {
                return Ok(Some(models).filter(|_| !passed_over));
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
        let price = Amount(known.prices.at(seconds(now)));
        self.ledger.assign(job, node, price, until, seconds(now))?;
        let (request, revealed) = (known.request.clone(), known.lot.is_some());
        let part = known.place.map(|place| self.part_offer(place, &request));
        let conditions = self.conditions(&request.order, node, revealed, until, now);
        if let Some(known) = self.live.get_mut(&job) {
            (known.offered, known.conditions) = (Some(now), Some(conditions));
        }
        self.nodes.assigned(node, job);
        self.set_timer(job, until);
        self.events.push((job, Event::Assigned { node, price }));
        if let Some(waiter) = self.nodes.waiter(node) {
            waiter.deliver(offer(job, (&request, part), price, until, conditions, false));
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
            known.forget_lease();
        }
        self.set_timer(job, terms.deadline);
        self.offer_one(job, terms.model, now)
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
