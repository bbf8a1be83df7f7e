//! What a search tries, and what came of it.

use std::collections::BTreeMap;

use serde::Serialize;
use zkinfer_circuits::{Cost, EvmFork, Objective};
use zkinfer_models::{Agreement, Clipping};

/// One way to quantize the model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Choice {
    /// Bits of an activation where a layer has none of its own.
    pub bits: u32,
    /// Layers with other bits, by the tensor that they give.
    pub layers: BTreeMap<String, u32>,
    /// How ranges follow from values.
    pub clipping: Clipping,
}

/// A choice that was tried, and can be proved.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Trial {
    /// What was chosen.
    #[serde(flatten)]
    pub choice: Choice,
    /// How close it is on the samples.
    pub agreement: Agreement,
    /// What a proof costs.
    pub price: Price,
}

/// What a proof costs, as planned.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Price {
    /// log2 of the number of rows.
    pub k: u32,
    /// Advice columns.
    pub advice_columns: usize,
    /// Lookups to a row.
    pub lookups: usize,
    /// Seconds on two cores of a reference processor.
    pub prove_seconds: f64,
    /// Bytes of the proof.
    pub proof_bytes: usize,
    /// Gas to verify it on an EVM chain, at the prices of Osaka.
    pub gas: u64,
    /// By what the circuit is planned for: less is cheaper.
    #[serde(skip)]
    pub(super) score: (u64, u64),
}

impl Price {
    pub(super) fn new(cost: &Cost, objective: Objective) -> Self {
        Self {
            k: cost.k,
            advice_columns: cost.advice_columns,
            lookups: cost.lookups,
            prove_seconds: cost.prove_seconds,
            proof_bytes: cost.proof_bytes,
            gas: cost.gas(EvmFork::Osaka),
            score: objective.score(cost, 1),
        }
    }
}
