//! Prices that rise among two hundred nodes, each of which wants something.

use zkinfer_node::{Ask, Decimal, Offer, Phase, Ramp};

use super::{BUYER, MODEL, NODES, Plan, World, key};

/// Where a price begins, and where it ends after so many seconds.
const LEAST: u128 = 1;
pub(super) const MOST: u128 = 40;
const SECONDS: u64 = 20;

pub(super) fn ramp(now: u64) -> Ramp {
    Ramp { from: Decimal(LEAST), begins: now, ends: now + SECONDS }
}

/// What a node wants for a job: from 5 to 24.
fn wanted(node: u64) -> u128 {
    u128::from(5 + node * 7 % 20)
}

pub(super) fn ask(node: u64) -> Ask {
    Ask { model: MODEL, price: Decimal(wanted(node)) }
}

/// Nobody is offered less than he wants, nor more than the order pays.
pub(super) fn check(node: u64, offer: &Offer) {
    let (least, most) = (wanted(node), offer.order.price.0);
    assert!((least..=most).contains(&offer.price.0), "{node} wants {least}: {offer:?}");
}

#[test]
fn rising_prices_find_what_nodes_want_and_the_rest_is_the_buyers() {
    for (seed, kills) in [(4, false), (5, true)] {
        let jobs = 1_500;
        let mut world = World::new(Plan { seed, jobs, kills, rising: true, nats: None });
        let before = world.market.ledger().balances[&BUYER.address()];
        world.run();
        let numbers = world.market.ledger();
        assert_eq!(numbers.jobs.len() as u64, jobs);
        assert!(numbers.paid.values().all(|times| *times == 1));
        let (mut prices, mut slashed) = (Vec::new(), 0);
        for contract in numbers.jobs.values() {
            match contract.phase {
                Phase::Settled { payee, price, .. } => {
                    let node = (0..NODES).find(|node| key(*node).address() == payee).unwrap();
                    assert!(price.0 >= wanted(node));
                    prices.push(price.0);
                }
                Phase::Slashed { .. } => slashed += 1,
                other => panic!("{other:?}"),
            }
        }
        prices.sort_unstable();
        let (half, all) = (prices[prices.len() / 2], prices.iter().sum::<u128>());
        println!("seed {seed}: {} paid, half at most {half}; {slashed} slashed", prices.len());
        // The cheapest nodes are enough for most of the time: nobody pays the highest price unasked.
        assert!(half < MOST / 2, "{half}");
        assert!(prices.first() >= Some(&5) && prices.last() <= Some(&MOST));
        // What was not paid is the buyer's again, and the stakes of liars with it.
        let lost: u128 = numbers
            .balances
            .iter()
            .filter(|(one, _)| **one != BUYER.address())
            .map(|(_, balance)| *balance)
            .sum();
        assert_eq!(lost, all, "nodes have what was paid");
        let stakes = numbers.balances[&BUYER.address()] + all - before;
        assert!(stakes >= slashed * super::STAKE && stakes.is_multiple_of(super::STAKE));
    }
}
