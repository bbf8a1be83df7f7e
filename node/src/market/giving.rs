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

/// Whether a node wants a job, and may have it until `until`: no job is given that ends before. One that
/// is not known is looked at by who takes it.
fn may_have<W: Waiter>(
    live: &BTreeMap<JobId, Live>,
    nodes: &Nodes<W>,
    (node, job): (Address, JobId),
    (now, until): (u64, u64),
) -> bool {
    live.get(&job).is_none_or(|known| {
        let (order, price) = (&known.request.order, known.prices.at(seconds(now)));
        let has_time = until <= order.deadline;
        has_time && nodes.ask(node, known.model) <= price && known.request.is_for(node)
    })
}

impl<L: Ledger, Q: Queue, W: Waiter> Market<L, Q, W> {
    /// Whether nodes can stake so much, and have time to answer.
    pub(super) fn check_terms(&self, terms: &JobTerms, now: u64) -> Result<(), MarketError> {
        let (most, got) = (Amount(self.rules.max_stake.into()), terms.stake);
        if got > most {
            return Err(MarketError::StakeTooLarge { most, got });
        }
        let (now, deadline) = (seconds(now), terms.deadline);
        let least = now.saturating_add(self.rules.answer_seconds);
        // Of one that has passed, the escrow says so.
        if (now..least).contains(&deadline) {
            return Err(MarketError::TooSoon { deadline, least });
        }
        Ok(())
    }

    /// Looks for a node that takes a job, which waits.
    pub(super) fn offer_one(
        &mut self,
        job: JobId,
        model: KeyDigest,
        now: u64,
    ) -> Result<(), MarketError> {
        let until = seconds(now).saturating_add(self.rules.answer_seconds);
        let Self { live, nodes, .. } = self;
        let may = |nodes: &Nodes<W>, node| may_have(live, nodes, (node, job), (now, until));
        match nodes.choose(model, now, may) {
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
                let may = may_have(live, nodes, (node, job), (now, until));
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

    /// Ends a job at its deadline that its node has not answered: nobody has promised anything, so the
    /// stake goes back, and so does the price.
    pub(super) fn expire(
        &mut self,
        job: JobId,
        node: Address,
        now: u64,
    ) -> Result<(), MarketError> {
        self.ledger.release(job)?;
        self.ledger.refund(job, seconds(now))?;
        match self.live.get(&job).and_then(|known| known.offered) {
            Some(given) => {
                self.nodes.lapsed(node, job, given, now);
                self.events.push((job, Event::Lapsed { node }));
            }
            None => {
                self.nodes.released(node, job);
                self.events.push((job, Event::Returned { node }));
            }
        }
        self.end(job, Event::Refunded);
        Ok(())
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
