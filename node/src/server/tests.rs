//! A coordinator that is killed before, and after, each step to its disk.

use std::path::Path;

use zkinfer::verifier::{Digest, KeyDigest, Manifest};
use zkinfer_settlement::{Amount, DepositId, Record};

use super::{
    actor::{Durable, Polling, Stopped},
    *,
};
use crate::{
    encoding::{Decimal, Hex},
    execution::Trace,
    ledger::Phase,
    log::LogEntry,
    nodes::Capabilities,
    objects::Object,
    offer::Offer,
    order::{JobRequest, Order, digest},
    sealed::{SealedInput, Unsealed},
};

/// A disk that takes so many steps, and then no more: the last one is lost, or only the word of it.
struct Fused {
    disk: Disk,
    left: u32,
    word_lost: bool,
}

impl Fused {
    fn step(&mut self, step: impl FnOnce(&mut Disk) -> Result<(), String>) -> Result<(), String> {
        if self.left > 0 {
            self.left -= 1;
            return step(&mut self.disk);
        }
        if self.word_lost {
            step(&mut self.disk)?;
        }
        Err("killed".to_owned())
    }
}

impl Durable for Fused {
    fn keep(&mut self, objects: &[Object], log: &[LogEntry]) -> Result<(), String> {
        self.step(|disk| disk.keep(objects, log))
    }

    fn commit(&mut self, records: &[Record]) -> Result<(), String> {
        self.step(|disk| disk.commit(records))
    }
}

const CHAIN: u64 = 7;
const MODEL: Hex<32> = Hex([3; 32]);
/// That of the sealed order, so that its node gets no other.
const SEALED_MODEL: Hex<32> = Hex([8; 32]);
const PARTS: usize = 3;

fn coordinator() -> Identity {
    Identity::from_seed([1; 32])
}

fn buyer() -> Identity {
    Identity::from_seed([2; 32])
}

fn node() -> Identity {
    Identity::from_seed([3; 32])
}

fn division() -> Arc<Division> {
    let parts = (4..).take(PARTS).map(|part| KeyDigest(Digest([part; 32]))).collect();
    Arc::new(Division::new(Manifest { model: Digest([9; 32]), parts }, [1, 2, 3]))
}

fn divisions() -> Divisions {
    let division = division();
    [(Hex(division.manifest().root().0), division)].into()
}

fn order(nonce: u64) -> Order {
    Order {
        chain_id: Decimal(CHAIN),
        buyer: buyer().public_key(),
        model: MODEL,
        input: Hex([4; 32]),
        nonce: Decimal(nonce),
        price: Decimal(10),
        stake: Decimal(5),
        deadline: unix_milliseconds() / 1_000 + 1_000,
        sampling: None,
        ramp: None,
        sealed: None,
    }
}

fn request(nonce: u64) -> JobRequest {
    order(nonce).request(&buyer(), vec![1, 2, 3])
}

/// One whose input is sealed to the node.
fn sealed_request() -> JobRequest {
    let input = Unsealed { values: vec![1, 2, 3], blinding: None };
    let order = Order { model: SEALED_MODEL, ..order(10) };
    let sealed = SealedInput::new(node().public_key(), &order, &input).unwrap();
    order.sealed_request(&buyer(), vec![sealed])
}

fn parts_request() -> JobRequest {
    let order = Order { model: Hex(division().manifest().root().0), ..order(11) };
    order.request(&buyer(), vec![1, 2, 3])
}

fn config(folder: &Path) -> Config {
    Config { folder: folder.to_owned(), ..Config::default() }
}

/// What the coordinator has said before it was killed, if it was.
struct Life {
    /// Jobs, and whether they were cancelled; none where that was asked for and no word came.
    told: Vec<(JobId, Option<bool>)>,
    deposited: bool,
    /// The job of a sealed input, and whether its price was forfeited.
    sealed: Option<(JobId, Option<bool>)>,
    /// The job of all parts, and whether the first was answered.
    parts: Option<(JobId, Option<bool>)>,
    died: bool,
}

