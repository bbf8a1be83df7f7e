//! Whatever calls come in whatever order: money is neither made nor lost, a job pays once, and nobody is
//! kept from what is theirs.

use std::collections::BTreeMap;

use revm::primitives::Address;
use zkinfer_contracts_evm::escrow::{ETHER, Job, Terms};
use zkinfer_verifier::keccak256;

use crate::setting::*;

const RUNS: u64 = 125;
const CALLS: u64 = 800;
const ACCOUNTS: [Address; 3] = [BUYER, ALICE, BOB];

/// xorshift64*.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }

    pub fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }
}

/// What the test knows of a job.
struct Known {
    job: Job,
    state: u8,
    ends: u32,
}

fn held(known: &Known) -> u128 {
    let Terms { price, stake, bond, .. } = known.job.terms;
    match known.state {
        OPEN => price,
        STAKED | ANSWERED => price + stake,
        CHALLENGED => price + stake + bond,
        _ => 0,
    }
}

fn random_terms(random: &mut Random, salt: u64, time: u64) -> Terms {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&salt.to_be_bytes());
    let kind = random.below(4);
    let base = match kind {
        0 => terms(),
        1 => Terms { stake: 7, ..terms() },
        _ => optimistic(),
    };
    let payee = random.one_of(&[Address::ZERO, ALICE, BOB]);
    let price = u128::from(random.below(40));
    let deadline = time + random.below(300);
    Terms { buyer: random.one_of(&ACCOUNTS), salt: bytes, payee, price, deadline, ..base }
}

#[test]
fn a_hundred_thousand_random_calls_neither_make_nor_lose_money() {
    let mut done: BTreeMap<&str, u32> = BTreeMap::new();
    for seed in 1..=RUNS {
        run(seed, &mut done);
    }
    for what in [
        "open",
        "stake",
        "submit",
        "answer",
        "challenge",
        "finalize",
        "refund",
        "slash",
        "contradict",
        "deposit",
        "withdraw",
    ] {
        assert!(done.get(what).is_some_and(|&times| times > 50), "{what} happened {done:?}");
    }
}

fn run(seed: u64, done: &mut BTreeMap<&'static str, u32>) {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut setting = Setting::new();
    let mut jobs: Vec<Known> = Vec::new();
    for step in 0..CALLS {
        let time = setting.chain.time() + random.below(12);
        setting.chain.set_time(time);
        let before: Vec<u128> =
            ACCOUNTS.iter().map(|&account| wealth(&mut setting, account)).collect();
        let mut from = random.one_of(&ACCOUNTS);
        let choice = random.below(14);
        let what = if jobs.is_empty() || choice < 2 {
            let terms = random_terms(&mut random, seed * CALLS + step, time);
            let wei = if random.below(4) == 0 { 0 } else { terms.price };
            let opened = setting.escrow.open(&mut setting.chain, from, wei, &terms).is_ok();
            if opened {
                assert_eq!(from, terms.buyer);
                jobs.push(Known { job: Job::new(terms), state: OPEN, ends: 0 });
            }
            opened.then_some("open")
        } else if choice < 4 {
            let amount = u128::from(random.below(60));
            if choice == 2 {
                let wei = amount;
                setting
                    .escrow
                    .deposit(&mut setting.chain, from, wei, ETHER, amount)
                    .is_ok()
                    .then_some("deposit")
            } else {
                setting
                    .escrow
                    .withdraw(&mut setting.chain, from, ETHER, from, amount)
                    .is_ok()
                    .then_some("withdraw")
            }
        } else {
            // The latest jobs most of the time: old ones are over.
            let last = jobs.len() as u64;
            let index = if random.below(5) == 0 {
                random.below(last)
            } else {
                last - 1 - random.below(last.min(4))
            };
            act(&mut setting, &mut random, &mut jobs[index as usize], &mut from)
        };
        if let Some(what) = what {
            *done.entry(what).or_default() += 1;
        }
        check(&mut setting, &jobs, &before, (from, what), step % 16 == 0);
    }
}

