//! What more nodes are good for, in virtual time: each proves one job after the other.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};

use zkinfer_node::{
    ALWAYS, Answer, Capabilities, Decimal, Hex, Market, Offer, SignedAnswer, SqliteQueue,
};
use zkinfer_settlement::JobId;

use super::{
    BOND, BUYER, MODEL, RIGHT,
    ledger::{Numbers, Word},
    nodes::{Mail, Post, key},
    request, rules,
};

const JOBS: u64 = 400;
const ANSWER_MS: u64 = 20;
const PROOF_MS: u64 = 1_000;

/// What a node does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Answer,
    Prove,
    Tick,
}

fn answer(node: u64, offer: &Offer) -> SignedAnswer {
    let answer = Answer {
        chain_id: Decimal(7),
        job: offer.job,
        model: MODEL,
        input: Hex([3; 32]),
        output: Hex(RIGHT.0.0),
        execution: Hex([0; 32]),
        rate: ALWAYS,
        reveal_by: 0,
        prove_by: offer.prove_by,
        node: key(node),
    };
    let (signature, output, trace, spans) = (Hex([0; 64]), Vec::new(), Vec::new(), None);
    SignedAnswer { answer, signature, output, trace, spans }
}

/// Milliseconds until so many nodes have proven all jobs, which were ordered at once.
fn milliseconds(nodes: u64) -> u64 {
    let mut numbers = Numbers::default();
    numbers.balances.insert(BUYER.address(), 1_000_000);
    numbers.bonds.extend((0..nodes).map(|node| (key(node).address(), BOND)));
    let queue = SqliteQueue::in_memory(rules().max_deliveries).unwrap();
    let mut market = Market::restore(rules(), numbers, queue, 1, |_| None).unwrap();
    let mail = Mail::default();
    for number in 0..JOBS {
        market.open(request(number, None), 0).unwrap();
    }
    let wait = |market: &mut Market<_, _, Post>, node, now| {
        let post = Post { node, mail: mail.clone() };
        market.wait(key(node).address(), post, now).unwrap();
    };
    for node in 0..nodes {
        let (models, device, memory_bytes) = (vec![MODEL], "cpu".to_owned(), 0);
        // As few as keep it busy: with more, answers wait longer for their proofs, and no less is done.
        let slots = 2;
        let (asks, stated) = (None, None);
        let capabilities = Capabilities { models, slots, device, memory_bytes, asks, key: stated };
        market.hello(key(node).address(), capabilities, 0).unwrap();
        wait(&mut market, node, 0);
    }
    let mut steps = BinaryHeap::from([Reverse((200, Step::Tick, 0, JobId([0; 32])))]);
    let mut free_at = vec![0u64; usize::try_from(nodes).unwrap()];
    let (mut now, mut offers) = (0, BTreeMap::new());
    loop {
        market.take_events();
        for (node, offer) in mail.borrow_mut().drain(..) {
            let job = JobId(offer.job.0);
            steps.push(Reverse((now + ANSWER_MS, Step::Answer, node, job)));
            offers.insert(job, offer);
        }
        let Some(Reverse((at, step, node, job))) = steps.pop() else { panic!("nothing happens") };
        now = at;
        match step {
            Step::Answer => {
                market.answer(answer(node, &offers[&job]), now).unwrap();
                let place = usize::try_from(node).unwrap();
                let begins = free_at[place].max(now);
                free_at[place] = begins + PROOF_MS;
                steps.push(Reverse((free_at[place], Step::Prove, node, job)));
                wait(&mut market, node, now);
            }
            Step::Prove => {
                let word = Word { job, prover: key(node).address(), output: RIGHT };
                market.prove(word, now).unwrap();
                if market.live_count() == 0 {
                    return now;
                }
            }
            Step::Tick => {
                market.tick(now).unwrap();
                for node in 0..nodes {
                    wait(&mut market, node, now);
                }
                steps.push(Reverse((now + 200, Step::Tick, 0, job)));
            }
        }
    }
}

#[test]
fn four_nodes_prove_more_than_three_times_as_much_as_one() {
    let [one, four, sixteen] = [1, 4, 16].map(milliseconds);
    println!("{JOBS} proofs: {one} ms by one node, {four} by four, {sixteen} by sixteen");
    assert!(one >= 3 * four && one >= 12 * sixteen, "{one} {four} {sixteen}");
    assert!(one >= JOBS * PROOF_MS, "each proves one after the other");
}
