//! The rules of giving out jobs, without clock, network or disk of its own.
//!
//! Every operation first asks the ledger, which decides; queue and nodes follow. So a crash between
//! the two leaves a ledger that is right and a projection that [`Market::restore`] makes anew.

mod disputes;
mod event;
mod giving;
mod live;
mod lots;
mod parts;
mod standstill;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use zkinfer_settlement::{Address, Amount, JobId, Refusal};

pub use self::{
    event::{Event, Outcome},
    live::{PartRemains, Remains},
};
use self::{
    live::{Conditions, Live, offer},
    parts::Whole,
    standstill::Standstill,
};
pub use crate::nodes::Waiter;
use crate::{
    answer::{AnswerError, SignedAnswer},
    config::Rules,
    error::MarketError,
    ledger::{Contract, Ledger, Phase, is_repetition},
    nodes::{Capabilities, NodeView, Nodes},
    offer::Offer,
    order::JobRequest,
    queue::{Depth, Queue, QueueError},
    ramp::Prices,
    sampling::{ALWAYS, Lot},
};

/// A market over a ledger and a queue, with somebody of kind `W` who waits for offers. All times are
/// Unix milliseconds, and what the caller says.
#[derive(Debug)]
pub struct Market<L, Q, W> {
    rules: Rules,
    ledger: L,
    queue: Q,
    nodes: Nodes<W>,
    live: BTreeMap<JobId, Live>,
    /// Those of which the live ones are parts.
    wholes: BTreeMap<JobId, Whole>,
    timers: BTreeSet<(u64, JobId)>,
    /// Jobs that the queue did not take when they were opened: it is asked again.
    unqueued: BTreeSet<JobId>,
    standstill: Standstill,
    events: Vec<(JobId, Event)>,
}

impl<L: Ledger, Q: Queue, W: Waiter> Market<L, Q, W> {
    /// The market of a ledger. Jobs that something can still happen to are put in the queue, as if
    /// it had been lost; `remains` gives what the files have of each.
    ///
    /// # Errors
    /// If ledger or queue fail, or the files do not have the order of a job.
    pub fn restore(
        rules: Rules,
        ledger: L,
        mut queue: Q,
        seed: u64,
        mut remains: impl FnMut(JobId) -> Option<Remains>,
    ) -> Result<Self, MarketError> {
        let mut nodes = Nodes::new(rules.clone(), seed);
        let (mut live, mut timers) = (BTreeMap::new(), BTreeSet::new());
        let mut wholes = BTreeMap::<JobId, Whole>::new();
        for (job, contract) in ledger.live()? {
            let found = remains(job).ok_or(MarketError::NotLive { job })?;
            queue.put(job, contract.terms.model)?;
            let visible = match contract.phase {
                Phase::Staked { prover, until, .. } => {
                    if !found.is_delivered(contract.phase) {
                        nodes.assigned(prover, job);
                    }
                    hidden_until(until)
                }
                // The queue may remember a lease or an answer that the ledger has lost.
                _open => 0,
            };
            queue.hide(job, visible)?;
            let answer = found.answer_of(contract.phase);
            if let Some(part) = &found.part {
                Whole::add(&mut wholes, job, part, &found, contract.phase);
            }
            let mut known = Live::new(Arc::new(found.request), contract.terms.model, 0);
            (known.answer, known.lot) = (answer, found.lot);
            if let Some(PartRemains { place, division, .. }) = found.part {
                known.place = Some(place);
                let most = contract.terms.price.0;
                let prices = division.prices(&known.prices, place.index);
                known.prices = prices.unwrap_or(Prices { most, ramp: None });
            }
            known.timer = known.due(&contract);
            timers.insert((known.timer, job));
            live.insert(job, known);
        }
        let (unqueued, standstill, events) = (BTreeSet::new(), Standstill::default(), Vec::new());
        let mut market = Self {
            rules,
            ledger,
            queue,
            nodes,
            live,
            wholes,
            timers,
            unqueued,
            standstill,
            events,
        };
        market.restore_parts()?;
        Ok(market)
    }

    /// Says when an earlier life of this market has last acted: what has ended since, nobody could help.
    pub fn was_at_work(&mut self, until: u64) {
        self.standstill.acted(seconds(until));
    }

