//! Answers of which only those that are drawn must be proven: in virtual time, and over HTTP.

use zkinfer_node::{
    ALWAYS, Answer, Decimal, Hex, JobRequest, Lot, MarketError, Offer, Order, Outcome, Remains,
    RevealError, Sampling, SignedAnswer, Wait, is_drawn, secret,
};
use zkinfer_settlement::JobId;

use crate::{
    common::{
        Coordinator, DAY, Node, PLAY_MONEY, PRICE, answered, config, end_of, identity, request,
    },
    small::{NODE, PAID, RIGHT, STAKE, Small, WRONG},
};

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
    let other =
        small.market.reveal(JobId(offer.job.0), Lot::Secret(Hex([1; 32])), small.now).unwrap_err();
    assert!(matches!(other, MarketError::Reveal(RevealError::Commitment)), "{other}");
    let own = secret(500_000, &offer.order, &small.buyer);
    assert_eq!(small.reveal(&offer).unwrap(), is_drawn(&own, &answer));
    // An answer under other conditions than the offer's binds nobody.
    let offer = small.ordered(500_000);
    let easier = Offer { rate: 500_001, ..offer.clone() };
    let signed = |offer: &Offer| {
        let answer = Answer { rate: offer.rate, job: offer.job, ..answer.clone() };
        let (output, trace) = (Vec::new(), Vec::new());
        SignedAnswer { answer, signature: Hex([0; 64]), output, trace, spans: None }
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
        let signed = SignedAnswer { answer, signature, output, trace, spans: None };
        let request = JobRequest {
            sealed: None,
            order: offer.order.clone(),
            signature: offer.signature,
            input: Vec::new(),
        };
        // The secret had reached the disk, and nothing that followed from it.
        small.restart(|_| {
            let (request, answer) = (request.clone(), Some(signed.clone()));
            Some(Remains { request, answer, lot: Some(Lot::Secret(own)), part: None })
        });
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
        let plain = request(&buyer, chain_id, nonce, DAY);
        let sampling = Some(Sampling::new(500_000, &plain.order, &buyer));
        Order { sampling, ..plain.order }.request(&buyer, plain.input)
    };
    // On probation: proven without a lot.
    let first = sampled(0);
    let view = answered(&client, &first);
    assert_eq!(view.answer.unwrap().answer.rate, ALWAYS);
    assert_eq!(end_of(&client, first.order.job()).state, "settled");
    let own = secret(500_000, &first.order, &buyer);
    assert_eq!(client.reveal(first.order.job(), own).unwrap_err().problem(), Some("not-found"));

    let (mut proven, mut accepted) = (0u32, 0u32);
    for nonce in 1..64 {
        let ordered = sampled(nonce);
        let job = ordered.order.job();
        let view = answered(&client, &ordered);
        let answer = view.answer.unwrap().answer;
        assert_eq!(answer.rate, 500_000);
        let own = secret(500_000, &ordered.order, &buyer);
        let drawn = is_drawn(&own, &answer);
        let revealed = client.reveal(job, own).unwrap();
        assert_eq!(revealed.state == "accepted", !drawn, "{}", revealed.state);
        assert_eq!(end_of(&client, job).state, if drawn { "settled" } else { "accepted" });
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
