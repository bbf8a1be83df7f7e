//! What nodes ask for.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use tokio::{sync::oneshot, time::timeout};
use zkinfer::verifier::{
    ClaimedValues, Expectation, ProofFile, Rejection, VerifiedInference, VerifyingKey,
};
use zkinfer_settlement::{Address, Amount, EscrowError, JobId};

use super::{
    App,
    extract::{Named, Raw, Sent, Signed, SignedWith},
    jobs::key_of,
    json, parts,
    views::request_of,
    welcome,
};
use crate::{
    answer::SignedAnswer,
    encoding::{Decimal, Hex},
    error::MarketError,
    ledger::shows_output,
    market::Outcome,
    nodes::{Ask, Capabilities},
    objects::{Kind, Object},
    order::JobRequest,
    part::PartWork,
    sealed::BoxEvidence,
    server::{
        actor::{Core, Polling},
        catalog::ServedParts,
        problem::Refused,
    },
    wire::{AccountView, Held, Hello, HelloReply, Move},
};

/// How long a node waits for a job before it asks again.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn hello(
    State(app): State<Arc<App>>,
    SignedWith(key, Hello { capabilities }): SignedWith<Hello>,
) -> Result<Response, Refused> {
    if capabilities.key.is_some_and(|stated| stated != key) {
        let title = "The node states another key";
        return Err(Refused::bad(
            "malformed",
            title,
            "capabilities.key: it has not signed the request",
        ));
    }
    let (node, play_money) = (key.address(), app.config.play_money);
    let capabilities = bounded(&app, capabilities)?;
    let held = app.handle.durable(move |core| {
        welcome(core, node, play_money)?;
        let now = core.now();
        core.market.hello(node, capabilities, now)
    });
    let held = held.await??;
    let heartbeat_seconds = app.config.rules.heartbeat_seconds;
    let reply = HelloReply { account: Hex(node.0), held, heartbeat_seconds };
    Ok(json(StatusCode::OK, &reply))
}

/// Most bytes of the name of a device.
const MAX_DEVICE_BYTES: usize = 64;

/// What is remembered of a node, and shown to everybody: what it says of models that are served here,
/// of each once.
fn bounded(app: &App, capabilities: Capabilities) -> Result<Capabilities, Refused> {
    let Capabilities { models, device, asks, .. } = capabilities;
    let got = device.len();
    if got > MAX_DEVICE_BYTES {
        let title = "The node's device has too long a name";
        let detail =
            format_args!("capabilities.device: {got} bytes, at most {MAX_DEVICE_BYTES} are shown");
        return Err(Refused::bad("malformed", title, detail));
    }
    let served = |model: &Hex<32>| app.catalog.key(*model).is_some();
    let models: BTreeSet<Hex<32>> = models.into_iter().filter(served).collect();
    let asks = asks.map(|asks| {
        let asks = asks.into_iter().filter(|ask| served(&ask.model));
        let asks: BTreeMap<_, _> = asks.map(|ask| (ask.model, ask.price)).collect();
        asks.into_iter().map(|(model, price)| Ask { model, price }).collect()
    });
    Ok(Capabilities { models: models.into_iter().collect(), device, asks, ..capabilities })
}

