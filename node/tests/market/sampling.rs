//! Answers of which only those that are drawn must be proven: in virtual time, and over HTTP.

use std::{cell::RefCell, rc::Rc};

use zkinfer::verifier::Digest;
use zkinfer_node::{
    ALWAYS, Answer, Capabilities, Decimal, Hex, Identity, JobRequest, Market, MarketError, Offer,
    Order, Outcome, PublicKey, Remains, RevealError, Rules, Sampling, SignedAnswer, SqliteQueue,
    Wait, Waiter, is_drawn, secret,
};
use zkinfer_settlement::{JobId, ValuesDigest};

use crate::{
    common::{Coordinator, Node, PLAY_MONEY, PRICE, config, identity, request},
    simulation::ledger::{Numbers, Word},
};

const MODEL: Hex<32> = Hex([0xaa; 32]);
const RIGHT: ValuesDigest = ValuesDigest(Digest([1; 32]));
const WRONG: ValuesDigest = ValuesDigest(Digest([2; 32]));
const PAID: u128 = 10;
const STAKE: u128 = 200;
const NODE: PublicKey = Hex([0xcc; 32]);

type Mail = Rc<RefCell<Vec<Offer>>>;

#[derive(Debug)]
struct Post(Mail);

impl Waiter for Post {
    fn is_closed(&self) -> bool {
        false
    }

    fn deliver(self, offer: Offer) {
        self.0.borrow_mut().push(offer);
    }
}

fn rules() -> Rules {
    Rules {
        answer_seconds: 2,
        prove_seconds: 20,
        reveal_seconds: 10,
        max_stake: 200,
        probation_jobs: 1,
        max_deliveries: 100,
        ..Rules::default()
    }
}

/// A market with one node, one buyer, and a clock.
struct Small {
    market: Market<Numbers, SqliteQueue, Post>,
    mail: Mail,
    now: u64,
    buyer: Identity,
    orders: u64,
}

impl Small {
    fn new(seed: u64) -> Self {
        let buyer = Identity::from_seed([1; 32]);
        let mut numbers = Numbers::default();
        numbers.balances.insert(buyer.address(), 1_000_000);
        numbers.bonds.insert(NODE.address(), 1_000_000);
        let queue = SqliteQueue::in_memory(rules().max_deliveries).unwrap();
        let market = Market::restore(rules(), numbers, queue, seed, |_| None).unwrap();
        let mail = Mail::default();
        let mut small = Self { market, mail, now: 1_000_000, buyer, orders: seed << 32 };
        small.hello();
        // The first proof makes it trusted.
        let offer = small.ordered(ALWAYS);
        assert_eq!((offer.rate, offer.reveal_by), (ALWAYS, 0));
        small.answer(&offer, RIGHT);
        assert_eq!(small.prove(JobId(offer.job.0)).unwrap(), Outcome::Paid);
        small
    }

    fn hello(&mut self) -> Vec<Offer> {
        let (device, slots) = ("cpu".to_owned(), 8);
        let capabilities = Capabilities { models: vec![MODEL], slots, device, memory_bytes: 0 };
        let held = self.market.hello(NODE.address(), capabilities, self.now).unwrap();
        self.wait();
        held
    }

    fn wait(&mut self) {
        let post = Post(self.mail.clone());
        self.market.wait(NODE.address(), post, self.now).unwrap();
    }

    fn request(&mut self, rate: u32) -> JobRequest {
        self.orders += 1;
        let order = Order {
            chain_id: Decimal(7),
            buyer: self.buyer.public_key(),
            model: MODEL,
            input: Hex([3; 32]),
            nonce: Decimal(self.orders),
            price: Decimal(PAID),
            stake: Decimal(STAKE),
            deadline: self.now / 1_000 + 10_000,
            sampling: None,
        };
        let sampling = Some(Sampling::new(rate, &order, &self.buyer));
        Order { sampling, ..order }.request(&self.buyer, Vec::new())
    }

    /// The offer of a new order.
    fn ordered(&mut self, rate: u32) -> Offer {
        let request = self.request(rate);
        self.market.open(request, self.now).unwrap();
        self.offered()
    }

