//! Models in parts, in virtual time: the market's own code over numbers, with nodes that are gone, that
//! lie, and a coordinator that is started anew at any step.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, sync::Arc};

use zkinfer::verifier::{ClaimedValues, Digest, KeyDigest, Manifest};
use zkinfer_node::{
    ALWAYS, Answer, Blinding, Capabilities, Decimal, Division, Event, Hex, Identity, JobRequest,
    Market, MarketError, Offer, Order, PartRemains, Place, PublicKey, Queue, Remains, Rules,
    SignedAnswer, SqliteQueue, Waiter,
};
use zkinfer_settlement::{JobId, ValuesDigest};

use crate::{
    simulation::ledger::{Numbers, Word},
    small::rules,
};

pub(crate) mod faults;
mod payment;

const PARTS: usize = 4;
const NODES: u8 = 6;
const STAKE: u128 = 200;
const PRICE: u128 = 10;
const BOND: u128 = 1_000;
const INPUT: [i64; 2] = [7, 8];

type Mail = Rc<RefCell<Vec<(u8, Offer)>>>;

#[derive(Debug)]
struct Post(u8, Mail);

impl Waiter for Post {
    fn is_closed(&self) -> bool {
        false
    }

    fn deliver(self, offer: Offer) {
        self.1.borrow_mut().push((self.0, offer));
    }
}

fn key(node: u8) -> PublicKey {
    Hex([node + 100; 32])
}

fn digest(values: &[i64]) -> ValuesDigest {
    ValuesDigest::of(&ClaimedValues::Public(values.to_vec()))
}

/// What a part gives on what it takes.
fn given(part: usize, taken: &[i64]) -> Vec<i64> {
    vec![taken.iter().sum::<i64>() + i64::try_from(part).unwrap()]
}

/// Parts of one weight.
fn division() -> Arc<Division> {
    let parts = (1..).take(PARTS).map(|part| KeyDigest(Digest([part; 32]))).collect();
    Arc::new(Division::new(Manifest { model: Digest([0x55; 32]), parts }, [1; PARTS]))
}

/// What the coordinator's files have.
#[derive(Default)]
struct Files {
    requests: BTreeMap<JobId, (JobRequest, Place, Option<Arc<Blinding>>)>,
    answers: BTreeMap<JobId, SignedAnswer>,
    proofs: BTreeMap<JobId, u8>,
}

/// A market of a model in parts, with nodes that do what the test says.
pub(crate) struct Parts {
    market: Market<Numbers, Box<dyn Queue>, Post>,
    mail: Mail,
    now: u64,
    buyer: Identity,
    division: Arc<Division>,
    whole: JobId,
    files: Files,
    queue: Box<dyn Fn() -> Box<dyn Queue>>,
    total: u128,
}

fn part_rules() -> Rules {
    Rules { max_deliveries: 3, ..rules() }
}

