//! Jobs that a market gives out: bonds, leases, answers, contradictions, cancellation.

use zkinfer_settlement::{
    Address, Amount, AnyJob, Escrow, JobTerms, Lease, MemoryStore, Refusal, ValuesDigest,
};
use zkinfer_verifier::{Digest, KeyDigest, SrsPolicy, SrsTrust};

use crate::common::{ALICE, BOB, BUYER, CHAIN, DEADLINE, Hidden, POLICY, Proof, deposit, refused};

const NOW: u64 = 100;
/// When leases of these tests end.
const UNTIL: u64 = 200;
const LATE: u64 = DEADLINE + 1;
const STAKE: Amount = Amount(30);

/// A job of price 100 and stake 30; the buyer has 900 left, the provers 940 and a bond of 60 each.
fn market(proof: Proof) -> Escrow<MemoryStore> {
    let mut escrow = Escrow::new(MemoryStore::default(), CHAIN, POLICY).unwrap();
    for (number, account) in [(1, BUYER), (2, ALICE), (3, BOB)] {
        escrow.deposit(deposit(number), account, Amount(1_000)).unwrap();
    }
    for prover in [ALICE, BOB] {
        escrow.post_bond(prover, Amount(60)).unwrap();
    }
    escrow.open(proof.job(), JobTerms { stake: STAKE, ..proof.terms() }, NOW).unwrap();
    escrow
}

fn assigned(proof: Proof, prover: Address) -> Escrow<MemoryStore> {
    let mut escrow = market(proof);
    escrow.assign(proof.job(), prover, UNTIL, NOW).unwrap();
    escrow
}

fn answered(proof: Proof, prover: Address, output: ValuesDigest) -> Escrow<MemoryStore> {
    let mut escrow = assigned(proof, prover);
    escrow.answer(proof.job(), prover, output, UNTIL, NOW).unwrap();
    escrow
}

/// Balances of buyer, Alice and Bob, and the bonds of the latter; the books must balance.
fn money(escrow: &Escrow<MemoryStore>) -> ([u128; 3], [u128; 2]) {
    escrow.audit().unwrap();
    let balances = [BUYER, ALICE, BOB].map(|account| escrow.balance(account).unwrap().0);
    (balances, [ALICE, BOB].map(|prover| escrow.bond(prover).unwrap().0))
}

fn right(proof: Proof) -> ValuesDigest {
    ValuesDigest::of(&proof.file().claim.output)
}

const WRONG: ValuesDigest = ValuesDigest(Digest([9; 32]));

#[test]
fn a_bond_is_moved_and_never_more_than_there_is() {
    let mut escrow = market(Proof::First);
    assert_eq!(money(&escrow), ([900, 940, 940], [60, 60]));
    escrow.withdraw_bond(ALICE, Amount(20)).unwrap();
    assert_eq!(money(&escrow), ([900, 960, 940], [40, 60]));
    let refusal = refused(&mut escrow, |escrow| escrow.withdraw_bond(ALICE, Amount(41)));
    let (free, needed) = (Amount(40), Amount(41));
    assert_eq!(refusal, Refusal::InsufficientBond { prover: ALICE, free, needed });
    let refusal = refused(&mut escrow, |escrow| escrow.post_bond(ALICE, Amount(961)));
    let (balance, needed) = (Amount(960), Amount(961));
    assert_eq!(refusal, Refusal::InsufficientFunds { account: ALICE, balance, needed });
    for operation in [Escrow::post_bond, Escrow::withdraw_bond] {
        let refusal = refused(&mut escrow, |escrow| operation(escrow, ALICE, Amount(0)));
        assert_eq!(refusal, Refusal::ZeroAmount);
    }
}

