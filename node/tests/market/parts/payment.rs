//! When a part is opened, delivered, paid and given back.

use zkinfer_node::{Decimal, JobRequest, MarketError, Offer, Order};
use zkinfer_settlement::Refusal;

use super::{BOND, INPUT, NODES, PARTS, PRICE, Parts, STAKE, answered, given, key, ordered};

#[test]
fn parts_go_from_node_to_node_and_are_paid_together() {
    let mut parts = ordered();
    assert_eq!(parts.buyers(), 1_000 - PRICE * 4);
    let offers = answered(&mut parts);
    // Each takes what the one before gives, and both know the same blinding.
    let mut taken = INPUT.to_vec();
    for (part, pair) in offers.windows(2).enumerate() {
        let [(_, before), (_, behind)] = pair else { panic!("pairs") };
        assert_eq!(before.input, taken);
        taken = given(part, &taken);
        let given = before.part.as_ref().unwrap().given_blinding.as_ref().unwrap();
        assert_eq!(behind.part.as_ref().unwrap().taken_blinding.as_ref(), Some(given));
    }
    let ends = [&offers[0].1, &offers[3].1].map(|offer| offer.part.clone().unwrap());
    assert_eq!((&ends[0].taken_blinding, &ends[1].given_blinding), (&None, &None));
    // In any order; nobody is paid before the last one is there.
    for part in [2, 0, 3] {
        let (node, offer) = &offers[part];
        assert!(!parts.prove(*node, offer).unwrap());
        assert!(!parts.prove(*node, offer).unwrap(), "once more is no harm");
    }
    assert_eq!((parts.earned(offers[2].0), parts.market.complete()), (0, vec![]));
    let (node, offer) = &offers[1];
    assert!(parts.prove(*node, offer).unwrap());
    assert_eq!(parts.market.complete(), [parts.whole]);
    parts.settle();
    assert_eq!(parts.states(), ["settled"; PARTS]);
    for (node, _) in offers {
        assert_eq!((parts.earned(node), parts.bond(node)), (PRICE, BOND));
    }
    assert!(parts.market.ledger().paid.values().all(|times| *times == 1));
    // The same order once more is the same job.
    let request = parts.request();
    let division = parts.division.clone();
    let again = JobRequest {
        order: Order { deadline: request.order.deadline, ..request.order.clone() },
        ..request
    };
    let same = parts.market.open_parts(again, &division, Vec::new(), parts.now).unwrap();
    assert_eq!((same, parts.buyers()), (parts.whole, 1_000 - PRICE * 4));
}

#[test]
fn at_the_deadline_whoever_has_proven_keeps_the_stake() {
    let mut parts = ordered();
    let offers = answered(&mut parts);
    for (node, offer) in &offers[..3] {
        parts.prove(*node, offer).unwrap();
    }
    let deadline = offers[0].1.order.deadline;
    // All at once: no lease has lapsed before.
    parts.now = (deadline + 1) * 1_000;
    parts.market.tick(parts.now).unwrap();
    parts.note();
    assert_eq!(parts.states(), ["refunded", "refunded", "refunded", "slashed"]);
    for (node, _) in &offers[..3] {
        assert_eq!((parts.bond(*node), parts.earned(*node)), (BOND, 0));
    }
    assert_eq!((parts.bond(offers[3].0), parts.buyers()), (BOND - STAKE, 1_000 + STAKE));
    assert_eq!(parts.market.live_count(), 0);
}

#[test]
fn a_part_is_delivered_by_its_own_node_after_its_own_answer_alone() {
    let mut parts = ordered();
    let (node, offer) = parts.offered().unwrap();
    let stranger = (0..NODES).find(|other| *other != node).unwrap();
    let refused = parts.prove(node, &offer).unwrap_err();
    assert!(matches!(refused, MarketError::Refused(Refusal::NoAnswer)), "{refused}");
    parts.answer(node, &offer).unwrap();
    let refused = parts.prove(stranger, &offer).unwrap_err();
    assert!(matches!(refused, MarketError::Refused(Refusal::Payee { .. })), "{refused}");
    let refused = parts.prove_with(node, &offer, &[1, 2]).unwrap_err();
    assert!(matches!(refused, MarketError::PartChanged), "{refused}");
    let other_input = Offer { input: vec![1], ..offer.clone() };
    let refused = parts.prove(node, &other_input).unwrap_err();
    assert!(matches!(refused, MarketError::PartChanged), "{refused}");
    // An answer about something else than the part takes is none.
    let (second, next) = parts.offered().unwrap();
    let other_input = Offer { input: vec![1], ..next.clone() };
    let refused = parts.answer(second, &other_input).unwrap_err();
    assert_eq!(refused.to_string(), "answer.input: it is not that of the order");
    parts.answer(second, &next).unwrap();
    parts.prove(node, &offer).unwrap();
    parts.prove(second, &next).unwrap();
    parts.finish(Vec::new(), &[]);
}

#[test]
fn parts_are_taken_back_together_or_not_at_all() {
    let mut parts = Parts::new();
    parts.order();
    assert_eq!(parts.market.depth(parts.now).unwrap().waiting, 1, "only the first can begin");
    parts.market.cancel(parts.whole, parts.now).unwrap();
    parts.note();
    assert_eq!((parts.states(), parts.buyers()), (vec!["cancelled"; PARTS], 1_000));
    assert_eq!(parts.market.depth(parts.now).unwrap().waiting, 0);
    let mut parts = ordered();
    let (one, now) = (parts.job(3), parts.now);
    let refused = parts.market.cancel(one, now).unwrap_err();
    assert!(matches!(refused, MarketError::OnePart { .. }), "{refused}");
    let prover = key(parts.offered().unwrap().0).address();
    let refused = parts.market.cancel(parts.whole, parts.now).unwrap_err();
    let staked = Refusal::AlreadyStaked { prover };
    assert!(matches!(refused, MarketError::Refused(refusal) if refusal == staked), "{refused}");
    assert_eq!(parts.states(), ["staked", "open", "open", "open"]);
}

#[test]
fn parts_that_nobody_can_pay_for_are_not_opened() {
    let mut parts = Parts::new();
    let order = Order { stake: Decimal(STAKE + 1), ..parts.request().order };
    let division = parts.division.clone();
    let request = order.request(&parts.buyer, INPUT.to_vec());
    let refused = parts.market.open_parts(request, &division, Vec::new(), parts.now).unwrap_err();
    assert!(matches!(refused, MarketError::StakeTooLarge { .. }), "{refused}");
    assert_eq!(parts.market.live_count(), 0);
}
