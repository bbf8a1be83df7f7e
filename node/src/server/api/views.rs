//! A job as it is shown: what the market knows of it, and what the files have.

use std::sync::{Arc, PoisonError};

use axum::{http::StatusCode, response::Response};
use zkinfer_settlement::JobId;

use super::{App, json};
use crate::{
    answer::SignedAnswer,
    beacon::round_of,
    division::Division,
    encoding::{Decimal, Hex},
    error::MarketError,
    ledger::{Contract, Ledger, Phase},
    objects::Kind,
    order::JobRequest,
    part::PartView,
    sampling::Lot,
    server::{actor::Core, problem::Refused},
    wire::JobView,
};

/// A job, or all parts of one.
#[derive(Clone, Debug)]
pub(super) enum Subject {
    /// A job of its own, or one part.
    One(JobId),
    /// The parts of a job.
    Parts(JobId, Arc<Vec<JobId>>),
}

impl Subject {
    /// What a name stands for.
    pub(super) fn named(app: &App, job: JobId) -> Result<Self, Refused> {
        let (contract, live) = app.handle.now(|core| {
            let contract = core.market.ledger().contract(job).map(|found| found.is_some());
            (contract, core.market.part_jobs(job))
        })?;
        if contract? {
            return Ok(Self::One(job));
        }
        if let Some(jobs) = live {
            return Ok(Self::Parts(job, Arc::new(jobs)));
        }
        let request = read(app, job, Kind::Request)?;
        let request: Option<JobRequest> =
            request.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let parts = request.and_then(|request| app.catalog.parts.get(&request.order.model));
        let parts =
            parts.ok_or_else(|| Refused::not_found(format_args!("there is no job {job}")))?;
        Ok(Self::parts(job, &parts.division))
    }

    /// The parts of a job.
    pub(super) fn parts(job: JobId, division: &Division) -> Self {
        let names = (0..division.count()).map(|index| division.manifest().part_job(index, &job.0));
        Self::Parts(job, Arc::new(names.map(JobId).collect()))
    }

    /// The name.
    pub(super) fn job(&self) -> JobId {
        match self {
            Self::One(job) | Self::Parts(job, _) => *job,
        }
    }

    /// Jobs of which events are about it.
    pub(super) fn jobs(&self) -> &[JobId] {
        match self {
            Self::One(job) => std::slice::from_ref(job),
            Self::Parts(_, jobs) => jobs,
        }
    }
}

/// What the market knows of a job.
pub(super) struct Seen {
    state: &'static str,
    node: Option<Hex<20>>,
    price: Option<Decimal<u128>>,
    at: Option<u64>,
    lot: Option<Lot>,
    request: Option<Arc<JobRequest>>,
    answer: Option<Arc<SignedAnswer>>,
    parts: Option<Vec<PartView>>,
}

impl Seen {
    pub(super) fn has_answer(&self) -> bool {
        self.answer.is_some()
    }

    pub(super) fn has_ended(&self) -> bool {
        self.at.is_some()
    }
}

/// Looks at a job; none where there is none.
pub(super) fn look(core: &mut Core, subject: &Subject) -> Result<Option<Seen>, MarketError> {
    match subject {
        Subject::One(job) => look_at_one(core, *job),
        Subject::Parts(_, jobs) => look_at_parts(core, jobs),
    }
}

fn look_at_one(core: &mut Core, job: JobId) -> Result<Option<Seen>, MarketError> {
    let Some(Contract { phase, .. }) = core.market.ledger().contract(job)? else { return Ok(None) };
    let (request, answer) = core.market.known(job).unzip();
    Ok(Some(Seen {
        state: phase.name(),
        node: phase.node().map(|node| Hex(node.0)),
        price: phase.price().map(|price| Decimal(price.0)),
        at: phase.ended_at(),
        lot: core.market.lot(job),
        request,
        // What a part gives to the next is nobody else's business.
        answer: answer.flatten().filter(|answer| answer.spans.is_none()),
        parts: None,
    }))
}

/// The states of parts, from what is worst for the whole to what is best.
const WORST_FIRST: [&str; 6] = ["slashed", "refunded", "cancelled", "staked", "open", "settled"];

