//! A market with one node, one buyer and a clock: the market's own code over numbers, in virtual time.

use std::{cell::RefCell, rc::Rc};

use tempfile::TempDir;
use zkinfer::verifier::Digest;
use zkinfer_node::{
    ALWAYS, Answer, Ask, Capabilities, Decimal, Hex, Identity, JobRequest, Lot, Market,
    MarketError, Offer, Order, Outcome, PublicKey, Remains, Rules, Sampling, SignedAnswer,
    SqliteQueue, Waiter, secret,
};
use zkinfer_settlement::{JobId, ValuesDigest};

use crate::simulation::ledger::{Numbers, Word};

pub(crate) const MODEL: Hex<32> = Hex([0xaa; 32]);
pub(crate) const RIGHT: ValuesDigest = ValuesDigest(Digest([1; 32]));
pub(crate) const WRONG: ValuesDigest = ValuesDigest(Digest([2; 32]));
pub(crate) const PAID: u128 = 10;
pub(crate) const STAKE: u128 = 200;
pub(crate) const NODE: PublicKey = Hex([0xcc; 32]);

pub(crate) type Mail = Rc<RefCell<Vec<Offer>>>;

#[derive(Debug)]
pub(crate) struct Post(Mail);

impl Waiter for Post {
    fn is_closed(&self) -> bool {
        false
    }

    fn deliver(self, offer: Offer) {
        self.0.borrow_mut().push(offer);
    }
}

pub(crate) fn rules() -> Rules {
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

fn queue_in(folder: &TempDir, rules: &Rules) -> SqliteQueue {
    SqliteQueue::open(&folder.path().join("queue.db"), rules.max_deliveries).unwrap()
}

/// A market with one node, one buyer, and a clock.
pub(crate) struct Small {
    pub(crate) market: Market<Numbers, SqliteQueue, Post>,
    pub(crate) mail: Mail,
    pub(crate) now: u64,
    pub(crate) buyer: Identity,
    orders: u64,
    rules: Rules,
    /// Where the queue is, which outlives the coordinator.
    folder: TempDir,
}

impl Small {
    /// A market whose node is trusted.
    pub(crate) fn new(seed: u64) -> Self {
        Self::with(seed, rules())
    }

    pub(crate) fn with(seed: u64, rules: Rules) -> Self {
        let buyer = Identity::from_seed([1; 32]);
        let mut numbers = Numbers::default();
        numbers.balances.insert(buyer.address(), 1_000_000);
        numbers.bonds.insert(NODE.address(), 1_000_000);
        let folder = tempfile::tempdir().unwrap();
        let queue = queue_in(&folder, &rules);
        let market = Market::restore(rules.clone(), numbers, queue, seed, |_| None).unwrap();
        let (mail, now, orders) = (Mail::default(), 1_000_000, seed << 32);
        let mut small = Self { market, mail, now, buyer, orders, rules, folder };
        small.hello();
        // The first proof makes it trusted.
        let offer = small.ordered(ALWAYS);
        assert_eq!((offer.rate, offer.reveal_by), (ALWAYS, 0));
        small.answer(&offer, RIGHT);
        assert_eq!(small.prove(JobId(offer.job.0)).unwrap(), Outcome::Paid);
        small
    }

    pub(crate) fn hello(&mut self) -> Vec<Offer> {
        self.hello_asking(None)
    }

    /// The node comes, and wants so much for a job.
    pub(crate) fn hello_asking(&mut self, least: Option<u128>) -> Vec<Offer> {
        let (device, slots) = ("cpu".to_owned(), 8);
        let asks = least.map(|least| vec![Ask { model: MODEL, price: Decimal(least) }]);
        let models = vec![MODEL];
        let capabilities = Capabilities { models, slots, device, memory_bytes: 0, asks, key: None };
        let held = self.market.hello(NODE.address(), capabilities, self.now).unwrap();
        self.wait();
        held
    }

    /// Another coordinator takes up what the ledger, the queue and the files of this one have.
    pub(crate) fn restart(&mut self, remains: impl FnMut(JobId) -> Option<Remains>) {
        self.restart_with(self.market.ledger().clone(), remains);
    }

    /// The same, with a ledger of before: what came after it had not reached the disk.
    pub(crate) fn restart_with(
        &mut self,
        numbers: Numbers,
        remains: impl FnMut(JobId) -> Option<Remains>,
    ) {
        let queue = queue_in(&self.folder, &self.rules);
        self.market = Market::restore(self.rules.clone(), numbers, queue, 0, remains).unwrap();
        self.mail.borrow_mut().clear();
    }

    pub(crate) fn wait(&mut self) {
        let post = Post(self.mail.clone());
        self.market.wait(NODE.address(), post, self.now).unwrap();
    }

    pub(crate) fn request(&mut self, rate: u32) -> JobRequest {
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
            ramp: None,
            sealed: None,
        };
        let sampling = Some(Sampling::new(rate, &order, &self.buyer));
        Order { sampling, ..order }.request(&self.buyer, Vec::new())
    }

    /// The offer of a new order.
    pub(crate) fn ordered(&mut self, rate: u32) -> Offer {
        let request = self.request(rate);
        self.market.open(request, self.now).unwrap();
        self.offered()
    }

    /// The next offer, after whatever rest the node has.
    pub(crate) fn offered(&mut self) -> Offer {
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
    pub(crate) fn forget_drawn(&self) {
        self.mail.borrow_mut().retain(|offer| !offer.answered);
    }

    /// Lets seconds pass, in which the node shows that it is there.
    pub(crate) fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now += 1_000;
            self.market.tick(self.now).unwrap();
            self.forget_drawn();
            if self.mail.borrow().is_empty() {
                self.wait();
            }
        }
    }

    pub(crate) fn answer(&mut self, offer: &Offer, output: ValuesDigest) -> Answer {
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
        self.market.answer(Self::signed(answer.clone()), self.now).unwrap();
        answer
    }

    pub(crate) fn signed(answer: Answer) -> SignedAnswer {
        let (signature, output, trace) = (Hex([0; 64]), Vec::new(), Vec::new());
        SignedAnswer { answer, signature, output, trace, spans: None }
    }

    /// What is free of the node's bond.
    pub(crate) fn bond(&self) -> u128 {
        self.market.ledger().bonds[&NODE.address()]
    }

    pub(crate) fn reveal(&mut self, offer: &Offer) -> Result<bool, MarketError> {
        let rate = offer.order.sampling.as_ref().unwrap().rate;
        let secret = secret(rate, &offer.order, &self.buyer);
        self.market.reveal(JobId(offer.job.0), Lot::Secret(secret), self.now)?;
        Ok(self.state(offer) == "staked")
    }

    pub(crate) fn prove(&mut self, job: JobId) -> Result<Outcome, MarketError> {
        let word = Word { job, prover: NODE.address(), output: RIGHT };
        self.market.prove(word, self.now)
    }

    pub(crate) fn state(&self, offer: &Offer) -> &'static str {
        self.market.ledger().jobs[&JobId(offer.job.0)].phase.name()
    }
}
