//! The nodes that a coordinator knows: what they can do, how they have done, and whom to ask next.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use zkinfer::verifier::{Digest, KeyDigest};
use zkinfer_settlement::{Address, JobId};

use crate::{
    account::PublicKey,
    config::Rules,
    encoding::{Decimal, Hex},
    offer::Offer,
    sampling::ALWAYS,
    schema::wire,
};

wire! {
    /// What a node wants for a job.
    pub struct Ask {
        /// Digest of the verifying key of the model.
        pub model: Hex<32>,
        /// The least price.
        pub price: Decimal<u128>,
    }

    /// What a node says that it can do.
    pub struct Capabilities {
        /// Digests of the verifying keys of the models that it has loaded.
        pub models: Vec<Hex<32>>,
        /// Jobs that it wants to have at once.
        pub slots: u32,
        /// What proves: "cpu", or a device.
        pub device: String,
        /// Bytes of memory that it can prove in.
        pub memory_bytes: u64,
        /// What it wants for a job of a model, at least; anything, where the model is not named.
        pub asks: Option<Vec<Ask>>,
        /// Its key, to which inputs can be sealed. Who seals to it should know it from elsewhere.
        pub key: Option<PublicKey>,
    }

    /// A node, as the coordinator sees it.
    pub struct NodeView {
        /// Its account.
        pub account: Hex<20>,
        /// probation, trusted, silent or ejected.
        pub standing: String,
        /// What it says that it can do.
        pub capabilities: Capabilities,
        /// Jobs that it has.
        pub held: u64,
        /// Proofs that were paid.
        pub proven: u64,
        /// Answers that were paid without a proof.
        pub accepted: u64,
        /// Leases that came to nothing, and were not yet made good by a proof that was drawn.
        pub doubts: u32,
        /// Leases that ended without what they were for.
        pub lapsed: u64,
        /// Stakes that it lost.
        pub slashed: u64,
        /// Milliseconds from offer to answer, averaged.
        pub answer_ms: Option<f64>,
        /// Milliseconds from answer to proof, averaged.
        pub proof_ms: Option<f64>,
    }
}

/// Somebody who waits for an offer.
pub trait Waiter {
    /// Whether he waits no longer.
    fn is_closed(&self) -> bool;
    /// Gives him one.
    fn deliver(self, offer: Offer);
}

/// What a node may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// One job at a time, until so many proofs in time.
    Probation {
        /// Proofs still to come.
        left: u32,
    },
    /// As many jobs as it has slots.
    Trusted,
    /// None until a moment in Unix milliseconds.
    Ejected {
        /// When it may come back.
        until: u64,
    },
}

/// A node.
#[derive(Debug)]
pub(crate) struct Node<W> {
    capabilities: Capabilities,
    models: Vec<KeyDigest>,
    asks: BTreeMap<KeyDigest, u128>,
    standing: Standing,
    /// The last sign of life, in Unix milliseconds.
    seen: u64,
    /// No jobs before this moment, after leases that came to nothing.
    rests_until: u64,
    /// Times since the last proof at which leases came to nothing: several at once are one.
    failures: u32,
    /// The last time at which leases came to nothing, in Unix milliseconds.
    failed: Option<u64>,
    /// Each doubles the share of its answers that must be proven; proofs take them away.
    doubts: u32,
    waiting: VecDeque<W>,
    /// Answers of it that were drawn, to be proven: told when somebody waits.
    drawn: VecDeque<Offer>,
    proven: u64,
    accepted: u64,
    lapsed: u64,
    slashed: u64,
    answer_ms: Average,
    proof_ms: Average,
}

impl<W> Node<W> {
    fn new(capabilities: Capabilities, left: u32) -> Self {
        Self {
            capabilities,
            models: Vec::new(),
            asks: BTreeMap::new(),
            standing: Standing::Probation { left },
            seen: 0,
            rests_until: 0,
            failures: 0,
            failed: None,
            doubts: 0,
            waiting: VecDeque::new(),
            drawn: VecDeque::new(),
            proven: 0,
            accepted: 0,
            lapsed: 0,
            slashed: 0,
            answer_ms: Average::default(),
            proof_ms: Average::default(),
        }
    }
}

