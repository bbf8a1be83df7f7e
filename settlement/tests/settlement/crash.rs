//! A process that is killed at every write: what it has said holds, and nothing is half done.

use std::{
    collections::BTreeMap,
    io::Write,
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Command, Stdio},
};

use zkinfer_settlement::{
    Amount, Escrow, EscrowError, JobId, JobTerms, MemoryStore, Receipt, RedbStore, Refusal, Store,
    StoreError,
};

use crate::{
    common::{
        ALICE, BOB, BUYER, CHAIN, DEADLINE, POLICY, Proof, deposit, records, refused, withdrawal,
    },
    disk::{Disk, Loss},
};

const NOW: u64 = 100;
const LATE: u64 = DEADLINE + 1;
/// Jobs that nobody does.
const UNDONE: JobId = JobId([0x40; 32]);
const MISSED: JobId = JobId([0x41; 32]);

type Outcome<S> = Result<Option<Receipt>, EscrowError<<S as Store>::Error>>;
type Step<S> = fn(&mut Escrow<S>) -> Outcome<S>;

/// What the process does: most kinds of operation, and two payments. One commit each.
fn steps<S: Store>() -> [Step<S>; 15] {
    fn staked(proof: Proof, stake: u128) -> JobTerms {
        JobTerms { stake: Amount(stake), ..proof.terms() }
    }
    fn none<E>(outcome: Result<(), E>) -> Result<Option<Receipt>, E> {
        outcome.map(|()| None)
    }
    [
        |escrow| none(escrow.deposit(deposit(1), BUYER, Amount(1_000))),
        |escrow| none(escrow.deposit(deposit(2), ALICE, Amount(50))),
        |escrow| none(escrow.deposit(deposit(3), BOB, Amount(60))),
        |escrow| none(escrow.open(Proof::First.job(), staked(Proof::First, 30), NOW)),
        |escrow| none(escrow.open(Proof::Second.job(), Proof::Second.terms(), NOW)),
        |escrow| none(escrow.stake(Proof::First.job(), ALICE, NOW)),
        |escrow| escrow.submit(Proof::First.evidence(), NOW).map(Some),
        |escrow| none(escrow.open(UNDONE, Proof::First.terms(), NOW)),
        |escrow| none(escrow.open(MISSED, staked(Proof::First, 40), NOW)),
        |escrow| escrow.submit(Proof::Second.evidence(), NOW).map(Some),
        // All that he has: the second time there is nothing left.
        |escrow| none(escrow.post_bond(BOB, Amount(160))),
        |escrow| none(escrow.assign(MISSED, BOB, NOW, NOW)),
        |escrow| none(escrow.answer(MISSED, BOB, Proof::First.terms().input, NOW, NOW)),
        |escrow| none(escrow.slash(MISSED, LATE)),
        |escrow| none(escrow.withdraw(withdrawal(4), ALICE, Amount(140))),
    ]
}

type Records = BTreeMap<Vec<u8>, Vec<u8>>;

/// What is stored after so many commits: nothing, the books, the steps.
fn snapshots() -> Vec<Records> {
    let mut escrow = Escrow::new(MemoryStore::default(), CHAIN, POLICY).unwrap();
    let mut snapshots = vec![Records::new(), records(escrow.store())];
    for step in steps() {
        step(&mut escrow).unwrap();
        snapshots.push(records(escrow.store()));
    }
    snapshots
}

const FILE: &str = "ZKINFER_TEST_FILE";
const FUSE: &str = "ZKINFER_TEST_FUSE";
const LOSS: &str = "ZKINFER_TEST_LOSS";

const LOSSES: [(&str, Loss); 5] = [
    ("killed", Loss::Killed),
    ("torn", Loss::Torn),
    ("power_cut", Loss::PowerCut),
    ("scrambled", Loss::Scrambled),
    ("lying", Loss::Lying(20)),
];

/// Says that a commit is over, and what was handed out for it.
fn say(receipt: Option<Receipt>) {
    let mut stdout = std::io::stdout();
    writeln!(stdout, "\nsaid {receipt:?}").unwrap();
    stdout.flush().unwrap();
}

/// The process that dies.
#[test]
#[ignore = "started by the other tests of this module, with its orders in the environment"]
fn child() {
    let order = |name| std::env::var(name).unwrap();
    let (path, fuse) = (order(FILE), order(FUSE).parse().unwrap());
    let (_, loss) = LOSSES.into_iter().find(|(name, _)| *name == order(LOSS)).unwrap();
    let store = RedbStore::create_on(path, |file| Ok(Disk::new(file, loss, fuse))).unwrap();
    say(None);
    let mut escrow = Escrow::new(store, CHAIN, POLICY).unwrap();
    say(None);
    for step in steps() {
        say(step(&mut escrow).unwrap());
    }
}

/// What the process has said before it died, and whether it did die.
fn run_child(path: &Path, fuse: u64, loss: &str) -> (Vec<String>, bool) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child", "--ignored", "--nocapture"])
        .env(FILE, path)
        .env(FUSE, fuse.to_string())
        .env(LOSS, loss)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let said = text.lines().filter_map(|line| line.strip_prefix("said ")).map(str::to_owned);
    let status = output.status;
    // Killed by SIGABRT, or done; not failed in some other way.
    let died = status.signal() == Some(6);
    assert!(died || status.success(), "{status}: {}", String::from_utf8_lossy(&output.stderr));
    (said.collect(), died)
}

