//! Requests that are none, and nodes that lie: each costs only itself, and is told why.

use std::sync::Arc;

use zkinfer::{
    Inference,
    models::{Execution, execute},
    prover::Proven,
    verifier::JobBinding,
};
use zkinfer_node::{
    Capabilities, Client, Decimal, Hex, Identity, Offer, RequestSignature, Rules, Sampling,
    SignedAnswer, Trace, Wait,
};
use zkinfer_settlement::JobId;

use crate::common::{
    Coordinator, DAY, Node, PLAY_MONEY, PRICE, STAKE, ZOO, config, end_of, identity, now, request,
};

type Lie<'a> = &'a dyn Fn(&mut SignedAnswer);

fn run() -> Arc<Execution> {
    Arc::new(execute(&ZOO.quantized.graph, std::slice::from_ref(&ZOO.input)).unwrap())
}

fn proof(binding: JobBinding) -> Proven {
    ZOO.keys.prove(Inference::new(&run(), binding), &|_| ()).unwrap()
}

fn encoded(proven: &Proven) -> Vec<u8> {
    proven.file.encode().into_bytes()
}

/// A node that is played by hand.
struct Played<'a> {
    client: &'a Client,
    identity: Identity,
}

impl<'a> Played<'a> {
    fn new(client: &'a Client, byte: u8) -> Self {
        let identity = identity(byte);
        client.post_bond(&identity, 100).unwrap();
        let capabilities = Capabilities {
            models: vec![ZOO.model()],
            slots: 4,
            device: "cpu".to_owned(),
            memory_bytes: 0,
            asks: None,
            key: None,
        };
        let reply = client.hello(&identity, capabilities).unwrap();
        assert_eq!(reply.held, []);
        Self { client, identity }
    }

    fn offer(&self) -> Offer {
        std::iter::repeat_with(|| self.client.poll(&self.identity).unwrap())
            .find_map(|one| one)
            .unwrap()
    }

    fn answer(&self, offer: &Offer, edit: impl FnOnce(&mut [i64])) -> SignedAnswer {
        let run = run();
        let mut output = run.outputs(&ZOO.quantized.graph).concat();
        edit(&mut output);
        let trace = Trace::of(&ZOO.quantized.graph, &run.values);
        SignedAnswer::new(&self.identity, offer, output, &trace)
    }
}

fn wrong(output: &mut [i64]) {
    output[0] = if output[0] == 0 { 1 } else { 0 };
}

#[test]
fn a_wrong_answer_is_slashed_by_anybodys_proof() {
    let folder = tempfile::tempdir().unwrap();
    let coordinator = Coordinator::start(&config(folder.path()));
    let (client, chain_id) = coordinator.client();
    let (buyer, liar) = (identity(1), Played::new(&client, 9));
    let ordered = request(&buyer, chain_id, 1, DAY);
    let job = ordered.order.job();
    client.submit(&ordered, Wait::None).unwrap();
    let offer = liar.offer();
    client.answer(&liar.answer(&offer, wrong)).unwrap();
    // The liar cannot have the right output paid either.
    let right = proof(offer.order.binding(liar.identity.address()));
    let refused = client.prove(job, encoded(&right)).unwrap_err();
    assert_eq!(refused.problem(), Some("contradicts"));
    let view = client.job(job, Wait::None).unwrap();
    assert_eq!((view.state.as_str(), view.node), ("slashed", Some(Hex(liar.identity.address().0))));
    let balance = client.account(buyer.address()).unwrap().balance;
    assert_eq!(balance, Decimal(u128::from(PLAY_MONEY) + STAKE));

    // The same by a proof that was made for no job.
    let second = Played::new(&client, 8);
    let ordered = request(&buyer, chain_id, 2, DAY);
    let job = ordered.order.job();
    client.submit(&ordered, Wait::None).unwrap();
    let offer = second.offer();
    client.answer(&second.answer(&offer, wrong)).unwrap();
    client.contradict(job, encoded(&proof(JobBinding::NONE))).unwrap();
    assert_eq!(client.job(job, Wait::None).unwrap().state, "slashed");
    let standing = |identity: &Identity| {
        let account = Hex(identity.address().0);
        let nodes = client.nodes().unwrap().nodes;
        nodes.into_iter().find(|node| node.account == account).unwrap().standing
    };
    assert_eq!(standing(&second.identity), "ejected");
    assert_eq!(standing(&liar.identity), "ejected");
}

