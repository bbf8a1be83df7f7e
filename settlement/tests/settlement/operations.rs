//! Operations of the escrow at random: what they are, how they are drawn, and how they are done.

use proptest::prelude::*;
use zkinfer_settlement::{Address, Amount, Escrow, JobId, JobTerms, MemoryStore, ValuesDigest};
use zkinfer_verifier::Digest;

use crate::common::{ALICE, BOB, BUYER, Proof, deposit, withdrawal};

/// Whose money the operations move.
pub(crate) const ACCOUNTS: [Address; 3] = [BUYER, ALICE, BOB];

/// An operation of the escrow on one of a few jobs, named by its number.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Operation {
    Deposit {
        transfer: u8,
        account: Address,
        amount: u128,
    },
    Withdraw {
        transfer: u8,
        account: Address,
        amount: u128,
    },
    Open {
        job: u8,
        terms: JobTerms,
    },
    Stake {
        job: u8,
        prover: Address,
    },
    Submit {
        proof: Proof,
    },
    Refund {
        job: u8,
    },
    Slash {
        job: u8,
    },
    PostBond {
        prover: Address,
        amount: u128,
    },
    WithdrawBond {
        prover: Address,
        amount: u128,
    },
    /// At the price of the job, where none is named.
    Assign {
        job: u8,
        prover: Address,
        price: Option<u128>,
        until: u64,
    },
    Answer {
        job: u8,
        prover: Address,
        right: bool,
        until: u64,
    },
    Lapse {
        job: u8,
    },
    Contradict {
        job: u8,
        proof: Proof,
    },
    Cancel {
        job: u8,
    },
    Accept {
        job: u8,
    },
    Forfeit {
        job: u8,
    },
    Release {
        job: u8,
    },
}

fn accounts() -> impl Strategy<Value = Address> {
    prop::sample::select(&ACCOUNTS[..])
}

fn amounts() -> impl Strategy<Value = u128> {
    prop_oneof![8 => 0..200u128, 1 => (u128::MAX - 3_000)..=u128::MAX]
}

/// Four times in five a job that a proof does; otherwise of another name or nonce.
fn jobs_with_terms() -> impl Strategy<Value = (u8, JobTerms)> {
    let proofs = prop::sample::select(&Proof::ALL[..]);
    let payee = prop::option::weighted(0.2, accounts());
    let stake = prop_oneof![3 => Just(0), 4 => 1..40u128, 1 => amounts()];
    let lie = prop::option::weighted(0.2, (1..5u8, 0..10u64));
    (proofs, accounts(), payee, amounts(), stake, lie, 0..600u64).prop_map(
        |(proof, buyer, payee, price, stake, lie, deadline)| {
            let honest = proof.terms();
            let JobId([job, ..]) = proof.job();
            let (job, nonce) = lie.unwrap_or((job, honest.nonce));
            let (price, stake) = (Amount(price), Amount(stake));
            (job, JobTerms { buyer, payee, nonce, price, stake, deadline, ..honest })
        },
    )
}

/// Operations and the time of each, some of them stories of one job from its start to its end.
pub(crate) fn operations() -> impl Strategy<Value = Vec<(Operation, u64)>> {
    let transfers = || (0..20u8, accounts(), amounts());
    let jobs = || 1..5u8;
    let operation = prop_oneof![
        3 => transfers().prop_map(|(transfer, account, amount)| {
            Operation::Deposit { transfer, account, amount }
        }),
        1 => transfers().prop_map(|(transfer, account, amount)| {
            Operation::Withdraw { transfer, account, amount }
        }),
        4 => jobs_with_terms().prop_map(|(job, terms)| Operation::Open { job, terms }),
        20 => (jobs(), accounts()).prop_map(|(job, prover)| Operation::Stake { job, prover }),
        4 => prop::sample::select(&Proof::ALL[..]).prop_map(|proof| Operation::Submit { proof }),
        8 => jobs().prop_map(|job| Operation::Refund { job }),
        5 => jobs().prop_map(|job| Operation::Slash { job }),
    ];
    let operation = prop_oneof![4 => operation, 1 => market_operations()];
    let single = (operation, 0..700u64).prop_map(|one| vec![one]);
    let several = prop::collection::vec(prop_oneof![6 => single, 1 => stories()], 1..80);
    several.prop_map(|several| several.concat())
}

fn market_operations() -> impl Strategy<Value = Operation> {
    let jobs = || 1..5u8;
    let bonds = || (accounts(), amounts());
    let leases = || (jobs(), accounts(), 0..600u64);
    prop_oneof![
        4 => bonds().prop_map(|(prover, amount)| Operation::PostBond { prover, amount }),
        8 => bonds().prop_map(|(prover, amount)| Operation::WithdrawBond { prover, amount }),
        8 => (leases(), prop::option::of(amounts())).prop_map(|((job, prover, until), price)| {
            Operation::Assign { job, prover, price, until }
        }),
        8 => (leases(), any::<bool>()).prop_map(|((job, prover, until), right)| {
            Operation::Answer { job, prover, right, until }
        }),
        4 => jobs().prop_map(|job| Operation::Lapse { job }),
        4 => (jobs(), prop::sample::select(&Proof::ALL[..]))
            .prop_map(|(job, proof)| Operation::Contradict { job, proof }),
        1 => jobs().prop_map(|job| Operation::Cancel { job }),
        1 => jobs().prop_map(|job| Operation::Accept { job }),
        1 => jobs().prop_map(|job| Operation::Forfeit { job }),
        1 => jobs().prop_map(|job| Operation::Release { job }),
    ]
}

