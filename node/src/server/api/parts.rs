//! Proofs of parts: each is checked when it comes, and all of them together before anybody is paid.

use std::sync::Arc;

use axum::{
    body::Bytes,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use zkinfer::verifier::VerifyingKey;
use zkinfer_settlement::JobId;

use super::{App, nodes::read_proof, views::read};
use crate::{
    error::MarketError,
    objects::{Kind, Object},
    order::digest,
    part::{PartRefusal, PartWork, check_part_proof, verify_parts},
    server::{actor::Stopped, catalog::ServedParts, problem::Refused},
};

/// Takes the proof of a part; if it is the last that was missing, everybody is paid.
pub(super) async fn deliver(
    app: &Arc<App>,
    job: JobId,
    (work, parts): (PartWork, Arc<ServedParts>),
    body: Bytes,
) -> Result<Response, Refused> {
    let file = read_proof(&body)?;
    let unanswered = || refused(&PartRefusal::NoAnswer);
    let (node, policy) = (work.node.ok_or_else(unanswered)?, app.policy);
    let values =
        [&work.taken, &work.given].map(|values| values.as_deref().map(|values| digest(values)));
    let [Some(taken), Some(given)] = values else {
        return Err(unanswered());
    };
    let checked = tokio::task::spawn_blocking(move || {
        let key = parts.keys.get(work.place.index).ok_or(PartRefusal::NoAnswer)?;
        check_part_proof(&work, key, &parts.setup, &file, policy)
    });
    checked.await.map_err(|_| Stopped)?.map_err(|refusal| refused(&refusal))?;
    let delivered = app.handle.durable(move |core| {
        let now = core.now();
        let complete = core.market.deliver(job, node, [taken, given], now)?;
        core.objects.push(Object { job, kind: Kind::Proof, content: body.to_vec() });
        Ok::<_, MarketError>(complete)
    });
    if let Some(whole) = delivered.await?? {
        settle(app, whole).await?;
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn refused(refusal: &PartRefusal) -> Refused {
    let word = format!("part-{}", refusal.code());
    Refused::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        &word,
        "The proof of the part is refused",
        refusal,
    )
}

/// Pays for all jobs of which every part is proven; what came together before the coordinator was
/// started is paid then.
pub(crate) async fn settle_complete(app: &Arc<App>) {
    let complete = app.handle.now(|core| core.market.complete()).unwrap_or_default();
    for whole in complete {
        // The reason is in the log.
        let _not_paid = settle(app, whole).await;
    }
}

/// Verifies the parts of a job together, and pays each to its own node.
async fn settle(app: &Arc<App>, whole: JobId) -> Result<(), Refused> {
    let jobs = app.handle.now(|core| core.market.part_jobs(whole))?.unwrap_or_default();
    let request = jobs.first().and_then(|job| {
        let known = app.handle.now(|core| core.market.known(*job)).ok()??;
        Some(known.0)
    });
    let request = request.ok_or(MarketError::NotLive { job: whole })?;
    let parts = app.catalog.parts.get(&request.order.model).cloned();
    let parts = parts.ok_or(MarketError::NotLive { job: whole })?;
    let mut files = Vec::new();
    for job in jobs {
        let content = read(app, job, Kind::Proof)?.ok_or(MarketError::NotLive { job })?;
        files.push(read_proof(&content)?);
    }
    let policy = app.policy;
    let verified = tokio::task::spawn_blocking(move || {
        let keys: Vec<&VerifyingKey> = parts.keys.iter().map(AsRef::as_ref).collect();
        verify_parts(parts.division.manifest(), &keys, &request.order, &files, policy)
    });
    let verified = verified.await.map_err(|_| Stopped)?.map_err(|why| {
        tracing::error!(job = %whole, why, "parts that were checked one by one do not fit together");
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Refused::new(status, "internal", "The parts do not fit together", "see the coordinator's log")
    })?;
    let paid = app.handle.durable(move |core| {
        let now = core.now();
        core.market.settle_parts(whole, verified, now)
    });
    paid.await??;
    Ok(())
}
