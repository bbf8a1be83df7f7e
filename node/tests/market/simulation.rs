//! Hundreds of nodes that are quick, slow, silent, lying or gone, in virtual time: the market's own
//! code, a seed, and the same run each time.

pub(crate) mod ledger;
mod nodes;
mod rising;
mod scale;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};

use zkinfer::verifier::{Digest, keccak256};
use zkinfer_node::{
    ALWAYS, Answer, Capabilities, Decimal, Event, Hex, JobRequest, Market, MarketError, Order,
    PublicKey, Queue, Remains, Rules, SignedAnswer, SqliteQueue,
};
use zkinfer_settlement::{Address, JobId, Refusal, ValuesDigest};

use ledger::{Numbers, Word};
use nodes::{Kind, Mail, Post, key};

const NODES: u64 = 200;
const BUYER: PublicKey = Hex([0xbb; 32]);
const MODEL: Hex<32> = Hex([0xaa; 32]);
const STAKE: u128 = 20;
const BOND: u128 = 200;
/// Milliseconds over which orders come.
const ORDERS_MS: u64 = 150_000;
const RIGHT: ValuesDigest = ValuesDigest(Digest([1; 32]));
const WRONG: ValuesDigest = ValuesDigest(Digest([2; 32]));

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Order(u64),
    Wait(u64),
    Answer(u64, JobId, u64),
    Prove(u64, JobId),
    /// Somebody shows that an answer is wrong.
    Challenge(JobId),
    Leave(u64),
    Return(u64),
    Tick,
    /// A node is killed and started again, once a second.
    KillNode,
    /// The coordinator is killed and started again; at times it has lost its queue too.
    KillCoordinator,
}

/// What happens in a simulation.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) jobs: u64,
    pub(crate) kills: bool,
    /// Prices rise until a node takes the job, and nodes want something.
    pub(crate) rising: bool,
    /// The address of a NATS server, for its queue; else there is one in SQLite.
    pub(crate) nats: Option<String>,
}

struct World {
    market: Market<Numbers, Box<dyn Queue>, Post>,
    mail: Mail,
    steps: BinaryHeap<Reverse<(u64, u64, Step)>>,
    order: u64,
    random: u64,
    gone: BTreeMap<u64, bool>,
    history: Vec<u8>,
    settled: BTreeMap<Kind, u64>,
    plan: Plan,
    /// Where the queue is, if it is on disk.
    folder: tempfile::TempDir,
    requests: BTreeMap<JobId, JobRequest>,
    answers: BTreeMap<JobId, SignedAnswer>,
}

fn request(number: u64, rising: Option<u64>) -> JobRequest {
    let ramp = rising.map(|now| rising::ramp(now / 1_000));
    let order = Order {
        chain_id: Decimal(7),
        buyer: BUYER,
        model: MODEL,
        input: Hex([3; 32]),
        nonce: Decimal(number),
        price: Decimal(if ramp.is_some() { rising::MOST } else { 10 }),
        stake: Decimal(STAKE),
        deadline: 900,
        sampling: None,
        ramp,
        sealed: None,
    };
    JobRequest { order, signature: Hex([0; 64]), input: Vec::new(), sealed: None }
}

fn queue(folder: &std::path::Path, plan: &Plan) -> Box<dyn Queue> {
    let max_deliveries = rules().max_deliveries;
    #[cfg(feature = "nats")]
    if let Some(url) = plan.nats.clone() {
        let market = plan.seed;
        let options = zkinfer_node::NatsOptions { url, nkey: None, market, max_deliveries };
        return Box::new(zkinfer_node::NatsQueue::open(&options).unwrap());
    }
    assert_eq!(plan.nats, None, "there is no such queue");
    let folder = folder.join("queue");
    std::fs::create_dir_all(&folder).unwrap();
    Box::new(SqliteQueue::open(&folder.join("queue.db"), max_deliveries).unwrap())
}

fn rules() -> Rules {
    Rules {
        answer_seconds: 2,
        prove_seconds: 20,
        max_stake: 20,
        probation_jobs: 1,
        max_deliveries: 50,
        ejection_seconds: 10,
        ..Rules::default()
    }
}