async fn act(handle: &Handle, life: &mut Life) -> Result<(), Stopped> {
    let (account, node) = (buyer().address(), node().address());
    let deposit = move |core: &mut Core| {
        let ledger = core.market.ledger_mut();
        ledger.deposit(DepositId([1; 32]), account, Amount(1_000)).unwrap();
        ledger.deposit(DepositId([2; 32]), node, Amount(2_000)).unwrap();
        ledger.post_bond(node, Amount(2_000)).unwrap();
    };
    handle.durable(deposit).await?;
    life.deposited = true;
    act_in_the_open(handle, life).await?;
    act_on_sealed(handle, life).await?;
    act_on_parts(handle, life).await
}

async fn act_in_the_open(handle: &Handle, life: &mut Life) -> Result<(), Stopped> {
    for nonce in 0..3 {
        let request = request(nonce);
        let opened = handle.durable(move |core| {
            let now = core.now();
            core.market.open(request, now).unwrap()
        });
        let job = opened.await?;
        life.told.push((job, Some(false)));
        if nonce == 1 {
            let cancel = move |core: &mut Core| {
                let now = core.now();
                core.market.cancel(job, now).unwrap();
            };
            life.told.pop();
            life.told.push((job, None));
            handle.durable(cancel).await?;
            life.told.pop();
            life.told.push((job, Some(true)));
        }
    }
    Ok(())
}

/// What the node is offered, as soon as it waits for a job of these models.
async fn offered(handle: &Handle, models: Vec<Hex<32>>) -> Result<Offer, Stopped> {
    let (tell, told) = tokio::sync::oneshot::channel();
    let wait = move |core: &mut Core| {
        let (now, device) = (core.now(), "cpu".to_owned());
        let (slots, memory_bytes, asks, key) = (8, 0, None, None);
        let capabilities = Capabilities { models, slots, device, memory_bytes, asks, key };
        core.market.hello(node().address(), capabilities, now).unwrap();
        core.market.wait(node().address(), Polling(tell), now).unwrap();
    };
    handle.durable(wait).await?;
    Ok(told.await.unwrap())
}

/// A sealed input is ordered, and the node shows that it is none.
async fn act_on_sealed(handle: &Handle, life: &mut Life) -> Result<(), Stopped> {
    let request = sealed_request();
    let own = request.sealed.as_ref().unwrap()[0].clone();
    let opened = handle.durable(move |core| {
        let now = core.now();
        core.market.open(request, now).unwrap()
    });
    let job = opened.await?;
    life.sealed = Some((job, Some(false)));
    // It is the node's now, whatever becomes of the word of it.
    life.sealed = Some((job, None));
    offered(handle, vec![SEALED_MODEL]).await?;
    let evidence = own.evidence(&node(), job).unwrap();
    let forfeit = move |core: &mut Core| {
        let now = core.now();
        core.market.forfeit(evidence, now).unwrap();
    };
    handle.durable(forfeit).await?;
    life.sealed = Some((job, Some(true)));
    Ok(())
}

/// Parts are ordered, and the first of them is answered.
async fn act_on_parts(handle: &Handle, life: &mut Life) -> Result<(), Stopped> {
    let blindings = vec![vec![vec![Hex([1; 32]); 10]]; PARTS - 1];
    let opened = handle.durable(move |core| {
        let now = core.now();
        core.market.open_parts(parts_request(), &division(), blindings, now).unwrap()
    });
    let whole = opened.await?;
    life.parts = Some((whole, Some(false)));
    life.parts = Some((whole, None));
    let offer = offered(handle, vec![Hex([4; 32])]).await?;
    let about = (Hex([4; 32]), Hex(digest(&offer.input).0.0));
    let trace = Trace::from_digests(&[Hex([7; 32])]);
    let answer = SignedAnswer::of_model(&node(), &offer, about, vec![5, 6], &trace);
    let answer = move |core: &mut Core| {
        let now = core.now();
        core.market.answer(answer, now).unwrap();
    };
    handle.durable(answer).await?;
    life.parts = Some((whole, Some(true)));
    Ok(())
}

fn live(folder: &Path, left: u32, word_lost: bool) -> Life {
    let (core, pending, disk) = open(&config(folder), CHAIN, coordinator(), &divisions()).unwrap();
    let observers = Observers {
        watchers: Arc::new(Watchers::default()),
        metrics: Arc::new(Mutex::new(Metrics::new())),
    };
    let disk = Fused { disk, left, word_lost };
    let (actor, handle) = Actor::start(core, pending, disk, observers);
    let mut life =
        Life { told: Vec::new(), deposited: false, sealed: None, parts: None, died: false };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    life.died = runtime.block_on(act(&handle, &mut life)).is_err();
    drop(handle);
    assert_eq!(actor.join().is_err(), life.died);
    life
}