#[test]
fn the_price_of_an_assigned_job_is_paid_and_the_stake_returns_to_the_bond() {
    let mut escrow = assigned(Proof::First, ALICE);
    assert_eq!(money(&escrow), ([900, 940, 940], [30, 60]));
    assert_eq!(escrow.audit().unwrap().held, Amount(130));
    escrow.answer(Proof::First.job(), ALICE, right(Proof::First), 300, NOW).unwrap();
    let receipt = escrow.submit(Proof::First.evidence(), 300).unwrap();
    assert_eq!((receipt.payee, receipt.stake), (ALICE, STAKE));
    assert_eq!(money(&escrow), ([900, 1_040, 940], [60, 60]));
}

#[test]
fn what_is_held_for_a_job_is_no_longer_free() {
    let mut escrow = assigned(Proof::First, ALICE);
    let refusal = refused(&mut escrow, |escrow| escrow.withdraw_bond(ALICE, Amount(31)));
    let (free, needed) = (Amount(30), Amount(31));
    assert_eq!(refusal, Refusal::InsufficientBond { prover: ALICE, free, needed });
    let dear = JobTerms { stake: Amount(31), ..Proof::Second.terms() };
    escrow.open(Proof::Second.job(), dear, NOW).unwrap();
    let job = Proof::Second.job();
    let refusal = refused(&mut escrow, |escrow| escrow.assign(job, ALICE, UNTIL, NOW));
    assert_eq!(refusal, Refusal::InsufficientBond { prover: ALICE, free, needed });
}

#[test]
fn a_job_is_assigned_once_in_time_and_to_whom_it_allows() {
    let mut escrow = market(Proof::First);
    let job = Proof::First.job();
    for until in [NOW - 1, DEADLINE + 1] {
        let refusal = refused(&mut escrow, |escrow| escrow.assign(job, ALICE, until, NOW));
        assert_eq!(refusal, Refusal::LeaseEnd { until, now: NOW, deadline: DEADLINE });
    }
    let refusal = refused(&mut escrow, |escrow| escrow.assign(job, ALICE, LATE, LATE));
    assert_eq!(refusal, Refusal::DeadlinePassed { deadline: DEADLINE, now: LATE });
    escrow.assign(job, ALICE, UNTIL, NOW).unwrap();
    let refusal = refused(&mut escrow, |escrow| escrow.assign(job, BOB, UNTIL, NOW));
    assert_eq!(refusal, Refusal::AlreadyStaked { prover: ALICE });
    let second = Proof::Second.job();
    let reserved = JobTerms { payee: Some(BOB), stake: STAKE, ..Proof::Second.terms() };
    escrow.open(second, reserved, NOW).unwrap();
    let refusal = refused(&mut escrow, |escrow| escrow.assign(second, ALICE, UNTIL, NOW));
    assert_eq!(refusal, Refusal::Prover { expected: BOB, got: ALICE });
    let third = Proof::ShortLived.job();
    escrow.open(third, Proof::ShortLived.terms(), NOW).unwrap();
    let refusal = refused(&mut escrow, |escrow| escrow.assign(third, ALICE, UNTIL, NOW));
    assert_eq!(refusal, Refusal::NoStakeAsked);
}

#[test]
fn an_answer_is_the_provers_own_in_time_and_never_changed() {
    let mut escrow = market(Proof::First);
    let (job, output) = (Proof::First.job(), right(Proof::First));
    let refusal = refused(&mut escrow, |escrow| escrow.answer(job, ALICE, output, UNTIL, NOW));
    assert_eq!(refusal, Refusal::NotStaked { stake: STAKE });
    escrow.assign(job, ALICE, UNTIL, NOW).unwrap();
    let refusal = refused(&mut escrow, |escrow| escrow.answer(job, BOB, output, UNTIL, NOW));
    assert_eq!(refusal, Refusal::Prover { expected: ALICE, got: BOB });
    let late = UNTIL + 1;
    let refusal = refused(&mut escrow, |escrow| escrow.answer(job, ALICE, output, 300, late));
    assert_eq!(refusal, Refusal::LeaseOver { until: UNTIL, now: late });
    for until in [NOW - 1, DEADLINE + 1] {
        let refusal = refused(&mut escrow, |escrow| escrow.answer(job, ALICE, output, until, NOW));
        assert_eq!(refusal, Refusal::LeaseEnd { until, now: NOW, deadline: DEADLINE });
    }
    escrow.answer(job, ALICE, output, 300, NOW).unwrap();
    for again in [output, WRONG] {
        let refusal = refused(&mut escrow, |escrow| escrow.answer(job, ALICE, again, 300, NOW));
        assert_eq!(refusal, Refusal::AlreadyAnswered { output });
    }
    let Some(AnyJob::Staked(staked)) = escrow.job(job).unwrap() else { panic!("it is staked") };
    let lease = Lease { until: 300, price: Amount(100), bonded: true, answer: Some(output) };
    assert_eq!(*staked.lease(), lease);
}