/// Something with a job, mostly as it stands.
fn act(
    setting: &mut Setting,
    random: &mut Random,
    known: &mut Known,
    from: &mut Address,
) -> Option<&'static str> {
    let mut job = known.job;
    if random.below(12) == 0 {
        job.progress.prover = random.one_of(&ACCOUNTS);
    }
    let time = setting.chain.time();
    let output = random.one_of(&[OUTPUT, b"a lie"]);
    let terms = job.terms;
    let at_all = random.below(5) > 0;
    // Mostly what could happen next, by whom it could.
    let sensible: &[u64] = match known.state {
        OPEN => &[0, 2, 2, 2, 6],
        STAKED => &[0, 3, 3, 3, 7],
        ANSWERED => &[0, 4, 4, 5, 8],
        CHALLENGED => &[0, 7, 8],
        _ => &[0, 1, 2, 3, 4, 5, 6, 7, 8],
    };
    let choice = if random.below(4) > 0 { random.one_of(sensible) } else { random.below(9) };
    let named = if known.state == OPEN { terms.payee } else { known.job.progress.prover };
    let likely = random.below(4) > 0 && named != Address::ZERO;
    if likely && [2, 3].contains(&choice) {
        *from = named;
    }
    let from = *from;
    let (what, state): (&str, u8) = match choice {
        0 | 1 => {
            let payee = if likely { named } else { random.one_of(&ACCOUNTS) };
            let mut binding = setting.binding(&job, payee);
            binding.expiry = random.one_of(&[0, 0, time, time.saturating_sub(1)]);
            let proof: &[u8] = if at_all { b"good" } else { b"bad" };
            let claim = [INPUT, output, proof];
            setting.escrow.submit(&mut setting.chain, from, &job, &binding, claim).ok()?;
            assert!(at_all && (known.state < STAKED || payee == job.progress.prover));
            ("submit", SETTLED)
        }
        2 => {
            let wei = if at_all { terms.stake } else { 0 };
            setting.escrow.act(&mut setting.chain, "stake", from, wei, &job).ok()?;
            known.job.progress.prover = from;
            ("stake", STAKED)
        }
        3 => {
            setting.escrow.answer(&mut setting.chain, from, &job, output, &[]).ok()?;
            assert_eq!(from, known.job.progress.prover);
            known.job.progress.output = keccak256(&[output]);
            known.job.progress.time = time + terms.window;
            ("answer", ANSWERED)
        }
        4 => {
            let wei = if at_all { terms.bond } else { 0 };
            setting.escrow.act(&mut setting.chain, "challenge", from, wei, &job).ok()?;
            known.job.progress.time = time + terms.proof_time;
            known.job.progress.challenger = from;
            ("challenge", CHALLENGED)
        }
        5 => {
            setting.act("finalize", from, &job).ok()?;
            ("finalize", SETTLED)
        }
        6 => {
            setting.act("refund", from, &job).ok()?;
            ("refund", REFUNDED)
        }
        7 => {
            setting.act("slash", from, &job).ok()?;
            ("slash", SLASHED)
        }
        _ => {
            let proof: &[u8] = if at_all { b"good" } else { b"bad" };
            let claim = [INPUT, OUTPUT, proof];
            setting.escrow.contradict(&mut setting.chain, &job, [0; 32], claim).ok()?;
            ("contradict", SLASHED)
        }
    };
    assert!(known.state < SETTLED, "{what} of a job that is over");
    known.state = state;
    known.ends += u32::from(state >= SETTLED);
    Some(what)
}

/// What an account has outside and in the escrow.
fn wealth(setting: &mut Setting, account: Address) -> u128 {
    setting.chain.ether(account) + setting.credit(account)
}

fn check(
    setting: &mut Setting,
    jobs: &[Known],
    before: &[u128],
    (from, what): (Address, Option<&str>),
    all: bool,
) {
    let credits: u128 = ACCOUNTS.map(|account| setting.credit(account)).iter().sum();
    let in_jobs: u128 = jobs.iter().map(held).sum();
    assert_eq!(setting.held(), credits + in_jobs, "{what:?}");
    for (&account, &before) in ACCOUNTS.iter().zip(before) {
        let after = wealth(setting, account);
        // Only who acts can have less, and only by putting something in.
        let puts_in = ["open", "stake", "challenge"].map(Some).contains(&what);
        assert!(after >= before || (account == from && puts_in), "{what:?} took from {account}");
        assert!(what.is_some() || after == before, "a refused call moved money");
    }
    assert!(jobs.iter().all(|known| known.ends <= 1));
    if all {
        for known in jobs.iter().rev().take(8) {
            assert_eq!(setting.state(&known.job), known.state);
        }
    }
}

/// Whatever was opened can be ended by anybody once all times are over: no money stays.
#[test]
fn nothing_stays_locked() {
    for seed in 1..=20 {
        let mut random = Random(seed * 977);
        let mut setting = Setting::new();
        let mut jobs = Vec::new();
        for step in 0..200 {
            let time = setting.chain.time();
            if jobs.is_empty() || random.below(3) == 0 {
                let terms = random_terms(&mut random, seed * 1_000 + step, time);
                if setting.escrow.open(&mut setting.chain, terms.buyer, terms.price, &terms).is_ok()
                {
                    jobs.push(Known { job: Job::new(terms), state: OPEN, ends: 0 });
                }
            } else {
                let index = random.below(jobs.len() as u64) as usize;
                let mut from = random.one_of(&ACCOUNTS);
                act(&mut setting, &mut random, &mut jobs[index], &mut from);
            }
            setting.chain.set_time(time + random.below(3));
        }
        let stranger = Address::repeat_byte(0x77);
        let late = setting.chain.time() + 1_000;
        setting.chain.set_time(late);
        for known in &mut jobs {
            let what = match known.state {
                OPEN => "refund",
                STAKED | CHALLENGED => "slash",
                ANSWERED => "finalize",
                _ => continue,
            };
            setting.act(what, stranger, &known.job).unwrap();
            known.state = SETTLED;
        }
        for account in ACCOUNTS {
            let credit = setting.credit(account);
            if credit > 0 {
                setting
                    .escrow
                    .withdraw(&mut setting.chain, account, ETHER, account, credit)
                    .unwrap();
            }
        }
        assert_eq!(setting.held(), 0);
        assert_eq!(
            ACCOUNTS.map(|account| setting.chain.ether(account)).iter().sum::<u128>(),
            3_000
        );
    }
}
