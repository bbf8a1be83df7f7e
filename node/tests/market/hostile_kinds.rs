//! The same of orders in parts and sealed ones: requests that are none, words sent twice, and buyers,
//! nodes and coordinators that get in each other's way.

use std::sync::Arc;

use zkinfer::{Inference, models::execute, prover::draw_blinding};
use zkinfer_node::{
    Ask, Capabilities, Config, Decimal, Hex, Identity, RequestSignature, Server, SignedAnswer,
    Trace, Wait,
};

use crate::{
    chunks::{Played, SPLIT, parts_config},
    common::{Coordinator, DAY, PLAY_MONEY, PRICE, ZOO, config, end_of, identity, request},
    hostile::raw,
    sealing::{HIDDEN, seal},
};

/// A coordinator of everything: whole models, one that hides its input, and one in parts.
fn everything(folder: &std::path::Path) -> Config {
    let keys = vec![HIDDEN.path("zkvk"), ZOO.path("zkvk")];
    Config { keys, ..parts_config(folder) }
}

type Edit<'a> = &'a dyn Fn(&mut serde_json::Value);

/// A request that is refused with a problem document, which names what is wrong.
fn refused(url: &str, (method, path): (&str, &str), body: &str, status: u16, named: &str) {
    let (got, kind, text) = raw(method, &format!("{url}{path}"), body, &[]);
    assert_eq!((got, kind.as_str()), (status, "application/problem+json"), "{path}: {text}");
    let problem: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(problem["detail"].as_str().unwrap().contains(named), "{path}: {text}");
}

#[test]
fn malformed_requests_about_parts_and_boxes_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let coordinator = Coordinator::start(&everything(folder.path()));
    let url = coordinator.url.as_str();
    let (root, job) = (SPLIT.parts.manifest.root(), "07".repeat(32));
    let gets = [
        (format!("/v1/models/{root}/settings/x"), 400, "part: x"),
        (format!("/v1/models/{root}/settings/-1"), 400, "part: -1"),
        (format!("/v1/models/{root}/settings/{}", "9".repeat(30)), 400, "part: 999"),
        ("/v1/models/x/settings/1".to_owned(), 400, "model: expected 64"),
        (format!("/v1/models/{root}/settings/4"), 404, "no settings/4 of a model"),
        ("/v1/models/x/manifest".to_owned(), 400, "model: expected 64"),
        (format!("/v1/models/{job}/manifest"), 404, "no model in parts"),
        (format!("/v1/jobs/{job}/box"), 401, "zkinfer-key"),
    ];
    for (path, status, named) in gets {
        refused(url, ("GET", &path), "", status, named);
    }
    let evidence = format!("/v1/jobs/{job}/fault");
    refused(url, ("POST", &evidence), "{}", 400, "missing field `job`");
    refused(url, ("POST", &evidence), "{\"job\": 7}", 400, "job: invalid type");
}

#[test]
fn malformed_orders_of_sealed_inputs_and_rising_prices_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let coordinator = Coordinator::start(&everything(folder.path()));
    let (_, chain_id) = coordinator.client();
    let (buyer, input) = (identity(1), HIDDEN.unsealed());
    let order = HIDDEN.order(&buyer, chain_id, 1, &input);
    let sealed = seal(&[&identity(2)], order, &buyer, &input);
    let edits: [(Edit<'_>, &str); 6] = [
        (&|request| request["sealed"][0]["content"] = "0".into(), "sealed[0].content"),
        (&|request| request["sealed"][0]["point"] = "zz".into(), "sealed[0].point"),
        (&|request| request["sealed"] = "all".into(), "sealed: invalid type"),
        (
            &|request| request["order"]["sealed"] = serde_json::Value::Null,
            "takes only sealed inputs",
        ),
        (&|request| request["order"]["ramp"] = serde_json::json!({ "from": "1" }), "order.ramp"),
        (&|request| request["order"]["sampling"] = serde_json::json!({ "rate": -1 }), "sampling"),
    ];
    for (edit, named) in edits {
        let mut request = serde_json::to_value(&sealed).unwrap();
        edit(&mut request);
        refused(&coordinator.url, ("POST", "/v1/jobs"), &request.to_string(), 400, named);
    }
}

