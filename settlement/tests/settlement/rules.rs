//! Each rule, and the refusal of each lie.

use zkinfer_settlement::{
    Address, Amount, AnyJob, Delivery, DepositId, Escrow, JobId, JobTerms, MAX_SECONDS,
    MemoryStore, Refusal, ValuesDigest, WithdrawalId,
};
use zkinfer_verifier::{
    ClaimedValues, CommitmentError, Digest, KeyDigest, Opening, SrsPolicy, SrsTrust, VerifyingKey,
};

use crate::common::{
    ALICE, BOB, BUYER, CHAIN, DEADLINE, Hidden, POLICY, Proof, deposit, refusal, refused, srs,
    withdrawal,
};

const NOW: u64 = 100;
const LATE: u64 = DEADLINE + 1;

/// The buyer and the provers have 1,000 each.
fn escrow() -> Escrow<MemoryStore> {
    let mut escrow = Escrow::new(MemoryStore::default(), CHAIN, POLICY).unwrap();
    for (number, account) in [(1, BUYER), (2, ALICE), (3, BOB)] {
        escrow.deposit(deposit(number), account, Amount(1_000)).unwrap();
    }
    escrow
}

fn with_job(proof: Proof, edit: impl FnOnce(&mut JobTerms)) -> Escrow<MemoryStore> {
    let mut terms = proof.terms();
    edit(&mut terms);
    let mut escrow = escrow();
    escrow.open(proof.job(), terms, NOW).unwrap();
    escrow
}

/// Of the buyer, Alice and Bob; the books must balance.
fn balances(escrow: &Escrow<MemoryStore>) -> [u128; 3] {
    escrow.audit().unwrap();
    [BUYER, ALICE, BOB].map(|account| escrow.balance(account).unwrap().0)
}

#[test]
fn a_job_is_paid_and_the_receipt_says_what_was_bought() {
    let mut escrow = with_job(Proof::First, |_| {});
    assert_eq!(balances(&escrow), [900, 1_000, 1_000]);
    assert_eq!(escrow.audit().unwrap().held, Amount(100));
    assert_eq!(escrow.receipt(Proof::First.job()).unwrap(), None);
    let receipt = escrow.submit(Proof::First.evidence(), NOW).unwrap();
    assert_eq!(balances(&escrow), [900, 1_100, 1_000]);
    let claim = Proof::First.file().claim;
    assert_eq!(receipt.job, JobId(claim.binding.job_id));
    assert_eq!(receipt.payee, ALICE);
    assert_eq!((receipt.price, receipt.stake), (Amount(100), Amount(0)));
    assert_eq!(receipt.model, claim.model);
    assert_eq!(receipt.input, ValuesDigest::of(&claim.input));
    assert_eq!(receipt.output, ValuesDigest::of(&claim.output));
    assert_eq!((receipt.nonce, receipt.expiry, receipt.settled_at), (1, 2_000, NOW));
    assert_eq!(escrow.receipt(Proof::First.job()).unwrap(), Some(receipt));
}

#[test]
fn the_same_evidence_is_never_paid_twice() {
    let mut escrow = with_job(Proof::First, |_| {});
    let _ = escrow.submit(Proof::First.evidence(), NOW).unwrap();
    for proof in [Proof::First, Proof::RivalOfFirst] {
        let again = refused(&mut escrow, |escrow| escrow.submit(proof.evidence(), NOW));
        assert_eq!(again, Refusal::AlreadySettled { at: NOW });
    }
    let terms = Proof::First.terms();
    let again = refused(&mut escrow, |escrow| escrow.open(Proof::First.job(), terms, NOW));
    assert_eq!(again, Refusal::JobExists { job: Proof::First.job() });
}

