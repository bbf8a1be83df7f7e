//! Each refusal by its name, with nothing changed.

use revm::primitives::Address;
use zkinfer_contracts_evm::{
    account,
    escrow::{Binding, Escrow, Job, Terms},
};
use zkinfer_verifier::keccak256;

use crate::setting::*;

#[test]
fn terms_that_nobody_can_keep_are_refused() {
    let mut setting = Setting::new();
    let mut name = |edit: fn(&mut Terms)| {
        let mut terms = terms();
        edit(&mut terms);
        let job = Job::new(terms);
        refused(&mut setting, &job, |s| s.escrow.open(&mut s.chain, BUYER, 100, &terms))
    };
    assert_eq!(name(|terms| terms.buyer = ALICE), "NotBuyer");
    assert_eq!(name(|terms| terms.deadline = 99), "DeadlinePassed");
    assert_eq!(name(|terms| terms.deadline = 101 + 366 * 86_400), "DeadlineTooFar");
    assert_eq!(name(|terms| terms.price = 0), "ZeroPrice");
    assert_eq!(name(|terms| terms.price = 101), "InsufficientFunds");
    let hidden = |terms: &mut Terms| *terms = Terms { key: [0; 32], ..optimistic() };
    assert_eq!(name(hidden), "HiddenOutput");
    assert_eq!(name(|terms| terms.bond = 1), "OptimisticTerms");
    assert_eq!(name(|terms| terms.proof_time = 1), "OptimisticTerms");
    assert_eq!(name(|terms| *terms = Terms { stake: 0, ..optimistic() }), "OptimisticTerms");
    assert_eq!(name(|terms| *terms = Terms { bond: 0, ..optimistic() }), "OptimisticTerms");
    assert_eq!(name(|terms| *terms = Terms { proof_time: 0, ..optimistic() }), "OptimisticTerms");
    let long = |terms: &mut Terms| *terms = Terms { window: u64::MAX, ..optimistic() };
    assert_eq!(name(long), "OptimisticTerms");
    assert_eq!(name(|terms| terms.token = account(0x77)), "EtherSent");
    let job = setting.open(terms());
    let again = |s: &mut Setting| s.escrow.open(&mut s.chain, BUYER, 100, &terms());
    assert_eq!(refused(&mut setting, &job, again), "JobExists");
}

#[test]
fn a_proof_of_something_else_is_refused() {
    let mut setting = Setting::new();
    let job = setting.open(Terms { payee: ALICE, ..terms() });
    let honest = setting.binding(&job, ALICE);
    let mut name = |edit: fn(&mut Job, &mut Binding, &mut [&[u8]; 3])| {
        let (mut shown, mut binding, mut claim) = (job, honest, GOOD);
        edit(&mut shown, &mut binding, &mut claim);
        refused(&mut setting, &job, |s| {
            s.escrow.submit(&mut s.chain, ALICE, &shown, &binding, claim)
        })
    };
    assert_eq!(name(|_, binding, _| binding.chain_id = 2), "OtherChain");
    assert_eq!(name(|_, binding, _| binding.job[0] ^= 1), "UnknownJob");
    assert_eq!(name(|job, _, _| job.terms.salt[0] ^= 1), "UnknownJob");
    assert_eq!(name(|_, binding, _| binding.expiry = 99), "Expired");
    assert_eq!(name(|_, binding, _| binding.nonce = 8), "OtherNonce");
    assert_eq!(name(|_, binding, _| binding.payee = Address::ZERO), "ZeroPayee");
    assert_eq!(name(|_, binding, _| binding.payee = BOB), "OtherPayee");
    assert_eq!(name(|_, _, claim| claim[0] = b"another"), "OtherInput");
    assert_eq!(name(|_, _, claim| claim[2] = b"bad"), "Pairing");
    // Other terms than those of the job: a higher price, another payee, another token.
    assert_eq!(name(|job, _, _| job.terms.price = 900), "OtherJob");
    assert_eq!(name(|job, _, _| job.terms.payee = BOB), "OtherJob");
    assert_eq!(name(|job, _, _| job.terms.token = BOB), "OtherJob");
    assert_eq!(name(|job, _, _| job.progress.prover = BOB), "OtherJob");
    let good = Escrow::submit_data(&job, &honest, GOOD);
    let mut longer = good.clone();
    longer.extend([0; 32]);
    let at = setting.escrow.at;
    let mut sent =
        |data: Vec<u8>| refused(&mut setting, &job, |s| s.chain.send(ALICE, at, 0, data));
    assert_eq!(sent(longer), "MalformedCalldata");
    assert_eq!(sent(good[..good.len() - 32].to_vec()), "Reason");
    let mut dirty = good.clone();
    // A number of 64 bits with more bits.
    dirty[4 + 32 * 17] = 1;
    assert!(["Reason", "Bytes"].contains(&sent(dirty).as_str()));
    setting.chain.set_time(1_001);
    assert_eq!(refused(&mut setting, &job, |s| s.submit(&job, ALICE)), "DeadlinePassed");
    setting.chain.set_time(1_000);
    setting.submit(&job, ALICE).unwrap();
    assert_eq!(refused(&mut setting, &job, |s| s.submit(&job, ALICE)), "AlreadySettled");
    assert_eq!(setting.credit(ALICE), 100);
}