impl World {
    fn new(plan: Plan) -> Self {
        let Plan { seed, jobs, kills, .. } = plan;
        let mut numbers = Numbers::default();
        numbers.balances.insert(BUYER.address(), 1_000_000);
        numbers.bonds.extend((0..NODES).map(|node| (key(node).address(), BOND)));
        let folder = tempfile::tempdir().unwrap();
        let queue = queue(folder.path(), &plan);
        let market = Market::restore(rules(), numbers, queue, seed, |_| None).unwrap();
        let mut world = Self {
            market,
            mail: Mail::default(),
            steps: BinaryHeap::new(),
            order: 0,
            random: seed,
            gone: BTreeMap::new(),
            history: Vec::new(),
            settled: BTreeMap::new(),
            plan,
            folder,
            requests: BTreeMap::new(),
            answers: BTreeMap::new(),
        };
        for node in 0..NODES {
            world.arrive(node, 0);
            if Kind::of(node) == Kind::Fickle {
                let at = 1_000 + world.draw(ORDERS_MS);
                world.at(at, Step::Leave(node));
            }
        }
        if kills {
            world.at(1_000, Step::KillNode);
            world.at(7_000, Step::KillCoordinator);
        }
        for number in 0..jobs {
            let at = world.draw(ORDERS_MS);
            world.at(at, Step::Order(number));
        }
        world.at(200, Step::Tick);
        world
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.random >> 33) % below
    }

    fn at(&mut self, time: u64, step: Step) {
        self.order += 1;
        self.steps.push(Reverse((time, self.order, step)));
    }

    fn arrive(&mut self, node: u64, now: u64) {
        let slots = 8;
        let capabilities = Capabilities {
            models: vec![MODEL],
            slots,
            device: "cpu".to_owned(),
            memory_bytes: 0,
            asks: self.plan.rising.then(|| vec![rising::ask(node)]),
            key: None,
        };
        let held = match self.market.hello(key(node).address(), capabilities, now) {
            Ok(held) => held,
            // It has lost too much to lies, or to its absence.
            Err(MarketError::Refused(Refusal::InsufficientBond { .. })) => return,
            Err(error) => panic!("{error}"),
        };
        for offer in held {
            let job = JobId(offer.job.0);
            let kind = Kind::of(node);
            match (kind, offer.answered) {
                (Kind::Silent, _) | (Kind::Liar, true) => {}
                (_, false) => self.at(now + 1, Step::Answer(node, job, offer.prove_by)),
                (_, true) => self.at(now + kind.proof_ms(), Step::Prove(node, job)),
            }
        }
        for _ in 0..2 {
            self.at(now, Step::Wait(node));
        }
    }

    fn is_gone(&self, node: u64) -> bool {
        self.gone.get(&node) == Some(&true)
    }

    fn step(&mut self, now: u64, step: Step) {
        match step {
            Step::Order(number) => {
                let request = request(number, self.plan.rising.then_some(now));
                self.requests.insert(request.order.job(), request.clone());
                self.market.open(request, now).unwrap();
            }
            Step::Wait(node) if self.is_gone(node) => {}
            Step::Wait(node) => {
                let post = Post { node, mail: self.mail.clone() };
                match self.market.wait(key(node).address(), post, now) {
                    Ok(()) => {}
                    // The coordinator was started anew.
                    Err(MarketError::UnknownNode) => self.arrive(node, now),
                    Err(error) => panic!("{error}"),
                }
            }
            Step::Answer(node, job, prove_by) => self.answer(node, job, prove_by, now),
            Step::Prove(node, job) => {
                let word = Word { job, prover: key(node).address(), output: RIGHT };
                if !self.is_gone(node) {
                    expected(self.market.prove(word, now).map(|_| ()));
                }
            }
            Step::Challenge(job) => {
                let word = Word { job, prover: BUYER.address(), output: RIGHT };
                expected(self.market.contradict(job, &word, now));
            }
            Step::Leave(node) => {
                self.gone.insert(node, true);
                let back = now + 40_000;
                self.at(back, Step::Return(node));
            }
            Step::Return(node) => {
                self.gone.insert(node, false);
                self.arrive(node, now);
            }
            Step::KillNode => {
                let node = self.draw(NODES);
                if Kind::of(node) != Kind::Fickle && !self.is_gone(node) {
                    self.gone.insert(node, true);
                    self.at(now + 1_500, Step::Return(node));
                }
                self.at(now + 1_000, Step::KillNode);
            }
            Step::KillCoordinator => self.kill_coordinator(now),
            Step::Tick => {
                self.market.tick(now).unwrap();
                self.heartbeat(now);
                self.at(now + 200, Step::Tick);
            }
        }
    }

    /// Only the ledger is left, and at times the queue, which says then what was said before.
    fn kill_coordinator(&mut self, now: u64) {
        let nothing: Box<dyn Queue> = Box::new(SqliteQueue::in_memory(1).unwrap());
        let empty = Market::restore(rules(), Numbers::default(), nothing, 0, |_| None).unwrap();
        let numbers = std::mem::replace(&mut self.market, empty).into_ledger();
        if self.draw(2) == 0 && self.plan.nats.is_none() {
            std::fs::remove_dir_all(self.folder.path().join("queue")).unwrap();
        }
        let queue = queue(self.folder.path(), &self.plan);
        let (requests, answers) = (&self.requests, &self.answers);
        let remains = |job| {
            let request = requests.get(&job)?.clone();
            Some(Remains { request, answer: answers.get(&job).cloned(), lot: None, part: None })
        };
        let seed = self.plan.seed + now;
        self.market = Market::restore(rules(), numbers, queue, seed, remains).unwrap();
        self.at(now + 7_000, Step::KillCoordinator);
    }

    /// Nodes poll again and again, which is their sign of life.
    fn heartbeat(&mut self, now: u64) {
        if now.is_multiple_of(5_000) {
            for node in (0..NODES).filter(|node| !self.is_gone(*node)).collect::<Vec<_>>() {
                self.step(now, Step::Wait(node));
            }
        }
    }

    fn answer(&mut self, node: u64, job: JobId, prove_by: u64, now: u64) {
        if self.is_gone(node) {
            return;
        }
        let lies = Kind::of(node) == Kind::Liar;
        let output = if lies { WRONG } else { RIGHT };
        let answer = Answer {
            chain_id: Decimal(7),
            job: Hex(job.0),
            model: MODEL,
            input: Hex([3; 32]),
            output: Hex(output.0.0),
            execution: Hex([0; 32]),
            rate: ALWAYS,
            reveal_by: 0,
            prove_by,
            node: key(node),
        };
        let signed = SignedAnswer {
            answer,
            signature: Hex([0; 64]),
            output: Vec::new(),
            trace: Vec::new(),
            spans: None,
        };
        let Some(()) = expected(self.market.answer(signed.clone(), now)) else { return };
        self.answers.insert(job, signed);
        if lies {
            // Every other lie is shown by somebody; the rest cannot be proven in time.
            if self.draw(2) == 0 {
                self.at(now + 3_000, Step::Challenge(job));
            }
        } else {
            let after = Kind::of(node).proof_ms() + self.draw(500);
            self.at(now + after, Step::Prove(node, job));
        }
    }

    /// Lets nodes work on what they got, and notes what has happened.
    fn react(&mut self, now: u64) {
        let mail: Vec<_> = self.mail.borrow_mut().drain(..).collect();
        for (node, offer) in mail {
            if self.plan.rising {
                rising::check(node, &offer);
            }
            let kind = Kind::of(node);
            if kind != Kind::Silent {
                let job = JobId(offer.job.0);
                let after = kind.answer_ms() + self.draw(10);
                self.at(now + after, Step::Answer(node, job, offer.prove_by));
            }
            self.at(now + 1, Step::Wait(node));
        }
        for (job, event) in self.market.take_events() {
            self.history.extend(job.0);
            self.history.extend(event.name().bytes());
            if let Event::Settled { node, .. } = event {
                let number = (0..NODES).find(|number| key(*number).address() == node).unwrap();
                *self.settled.entry(Kind::of(number)).or_default() += 1;
            }
        }
    }

    fn run(&mut self) {
        let total = self.market.ledger().total();
        while let Some(Reverse((now, _, step))) = self.steps.pop() {
            let ticks = step == Step::Tick;
            self.step(now, step);
            self.react(now);
            if ticks {
                assert_eq!(self.market.ledger().total(), total, "money is conserved");
                if now > ORDERS_MS && self.market.live_count() == 0 {
                    return;
                }
            }
        }
    }
}

