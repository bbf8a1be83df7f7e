//! The models and parts that a node serves.

use std::{collections::BTreeMap, path::Path};

use zkinfer::verifier::{KeyDigest, VerifyingKey, Visibility};
use zkinfer_settlement::JobId;

use super::{PartsOption, WorkerError, WorkerOptions};
use crate::{
    client::Client, encoding::Hex, error::OfferError, fetched::fetch, offer::Offer,
    order::JobRequest, served::Served, served_part::ServedPart, wire::MarketView,
};

/// The models that a node is told to serve, or else those that the coordinator shares.
pub(super) fn load_all(
    options: &WorkerOptions,
    client: &Client,
    view: &MarketView,
) -> Result<BTreeMap<KeyDigest, Served>, WorkerError> {
    let srs = options.srs.as_deref();
    let own = options.models.iter().map(|path| shown(Served::load(path, srs)?, path));
    let none_named = options.models.is_empty() && options.parts.is_empty();
    let shared = view.models.iter().filter(|_| none_named && view.shares_models);
    let shared = shared.map(|&model| {
        let fetched = fetch(client, model, &options.fetched, srs);
        shown(fetched.map_err(|source| WorkerError::Fetch { model, source })?, &options.fetched)
    });
    let models = own.chain(shared).map(|served| served.map(|served| (served.digest(), served)));
    let models: BTreeMap<_, _> = models.collect::<Result<_, WorkerError>>()?;
    if models.is_empty() && options.parts.is_empty() {
        Err(WorkerError::NoModels)
    } else {
        Ok(models)
    }
}

/// The parts that a node is told to serve, by manifest and place.
pub(super) fn load_parts(
    options: &WorkerOptions,
) -> Result<BTreeMap<(Hex<32>, usize), ServedPart>, WorkerError> {
    let mut parts = BTreeMap::new();
    for PartsOption { manifest, model, only } in &options.parts {
        let loaded = ServedPart::load(manifest, model, only, options.srs.as_deref())?;
        parts.extend(loaded.into_iter().map(|part| (part.name(), part)));
    }
    Ok(parts)
}

/// A model that a market can have: its claims show their output.
fn shown(served: Served, path: &Path) -> Result<Served, WorkerError> {
    if served.key().parts().layout.output_visibility == Visibility::Public {
        Ok(served)
    } else {
        Err(WorkerError::Hidden { path: path.to_owned() })
    }
}

impl Offer {
    /// Whether it is worth a node's while: an order of its buyer for the node's own key.
    ///
    /// # Errors
    /// Why it is not.
    pub fn check(&self, chain_id: u64, key: &VerifyingKey) -> Result<(), OfferError> {
        let Self { order, signature, input, sealed, .. } = self;
        let request = JobRequest {
            order: order.clone(),
            signature: *signature,
            input: input.clone(),
            sealed: sealed.clone(),
        };
        request.check(chain_id, key)?;
        if self.order.job() != JobId(self.job.0) {
            return Err(OfferError::Name);
        }
        self.check_terms()
    }

    /// Whether price and moments are within the order.
    pub(crate) fn check_terms(&self) -> Result<(), OfferError> {
        let order = &self.order;
        let ordered = self.reveal_by <= self.prove_by && self.prove_by <= order.deadline;
        let (got, least) = (self.price.0, order.price_at(0));
        if got < least {
            return Err(OfferError::Price { got, least });
        }
        if self.answer_by > order.deadline || !ordered {
            return Err(OfferError::Moments);
        }
        Ok(())
    }
}