/// An average in which what is older counts less.
#[derive(Clone, Copy, Debug, Default)]
struct Average(Option<f64>);

impl Average {
    fn add(&mut self, ms: u64) {
        let value = f64::from(u32::try_from(ms).unwrap_or(u32::MAX));
        self.0 = Some(self.0.map_or(value, |average| average + 0.1 * (value - average)));
    }
}

/// All nodes, and the jobs that they have.
#[derive(Debug)]
pub(crate) struct Nodes<W> {
    nodes: BTreeMap<Address, Node<W>>,
    /// Also of nodes that have not come back since the coordinator started.
    held: BTreeMap<Address, BTreeSet<JobId>>,
    rules: Rules,
    /// The state of a generator of numbers that need not be secret.
    random: u64,
}

impl<W: Waiter> Node<W> {
    fn tell_drawn(&mut self) {
        self.waiting.retain(|waiter| !waiter.is_closed());
        while !self.waiting.is_empty()
            && let Some(offer) = self.drawn.pop_front()
        {
            self.waiting.pop_front().into_iter().for_each(|waiter| waiter.deliver(offer.clone()));
        }
    }
}

impl<W: Waiter> Nodes<W> {
    pub(crate) fn new(rules: Rules, seed: u64) -> Self {
        Self { nodes: BTreeMap::new(), held: BTreeMap::new(), rules, random: seed }
    }

    /// A node that comes, or comes back.
    pub(crate) fn hello(&mut self, node: Address, capabilities: Capabilities, now: u64) {
        let models = capabilities.models.iter().map(|model| KeyDigest(Digest(model.0))).collect();
        let left = self.rules.probation_jobs;
        let known = self.nodes.entry(node).or_insert_with(|| Node::new(capabilities.clone(), left));
        let asks = capabilities.asks.iter().flatten();
        let asks = asks.map(|ask| (KeyDigest(Digest(ask.model.0)), ask.price.0)).collect();
        (known.capabilities, known.models, known.seen) = (capabilities, models, now);
        known.asks = asks;
        // It is told again what it has to do.
        known.waiting.clear();
        known.drawn.clear();
    }

    /// A sign of life; `false` from a node that has not said hello.
    pub(crate) fn seen(&mut self, node: Address, now: u64) -> bool {
        let silent = self.silent_after();
        let left = self.rules.probation_jobs;
        let Some(known) = self.nodes.get_mut(&node) else { return false };
        if now.saturating_sub(known.seen) > silent && known.standing == Standing::Trusted {
            known.standing = Standing::Probation { left };
        }
        known.seen = known.seen.max(now);
        true
    }

    /// Somebody waits for the node; if an answer of it was drawn, he is told that.
    pub(crate) fn wait(&mut self, node: Address, waiter: W) {
        if let Some(known) = self.nodes.get_mut(&node) {
            known.waiting.push_back(waiter);
            known.tell_drawn();
        }
    }

    /// Tells a node to prove an answer, now or when it waits.
    pub(crate) fn drawn(&mut self, node: Address, offer: Offer) {
        if let Some(known) = self.nodes.get_mut(&node) {
            known.drawn.push_back(offer);
            known.tell_drawn();
        }
    }

    /// How many of a million answers of a node must be proven, where a buyer asks for `least`: all of
    /// one on probation, and twice as many for each doubt.
    pub(crate) fn rate(&self, node: Address, least: u32) -> u32 {
        match self.nodes.get(&node) {
            Some(Node { standing: Standing::Trusted, doubts, .. }) => {
                least.saturating_mul(1 << doubts.min(&20)).min(ALWAYS)
            }
            _ => ALWAYS,
        }
    }

