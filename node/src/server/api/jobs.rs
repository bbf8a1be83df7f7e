//! What buyers ask for.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use axum::{
    extract::{FromRequestParts, State},
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use tokio::time::{Instant, timeout_at};
use zkinfer::verifier::{KeyDigest, VerifyingKey};
use zkinfer_settlement::JobId;

use super::{
    App,
    extract::{Named, Sent, Signed},
    json, parameter, welcome,
};
use crate::{
    answer::SignedAnswer,
    beacon::{check_round, round_of},
    encoding::Hex,
    error::{MarketError, RevealError},
    ledger::{Contract, Ledger, Phase},
    objects::Kind,
    order::JobRequest,
    sampling::Lot,
    server::{
        actor::{Core, unix_milliseconds},
        problem::Refused,
        watch::Watch,
    },
    wire::{JobView, Reveal},
};

/// How long a request waits at most.
const PATIENCE: Duration = Duration::from_secs(25);

/// Until when a buyer wants to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// Not at all.
    None,
    /// Until there is an answer, or an end.
    Answer,
    /// Until the job has come to an end.
    End,
}

impl FromRequestParts<Arc<App>> for Wait {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Refused> {
        match parameter(parts.uri.query(), "wait") {
            None => Ok(Self::None),
            Some("answer") => Ok(Self::Answer),
            Some("end") => Ok(Self::End),
            Some(other) => Err(Refused::bad(
                "malformed",
                "The query asks for something unknown",
                format_args!("wait: {other} is neither answer nor end"),
            )),
        }
    }
}

impl Wait {
    fn is_over(self, seen: &Seen) -> bool {
        match self {
            Self::None => true,
            Self::Answer => seen.answer.is_some() || seen.ended(),
            Self::End => seen.ended(),
        }
    }
}

/// What the market knows of a job.
struct Seen {
    contract: Contract,
    lot: Option<Lot>,
    request: Option<Arc<JobRequest>>,
    answer: Option<Arc<SignedAnswer>>,
}

impl Seen {
    fn ended(&self) -> bool {
        self.contract.phase.ended_at().is_some()
    }
}

fn look(core: &mut Core, job: JobId) -> Result<Option<Seen>, MarketError> {
    let contract = core.market.ledger().contract(job)?;
    let (request, answer) = core.market.known(job).unzip();
    let (lot, answer) = (core.market.lot(job), answer.flatten());
    Ok(contract.map(|contract| Seen { contract, lot, request, answer }))
}

pub(super) fn key_of(app: &App, model: KeyDigest) -> Result<Arc<VerifyingKey>, Refused> {
    let found = app.keys.get(&model).cloned();
    found.ok_or_else(|| Refused::not_found(format_args!("there is no model {model}")))
}

pub(super) async fn submit(
    State(app): State<Arc<App>>,
    wait: Wait,
    Sent(request): Sent<JobRequest>,
) -> Result<Response, Refused> {
    let key = key_of(&app, request.order.model())?;
    request.check(app.chain_id, &key).map_err(MarketError::from)?;
    // Only now is it known to be the buyer's own.
    let buyer = request.order.buyer.address();
    let (per_second, now) = (app.config.limits.orders_per_second, unix_milliseconds());
    let admitted = {
        let mut rates = app.rates.lock().unwrap_or_else(PoisonError::into_inner);
        rates.admit(buyer, per_second, now)
    };
    if !admitted {
        let detail = format_args!("a buyer may send {per_second} orders a second");
        return Err(Refused::busy("rate", detail));
    }
    let (job, play_money) = (request.order.job(), app.config.play_money);
    let first = app.watchers.watch(job);
    let open = move |core: &mut Core| {
        welcome(core, buyer, play_money)?;
        let now = core.now();
        core.market.open(request, now)
    };
    let opened = match wait {
        // The answer is worth more now than the knowledge that the disk has the job.
        Wait::Answer => app.handle.now(open)?,
        Wait::None | Wait::End => app.handle.durable(open).await?,
    };
    opened?;
    await_job(&app, job, wait, Some(first)).await
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    Named(job): Named,
    wait: Wait,
) -> Result<Response, Refused> {
    await_job(&app, job, wait, None).await
}

/// Waits as long as is asked for, and shows the job.
async fn await_job(
    app: &App,
    job: JobId,
    wait: Wait,
    first: Option<Watch<'_>>,
) -> Result<Response, Refused> {
    let end = Instant::now() + PATIENCE;
    let mut next = first;
    loop {
        let mut watch = next.take().unwrap_or_else(|| app.watchers.watch(job));
        let durable = wait != Wait::Answer;
        let seen = if durable {
            app.handle.durable(move |core| look(core, job)).await?
        } else {
            app.handle.now(|core| look(core, job))?
        };
        let seen = seen?;
        let seen = seen.ok_or_else(|| Refused::not_found(format_args!("there is no job {job}")))?;
        if wait.is_over(&seen) {
            return view(app, job, seen, durable);
        }
        if timeout_at(end, watch.told()).await.is_err() {
            let seen = app.handle.durable(move |core| look(core, job)).await??;
            let seen = seen.ok_or_else(|| Refused::not_found(format_args!("no job {job}")))?;
            return view(app, job, seen, true);
        }
    }
}