#[test]
fn stakes_are_taken_once_and_from_the_right_prover() {
    let mut setting = Setting::new();
    let job = setting.open(Terms { payee: ALICE, stake: 30, ..terms() });
    let stake =
        |from, wei| move |s: &mut Setting| s.escrow.act(&mut s.chain, "stake", from, wei, &job);
    assert_eq!(refused(&mut setting, &job, |s| s.submit(&job, ALICE)), "NotStaked");
    assert_eq!(refused(&mut setting, &job, stake(BOB, 30)), "OtherProver");
    assert_eq!(refused(&mut setting, &job, stake(ALICE, 29)), "InsufficientFunds");
    assert_eq!(refused(&mut setting, &job, |s| s.act("slash", BOB, &job)), "NothingToSlash");
    let staked = setting.staked(job, ALICE);
    assert_eq!(refused(&mut setting, &job, stake(ALICE, 30)), "AlreadyStaked");
    assert_eq!(refused(&mut setting, &job, |s| s.act("refund", BUYER, &staked)), "RefundOfStaked");
    assert_eq!(refused(&mut setting, &job, |s| s.act("slash", BUYER, &staked)), "DeadlineAhead");
    assert_eq!(refused(&mut setting, &job, |s| s.submit(&staked, BOB)), "OtherPayee");
    setting.chain.set_time(1_001);
    setting.act("slash", BOB, &staked).unwrap();
    assert_eq!((setting.credit(BUYER), setting.state(&job)), (130, SLASHED));
    assert_eq!(refused(&mut setting, &job, |s| s.act("slash", BOB, &staked)), "AlreadySlashed");
    let plain = setting.open(Terms { salt: [2; 32], deadline: 2_000, ..terms() });
    let stake = |s: &mut Setting| s.escrow.act(&mut s.chain, "stake", BOB, 0, &plain);
    assert_eq!(refused(&mut setting, &plain, stake), "NoStakeAsked");
    assert_eq!(refused(&mut setting, &plain, |s| s.act("refund", BOB, &plain)), "DeadlineAhead");
    setting.chain.set_time(2_001);
    setting.act("refund", BOB, &plain).unwrap();
    assert_eq!((setting.credit(BUYER), setting.state(&plain)), (230, REFUNDED));
    assert_eq!(refused(&mut setting, &plain, |s| s.act("refund", BOB, &plain)), "AlreadyRefunded");
    assert_eq!(setting.held(), 230);
}

