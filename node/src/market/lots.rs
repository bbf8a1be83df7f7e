//! Answers of which only those that are drawn must be proven.

use zkinfer_settlement::{Address, JobId};

use super::{Conditions, Event, Market, Waiter, offer, seconds};
use crate::{
    answer::Answer,
    beacon::{MIN_REVEAL_SECONDS, round_of},
    error::{MarketError, RevealError},
    ledger::Ledger,
    order::Order,
    queue::Queue,
    sampling::{ALWAYS, Lot, commitment},
};

impl<L: Ledger, Q: Queue, W: Waiter> Market<L, Q, W> {
    /// Draws the lot of an answer, now that it is known: the node is told to prove it, or paid without
    /// a proof.
    ///
    /// # Errors
    /// [`MarketError::NotLive`], [`MarketError::Reveal`], or a failure of the ledger.
    pub fn reveal(&mut self, job: JobId, lot: Lot, now: u64) -> Result<(), MarketError> {
        let known = self.live.get_mut(&job).ok_or(MarketError::NotLive { job })?;
        let sampling = known.request.order.sampling.as_ref().ok_or(RevealError::NotSampled)?;
        match (&sampling.commitment, &lot) {
            (Some(expected), Lot::Secret(secret)) if *expected == commitment(secret) => {}
            (None, Lot::Round { .. }) => {}
            _ => return Err(RevealError::Commitment.into()),
        }
        let answer = known.answer.clone().ok_or(RevealError::NoAnswer)?.answer.clone();
        if answer.rate >= ALWAYS {
            return Err(RevealError::Always.into());
        }
        if let Lot::Round { number: got, .. } = lot
            && got != round_of(&answer)
        {
            return Err(RevealError::Round { expected: round_of(&answer), got }.into());
        }
        if known.lot.is_some() {
            return Ok(());
        }
        let (reveal_by, at) = (answer.reveal_by, seconds(now));
        if at > reveal_by {
            return Err(RevealError::Late { reveal_by, now: at }.into());
        }
        known.lot = Some(lot);
        if known.is_spared(now) { self.accept(job, now) } else { self.draw(job) }
    }

    /// Tells a node to prove its answer.
    pub(super) fn draw(&mut self, job: JobId) -> Result<(), MarketError> {
        let known = self.live.get_mut(&job).ok_or(MarketError::NotLive { job })?;
        known.undrawn = known.lot.is_none();
        let (request, lot) = (known.request.clone(), known.lot);
        let answer = known.answer.clone().ok_or(RevealError::NoAnswer)?;
        let Answer { rate, reveal_by, prove_by, .. } = answer.answer;
        let conditions = Conditions { rate, reveal_by, prove_by };
        let node = answer.answer.node.address();
        let contract = self.ledger.contract(job)?;
        let price = contract.and_then(|contract| contract.phase.price());
        let price = price.ok_or(MarketError::NotLive { job })?;
        self.events.push((job, Event::Drawn { node, lot }));
        self.nodes.drawn(node, offer(job, (&request, None), price, prove_by, conditions, true));
        self.set_due(job)
    }

    /// Pays for an answer that is not drawn.
    pub(super) fn accept(&mut self, job: JobId, now: u64) -> Result<(), MarketError> {
        let contract = self.ledger.contract(job)?;
        let node = contract.and_then(|contract| contract.phase.node());
        let node = node.ok_or(MarketError::NotLive { job })?;
        self.ledger.accept(job, seconds(now))?;
        let lot = self.lot(job);
        self.nodes.accepted(node, job);
        self.end(job, Event::Accepted { node, lot });
        self.give(node, now).map(|_| ())
    }

    /// The conditions of an offer that is to be answered before `until`.
    pub(super) fn conditions(
        &self,
        order: &Order,
        node: Address,
        revealed: bool,
        until: u64,
        now: u64,
    ) -> Conditions {
        let always = Conditions::always(self.prove_by(order.deadline, now));
        // Whoever knows the secret could choose an answer that is not drawn.
        let Some(sampling) = order.sampling.as_ref().filter(|_| !revealed) else { return always };
        let rate = self.nodes.rate(node, sampling.rate);
        let mut patience = self.rules.reveal_seconds;
        if sampling.is_by_beacon() {
            // The round comes after the answer, whenever that is given.
            patience = patience.max(MIN_REVEAL_SECONDS);
        }
        let reveal_by = until.saturating_add(patience);
        let prove_by = reveal_by.saturating_add(self.rules.prove_seconds);
        if rate >= ALWAYS || prove_by > order.deadline {
            return always;
        }
        Conditions { rate, reveal_by, prove_by }
    }
}