#[test]
fn a_job_name_is_never_used_again() {
    let job = Proof::First.job();
    let terms = Proof::First.terms();
    let stake = |terms: &mut JobTerms| terms.stake = Amount(10);
    let mut open = with_job(Proof::First, |_| {});
    let mut staked = with_job(Proof::First, stake);
    staked.stake(job, ALICE, NOW).unwrap();
    let mut refunded = with_job(Proof::First, |_| {});
    refunded.refund(job, LATE).unwrap();
    let mut slashed = with_job(Proof::First, stake);
    slashed.stake(job, ALICE, NOW).unwrap();
    slashed.slash(job, LATE).unwrap();
    for escrow in [&mut open, &mut staked, &mut refunded, &mut slashed] {
        let refusal = refused(escrow, |escrow| escrow.open(job, terms, NOW));
        assert_eq!(refusal, Refusal::JobExists { job });
    }
}

/// The refusal of the first proof by a job that asks for something else.
fn mismatch(edit: impl FnOnce(&mut JobTerms)) -> Refusal {
    let mut escrow = with_job(Proof::First, edit);
    refused(&mut escrow, |escrow| escrow.submit(Proof::First.evidence(), NOW))
}

#[test]
fn a_proof_of_another_model_is_not_paid() {
    let got = Proof::First.file().claim.model;
    let expected = KeyDigest(Digest([9; 32]));
    let refusal = mismatch(|terms| terms.model = expected);
    assert_eq!(refusal, Refusal::Model { expected, got });
}

#[test]
fn a_proof_about_another_input_is_not_paid() {
    let (expected, got) = (Proof::Second.terms().input, Proof::First.terms().input);
    assert_eq!(mismatch(|terms| terms.input = expected), Refusal::Input { expected, got });
}

#[test]
fn a_proof_with_another_nonce_is_not_paid() {
    let refusal = mismatch(|terms| terms.nonce = 2);
    assert_eq!(refusal, Refusal::Nonce { expected: 2, got: 1 });
}

#[test]
fn a_proof_for_another_payee_is_not_paid() {
    let refusal = mismatch(|terms| terms.payee = Some(BOB));
    assert_eq!(refusal, Refusal::Payee { expected: BOB, got: ALICE });
}

#[test]
fn a_proof_for_another_job_is_not_paid() {
    let mut escrow = with_job(Proof::First, |_| {});
    let refusal = refused(&mut escrow, |escrow| escrow.submit(Proof::Second.evidence(), NOW));
    assert_eq!(refusal, Refusal::UnknownJob { job: Proof::Second.job() });
}

#[test]
fn a_proof_for_another_chain_is_not_paid() {
    let mut escrow = Escrow::new(MemoryStore::default(), 7, POLICY).unwrap();
    escrow.deposit(deposit(1), BUYER, Amount(100)).unwrap();
    escrow.open(Proof::First.job(), Proof::First.terms(), NOW).unwrap();
    let refusal = refused(&mut escrow, |escrow| escrow.submit(Proof::First.evidence(), NOW));
    assert_eq!(refusal, Refusal::Chain { expected: 7, got: CHAIN });
}

#[test]
fn a_proof_is_paid_until_it_expires_and_not_after() {
    for (now, paid) in [(499, true), (500, true), (501, false)] {
        let mut escrow = with_job(Proof::ShortLived, |_| {});
        let evidence = Proof::ShortLived.evidence();
        if paid {
            assert_eq!(escrow.submit(evidence, now).unwrap().expiry, 500);
        } else {
            let refusal = refused(&mut escrow, |escrow| escrow.submit(evidence, now));
            assert_eq!(refusal, Refusal::Expired { expiry: 500, now });
        }
    }
}

