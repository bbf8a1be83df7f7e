//! The models and parts that a node serves.

use std::{collections::BTreeMap, path::Path};

use zkinfer::verifier::{KeyDigest, VerifyingKey, Visibility};
use zkinfer_settlement::JobId;

use super::{PartsOption, WorkerError, WorkerOptions};
use crate::{
    client::Client,
    encoding::Hex,
    error::OfferError,
    fetched::{fetch, fetch_parts},
    offer::Offer,
    order::JobRequest,
    ramp::Prices,
    served::Served,
    served_part::ServedPart,
    wire::MarketView,
};

/// What a node serves.
pub(super) struct Loaded {
    pub(super) models: BTreeMap<KeyDigest, Served>,
    /// By the root of the manifest and the place.
    pub(super) parts: BTreeMap<(Hex<32>, usize), ServedPart>,
}

/// The models and parts that a node is told to serve, or else all that the coordinator shares.
pub(super) fn load(
    options: &WorkerOptions,
    client: &Client,
    view: &MarketView,
) -> Result<Loaded, WorkerError> {
    let srs = options.srs.as_deref();
    let own = options.models.iter().map(|path| shown(Served::load(path, srs)?, path));
    let none_named = options.models.is_empty() && options.parts.is_empty();
    let wanted = none_named && view.shares_models;
    let shared = view.models.iter().filter(|_| wanted).map(|&model| {
        let fetched = fetch(client, model, &options.fetched, srs);
        shown(fetched.map_err(|source| WorkerError::Fetch { model, source })?, &options.fetched)
    });
    let models = own.chain(shared).map(|served| served.map(|served| (served.digest(), served)));
    let models: BTreeMap<_, _> = models.collect::<Result<_, WorkerError>>()?;
    let only = &options.only;
    let own = options.parts.iter().map(|PartsOption { manifest, model }| {
        ServedPart::load(manifest, model, only, srs).map_err(WorkerError::from)
    });
    let shared = view.manifests.iter().filter(|_| wanted).map(|&model| {
        let fetched = fetch_parts(client, model, &options.fetched, only, srs);
        fetched.map_err(|source| WorkerError::Fetch { model, source })
    });
    let parts = own.chain(shared).collect::<Result<Vec<_>, _>>()?.into_iter().flatten();
    let parts: BTreeMap<_, _> = parts.map(|part| (part.name(), part)).collect();
    if models.is_empty() && parts.is_empty() {
        return Err(WorkerError::NoModels);
    }
    Ok(Loaded { models, parts })
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
        self.check_terms(&self.order.prices())
    }

    /// Whether moments are within the order, and the price is one of these.
    pub(crate) fn check_terms(&self, prices: &Prices) -> Result<(), OfferError> {
        let order = &self.order;
        let ordered = self.reveal_by <= self.prove_by && self.prove_by <= order.deadline;
        let (got, least) = (self.price.0, prices.at(0));
        if got < least {
            return Err(OfferError::Price { got, least });
        }
        if self.answer_by > order.deadline || !ordered {
            return Err(OfferError::Moments);
        }
        Ok(())
    }
}
