//! What handlers take out of a request, each with a refusal that names what is wrong.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{FromRequest, FromRequestParts, Path, Request},
    http::{StatusCode, request::Parts},
};
use serde::de::DeserializeOwned;
use zkinfer_settlement::JobId;

use super::App;
use crate::{
    account::PublicKey,
    encoding::Hex,
    server::{actor::unix_milliseconds, problem::Refused},
    signed::{Guard, RequestSignature, SignatureRefusal},
};

/// How long somebody may take to send a request.
const BODY_PATIENCE: Duration = Duration::from_secs(10);

/// The job that the path names.
pub(super) struct Named(pub(super) JobId);

impl FromRequestParts<Arc<App>> for Named {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refused> {
        digest(parts, app, "job").await.map(|Hex(job)| Self(JobId(job)))
    }
}

/// The model that the path names: the digest of its verifying key.
pub(super) struct OfModel(pub(super) Hex<32>);

impl FromRequestParts<Arc<App>> for OfModel {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refused> {
        digest(parts, app, "model").await.map(Self)
    }
}

/// The part that the path names: the model's name, and which part of it, from 0.
pub(super) struct OfPart(pub(super) Hex<32>, pub(super) usize);

impl FromRequestParts<Arc<App>> for OfPart {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refused> {
        let malformed = |error: &dyn std::fmt::Display| {
            Refused::bad("malformed", "The path names no part of a model", error)
        };
        let path = Path::<(String, String)>::from_request_parts(parts, app).await;
        let Path((model, part)) = path.map_err(|error| malformed(&error))?;
        let model = model.parse().map_err(|error| malformed(&format_args!("model: {error}")))?;
        let number = part.parse();
        let number = number.map_err(|error| malformed(&format_args!("part: {part}: {error}")))?;
        Ok(Self(model, number))
    }
}

/// The account that the path names.
pub(super) struct OfAccount(pub(super) Hex<20>);

impl FromRequestParts<Arc<App>> for OfAccount {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refused> {
        digest(parts, app, "account").await.map(Self)
    }
}

/// The bytes that the path has at the place of `what`.
async fn digest<const N: usize>(
    parts: &mut Parts,
    app: &Arc<App>,
    what: &str,
) -> Result<Hex<N>, Refused> {
    let title = format!("The path names no {what}");
    let malformed = |error: &dyn std::fmt::Display| {
        Refused::bad("malformed", &title, format_args!("{what}: {error}"))
    };
    let path = Path::<String>::from_request_parts(parts, app).await;
    let Path(text) = path.map_err(|error| malformed(&error))?;
    text.parse().map_err(|error| malformed(&error))
}

/// The body, unless it is too long, or comes too slowly.
pub(super) struct Raw(pub(super) Bytes);

impl FromRequest<Arc<App>> for Raw {
    type Rejection = Refused;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Refused> {
        body_of(app, request.into_body()).await.map(Self)
    }
}

/// The body, read strictly as JSON.
pub(super) struct Sent<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Sent<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Refused> {
        parse(&body_of(app, request.into_body()).await?).map(Self)
    }
}

/// Who has signed the request, which says nothing more.
pub(super) struct Signed(pub(super) PublicKey);

impl FromRequest<Arc<App>> for Signed {
    type Rejection = Refused;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Refused> {
        signed(app, request).await.map(|(key, _)| Self(key))
    }
}

/// Who has signed the request, and its body, read strictly as JSON.
pub(super) struct SignedWith<T>(pub(super) PublicKey, pub(super) T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for SignedWith<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Refused> {
        let (key, body) = signed(app, request).await?;
        Ok(Self(key, parse(&body)?))
    }
}

async fn body_of(app: &App, body: Body) -> Result<Bytes, Refused> {
    let limit = app.config.limits.body_bytes;
    let read = tokio::time::timeout(BODY_PATIENCE, to_bytes(body, limit)).await;
    let read = read.map_err(|_| {
        let status = StatusCode::REQUEST_TIMEOUT;
        let seconds = BODY_PATIENCE.as_secs();
        let detail = format_args!("a request must be sent within {seconds} seconds");
        Refused::new(status, "slow", "The request comes too slowly", detail)
    })?;
    read.map_err(|_| {
        Refused::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
            "The request is too large",
            format_args!("a request has at most {limit} bytes, and must be sent to its end"),
        )
    })
}

/// Reads JSON strictly; an error names the field.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refused> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let title = "The request is no JSON of the form that is asked for";
    let value = serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| Refused::bad("malformed", title, error))?;
    reader.end().map_err(|error| Refused::bad("malformed", title, error))?;
    Ok(value)
}

/// Who has signed the request; its body.
async fn signed(app: &App, request: Request) -> Result<(PublicKey, Bytes), Refused> {
    let (Parts { method, uri, headers, .. }, body) = request.into_parts();
    let body = body_of(app, body).await?;
    let value = |name: &'static str| headers.get(name).and_then(|value| value.to_str().ok());
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let (request, now) = ((method.as_str(), target), unix_milliseconds());
    let mut guard = app.guard.lock().unwrap_or_else(PoisonError::into_inner);
    let key = match admit_bittensor(app, &mut guard, value, (request, &body), now) {
        Some(admitted) => admitted?,
        None => guard.admit(&RequestSignature::read(value)?, request, &body, now)?,
    };
    drop(guard);
    Ok((key, body))
}

/// Whose request it is, if it is signed as Bittensor's are.
fn admit_bittensor<'a>(
    app: &App,
    guard: &mut Guard,
    value: impl Fn(&'static str) -> Option<&'a str>,
    (request, body): ((&str, &str), &[u8]),
    now: u64,
) -> Option<Result<PublicKey, SignatureRefusal>> {
    value("x-bittensor-version").or_else(|| value("x-bittensor-hotkey"))?;
    #[cfg(feature = "btauth")]
    {
        let signed = crate::btauth::BittensorSignature::read(value);
        let receiver = &app.coordinator;
        Some(signed.and_then(|signed| guard.admit_bittensor(&signed, receiver, request, body, now)))
    }
    #[cfg(not(feature = "btauth"))]
    {
        let _unused = (app, guard, request, body, now);
        Some(Err(SignatureRefusal::WithoutBittensor))
    }
}
