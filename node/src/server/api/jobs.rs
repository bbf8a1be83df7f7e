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
    parameter,
    views::{Seen, Subject, look, read, view},
    welcome,
};
use crate::{
    beacon::{check_round, round_of},
    division::Division,
    error::{MarketError, RevealError},
    ledger::{Ledger, Phase},
    objects::Kind,
    order::JobRequest,
    part::{Blinding, draw_blinding, given_columns},
    sampling::Lot,
    server::{
        actor::{Core, unix_milliseconds},
        problem::Refused,
        watch::Watch,
    },
    wire::Reveal,
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
            Self::Answer => seen.has_answer() || seen.has_ended(),
            Self::End => seen.has_ended(),
        }
    }
}

pub(super) fn key_of(app: &App, model: KeyDigest) -> Result<Arc<VerifyingKey>, Refused> {
    let found = app.catalog.keys.get(&model).cloned();
    found.ok_or_else(|| Refused::not_found(format_args!("there is no model {model}")))
}

/// What an order asks for: a model, or one in parts with what blinds what goes between them.
enum Asked {
    Model,
    Parts(Arc<Division>, Vec<Blinding>),
}

/// Whether it is an order for something that is served.
fn checked(app: &App, request: &JobRequest) -> Result<Asked, Refused> {
    let Some(parts) = app.catalog.parts.get(&request.order.model) else {
        let key = key_of(app, request.order.model())?;
        request.check(app.chain_id, &key).map_err(MarketError::from)?;
        return Ok(Asked::Model);
    };
    let (Some(first), Some(last)) = (parts.keys.first(), parts.keys.last()) else {
        return Err(Refused::not_found("a manifest without parts"));
    };
    let checked = request.check_parts(app.chain_id, &parts.division, [first, last]);
    checked.map_err(MarketError::from)?;
    let between = parts.keys.iter().take(parts.keys.len().saturating_sub(1));
    let blindings = between.map(|key| draw_blinding(given_columns(key))).collect();
    Ok(Asked::Parts(parts.division.clone(), blindings))
}

pub(super) async fn submit(
    State(app): State<Arc<App>>,
    wait: Wait,
    Sent(request): Sent<JobRequest>,
) -> Result<Response, Refused> {
    let asked = checked(&app, &request)?;
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
    let subject = match &asked {
        Asked::Model => Subject::One(job),
        Asked::Parts(division, _) => Subject::parts(job, division),
    };
    let first = watch(&app, &subject);
    let open = move |core: &mut Core| {
        welcome(core, buyer, play_money)?;
        let now = core.now();
        match asked {
            Asked::Model => core.market.open(request, now),
            Asked::Parts(division, blindings) => {
                core.market.open_parts(request, &division, blindings, now)
            }
        }
    };
    let opened = match wait {
        // The answer is worth more now than the knowledge that the disk has the job.
        Wait::Answer => app.handle.now(open)?,
        Wait::None | Wait::End => app.handle.durable(open).await?,
    };
    opened?;
    await_job(&app, &subject, wait, Some(first)).await
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    Named(job): Named,
    wait: Wait,
) -> Result<Response, Refused> {
    let subject = Subject::named(&app, job)?;
    await_job(&app, &subject, wait, None).await
}

/// Told at the next event of a job, or of the last part of one: nobody waits for the others.
fn watch<'a>(app: &'a App, subject: &Subject) -> Watch<'a> {
    app.watchers.watch(subject.jobs().last().copied().unwrap_or(subject.job()))
}

/// Waits as long as is asked for, and shows the job.
async fn await_job(
    app: &App,
    subject: &Subject,
    wait: Wait,
    first: Option<Watch<'_>>,
) -> Result<Response, Refused> {
    let end = Instant::now() + PATIENCE;
    let missing = || Refused::not_found(format_args!("there is no job {}", subject.job()));
    let mut next = first;
    loop {
        let mut told = next.take().unwrap_or_else(|| watch(app, subject));
        let durable = wait != Wait::Answer;
        let seen = if durable {
            let subject = subject.clone();
            app.handle.durable(move |core| look(core, &subject)).await?
        } else {
            app.handle.now(|core| look(core, subject))?
        };
        let seen = seen?.ok_or_else(missing)?;
        if wait.is_over(&seen) {
            return view(app, subject, seen, durable);
        }
        if timeout_at(end, told.told()).await.is_err() {
            let of_end = subject.clone();
            let seen = app.handle.durable(move |core| look(core, &of_end)).await??;
            return view(app, subject, seen.ok_or_else(missing)?, true);
        }
    }
}

pub(super) async fn proof(
    State(app): State<Arc<App>>,
    Named(job): Named,
) -> Result<Response, Refused> {
    // Those of parts are there before they are paid, and shown after.
    let contract = app.handle.durable(move |core| core.market.ledger().contract(job)).await??;
    let paid = contract.is_some_and(|contract| matches!(contract.phase, Phase::Settled { .. }));
    let found = read(&app, job, Kind::Proof)?.filter(|_| paid);
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
    let (subject, revealed) = (Subject::One(job), {
        app.handle.durable(move |core| {
            let now = core.now();
            core.market.reveal(job, lot, now)?;
            look(core, &Subject::One(job))
        })
    });
    let seen = revealed.await??;
    let seen = seen.ok_or_else(|| Refused::not_found(format_args!("there is no job {job}")))?;
    view(&app, &subject, seen, true)
}

pub(super) async fn cancel(
    State(app): State<Arc<App>>,
    Named(job): Named,
    Signed(key): Signed,
) -> Result<Response, Refused> {
    let subject = Subject::named(&app, job)?;
    let cancelling = subject.clone();
    let cancelled = app.handle.durable(move |core| {
        // All parts have one buyer.
        let one = cancelling.jobs().first().copied().unwrap_or(job);
        let contract = core.market.ledger().contract(one)?;
        let contract = contract.ok_or(MarketError::NotLive { job })?;
        if contract.terms.buyer != key.address() {
            return Ok(None);
        }
        // Of parts that are over, one says how.
        let named = if contract.phase.ended_at().is_some() { one } else { job };
        let now = core.now();
        core.market.cancel(named, now)?;
        look(core, &cancelling)
    });
    match cancelled.await?? {
        Some(seen) => view(&app, &subject, seen, true),
        None => Err(Refused::new(
            StatusCode::FORBIDDEN,
            "buyer",
            "The job is another buyer's",
            "only the key that has signed the order can cancel it",
        )),
    }
}