    /// The next offer, after whatever rest the node has.
    fn offered(&mut self) -> Offer {
        for _ in 0..100_000 {
            self.forget_drawn();
            if let Some(offer) = self.mail.borrow_mut().pop() {
                return offer;
            }
            self.pass(1);
        }
        panic!("nothing is offered")
    }

    /// Drops the word that an answer is drawn: these nodes know it from the lot.
    fn forget_drawn(&self) {
        self.mail.borrow_mut().retain(|offer| !offer.answered);
    }

    /// Lets seconds pass, in which the node shows that it is there.
    fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now += 1_000;
            self.market.tick(self.now).unwrap();
            self.forget_drawn();
            if self.mail.borrow().is_empty() {
                self.wait();
            }
        }
    }

    fn answer(&mut self, offer: &Offer, output: ValuesDigest) -> Answer {
        let answer = Answer {
            chain_id: Decimal(7),
            job: offer.job,
            model: MODEL,
            input: Hex([3; 32]),
            output: Hex(output.0.0),
            execution: Hex([0; 32]),
            rate: offer.rate,
            reveal_by: offer.reveal_by,
            prove_by: offer.prove_by,
            node: NODE,
        };
        let (signature, output, trace) = (Hex([0; 64]), Vec::new(), Vec::new());
        let signed = SignedAnswer { answer: answer.clone(), signature, output, trace };
        self.market.answer(signed, self.now).unwrap();
        answer
    }

    fn reveal(&mut self, offer: &Offer) -> Result<bool, MarketError> {
        let rate = offer.order.sampling.as_ref().unwrap().rate;
        let secret = secret(rate, &offer.order, &self.buyer);
        self.market.reveal(JobId(offer.job.0), secret, self.now)?;
        Ok(self.state(offer) == "staked")
    }

    fn prove(&mut self, job: JobId) -> Result<Outcome, MarketError> {
        let word = Word { job, prover: NODE.address(), output: RIGHT };
        self.market.prove(word, self.now)
    }

    fn state(&self, offer: &Offer) -> &'static str {
        self.market.ledger().jobs[&JobId(offer.job.0)].phase.name()
    }
}

/// What a node that lies has been through.
#[derive(Default)]
struct Record {
    lies: u32,
    caught: u32,
    /// Sums over lies: of the rates at which they were told, and of the variances.
    expected: f64,
    variance: f64,
    after_doubt: Vec<u32>,
}

/// Lies every other time that it is not sure to be caught, until so many orders are over.
fn cheat(small: &mut Small, least: u32, orders: u32, record: &mut Record) {
    for number in 0..orders {
        let offer = small.ordered(least);
        if record.caught > 0 && offer.rate < ALWAYS {
            record.after_doubt.push(offer.rate);
        }
        if offer.rate == ALWAYS || number % 2 == 0 {
            small.answer(&offer, RIGHT);
            if offer.rate == ALWAYS || small.reveal(&offer).unwrap() {
                assert_eq!(small.prove(JobId(offer.job.0)).unwrap(), Outcome::Paid);
            }
            continue;
        }
        small.answer(&offer, WRONG);
        let rate = f64::from(offer.rate) / f64::from(ALWAYS);
        record.lies += 1;
        record.expected += rate;
        record.variance += rate * (1.0 - rate);
        if small.reveal(&offer).unwrap() {
            record.caught += 1;
            // It has no proof: the stake goes to the buyer, and the job comes back, to be proven now
            // whoever answers, because the secret is known.
            small.pass(offer.prove_by - small.now / 1_000 + 1);
            let again = small.offered();
            assert_eq!((again.job, again.rate), (offer.job, ALWAYS));
            small.answer(&again, RIGHT);
            assert_eq!(small.prove(JobId(again.job.0)).unwrap(), Outcome::Paid);
        }
    }
}

