//! Leases that come to nothing, and whom they count against: in virtual time.

use zkinfer_node::{ALWAYS, Ledger, MarketError, Order, Outcome, Remains, Rules};
use zkinfer_settlement::JobId;

use crate::small::{RIGHT, STAKE, Small, rules};

/// A job is not given up because the coordinator was killed during its leases.
#[test]
fn leases_that_a_killed_coordinator_gave_make_no_dead_letter() {
    let mut small = Small::with(1, Rules { max_deliveries: 2, ..rules() });
    let request = small.request(ALWAYS);
    let job = small.market.open(request.clone(), small.now).unwrap();
    for life in 1..=6 {
        let offer = small.offered();
        assert_eq!(JobId(offer.job.0), job);
        small.restart(|_| {
            Some(Remains { request: request.clone(), answer: None, lot: None, part: None })
        });
        // Whether it is told before the lease is over what it has, or comes later: it is too late.
        let told = life % 2 == 0;
        if told {
            assert_eq!(small.hello()[0].job, offer.job);
        }
        small.now += 10_000;
        small.market.tick(small.now).unwrap();
        if !told {
            assert_eq!(small.state(&offer), "open");
            small.hello();
        }
        let view = &small.market.nodes(small.now)[0];
        assert_eq!((view.lapsed, view.doubts), (0, 0), "nobody has failed");
        assert!(!small.mail.borrow().is_empty(), "it comes again at once");
    }
    let offer = small.offered();
    small.answer(&offer, RIGHT);
    assert_eq!(small.prove(job).unwrap(), Outcome::Paid);
}

/// The queue is written at once, the ledger when the disk has it: after a crash, a job can be open of
/// which the queue says that a node has it for minutes.
#[test]
fn a_queue_that_is_ahead_of_the_ledger_hides_no_open_job() {
    for answered in [false, true] {
        let mut small = Small::with(1, Rules { prove_seconds: 3_000, ..rules() });
        let (request, mut before) = (small.request(ALWAYS), small.market.ledger().clone());
        let job = small.market.open(request.clone(), small.now).unwrap();
        let offer = small.offered();
        before.open(job, request.order.terms(), small.now / 1_000).unwrap();
        if answered {
            small.answer(&offer, RIGHT);
        }
        small.restart_with(before, |_| {
            Some(Remains { request: request.clone(), answer: None, lot: None, part: None })
        });
        assert_eq!(small.state(&offer), "open");
        small.hello();
        let again = small.mail.borrow_mut().pop().expect("it is offered at once");
        assert_eq!(again.job, offer.job);
    }
}

/// The first coordinator's own count goes on: a job that nodes do fail is given up.
#[test]
fn leases_that_nodes_let_lapse_make_a_dead_letter() {
    let mut small = Small::with(1, Rules { max_deliveries: 2, ..rules() });
    let request = small.request(ALWAYS);
    small.market.open(request, small.now).unwrap();
    for _ in 0..2 {
        let offer = small.offered();
        small.pass(rules().answer_seconds + 1);
        assert_eq!(small.state(&offer), "open");
    }
    small.pass(1_000);
    assert!(small.mail.borrow().is_empty());
    assert_eq!(small.market.depth(small.now).unwrap().dead, 1);
}

/// Whoever was away for a moment rests once, not twice as long for each job that it had.
#[test]
fn leases_that_lapse_together_are_one_reason_to_rest() {
    let mut small = Small::new(1);
    for _ in 0..7 {
        let request = small.request(ALWAYS);
        small.market.open(request, small.now).unwrap();
        small.wait();
    }
    assert_eq!(small.mail.borrow_mut().drain(..).count(), 7);
    let lease = rules().answer_seconds;
    small.pass(lease + 1);
    assert_eq!(small.market.nodes(small.now)[0].lapsed, 7);
    assert!(small.mail.borrow().is_empty(), "it rests");
    small.pass(lease);
    assert_eq!(small.mail.borrow().len(), 1, "it is on probation");
    // The next failure is another one.
    small.mail.borrow_mut().clear();
    small.pass(lease + 1);
    assert!(small.mail.borrow().is_empty(), "it rests");
    small.pass(lease);
    assert!(small.mail.borrow().is_empty(), "twice as long");
    small.pass(lease);
    assert_eq!(small.mail.borrow().len(), 1);
}