    /// The models of a node that may have another job now.
    pub(crate) fn models_if_eligible(&mut self, node: Address, now: u64) -> Option<Vec<KeyDigest>> {
        let held = self.held.get(&node).map_or(0, BTreeSet::len);
        let silent = self.silent_after();
        let left = self.rules.probation_jobs;
        let known = self.nodes.get_mut(&node)?;
        if let Standing::Ejected { until } = known.standing
            && now >= until
        {
            known.standing = Standing::Probation { left };
        }
        let slots = match known.standing {
            Standing::Probation { .. } => known.capabilities.slots.min(1),
            Standing::Trusted => known.capabilities.slots,
            Standing::Ejected { .. } => 0,
        };
        known.waiting.retain(|waiter| !waiter.is_closed());
        let free = usize::try_from(slots).is_ok_and(|slots| held < slots);
        let awake = now >= known.rests_until && now.saturating_sub(known.seen) <= silent;
        let eligible = free && awake && !known.waiting.is_empty();
        eligible.then(|| known.models.clone())
    }

    /// The least price for which a node takes a job of a model.
    pub(crate) fn ask(&self, node: Address, model: KeyDigest) -> u128 {
        self.nodes.get(&node).and_then(|known| known.asks.get(&model).copied()).unwrap_or(0)
    }

    /// The least loaded of a few nodes that may have a job of the model, and that may have this one.
    pub(crate) fn choose(
        &mut self,
        model: KeyDigest,
        now: u64,
        may: impl Fn(&Self, Address) -> bool,
    ) -> Option<Address> {
        let of_model = |(_, node): &(&Address, &Node<W>)| node.models.contains(&model);
        let all: Vec<Address> = self.nodes.iter().filter(of_model).map(|(name, _)| *name).collect();
        let mut all: Vec<Address> =
            all.into_iter().filter(|&node| self.models_if_eligible(node, now).is_some()).collect();
        all.retain(|&node| may(self, node));
        let mut few = Vec::new();
        while few.len() < self.rules.candidates && !all.is_empty() {
            let index = self.draw(all.len());
            few.push(all.swap_remove(index));
        }
        few.into_iter().min_by(|one, other| {
            let (one, other) = (self.load(*one), self.load(*other));
            one.0.total_cmp(&other.0).then(one.1.total_cmp(&other.1))
        })
    }

    /// The share of its slots that a node has in use, and how long its answers take.
    fn load(&self, node: Address) -> (f64, f64) {
        let held = self.held.get(&node).map_or(0, BTreeSet::len);
        let held = f64::from(u32::try_from(held).unwrap_or(u32::MAX));
        self.nodes.get(&node).map_or((f64::INFINITY, 0.0), |known| {
            let slots = f64::from(known.capabilities.slots.max(1));
            // Who is new is tried; who has only failed so far comes last.
            let unknown = if known.failures == 0 { 0.0 } else { f64::INFINITY };
            (held / slots, known.answer_ms.0.unwrap_or(unknown))
        })
    }

    /// A number below `below`, which is not zero.
    fn draw(&mut self, below: usize) -> usize {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let below = u64::try_from(below).unwrap_or(u64::MAX);
        usize::try_from((mixed ^ (mixed >> 31)) % below).unwrap_or(0)
    }

    /// Takes one who waits for the node.
    pub(crate) fn waiter(&mut self, node: Address) -> Option<W> {
        let known = self.nodes.get_mut(&node)?;
        known.waiting.retain(|waiter| !waiter.is_closed());
        known.waiting.pop_front()
    }

    pub(crate) fn assigned(&mut self, node: Address, job: JobId) {
        self.held.entry(node).or_default().insert(job);
    }

    pub(crate) fn released(&mut self, node: Address, job: JobId) {
        if let Some(held) = self.held.get_mut(&node) {
            held.remove(&job);
            if held.is_empty() {
                self.held.remove(&node);
            }
        }
    }

    pub(crate) fn held(&self, node: Address) -> Vec<JobId> {
        self.held.get(&node).into_iter().flatten().copied().collect()
    }