#[test]
fn evidence_under_a_setup_that_is_not_accepted_is_not_paid() {
    let (dev, ours) = (SrsPolicy::AllowInsecureDev, SrsPolicy::AllowSrs(srs()));
    let another = SrsPolicy::AllowSrs(zkinfer_verifier::SrsDigest(Digest([9; 32])));
    let by_digest = SrsTrust::ByDigest(srs());
    let cases = [
        (SrsPolicy::CeremonyOnly, dev, Some(SrsTrust::InsecureDev)),
        (SrsPolicy::CeremonyOnly, ours, Some(by_digest)),
        (ours, dev, Some(SrsTrust::InsecureDev)),
        (dev, ours, Some(by_digest)),
        (another, ours, Some(by_digest)),
        (dev, dev, None),
        (ours, ours, None),
    ];
    for (policy, verified_under, untrusted) in cases {
        let mut escrow = Escrow::new(MemoryStore::default(), CHAIN, policy).unwrap();
        escrow.deposit(deposit(1), BUYER, Amount(100)).unwrap();
        escrow.open(Proof::First.job(), Proof::First.terms(), NOW).unwrap();
        let evidence = Proof::First.evidence_under(verified_under);
        match untrusted {
            Some(srs) => {
                let refusal = refused(&mut escrow, |escrow| escrow.submit(evidence, NOW));
                assert_eq!(refusal, Refusal::UntrustedSrs { srs });
            }
            None => assert_eq!(escrow.submit(evidence, NOW).unwrap().payee, ALICE),
        }
    }
}

#[test]
fn the_first_broken_rule_is_named() {
    let honest = Proof::ShortLived.terms();
    let (model, input) = (KeyDigest(Digest([9; 32])), Proof::Second.terms().input);
    let (mut terms, mut now) = (honest, 600);
    (terms.stake, terms.deadline, terms.payee) = (Amount(30), 550, Some(BOB));
    (terms.model, terms.nonce, terms.input) = (model, 2, input);
    let mut named = |edit: &dyn Fn(&mut JobTerms, &mut u64)| {
        edit(&mut terms, &mut now);
        let mut escrow = with_job(Proof::ShortLived, |all| *all = terms);
        refused(&mut escrow, |escrow| escrow.submit(Proof::ShortLived.evidence(), now))
    };
    // Everything is wrong; then one thing less at a time.
    assert_eq!(named(&|_, _| {}), Refusal::NotStaked { stake: Amount(30) });
    let late = Refusal::DeadlinePassed { deadline: 550, now: 600 };
    assert_eq!(named(&|terms, _| terms.stake = Amount(0)), late);
    let expired = Refusal::Expired { expiry: 500, now: 600 };
    assert_eq!(named(&|terms, _| terms.deadline = DEADLINE), expired);
    let other_model = Refusal::Model { expected: model, got: honest.model };
    assert_eq!(named(&|_, now| *now = NOW), other_model);
    let other_nonce = Refusal::Nonce { expected: 2, got: honest.nonce };
    assert_eq!(named(&|terms, _| terms.model = honest.model), other_nonce);
    let other_payee = Refusal::Payee { expected: BOB, got: ALICE };
    assert_eq!(named(&|terms, _| terms.nonce = honest.nonce), other_payee);
    let other_input = Refusal::Input { expected: input, got: honest.input };
    assert_eq!(named(&|terms, _| terms.payee = None), other_input);
}

/// At every moment exactly one of both can have the money.
#[test]
fn the_payee_is_paid_until_the_deadline_and_the_buyer_after() {
    let (job, deadline) = (Proof::First.job(), DEADLINE);
    for now in [0, NOW, DEADLINE - 1, DEADLINE] {
        let mut escrow = with_job(Proof::First, |_| {});
        let early = refused(&mut escrow, |escrow| escrow.refund(job, now));
        assert_eq!(early, Refusal::DeadlineAhead { deadline, now });
        let _ = escrow.submit(Proof::First.evidence(), now).unwrap();
    }
    for now in [LATE, u64::MAX] {
        let mut escrow = with_job(Proof::First, |_| {});
        let late = refused(&mut escrow, |escrow| escrow.submit(Proof::First.evidence(), now));
        assert_eq!(late, Refusal::DeadlinePassed { deadline, now });
        escrow.refund(job, now).unwrap();
        assert_eq!(balances(&escrow), [1_000; 3]);
    }
}