/// A job that is opened, assigned, answered, and comes to some end; each step is rarely possible at
/// random.
fn stories() -> impl Strategy<Value = Vec<(Operation, u64)>> {
    let proofs = prop::sample::select(&Proof::ALL[..]);
    let end = (0..9u8, prop::sample::select(&Proof::ALL[..]));
    let prices = prop::option::of(1..=9u128);
    let end = (end, prices);
    (proofs, accounts(), any::<bool>(), end).prop_map(
        |(proof, prover, right, ((end, other), price))| {
            let JobId([job, ..]) = proof.job();
            let terms = JobTerms { price: Amount(9), stake: Amount(7), ..proof.terms() };
            let (opened, bond) = (
                Operation::Open { job, terms: JobTerms { deadline: 600, ..terms } },
                Operation::PostBond { prover, amount: 7 },
            );
            let assigned = Operation::Assign { job, prover, price, until: 300 };
            let answered = Operation::Answer { job, prover, right, until: 400 };
            let ends = [
                vec![(assigned, 150), (answered, 200), (Operation::Lapse { job }, 450)],
                vec![
                    (assigned, 150),
                    (answered, 200),
                    (Operation::Contradict { job, proof: other }, 250),
                ],
                vec![(assigned, 150), (answered, 200), (Operation::Submit { proof }, 250)],
                vec![(assigned, 150), (Operation::Lapse { job }, 350)],
                vec![(Operation::Cancel { job }, 120)],
                vec![(assigned, 150), (answered, 200), (Operation::Accept { job }, 250)],
                vec![(assigned, 150), (Operation::Forfeit { job }, 250)],
                vec![(assigned, 150), (Operation::Release { job }, 250)],
                vec![(assigned, 150), (answered, 200), (Operation::Release { job }, 250)],
            ];
            [vec![(bond, 100), (opened, 100)], ends[usize::from(end)].clone()].concat()
        },
    )
}

/// Whether the escrow allows the operation; if so, it has happened.
pub(crate) fn apply(escrow: &mut Escrow<MemoryStore>, operation: Operation, now: u64) -> bool {
    let id = |job| JobId([job; 32]);
    match operation {
        Operation::Deposit { transfer, account, amount } => {
            escrow.deposit(deposit(transfer), account, Amount(amount)).is_ok()
        }
        Operation::Withdraw { transfer, account, amount } => {
            escrow.withdraw(withdrawal(transfer), account, Amount(amount)).is_ok()
        }
        Operation::Open { job, terms } => escrow.open(id(job), terms, now).is_ok(),
        Operation::Stake { job, prover } => escrow.stake(id(job), prover, now).is_ok(),
        Operation::Submit { proof } => escrow.submit(proof.evidence(), now).is_ok(),
        Operation::Refund { job } => escrow.refund(id(job), now).is_ok(),
        Operation::Slash { job } => escrow.slash(id(job), now).is_ok(),
        Operation::PostBond { prover, amount } => escrow.post_bond(prover, Amount(amount)).is_ok(),
        Operation::WithdrawBond { prover, amount } => {
            escrow.withdraw_bond(prover, Amount(amount)).is_ok()
        }
        Operation::Assign { job, prover, price: None, until } => {
            escrow.assign(id(job), prover, until, now).is_ok()
        }
        Operation::Assign { job, prover, price: Some(price), until } => {
            escrow.assign_at(id(job), prover, Amount(price), until, now).is_ok()
        }
        Operation::Answer { job, prover, right, until } => {
            let output = if right { right_output(escrow, id(job)) } else { WRONG };
            escrow.answer(id(job), prover, output, until, now).is_ok()
        }
        Operation::Lapse { job } => escrow.lapse(id(job), now).is_ok(),
        Operation::Contradict { job, proof } => {
            escrow.contradict(id(job), &proof.evidence(), now).is_ok()
        }
        Operation::Cancel { job } => escrow.cancel(id(job), now).is_ok(),
        Operation::Accept { job } => escrow.accept(id(job), now).is_ok(),
        Operation::Forfeit { job } => escrow.forfeit(id(job), now).is_ok(),
        Operation::Release { job } => escrow.release(id(job)).is_ok(),
    }
}

const WRONG: ValuesDigest = ValuesDigest(Digest([9; 32]));

/// The output of the job's input; a wrong one for a job that is not there.
fn right_output(escrow: &Escrow<MemoryStore>, job: JobId) -> ValuesDigest {
    let Some(job) = escrow.job(job).unwrap() else { return WRONG };
    let of_input = |proof: &Proof| proof.terms().input == job.terms().input;
    let proof = Proof::ALL.into_iter().find(of_input).unwrap();
    ValuesDigest::of(&proof.file().claim.output)
}

/// How many kinds of operations there are.
pub(crate) const KINDS: usize = 17;

/// The number of the operation's kind, of [`KINDS`].
pub(crate) fn kind(operation: Operation) -> usize {
    match operation {
        Operation::Deposit { .. } => 0,
        Operation::Withdraw { .. } => 1,
        Operation::Open { .. } => 2,
        Operation::Stake { .. } => 3,
        Operation::Submit { .. } => 4,
        Operation::Refund { .. } => 5,
        Operation::Slash { .. } => 6,
        Operation::PostBond { .. } => 7,
        Operation::WithdrawBond { .. } => 8,
        Operation::Assign { .. } => 9,
        Operation::Answer { .. } => 10,
        Operation::Lapse { .. } => 11,
        Operation::Contradict { .. } => 12,
        Operation::Cancel { .. } => 13,
        Operation::Accept { .. } => 14,
        Operation::Forfeit { .. } => 15,
        Operation::Release { .. } => 16,
    }
}