    /// Opens a job, unless it was opened before: the same order twice is one job. The caller has
    /// checked the request.
    ///
    /// # Errors
    /// A refusal of the ledger, a stake above the largest, or too many jobs.
    pub fn open(&mut self, request: JobRequest, now: u64) -> Result<JobId, MarketError> {
        let job = request.order.job();
        let limit = self.rules.max_live_jobs;
        if self.live.len() >= limit && !self.live.contains_key(&job) {
            return Err(MarketError::Full { limit });
        }
        let terms = request.order.terms();
        self.check_terms(&terms, now)?;
        match self.ledger.open(job, terms, seconds(now)) {
            Err(error) if is_repetition(&error) => return Ok(job),
            opened => opened?,
        }
        let (request, timer) = (Arc::new(request), terms.deadline);
        self.timers.insert((timer, job));
        let known = Live::new(request.clone(), terms.model, timer);
        let event = Event::Opened { request, part: None, prices: known.prices.clone() };
        self.live.insert(job, known);
        self.events.push((job, event));
        self.enqueue(job, terms.model);
        self.offer_one(job, terms.model, now)?;
        Ok(job)
    }

    /// Takes back a job that nobody has yet. The caller knows that the buyer wants it.
    ///
    /// # Errors
    /// A refusal of the ledger, or [`MarketError::OnePart`].
    pub fn cancel(&mut self, job: JobId, now: u64) -> Result<(), MarketError> {
        if self.wholes.contains_key(&job) {
            return self.cancel_parts(job, now);
        }
        // Whoever works on another part would lose by it.
        if let Some(place) = self.live.get(&job).and_then(|known| known.place) {
            return Err(MarketError::OnePart { whole: place.whole });
        }
        self.ledger.cancel(job, seconds(now))?;
        self.end(job, Event::Cancelled);
        Ok(())
    }

    /// A node that comes or comes back; the jobs that it still has. One that has none must have a bond
    /// for one, so that nobody is remembered who has nothing to lose.
    ///
    /// # Errors
    /// [`Refusal::InsufficientBond`], or a failure of the ledger.
    pub fn hello(
        &mut self,
        node: Address,
        capabilities: Capabilities,
        now: u64,
    ) -> Result<Vec<Offer>, MarketError> {
        let (free, needed) = (self.ledger.bond(node)?, Amount(self.rules.max_stake.into()));
        if free < needed && self.nodes.held(node).is_empty() {
            return Err(Refusal::InsufficientBond { prover: node, free, needed }.into());
        }
        self.nodes.hello(node, capabilities, now);
        let mut offers = Vec::new();
        for job in self.nodes.held(node) {
            let Some(Contract { phase: Phase::Staked { price, until, answer, .. }, terms }) =
                self.ledger.contract(job)?
            else {
                continue;
            };
            let Some(known) = self.live.get(&job) else { continue };
            let answered = answer.is_some();
            // Nothing is to be done for an answer that is not drawn, or not yet.
            if answered && (known.is_drawn() != Some(true) || self.is_delivered(job)) {
                continue;
            }
            let known_conditions = known.conditions.filter(|_| !answered);
            let conditions = known_conditions.unwrap_or_else(|| {
                let prove_by = if answered { until } else { self.prove_by(terms.deadline, now) };
                Conditions::always(prove_by)
            });
            let part = known.place.map(|place| self.part_offer(place, &known.request));
            let request = (known.request.as_ref(), part);
            offers.push(offer(job, request, price, until, conditions, answered));
            if let Some(known) = self.live.get_mut(&job) {
                known.conditions = Some(conditions);
            }
        }
        Ok(offers)
    }

    /// Lets a node wait for a job; it may get one at once.
    ///
    /// # Errors
    /// [`MarketError::UnknownNode`], or a failure of ledger or queue.
    pub fn wait(&mut self, node: Address, waiter: W, now: u64) -> Result<(), MarketError> {
        if !self.nodes.seen(node, now) {
            return Err(MarketError::UnknownNode);
        }
        self.nodes.wait(node, waiter);
        self.give(node, now)?;
        Ok(())
    }