#[test]
fn a_bounty_is_paid_to_whoever_is_bound_in_the_first_proof() {
    let mut escrow = with_job(Proof::First, |_| {});
    assert_eq!(escrow.submit(Proof::RivalOfFirst.evidence(), NOW).unwrap().payee, BOB);
    let refusal = refused(&mut escrow, |escrow| escrow.submit(Proof::First.evidence(), NOW));
    assert_eq!(refusal, Refusal::AlreadySettled { at: NOW });
    assert_eq!(balances(&escrow), [900, 1_000, 1_100]);
}

#[test]
fn the_stake_reserves_the_job_and_comes_back_with_the_price() {
    let job = Proof::First.job();
    let stake = Amount(30);
    let mut escrow = with_job(Proof::First, |terms| terms.stake = stake);
    let early = refused(&mut escrow, |escrow| escrow.submit(Proof::First.evidence(), NOW));
    assert_eq!(early, Refusal::NotStaked { stake });
    escrow.stake(job, ALICE, NOW).unwrap();
    assert_eq!(balances(&escrow), [900, 970, 1_000]);
    assert_eq!(escrow.audit().unwrap().held, Amount(130));
    for prover in [ALICE, BOB] {
        let refusal = refused(&mut escrow, |escrow| escrow.stake(job, prover, NOW));
        assert_eq!(refusal, Refusal::AlreadyStaked { prover: ALICE });
    }
    let rival = refused(&mut escrow, |escrow| escrow.submit(Proof::RivalOfFirst.evidence(), NOW));
    assert_eq!(rival, Refusal::Payee { expected: ALICE, got: BOB });
    let receipt = escrow.submit(Proof::First.evidence(), DEADLINE).unwrap();
    assert_eq!((receipt.price, receipt.stake), (Amount(100), stake));
    assert_eq!(balances(&escrow), [900, 1_100, 1_000]);
}

#[test]
fn a_missed_deadline_costs_the_stake() {
    let (job, deadline) = (Proof::First.job(), DEADLINE);
    let mut escrow = with_job(Proof::First, |terms| terms.stake = Amount(30));
    escrow.stake(job, BOB, DEADLINE).unwrap();
    let early = refused(&mut escrow, |escrow| escrow.slash(job, DEADLINE));
    assert_eq!(early, Refusal::DeadlineAhead { deadline, now: DEADLINE });
    let wrong = refused(&mut escrow, |escrow| escrow.refund(job, LATE));
    assert_eq!(wrong, Refusal::RefundOfStaked { prover: BOB });
    let late = refused(&mut escrow, |escrow| escrow.submit(Proof::RivalOfFirst.evidence(), LATE));
    assert_eq!(late, Refusal::DeadlinePassed { deadline, now: LATE });
    escrow.slash(job, LATE).unwrap();
    assert_eq!(balances(&escrow), [1_030, 1_000, 970]);
    assert!(matches!(escrow.job(job).unwrap(), Some(AnyJob::Slashed(job)) if job.prover() == BOB));
}

#[test]
fn stakes_are_refused_that_nobody_asks_for() {
    let job = Proof::First.job();
    let mut escrow = with_job(Proof::First, |_| {});
    let refusal = refused(&mut escrow, |escrow| escrow.stake(job, ALICE, NOW));
    assert_eq!(refusal, Refusal::NoStakeAsked);
    let refusal = refused(&mut escrow, |escrow| escrow.slash(job, LATE));
    assert_eq!(refusal, Refusal::NothingToSlash);

    let reserved = |terms: &mut JobTerms| (terms.stake, terms.payee) = (Amount(30), Some(ALICE));
    let mut escrow = with_job(Proof::First, reserved);
    let refusal = refused(&mut escrow, |escrow| escrow.stake(job, BOB, NOW));
    assert_eq!(refusal, Refusal::Prover { expected: ALICE, got: BOB });
    let refusal = refused(&mut escrow, |escrow| escrow.stake(job, ALICE, LATE));
    assert_eq!(refusal, Refusal::DeadlinePassed { deadline: DEADLINE, now: LATE });
    // Without a prover there is nobody to slash: the buyer is refunded.
    escrow.refund(job, LATE).unwrap();
    assert_eq!(balances(&escrow), [1_000; 3]);
}

