//! Nodes that are gone or lie, and a coordinator that is killed.

use zkinfer_node::{MarketError, Offer};
use zkinfer_settlement::{JobId, Refusal};

use super::{BOND, INPUT, NODES, PARTS, PRICE, Parts, STAKE, given, index, ordered};

#[test]
fn a_node_that_is_gone_loses_its_part_to_another() {
    // Before it has answered: nothing is lost. After it: its stake.
    for has_answered in [false, true] {
        let mut parts = ordered();
        let (first, offer) = parts.offered().unwrap();
        parts.answer(first, &offer).unwrap();
        parts.prove(first, &offer).unwrap();
        let (gone, lost) = parts.offered().unwrap();
        let mut kept = Vec::new();
        if has_answered {
            parts.answer(gone, &lost).unwrap();
            for _ in 2..PARTS {
                let (node, next) = parts.offered().unwrap();
                parts.answer(node, &next).unwrap();
                parts.prove(node, &next).unwrap();
                kept.push(JobId(next.job.0));
            }
        }
        let (other, offer) = parts.offered_again(lost.job, &[gone]);
        assert_ne!(other, gone);
        assert_eq!((&offer.input, &offer.part), (&lost.input, &lost.part), "the same links");
        if has_answered {
            // It comes to the same values, so what was built on them stays.
            parts.answer(other, &offer).unwrap();
            assert!(kept.iter().all(|job| parts.market.is_delivered(*job)));
            assert!(parts.prove(other, &offer).unwrap(), "it was the last that was missing");
            parts.settle();
        } else {
            parts.finish(vec![(other, offer)], &[gone]);
        }
        let loss = if has_answered { STAKE } else { 0 };
        assert_eq!((parts.bond(gone), parts.earned(gone)), (BOND - loss, 0));
        assert_eq!(parts.buyers(), 1_000 - PRICE * 4 + loss);
    }
}

#[test]
fn what_was_built_on_a_wrong_answer_is_void_and_costs_the_liar_alone() {
    let mut parts = ordered();
    let (first, offer) = parts.offered().unwrap();
    parts.answer(first, &offer).unwrap();
    parts.prove(first, &offer).unwrap();
    let (liar, lie) = parts.offered().unwrap();
    // What goes on from there has a moment longer.
    parts.now += 1_000;
    parts.answer_with(liar, &lie, vec![-99]).unwrap();
    // Two honest nodes go on from there, and one of them has proven its part.
    let (third, next) = parts.offered().unwrap();
    assert_eq!(next.input, [-99]);
    parts.answer(third, &next).unwrap();
    let (last, end) = parts.offered().unwrap();
    parts.answer(last, &end).unwrap();
    parts.prove(last, &end).unwrap();
    // The liar has no proof. Another answers what is right.
    let (other, offer) = parts.offered_again(lie.job, &[liar]);
    parts.answer(other, &offer).unwrap();
    assert_eq!(parts.bond(liar), BOND - STAKE);
    assert!([third, last].iter().all(|node| parts.bond(*node) >= BOND - STAKE));
    // A proof of what is void is told so.
    let refused = parts.prove(last, &end).unwrap_err();
    let named = matches!(
        refused,
        MarketError::Refused(Refusal::NotStaked { .. } | Refusal::NoAnswer | Refusal::Payee { .. })
            | MarketError::PartChanged
    );
    assert!(named, "{refused}");
    parts.prove(other, &offer).unwrap();
    parts.finish(Vec::new(), &[liar]);
    for node in (0..NODES).filter(|node| *node != liar) {
        assert_eq!(parts.bond(node), BOND, "{node}");
    }
    assert_eq!((parts.earned(liar), parts.bond(liar)), (0, BOND - STAKE));
    assert_eq!(parts.buyers(), 1_000 - PRICE * 4 + STAKE);
    let right = (0..PARTS).fold(INPUT.to_vec(), |taken, part| given(part, &taken));
    assert_eq!(parts.files.answers[&parts.job(3)].output, right);
}

/// One job with a node that is gone and one that lies, in which the coordinator is started anew after
/// `kill` steps.
pub(crate) fn survive(mut parts: Parts, kill: usize) -> usize {
    let mut step = 0;
    (0..NODES).for_each(|node| drop(parts.hello(node)));
    parts.order();
    let mut to_prove: Vec<(u8, Offer)> = Vec::new();
    let (mut gone, mut has_lied) = (Vec::new(), false);
    for _ in 0..600 {
        let next = parts.offered();
        let acted = match next {
            Some((node, _)) if gone.contains(&node) => false,
            // The first node that has the second part is never heard of again.
            Some((node, offer)) if index(&offer) == 1 && gone.is_empty() => {
                gone.push(node);
                true
            }
            // The first that has the third part after that says something wrong.
            Some((node, offer)) if index(&offer) == 2 && !has_lied && !offer.answered => {
                has_lied = parts.answer_with(node, &offer, vec![-1]).is_ok();
                true
            }
            Some((node, offer)) => {
                if offer.answered || parts.answer(node, &offer).is_ok() {
                    to_prove.push((node, offer));
                }
                true
            }
            None => match to_prove.pop() {
                Some((node, offer)) => {
                    let _too_late = parts.prove(node, &offer);
                    true
                }
                None => false,
            },
        };
        if !parts.market.complete().is_empty() {
            parts.settle();
            break;
        }
        if acted {
            step += 1;
            if step == kill {
                to_prove.clear();
                let held = parts.restart(&gone);
                parts.mail.borrow_mut().extend(held);
            }
        } else {
            parts.pass(1, &gone);
        }
    }
    assert_eq!(parts.states(), ["settled"; PARTS], "killed after step {kill}");
    assert!(parts.market.ledger().paid.values().all(|times| *times == 1));
    let right = (0..PARTS).fold(INPUT.to_vec(), |taken, part| given(part, &taken));
    assert_eq!(parts.files.answers[&parts.job(3)].output, right);
    // Nobody but the liar has lost anything, and he only once.
    let lost: u128 = (0..NODES).map(|node| BOND - parts.bond(node)).sum();
    assert!(lost == 0 || lost == STAKE, "{lost} after step {kill}");
    step
}

#[test]
fn a_coordinator_that_is_killed_at_any_step_completes_the_parts_and_pays_none_twice() {
    let steps = survive(Parts::new(), usize::MAX);
    assert!(steps >= 10, "{steps}");
    for kill in 1..=steps {
        survive(Parts::new(), kill);
    }
}
