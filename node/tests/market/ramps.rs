//! Prices that rise until a node takes the job: in virtual time, and over HTTP.

use zkinfer_node::{ALWAYS, Decimal, JobRequest, Offer, Order, Outcome, Ramp, Wait, WorkerOptions};
use zkinfer_settlement::JobId;

use crate::{
    common::{
        Coordinator, DAY, Node, PLAY_MONEY, ZOO, config, end_of, identity, now, options, request,
    },
    small::{NODE, PAID, RIGHT, Small},
};

/// From 10 to 110 in a hundred seconds.
fn ordered(small: &mut Small) -> JobId {
    let JobRequest { order, input, .. } = small.request(ALWAYS);
    let begins = small.now / 1_000;
    let ramp = Some(Ramp { from: Decimal(10), begins, ends: begins + 100 });
    let order = Order { price: Decimal(110), sampling: None, ramp, ..order };
    let request = order.request(&small.buyer, input);
    small.market.open(request, small.now).unwrap()
}

fn offered(small: &Small) -> Option<Offer> {
    small.mail.borrow_mut().pop()
}

#[test]
fn a_price_rises_until_the_node_takes_the_job_and_the_rest_is_the_buyers() {
    let mut small = Small::new(1);
    small.hello_asking(Some(50));
    let before = small.market.ledger().clone();
    let job = ordered(&mut small);
    small.pass(39);
    assert_eq!(offered(&small), None, "49 is below what the node wants");
    small.pass(1);
    let offer = offered(&small).unwrap();
    assert_eq!((JobId(offer.job.0), offer.price), (job, Decimal(50)));
    // What the node gets does not rise any more.
    small.pass(1);
    small.answer(&offer, RIGHT);
    small.pass(9);
    assert_eq!(small.prove(job).unwrap(), Outcome::Paid);
    let ledger = small.market.ledger();
    assert_eq!(ledger.balances[&NODE.address()], before.balances[&NODE.address()] + 50);
    assert_eq!(
        ledger.balances[&small.buyer.address()],
        before.balances[&small.buyer.address()] - 50
    );
    assert_eq!(ledger.total(), before.total());
}

#[test]
fn a_lease_that_came_to_nothing_is_given_again_at_the_price_of_its_moment() {
    let mut small = Small::new(1);
    small.hello();
    let job = ordered(&mut small);
    assert_eq!(offered(&small).unwrap().price, Decimal(10));
    let again = small.offered();
    assert_eq!(JobId(again.job.0), job);
    let risen = again.order.prices().at(small.now / 1_000);
    assert!(risen > 10 && again.price == Decimal(risen), "{again:?}");
    // The price ends, the job does not.
    small.pass(200);
    small.mail.borrow_mut().clear();
    let last = small.offered();
    assert_eq!(last.price, Decimal(110));
}

/// What it wants counts for prices that do not rise, too; others behind it are not held up.
#[test]
fn a_node_gets_no_job_for_less_than_it_wants() {
    let mut small = Small::new(1);
    small.hello_asking(Some(PAID + 1));
    let cheap = small.request(ALWAYS);
    let cheap = small.market.open(cheap, small.now).unwrap();
    let dear = small.request(ALWAYS);
    let dear = Order { price: Decimal(PAID + 1), sampling: None, ..dear.order };
    let dear = small.market.open(dear.request(&small.buyer, Vec::new()), small.now).unwrap();
    assert_eq!(offered(&small).map(|offer| JobId(offer.job.0)), Some(dear));
    small.pass(1);
    assert_eq!(offered(&small), None);
    assert_eq!(small.market.depth(small.now).unwrap().waiting, 1);
    // As soon as it wants less, it has the other one too.
    small.hello();
    assert_eq!(offered(&small).map(|offer| JobId(offer.job.0)), Some(cheap));
}