#[test]
fn garbage_of_a_node_is_refused_by_name_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let coordinator = Coordinator::start(&config(folder.path()));
    let (client, chain_id) = coordinator.client();
    let (buyer, node) = (identity(1), Played::new(&client, 9));
    let ordered = request(&buyer, chain_id, 1, DAY);
    let job = ordered.order.job();
    client.submit(&ordered, Wait::None).unwrap();
    let offer = node.offer();
    let honest = node.answer(&offer, |_| ());
    let lies: [(&str, Lie); 10] = [
        ("signature", &|answer| answer.signature.0[5] ^= 1),
        ("its digest is", &|answer| wrong(&mut answer.output)),
        ("is not between", &|answer| answer.output[0] = i64::MAX),
        ("integers, the model has", &|answer| answer.output.truncate(9)),
        ("answer.input", &|answer| answer.answer.input.0[0] ^= 1),
        ("its root is", &|answer| answer.trace[1].0[0] ^= 1),
        ("answer.execution", &|answer| answer.trace.clear()),
        ("answer.rate", &|answer| answer.answer.rate = 999_999),
        ("answer.reveal_by", &|answer| answer.answer.reveal_by = u64::MAX),
        ("answer.prove_by", &|answer| answer.answer.prove_by = u64::MAX),
    ];
    for (named, lie) in lies {
        let mut answer = honest.clone();
        lie(&mut answer);
        let refused = client.answer(&answer).unwrap_err();
        assert_eq!(refused.problem(), Some("answer"));
        assert!(refused.to_string().contains(named), "{refused}");
    }
    // Another node cannot answer for this one, nor take longer than is allowed.
    let other = Played::new(&client, 8);
    let refused = client.answer(&other.answer(&offer, |_| ())).unwrap_err();
    assert_eq!(refused.problem(), Some("payee"));
    let sooner = Offer { reveal_by: offer.prove_by - 100, ..offer.clone() };
    let refused = client.answer(&node.answer(&sooner, |_| ())).unwrap_err();
    assert!(refused.to_string().contains("answer.rate"), "{refused}");
    let late = Offer { prove_by: offer.prove_by + 100, ..offer.clone() };
    let refused = client.answer(&node.answer(&late, |_| ())).unwrap_err();
    assert_eq!(refused.problem(), Some("refused"), "{refused}");

    client.answer(&honest).unwrap();
    assert_eq!(client.answer(&honest).unwrap_err().problem(), Some("answered"));
    let mine = offer.order.binding(node.identity.address());
    let others = offer.order.binding(other.identity.address());
    let mut forged = proof(mine).file;
    forged.claim.output = vec![0; 10].into();
    let refusals = [
        (b"garbage".to_vec(), "malformed"),
        (encoded(&proof(JobBinding { nonce: 9, ..mine })), "proof-nonce"),
        (encoded(&proof(JobBinding { chain_id: 1, ..mine })), "proof-chain"),
        (encoded(&proof(JobBinding { job_id: [7; 32], ..mine })), "proof-job"),
        (encoded(&proof(others)), "payee"),
    ];
    for (proof, word) in refusals {
        let refused = client.prove(job, proof).unwrap_err();
        assert_eq!(refused.problem(), Some(word), "{refused}");
    }
    let refused = client.prove(job, forged.encode().into_bytes()).unwrap_err();
    assert!(refused.problem().is_some_and(|word| word.starts_with("proof-")), "{refused}");
    client.prove(job, encoded(&proof(mine))).unwrap();
    assert_eq!(client.prove(job, encoded(&proof(mine))).unwrap_err().problem(), Some("not-found"));
    let balance = client.account(node.identity.address()).unwrap().balance;
    assert_eq!(balance, Decimal(u128::from(PLAY_MONEY) - 100 + PRICE));
}

#[test]
fn a_node_without_a_bond_is_not_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let coordinator = Coordinator::start(&config(folder.path()));
    let (client, _) = coordinator.client();
    let (poor, models) = (identity(9), vec![ZOO.model()]);
    let capabilities = Capabilities {
        models,
        slots: 1,
        device: "cpu".to_owned(),
        memory_bytes: 0,
        asks: None,
        key: None,
    };
    client.post_bond(&poor, 19).unwrap();
    let refused = client.hello(&poor, capabilities.clone()).unwrap_err();
    assert_eq!(refused.problem(), Some("bond"), "{refused}");
    assert_eq!(client.poll(&poor).unwrap_err().problem(), Some("unknown-node"));
    client.post_bond(&poor, 1).unwrap();
    assert_eq!(client.hello(&poor, capabilities).unwrap().held, []);
}