/// What a node that was too late is told; anything else is a fault of the market.
fn expected(outcome: Result<(), MarketError>) -> Option<()> {
    match outcome {
        Ok(()) => Some(()),
        Err(
            MarketError::NotLive { .. }
            | MarketError::Refused(
                Refusal::Prover { .. }
                | Refusal::Payee { .. }
                | Refusal::NotStaked { .. }
                | Refusal::NoAnswer
                | Refusal::NoContradiction { .. }
                | Refusal::LeaseOver { .. }
                | Refusal::LeaseEnd { .. }
                | Refusal::AlreadyAnswered { .. }
                | Refusal::AlreadySettled { .. },
            ),
        ) => None,
        Err(error) => panic!("{error}"),
    }
}

/// The bond of a kind of nodes, all together.
fn bonds(world: &World, kind: Kind) -> u128 {
    let bonds = &world.market.ledger().bonds;
    let of_kind = (0..NODES).filter(|node| Kind::of(*node) == kind);
    of_kind.map(|node| bonds[&Address(key(node).address().0)]).sum()
}

fn count(kind: Kind) -> u128 {
    u128::try_from((0..NODES).filter(|node| Kind::of(*node) == kind).count()).unwrap()
}

#[test]
fn nothing_is_lost_and_nothing_paid_twice_among_the_slow_the_lying_and_the_gone() {
    for seed in [1, 2] {
        let jobs = 1_500;
        let mut world = World::new(Plan { seed, jobs, kills: false, rising: false, nats: None });
        world.run();
        let numbers = world.market.ledger();
        assert_eq!(numbers.jobs.len() as u64, jobs);
        assert!(numbers.paid.values().all(|times| *times == 1));
        let ended = |name: &str| {
            numbers.jobs.values().filter(|contract| contract.phase.name() == name).count()
        };
        let (settled, slashed) = (ended("settled"), ended("slashed"));
        println!("seed {seed}: {settled} settled, {slashed} slashed, {:?}", world.settled);
        // Every job is done, but for those whose buyer has got price and stake of a liar.
        assert_eq!(settled + slashed, numbers.jobs.len());
        assert_eq!(settled, numbers.paid.len());
        assert!(slashed > 0 && slashed < 100, "{slashed}");
        for honest in [Kind::Quick, Kind::Slow, Kind::Silent] {
            assert_eq!(bonds(&world, honest), BOND * count(honest), "{honest:?} lost a stake");
        }
        assert!(bonds(&world, Kind::Liar) < BOND * count(Kind::Liar) * 4 / 5, "lying costs");
        assert_eq!(world.settled.get(&Kind::Liar), None);
        let each = |kind| u128::from(world.settled[&kind]) * 1_000 / count(kind);
        assert!(each(Kind::Quick) > each(Kind::Slow), "the quick get more");
    }
}

