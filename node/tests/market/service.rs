//! Orders that are answered at once, proven, and paid.

use zkinfer::{
    SrsPolicy,
    verifier::{Expectation, ProofFile},
};
use zkinfer_node::{Bundle, Client, Decimal, Evidence, Hex, Wait};
use zkinfer_settlement::JobId;

use crate::common::{
    Coordinator, DAY, Node, PLAY_MONEY, PRICE, ZOO, answered, config, end_of, identity, request,
};

#[test]
fn a_job_is_answered_at_once_then_proven_and_paid() {
    let folder = tempfile::tempdir().unwrap();
    let coordinator = Coordinator::start(&config(&folder.path().join("market")));
    let node = Node::start(&coordinator.url, folder.path());
    let (client, chain_id) = coordinator.client();
    let buyer = identity(1);
    let request = request(&buyer, chain_id, 1, DAY);
    let (order, job) = (request.order.clone(), request.order.job());

    let view = answered(&client, &request);
    let answer = view.answer.unwrap();
    assert_eq!(answer.check(&order, ZOO.key()), Ok(()));
    assert_eq!(answer.answer.node, node.identity.public_key());

    let view = end_of(&client, job);
    assert_eq!((view.state.as_str(), view.durable), ("settled", true));
    assert_eq!(view.answer.as_ref(), Some(&answer));
    let proof = ProofFile::decode(&client.proof(job).unwrap()).unwrap();
    let expected = Expectation {
        job_id: Some(job.0),
        payee: Some(node.identity.address().0),
        output: Some(answer.output.clone().into()),
        input: Some(ZOO.input.clone().into()),
        ..Expectation::new(ZOO.key())
    };
    let _evidence = proof.verify(&expected, SrsPolicy::AllowInsecureDev).unwrap();

    let account = |who| client.account(who).unwrap();
    let play_money = u128::from(PLAY_MONEY);
    assert_eq!(account(buyer.address()).balance, Decimal(play_money - PRICE));
    let paid = account(node.identity.address());
    assert_eq!((paid.balance, paid.bond), (Decimal(play_money - 200 + PRICE), Decimal(200)));
    // The same order once more is the same job, and costs nothing.
    let again = client.submit(&request, Wait::None).unwrap();
    assert_eq!(again.state, "settled");
    assert_eq!(account(buyer.address()).balance, Decimal(play_money - PRICE));
    let back = client.withdraw_bond(&node.identity, 150).unwrap();
    assert_eq!((back.balance, back.bond), (Decimal(play_money - 50 + PRICE), Decimal(50)));
    node.stop();
    // Who has the log computes how the market has done, and believes nobody.
    let (_, market) = Client::connect(&coordinator.url).unwrap();
    let (entries, chain) = client.log(market.coordinator).unwrap();
    let events: Vec<_> = entries.iter().map(|entry| entry.event.as_str()).collect();
    assert_eq!(events, ["opened", "assigned", "answered", "settled"]);
    let report = zkinfer_node::report(&entries, chain.head());
    assert_eq!((report.opened, report.settled), (1, 1));
    assert_eq!(report.nodes[0].earned, PRICE.to_string());
    assert!(client.log(buyer.public_key()).is_err(), "it is signed by the coordinator alone");
    check_bundle(&client, job, &folder.path().join("bundle"));
    coordinator.stop();
}

/// What an auditor gets, and every lie that he is told.
fn check_bundle(client: &Client, job: JobId, folder: &std::path::Path) {
    let (_, market) = Client::connect(client.market()).unwrap();
    Bundle::fetch(client, market.clone(), job).unwrap().write(folder).unwrap();
    let honest = Bundle::read(folder).unwrap();
    assert!(honest.clone().write(folder).is_err(), "a folder is written once");
    let failing = |edit: &dyn Fn(&mut Bundle)| {
        let mut bundle = honest.clone();
        edit(&mut bundle);
        let findings = bundle.check(Some(market.coordinator), SrsPolicy::AllowInsecureDev);
        let failing = findings.iter().map(|finding| finding.failure.is_some());
        failing.collect::<Vec<_>>()
    };
    assert_eq!(failing(&|_| ()), [false; 7]);
    assert_eq!(
        failing(&|bundle| bundle.job.signature.0[1] ^= 1),
        [true, false, false, false, false, false, false]
    );
    assert!(failing(&|bundle| bundle.job.order.price = Decimal(1))[0]);
    let answer = |bundle: &mut Bundle| bundle.job.answer.as_mut().unwrap().output[0] ^= 1;
    assert_eq!(failing(&answer), [false, true, true, false, false, false, false]);
    assert!(failing(&|bundle| bundle.job.answer = None)[1]);
    assert_eq!(
        failing(&|bundle| match &mut bundle.evidence {
            Evidence::Model { proof, .. } => *proof = None,
            Evidence::Parts { .. } => panic!("a whole model"),
        }),
        [false, false, true, false, false, false, false]
    );
    let node = |bundle: &mut Bundle| bundle.job.node = Some(Hex([7; 20]));
    assert_eq!(failing(&node), [false, true, true, false, false, false, false]);
    let log = [false, false, false, false, false, false, true];
    assert_eq!(failing(&|bundle| bundle.log[1].at += 1), log);
    let mut dearer = log;
    dearer[5] = true;
    assert_eq!(failing(&|bundle| bundle.log[1].price = Some(Decimal(11))), dearer);
    let price = [false, false, false, false, false, true, false];
    assert_eq!(failing(&|bundle| bundle.job.price = Some(Decimal(11))), price);
    assert_eq!(failing(&|bundle| bundle.log[0].job.0[0] ^= 1), log);
    let spared = |bundle: &mut Bundle| bundle.job.state = "accepted".to_owned();
    assert_eq!(failing(&spared), [false, false, false, true, false, false, false]);
    let strict = honest.check(None, SrsPolicy::CeremonyOnly);
    assert!(strict[2].failure.is_some(), "the development setup is not accepted unasked");
}

