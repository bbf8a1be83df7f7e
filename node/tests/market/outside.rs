//! What is asked of others: a relay of drand by a node, and a central server by a report.

use std::{
    process::Command,
    sync::{Arc, Mutex, mpsc},
    thread::JoinHandle,
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{StatusCode, Uri},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use zkinfer_node::{
    Decimal, Held, HelloReply, Hex, JobRequest, JobView, MarketView, NETWORK, Offer, REVEAL_ROUNDS,
    Sampling, SignedAnswer, WorkerOptions, round_of, time_of,
};

use crate::{
    beacon::{ROUND, SIGNATURE},
    common::{Coordinator, Node, PRICE, ZOO, config, identity, options, request},
};

/// What a server was asked: the path, and the body.
type Asked = (String, Vec<u8>);
type Answering = dyn Fn(&str, &[u8]) -> Response + Send + Sync;

/// A server of one function, which ends with the test.
struct Played {
    url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Clone)]
struct Shared {
    asked: Arc<Mutex<Vec<Asked>>>,
    answering: Arc<Answering>,
}

fn said(value: &impl Serialize) -> Response {
    serde_json::to_vec(value).unwrap().into_response()
}

async fn answer(State(shared): State<Shared>, uri: Uri, body: Bytes) -> Response {
    shared.asked.lock().unwrap().push((uri.path().to_owned(), body.to_vec()));
    (shared.answering)(uri.path(), &body)
}