#[test]
fn a_stake_from_the_balance_is_for_the_whole_job() {
    let mut escrow = market(Proof::First);
    let (job, output) = (Proof::First.job(), right(Proof::First));
    escrow.stake(job, ALICE, NOW).unwrap();
    assert_eq!(money(&escrow), ([900, 910, 940], [60, 60]));
    let refusal = refused(&mut escrow, |escrow| escrow.answer(job, ALICE, output, UNTIL, NOW));
    assert_eq!(refusal, Refusal::LeaseEnd { until: UNTIL, now: NOW, deadline: DEADLINE });
    escrow.answer(job, ALICE, output, DEADLINE, NOW).unwrap();
    let refusal = refused(&mut escrow, |escrow| escrow.lapse(job, DEADLINE));
    assert_eq!(refusal, Refusal::LeaseAhead { until: DEADLINE, now: DEADLINE });
    let _ = escrow.submit(Proof::First.evidence(), DEADLINE).unwrap();
    assert_eq!(money(&escrow), ([900, 1_040, 940], [60, 60]));
}

#[test]
fn a_lease_without_an_answer_lapses_and_the_job_goes_to_another() {
    let mut escrow = assigned(Proof::RivalOfFirst, ALICE);
    let job = Proof::First.job();
    let refusal = refused(&mut escrow, |escrow| escrow.lapse(job, UNTIL));
    assert_eq!(refusal, Refusal::LeaseAhead { until: UNTIL, now: UNTIL });
    escrow.lapse(job, UNTIL + 1).unwrap();
    assert_eq!(money(&escrow), ([900, 940, 940], [60, 60]));
    let refusal = refused(&mut escrow, |escrow| escrow.lapse(job, UNTIL + 1));
    assert_eq!(refusal, Refusal::NotStaked { stake: STAKE });
    escrow.assign(job, BOB, 400, UNTIL + 1).unwrap();
    // Who had it first is not paid any more.
    let refusal = refused(&mut escrow, |escrow| escrow.submit(Proof::First.evidence(), 300));
    assert_eq!(refusal, Refusal::Payee { expected: BOB, got: ALICE });
    let _ = escrow.submit(Proof::RivalOfFirst.evidence(), 300).unwrap();
    assert_eq!(money(&escrow), ([900, 940, 1_040], [60, 60]));
}

#[test]
fn an_answer_that_is_not_proven_in_time_forfeits_the_stake_and_opens_the_job() {
    let mut escrow = answered(Proof::RivalOfFirst, ALICE, right(Proof::First));
    let job = Proof::First.job();
    escrow.lapse(job, UNTIL + 1).unwrap();
    assert_eq!(money(&escrow), ([930, 940, 940], [30, 60]));
    escrow.assign(job, BOB, 400, 300).unwrap();
    let _ = escrow.submit(Proof::RivalOfFirst.evidence(), 300).unwrap();
    assert_eq!(money(&escrow), ([930, 940, 1_040], [30, 60]));
}