fn look_at_parts(core: &mut Core, jobs: &[JobId]) -> Result<Option<Seen>, MarketError> {
    let (mut parts, mut ended, mut price) = (Vec::new(), Vec::new(), Some(0u128));
    let (mut request, mut answer) = (None, None);
    for &job in jobs {
        let Some(Contract { phase, terms }) = core.market.ledger().contract(job)? else {
            return Ok(None);
        };
        let (of_part, given) = core.market.known(job).unzip();
        request = of_part.or(request);
        answer = given.flatten();
        let answered = matches!(phase, Phase::Staked { answer: Some(_), .. });
        let settled = matches!(phase, Phase::Settled { .. });
        parts.push(PartView {
            job: Hex(job.0),
            state: phase.name().to_owned(),
            node: phase.node().map(|node| Hex(node.0)),
            price: Decimal(phase.price().unwrap_or(terms.price).0),
            answered: answered || settled,
            proven: core.market.is_delivered(job) || settled,
        });
        ended.push(phase.ended_at());
        price = price.zip(phase.price()).map(|(sum, one)| sum.saturating_add(one.0));
    }
    let is_there = |state: &&&str| parts.iter().any(|part| part.state == ***state);
    let state = WORST_FIRST.iter().find(is_there).copied().unwrap_or("open");
    let at: Option<Vec<u64>> = ended.into_iter().collect();
    Ok(Some(Seen {
        // Some are given out, and none has come to a bad end: it goes on.
        state: if state == "open" && parts.iter().any(|part| part.state != "open") {
            "staked"
        } else {
            state
        },
        node: None,
        price: price.map(Decimal),
        at: at.and_then(|at| at.into_iter().max()),
        lot: None,
        request,
        answer,
        parts: Some(parts),
    }))
}

/// The job as it was seen, with what the files have of it.
pub(super) fn view(
    app: &App,
    subject: &Subject,
    seen: Seen,
    durable: bool,
) -> Result<Response, Refused> {
    let job = subject.job();
    let Seen { state, node, price, at, lot, request, answer, parts } = seen;
    let request = match request {
        Some(request) => request.as_ref().clone(),
        None => request_of(app, subject.job())?
            .ok_or_else(|| Refused::not_found(format_args!("the order of job {job} is lost")))?,
    };
    let answer = match (answer, at) {
        (Some(answer), _) => Some(answer.as_ref().clone()),
        (None, None) => None,
        (None, Some(_)) => {
            let last = subject.jobs().last().copied().unwrap_or(job);
            let found = read(app, last, Kind::Answer)?;
            found.and_then(|bytes| serde_json::from_slice(&bytes).ok())
        }
    };
    let answer: Option<SignedAnswer> =
        answer.filter(|answer: &SignedAnswer| answer.spans.is_none());
    let lot = match lot {
        None if at.is_some() => {
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
    let fault = if state == "forfeited" { read(app, job, Kind::Fault)? } else { None };
    let fault = fault.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let view = JobView {
        job: Hex(job.0),
        order: request.order,
        signature: request.signature,
        state: state.to_owned(),
        durable,
        node,
        price,
        answer,
        secret,
        round,
        at,
        sealed: request.sealed.filter(|_| fault.is_some()),
        fault,
        parts,
    };
    Ok(json(StatusCode::OK, &view))
}

/// The order of a job that has come to an end; that of all parts, for one of them.
pub(super) fn request_of(app: &App, job: JobId) -> Result<Option<JobRequest>, Refused> {
    let parsed = |bytes: Vec<u8>| serde_json::from_slice(&bytes).ok();
    if let Some(found) = read(app, job, Kind::Request)? {
        return Ok(parsed(found));
    }
    let place = read(app, job, Kind::Place)?;
    let place: Option<crate::part::PlaceRecord> =
        place.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let Some(place) = place else { return Ok(None) };
    Ok(read(app, JobId(place.whole.0), Kind::Request)?.and_then(parsed))
}

/// What the files have of a job; what is empty there is not.
pub(super) fn read(app: &App, job: JobId, kind: Kind) -> Result<Option<Vec<u8>>, Refused> {
    let objects = app.objects.lock().unwrap_or_else(PoisonError::into_inner);
    let found = objects.get(job, kind).map_err(|error| {
        tracing::error!(%error, "objects");
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Refused::new(status, "internal", "The coordinator has failed", "see its log")
    });
    Ok(found?.filter(|content| !content.is_empty()))
}