    pub(crate) fn answered(&mut self, node: Address, after_ms: u64) {
        if let Some(known) = self.nodes.get_mut(&node) {
            known.answer_ms.add(after_ms);
        }
    }

    pub(crate) fn proven(&mut self, node: Address, job: JobId, after_ms: Option<u64>) {
        self.released(node, job);
        let Some(known) = self.nodes.get_mut(&node) else { return };
        known.proven += 1;
        known.failures = 0;
        if known.standing == Standing::Trusted {
            known.doubts = known.doubts.saturating_sub(1);
        }
        after_ms.into_iter().for_each(|ms| known.proof_ms.add(ms));
        known.standing = match known.standing {
            Standing::Probation { left } if left > 1 => Standing::Probation { left: left - 1 },
            Standing::Probation { .. } | Standing::Trusted => Standing::Trusted,
            ejected @ Standing::Ejected { .. } => ejected,
        };
    }

    pub(crate) fn accepted(&mut self, node: Address, job: JobId) {
        self.released(node, job);
        if let Some(known) = self.nodes.get_mut(&node) {
            known.accepted += 1;
        }
    }

    /// A lease that was given at `given` came to nothing: probation, and a rest that doubles each time.
    /// Leases from before the last such time are no new reason to rest: a node that was away for a
    /// moment has failed once, however many jobs it had.
    pub(crate) fn lapsed(&mut self, node: Address, job: JobId, given: u64, now: u64) {
        self.released(node, job);
        let (left, base) = (self.rules.probation_jobs, self.rules.answer_seconds);
        let Some(known) = self.nodes.get_mut(&node) else { return };
        known.lapsed += 1;
        known.doubts = known.doubts.saturating_add(1);
        if known.failed.is_none_or(|failed| given > failed) {
            let seconds = base.saturating_mul(1 << known.failures.min(10));
            known.rests_until = now.saturating_add(seconds.saturating_mul(1_000));
            known.failures = known.failures.saturating_add(1);
            known.failed = Some(now);
        }
        if known.standing == Standing::Trusted {
            known.standing = Standing::Probation { left };
        }
    }

    pub(crate) fn slashed(&mut self, node: Address, job: JobId, now: u64) {
        self.released(node, job);
        let seconds = self.rules.ejection_seconds;
        let Some(known) = self.nodes.get_mut(&node) else { return };
        known.slashed += 1;
        known.doubts = known.doubts.saturating_add(1);
        let until = now.saturating_add(seconds.saturating_mul(1_000));
        known.standing = Standing::Ejected { until };
    }

    fn silent_after(&self) -> u64 {
        self.rules.heartbeat_seconds.saturating_mul(3_000)
    }

    /// Every node that has somebody waiting.
    pub(crate) fn waiting(&self) -> Vec<Address> {
        let waits = |(_, node): &(&Address, &Node<W>)| !node.waiting.is_empty();
        self.nodes.iter().filter(waits).map(|(name, _)| *name).collect()
    }

    pub(crate) fn views(&self, now: u64) -> Vec<NodeView> {
        let silent_after = self.silent_after();
        let view = |(account, node): (&Address, &Node<W>)| {
            let silent = now.saturating_sub(node.seen) > silent_after;
            let held = self.held.get(account).map_or(0, BTreeSet::len);
            NodeView {
                account: Hex(account.0),
                standing: match node.standing {
                    Standing::Ejected { until } if now < until => "ejected",
                    _ if silent => "silent",
                    Standing::Trusted => "trusted",
                    Standing::Probation { .. } | Standing::Ejected { .. } => "probation",
                }
                .to_owned(),
                capabilities: node.capabilities.clone(),
                held: u64::try_from(held).unwrap_or(u64::MAX),
                proven: node.proven,
                accepted: node.accepted,
                doubts: node.doubts,
                lapsed: node.lapsed,
                slashed: node.slashed,
                answer_ms: node.answer_ms.0,
                proof_ms: node.proof_ms.0,
            }
        };
        self.nodes.iter().map(view).collect()
    }
}