pub(super) async fn poll(
    State(app): State<Arc<App>>,
    Signed(key): Signed,
) -> Result<Response, Refused> {
    let node = key.address();
    let (tell, mut told) = oneshot::channel();
    app.handle.now(|core| {
        let now = core.now();
        core.market.wait(node, Polling(tell), now)
    })??;
    let offer = match timeout(PATIENCE, &mut told).await {
        Ok(offer) => offer.ok(),
        Err(_) => {
            // One that is on its way is not lost.
            told.close();
            told.try_recv().ok()
        }
    };
    Ok(match offer {
        Some(offer) => json(StatusCode::OK, &offer),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}

/// The order of a job that something can still happen to.
fn order_of(app: &App, job: JobId) -> Result<(Arc<JobRequest>, Arc<VerifyingKey>), Refused> {
    let known = app.handle.now(|core| core.market.known(job))?;
    let (request, _) = known.ok_or(MarketError::NotLive { job })?;
    let key = key_of(app, request.order.model())?;
    Ok((request, key))
}

/// A part that something can still happen to, and the parts of its model.
fn part_of(app: &App, job: JobId) -> Result<Option<(PartWork, Arc<ServedParts>)>, Refused> {
    let Some(work) = app.handle.now(|core| core.market.part_work(job))? else { return Ok(None) };
    let parts = app.catalog.parts.get(&work.request.order.model).cloned();
    let parts = parts.ok_or(MarketError::NotLive { job })?;
    Ok(Some((work, parts)))
}

pub(super) async fn answer(
    State(app): State<Arc<App>>,
    Named(job): Named,
    Sent(signed): Sent<SignedAnswer>,
) -> Result<Response, Refused> {
    match part_of(&app, job)? {
        Some((work, parts)) => {
            let index = work.place.index;
            let key = parts.keys.get(index).ok_or(MarketError::NotLive { job })?;
            signed.check_part(&work.request.order, parts.division.manifest(), index, key)
        }
        None => {
            let (request, key) = order_of(&app, job)?;
            signed.check(&request.order, &key)
        }
    }
    .map_err(MarketError::from)?;
    let prove_by = signed.answer.prove_by;
    let answered = app.handle.durable(move |core| {
        let now = core.now();
        core.market.answer(signed, now)
    });
    answered.await??;
    Ok(json(StatusCode::OK, &Held { job: Hex(job.0), prove_by }))
}

pub(super) async fn prove(
    State(app): State<Arc<App>>,
    Named(job): Named,
    Raw(body): Raw,
) -> Result<Response, Refused> {
    if let Some((work, parts)) = part_of(&app, job)? {
        return parts::deliver(&app, job, (work, parts), body).await;
    }
    let (request, key) = order_of(&app, job)?;
    let file = read_proof(&body)?;
    let policy = app.policy;
    let chain_id = app.chain_id;
    let verified = tokio::task::spawn_blocking(move || {
        let expected = Expectation {
            chain_id: Some(chain_id),
            job_id: Some(job.0),
            nonce: Some(request.order.nonce.0),
            // What is sealed, the escrow compares by its digest.
            input: open_input(&request),
            ..Expectation::new(&key)
        };
        file.verify(&expected, policy)
    });
    let evidence = verified_by(verified.await)?;
    let outcome = app.handle.durable(move |core| {
        let now = core.now();
        let outcome = core.market.prove(evidence, now)?;
        if outcome == Outcome::Paid {
            core.objects.push(Object { job, kind: Kind::Proof, content: body.to_vec() });
        }
        Ok::<_, MarketError>(outcome)
    });
    match outcome.await?? {
        Outcome::Paid => Ok(StatusCode::NO_CONTENT.into_response()),
        Outcome::Contradicted => Err(Refused::new(
            StatusCode::CONFLICT,
            "contradicts",
            "The proof contradicts the answer",
            "the proven output is another than the node's own answer, which has cost the stake",
        )),
    }
}

/// The input of an order, if it is not sealed.
fn open_input(request: &JobRequest) -> Option<ClaimedValues> {
    request.sealed.is_none().then(|| ClaimedValues::Public(request.input.clone()))
}

pub(super) async fn fault(
    State(app): State<Arc<App>>,
    Named(job): Named,
    Sent(evidence): Sent<BoxEvidence>,
) -> Result<Response, Refused> {
    let (request, key) = order_of(&app, job)?;
    let boxes = request.sealed.as_deref().unwrap_or_default();
    let fault = evidence.check(&request.order, boxes, &key).map_err(|error| {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Refused::new(status, "fault", "The evidence shows no fault of the buyer's", error)
    })?;
    tracing::info!(%job, %fault, "a sealed input is none");
    let forfeited = app.handle.durable(move |core| {
        let now = core.now();
        core.market.forfeit(evidence, now)
    });
    forfeited.await??;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn sealed_box(
    State(app): State<Arc<App>>,
    Named(job): Named,
    Signed(key): Signed,
) -> Result<Response, Refused> {
    let live = app.handle.now(|core| core.market.known(job))?;
    let boxes = match live {
        Some((request, _)) => request.sealed.clone(),
        None => request_of(&app, job)?.and_then(|request| request.sealed),
    };
    let own = boxes.into_iter().flatten().find(|one| one.node == key);
    let missing = || Refused::not_found(format_args!("job {job} has no box for this key"));
    Ok(json(StatusCode::OK, &own.ok_or_else(missing)?))
}

pub(super) async fn contradict(
    State(app): State<Arc<App>>,
    Named(job): Named,
    Raw(body): Raw,
) -> Result<Response, Refused> {
    let (request, key) = order_of(&app, job)?;
    let file = read_proof(&body)?;
    let policy = app.policy;
    let verified = tokio::task::spawn_blocking(move || {
        let input = open_input(&request);
        file.verify(&Expectation { input, ..Expectation::new(&key) }, policy)
    });
    let evidence = verified_by(verified.await)?;
    if !shows_output(&evidence) {
        return Err(MarketError::Order(crate::order::OrderError::Hidden).into());
    }
    let slashed = app.handle.durable(move |core| {
        let now = core.now();
        core.market.contradict(job, &evidence, now)
    });
    slashed.await??;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) fn read_proof(body: &[u8]) -> Result<ProofFile, Refused> {
    ProofFile::decode(body)
        .map_err(|error| Refused::bad("malformed", "The request is no .zkproof", error))
}

fn verified_by(
    verified: Result<Result<VerifiedInference, Rejection>, tokio::task::JoinError>,
) -> Result<VerifiedInference, Refused> {
    let Ok(verified) = verified else {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        return Err(Refused::new(status, "internal", "The verifier was cut off", "try again"));
    };
    verified.map_err(|rejection| {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        let word = format!("proof-{}", rejection.code());
        Refused::new(status, &word, "The proof is rejected", rejection)
    })
}

pub(super) async fn post_bond(
    State(app): State<Arc<App>>,
    asked: SignedWith<Move>,
) -> Result<Response, Refused> {
    move_bond(&app, asked, |core, account, amount| {
        core.market.ledger_mut().post_bond(account, amount)
    })
    .await
}

pub(super) async fn withdraw_bond(
    State(app): State<Arc<App>>,
    asked: SignedWith<Move>,
) -> Result<Response, Refused> {
    move_bond(&app, asked, |core, account, amount| {
        core.market.ledger_mut().withdraw_bond(account, amount)
    })
    .await
}

type Moved = Result<(), EscrowError<std::convert::Infallible>>;

async fn move_bond(
    app: &App,
    SignedWith(key, Move { amount }): SignedWith<Move>,
    operation: fn(&mut Core, Address, Amount) -> Moved,
) -> Result<Response, Refused> {
    let (account, play_money) = (key.address(), app.config.play_money);
    let moved = app.handle.durable(move |core| {
        welcome(core, account, play_money)?;
        operation(core, account, Amount(amount.0)).map_err(ledger_error)?;
        account_view(core, account)
    });
    Ok(json(StatusCode::OK, &moved.await??))
}

fn ledger_error(error: EscrowError<std::convert::Infallible>) -> MarketError {
    match error {
        EscrowError::Refused(refusal) => refusal.into(),
        other => MarketError::Ledger(other.to_string()),
    }
}

pub(super) fn account_view(core: &mut Core, account: Address) -> Result<AccountView, MarketError> {
    let ledger = core.market.ledger();
    let balance = ledger.balance(account).map_err(ledger_error)?;
    let bond = ledger.bond(account).map_err(ledger_error)?;
    let (balance, bond) = (Decimal(balance.0), Decimal(bond.0));
    Ok(AccountView { account: Hex(account.0), balance, bond })
}