#[test]
fn a_node_that_takes_a_job_and_says_nothing_loses_it_to_another() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&folder.path().join("market"));
    // A node that needs longer gets the job again.
    config.rules = Rules { answer_seconds: 2, max_deliveries: u32::MAX, ..config.rules };
    let coordinator = Coordinator::start(&config);
    let (client, chain_id) = coordinator.client();
    let silent = Played::new(&client, 9);
    let ordered = request(&identity(1), chain_id, 1, DAY);
    let job = ordered.order.job();
    client.submit(&ordered, Wait::None).unwrap();
    let offer = silent.offer();
    let node = Node::start(&coordinator.url, folder.path());
    let view = end_of(&client, job);
    assert_eq!(view.node, Some(Hex(node.identity.address().0)));
    // It kept its stake, and may not have anything for a while.
    let refused = client.answer(&silent.answer(&offer, |_| ())).unwrap_err();
    assert_eq!(refused.problem(), Some("not-found"));
    let account = client.account(silent.identity.address()).unwrap();
    assert_eq!(account.bond, Decimal(100));
    let nodes = client.nodes().unwrap().nodes;
    let silent = nodes.iter().find(|view| view.account == Hex(silent.identity.address().0));
    assert_eq!(silent.unwrap().lapsed, 1);
    node.stop();
}

#[test]
fn an_order_that_is_none_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let coordinator = Coordinator::start(&config(folder.path()));
    let (client, chain_id) = coordinator.client();
    let buyer = identity(1);
    let sampling = |rate| Sampling { rate, commitment: Some(Hex([1; 32])) };
    let signed = |edit: &dyn Fn(&mut zkinfer_node::Order)| {
        let mut order = request(&buyer, chain_id, 1, DAY).order;
        edit(&mut order);
        order.request(&buyer, ZOO.input.clone())
    };
    let cases = [
        (signed(&|order| order.chain_id = Decimal(1)), "order", "order.chain_id"),
        (signed(&|order| order.model.0[0] ^= 1), "not-found", "there is no model"),
        (signed(&|order| order.input.0[0] ^= 1), "order", "its digest is"),
        (signed(&|order| order.stake = Decimal(0)), "order", "order.stake"),
        (signed(&|order| order.sampling = Some(sampling(0))), "order", "order.sampling.rate"),
        (
            signed(&|order| order.sampling = Some(sampling(1_000_001))),
            "order",
            "order.sampling.rate",
        ),
        (signed(&|order| order.stake = Decimal(21)), "stake", "order.stake"),
        (signed(&|order| order.price = Decimal(0)), "refused", "the price is zero"),
        (signed(&|order| order.price = Decimal(1 << 100)), "funds", "are needed"),
        (signed(&|order| order.deadline = now() - 5), "deadline-passed", "has passed"),
        (signed(&|order| order.deadline = u64::MAX), "refused", "the last that is allowed"),
        (signed(&|order| order.buyer = identity(2).public_key()), "order", "signature"),
    ];
    for (request, word, named) in cases {
        let refused = client.submit(&request, Wait::None).unwrap_err();
        assert_eq!(refused.problem(), Some(word), "{refused}");
        assert!(refused.to_string().contains(named), "{refused}");
    }
    let mut short = signed(&|_| ());
    short.input.pop();
    let refused = client.submit(&short, Wait::None).unwrap_err();
    assert!(refused.to_string().contains("63 integers, the model has 64"), "{refused}");
    let mut outside = signed(&|_| ());
    outside.input[3] = 1 << 40;
    let refused = client.submit(&outside, Wait::None).unwrap_err();
    assert!(refused.to_string().contains("input: element 3"), "{refused}");
    let refused = client.job(JobId([7; 32]), Wait::None).unwrap_err();
    assert_eq!(refused.problem(), Some("not-found"));
}

/// Status, content type and body of a request as it is.
pub(crate) fn raw(
    method: &str,
    url: &str,
    body: &str,
    headers: &[(&str, String)],
) -> (u16, String, String) {
    let mut request = ureq::http::Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let config = ureq::Agent::config_builder().http_status_as_error(false).build();
    let agent = ureq::Agent::new_with_config(config);
    let mut response = if body.is_empty() && method != "POST" {
        agent.run(request.body(()).unwrap()).unwrap()
    } else {
        agent.run(request.body(body.to_owned()).unwrap()).unwrap()
    };
    let kind = response.headers().get("content-type");
    let kind = kind.map(|kind| kind.to_str().unwrap().to_owned()).unwrap_or_default();
    (response.status().as_u16(), kind, response.body_mut().read_to_string().unwrap())
}