#[test]
fn a_job_that_nobody_takes_is_cancelled_by_its_buyer_alone() {
    let folder = tempfile::tempdir().unwrap();
    let coordinator = Coordinator::start(&config(folder.path()));
    let (client, chain_id) = coordinator.client();
    let (buyer, stranger) = (identity(1), identity(2));
    let request = request(&buyer, chain_id, 1, DAY);
    let job = request.order.job();
    assert_eq!(client.submit(&request, Wait::None).unwrap().state, "open");
    let refused = client.cancel(&stranger, job).unwrap_err();
    assert_eq!(refused.problem(), Some("buyer"));
    assert_eq!(client.cancel(&buyer, job).unwrap().state, "cancelled");
    let balance = client.account(buyer.address()).unwrap().balance;
    assert_eq!(balance, Decimal(u128::from(PLAY_MONEY)));
    assert_eq!(client.cancel(&buyer, job).unwrap_err().problem(), Some("over"));
}

#[test]
fn a_job_that_nobody_takes_is_refunded_at_its_deadline() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config.rules.answer_seconds = 1;
    let coordinator = Coordinator::start(&config);
    let (client, chain_id) = coordinator.client();
    let buyer = identity(1);
    // As short a time as the machine can take an order in.
    let job = (0..).find_map(|doublings| {
        let request = request(&buyer, chain_id, doublings, 1 << doublings);
        match client.submit(&request, Wait::None) {
            Ok(_) => Some(request.order.job()),
            Err(error) => {
                let word = error.problem().unwrap();
                assert!(["deadline-passed", "deadline"].contains(&word), "{error}");
                None
            }
        }
    });
    assert_eq!(end_of(&client, job.unwrap()).state, "refunded");
    let balance = client.account(buyer.address()).unwrap().balance;
    assert_eq!(balance, Decimal(u128::from(PLAY_MONEY)));
}

/// The description is made from the types, and names every place that there is.
#[test]
fn the_api_describes_itself() {
    let folder = tempfile::tempdir().unwrap();
    let coordinator = Coordinator::start(&config(folder.path()));
    let get = |path: &str| {
        let url = format!("{}{path}", coordinator.url);
        ureq::get(&url).call().unwrap().into_body().read_to_string().unwrap()
    };
    let document: serde_json::Value = serde_json::from_str(&get("/openapi.json")).unwrap();
    let paths = document["paths"].as_object().unwrap();
    assert_eq!(paths.len(), 24);
    let order = &document["components"]["schemas"]["Order"];
    assert_eq!(
        order["required"].as_array().unwrap().len(),
        8,
        "sampling, ramp and boxes may be left out"
    );
    assert_eq!(order["properties"]["deadline"]["allOf"][0]["type"], "integer");
    // Whatever is referred to is there.
    let text = document.to_string();
    for reference in text.split("#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(document["components"]["schemas"].get(name).is_some(), "{name}");
    }
    for (path, holds) in
        [("/", "<main>"), ("/page/page.js", "refresh"), ("/page/style.css", "dark")]
    {
        let text = get(path);
        assert!(text.contains(holds), "{path}");
        // Names of the vector graphics' language are no addresses to load from.
        let elsewhere = text.replace("http://www.w3.org/2000/svg", "");
        assert!(!elsewhere.contains("http://") && !elsewhere.contains("https://"), "{path}");
    }
    assert_eq!(get("/healthz"), "{\"status\":\"ok\"}");
    assert!(get("/metrics").contains("zkinfer_now{of=\"live_jobs\"} 0"));
}