/// The job as it was seen, with what the files have of it.
fn view(app: &App, job: JobId, seen: Seen, durable: bool) -> Result<Response, Refused> {
    let Seen { contract: Contract { phase, .. }, lot, request, answer } = seen;
    let request = match request {
        Some(request) => request.as_ref().clone(),
        None => read(app, job, Kind::Request)?
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .ok_or_else(|| Refused::not_found(format_args!("the order of job {job} is lost")))?,
    };
    let answer = match (answer, &phase) {
        (Some(answer), _) => Some(answer.as_ref().clone()),
        (None, Phase::Open | Phase::Staked { .. }) => None,
        (None, _ended) => {
            read(app, job, Kind::Answer)?.and_then(|bytes| serde_json::from_slice(&bytes).ok())
        }
    };
    let lot = match lot {
        None if phase.ended_at().is_some() => {
            let number = answer.as_ref().map_or(0, |answer| round_of(&answer.answer));
            read(app, job, Kind::Lot)?.and_then(|bytes| Lot::from_bytes(&bytes, number))
        }
        known => known,
    };
    let (secret, round) = match lot {
        Some(Lot::Secret(secret)) => (Some(secret), None),
        Some(Lot::Round { signature, .. }) => (None, Some(signature)),
        None => (None, None),
    };
    let view = JobView {
        job: Hex(job.0),
        order: request.order,
        signature: request.signature,
        state: phase.name().to_owned(),
        durable,
        node: phase.node().map(|node| Hex(node.0)),
        answer,
        secret,
        round,
        at: phase.ended_at(),
    };
    Ok(json(StatusCode::OK, &view))
}

fn read(app: &App, job: JobId, kind: Kind) -> Result<Option<Vec<u8>>, Refused> {
    let objects = app.objects.lock().unwrap_or_else(PoisonError::into_inner);
    objects.get(job, kind).map_err(|error| {
        tracing::error!(%error, "objects");
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Refused::new(status, "internal", "The coordinator has failed", "see its log")
    })
}

pub(super) async fn proof(
    State(app): State<Arc<App>>,
    Named(job): Named,
) -> Result<Response, Refused> {
    let found = read(&app, job, Kind::Proof)?;
    let found =
        found.ok_or_else(|| Refused::not_found(format_args!("there is no proof of job {job}")))?;
    let content = HeaderValue::from_static("application/json");
    Ok(([(header::CONTENT_TYPE, content)], found).into_response())
}

/// What draws the lot; a round of drand only with the network's signature.
async fn lot_of(app: &App, job: JobId, revealed: Reveal) -> Result<Lot, Refused> {
    let signature = match revealed {
        Reveal { secret: Some(secret), round: None } => return Ok(Lot::Secret(secret)),
        Reveal { secret: None, round: Some(signature) } => signature,
        _ => {
            let title = "The request says nothing, or two things";
            return Err(Refused::bad("malformed", title, "secret, round: give one of them"));
        }
    };
    let (_, answer) =
        app.handle.now(|core| core.market.known(job))?.ok_or(MarketError::NotLive { job })?;
    let answer = answer.ok_or(MarketError::Reveal(RevealError::NoAnswer))?;
    let number = round_of(&answer.answer);
    let checked = tokio::task::spawn_blocking(move || check_round(number, &signature)).await;
    let checked = checked.map_err(|_| crate::server::actor::Stopped)?;
    checked.map_err(|error| MarketError::Reveal(error.into()))?;
    Ok(Lot::Round { number, signature })
}

pub(super) async fn reveal(
    State(app): State<Arc<App>>,
    Named(job): Named,
    Sent(revealed): Sent<Reveal>,
) -> Result<Response, Refused> {
    let lot = lot_of(&app, job, revealed).await?;
    let revealed = app.handle.durable(move |core| {
        let now = core.now();
        core.market.reveal(job, lot, now)?;
        look(core, job)
    });
    let seen = revealed.await??;
    let seen = seen.ok_or_else(|| Refused::not_found(format_args!("there is no job {job}")))?;
    view(&app, job, seen, true)
}

pub(super) async fn cancel(
    State(app): State<Arc<App>>,
    Named(job): Named,
    Signed(key): Signed,
) -> Result<Response, Refused> {
    let cancelled = app.handle.durable(move |core| {
        let contract = core.market.ledger().contract(job)?;
        let buyer = contract.map(|contract| contract.terms.buyer);
        if buyer.is_some_and(|buyer| buyer != key.address()) {
            return Ok(None);
        }
        let now = core.now();
        core.market.cancel(job, now)?;
        look(core, job)
    });
    match cancelled.await?? {
        Some(seen) => view(&app, job, seen, true),
        None => Err(Refused::new(
            StatusCode::FORBIDDEN,
            "buyer",
            "The job is another buyer's",
            "only the key that has signed the order can cancel it",
        )),
    }
}