/// A node is killed every second, the coordinator every seventh, which then has only the ledger and
/// at times a queue that is behind it or ahead.
#[test]
fn ten_thousand_jobs_survive_nodes_and_coordinators_that_are_killed() {
    survive(Plan { seed: 3, jobs: 10_000, kills: true, rising: false, nats: None });
}

pub(crate) fn survive(plan: Plan) {
    let (jobs, start) = (plan.jobs, std::time::Instant::now());
    let mut world = World::new(plan);
    world.run();
    println!("{jobs} jobs in {:?}", start.elapsed());
    let numbers = world.market.ledger();
    assert_eq!(numbers.jobs.len() as u64, jobs);
    assert!(numbers.paid.values().all(|times| *times == 1), "none is paid twice");
    let ended =
        |name: &str| numbers.jobs.values().filter(|contract| contract.phase.name() == name).count();
    println!("{} settled, {} slashed", ended("settled"), ended("slashed"));
    assert_eq!(ended("settled") + ended("slashed"), numbers.jobs.len(), "none is lost");
    assert_eq!(ended("settled"), numbers.paid.len());
}

#[test]
fn a_simulation_runs_the_same_way_each_time() {
    let history = |seed| {
        let mut world =
            World::new(Plan { seed, jobs: 300, kills: false, rising: false, nats: None });
        world.run();
        keccak256(&[&world.history])
    };
    assert_eq!(history(5), history(5));
    assert_ne!(history(5), history(6));
}
