//! Models in parts, in virtual time: the market's own code over numbers, with nodes that are gone, that
//! lie, and a coordinator that is started anew at any step.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, sync::Arc};

use zkinfer::verifier::{ClaimedValues, Digest, KeyDigest, Manifest};
use zkinfer_node::{
    ALWAYS, Answer, Blinding, Capabilities, Decimal, Event, Hex, Identity, JobRequest, Market,
    MarketError, Offer, Order, PartRemains, Place, PublicKey, Queue, Remains, Rules, SignedAnswer,
    SqliteQueue, Waiter,
};
use zkinfer_settlement::{JobId, Refusal, ValuesDigest};

use crate::{
    simulation::ledger::{Numbers, Word},
    small::rules,
};

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

fn manifest() -> Arc<Manifest> {
    let parts = (1..).take(PARTS).map(|part| KeyDigest(Digest([part; 32]))).collect();
    Arc::new(Manifest { model: Digest([0x55; 32]), parts })
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
    manifest: Arc<Manifest>,
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
        let (mail, manifest, files) = (Mail::default(), manifest(), Files::default());
        let whole = JobId([0; 32]);
        let now = 1_000_000;
        Self { market, mail, now, buyer, manifest, whole, files, queue, total }
    }

    fn hello(&mut self, node: u8) -> Vec<Offer> {
        let models = self.manifest.parts.iter().map(|model| Hex(model.0.0)).collect();
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
            model: Hex(self.manifest.root().0),
            input: Hex(digest(&INPUT).0.0),
            nonce: Decimal(3),
            price: Decimal(PRICE),
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
        let manifest = self.manifest.clone();
        let job = self.market.open_parts(request, &manifest, blindings, self.now).unwrap();
        assert_eq!(job, self.whole);
        self.note();
    }

    fn job(&self, part: usize) -> JobId {
        JobId(self.manifest.part_job(part, &self.whole.0))
    }

    /// What the coordinator keeps of what has happened.
    fn note(&mut self) {
        for (job, event) in self.market.take_events() {
            match event {
                Event::Opened { request, part: Some((place, blinding)) } => {
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
        let (files, manifest) = (&self.files, &self.manifest);
        let remains = |job| {
            let (request, place, blinding) = files.requests.get(&job)?.clone();
            let proven_by = files.proofs.get(&job).map(|node| key(*node).address());
            let part = PartRemains { place, manifest: manifest.clone(), blinding, proven_by };
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

#[test]
fn parts_go_from_node_to_node_and_are_paid_together() {
    let mut parts = ordered();
    assert_eq!(parts.buyers(), 1_000 - PRICE * 4);
    let offers = answered(&mut parts);
    // Each takes what the one before gives, and both know the same blinding.
    let mut taken = INPUT.to_vec();
    for (part, pair) in offers.windows(2).enumerate() {
        let [(_, before), (_, behind)] = pair else { panic!("pairs") };
        assert_eq!(before.input, taken);
        taken = given(part, &taken);
        let given = before.part.as_ref().unwrap().given_blinding.as_ref().unwrap();
        assert_eq!(behind.part.as_ref().unwrap().taken_blinding.as_ref(), Some(given));
    }
    let ends = [&offers[0].1, &offers[3].1].map(|offer| offer.part.clone().unwrap());
    assert_eq!((&ends[0].taken_blinding, &ends[1].given_blinding), (&None, &None));
    // In any order; nobody is paid before the last one is there.
    for part in [2, 0, 3] {
        let (node, offer) = &offers[part];
        assert!(!parts.prove(*node, offer).unwrap());
        assert!(!parts.prove(*node, offer).unwrap(), "once more is no harm");
    }
    assert_eq!((parts.earned(offers[2].0), parts.market.complete()), (0, vec![]));
    let (node, offer) = &offers[1];
    assert!(parts.prove(*node, offer).unwrap());
    assert_eq!(parts.market.complete(), [parts.whole]);
    parts.settle();
    assert_eq!(parts.states(), ["settled"; PARTS]);
    for (node, _) in offers {
        assert_eq!((parts.earned(node), parts.bond(node)), (PRICE, BOND));
    }
    assert!(parts.market.ledger().paid.values().all(|times| *times == 1));
    // The same order once more is the same job.
    let request = parts.request();
    let manifest = parts.manifest.clone();
    let again = JobRequest {
        order: Order { deadline: request.order.deadline, ..request.order.clone() },
        ..request
    };
    let same = parts.market.open_parts(again, &manifest, Vec::new(), parts.now).unwrap();
    assert_eq!((same, parts.buyers()), (parts.whole, 1_000 - PRICE * 4));
}

#[test]
fn a_node_that_is_gone_loses_its_part_to_another() {
    // Before it has answered: nothing is lost. After it: its stake.
    for has_answered in [false, true] {
        let mut parts = ordered();
        let (first, offer) = parts.offered().unwrap();
        parts.answer(first, &offer).unwrap();
        parts.prove(first, &offer).unwrap();
        let (gone, lost) = parts.offered().unwrap();
        let mut kept = Vec::new();
        if has_answered {
            parts.answer(gone, &lost).unwrap();
            for _ in 2..PARTS {
                let (node, next) = parts.offered().unwrap();
                parts.answer(node, &next).unwrap();
                parts.prove(node, &next).unwrap();
                kept.push(JobId(next.job.0));
            }
        }
        let (other, offer) = parts.offered_again(lost.job, &[gone]);
        assert_ne!(other, gone);
        assert_eq!((&offer.input, &offer.part), (&lost.input, &lost.part), "the same links");
        if has_answered {
            // It comes to the same values, so what was built on them stays.
            parts.answer(other, &offer).unwrap();
            assert!(kept.iter().all(|job| parts.market.is_delivered(*job)));
            assert!(parts.prove(other, &offer).unwrap(), "it was the last that was missing");
            parts.settle();
        } else {
            parts.finish(vec![(other, offer)], &[gone]);
        }
        let loss = if has_answered { STAKE } else { 0 };
        assert_eq!((parts.bond(gone), parts.earned(gone)), (BOND - loss, 0));
        assert_eq!(parts.buyers(), 1_000 - PRICE * 4 + loss);
    }
}

#[test]
fn what_was_built_on_a_wrong_answer_is_void_and_costs_the_liar_alone() {
    let mut parts = ordered();
    let (first, offer) = parts.offered().unwrap();
    parts.answer(first, &offer).unwrap();
    parts.prove(first, &offer).unwrap();
    let (liar, lie) = parts.offered().unwrap();
    // What goes on from there has a moment longer.
    parts.now += 1_000;
    parts.answer_with(liar, &lie, vec![-99]).unwrap();
    // Two honest nodes go on from there, and one of them has proven its part.
    let (third, next) = parts.offered().unwrap();
    assert_eq!(next.input, [-99]);
    parts.answer(third, &next).unwrap();
    let (last, end) = parts.offered().unwrap();
    parts.answer(last, &end).unwrap();
    parts.prove(last, &end).unwrap();
    // The liar has no proof. Another answers what is right.
    let (other, offer) = parts.offered_again(lie.job, &[liar]);
    parts.answer(other, &offer).unwrap();
    assert_eq!(parts.bond(liar), BOND - STAKE);
    assert!([third, last].iter().all(|node| parts.bond(*node) >= BOND - STAKE));
    // A proof of what is void is told so.
    let refused = parts.prove(last, &end).unwrap_err();
    let named = matches!(
        refused,
        MarketError::Refused(Refusal::NotStaked { .. } | Refusal::NoAnswer | Refusal::Payee { .. })
            | MarketError::PartChanged
    );
    assert!(named, "{refused}");
    parts.prove(other, &offer).unwrap();
    parts.finish(Vec::new(), &[liar]);
    for node in (0..NODES).filter(|node| *node != liar) {
        assert_eq!(parts.bond(node), BOND, "{node}");
    }
    assert_eq!((parts.earned(liar), parts.bond(liar)), (0, BOND - STAKE));
    assert_eq!(parts.buyers(), 1_000 - PRICE * 4 + STAKE);
    let right = (0..PARTS).fold(INPUT.to_vec(), |taken, part| given(part, &taken));
    assert_eq!(parts.files.answers[&parts.job(3)].output, right);
}

#[test]
fn at_the_deadline_whoever_has_proven_keeps_the_stake() {
    let mut parts = ordered();
    let offers = answered(&mut parts);
    for (node, offer) in &offers[..3] {
        parts.prove(*node, offer).unwrap();
    }
    let deadline = offers[0].1.order.deadline;
    // All at once: no lease has lapsed before.
    parts.now = (deadline + 1) * 1_000;
    parts.market.tick(parts.now).unwrap();
    parts.note();
    assert_eq!(parts.states(), ["refunded", "refunded", "refunded", "slashed"]);
    for (node, _) in &offers[..3] {
        assert_eq!((parts.bond(*node), parts.earned(*node)), (BOND, 0));
    }
    assert_eq!((parts.bond(offers[3].0), parts.buyers()), (BOND - STAKE, 1_000 + STAKE));
    assert_eq!(parts.market.live_count(), 0);
}

#[test]
fn a_part_is_delivered_by_its_own_node_after_its_own_answer_alone() {
    let mut parts = ordered();
    let (node, offer) = parts.offered().unwrap();
    let stranger = (0..NODES).find(|other| *other != node).unwrap();
    let refused = parts.prove(node, &offer).unwrap_err();
    assert!(matches!(refused, MarketError::Refused(Refusal::NoAnswer)), "{refused}");
    parts.answer(node, &offer).unwrap();
    let refused = parts.prove(stranger, &offer).unwrap_err();
    assert!(matches!(refused, MarketError::Refused(Refusal::Payee { .. })), "{refused}");
    let refused = parts.prove_with(node, &offer, &[1, 2]).unwrap_err();
    assert!(matches!(refused, MarketError::PartChanged), "{refused}");
    let other_input = Offer { input: vec![1], ..offer.clone() };
    let refused = parts.prove(node, &other_input).unwrap_err();
    assert!(matches!(refused, MarketError::PartChanged), "{refused}");
    // An answer about something else than the part takes is none.
    let (second, next) = parts.offered().unwrap();
    let other_input = Offer { input: vec![1], ..next.clone() };
    let refused = parts.answer(second, &other_input).unwrap_err();
    assert_eq!(refused.to_string(), "answer.input: it is not that of the order");
    parts.answer(second, &next).unwrap();
    parts.prove(node, &offer).unwrap();
    parts.prove(second, &next).unwrap();
    parts.finish(Vec::new(), &[]);
}

#[test]
fn parts_are_taken_back_together_or_not_at_all() {
    let mut parts = Parts::new();
    parts.order();
    assert_eq!(parts.market.depth(parts.now).unwrap().waiting, 1, "only the first can begin");
    parts.market.cancel(parts.whole, parts.now).unwrap();
    parts.note();
    assert_eq!((parts.states(), parts.buyers()), (vec!["cancelled"; PARTS], 1_000));
    assert_eq!(parts.market.depth(parts.now).unwrap().waiting, 0);
    let mut parts = ordered();
    let (one, now) = (parts.job(3), parts.now);
    let refused = parts.market.cancel(one, now).unwrap_err();
    assert!(matches!(refused, MarketError::OnePart { .. }), "{refused}");
    let prover = key(parts.offered().unwrap().0).address();
    let refused = parts.market.cancel(parts.whole, parts.now).unwrap_err();
    let staked = Refusal::AlreadyStaked { prover };
    assert!(matches!(refused, MarketError::Refused(refusal) if refusal == staked), "{refused}");
    assert_eq!(parts.states(), ["staked", "open", "open", "open"]);
}

#[test]
fn parts_that_nobody_can_pay_for_are_not_opened() {
    let mut parts = Parts::new();
    let order = Order { stake: Decimal(STAKE + 1), ..parts.request().order };
    let manifest = parts.manifest.clone();
    let request = order.request(&parts.buyer, INPUT.to_vec());
    let refused = parts.market.open_parts(request, &manifest, Vec::new(), parts.now).unwrap_err();
    assert!(matches!(refused, MarketError::StakeTooLarge { .. }), "{refused}");
    assert_eq!(parts.market.live_count(), 0);
}

/// One job with a node that is gone and one that lies, in which the coordinator is started anew after
/// `kill` steps.
pub(crate) fn survive(mut parts: Parts, kill: usize) -> usize {
    let mut step = 0;
    (0..NODES).for_each(|node| drop(parts.hello(node)));
    parts.order();
    let mut to_prove: Vec<(u8, Offer)> = Vec::new();
    let (mut gone, mut has_lied) = (Vec::new(), false);
    for _ in 0..600 {
        let next = parts.offered();
        let acted = match next {
            Some((node, _)) if gone.contains(&node) => false,
            // The first node that has the second part is never heard of again.
            Some((node, offer)) if index(&offer) == 1 && gone.is_empty() => {
                gone.push(node);
                true
            }
            // The first that has the third part after that says something wrong.
            Some((node, offer)) if index(&offer) == 2 && !has_lied && !offer.answered => {
                has_lied = parts.answer_with(node, &offer, vec![-1]).is_ok();
                true
            }
            Some((node, offer)) => {
                if offer.answered || parts.answer(node, &offer).is_ok() {
                    to_prove.push((node, offer));
                }
                true
            }
            None => match to_prove.pop() {
                Some((node, offer)) => {
                    let _too_late = parts.prove(node, &offer);
                    true
                }
                None => false,
            },
        };
        if !parts.market.complete().is_empty() {
            parts.settle();
            break;
        }
        if acted {
            step += 1;
            if step == kill {
                to_prove.clear();
                let held = parts.restart(&gone);
                parts.mail.borrow_mut().extend(held);
            }
        } else {
            parts.pass(1, &gone);
        }
    }
    assert_eq!(parts.states(), ["settled"; PARTS], "killed after step {kill}");
    assert!(parts.market.ledger().paid.values().all(|times| *times == 1));
    let right = (0..PARTS).fold(INPUT.to_vec(), |taken, part| given(part, &taken));
    assert_eq!(parts.files.answers[&parts.job(3)].output, right);
    // Nobody but the liar has lost anything, and he only once.
    let lost: u128 = (0..NODES).map(|node| BOND - parts.bond(node)).sum();
    assert!(lost == 0 || lost == STAKE, "{lost} after step {kill}");
    step
}

#[test]
fn a_coordinator_that_is_killed_at_any_step_completes_the_parts_and_pays_none_twice() {
    let steps = survive(Parts::new(), usize::MAX);
    assert!(steps >= 10, "{steps}");
    for kill in 1..=steps {
        survive(Parts::new(), kill);
    }
}