impl Played {
    fn new(answering: impl Fn(&str, &[u8]) -> Response + Send + Sync + 'static) -> Self {
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let shared = Shared { asked: asked.clone(), answering: Arc::new(answering) };
        let ((stop, stopped), (tell, told)) = (oneshot::channel::<()>(), mpsc::channel());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(format!("http://{}", listener.local_addr().unwrap())).unwrap();
                let routes = Router::new().fallback(answer).with_state(shared);
                let serving = axum::serve(listener, routes).into_future();
                tokio::select! { _ = serving => {}, _ = stopped => {} }
            });
            runtime.shutdown_background();
        });
        Self { url: told.recv().unwrap(), asked, stop: Some(stop), thread: Some(thread) }
    }

    /// Waits until something was asked of it at a path that ends so; the body.
    fn body_of(&self, end: &str) -> Vec<u8> {
        loop {
            let asked = self.asked.lock().unwrap();
            if let Some((_, body)) = asked.iter().find(|(path, _)| path.ends_with(end)) {
                return body.clone();
            }
            drop(asked);
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Played {
    fn drop(&mut self) {
        self.stop.take();
        let _ended = self.thread.take().map(JoinHandle::join);
    }
}

/// A coordinator of a moment just before the round, which has one job to give.
fn coordinator(request: JobRequest, offer: Offer) -> Played {
    let job = offer.job;
    let given = Mutex::new(Some(offer));
    Played::new(move |path, body| match path {
        "/v1/market" => {
            let view = MarketView {
                chain_id: request.order.chain_id,
                models: vec![request.order.model],
                manifests: Vec::new(),
                shares_models: false,
                coordinator: Hex([5; 32]),
                coordinator_ss58: None,
                answer_seconds: 5,
                prove_seconds: 300,
                reveal_seconds: 30,
                now: time_of(ROUND) - 30,
            };
            said(&view)
        }
        "/v1/nodes" => {
            let account = Hex([7; 20]);
            said(&HelloReply { account, held: Vec::new(), heartbeat_seconds: 10 })
        }
        "/v1/nodes/poll" => match given.lock().unwrap().take() {
            Some(offer) => said(&offer),
            None => {
                std::thread::sleep(Duration::from_millis(50));
                StatusCode::NO_CONTENT.into_response()
            }
        },
        path if path.ends_with("/answer") => {
            let answer: SignedAnswer = serde_json::from_slice(body).unwrap();
            said(&Held { job, prove_by: answer.answer.prove_by })
        }
        path if path.ends_with("/reveal") => {
            let view = JobView {
                job,
                order: request.order.clone(),
                signature: request.signature,
                state: "accepted".to_owned(),
                durable: true,
                node: None,
                price: None,
                answer: None,
                secret: None,
                round: Some(SIGNATURE.parse().unwrap()),
                at: Some(1),
                sealed: None,
                fault: None,
                parts: None,
            };
            said(&view)
        }
        path if path.starts_with("/v1/accounts/") => {
            let none = "0";
            let account = &path["/v1/accounts/".len()..];
            said(&json!({ "account": account, "balance": none, "bond": none }))
        }
        other => panic!("{other}"),
    })
}

/// The clock of the tests is years after the one round that they know, so the coordinator is played; the
/// market's side is `beacon.rs`.
#[test]
fn a_node_hands_in_the_round_that_draws_the_lot_of_its_answer() {
    let reveal_by = time_of(ROUND + REVEAL_ROUNDS);
    let plain = request(&identity(1), 7, 1, 1_000).order;
    let sampling = Some(Sampling::by_beacon(1));
    let order = zkinfer_node::Order { sampling, deadline: reveal_by + 1_000, ..plain };
    let request = order.request(&identity(1), ZOO.input.clone());
    let offer = Offer {
        job: Hex(request.order.job().0),
        order: request.order.clone(),
        signature: request.signature,
        part: None,
        input: request.input.clone(),
        sealed: None,
        price: Decimal(PRICE),
        answer_by: time_of(ROUND) - 15,
        rate: 1,
        reveal_by,
        prove_by: reveal_by + 300,
        answered: false,
    };
    let coordinator = coordinator(request, offer);
    let relay = Played::new(move |path, _| {
        assert_eq!(path, format!("/{NETWORK}/public/{ROUND}"));
        said(&json!({ "round": ROUND, "signature": SIGNATURE }))
    });
    let folder = tempfile::tempdir().unwrap();
    let node = Node::with(WorkerOptions {
        models: vec![ZOO.path("onnx")],
        bond: 0,
        drand: Some(relay.url.clone()),
        ..options(&coordinator.url, folder.path())
    });
    let answer: SignedAnswer = serde_json::from_slice(&coordinator.body_of("/answer")).unwrap();
    assert_eq!(round_of(&answer.answer), ROUND);
    let revealed: Value = serde_json::from_slice(&coordinator.body_of("/reveal")).unwrap();
    assert_eq!(revealed, json!({ "secret": null, "round": SIGNATURE }));
    assert_eq!(relay.asked.lock().unwrap().len(), 1, "a round is asked for once");
    node.stop();
}

fn report(coordinator: &Coordinator, central: &Played) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zkinfer-market"));
    command.args(["report", "--market", &coordinator.url, "--central", &central.url]);
    command.args(["--requests", "20"]).arg("--key").arg(ZOO.path("zkvk"));
    let zoo = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/zoo/digits_mlp");
    command.arg("--input").arg(zoo.join("input.json")).output().unwrap()
}

#[test]
fn a_report_measures_a_central_server_of_the_same_model_beside_the_market() {
    let folder = tempfile::tempdir().unwrap();
    let coordinator = Coordinator::start(&config(folder.path()));
    let central = Played::new(|_, _| said(&json!({ "output": [1.0, 2.0] })));
    let output = report(&coordinator, &central);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&shown["opened"], &shown["central_ms"]["requests"]), (&json!(0), &json!(20)));
    let times = ["p50", "p95", "p99"].map(|name| shown["central_ms"][name].as_f64().unwrap());
    assert!(0.0 < times[0] && times.is_sorted(), "{times:?}");
    let asked = central.asked.lock().unwrap().clone();
    assert!(asked.len() > 20, "the first ones make connections and do not count");
    for (_, body) in asked {
        let sent: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(sent["input"].as_array().unwrap().len(), 64);
    }
}

#[test]
fn a_central_server_that_gives_no_output_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let coordinator = Coordinator::start(&config(folder.path()));
    let central = Played::new(|_, _| said(&json!({ "result": 1 })));
    let output = report(&coordinator, &central);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said, format!("error: {} answers without an output\n", central.url));
}

/// The reason of a failure is said once.
#[test]
fn a_coordinator_that_cannot_be_reached_is_named_with_one_reason() {
    let port = crate::crash::free_port();
    let market = format!("http://127.0.0.1:{port}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_zkinfer-market"));
    let output = command.args(["report", "--market", &market]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let reason =
        said.strip_prefix(&format!("error: the coordinator at {market} cannot be reached: "));
    let reason = reason.unwrap().trim_end();
    assert!(!reason.is_empty() && said.matches(reason).count() == 1, "{said}");
    let halves = reason.split_at(reason.len() / 2);
    assert_ne!(halves.0, halves.1, "{said}");
}