/// A box is given to its own key alone, and each signature for it serves once and nowhere else.
#[test]
fn a_signature_for_a_box_serves_once_and_for_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let coordinator = Coordinator::start(&everything(&folder.path().join("market")));
    let (client, chain_id) = coordinator.client();
    let (buyer, node, input) = (identity(1), identity(2), HIDDEN.unsealed());
    let order = |nonce| HIDDEN.order(&buyer, chain_id, nonce, &input);
    let [one, other] = [1, 2].map(|nonce| seal(&[&node], order(nonce), &buyer, &input));
    for request in [&one, &other] {
        client.submit(request, Wait::None).unwrap();
    }
    let (job, boxes) = (one.order.job(), one.sealed.clone().unwrap());
    assert_eq!(client.sealed_box(&node, job).unwrap(), boxes[0]);
    assert_eq!(client.sealed_box(&buyer, job).unwrap_err().problem(), Some("not-found"));
    let target = format!("/v1/jobs/{job}/box");
    // Time goes on by the coordinator's clock: a signature of before its start is none.
    let at = (crate::common::now() + 1) * 1_000;
    let signed = RequestSignature::new(&node, chain_id, ("GET", &target), b"", at).unwrap();
    let headers = signed.headers();
    let ask = |target: &str| raw("GET", &format!("{}{target}", coordinator.url), "", &headers);
    assert_eq!(ask(&target).0, 200);
    let (status, _, text) = ask(&target);
    assert!(status == 401 && text.contains("came before"), "{text}");
    let (status, _, text) = ask(&format!("/v1/jobs/{}/box", other.order.job()));
    assert!(status == 401 && text.contains("the signature is not"), "{text}");
    // After its end too, by a coordinator that was started anew.
    client.cancel(&buyer, job).unwrap();
    assert_eq!(client.sealed_box(&node, job).unwrap(), boxes[0]);
    coordinator.stop();
    let coordinator = Coordinator::start(&everything(&folder.path().join("market")));
    let (client, _) = coordinator.client();
    assert_eq!(client.sealed_box(&node, job).unwrap(), boxes[0]);
    assert_eq!(client.sealed_box(&node, other.order.job()).unwrap(), other.sealed.unwrap()[0]);
}

/// Secrets, rounds, faults and contradictions are about whole jobs: a part has none of them.
#[test]
fn what_is_no_business_of_a_part_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let coordinator = Coordinator::start(&everything(folder.path()));
    let (client, chain_id) = coordinator.client();
    let player = Played::new(&client, chain_id, 9);
    let buyer = identity(1);
    let ordered = SPLIT.request(&buyer, chain_id, 1);
    let whole = ordered.order.job();
    client.submit(&ordered, Wait::None).unwrap();
    let offer = player.offer();
    let part = zkinfer_settlement::JobId(offer.job.0);
    client.answer(&player.answer(&offer)).unwrap();
    let sealed = seal(
        &[&identity(9)],
        HIDDEN.order(&buyer, chain_id, 2, &HIDDEN.unsealed()),
        &buyer,
        &HIDDEN.unsealed(),
    );
    let evidence = sealed.sealed.unwrap()[0].evidence(&identity(9), part).unwrap();
    for job in [whole, part] {
        let refused = [
            client.reveal(job, Hex([1; 32])).unwrap_err(),
            client.draw(job, Hex([1; 48])).unwrap_err(),
            client.contradict(job, b"{}".to_vec()).unwrap_err(),
            client.sealed_box(&identity(9), job).unwrap_err(),
        ];
        for error in refused {
            assert!(error.problem().is_some() && !error.is_passing(), "{error}");
        }
    }
    assert!(client.fault(&evidence).unwrap_err().problem().is_some());
    // Nor can its buyer take back what others work on, all of it or one part.
    for job in [whole, part] {
        let refused = client.cancel(&buyer, job).unwrap_err();
        assert!(["part", "staked"].contains(&refused.problem().unwrap()), "{refused}");
    }
    assert_eq!(client.job(whole, Wait::None).unwrap().state, "staked");
    client.prove(part, player.proof(&offer)).unwrap();
    for _ in 1..4 {
        let offer = player.offer();
        client.answer(&player.answer(&offer)).unwrap();
        client.prove(zkinfer_settlement::JobId(offer.job.0), player.proof(&offer)).unwrap();
    }
    let view = end_of(&client, whole);
    assert_eq!((view.state.as_str(), view.price), ("settled", Some(Decimal(PRICE))));
    let balance = client.account(player.identity.address()).unwrap().balance;
    assert_eq!(balance, Decimal(u128::from(PLAY_MONEY) - 200 + PRICE), "one node may do it all");
}