#[test]
fn an_answer_is_final_unless_challenged_in_its_window() {
    let mut setting = Setting::new();
    let job = setting.open(optimistic());
    let answer =
        |job: Job| move |s: &mut Setting| s.escrow.answer(&mut s.chain, ALICE, &job, OUTPUT, &[]);
    assert_eq!(refused(&mut setting, &job, answer(job)), "NotStaked");
    let staked = setting.staked(job, ALICE);
    let finalize = |job: Job| move |s: &mut Setting| s.act("finalize", BOB, &job);
    assert_eq!(refused(&mut setting, &job, finalize(staked)), "NotAnswered");
    let answered = setting.answered(staked, OUTPUT);
    assert_eq!(setting.state(&job), ANSWERED);
    assert_eq!(refused(&mut setting, &job, answer(answered)), "AlreadyStaked");
    assert_eq!(refused(&mut setting, &job, finalize(answered)), "DeadlineAhead");
    assert_eq!(refused(&mut setting, &job, |s| s.act("slash", BOB, &answered)), "NothingToSlash");
    setting.chain.set_time(151);
    let challenge = |s: &mut Setting| s.escrow.act(&mut s.chain, "challenge", BOB, 5, &answered);
    assert_eq!(refused(&mut setting, &job, challenge), "DeadlinePassed");
    assert_eq!(refused(&mut setting, &job, |s| s.submit(&answered, ALICE)), "DeadlinePassed");
    setting.act("finalize", BOB, &answered).unwrap();
    assert_eq!((setting.credit(ALICE), setting.held(), setting.state(&job)), (120, 120, SETTLED));
    let plain = setting.open(Terms { salt: [2; 32], stake: 20, ..terms() });
    let plain = setting.staked(plain, BOB);
    assert_eq!(refused(&mut setting, &plain, answer(plain)), "NotOptimistic");
}

#[test]
fn a_challenge_is_met_by_a_proof_or_costs_the_stake() {
    for proven in [true, false] {
        let mut setting = Setting::new();
        let job = setting.open(optimistic());
        let job = setting.staked(job, ALICE);
        let job = setting.answered(job, OUTPUT);
        let short = |s: &mut Setting| s.escrow.act(&mut s.chain, "challenge", BOB, 4, &job);
        assert_eq!(refused(&mut setting, &job, short), "InsufficientFunds");
        let job = setting.challenged(job, BOB);
        assert_eq!(setting.state(&job), CHALLENGED);
        let again = |s: &mut Setting| s.escrow.act(&mut s.chain, "challenge", BUYER, 5, &job);
        assert_eq!(refused(&mut setting, &job, again), "NotAnswered");
        assert_eq!(refused(&mut setting, &job, |s| s.act("finalize", ALICE, &job)), "NotAnswered");
        let binding = setting.binding(&job, ALICE);
        let other = |s: &mut Setting| {
            s.escrow.submit(&mut s.chain, ALICE, &job, &binding, [INPUT, b"other", b"good"])
        };
        assert_eq!(refused(&mut setting, &job, other), "OtherOutput");
        if proven {
            setting.submit(&job, ALICE).unwrap();
            assert_eq!((setting.credit(ALICE), setting.credit(BOB)), (125, 0));
        } else {
            assert_eq!(refused(&mut setting, &job, |s| s.act("slash", BOB, &job)), "DeadlineAhead");
            setting.chain.set_time(161);
            assert_eq!(refused(&mut setting, &job, |s| s.submit(&job, ALICE)), "DeadlinePassed");
            setting.act("slash", ALICE, &job).unwrap();
            assert_eq!((setting.credit(BUYER), setting.credit(BOB)), (120, 5));
        }
        assert_eq!(setting.held(), 125);
    }
}