#[test]
fn nothing_happens_to_a_job_that_is_over_or_never_was() {
    let job = Proof::First.job();
    let mut settled = with_job(Proof::First, |_| {});
    let _ = settled.submit(Proof::First.evidence(), NOW).unwrap();
    let mut refunded = with_job(Proof::First, |_| {});
    refunded.refund(job, LATE).unwrap();
    let mut slashed = with_job(Proof::First, |terms| terms.stake = Amount(30));
    slashed.stake(job, ALICE, NOW).unwrap();
    slashed.slash(job, LATE).unwrap();
    let cases = [
        (settled, Refusal::AlreadySettled { at: NOW }),
        (refunded, Refusal::AlreadyRefunded { at: LATE }),
        (slashed, Refusal::AlreadySlashed { at: LATE }),
        (escrow(), Refusal::UnknownJob { job }),
    ];
    for (mut escrow, expected) in cases {
        for now in [NOW, LATE] {
            let evidence = Proof::First.evidence();
            assert_eq!(refused(&mut escrow, |escrow| escrow.submit(evidence, now)), expected);
            assert_eq!(refused(&mut escrow, |escrow| escrow.stake(job, BOB, now)), expected);
            assert_eq!(refused(&mut escrow, |escrow| escrow.refund(job, now)), expected);
            assert_eq!(refused(&mut escrow, |escrow| escrow.slash(job, now)), expected);
        }
    }
}

#[test]
fn jobs_that_cannot_be_done_or_paid_are_not_opened() {
    let refusal = |edit: &dyn Fn(&mut JobTerms)| {
        let mut terms = Proof::First.terms();
        edit(&mut terms);
        refused(&mut escrow(), |escrow| escrow.open(Proof::First.job(), terms, NOW))
    };
    assert_eq!(
        refusal(&|terms| terms.deadline = NOW - 1),
        Refusal::DeadlinePassed { deadline: NOW - 1, now: NOW }
    );
    assert_eq!(refusal(&|terms| terms.price = Amount(0)), Refusal::ZeroPrice);
    let most = |terms: &mut JobTerms| terms.stake = Amount(u128::MAX);
    assert_eq!(refusal(&most), Refusal::Overflow);
    let (balance, needed) = (Amount(1_000), Amount(1_001));
    let poor = Refusal::InsufficientFunds { account: BUYER, balance, needed };
    assert_eq!(refusal(&|terms| terms.price = needed), poor);
    let stranger = Address([0x55; 20]);
    let (balance, needed) = (Amount(0), Amount(100));
    let unknown = Refusal::InsufficientFunds { account: stranger, balance, needed };
    assert_eq!(refusal(&|terms| terms.buyer = stranger), unknown);
}

#[test]
fn a_stake_must_be_paid() {
    let mut escrow = with_job(Proof::First, |terms| terms.stake = Amount(1_001));
    let job = Proof::First.job();
    let refusal = refused(&mut escrow, |escrow| escrow.stake(job, ALICE, NOW));
    let (balance, needed) = (Amount(1_000), Amount(1_001));
    assert_eq!(refusal, Refusal::InsufficientFunds { account: ALICE, balance, needed });
}