/// A proof is of the commitment that the order names, by the node that has the job, or of nothing.
#[test]
fn a_sealed_order_is_paid_for_a_proof_of_its_own_commitment_and_node_alone() {
    let folder = tempfile::tempdir().unwrap();
    let coordinator = Coordinator::start(&everything(folder.path()));
    let (client, chain_id) = coordinator.client();
    let (buyer, node, other) = (identity(1), identity(9), identity(8));
    for one in [&node, &other] {
        client.post_bond(one, 100).unwrap();
    }
    let capabilities = HIDDEN.capabilities(&node);
    client.hello(&node, capabilities).unwrap();
    let input = HIDDEN.unsealed();
    let request = seal(&[&other, &node], HIDDEN.order(&buyer, chain_id, 1, &input), &buyer, &input);
    let job = request.order.job();
    client.submit(&request, Wait::None).unwrap();
    let offer = client.poll(&node).unwrap().unwrap();
    assert_eq!((offer.input.len(), offer.sealed.as_ref().map(Vec::len)), (0, Some(2)));
    let graph = &HIDDEN.quantized.graph;
    let run = |values: &[i64]| Arc::new(execute(graph, &[values.to_vec()]).unwrap());
    let proof = |values: &[i64], blinding, payee: &Identity| {
        let (run, binding) = (run(values), offer.order.binding(payee.address()));
        let inference = Inference { input_blinding: blinding, ..Inference::new(&run, binding) };
        HIDDEN.keys.prove(inference, &|_| ()).unwrap().file.encode().into_bytes()
    };
    let honest = run(&input.values);
    let (output, trace) = (honest.outputs(graph).concat(), Trace::of(graph, &honest.values));
    let answer = SignedAnswer::new(&node, &offer, output, &trace);
    client.answer(&answer).unwrap();
    let mut reversed = input.values.clone();
    reversed.reverse();
    let lies = [
        (proof(&input.values, None, &node), "refused"),
        (proof(&input.values, Some(draw_blinding()), &node), "refused"),
        (proof(&input.values, input.blinding, &other), "payee"),
        (b"nothing".to_vec(), "malformed"),
    ];
    for (proof, word) in lies {
        let refused = client.prove(job, proof).unwrap_err();
        assert_eq!(refused.problem(), Some(word), "{refused}");
    }
    // Of another input it is of another output, too: and still about another commitment.
    let refused = client.prove(job, proof(&reversed, input.blinding, &node)).unwrap_err();
    assert_eq!(refused.problem(), Some("refused"), "{refused}");
    assert_eq!(client.job(job, Wait::None).unwrap().state, "staked", "nobody has lost anything");
    client.prove(job, proof(&input.values, input.blinding, &node)).unwrap();
    let account = client.account(node.address()).unwrap();
    let expected = (Decimal(u128::from(PLAY_MONEY) - 100 + PRICE), Decimal(100));
    assert_eq!((account.balance, account.bond), expected);
}

/// What a node says of itself is kept and shown to everybody: only as far as it is of use here.
#[test]
fn a_node_that_says_too_much_of_itself_is_remembered_by_what_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let coordinator = Coordinator::start(&everything(folder.path()));
    let (client, _) = coordinator.client();
    let node = identity(9);
    client.post_bond(&node, 100).unwrap();
    let strange = (0..10_000u64).map(|number| {
        let mut digest = [7; 32];
        digest[..8].copy_from_slice(&number.to_be_bytes());
        Hex(digest)
    });
    let known = [ZOO.model(), Hex(SPLIT.parts.manifest.parts[2].0.0)];
    let models: Vec<Hex<32>> = strange.chain(known).chain(known).collect();
    let ask = |price: u128| move |model: &Hex<32>| Ask { model: *model, price: Decimal(price) };
    let asks = models.iter().map(ask(5)).chain(models.iter().map(ask(6))).collect();
    let capabilities = Capabilities {
        models,
        slots: u32::MAX,
        device: "cpu".to_owned(),
        memory_bytes: u64::MAX,
        asks: Some(asks),
        key: None,
    };
    client.hello(&node, capabilities.clone()).unwrap();
    let shown = client.nodes().unwrap().nodes[0].capabilities.clone();
    let mut expected = known.to_vec();
    expected.sort_unstable();
    let asks = expected.iter().map(ask(6)).collect();
    assert_eq!((shown.models, shown.asks), (expected, Some(asks)));
    let long = Capabilities { device: "x".repeat(65), ..capabilities };
    let refused = client.hello(&node, long).unwrap_err();
    assert_eq!(refused.problem(), Some("malformed"));
    assert!(refused.to_string().contains("capabilities.device: 65 bytes"), "{refused}");
}

#[test]
fn a_second_coordinator_on_the_same_folder_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let coordinator = Coordinator::start(&config);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let refused = runtime.block_on(Server::start(&config)).unwrap_err();
    let mut said = refused.to_string();
    let mut source = std::error::Error::source(&refused);
    while let Some(error) = source {
        said = format!("{said}: {error}");
        source = error.source();
    }
    assert!(said.contains("escrow.redb") && said.contains("the file is in use"), "{said}");
    // The first one is not disturbed.
    let (client, chain_id) = coordinator.client();
    let request = request(&identity(1), chain_id, 1, DAY);
    assert_eq!(client.submit(&request, Wait::None).unwrap().state, "open");
}