/// The order and the moment say the price: nothing of it is lost with the coordinator.
#[test]
fn a_coordinator_that_is_started_anew_goes_on_at_the_price_of_the_moment() {
    let mut small = Small::new(1);
    small.hello_asking(Some(60));
    let JobRequest { order, input, .. } = small.request(ALWAYS);
    let begins = small.now / 1_000;
    let ramp = Some(Ramp { from: Decimal(10), begins, ends: begins + 100 });
    let order = Order { price: Decimal(110), sampling: None, ramp, ..order };
    let request = order.request(&small.buyer, input);
    small.market.open(request.clone(), small.now).unwrap();
    small.pass(20);
    small.restart(|_| {
        let request = request.clone();
        Some(zkinfer_node::Remains { request, answer: None, lot: None, part: None })
    });
    small.hello_asking(Some(60));
    small.pass(29);
    assert_eq!(offered(&small), None);
    small.pass(1);
    assert_eq!(offered(&small).unwrap().price, Decimal(60));
}

#[test]
fn a_ramp_over_http_pays_what_the_log_says() {
    let folder = tempfile::tempdir().unwrap();
    let coordinator = Coordinator::start(&config(&folder.path().join("market")));
    let (client, chain_id) = coordinator.client();
    let buyer = identity(1);
    let rising = |nonce, from, begins, ends| {
        let order = request(&buyer, chain_id, nonce, DAY).order;
        let ramp = Some(Ramp { from: Decimal(from), begins, ends });
        Order { price: Decimal(1_000), ramp, ..order }.request(&buyer, ZOO.input.clone())
    };
    let start = now();
    for (from, begins, ends) in
        [(0, start, start + 9), (1_001, start, start + 9), (1, start, start), (1, start, u64::MAX)]
    {
        let refused = client.submit(&rising(1, from, begins, ends), Wait::None).unwrap_err();
        assert_eq!(refused.problem(), Some("order"));
        assert!(refused.to_string().contains("order.ramp"), "{refused}");
    }
    // So slowly that it stays below what the node wants, and so that it is there already.
    let slow = rising(2, 1, start, start + DAY - 1);
    client.submit(&slow, Wait::None).unwrap();
    let models = vec![ZOO.path("onnx")];
    let wants = WorkerOptions { models, ask: 900, ..options(&coordinator.url, folder.path()) };
    let node = Node::with(wants);
    let quick = rising(3, 1, start - 100, start);
    client.submit(&quick, Wait::None).unwrap();
    let view = end_of(&client, quick.order.job());
    assert_eq!((view.state.as_str(), view.price), ("settled", Some(Decimal(1_000))));
    assert_eq!(client.job(slow.order.job(), Wait::None).unwrap().state, "open");
    let asks = client.nodes().unwrap().nodes[0].capabilities.asks.clone().unwrap();
    assert_eq!(asks[0].price, Decimal(900));
    node.stop();
    // One that takes anything gets the price of its moment.
    let other = folder.path().join("other");
    let node = Node::start(&coordinator.url, &other);
    let view = end_of(&client, slow.order.job());
    let paid = view.price.unwrap().0;
    assert!((1..10).contains(&paid) && view.state == "settled", "{view:?}");
    node.stop();
    let balance = client.account(buyer.address()).unwrap().balance.0;
    assert_eq!(balance, u128::from(PLAY_MONEY) - 1_000 - paid);
    let (entries, chain) = {
        let (_, market) = zkinfer_node::Client::connect(&coordinator.url).unwrap();
        client.log(market.coordinator).unwrap()
    };
    let assigned = entries.iter().filter(|entry| entry.event == "assigned");
    for entry in assigned {
        let order = if entry.job.0 == quick.order.job().0 { &quick.order } else { &slow.order };
        let price = entry.price.unwrap().0;
        // The entry is written in the second of the lease, or just after it.
        let at = entry.at / 1_000;
        assert!((order.prices().at(at - 1)..=order.prices().at(at)).contains(&price), "{entry:?}");
    }
    let report = zkinfer_node::report(&entries, chain.head());
    let earned: u128 = report.nodes.iter().map(|node| node.earned.parse::<u128>().unwrap()).sum();
    assert_eq!(earned, 1_000 + paid);
}
