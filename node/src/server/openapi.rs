//! The description of the API, from the types that are read and written.

use serde_json::{Map, Value, json};

use crate::{
    answer::SignedAnswer,
    log::LogPage,
    offer::Offer,
    order::JobRequest,
    overview::Overview,
    schema::Schema,
    sealed::{BoxEvidence, SealedInput},
    wire::{
        AccountView, Held, Hello, HelloReply, JobView, MarketView, Move, NodeList, Problem, Reveal,
    },
};

/// What goes in or comes out.
enum Content {
    Nothing,
    /// JSON, by its schema and what that needs.
    Json(fn() -> Value, fn(&mut Map<String, Value>)),
    /// Bytes of this kind.
    Bytes(&'static str),
}

struct Operation {
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    signed: bool,
    request: Content,
    response: Content,
}

impl Operation {
    fn new(method: &'static str, path: &'static str, summary: &'static str) -> Self {
        let (request, response) = (Content::Nothing, Content::Nothing);
        Self { method, path, summary, signed: false, request, response }
    }

    fn signed(self) -> Self {
        Self { signed: true, ..self }
    }

    fn takes(self, request: Content) -> Self {
        Self { request, ..self }
    }

    fn gives(self, response: Content) -> Self {
        Self { response, ..self }
    }
}

fn of<T: Schema>() -> Content {
    Content::Json(T::schema, T::define)
}

fn jobs() -> Vec<Operation> {
    let (jobs, job) = ("/v1/jobs", "/v1/jobs/{job}");
    let proof = || Content::Bytes("application/json");
    let reveal =
        "The buyer's secret, or the round of drand, which says whether to prove the answer";
    let fault = "What a node shows of a sealed input that is none: the price is the node's";
    let contradiction = "A proof of another output than was answered: slashes the node";
    vec![
        Operation::new("post", jobs, "Order a job; `wait=answer` or `wait=end` waits")
            .takes(of::<JobRequest>())
            .gives(of::<JobView>()),
        Operation::new("get", job, "A job; `wait` as for an order").gives(of::<JobView>()),
        Operation::new("delete", job, "Take back a job that nobody has yet")
            .signed()
            .gives(of::<JobView>()),
        Operation::new("post", "/v1/jobs/{job}/answer", "A node's answer")
            .takes(of::<SignedAnswer>())
            .gives(of::<Held>()),
        Operation::new("post", "/v1/jobs/{job}/reveal", reveal)
            .takes(of::<Reveal>())
            .gives(of::<JobView>()),
        Operation::new("get", "/v1/jobs/{job}/proof", "The proof that was paid, a .zkproof")
            .gives(proof()),
        Operation::new("post", "/v1/jobs/{job}/proof", "A .zkproof, to be paid").takes(proof()),
        Operation::new("post", "/v1/jobs/{job}/contradiction", contradiction).takes(proof()),
        Operation::new("get", "/v1/jobs/{job}/box", "The box that was sealed to who signs")
            .signed()
            .gives(of::<SealedInput>()),
        Operation::new("post", "/v1/jobs/{job}/fault", fault).takes(of::<BoxEvidence>()),
    ]
}

fn nodes() -> Vec<Operation> {
    let (nodes, bond) = ("/v1/nodes", "/v1/bond");
    vec![
        Operation::new("get", nodes, "All nodes").gives(of::<NodeList>()),
        Operation::new("post", nodes, "A node that comes, or comes back")
            .signed()
            .takes(of::<Hello>())
            .gives(of::<HelloReply>()),
        Operation::new("post", "/v1/nodes/poll", "Wait for a job; 204 if there is none")
            .signed()
            .gives(of::<Offer>()),
        Operation::new("post", bond, "Move an amount from balance to bond")
            .signed()
            .takes(of::<Move>())
            .gives(of::<AccountView>()),
        Operation::new("post", "/v1/bond/withdrawal", "Move an amount from bond to balance")
            .signed()
            .takes(of::<Move>())
            .gives(of::<AccountView>()),
        Operation::new("get", "/v1/accounts/{account}", "What an account has")
            .gives(of::<AccountView>()),
    ]
}

fn public() -> Vec<Operation> {
    vec![
        Operation::new("get", "/v1/market", "The market").gives(of::<MarketView>()),
        Operation::new("get", "/v1/log", "A page of the signed log, from the place `from` on")
            .gives(of::<LogPage>()),
        Operation::new("get", "/v1/overview", "What the page at / shows").gives(of::<Overview>()),
        Operation::new("get", "/v1/models/{model}", "A verifying key, a .zkvk")
            .gives(Content::Bytes("application/octet-stream")),
        Operation::new("get", "/v1/models/{model}/onnx", "A model that is shared, an .onnx")
            .gives(Content::Bytes("application/octet-stream")),
        Operation::new("get", "/v1/models/{model}/settings", "Its settings, a .zkinfer.json")
            .gives(Content::Bytes("application/octet-stream")),
        Operation::new("get", "/v1/models/{model}/settings/{part}", "Those of a part of it")
            .gives(Content::Bytes("application/octet-stream")),
        Operation::new(
            "get",
            "/v1/models/{model}/manifest",
            "That of a model in parts, a .zkparts",
        )
        .gives(Content::Bytes("application/octet-stream")),
        Operation::new("get", "/healthz", "Whether changes reach the disk")
            .gives(Content::Bytes("application/json")),
        Operation::new("get", "/metrics", "For Prometheus")
            .gives(Content::Bytes("application/openmetrics-text")),
        Operation::new("get", "/openapi.json", "This document")
            .gives(Content::Bytes("application/json")),
    ]
}

/// The document, OpenAPI 3.1.
pub(crate) fn document() -> Value {
    let mut schemas = Map::new();
    Problem::define(&mut schemas);
    let mut paths = Map::new();
    for operation in jobs().into_iter().chain(nodes()).chain(public()) {
        let described = describe(&operation, &mut schemas);
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(operation.method.to_owned(), described);
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": { "title": "zkinfer market", "version": env!("CARGO_PKG_VERSION") },
        "paths": paths,
        "components": { "schemas": schemas },
    })
}

fn describe(operation: &Operation, schemas: &mut Map<String, Value>) -> Value {
    let content = |content: &Content, schemas: &mut Map<String, Value>| match content {
        Content::Nothing => None,
        Content::Json(schema, define) => {
            define(schemas);
            Some(json!({ "application/json": { "schema": schema() } }))
        }
        Content::Bytes(kind) => Some(json!({ *kind: {} })),
    };
    let names = operation.path.split(['{', '}']).skip(1).step_by(2);
    let in_path = names.map(|name| {
        json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } })
    });
    let headers = crate::signed::RequestSignature::HEADERS.into_iter().filter(|_| operation.signed);
    let headers = headers.map(|name| {
        json!({ "name": name, "in": "header", "required": true, "schema": { "type": "string" } })
    });
    let problem = json!({ "application/problem+json": { "schema": Problem::schema() } });
    let mut described = json!({
        "summary": operation.summary,
        "parameters": in_path.chain(headers).collect::<Vec<_>>(),
        "responses": {
            "2XX": { "description": "It is done." },
            "default": { "description": "What is wrong.", "content": problem },
        },
    });
    if let Some(response) = content(&operation.response, schemas) {
        described["responses"]["2XX"]["content"] = response;
    }
    if let Some(request) = content(&operation.request, schemas) {
        described["requestBody"] = json!({ "required": true, "content": request });
    }
    described
}