/// While the coordinator is away, or its machine sleeps, nobody can hand in a proof.
#[test]
fn a_lease_that_ended_while_the_market_stood_still_costs_nobody_his_stake() {
    for proves in [true, false] {
        for restarts in [true, false] {
            let mut small = Small::with(1, rules());
            let request = small.request(ALWAYS);
            let job = small.market.open(request.clone(), small.now).unwrap();
            let (offer, bond) = (small.offered(), small.bond());
            let answer = small.answer(&offer, RIGHT);
            small.pass(3);
            let at = small.now;
            if restarts {
                let remains =
                    Remains { request, answer: Some(Small::signed(answer)), lot: None, part: None };
                small.restart(|_| Some(remains.clone()));
                small.market.was_at_work(at);
            }
            // The proof was due 20 seconds after the answer.
            small.now += 100_000;
            small.market.tick(small.now).unwrap();
            assert_eq!(small.state(&offer), "staked", "restarts: {restarts}");
            if proves {
                small.hello();
                assert_eq!(small.prove(job).unwrap(), Outcome::Paid);
                assert_eq!(small.bond(), bond + STAKE);
                continue;
            }
            // As long again, and no longer.
            small.hello();
            small.pass(99);
            assert_eq!(small.state(&offer), "staked");
            small.pass(2);
            assert_ne!(small.market.ledger().jobs[&job].phase.name(), "settled");
            assert_eq!(small.market.nodes(small.now)[0].lapsed, 1);
        }
    }
}

/// Time that jumps ends what it must once, and what jumps back brings nothing again.
#[test]
fn a_clock_that_jumps_moves_money_once() {
    let mut small = Small::new(1);
    let total = small.market.ledger().total();
    let [answered, open] = [small.ordered(ALWAYS), small.ordered(ALWAYS)];
    small.answer(&answered, RIGHT);
    let before = small.now;
    small.now = (open.order.deadline + 1) * 1_000;
    small.market.tick(small.now).unwrap();
    let states = [small.state(&answered), small.state(&open)];
    // Who has promised nothing has broken no promise.
    assert_eq!(states, ["slashed", "refunded"]);
    for now in [before, 0, small.now] {
        small.market.tick(now).unwrap();
        assert_eq!([small.state(&answered), small.state(&open)], states);
        assert_eq!(small.market.ledger().total(), total);
    }
    assert_eq!(small.market.live_count(), 0);
}

/// A buyer who orders what nobody can do in time has no stake for it.
#[test]
fn a_deadline_that_comes_before_an_answer_costs_no_node_its_stake() {
    let mut small = Small::new(1);
    let bond = small.bond();
    small.wait();
    let order = |small: &mut Small, seconds| {
        let order = small.request(ALWAYS).order;
        let order = Order { deadline: small.now / 1_000 + seconds, sampling: None, ..order };
        small.market.open(order.request(&small.buyer, Vec::new()), small.now)
    };
    // Sooner than nodes have time to answer.
    let refused = order(&mut small, rules().answer_seconds - 1).unwrap_err();
    assert!(matches!(refused, MarketError::TooSoon { .. }), "{refused}");
    assert!(refused.to_string().starts_with("order.deadline: "), "{refused}");
    // Just in time, and not answered.
    let unanswered = order(&mut small, rules().answer_seconds).unwrap();
    assert_eq!(small.mail.borrow_mut().pop().map(|offer| JobId(offer.job.0)), Some(unanswered));
    assert_eq!(small.bond(), bond - STAKE);
    // Of one that nobody has taken, the time for an answer runs out.
    let late = order(&mut small, rules().answer_seconds).unwrap();
    small.now += 1_000;
    small.wait();
    assert!(small.mail.borrow().is_empty(), "nobody gets what ends before an answer");
    small.now += 2_000;
    small.market.tick(small.now).unwrap();
    let phase = |job| small.market.ledger().jobs[&job].phase.name();
    assert_eq!([late, unanswered].map(phase), ["refunded"; 2]);
    assert_eq!((small.bond(), small.market.live_count()), (bond, 0));
    assert_eq!(small.market.nodes(small.now)[0].lapsed, 1);
    let events = small.market.take_events().into_iter();
    let lapsed = events.filter(|(_, event)| event.name() == "lapsed").count();
    assert_eq!(lapsed, 1, "the log says whose lease it was");
}