#[test]
fn after_the_deadline_an_assigned_job_is_slashed_and_does_not_lapse() {
    let mut escrow = assigned(Proof::First, ALICE);
    let job = Proof::First.job();
    let refusal = refused(&mut escrow, |escrow| escrow.lapse(job, LATE));
    assert_eq!(refusal, Refusal::DeadlinePassed { deadline: DEADLINE, now: LATE });
    escrow.slash(job, LATE).unwrap();
    assert_eq!(money(&escrow), ([1_030, 940, 940], [30, 60]));
}

#[test]
fn a_proof_of_another_output_than_the_answer_is_not_paid_and_slashes() {
    let mut escrow = answered(Proof::First, ALICE, WRONG);
    let (job, got) = (Proof::First.job(), right(Proof::First));
    let refusal = refused(&mut escrow, |escrow| escrow.submit(Proof::First.evidence(), NOW));
    assert_eq!(refusal, Refusal::Contradicts { expected: WRONG, got });
    // Anybody's proof is evidence, for whatever job and payee it was made.
    let rival = Proof::RivalOfFirst.evidence();
    escrow.contradict(job, &rival, NOW).unwrap();
    assert_eq!(money(&escrow), ([1_030, 940, 940], [30, 60]));
    let refusal = refused(&mut escrow, |escrow| escrow.contradict(job, &rival, NOW));
    assert_eq!(refusal, Refusal::AlreadySlashed { at: NOW });
    let refusal = refused(&mut escrow, |escrow| escrow.submit(Proof::First.evidence(), NOW));
    assert_eq!(refusal, Refusal::AlreadySlashed { at: NOW });
}

#[test]
fn an_honest_answer_cannot_be_contradicted() {
    let output = right(Proof::First);
    let mut escrow = answered(Proof::First, ALICE, output);
    let job = Proof::First.job();
    let evidence = Proof::First.evidence();
    let refusal = refused(&mut escrow, |escrow| escrow.contradict(job, &evidence, NOW));
    assert_eq!(refusal, Refusal::NoContradiction { output });
    // A proof about another input says nothing about this one.
    let (expected, got) = (Proof::First.terms().input, Proof::Second.terms().input);
    let evidence = Proof::Second.evidence();
    let refusal = refused(&mut escrow, |escrow| escrow.contradict(job, &evidence, NOW));
    assert_eq!(refusal, Refusal::Input { expected, got });
}

#[test]
fn only_what_a_contradiction_is_slashes() {
    let job = Proof::First.job();
    let evidence = Proof::First.evidence();
    let mut escrow = market(Proof::First);
    let refusal = refused(&mut escrow, |escrow| escrow.contradict(job, &evidence, NOW));
    assert_eq!(refusal, Refusal::NothingToSlash);
    let mut escrow = assigned(Proof::First, ALICE);
    let refusal = refused(&mut escrow, |escrow| escrow.contradict(job, &evidence, NOW));
    assert_eq!(refusal, Refusal::NoAnswer);
    let mut escrow = market(Proof::First);
    let (model, got) = (KeyDigest(Digest([8; 32])), Proof::First.terms().model);
    let other = zkinfer_settlement::JobId([0x77; 32]);
    escrow.open(other, JobTerms { model, stake: STAKE, ..Proof::First.terms() }, NOW).unwrap();
    escrow.assign(other, ALICE, UNTIL, NOW).unwrap();
    escrow.answer(other, ALICE, WRONG, UNTIL, NOW).unwrap();
    let refusal = refused(&mut escrow, |escrow| escrow.contradict(other, &evidence, NOW));
    assert_eq!(refusal, Refusal::Model { expected: model, got });
    let mut strict = Escrow::new(escrow.store().clone(), CHAIN, SrsPolicy::CeremonyOnly).unwrap();
    let refusal = refused(&mut strict, |escrow| escrow.contradict(other, &evidence, NOW));
    assert_eq!(refusal, Refusal::UntrustedSrs { srs: SrsTrust::InsecureDev });
}

