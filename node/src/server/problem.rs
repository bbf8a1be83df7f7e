//! What is wrong with a request, as a problem document (RFC 9457).

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use zkinfer_settlement::Refusal;

use super::actor::Stopped;
use crate::{error::MarketError, signed::SignatureRefusal, wire::Problem};

/// A problem, and whether it is worth while to try again.
#[derive(Debug)]
pub(crate) struct Refused {
    problem: Problem,
    retry_after: Option<u32>,
}

impl Refused {
    pub(crate) fn new(
        status: StatusCode,
        r#type: &str,
        title: &str,
        detail: impl std::fmt::Display,
    ) -> Self {
        let (r#type, title, status) =
            (r#type.to_owned(), title.to_owned(), u32::from(status.as_u16()));
        let problem = Problem { r#type, title, status, detail: detail.to_string() };
        Self { problem, retry_after: None }
    }

    pub(crate) fn bad(r#type: &str, title: &str, detail: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, r#type, title, detail)
    }

    pub(crate) fn not_found(detail: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "There is no such thing", detail)
    }

    pub(crate) fn busy(r#type: &str, detail: impl std::fmt::Display) -> Self {
        let status = StatusCode::TOO_MANY_REQUESTS;
        let refused = Self::new(status, r#type, "Too many requests", detail);
        Self { retry_after: Some(1), ..refused }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Self { problem, retry_after } = self;
        let status = u16::try_from(problem.status).ok().and_then(|s| StatusCode::from_u16(s).ok());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let text = serde_json::to_string(&problem).unwrap_or_default();
        let mut response = (status, Body::from(text)).into_response();
        let headers = response.headers_mut();
        let content = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, content);
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<Stopped> for Refused {
    fn from(Stopped: Stopped) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self::new(status, "stopping", "The coordinator stops", "ask again when it is back")
    }
}

impl From<SignatureRefusal> for Refused {
    fn from(refusal: SignatureRefusal) -> Self {
        match refusal {
            SignatureRefusal::Busy => Self::busy("busy", refusal),
            _ => Self::new(
                StatusCode::UNAUTHORIZED,
                "signature",
                "The request is not signed as it must be",
                refusal,
            ),
        }
    }
}

impl From<MarketError> for Refused {
    fn from(error: MarketError) -> Self {
        match &error {
            MarketError::Refused(refusal) => {
                let (status, word) = of_refusal(refusal);
                Self::new(status, word, "The escrow's rules are against it", error)
            }
            MarketError::Order(_) => Self::bad("order", "The order is wrong", error),
            MarketError::StakeTooLarge { .. } => {
                Self::bad("stake", "The stake is too large", error)
            }
            MarketError::TooSoon { .. } => Self::bad("deadline", "The deadline is too soon", error),
            MarketError::Answer(_) => Self::bad("answer", "The answer is wrong", error),
            MarketError::NotLive { .. } => Self::not_found(error),
            MarketError::Reveal(_) => {
                Self::new(StatusCode::CONFLICT, "reveal", "The secret draws no lot", error)
            }
            MarketError::UnknownNode => {
                Self::new(StatusCode::CONFLICT, "unknown-node", "The node is not known", error)
            }
            MarketError::OnePart { .. } => {
                Self::new(StatusCode::CONFLICT, "part", "Parts are taken back together", error)
            }
            MarketError::PartChanged => {
                Self::new(StatusCode::CONFLICT, "part-changed", "The part has changed", error)
            }
            MarketError::Full { .. } => Self::busy("full", error),
            MarketError::Queue(_) | MarketError::Ledger(_) => {
                tracing::error!(%error, "the market");
                let status = StatusCode::INTERNAL_SERVER_ERROR;
                Self::new(status, "internal", "The coordinator has failed", "see its log")
            }
        }
    }
}

/// Status and word of a refusal.
fn of_refusal(refusal: &Refusal) -> (StatusCode, &'static str) {
    match refusal {
        Refusal::UnknownJob { .. } => (StatusCode::NOT_FOUND, "not-found"),
        Refusal::InsufficientFunds { .. } => (StatusCode::PAYMENT_REQUIRED, "funds"),
        Refusal::InsufficientBond { .. } => (StatusCode::PAYMENT_REQUIRED, "bond"),
        Refusal::AlreadySettled { .. }
        | Refusal::AlreadyRefunded { .. }
        | Refusal::AlreadySlashed { .. }
        | Refusal::AlreadyCancelled { .. }
        | Refusal::AlreadyForfeited { .. }
        | Refusal::AlreadyAccepted { .. } => (StatusCode::CONFLICT, "over"),
        Refusal::AlreadyStaked { .. } => (StatusCode::CONFLICT, "staked"),
        Refusal::AlreadyAnswered { .. } => (StatusCode::CONFLICT, "answered"),
        Refusal::NotStaked { .. } => (StatusCode::CONFLICT, "not-staked"),
        Refusal::LeaseOver { .. } => (StatusCode::CONFLICT, "lease-over"),
        Refusal::DeadlinePassed { .. } => (StatusCode::CONFLICT, "deadline-passed"),
        Refusal::Contradicts { .. } => (StatusCode::CONFLICT, "contradicts"),
        Refusal::NoContradiction { .. } => (StatusCode::CONFLICT, "no-contradiction"),
        Refusal::Payee { .. } | Refusal::Prover { .. } => (StatusCode::FORBIDDEN, "payee"),
        _ => (StatusCode::BAD_REQUEST, "refused"),
    }
}