#[test]
fn a_contradicted_answer_is_slashed_by_a_proof_or_by_a_second_signature() {
    for challenged in [false, true] {
        let mut setting = Setting::new();
        let prover = setting.signer(0x51);
        let job = setting.open(optimistic());
        let job = setting.staked(job, prover);
        let mut job = setting.answered(job, b"a lie");
        if challenged {
            job = setting.challenged(job, BOB);
        }
        let claim = |claim: [&'static [u8]; 3]| {
            move |s: &mut Setting| s.escrow.contradict(&mut s.chain, &job, [3; 32], claim)
        };
        let same = [INPUT, b"a lie", b"good"];
        assert_eq!(refused(&mut setting, &job, claim(same)), "SameOutput");
        assert_eq!(refused(&mut setting, &job, claim([b"x", OUTPUT, b"good"])), "OtherInput");
        assert_eq!(refused(&mut setting, &job, claim([INPUT, OUTPUT, b"bad"])), "Pairing");
        let signature = setting.sign(prover, CHAIN, setting.id(&job), OUTPUT);
        let digest = keccak256(&[OUTPUT]);
        let told = |output, signature: Vec<u8>| {
            move |s: &mut Setting| s.escrow.equivocate(&mut s.chain, &job, output, &signature)
        };
        assert_eq!(
            refused(&mut setting, &job, told(keccak256(&[b"a lie"]), signature.clone())),
            "SameOutput"
        );
        assert_eq!(refused(&mut setting, &job, told([1; 32], signature.clone())), "BadSignature");
        if challenged {
            told(digest, signature)(&mut setting).unwrap();
        } else {
            claim(GOOD)(&mut setting).unwrap();
        }
        assert_eq!((setting.credit(BUYER), setting.state(&job)), (120, SLASHED));
        assert_eq!(setting.credit(BOB), if challenged { 5 } else { 0 });
    }
}

/// A signature counts in one form, for one job, output, contract and chain.
#[test]
fn a_signature_has_no_twin() {
    let mut setting = Setting::new();
    let (prover, other) = (setting.signer(0x51), setting.signer(0x52));
    let job = setting.open(optimistic());
    let job = setting.staked(job, prover);
    let id = setting.id(&job);
    let answer = |signature: Vec<u8>| {
        move |s: &mut Setting| s.escrow.answer(&mut s.chain, BOB, &job, OUTPUT, &signature)
    };
    let good = setting.sign(prover, CHAIN, id, OUTPUT);
    // (r, n − s) with the other parity is a signature too.
    let order = "0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
    let order: revm::primitives::U256 = order.parse().unwrap();
    let s = revm::primitives::U256::from_be_slice(&good[32..64]);
    let twin = [&good[..32], &(order - s).to_be_bytes::<32>(), &[good[64] ^ 7]].concat();
    let mut parity = good.clone();
    parity[64] ^= 7;
    let mut low = good.clone();
    low[64] -= 27;
    let mut longer = good.clone();
    longer.push(0);
    let forged = [
        twin,
        parity,
        low,
        longer,
        Vec::new(),
        vec![0; 65],
        good[..64].to_vec(),
        setting.sign(other, CHAIN, id, OUTPUT),
        setting.sign(prover, 2, id, OUTPUT),
        setting.sign(prover, CHAIN, [0; 32], OUTPUT),
        setting.sign(prover, CHAIN, id, INPUT),
    ];
    for signature in forged {
        assert_eq!(refused(&mut setting, &job, answer(signature)), "BadSignature");
    }
    answer(good)(&mut setting).unwrap();
    assert_eq!(setting.state(&job), ANSWERED);
}

/// After a chain has split, what was made for one side is nothing on the other.
#[test]
fn a_fork_with_another_chain_id_pays_nothing_twice() {
    let mut setting = Setting::new();
    let job = setting.open(terms());
    let binding = setting.binding(&job, ALICE);
    setting.chain.set_chain_id(2);
    let old = |s: &mut Setting| s.escrow.submit(&mut s.chain, ALICE, &job, &binding, GOOD);
    assert_eq!(old(&mut setting).unwrap_err().name(), "OtherChain");
    // The other side has a job of the same name, which a proof for that side does, or a refund ends.
    let binding = Binding { chain_id: 2, ..binding };
    setting.escrow.submit(&mut setting.chain, ALICE, &job, &binding, GOOD).unwrap();
    assert_eq!(setting.credit(ALICE), 100);
}
