//! Rounds of drand from a relay, by its HTTP API.

use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;
use ureq::Agent;

use crate::{
    beacon::{BeaconError, NETWORK, check_round},
    encoding::Hex,
};

/// How long a relay may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longer answers are refused.
const MAX_BYTES: u64 = 1 << 16;

/// Why a relay gives no round.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RelayError {
    /// It cannot be reached, or does not have the round.
    #[error("the relay {relay} does not give round {round}")]
    Network {
        /// Where it is.
        relay: String,
        /// Which round.
        round: u64,
        /// What went wrong.
        source: Box<ureq::Error>,
    },
    /// What it gives is no round.
    #[error("the relay {relay} gives something else than round {round}")]
    Answer {
        /// Where it is.
        relay: String,
        /// Which round.
        round: u64,
    },
    /// What it gives is not the network's.
    #[error(transparent)]
    Beacon(#[from] BeaconError),
}

/// What of a relay's answer is needed.
#[derive(Deserialize)]
struct Round {
    signature: Hex<48>,
}

/// The signature of a round, checked.
///
/// # Errors
/// [`RelayError`]: a relay is not believed.
pub fn relayed(relay: &str, round: u64) -> Result<Hex<48>, RelayError> {
    let failed = |source: ureq::Error| {
        let (relay, source) = (relay.to_owned(), Box::new(source));
        RelayError::Network { relay, round, source }
    };
    let agent = Agent::config_builder().timeout_global(Some(PATIENCE)).build().new_agent();
    let url = format!("{}/{NETWORK}/public/{round}", relay.trim_end_matches('/'));
    let mut response = agent.get(&url).call().map_err(failed)?;
    let body = response.body_mut().with_config().limit(MAX_BYTES).read_to_vec().map_err(failed)?;
    let given: Result<Round, _> = serde_json::from_slice(&body);
    let given = given.map_err(|_| RelayError::Answer { relay: relay.to_owned(), round })?;
    check_round(round, &given.signature)?;
    Ok(given.signature)
}