#[test]
fn a_transfer_counts_once_and_only_moves_what_is_there() {
    let mut escrow = escrow();
    let again = refused(&mut escrow, |escrow| escrow.deposit(deposit(1), BOB, Amount(5)));
    assert_eq!(again, Refusal::DepositExists { deposit: deposit(1) });
    let none = refused(&mut escrow, |escrow| escrow.deposit(deposit(9), BOB, Amount(0)));
    assert_eq!(none, Refusal::ZeroAmount);
    let none = refused(&mut escrow, |escrow| escrow.withdraw(withdrawal(9), BOB, Amount(0)));
    assert_eq!(none, Refusal::ZeroAmount);
    let most = Amount(u128::MAX - 2_999);
    let overflow = refused(&mut escrow, |escrow| escrow.deposit(deposit(9), BOB, most));
    assert_eq!(overflow, Refusal::Overflow);
    let (balance, needed) = (Amount(1_000), Amount(1_001));
    let poor = refused(&mut escrow, |escrow| escrow.withdraw(withdrawal(9), BOB, needed));
    assert_eq!(poor, Refusal::InsufficientFunds { account: BOB, balance, needed });
    escrow.withdraw(withdrawal(9), BOB, balance).unwrap();
    let again = refused(&mut escrow, |escrow| escrow.withdraw(withdrawal(9), BOB, Amount(1)));
    let (account, withdrawal) = (BOB, withdrawal(9));
    assert_eq!(again, Refusal::WithdrawalExists { account, withdrawal });
    assert_eq!(balances(&escrow), [1_000, 1_000, 0]);
    assert_eq!(escrow.audit().unwrap().total, Amount(2_000));
    let most = Amount(u128::MAX - 2_000);
    escrow.deposit(deposit(10), BOB, most).unwrap();
    assert_eq!(balances(&escrow)[2], most.0);
}

/// Deposits and withdrawals shared one space of names: who withdrew under the name of a payment that
/// was on its way kept it from being credited.
#[test]
fn a_withdrawal_blocks_nobody_elses_transfer() {
    let mut escrow = escrow();
    let name = [7; 32];
    escrow.withdraw(WithdrawalId(name), ALICE, Amount(1)).unwrap();
    escrow.deposit(DepositId(name), BUYER, Amount(1_000)).unwrap();
    escrow.withdraw(WithdrawalId(name), BOB, Amount(1)).unwrap();
    assert_eq!(balances(&escrow), [2_000, 999, 999]);
}

/// A job with the largest deadline held its price for ever.
#[test]
fn a_deadline_is_bounded() {
    let open = |deadline: u64, now: u64| {
        let terms = JobTerms { deadline, ..Proof::First.terms() };
        let mut escrow = escrow();
        (escrow.open(Proof::First.job(), terms, now), escrow)
    };
    for (deadline, now) in [
        (NOW + MAX_SECONDS + 1, NOW),
        (u64::MAX, NOW),
        (u64::MAX, u64::MAX - 5),
        (u64::MAX, u64::MAX),
    ] {
        let latest = now.saturating_add(MAX_SECONDS).min(u64::MAX - 1);
        let refused = refusal(open(deadline, now).0.unwrap_err());
        assert_eq!(refused, Refusal::DeadlineTooFar { deadline, latest });
    }
    for (deadline, now) in [(NOW + MAX_SECONDS, NOW), (u64::MAX - 1, u64::MAX - 1)] {
        let (opened, mut escrow) = open(deadline, now);
        opened.unwrap();
        escrow.refund(Proof::First.job(), deadline + 1).unwrap();
        assert_eq!(balances(&escrow), [1_000; 3]);
    }
}

/// A job that the hidden proof does, delivered so.
fn with_hidden_job(delivery: Delivery) -> (Escrow<MemoryStore>, Hidden) {
    let hidden = Hidden::read();
    let mut escrow = escrow();
    escrow.open(hidden.job(), JobTerms { delivery, ..hidden.terms() }, NOW).unwrap();
    (escrow, hidden)
}

