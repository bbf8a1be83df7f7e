//! The rules of giving out jobs, without clock, network or disk of its own.
//!
//! Every operation first asks the ledger, which decides; queue and nodes follow. So a crash between
//! the two leaves a ledger that is right and a projection that [`Market::restore`] makes anew.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use zkinfer::verifier::KeyDigest;
use zkinfer_settlement::{Address, Amount, JobId, Refusal};

pub use crate::nodes::Waiter;
use crate::{
    answer::SignedAnswer,
    config::Rules,
    encoding::Hex,
    error::MarketError,
    ledger::{Contract, Ledger, Phase, is_repetition},
    nodes::{Capabilities, NodeView, Nodes},
    order::{JobRequest, Offer},
    queue::{Depth, Queue},
};

/// Something that has happened to a job.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// It was ordered.
    Opened {
        /// The order with its input.
        request: Arc<JobRequest>,
    },
    /// A node has it.
    Assigned {
        /// Which node.
        node: Address,
    },
    /// The node has answered.
    Answered {
        /// The answer.
        answer: Arc<SignedAnswer>,
        /// Milliseconds since the offer; none if the coordinator was started in between.
        after_ms: Option<u64>,
    },
    /// The node was paid.
    Settled {
        /// Which node.
        node: Address,
        /// Milliseconds since the answer; none if there was none that is remembered.
        after_ms: Option<u64>,
    },
    /// The lease is over; the job waits for another node.
    Lapsed {
        /// Which node had it.
        node: Address,
    },
    /// The node has lost its stake.
    Slashed {
        /// Which node.
        node: Address,
        /// Whether a proof has contradicted its answer; else it was late.
        contradicted: bool,
    },
    /// The buyer has the price back.
    Refunded,
    /// The buyer has taken it back.
    Cancelled,
}

impl Event {
    /// Its name, which never changes its meaning.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Opened { .. } => "opened",
            Self::Assigned { .. } => "assigned",
            Self::Answered { .. } => "answered",
            Self::Settled { .. } => "settled",
            Self::Lapsed { .. } => "lapsed",
            Self::Slashed { .. } => "slashed",
            Self::Refunded => "refunded",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What a proof has led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Paid.
    Paid,
    /// The proof contradicts the node's own answer, which cost the stake.
    Contradicted,
}

/// What is known of a job that something can still happen to.
#[derive(Debug)]
struct Live {
    request: Arc<JobRequest>,
    answer: Option<Arc<SignedAnswer>>,
    /// When the node got it, in Unix milliseconds.
    offered: Option<u64>,
    /// When the node answered.
    answered: Option<u64>,
    /// When to look again, in Unix seconds.
    timer: u64,
}

/// What is left of a job in the coordinator's files.
#[derive(Clone, Debug)]
pub struct Remains {
    /// The order with its input.
    pub request: JobRequest,
    /// The answer, if there is one.
    pub answer: Option<SignedAnswer>,
}