    /// Binds a node to its answer. The caller has checked it against the order.
    ///
    /// # Errors
    /// A refusal of the ledger, or [`MarketError::NotLive`].
    pub fn answer(&mut self, answer: SignedAnswer, now: u64) -> Result<(), MarketError> {
        let job = answer.job();
        let node = answer.answer.node.address();
        let known = self.live.get(&job).ok_or(MarketError::NotLive { job })?;
        let deadline = known.request.order.deadline;
        let (prove_by, rate) = (answer.answer.prove_by, answer.answer.rate);
        let always = Conditions::always(self.prove_by(deadline, now));
        let offered = known.conditions.filter(|offered| offered.rate < ALWAYS).unwrap_or(always);
        if (rate, answer.answer.reveal_by) != (offered.rate, offered.reveal_by) {
            return Err(AnswerError::Field { field: "rate" }.into());
        }
        let latest = offered.prove_by;
        if prove_by > latest {
            let (until, now) = (prove_by, seconds(now));
            return Err(Refusal::LeaseEnd { until, now, deadline: latest }.into());
        }
        let place = known.place;
        let output = match place {
            Some(place) => self.part_output(place, &answer)?,
            None => answer.output_digest(),
        };
        self.ledger.answer(job, node, output, prove_by, seconds(now))?;
        self.nodes.seen(node, now);
        noted(self.queue.hide(job, hidden_until(prove_by)));
        let answer = Arc::new(answer);
        let mut after_ms = None;
        if let Some(known) = self.live.get_mut(&job) {
            known.answer = Some(answer.clone());
            known.answered = Some(now);
            after_ms = known.offered.map(|offered| now.saturating_sub(offered));
        }
        after_ms.into_iter().for_each(|ms| self.nodes.answered(node, ms));
        self.set_due(job)?;
        self.events.push((job, Event::Answered { answer: answer.clone(), after_ms }));
        match place {
            Some(place) => self.answered_part(place, &answer.output, now),
            None => Ok(()),
        }
    }

    /// Pays for a proof, or slashes the node whose answer it contradicts.
    ///
    /// # Errors
    /// A refusal of the ledger.
    pub fn prove(&mut self, evidence: L::Evidence, now: u64) -> Result<Outcome, MarketError> {
        let (job, output) = L::says(&evidence);
        let contract = self.ledger.contract(job)?;
        if let Some(Contract { phase: Phase::Staked { answer: Some(answer), .. }, .. }) = contract
            && answer != output
        {
            self.contradict(job, &evidence, now)?;
            return Ok(Outcome::Contradicted);
        }
        self.ledger.submit(evidence, seconds(now))?;
        let Some(node) = self.ledger.contract(job)?.and_then(|contract| contract.phase.node())
        else {
            return Err(MarketError::NotLive { job });
        };
        let answered = self.live.get(&job).and_then(|known| known.answered);
        let after_ms = answered.map(|answered| now.saturating_sub(answered));
        self.nodes.proven(node, job, after_ms);
        self.end(job, Event::Settled { node, after_ms });
        self.give(node, now)?;
        Ok(Outcome::Paid)
    }

    /// Does what time has made due: leases that are over, deadlines that have passed, nodes that have
    /// rested.
    ///
    /// # Errors
    /// A failure of ledger or queue.
    pub fn tick(&mut self, now: u64) -> Result<(), MarketError> {
        self.standstill.beat(seconds(now));
        while let Some(&(at, job)) = self.timers.first() {
            if at >= seconds(now) {
                break;
            }
            self.timers.remove(&(at, job));
            self.due(job, now)?;
        }
        while let Some(job) = self.unqueued.first().copied() {
            let model = self.live.get(&job).map(|known| known.model);
            if model.is_some_and(|model| !noted(self.queue.put(job, model))) {
                break;
            }
            self.unqueued.remove(&job);
        }
        // Nobody else is asked for whom there is nothing either.
        let mut nothing = BTreeSet::new();
        for node in self.nodes.waiting() {
            let models = self.nodes.models_if_eligible(node, now);
            if models.is_some_and(|models| !nothing.contains(&models)) {
                nothing.extend(self.give(node, now)?);
            }
        }
        Ok(())
    }