#[test]
fn a_cheater_is_caught_at_the_predicted_rate_and_loses_by_it() {
    let least = 100_000;
    let mut record = Record::default();
    let (mut bonds, mut honest_rates) = (0, Vec::new());
    for seed in 0..30 {
        let mut small = Small::new(seed);
        honest_rates.push(small.market.nodes(small.now)[0].doubts);
        let total = small.market.ledger().total();
        let before = record.caught;
        let mut own = Record::default();
        cheat(&mut small, least, 80, &mut own);
        record.lies += own.lies;
        record.caught += own.caught;
        record.expected += own.expected;
        record.variance += own.variance;
        record.after_doubt.extend(own.after_doubt);
        assert_eq!(small.market.ledger().total(), total, "money is conserved");
        let lost = 1_000_000 - small.market.ledger().bonds[&NODE.address()];
        assert_eq!(lost, u128::from(record.caught - before) * STAKE);
        bonds += lost;
    }
    let Record { lies, caught, expected, variance, after_doubt } = record;
    println!("{lies} lies, {caught} caught, {expected:.1} expected, ± {:.1}", variance.sqrt());
    assert!(lies > 800, "{lies}");
    assert!(
        (f64::from(caught) - expected).abs() <= 4.0 * variance.sqrt(),
        "{caught} of {expected}"
    );
    // A rate of 0.1, a price of 10 and a stake of 200: a lie costs 0.1 · 210 and earns at most 10.
    assert!(bonds > u128::from(lies - caught) * PAID, "lying does not pay");
    // Each doubt doubles the rate, and each proof takes a doubt away.
    assert!(honest_rates.iter().all(|doubts| *doubts == 0));
    assert!(after_doubt.contains(&(2 * least)) && after_doubt.contains(&least));
}

#[test]
fn who_is_silent_loses_his_side_of_the_lot() {
    // The buyer: the answer is paid, right after the last moment to reveal.
    let mut small = Small::new(1);
    let offer = small.ordered(1);
    small.answer(&offer, WRONG);
    let left = offer.reveal_by - small.now / 1_000;
    small.pass(left);
    assert_eq!(small.state(&offer), "staked");
    small.pass(2);
    assert_eq!(small.state(&offer), "accepted");
    assert!(matches!(small.reveal(&offer), Err(MarketError::NotLive { .. })));
    // The node: its stake is the buyer's.
    let offer = small.ordered(ALWAYS - 1);
    small.answer(&offer, WRONG);
    assert!(small.reveal(&offer).unwrap());
    let bond = small.market.ledger().bonds[&NODE.address()];
    let left = offer.prove_by - small.now / 1_000;
    small.pass(left);
    assert_eq!(small.state(&offer), "staked");
    small.pass(1);
    assert_eq!(small.state(&offer), "open");
    assert_eq!(small.market.ledger().bonds[&NODE.address()], bond);
    assert_eq!(small.market.nodes(small.now)[0].doubts, 1);
}

#[test]
fn a_secret_draws_a_lot_only_after_the_answer_and_only_its_own() {
    let mut small = Small::new(1);
    let offer = small.ordered(500_000);
    let refused = |small: &mut Small, offer: &Offer| match small.reveal(offer).unwrap_err() {
        MarketError::Reveal(error) => error,
        other => panic!("{other}"),
    };
    assert_eq!(refused(&mut small, &offer), RevealError::NoAnswer);
    let answer = small.answer(&offer, RIGHT);
    let other = small.market.reveal(JobId(offer.job.0), Hex([1; 32]), small.now).unwrap_err();
    assert!(matches!(other, MarketError::Reveal(RevealError::Commitment)), "{other}");
    let own = secret(500_000, &offer.order, &small.buyer);
    assert_eq!(small.reveal(&offer).unwrap(), is_drawn(&own, &answer));
    // An answer under other conditions than the offer's binds nobody.
    let offer = small.ordered(500_000);
    let easier = Offer { rate: 500_001, ..offer.clone() };
    let signed = |offer: &Offer| {
        let answer = Answer { rate: offer.rate, job: offer.job, ..answer.clone() };
        SignedAnswer { answer, signature: Hex([0; 64]), output: Vec::new(), trace: Vec::new() }
    };
    let refused = small.market.answer(signed(&easier), small.now).unwrap_err();
    assert!(refused.to_string().contains("answer.rate"), "{refused}");
}

