//! What a node is told, and why it does not start.

use std::path::PathBuf;

use thiserror::Error;

use crate::{account::IdentityError, client::ClientError, encoding::Hex, fetched::FetchError};

/// What a node is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerOptions {
    /// Where the coordinator is.
    pub market: String,
    /// The file of the node's key, made where there is none.
    pub identity: PathBuf,
    /// ONNX files, each with its settings and key beside it. Where none is named, the node serves all
    /// models that the coordinator shares.
    pub models: Vec<PathBuf>,
    /// Models in parts that it serves.
    pub parts: Vec<PartsOption>,
    /// Which parts of these, or of those that the coordinator shares, from 0; all where none is named.
    pub only: Vec<usize>,
    /// The folder of the models that the coordinator shares.
    pub fetched: PathBuf,
    /// A ceremony's file; the development setup where none is given.
    pub srs: Option<PathBuf>,
    /// Jobs to have at once.
    pub slots: u32,
    /// Answers to be computed at once.
    pub answerers: usize,
    /// What is to be free of the bond at the start; taken from the balance.
    pub bond: u128,
    /// What the node wants for a job, at least.
    pub ask: u128,
    /// What it wants for a second of proving, as `zkinfer quote` estimates it: together with `ask`, the
    /// larger one counts.
    pub rate: u128,
    /// A relay of drand, for the rounds that draw lots of the node's answers.
    pub drand: Option<String>,
}

/// Parts that a node serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartsOption {
    /// The manifest, with the keys beside it.
    pub manifest: PathBuf,
    /// The ONNX file.
    pub model: PathBuf,
}

/// Why a node does not start, or ends.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// A model, its settings or its keys.
    #[error(transparent)]
    Model(#[from] zkinfer::Error),
    /// No model.
    #[error("there is no model to serve: the coordinator shares none, so name one with --model")]
    NoModels,
    /// A model that the coordinator shares.
    #[error("the model {model} cannot be had from the coordinator")]
    Fetch {
        /// Its digest.
        model: Hex<32>,
        /// Why not.
        source: FetchError,
    },
    /// Models that hide their output cannot be served.
    #[error("{path} hides its output: a market serves only models that show it")]
    Hidden {
        /// The model.
        path: PathBuf,
    },
    /// The coordinator serves none of the models.
    #[error(
        "the coordinator at {market} serves none of these models: it must have their .zkvk or .zkparts"
    )]
    NotServed {
        /// Where it is.
        market: String,
    },
    /// The node's own key.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The coordinator.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The prover has failed.
    #[error("the prover of this node has ended")]
    Ended,
}