#[test]
fn an_answer_about_a_hidden_output_is_compared_with_the_opening() {
    let hidden = Hidden::read();
    let values = ValuesDigest::of(&hidden.opening.values.clone().into());
    for (answer, paid) in [(values, true), (WRONG, false)] {
        let mut escrow = market(Proof::First);
        let delivery = zkinfer_settlement::Delivery::Opened;
        let terms = JobTerms { stake: STAKE, delivery, ..hidden.terms() };
        escrow.open(hidden.job(), terms, NOW).unwrap();
        escrow.assign(hidden.job(), ALICE, UNTIL, NOW).unwrap();
        escrow.answer(hidden.job(), ALICE, answer, UNTIL, NOW).unwrap();
        let Hidden { key, opening, .. } = &hidden;
        if paid {
            let evidence = hidden.evidence();
            let refusal =
                refused(&mut escrow, |escrow| escrow.contradict(hidden.job(), &evidence, NOW));
            assert_eq!(refusal, Refusal::HiddenOutput);
            let receipt = escrow.submit_opened(evidence, key, opening, NOW).unwrap();
            assert_eq!(receipt.payee, ALICE);
        } else {
            let refusal = refused(&mut escrow, |escrow| {
                escrow.submit_opened(hidden.evidence(), key, opening, NOW)
            });
            assert_eq!(refusal, Refusal::Contradicts { expected: WRONG, got: values });
        }
    }
}

#[test]
fn a_buyer_cancels_before_anybody_has_staked_and_not_a_bounty() {
    let job = Proof::First.job();
    let mut escrow = market(Proof::First);
    let refusal = refused(&mut escrow, |escrow| escrow.cancel(job, LATE));
    assert_eq!(refusal, Refusal::DeadlinePassed { deadline: DEADLINE, now: LATE });
    escrow.cancel(job, NOW).unwrap();
    assert_eq!(money(&escrow), ([1_000, 940, 940], [60, 60]));
    let over = Refusal::AlreadyCancelled { at: NOW };
    assert_eq!(refused(&mut escrow, |escrow| escrow.cancel(job, NOW)), over);
    assert_eq!(refused(&mut escrow, |escrow| escrow.refund(job, LATE)), over);
    assert_eq!(refused(&mut escrow, |escrow| escrow.assign(job, ALICE, UNTIL, NOW)), over);
    assert_eq!(refused(&mut escrow, |escrow| escrow.submit(Proof::First.evidence(), NOW)), over);
    let mut escrow = assigned(Proof::First, ALICE);
    let refusal = refused(&mut escrow, |escrow| escrow.cancel(job, NOW));
    assert_eq!(refusal, Refusal::AlreadyStaked { prover: ALICE });
    let second = Proof::Second.job();
    escrow.open(second, Proof::Second.terms(), NOW).unwrap();
    let refusal = refused(&mut escrow, |escrow| escrow.cancel(second, NOW));
    assert_eq!(refusal, Refusal::CancelOfBounty);
}

#[test]
fn an_answer_that_is_accepted_is_paid_once_and_never_contradicted_after() {
    let job = Proof::First.job();
    let mut escrow = market(Proof::First);
    let refusal = refused(&mut escrow, |escrow| escrow.accept(job, NOW));
    assert_eq!(refusal, Refusal::NotStaked { stake: STAKE });
    escrow.assign(job, ALICE, UNTIL, NOW).unwrap();
    assert_eq!(refused(&mut escrow, |escrow| escrow.accept(job, NOW)), Refusal::NoAnswer);
    escrow.answer(job, ALICE, WRONG, UNTIL, NOW).unwrap();
    // It was given in time, so it can be accepted at any time.
    escrow.accept(job, LATE).unwrap();
    assert_eq!(money(&escrow), ([900, 1_040, 940], [60, 60]));
    let Some(AnyJob::Accepted(accepted)) = escrow.job(job).unwrap() else { panic!("it is over") };
    assert_eq!((accepted.prover(), accepted.output(), accepted.at()), (ALICE, WRONG, LATE));
    assert_eq!(escrow.receipt(job).unwrap(), None, "a receipt is for a proof");
    let over = Refusal::AlreadyAccepted { at: LATE };
    assert_eq!(refused(&mut escrow, |escrow| escrow.accept(job, LATE)), over);
    assert_eq!(refused(&mut escrow, |escrow| escrow.slash(job, LATE)), over);
    assert_eq!(refused(&mut escrow, |escrow| escrow.lapse(job, LATE)), over);
    assert_eq!(refused(&mut escrow, |escrow| escrow.submit(Proof::First.evidence(), NOW)), over);
    let refusal =
        refused(&mut escrow, |escrow| escrow.contradict(job, &Proof::First.evidence(), LATE));
    assert_eq!(refusal, over);
}