/// What is on disk after a crash decides, and decides the same.
#[test]
fn a_lot_is_drawn_once_whenever_the_coordinator_is_killed() {
    for nonce in 0..12 {
        let mut small = Small::new(nonce);
        let offer = small.ordered(500_000);
        let answer = small.answer(&offer, RIGHT);
        let own = secret(500_000, &offer.order, &small.buyer);
        let drawn = is_drawn(&own, &answer);
        let (signature, output, trace) = (Hex([0; 64]), Vec::new(), Vec::new());
        let signed = SignedAnswer { answer, signature, output, trace };
        let request = JobRequest {
            order: offer.order.clone(),
            signature: offer.signature,
            input: Vec::new(),
        };
        // The secret had reached the disk, and nothing that followed from it.
        let numbers = {
            let queue = SqliteQueue::in_memory(1).unwrap();
            let empty = Market::restore(rules(), Numbers::default(), queue, 0, |_| None).unwrap();
            std::mem::replace(&mut small.market, empty).into_ledger()
        };
        let queue = SqliteQueue::in_memory(rules().max_deliveries).unwrap();
        let remains = |_| {
            let (request, answer) = (request.clone(), Some(signed.clone()));
            Some(Remains { request, answer, secret: Some(own) })
        };
        small.market = Market::restore(rules(), numbers, queue, 0, remains).unwrap();
        small.mail.borrow_mut().clear();
        small.market.tick(small.now).unwrap();
        let held = small.hello();
        if drawn {
            assert_eq!(small.state(&offer), "staked");
            assert_eq!((held.len(), held[0].answered, held[0].prove_by), (1, true, offer.prove_by));
            assert_eq!(small.prove(JobId(offer.job.0)).unwrap(), Outcome::Paid);
        } else {
            assert_eq!((small.state(&offer), held.len()), ("accepted", 0));
        }
    }
}

#[test]
fn a_buyer_has_some_answers_proven_and_others_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let coordinator = Coordinator::start(&config(&folder.path().join("market")));
    let node = Node::start(&coordinator.url, folder.path());
    let (client, chain_id) = coordinator.client();
    let buyer = identity(1);
    let sampled = |nonce| {
        let plain = request(&buyer, chain_id, nonce, 600);
        let sampling = Some(Sampling::new(500_000, &plain.order, &buyer));
        Order { sampling, ..plain.order }.request(&buyer, plain.input)
    };
    let end = |job| {
        let views = std::iter::repeat_with(|| client.job(job, Wait::End).unwrap());
        views.into_iter().find(|view| view.at.is_some()).unwrap()
    };
    // On probation: proven without a lot.
    let first = sampled(0);
    let view = client.submit(&first, Wait::Answer).unwrap();
    assert_eq!(view.answer.unwrap().answer.rate, ALWAYS);
    assert_eq!(end(first.order.job()).state, "settled");
    let own = secret(500_000, &first.order, &buyer);
    assert_eq!(client.reveal(first.order.job(), own).unwrap_err().problem(), Some("not-found"));

    let (mut proven, mut accepted) = (0u32, 0u32);
    for nonce in 1..64 {
        let ordered = sampled(nonce);
        let job = ordered.order.job();
        let view = client.submit(&ordered, Wait::Answer).unwrap();
        let answer = view.answer.unwrap().answer;
        assert_eq!(answer.rate, 500_000);
        let own = secret(500_000, &ordered.order, &buyer);
        let drawn = is_drawn(&own, &answer);
        let revealed = client.reveal(job, own).unwrap();
        assert_eq!(revealed.state == "accepted", !drawn, "{}", revealed.state);
        assert_eq!(end(job).state, if drawn { "settled" } else { "accepted" });
        assert_eq!(client.job(job, Wait::None).unwrap().secret, Some(own));
        *(if drawn { &mut proven } else { &mut accepted }) += 1;
        if proven > 0 && accepted > 0 {
            break;
        }
    }
    assert!(proven > 0 && accepted > 0);
    let paid = u128::from(proven + accepted + 1) * PRICE;
    let account = client.account(node.identity.address()).unwrap();
    let play_money = u128::from(PLAY_MONEY);
    assert_eq!((account.balance, account.bond), (Decimal(play_money - 200 + paid), Decimal(200)));
    node.stop();
}
