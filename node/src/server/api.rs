//! The requests of buyers, nodes and onlookers.

mod extract;
mod jobs;
mod nodes;
pub(super) mod parts;
mod public;
mod views;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Serialize;
use tokio::sync::Semaphore;
use zkinfer::{SrsPolicy, verifier::keccak256};
use zkinfer_settlement::{Address, Amount, DepositId, EscrowError, Refusal};

use super::{
    actor::{Core, Handle},
    catalog::Catalog,
    metrics::Metrics,
    page,
    problem::Refused,
    watch::Watchers,
};
use crate::{
    account::PublicKey, config::Config, error::MarketError, objects::Objects, signed::Guard,
};

/// What handlers share.
pub(crate) struct App {
    pub(crate) handle: Handle,
    pub(crate) catalog: Catalog,
    /// So many models are given to nodes at once, because each is in memory while it is sent.
    pub(crate) sharing: Semaphore,
    pub(crate) chain_id: u64,
    pub(crate) coordinator: PublicKey,
    pub(crate) policy: SrsPolicy,
    pub(crate) config: Config,
    pub(crate) guard: Mutex<Guard>,
    pub(crate) rates: Mutex<Rates>,
    pub(crate) permits: Arc<Semaphore>,
    pub(crate) objects: Mutex<Objects>,
    pub(crate) watchers: Arc<Watchers>,
    pub(crate) metrics: Arc<Mutex<Metrics>>,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("chain_id", &self.chain_id).finish_non_exhaustive()
    }
}

pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/v1/jobs", post(jobs::submit))
        .route("/v1/jobs/{job}", get(jobs::show).delete(jobs::cancel))
        .route("/v1/jobs/{job}/answer", post(nodes::answer))
        .route("/v1/jobs/{job}/reveal", post(jobs::reveal))
        .route("/v1/jobs/{job}/proof", get(jobs::proof).post(nodes::prove))
        .route("/v1/jobs/{job}/contradiction", post(nodes::contradict))
        .route("/v1/jobs/{job}/box", get(nodes::sealed_box))
        .route("/v1/jobs/{job}/fault", post(nodes::fault))
        .route("/v1/nodes", get(public::nodes).post(nodes::hello))
        .route("/v1/nodes/poll", post(nodes::poll))
        .route("/v1/bond", post(nodes::post_bond))
        .route("/v1/bond/withdrawal", post(nodes::withdraw_bond))
        .route("/v1/accounts/{account}", get(public::account))
        .route("/v1/market", get(public::market))
        .route("/v1/log", get(public::log))
        .route("/v1/models/{model}", get(public::model))
        .route("/v1/models/{model}/onnx", get(public::model_onnx))
        .route("/v1/models/{model}/settings", get(public::model_settings))
        .route("/v1/models/{model}/settings/{part}", get(public::part_settings))
        .route("/v1/models/{model}/manifest", get(public::manifest))
        .route("/v1/overview", get(public::overview))
        .route("/", get(page::html))
        .route("/page/style.css", get(page::style))
        .route("/page/page.js", get(page::script))
        .route("/page/icon.svg", get(page::icon))
        .route("/healthz", get(public::healthz))
        .route("/metrics", get(public::metrics))
        .route("/openapi.json", get(public::openapi))
        .fallback(public::nowhere)
        .method_not_allowed_fallback(public::no_such_method)
        .layer(from_fn_with_state(app.clone(), limited))
        .with_state(app)
}

/// Counts requests, and lets only so many in at once.
async fn limited(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let response = match app.permits.clone().try_acquire_owned() {
        Ok(_permit) => next.run(request).await,
        Err(_) => {
            Refused::busy("busy", "the coordinator serves as many requests as it can at once")
                .into_response()
        }
    };
    let metrics = app.metrics.lock().unwrap_or_else(PoisonError::into_inner);
    metrics.request(response.status().as_u16());
    drop(metrics);
    response
}

/// JSON with a status.
fn json(status: StatusCode, value: &impl Serialize) -> Response {
    let text = serde_json::to_vec(value).unwrap_or_default();
    let mut response = (status, Body::from(text)).into_response();
    let content = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, content);
    response
}

/// The value of a parameter of the query.
fn parameter<'a>(query: Option<&'a str>, name: &str) -> Option<&'a str> {
    let pairs = query?.split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(key, _)| *key == name).map(|(_, value)| value).next()
}

/// Gives an account its play money, once, where there is any.
fn welcome(core: &mut Core, account: Address, play_money: u64) -> Result<(), MarketError> {
    if play_money == 0 {
        return Ok(());
    }
    let deposit = DepositId(keccak256(&[b"zkinfer.ply.v1\0\0", &account.0]));
    match core.market.ledger_mut().deposit(deposit, account, Amount(play_money.into())) {
        Ok(()) | Err(EscrowError::Refused(Refusal::DepositExists { .. })) => Ok(()),
        Err(EscrowError::Refused(refusal)) => Err(refusal.into()),
        Err(other) => Err(MarketError::Ledger(other.to_string())),
    }
}

/// How many orders each buyer may still send at once.
#[derive(Debug, Default)]
pub(crate) struct Rates(HashMap<Address, (f64, u64)>);

/// Most buyers whose rates are remembered.
const MAX_RATES: usize = 100_000;

impl Rates {
    /// Whether a buyer may send another order now.
    fn admit(&mut self, buyer: Address, per_second: u32, now: u64) -> bool {
        let (rate, most) = (f64::from(per_second), 10.0 * f64::from(per_second));
        if self.0.len() >= MAX_RATES && !self.0.contains_key(&buyer) {
            // Whoever has not sent anything for ten seconds has all of his orders again.
            self.0.retain(|_, (_, last)| now.saturating_sub(*last) < 10_000);
            if self.0.len() >= MAX_RATES {
                return false;
            }
        }
        let (left, last) = self.0.entry(buyer).or_insert((most, now));
        let passed = u32::try_from(now.saturating_sub(*last)).unwrap_or(u32::MAX);
        *left = (*left + rate * f64::from(passed) / 1_000.0).min(most);
        *last = now;
        let admitted = *left >= 1.0;
        if admitted {
            *left -= 1.0;
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buyer_has_a_burst_and_then_its_rate() {
        let mut rates = Rates::default();
        let buyer = Address([1; 20]);
        let admitted = (0..30).filter(|_| rates.admit(buyer, 2, 1_000)).count();
        assert_eq!(admitted, 20);
        assert!(rates.admit(Address([2; 20]), 2, 1_000), "another buyer is not affected");
        assert!(!rates.admit(buyer, 2, 1_400));
        assert!(rates.admit(buyer, 2, 1_600) && !rates.admit(buyer, 2, 1_600));
    }

    #[test]
    fn parameters_are_found_by_name() {
        assert_eq!(parameter(Some("a=1&wait=answer"), "wait"), Some("answer"));
        assert_eq!(parameter(Some("await=answer"), "wait"), None);
        assert_eq!(parameter(None, "wait"), None);
    }
}