#[test]
fn the_live_jobs_are_those_that_something_can_happen_to() {
    let mut escrow = assigned(Proof::First, ALICE);
    for (proof, cancel) in [(Proof::Second, false), (Proof::ShortLived, true)] {
        escrow.open(proof.job(), JobTerms { stake: STAKE, ..proof.terms() }, NOW).unwrap();
        if cancel {
            escrow.cancel(proof.job(), NOW).unwrap();
        }
    }
    let mut live = Vec::new();
    escrow.for_each_live(&mut |job| live.push(job.id())).unwrap();
    assert_eq!(live, [Proof::First.job(), Proof::Second.job()]);
}

/// A lease for less than the price: what the prover does not get is the buyer's, at every end.
#[test]
fn a_lease_at_a_lower_price_pays_that_and_gives_the_rest_back() {
    let job = Proof::First.job();
    let leased = || {
        let mut escrow = market(Proof::First);
        escrow.assign_at(job, ALICE, Amount(60), UNTIL, NOW).unwrap();
        escrow
    };
    let mut escrow = market(Proof::First);
    for price in [0, 101] {
        let price = Amount(price);
        let refusal =
            refused(&mut escrow, |escrow| escrow.assign_at(job, ALICE, price, UNTIL, NOW));
        assert_eq!(refusal, Refusal::LeasePrice { price, most: Amount(100) });
    }
    let mut escrow = leased();
    assert_eq!(escrow.audit().unwrap().held, Amount(130), "all of the price is held");
    let receipt = escrow.submit(Proof::First.evidence(), NOW).unwrap();
    assert_eq!((receipt.price, escrow.receipt(job).unwrap()), (Amount(60), Some(receipt)));
    assert_eq!(money(&escrow), ([940, 1_000, 940], [60, 60]));
    let mut escrow = leased();
    escrow.answer(job, ALICE, WRONG, UNTIL, NOW).unwrap();
    escrow.accept(job, NOW).unwrap();
    assert_eq!(money(&escrow), ([940, 1_000, 940], [60, 60]));
    // Whoever has it next may get another price.
    let mut escrow = leased();
    escrow.lapse(job, UNTIL + 1).unwrap();
    escrow.assign_at(job, ALICE, Amount(70), 400, 300).unwrap();
    let _ = escrow.submit(Proof::First.evidence(), 300).unwrap();
    assert_eq!(money(&escrow), ([930, 1_010, 940], [60, 60]));
    let mut escrow = leased();
    escrow.slash(job, LATE).unwrap();
    assert_eq!(money(&escrow), ([1_030, 940, 940], [30, 60]));
}

/// A buyer who proves for himself has one balance for the price and the rest of it.
#[test]
fn the_rest_of_a_price_finds_a_buyer_who_is_the_prover() {
    let mut escrow = Escrow::new(MemoryStore::default(), CHAIN, POLICY).unwrap();
    escrow.deposit(deposit(1), ALICE, Amount(1_000)).unwrap();
    escrow.post_bond(ALICE, Amount(60)).unwrap();
    let terms = JobTerms { buyer: ALICE, stake: STAKE, ..Proof::First.terms() };
    escrow.open(Proof::First.job(), terms, NOW).unwrap();
    escrow.assign_at(Proof::First.job(), ALICE, Amount(60), UNTIL, NOW).unwrap();
    let _ = escrow.submit(Proof::First.evidence(), NOW).unwrap();
    assert_eq!(money(&escrow), ([0, 940, 0], [60, 0]));
}