/// A market over a ledger and a queue, with somebody of kind `W` who waits for offers. All times are
/// Unix milliseconds, and what the caller says.
#[derive(Debug)]
pub struct Market<L, Q, W> {
    rules: Rules,
    ledger: L,
    queue: Q,
    nodes: Nodes<W>,
    live: BTreeMap<JobId, Live>,
    timers: BTreeSet<(u64, JobId)>,
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
        for (job, contract) in ledger.live()? {
            let found = remains(job).ok_or(MarketError::NotLive { job })?;
            queue.put(job, contract.terms.model)?;
            if let Phase::Staked { prover, until, .. } = contract.phase {
                nodes.assigned(prover, job);
                queue.hide(job, hidden_until(until))?;
            }
            let timer = timer(&contract);
            timers.insert((timer, job));
            let (request, answer) = (Arc::new(found.request), found.answer.map(Arc::new));
            live.insert(job, Live { request, answer, offered: None, answered: None, timer });
        }
        Ok(Self { rules, ledger, queue, nodes, live, timers, events: Vec::new() })
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
        let most = Amount(self.rules.max_stake.into());
        if terms.stake > most {
            return Err(MarketError::StakeTooLarge { most, got: terms.stake });
        }
        match self.ledger.open(job, terms, seconds(now)) {
            Err(error) if is_repetition(&error) => return Ok(job),
            opened => opened?,
        }
        let (request, timer) = (Arc::new(request), terms.deadline);
        self.timers.insert((timer, job));
        let event = Event::Opened { request: request.clone() };
        let known = Live { request, answer: None, offered: None, answered: None, timer };
        self.live.insert(job, known);
        self.events.push((job, event));
        self.queue.put(job, terms.model)?;
        self.offer_one(terms.model, now)?;
        Ok(job)
    }

    /// Takes back a job that nobody has yet. The caller knows that the buyer wants it.
    ///
    /// # Errors
    /// A refusal of the ledger.
    pub fn cancel(&mut self, job: JobId, now: u64) -> Result<(), MarketError> {
        self.ledger.cancel(job, seconds(now))?;
        self.end(job, Event::Cancelled)
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
            let Some(Contract { phase: Phase::Staked { until, answer, .. }, terms }) =
                self.ledger.contract(job)?
            else {
                continue;
            };
            if let Some(known) = self.live.get(&job) {
                let prove_by = match answer {
                    Some(_) => until,
                    None => self.prove_by(terms.deadline, now),
                };
                offers.push(offer(job, &known.request, until, prove_by, answer.is_some()));
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
        let deadline =
            self.live.get(&job).ok_or(MarketError::NotLive { job })?.request.order.deadline;
        let (prove_by, latest) = (answer.answer.prove_by, self.prove_by(deadline, now));
        if prove_by > latest {
            let (until, now) = (prove_by, seconds(now));
            return Err(Refusal::LeaseEnd { until, now, deadline: latest }.into());
        }
        self.ledger.answer(job, node, answer.output_digest(), prove_by, seconds(now))?;
        self.nodes.seen(node, now);
        self.queue.hide(job, hidden_until(prove_by))?;
        let answer = Arc::new(answer);
        let mut after_ms = None;
        if let Some(known) = self.live.get_mut(&job) {
            known.answer = Some(answer.clone());
            known.answered = Some(now);
            after_ms = known.offered.map(|offered| now.saturating_sub(offered));
        }
        after_ms.into_iter().for_each(|ms| self.nodes.answered(node, ms));
        self.set_timer(job, prove_by);
        self.events.push((job, Event::Answered { answer, after_ms }));
        Ok(())
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
        self.end(job, Event::Settled { node, after_ms })?;
        self.give(node, now)?;
        Ok(Outcome::Paid)
    }

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

    fn slashed(&mut self, job: JobId, contradicted: bool, now: u64) -> Result<(), MarketError> {
        let node = self.ledger.contract(job)?.and_then(|contract| contract.phase.node());
        let node = node.ok_or(MarketError::NotLive { job })?;
        self.nodes.slashed(node, job, now);
        self.end(job, Event::Slashed { node, contradicted })
    }

    /// Does what time has made due: leases that are over, deadlines that have passed, nodes that have
    /// rested.
    ///
    /// # Errors
    /// A failure of ledger or queue.
    pub fn tick(&mut self, now: u64) -> Result<(), MarketError> {
        while let Some(&(at, job)) = self.timers.first() {
            if at >= seconds(now) {
                break;
            }
            self.timers.remove(&(at, job));
            self.due(job, now)?;
        }
        for node in self.nodes.waiting() {
            self.give(node, now)?;
        }
        Ok(())
    }

    fn due(&mut self, job: JobId, now: u64) -> Result<(), MarketError> {
        let Some(contract) = self.ledger.contract(job)? else { return Ok(()) };
        let (deadline, late) = (contract.terms.deadline, seconds(now) > contract.terms.deadline);
        match contract.phase {
            Phase::Open if late => {
                self.ledger.refund(job, seconds(now))?;
                self.end(job, Event::Refunded)?;
            }
            Phase::Staked { .. } if late => {
                self.ledger.slash(job, seconds(now))?;
                self.slashed(job, false, now)?;
            }
            Phase::Staked { prover, until, .. } if seconds(now) > until => {
                self.ledger.lapse(job, seconds(now))?;
                self.nodes.lapsed(prover, job, now);
                self.queue.hide(job, 0)?;
                if let Some(known) = self.live.get_mut(&job) {
                    (known.answer, known.offered, known.answered) = (None, None, None);
                }
                self.set_timer(job, deadline);
                self.events.push((job, Event::Lapsed { node: prover }));
                self.offer_one(contract.terms.model, now)?;
            }
            Phase::Staked { until, .. } => self.set_timer(job, until.min(deadline)),
            Phase::Open => self.set_timer(job, deadline),
            _ended => {
                self.live.remove(&job);
                self.queue.drop_job(job)?;
            }
        }
        Ok(())
    }

    /// Gives the first waiting job of a model to the node that is chosen for it.
    fn offer_one(&mut self, model: KeyDigest, now: u64) -> Result<(), MarketError> {
        match self.nodes.choose(model, now) {
            Some(node) => self.give(node, now),
            None => Ok(()),
        }
    }

    /// Gives a node jobs for as long as it waits, may have one, and there is one.
    fn give(&mut self, node: Address, now: u64) -> Result<(), MarketError> {
        while let Some(models) = self.nodes.models_if_eligible(node, now) {
            if self.ledger.bond(node)? < Amount(self.rules.max_stake.into()) {
                break;
            }
            let until = seconds(now).saturating_add(self.rules.answer_seconds);
            let Some(taken) = self.queue.take(&models, now, hidden_until(until))? else { break };
            self.assign(taken.job, node, until, now)?;
        }
        Ok(())
    }

    fn assign(
        &mut self,
        job: JobId,
        node: Address,
        until: u64,
        now: u64,
    ) -> Result<(), MarketError> {
        let contract = self.ledger.contract(job)?;
        let (Some(contract), Some(known)) = (contract, self.live.get_mut(&job)) else {
            // The queue remembers a job that the ledger has ended.
            return Ok(self.queue.drop_job(job)?);
        };
        let deadline = contract.terms.deadline;
        match contract.phase {
            Phase::Open if seconds(now) <= deadline => {}
            // It waits for the clock, which is about to act; never is it seen again before.
            Phase::Open | Phase::Staked { .. } => {
                let visible = hidden_until(known.timer).max(now.saturating_add(1_000));
                return Ok(self.queue.hide(job, visible)?);
            }
            _ended => return Ok(self.queue.drop_job(job)?),
        }
        let until = until.min(deadline);
        self.ledger.assign(job, node, until, seconds(now))?;
        known.offered = Some(now);
        let request = known.request.clone();
        self.nodes.assigned(node, job);
        self.set_timer(job, until);
        self.events.push((job, Event::Assigned { node }));
        let prove_by = self.prove_by(deadline, now);
        if let Some(waiter) = self.nodes.waiter(node) {
            waiter.deliver(offer(job, &request, until, prove_by, false));
        }
        Ok(())
    }

    fn end(&mut self, job: JobId, event: Event) -> Result<(), MarketError> {
        if let Some(known) = self.live.remove(&job) {
            self.timers.remove(&(known.timer, job));
        }
        self.events.push((job, event));
        Ok(self.queue.drop_job(job)?)
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

/// When something is due for a job.
fn timer(contract: &Contract) -> u64 {
    match contract.phase {
        Phase::Staked { until, .. } => until.min(contract.terms.deadline),
        _ => contract.terms.deadline,
    }
}

fn offer(job: JobId, request: &JobRequest, answer_by: u64, prove_by: u64, answered: bool) -> Offer {
    let JobRequest { order, signature, input } = request;
    Offer {
        job: Hex(job.0),
        order: order.clone(),
        signature: *signature,
        input: input.clone(),
        answer_by,
        prove_by,
        answered,
    }
}
