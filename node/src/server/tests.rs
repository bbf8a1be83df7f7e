//! A coordinator that is killed before, and after, each step to its disk.

use std::path::Path;

use zkinfer_settlement::{Address, Amount, DepositId, Record};

use super::{
    actor::{Durable, Stopped},
    *,
};
use crate::{
    encoding::{Decimal, Hex},
    ledger::Phase,
    log::LogEntry,
    objects::Object,
    order::{JobRequest, Order},
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

fn coordinator() -> Identity {
    Identity::from_seed([1; 32])
}

fn buyer() -> Identity {
    Identity::from_seed([2; 32])
}

fn request(nonce: u64) -> JobRequest {
    let order = Order {
        chain_id: Decimal(CHAIN),
        buyer: buyer().public_key(),
        model: Hex([3; 32]),
        input: Hex([4; 32]),
        nonce: Decimal(nonce),
        price: Decimal(10),
        stake: Decimal(5),
        deadline: unix_milliseconds() / 1_000 + 1_000,
        sampling: None,
        ramp: None,
        sealed: None,
    };
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
    died: bool,
}

async fn act(handle: &Handle, life: &mut Life) -> Result<(), Stopped> {
    let account = buyer().address();
    let deposit = move |core: &mut Core| {
        core.market.ledger_mut().deposit(DepositId([1; 32]), account, Amount(1_000)).unwrap();
    };
    handle.durable(deposit).await?;
    life.deposited = true;
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

fn live(folder: &Path, left: u32, word_lost: bool) -> Life {
    let (core, pending, disk) =
        open(&config(folder), CHAIN, coordinator(), &BTreeMap::new()).unwrap();
    let observers = Observers {
        watchers: Arc::new(Watchers::default()),
        metrics: Arc::new(Mutex::new(Metrics::new())),
    };
    let disk = Fused { disk, left, word_lost };
    let (actor, handle) = Actor::start(core, pending, disk, observers);
    let mut life = Life { told: Vec::new(), deposited: false, died: false };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    life.died = runtime.block_on(act(&handle, &mut life)).is_err();
    drop(handle);
    assert_eq!(actor.join().is_err(), life.died);
    life
}

/// What was told is there, nothing is half done, and the log says what has come to pass.
fn check(folder: &Path, life: &Life) {
    // Twice: what is taken up again is not changed by that.
    for _ in 0..2 {
        let (core, _, disk) =
            open(&config(folder), CHAIN, coordinator(), &BTreeMap::new()).unwrap();
        let ledger = core.market.ledger();
        let audit = ledger.audit().unwrap();
        let balance = ledger.balance(buyer().address()).unwrap();
        assert_eq!(balance.0 + audit.held.0, if audit.total.0 == 0 { 0 } else { 1_000 });
        assert!(!life.deposited || audit.total.0 == 1_000);
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
        assert_eq!(ledger.bond(Address([9; 20])).unwrap(), Amount(0));
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
        // The books; a deposit; three orders and a cancellation, each in two steps.
        assert!(died >= 8, "killed {died} times only");
    }
}