/// A sealed input is there with its boxes, or its price is the node's.
fn check_sealed(core: &mut Core, (job, forfeited): (JobId, Option<bool>)) {
    let phase = core.market.ledger().contract(job).unwrap().unwrap().phase;
    let paid = phase.name() == "forfeited";
    assert!(forfeited.is_none_or(|forfeited| forfeited == paid), "{phase:?}");
    let known = core.market.known(job);
    assert_eq!(known.is_none(), paid);
    if let Some((request, _)) = known {
        assert!(request.is_for(node().address()) && !request.is_for(buyer().address()));
    }
}

/// All parts are there or none is, and what the first gives is what the second takes.
fn check_parts(core: &mut Core, (whole, answered): (JobId, Option<bool>)) {
    let jobs = core.market.part_jobs(whole).unwrap();
    let contracts: Vec<_> =
        jobs.iter().map(|job| core.market.ledger().contract(*job).unwrap().unwrap()).collect();
    let prices: u128 = contracts.iter().map(|contract| contract.terms.price.0).sum();
    assert_eq!((jobs.len(), prices), (PARTS, 10));
    let is_answered = matches!(contracts[0].phase, Phase::Staked { answer: Some(_), .. });
    assert!(answered.is_none_or(|answered| answered == is_answered));
    let given = is_answered.then(|| Arc::new(vec![5, 6]));
    assert_eq!(core.market.part_work(jobs[0]).unwrap().given, given);
    // Of an answer that reached the objects and not the escrow, the node's signature is there: the next
    // part may go on from it, and the node says it again.
    let taken = core.market.part_work(jobs[1]).unwrap().taken;
    assert!(taken == given || !is_answered && taken.is_some_and(|taken| *taken == [5, 6]));
    let blinding = core.market.part_work(jobs[1]).unwrap().blinding;
    assert!(blinding.iter().all(Option::is_some));
}

/// What was told is there, nothing is half done, and the log says what has come to pass.
fn check(folder: &Path, life: &Life) {
    // Twice: what is taken up again is not changed by that.
    for _ in 0..2 {
        let (mut core, _, disk) =
            open(&config(folder), CHAIN, coordinator(), &divisions()).unwrap();
        life.sealed.into_iter().for_each(|sealed| check_sealed(&mut core, sealed));
        life.parts.into_iter().for_each(|parts| check_parts(&mut core, parts));
        let ledger = core.market.ledger();
        // Nothing has come into being or was lost, or the audit had failed.
        let total = ledger.audit().unwrap().total.0;
        assert!(total == 3_000 || total == 0 && !life.deposited, "{total}");
        for (job, cancelled) in &life.told {
            let phase = ledger.contract(*job).unwrap().unwrap().phase;
            let open = phase == Phase::Open;
            assert!(cancelled.is_none_or(|cancelled| cancelled != open), "{phase:?}");
            assert_eq!(core.market.known(*job).is_some(), open);
        }
        let mut chain = Chain::new(CHAIN, coordinator().public_key());
        let mut last = LastSaid::default();
        for entry in disk.objects.log(0, u32::MAX).unwrap() {
            chain.check(&entry).unwrap();
            last.add(&entry);
        }
        let phase = |job| ledger.contract(job).unwrap().map(|contract| contract.phase);
        assert_eq!(last.ahead(phase), []);
    }
}

#[test]
fn a_coordinator_killed_at_any_step_has_kept_its_word() {
    for word_lost in [false, true] {
        let mut died = 0;
        for left in 0.. {
            let folder = tempfile::tempdir().unwrap();
            let life = live(folder.path(), left, word_lost);
            check(folder.path(), &life);
            if !life.died {
                break;
            }
            died += 1;
        }
        // The books; a deposit; five orders, a cancellation, two leases, an answer and a forfeited price,
        // each in two steps.
        assert!(died >= 20, "killed {died} times only");
    }
}
