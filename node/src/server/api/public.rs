//! What anybody may ask.

use std::sync::{Arc, PoisonError};

use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use zkinfer_settlement::Address;

use super::{
    App,
    extract::{OfAccount, OfModel, OfPart},
    json,
    nodes::account_view,
    parameter,
};
use crate::{
    encoding::{Decimal, Hex},
    log::LogPage,
    server::{actor::unix_milliseconds, openapi, problem::Refused},
    wire::{MarketView, ModelFile, NodeList},
};

pub(super) async fn market(State(app): State<Arc<App>>) -> Response {
    let rules = &app.config.rules;
    let view = MarketView {
        chain_id: Decimal(app.chain_id),
        models: app.catalog.keys.keys().map(|model| Hex(model.0.0)).collect(),
        manifests: app.catalog.parts.keys().copied().collect(),
        shares_models: app.config.share_models,
        coordinator: app.coordinator,
        coordinator_ss58: coordinator_ss58(&app),
        answer_seconds: rules.answer_seconds,
        prove_seconds: rules.prove_seconds,
        reveal_seconds: rules.reveal_seconds,
        now: unix_milliseconds() / 1_000,
    };
    json(StatusCode::OK, &view)
}

#[cfg(feature = "btauth")]
fn coordinator_ss58(app: &App) -> Option<String> {
    Some(crate::btauth::ss58(&app.coordinator))
}

#[cfg(not(feature = "btauth"))]
fn coordinator_ss58(_: &App) -> Option<String> {
    None
}

/// Entries of one answer.
const PAGE: u32 = 1_000;

pub(super) async fn log(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, Refused> {
    let from = parameter(uri.query(), "from").map_or(Ok(0), str::parse);
    let from = from.map_err(|_| {
        Refused::bad("malformed", "The query names no place", "from: expected a number")
    })?;
    // What is shown is on disk, and so is what it says.
    app.handle.durable(|_| ()).await?;
    let objects = app.objects.lock().unwrap_or_else(PoisonError::into_inner);
    let entries = objects.log(from, PAGE).map_err(|error| {
        tracing::error!(%error, "log");
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Refused::new(status, "internal", "The coordinator has failed", "see its log")
    })?;
    Ok(json(StatusCode::OK, &LogPage { entries }))
}

pub(super) async fn overview(State(app): State<Arc<App>>) -> Result<Response, Refused> {
    let now = unix_milliseconds() / 1_000;
    let view = app.handle.now(|core| core.observed.view(now))?;
    Ok(json(StatusCode::OK, &view))
}

pub(super) async fn nodes(State(app): State<Arc<App>>) -> Result<Response, Refused> {
    let nodes = app.handle.now(|core| {
        let now = core.now();
        core.market.nodes(now)
    })?;
    Ok(json(StatusCode::OK, &NodeList { nodes }))
}

pub(super) async fn account(
    State(app): State<Arc<App>>,
    OfAccount(Hex(account)): OfAccount,
) -> Result<Response, Refused> {
    let view = app.handle.durable(move |core| account_view(core, Address(account)));
    Ok(json(StatusCode::OK, &view.await??))
}

pub(super) async fn model(
    State(app): State<Arc<App>>,
    OfModel(model): OfModel,
) -> Result<Response, Refused> {
    let key = app.catalog.key(model);
    let key = key.ok_or_else(|| Refused::not_found(format_args!("there is no model {model}")))?;
    Ok(bytes(key.encode()))
}

pub(super) async fn manifest(
    State(app): State<Arc<App>>,
    OfModel(model): OfModel,
) -> Result<Response, Refused> {
    let parts = app.catalog.parts.get(&model);
    let missing = || Refused::not_found(format_args!("there is no model in parts {model}"));
    Ok(bytes(parts.ok_or_else(missing)?.division.manifest().encode().into_bytes()))
}

pub(super) async fn model_onnx(
    State(app): State<Arc<App>>,
    OfModel(model): OfModel,
) -> Result<Response, Refused> {
    shared(&app, model, ModelFile::Onnx).await
}

pub(super) async fn model_settings(
    State(app): State<Arc<App>>,
    OfModel(model): OfModel,
) -> Result<Response, Refused> {
    shared(&app, model, ModelFile::Settings).await
}

pub(super) async fn part_settings(
    State(app): State<Arc<App>>,
    OfPart(model, part): OfPart,
) -> Result<Response, Refused> {
    shared(&app, model, ModelFile::PartSettings(part)).await
}

async fn shared(app: &App, model: Hex<32>, file: ModelFile) -> Result<Response, Refused> {
    let path = app.catalog.file(model, file).ok_or_else(|| {
        let file = file.path();
        Refused::not_found(format_args!("this coordinator shares no {file} of a model {model}"))
    })?;
    let path = path.to_owned();
    let busy = || Refused::busy("busy", "other nodes are being given models; try again later");
    let _one_at_a_time = app.sharing.try_acquire().map_err(|_| busy())?;
    let read = tokio::task::spawn_blocking(move || std::fs::read(path)).await;
    let read = read.unwrap_or_else(|_| Err(std::io::ErrorKind::Interrupted.into()));
    read.map(bytes).map_err(|error| {
        tracing::error!(%error, "a shared model");
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Refused::new(status, "internal", "The coordinator has failed", "see its log")
    })
}

fn bytes(content: Vec<u8>) -> Response {
    let kind = HeaderValue::from_static("application/octet-stream");
    ([(header::CONTENT_TYPE, kind)], content).into_response()
}

/// Whether the market changes and its changes reach the disk.
pub(super) async fn healthz(State(app): State<Arc<App>>) -> Result<Response, Refused> {
    app.handle.durable(|_| ()).await?;
    Ok(json(StatusCode::OK, &serde_json::json!({ "status": "ok" })))
}

pub(super) async fn metrics(State(app): State<Arc<App>>) -> Result<Response, Refused> {
    let counts = app.handle.now(|core| {
        let now = core.now();
        let live = core.market.live_count();
        let nodes = core.market.nodes(now).len();
        core.market.depth(now).map(|depth| (live, nodes, depth))
    });
    let (live, nodes, depth) = counts??;
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let counts = [
        ("live_jobs", count(live)),
        ("nodes", count(nodes)),
        ("queue_waiting", depth.waiting),
        ("queue_taken", depth.taken),
        ("queue_dead", depth.dead),
    ];
    let text = app.metrics.lock().unwrap_or_else(PoisonError::into_inner).text(&counts);
    let content =
        HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, content)], text).into_response())
}

pub(super) async fn openapi() -> Response {
    json(StatusCode::OK, &openapi::document())
}

pub(super) async fn nowhere(uri: Uri) -> Refused {
    Refused::not_found(format_args!("{} is no place here; see /openapi.json", uri.path()))
}

pub(super) async fn no_such_method(uri: Uri) -> Refused {
    Refused::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method",
        "The method is not allowed",
        format_args!("{} is asked for in another way; see /openapi.json", uri.path()),
    )
}