#[test]
fn a_job_that_cannot_be_done_is_forfeited_before_it_is_answered() {
    let job = Proof::First.job();
    let mut escrow = market(Proof::First);
    let refusal = refused(&mut escrow, |escrow| escrow.forfeit(job, NOW));
    assert_eq!(refusal, Refusal::NotStaked { stake: STAKE });
    escrow.assign_at(job, ALICE, Amount(60), UNTIL, NOW).unwrap();
    escrow.forfeit(job, NOW).unwrap();
    assert_eq!(money(&escrow), ([940, 1_000, 940], [60, 60]));
    let Some(AnyJob::Forfeited(over)) = escrow.job(job).unwrap() else { panic!("it is over") };
    assert_eq!((over.prover(), over.price(), over.at()), (ALICE, Amount(60), NOW));
    let over = Refusal::AlreadyForfeited { at: NOW };
    assert_eq!(refused(&mut escrow, |escrow| escrow.forfeit(job, NOW)), over);
    assert_eq!(refused(&mut escrow, |escrow| escrow.release(job)), over);
    assert_eq!(refused(&mut escrow, |escrow| escrow.submit(Proof::First.evidence(), NOW)), over);
    let mut escrow = answered(Proof::First, ALICE, WRONG);
    let refusal = refused(&mut escrow, |escrow| escrow.forfeit(job, NOW));
    assert_eq!(refusal, Refusal::AlreadyAnswered { output: WRONG });
}

#[test]
fn a_job_is_released_without_loss_whatever_was_answered() {
    let job = Proof::First.job();
    let mut escrow = answered(Proof::First, ALICE, WRONG);
    escrow.release(job).unwrap();
    assert_eq!(money(&escrow), ([900, 940, 940], [60, 60]));
    let refusal = refused(&mut escrow, |escrow| escrow.release(job));
    assert_eq!(refusal, Refusal::NotStaked { stake: STAKE });
    escrow.refund(job, LATE).unwrap();
    assert_eq!(money(&escrow), ([1_000, 940, 940], [60, 60]));
}

#[test]
fn jobs_are_opened_together_or_not_at_all() {
    let mut escrow = Escrow::new(MemoryStore::default(), CHAIN, POLICY).unwrap();
    escrow.deposit(deposit(1), BUYER, Amount(199)).unwrap();
    let jobs = [Proof::First, Proof::Second].map(|proof| (proof.job(), proof.terms()));
    let refusal = refused(&mut escrow, |escrow| escrow.open_together(&jobs, NOW));
    let (balance, needed) = (Amount(199), jobs[0].1.price.0 + jobs[1].1.price.0);
    let needed = Amount(needed);
    assert_eq!(refusal, Refusal::InsufficientFunds { account: BUYER, balance, needed });
    escrow.deposit(deposit(2), BUYER, Amount(needed.0 - 199)).unwrap();
    let mut others = jobs;
    others[1].1.buyer = ALICE;
    let refusal = refused(&mut escrow, |escrow| escrow.open_together(&others, NOW));
    assert_eq!(refusal, Refusal::Buyers);
    let refusal = refused(&mut escrow, |escrow| escrow.open_together(&[jobs[0]; 2], NOW));
    assert_eq!(refusal, Refusal::JobExists { job: jobs[0].0 });
    escrow.open_together(&jobs, NOW).unwrap();
    assert_eq!(escrow.balance(BUYER).unwrap(), Amount(0));
    let refusal = refused(&mut escrow, |escrow| escrow.open_together(&jobs, NOW));
    assert_eq!(refusal, Refusal::JobExists { job: jobs[0].0 });
    escrow.open_together(&[], NOW).unwrap();
}