impl Parts {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::with(Box::new(move || {
            let path = folder.path().join("queue.db");
            Box::new(SqliteQueue::open(&path, part_rules().max_deliveries).unwrap())
        }))
    }

    /// All nodes are there, and trusted by what they have proven before; nothing is ordered.
    pub(crate) fn with(queue: Box<dyn Fn() -> Box<dyn Queue>>) -> Self {
        let buyer = Identity::from_seed([1; 32]);
        let mut numbers = Numbers::default();
        numbers.balances.insert(buyer.address(), 1_000);
        numbers.bonds.extend((0..NODES).map(|node| (key(node).address(), BOND)));
        let total = numbers.total();
        let market = Market::restore(part_rules(), numbers, queue(), 7, |_| None).unwrap();
        let (mail, division, files) = (Mail::default(), division(), Files::default());
        let whole = JobId([0; 32]);
        let now = 1_000_000;
        Self { market, mail, now, buyer, division, whole, files, queue, total }
    }

    fn hello(&mut self, node: u8) -> Vec<Offer> {
        let models = self.division.manifest().parts.iter().map(|model| Hex(model.0.0)).collect();
        let (device, asks) = ("cpu".to_owned(), None);
        let capabilities =
            Capabilities { models, slots: 1, device, memory_bytes: 0, asks, key: None };
        let held = self.market.hello(key(node).address(), capabilities, self.now).unwrap();
        self.wait(node);
        held
    }

    fn wait(&mut self, node: u8) {
        let post = Post(node, self.mail.clone());
        self.market.wait(key(node).address(), post, self.now).unwrap();
        self.note();
    }

    fn request(&self) -> JobRequest {
        let order = Order {
            chain_id: Decimal(7),
            buyer: self.buyer.public_key(),
            model: Hex(self.division.manifest().root().0),
            input: Hex(digest(&INPUT).0.0),
            nonce: Decimal(3),
            price: Decimal(PRICE * 4),
            stake: Decimal(STAKE),
            deadline: self.now / 1_000 + 10_000,
            sampling: None,
            ramp: None,
            sealed: None,
        };
        order.request(&self.buyer, INPUT.to_vec())
    }

    fn order(&mut self) {
        let request = self.request();
        self.whole = request.order.job();
        let blindings = (1..).take(PARTS - 1).map(|byte| vec![vec![Hex([byte; 32]); 10]]).collect();
        let division = self.division.clone();
        let job = self.market.open_parts(request, &division, blindings, self.now).unwrap();
        assert_eq!(job, self.whole);
        self.note();
    }

    fn job(&self, part: usize) -> JobId {
        JobId(self.division.manifest().part_job(part, &self.whole.0))
    }

    /// What the coordinator keeps of what has happened.
    fn note(&mut self) {
        for (job, event) in self.market.take_events() {
            match event {
                Event::Opened { request, part: Some((place, blinding)), .. } => {
                    let request = request.as_ref().clone();
                    self.files.requests.insert(job, (request, place, blinding));
                }
                Event::Answered { answer, .. } => {
                    self.files.answers.insert(job, answer.as_ref().clone());
                }
                Event::Released { .. } => {
                    self.files.proofs.remove(&job);
                }
                _ => {}
            }
        }
        assert_eq!(self.market.ledger().total(), self.total, "money is conserved");
    }

    /// Only ledger, queue and files are left; the nodes come back, and are told what they have.
    fn restart(&mut self, gone: &[u8]) -> Vec<(u8, Offer)> {
        self.mail.borrow_mut().clear();
        let numbers = self.market.ledger().clone();
        let nothing: Box<dyn Queue> = Box::new(SqliteQueue::in_memory(1).unwrap());
        let empty = Market::restore(rules(), Numbers::default(), nothing, 0, |_| None).unwrap();
        drop(std::mem::replace(&mut self.market, empty));
        let (files, division) = (&self.files, &self.division);
        let remains = |job| {
            let (request, place, blinding) = files.requests.get(&job)?.clone();
            let proven_by = files.proofs.get(&job).map(|node| key(*node).address());
            let part = PartRemains { place, division: division.clone(), blinding, proven_by };
            let answer = files.answers.get(&job).cloned();
            Some(Remains { request, answer, lot: None, part: Some(part) })
        };
        self.market = Market::restore(part_rules(), numbers, (self.queue)(), 7, remains).unwrap();
        self.note();
        let mut held = Vec::new();
        for node in (0..NODES).filter(|node| !gone.contains(node)) {
            held.extend(self.hello(node).into_iter().map(|offer| (node, offer)));
        }
        held
    }

    fn offered(&mut self) -> Option<(u8, Offer)> {
        self.mail.borrow_mut().pop()
    }

    /// Lets seconds pass, in which nodes show that they are there.
    fn pass(&mut self, seconds: u64, gone: &[u8]) {
        for _ in 0..seconds {
            self.now += 1_000;
            self.market.tick(self.now).unwrap();
            for node in (0..NODES).filter(|node| !gone.contains(node)) {
                self.wait(node);
            }
        }
    }

    /// Lets time pass until a job is offered again.
    fn offered_again(&mut self, job: Hex<32>, gone: &[u8]) -> (u8, Offer) {
        self.mail.borrow_mut().clear();
        for _ in 0..100 {
            self.pass(1, gone);
            let mut mail = self.mail.borrow_mut();
            if let Some(place) = mail.iter().position(|(_, offer)| offer.job == job) {
                return mail.remove(place);
            }
        }
        panic!("it is not offered again")
    }

    fn signed(node: u8, offer: &Offer, output: Vec<i64>) -> SignedAnswer {
        let answer = Answer {
            chain_id: Decimal(7),
            job: offer.job,
            model: Hex([9; 32]),
            input: Hex(digest(&offer.input).0.0),
            output: Hex(digest(&output).0.0),
            execution: Hex([0; 32]),
            rate: ALWAYS,
            reveal_by: 0,
            prove_by: offer.prove_by,
            node: key(node),
        };
        SignedAnswer { answer, signature: Hex([0; 64]), output, trace: Vec::new(), spans: None }
    }

    fn answer(&mut self, node: u8, offer: &Offer) -> Result<(), MarketError> {
        let output = given(index(offer), &offer.input);
        self.answer_with(node, offer, output)
    }

    fn answer_with(
        &mut self,
        node: u8,
        offer: &Offer,
        output: Vec<i64>,
    ) -> Result<(), MarketError> {
        let answered = self.market.answer(Self::signed(node, offer, output), self.now);
        self.note();
        answered
    }

    /// The proof of a part on what was offered, of the values that are right.
    fn prove(&mut self, node: u8, offer: &Offer) -> Result<bool, MarketError> {
        self.prove_with(node, offer, &given(index(offer), &offer.input))
    }

    fn prove_with(&mut self, node: u8, offer: &Offer, output: &[i64]) -> Result<bool, MarketError> {
        let (job, node_address) = (JobId(offer.job.0), key(node).address());
        let values = [digest(&offer.input), digest(output)];
        let complete = self.market.deliver(job, node_address, values, self.now)?;
        self.files.proofs.insert(job, node);
        self.note();
        Ok(complete.is_some())
    }

    /// Pays everybody, as the proofs say.
    fn settle(&mut self) {
        let word = |part: usize| {
            let job = self.job(part);
            let prover = key(self.files.proofs[&job]).address();
            let last = part + 1 == PARTS;
            let values = &self.files.answers[&job].output;
            let output = digest(if last { values } else { &[] });
            Word { job, prover, output }
        };
        let words = (0..PARTS).map(word).collect();
        self.market.settle_parts(self.whole, words, self.now).unwrap();
        self.note();
        assert_eq!(self.market.part_jobs(self.whole), None, "nothing is left of it");
    }

    fn states(&self) -> Vec<&'static str> {
        let jobs = &self.market.ledger().jobs;
        (0..PARTS).map(|part| jobs[&self.job(part)].phase.name()).collect()
    }

    fn bond(&self, node: u8) -> u128 {
        self.market.ledger().bonds[&key(node).address()]
    }

    fn earned(&self, node: u8) -> u128 {
        self.market.ledger().balances.get(&key(node).address()).copied().unwrap_or(0)
    }

    fn buyers(&self) -> u128 {
        self.market.ledger().balances[&self.buyer.address()]
    }

    /// Takes, answers and proves everything that is offered, until all parts are paid.
    fn finish(&mut self, held: Vec<(u8, Offer)>, gone: &[u8]) {
        self.mail.borrow_mut().extend(held);
        let mut to_prove = Vec::new();
        for _ in 0..400 {
            while let Some((node, offer)) = self.offered() {
                // One whose part was taken from it meanwhile is told so.
                if !gone.contains(&node) && (offer.answered || self.answer(node, &offer).is_ok()) {
                    to_prove.push((node, offer));
                }
            }
            for (node, offer) in to_prove.split_off(0) {
                let _too_late = self.prove(node, &offer);
            }
            if !self.market.complete().is_empty() {
                self.settle();
                return;
            }
            self.pass(1, gone);
        }
        panic!("it never ends: {:?}", self.states());
    }
}

fn index(offer: &Offer) -> usize {
    usize::try_from(offer.part.as_ref().unwrap().index).unwrap()
}

/// Ordered, with all nodes waiting.
fn ordered() -> Parts {
    let mut parts = Parts::new();
    (0..NODES).for_each(|node| drop(parts.hello(node)));
    parts.order();
    parts
}

/// Every part is answered, each by a node of its own.
fn answered(parts: &mut Parts) -> Vec<(u8, Offer)> {
    let mut offers: Vec<(u8, Offer)> = Vec::new();
    for part in 0..PARTS {
        let (node, offer) = parts.offered().unwrap();
        assert_eq!((index(&offer), parts.offered()), (part, None), "one after the other");
        assert!(offers.iter().all(|(other, _)| *other != node), "on a node of its own");
        parts.answer(node, &offer).unwrap();
        offers.push((node, offer));
    }
    offers
}