/// Opens what the crash has left, and counts the commits that it holds.
fn reopen(path: &Path, said: usize, snapshots: &[Records]) -> Result<(RedbStore, usize), String> {
    let store = match RedbStore::open(path) {
        Err(StoreError::Missing) if said == 0 => RedbStore::create(path).unwrap(),
        other => other.map_err(|error| format!("it does not open: {error:?}"))?,
    };
    let found = records(&store);
    let held = snapshots.iter().position(|snapshot| *snapshot == found);
    let held = held.ok_or("it is in a state that no commit has made")?;
    // The creation of the file says one thing and is no commit of records.
    let told = said.saturating_sub(1);
    // A commit may have come to pass without the chance to say so.
    if held == told || held == told + 1 {
        Ok((store, held))
    } else {
        Err(format!("it has told of {told} commits and holds {held}"))
    }
}

/// Whether the process died, or why what it left is wrong.
fn crash_at(fuse: u64, loss: &str, snapshots: &[Records]) -> Result<bool, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("escrow");
    let (said, died) = run_child(&path, fuse, loss);
    let (store, held) = reopen(&path, said.len(), snapshots)?;
    let mut escrow = Escrow::new(store, CHAIN, POLICY).unwrap();
    escrow.audit().map_err(|error| format!("{error}"))?;
    let done = held.saturating_sub(1);
    let mut receipts = 0;
    for (index, step) in steps().into_iter().enumerate() {
        if index >= done {
            // The work goes on where it stopped.
            let _ = step(&mut escrow).map_err(|error| format!("step {index}: {error}"))?;
            continue;
        }
        // What was done is refused the second time, whatever else has happened since.
        let refusal = refused(&mut escrow, step);
        assert!(is_repetition(refusal), "step {index} again: {refusal:?}");
        receipts += usize::from(matches!(refusal, Refusal::AlreadySettled { .. }));
        let told = said.get(index + 2).map(String::as_str);
        if told.is_some_and(|told| told != "None") {
            let kept = receipt_of_step(&escrow, index);
            assert_eq!(told, Some(format!("{kept:?}").as_str()));
        }
    }
    let told = said.iter().filter(|one| *one != "None").count();
    assert!(receipts >= told, "{told} receipts were handed out, {receipts} are kept");
    assert_eq!(&records(escrow.store()), snapshots.last().unwrap());
    Ok(died)
}

fn is_repetition(refusal: Refusal) -> bool {
    matches!(
        refusal,
        Refusal::DepositExists { .. }
            | Refusal::WithdrawalExists { .. }
            | Refusal::JobExists { .. }
            | Refusal::AlreadyStaked { .. }
            | Refusal::AlreadySettled { .. }
            | Refusal::AlreadySlashed { .. }
            | Refusal::AlreadyAnswered { .. }
            | Refusal::InsufficientFunds { .. }
    )
}

fn receipt_of_step(escrow: &Escrow<RedbStore>, index: usize) -> Option<Receipt> {
    let proof = match index {
        6 => Proof::First,
        9 => Proof::Second,
        _ => panic!("step {index} gives no receipt"),
    };
    escrow.receipt(proof.job()).unwrap()
}

/// Kills the process at its first write, its second, and so on until it gets through.
fn crash_everywhere(loss: &str) {
    let snapshots = snapshots();
    let mut fuse = 0;
    while crash_at(fuse, loss, &snapshots).unwrap_or_else(|why| panic!("killed at {fuse}: {why}")) {
        fuse += 1;
    }
    // Each commit writes and syncs, twice.
    assert!(fuse > 4 * snapshots.len() as u64, "only {fuse} writes and syncs");
    println!("{loss}: survived {fuse} crashes");
}

#[test]
fn a_process_killed_at_any_write_has_kept_its_word() {
    crash_everywhere("killed");
}

#[test]
fn a_write_that_was_half_done_is_undone() {
    crash_everywhere("torn");
}

#[test]
fn receipts_survive_a_power_cut() {
    crash_everywhere("power_cut");
}

#[test]
fn sectors_written_out_of_order_do_no_harm() {
    crash_everywhere("scrambled");
}

/// The tests above can fail: they notice a disk that forgets what it has synced.
#[test]
fn a_disk_that_lies_about_syncing_is_noticed() {
    let snapshots = snapshots();
    let noticed = (0..).step_by(5).map(|fuse| crash_at(fuse, "lying", &snapshots));
    let mut outcomes = noticed.take_while(|outcome| *outcome != Ok(false));
    assert!(outcomes.any(|outcome| outcome.is_err()));
}

/// A disk that fails once, and forgets what it had not synced, under a process that goes on: what
/// was acknowledged before or after is there when the file is opened again, and nothing is half
/// done.
#[test]
fn what_a_failing_disk_has_acknowledged_is_kept() {
    let mut failures = 0;
    for fuse in 0.. {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("escrow");
        let disk = |file| Ok(Disk::new(file, Loss::Failing, fuse));
        let Ok(store) = RedbStore::create_on(&path, disk) else {
            assert!(!path.exists());
            continue;
        };
        let Ok(mut escrow) = Escrow::new(store, CHAIN, POLICY) else { continue };
        let done = steps().map(|step| step(&mut escrow).is_ok());
        drop(escrow);
        let mut escrow = Escrow::new(RedbStore::open(&path).unwrap(), CHAIN, POLICY).unwrap();
        escrow.audit().unwrap();
        for (step, _) in steps().into_iter().zip(done).filter(|(_, done)| *done) {
            let refusal = refused(&mut escrow, step);
            assert!(is_repetition(refusal), "failed at {fuse}, then {refusal:?}");
        }
        if done == [true; 15] {
            break;
        }
        failures += 1;
    }
    assert!(failures > 50, "only {failures} failures");
}