    fn due(&mut self, job: JobId, now: u64) -> Result<(), MarketError> {
        let Some(contract) = self.ledger.contract(job)? else { return Ok(()) };
        let late = seconds(now) > contract.terms.deadline;
        match contract.phase {
            Phase::Open if late => {
                self.ledger.refund(job, seconds(now))?;
                self.end(job, Event::Refunded);
            }
            // It was answered in time, and nobody has asked for a proof.
            Phase::Staked { answer: Some(_), .. }
                if self.live.get(&job).is_some_and(|known| known.is_spared(now)) =>
            {
                self.accept(job, now)?;
            }
            Phase::Staked { answer: Some(_), .. }
                if !late && self.live.get(&job).is_some_and(|known| known.is_overdue(now)) =>
            {
                self.draw(job)?;
            }
            Phase::Staked { .. } if late && self.is_delivered(job) => {
                self.refund_delivered(job, now)?;
            }
            Phase::Staked { .. } if self.is_delivered(job) => {
                self.set_timer(job, contract.terms.deadline);
            }
            Phase::Staked { prover, answer: None, .. } if late => self.expire(job, prover, now)?,
            Phase::Staked { .. } if late => {
                self.ledger.slash(job, seconds(now))?;
                self.slashed(job, false, now)?;
            }
            Phase::Staked { prover, until, answer, .. } if seconds(now) > until => {
                match self.standstill.excuses(until, seconds(now)).filter(|_| answer.is_some()) {
                    Some(later) => self.set_timer(job, later.min(contract.terms.deadline)),
                    None => self.lapse(job, prover, contract.terms, now)?,
                }
            }
            Phase::Staked { .. } | Phase::Open => self.set_due(job)?,
            _ended => {
                self.live.remove(&job);
                noted(self.queue.drop_job(job));
            }
        }
        Ok(())
    }

    fn end(&mut self, job: JobId, event: Event) {
        if let Some(known) = self.live.remove(&job) {
            self.timers.remove(&(known.timer, job));
            known.place.into_iter().for_each(|place| self.part_ended(place));
        }
        self.events.push((job, event));
        noted(self.queue.drop_job(job));
    }

    /// Sets the timer to when something is due.
    fn set_due(&mut self, job: JobId) -> Result<(), MarketError> {
        let Some(contract) = self.ledger.contract(job)? else { return Ok(()) };
        if let Some(at) = self.live.get(&job).map(|known| known.due(&contract)) {
            self.set_timer(job, at);
        }
        Ok(())
    }

    fn set_timer(&mut self, job: JobId, at: u64) {
        if let Some(known) = self.live.get_mut(&job) {
            self.timers.remove(&(known.timer, job));
            known.timer = at;
            self.timers.insert((at, job));
        }
    }

    fn prove_by(&self, deadline: u64, now: u64) -> u64 {
        seconds(now).saturating_add(self.rules.prove_seconds).min(deadline)
    }

    /// What has happened since the last time.
    pub fn take_events(&mut self) -> Vec<(JobId, Event)> {
        std::mem::take(&mut self.events)
    }

    /// What draws the lot of a job that something can still happen to, once it is known.
    #[must_use]
    pub fn lot(&self, job: JobId) -> Option<Lot> {
        self.live.get(&job).and_then(|known| known.lot)
    }

    /// The order and the answer of a job that something can still happen to.
    #[must_use]
    pub fn known(&self, job: JobId) -> Option<(Arc<JobRequest>, Option<Arc<SignedAnswer>>)> {
        self.live.get(&job).map(|known| (known.request.clone(), known.answer.clone()))
    }

    /// How many jobs something can still happen to.
    #[must_use]
    pub fn live_count(&self) -> usize {
        self.live.len()
    }

    /// All nodes.
    #[must_use]
    pub fn nodes(&self, now: u64) -> Vec<NodeView> {
        self.nodes.views(now)
    }

    /// How many jobs are where in the queue.
    ///
    /// # Errors
    /// If the queue fails.
    pub fn depth(&mut self, now: u64) -> Result<Depth, MarketError> {
        Ok(self.queue.depth(now)?)
    }

    /// Where the money is.
    #[must_use]
    pub fn ledger(&self) -> &L {
        &self.ledger
    }

    /// Forgets everything but the money.
    #[must_use]
    pub fn into_ledger(self) -> L {
        self.ledger
    }

    /// Where the money is, for operations that are no business of the queue's.
    pub fn ledger_mut(&mut self) -> &mut L {
        &mut self.ledger
    }
}

/// Whether the queue has done what it was told. What it did not do, the ledger knows: the money is
/// where it belongs, and at the latest the next start makes the queue anew.
fn noted(outcome: Result<(), QueueError>) -> bool {
    outcome.map_err(|error| note::<()>(&error)).is_ok()
}

fn note<T>(error: &QueueError) -> Option<T> {
    tracing::error!(%error, "the queue");
    None
}

/// Seconds by which the queue shows a job later than its lease ends: the market's clock acts first,
/// and the queue's is for a market whose clock has stood still.
const SLACK: u64 = 5;

/// Until when the queue hides a job whose lease ends at a moment in Unix seconds.
fn hidden_until(end: u64) -> u64 {
    end.saturating_add(SLACK).saturating_mul(1_000)
}

fn seconds(milliseconds: u64) -> u64 {
    milliseconds / 1_000
}