/// The escrow paid for a commitment whose opening the buyer never saw.
#[test]
fn a_hidden_output_is_not_paid_without_its_opening() {
    let (mut shown, hidden) = with_hidden_job(Delivery::Shown);
    let refusal = refused(&mut shown, |escrow| escrow.submit(hidden.evidence(), NOW));
    assert_eq!(refusal, Refusal::HiddenOutput);
    // Not even with the opening: the buyer has said how the output must come.
    let (key, opening) = (&hidden.key, hidden.opening.clone());
    let refusal =
        refused(&mut shown, |escrow| escrow.submit_opened(hidden.evidence(), key, &opening, NOW));
    assert_eq!(refusal, Refusal::HiddenOutput);
    let (mut opened, hidden) = with_hidden_job(Delivery::Opened);
    let refusal = refused(&mut opened, |escrow| escrow.submit(hidden.evidence(), NOW));
    assert_eq!(refusal, Refusal::OpeningMissing);
}

#[test]
fn an_opened_output_is_paid_and_kept_for_the_buyer() {
    let (mut escrow, hidden) = with_hidden_job(Delivery::Opened);
    assert_eq!(escrow.opening(hidden.job()).unwrap(), None);
    let (key, opening) = (&hidden.key, &hidden.opening);
    let receipt = escrow.submit_opened(hidden.evidence(), key, opening, NOW).unwrap();
    assert_eq!(receipt.delivery, Delivery::Opened);
    assert_eq!(receipt.output, ValuesDigest::of(&hidden.file.claim.output));
    assert_eq!(balances(&escrow), [900, 1_100, 1_000]);
    assert_eq!(escrow.opening(hidden.job()).unwrap(), Some(hidden.opening));
}

#[test]
fn the_opening_of_something_else_is_not_paid() {
    let (mut escrow, hidden) = with_hidden_job(Delivery::Opened);
    let mut refusal = |key: &VerifyingKey, opening: Opening| {
        refused(&mut escrow, |escrow| escrow.submit_opened(hidden.evidence(), key, &opening, NOW))
    };
    let (key, honest) = (&hidden.key, &hidden.opening);
    let mut other = honest.clone();
    other.values[3] -= 1;
    let ClaimedValues::Committed(expected) = hidden.file.claim.output else { panic!() };
    let got = other.commitment(&key.parts().layout.outputs).unwrap();
    assert_eq!(refusal(key, other), Refusal::Opening { expected, got });
    let short = Opening { values: honest.values[1..].to_vec(), ..honest.clone() };
    let length = CommitmentError::Length { expected: 10, got: 9 };
    assert_eq!(refusal(key, short), Refusal::OpeningValues(length));
    // A key with other bounds would take the values for others.
    let mut parts = key.parts().clone();
    parts.model_name = Some("another".into());
    let other = VerifyingKey::new(parts).unwrap();
    let (expected, got) = (key.digest(), other.digest());
    assert_eq!(refusal(&other, honest.clone()), Refusal::OpeningKey { expected, got });
}

/// An output that the proof shows is delivered in either way.
#[test]
fn a_shown_output_needs_no_opening() {
    let opened = |terms: &mut JobTerms| terms.delivery = Delivery::Opened;
    let mut escrow = with_job(Proof::First, opened);
    let hidden = Hidden::read();
    let refusal = refused(&mut escrow, |escrow| {
        escrow.submit_opened(Proof::First.evidence(), &hidden.key, &hidden.opening, NOW)
    });
    assert_eq!(refusal, Refusal::NothingToOpen);
    assert_eq!(escrow.submit(Proof::First.evidence(), NOW).unwrap().delivery, Delivery::Opened);
    assert_eq!(escrow.opening(Proof::First.job()).unwrap(), None);
}

/// What is held for a job cannot be withdrawn.
#[test]
fn money_in_a_job_is_out_of_reach() {
    let mut escrow = with_job(Proof::First, |terms| terms.price = Amount(1_000));
    let refusal = refused(&mut escrow, |escrow| escrow.withdraw(withdrawal(9), BUYER, Amount(1)));
    let (balance, needed) = (Amount(0), Amount(1));
    assert_eq!(refusal, Refusal::InsufficientFunds { account: BUYER, balance, needed });
}