#[test]
fn every_malformed_request_gets_a_problem_document_that_names_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config.limits.body_bytes = 2_000;
    let coordinator = Coordinator::start(&config);
    let job = "07".repeat(32);
    let long = format!("\"{}\"", "x".repeat(3_000));
    let cases = [
        ("POST", "/v1/jobs".to_owned(), "", 400, "EOF"),
        ("POST", "/v1/jobs".to_owned(), "[]", 400, "invalid length 0"),
        ("POST", "/v1/jobs".to_owned(), "{\"order\": {\"chain_id\": 7}}", 400, "order.chain_id"),
        ("POST", "/v1/jobs".to_owned(), "{\"more\": 1}", 400, "more"),
        ("POST", "/v1/jobs".to_owned(), &long, 413, "2000 bytes"),
        ("POST", "/v1/jobs?wait=never".to_owned(), "{}", 400, "wait: never"),
        ("GET", "/v1/jobs/7".to_owned(), "", 400, "job: expected 64"),
        ("GET", format!("/v1/jobs/{job}"), "", 404, "there is no job"),
        ("GET", format!("/v1/jobs/{job}/proof"), "", 404, "there is no proof"),
        ("PUT", format!("/v1/jobs/{job}"), "x", 405, "in another way"),
        ("POST", format!("/v1/jobs/{job}/proof"), "x", 404, "no live job"),
        ("DELETE", format!("/v1/jobs/{job}"), "", 401, "zkinfer-key"),
        ("POST", "/v1/nodes".to_owned(), "{}", 401, "zkinfer-key"),
        ("POST", "/v1/nodes/poll".to_owned(), "", 401, "zkinfer-key"),
        ("POST", "/v1/bond".to_owned(), "{}", 401, "zkinfer-key"),
        ("GET", "/v1/accounts/x".to_owned(), "", 400, "account: expected 40"),
        ("GET", "/v1/models/x".to_owned(), "", 400, "model: expected 64"),
        ("GET", "/nowhere".to_owned(), "", 404, "/nowhere"),
    ];
    for (method, path, body, status, named) in cases {
        let (got, kind, text) = raw(method, &format!("{}{path}", coordinator.url), body, &[]);
        assert_eq!((got, kind.as_str()), (status, "application/problem+json"), "{path}: {text}");
        let problem: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert!(problem["detail"].as_str().unwrap().contains(named), "{path}: {text}");
        assert_eq!(problem["status"], status);
    }
}

#[test]
fn a_signed_request_that_is_sent_again_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let coordinator = Coordinator::start(&config(folder.path()));
    let (client, chain_id) = coordinator.client();
    let node = identity(9);
    let body = "{\"amount\":\"30\"}";
    let url = format!("{}/v1/bond", coordinator.url);
    let milliseconds = (now() + 1) * 1_000;
    let target = ("POST", "/v1/bond");
    let signature =
        RequestSignature::new(&node, chain_id, target, body.as_bytes(), milliseconds).unwrap();
    let headers = signature.headers();
    let (status, _, text) = raw("POST", &url, body, &headers);
    assert_eq!(status, 200, "{text}");
    let (status, _, text) = raw("POST", &url, body, &headers);
    assert_eq!(status, 401);
    assert!(text.contains("came before"), "{text}");
    // Nor does it serve for another amount.
    let (status, _, text) = raw("POST", &url, "{\"amount\":\"31\"}", &headers);
    assert_eq!(status, 401);
    assert!(text.contains("the signature is not"), "{text}");
    assert_eq!(client.account(node.address()).unwrap().bond, Decimal(30));
}

/// A program that cannot tell whose they are says so.
#[cfg(not(feature = "btauth"))]
#[test]
fn a_request_that_is_signed_as_bittensors_are_is_refused_by_a_program_without_them() {
    let folder = tempfile::tempdir().unwrap();
    let coordinator = Coordinator::start(&config(folder.path()));
    let headers = [("X-Bittensor-Version", "1".to_owned())];
    let url = format!("{}/v1/nodes/poll", coordinator.url);
    let (status, kind, text) = raw("POST", &url, "", &headers);
    assert_eq!((status, kind.as_str()), (401, "application/problem+json"));
    assert!(text.contains("built without btauth"), "{text}");
}
