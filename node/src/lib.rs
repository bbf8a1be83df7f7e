//! A market of proofs: buyers ask for runs of a model, nodes answer at once and prove later, and a
//! coordinator pays only for proofs. `docs/market.md` says who trusts whom, and what moves what.
//!
//! The parts, from the inside out:
//!
//! * [`Market`]: the rules of giving out jobs, without clock, network or disk of its own.
//! * [`Ledger`]: where the money is: the escrow of `zkinfer-settlement`.
//! * [`Queue`]: which jobs wait; a projection of the ledger that can be lost and made again.
//! * [`Server`]: the market behind HTTP, durable before it says so.
//! * [`Worker`]: a node: a model, its keys, and the way to a coordinator.
//! * [`Client`]: what buyers and nodes say to a coordinator.
//!
//! What it is not: it makes no payments outside the escrow's books, and does not speak TLS itself.

#![forbid(unsafe_code)]

mod account;
mod answer;
mod beacon;
#[cfg(feature = "btauth")]
mod btauth;
mod bundle;
mod client;
mod config;
mod division;
mod encoding;
mod error;
mod execution;
mod fetched;
mod journal;
mod ledger;
mod log;
mod market;
mod nodes;
mod objects;
mod offer;
mod order;
mod overview;
mod part;
mod queue;
mod ramp;
mod relay;
mod replay;
mod report;
mod sampling;
mod schema;
mod sealed;
mod served;
mod served_part;
mod server;
mod signed;
mod weights;
mod wire;
mod worker;

pub use account::{Identity, IdentityError, PublicKey, Scheme, Signature};
pub use answer::{Answer, AnswerError, SignedAnswer, is_drawn};
pub use beacon::{BeaconError, NETWORK, REVEAL_ROUNDS, check_round, round_at, round_of, time_of};
#[cfg(feature = "btauth")]
pub use btauth::{BittensorSignature, read_ss58, ss58};
pub use bundle::{Bundle, BundleError, Evidence, Finding};
pub use client::{Client, ClientError, Wait};
pub use config::{Config, ConfigError, Limits, QueueConfig, Rules};
pub use division::Division;
pub use encoding::{Decimal, Hex, HexBytes};
pub use error::{MarketError, OfferError, RevealError};
pub use execution::{Inclusion, Step, Trace, run_operation, step_count, step_of, tree_root};
pub use fetched::FetchError;
pub use journal::{Journal, JournalError, Pending};
pub use ledger::{Contract, Ledger, Phase};
pub use log::{Chain, LogEntry, LogError, LogPage};
pub use market::{Event, Market, Outcome, PartRemains, Remains, Waiter};
pub use nodes::{Ask, Capabilities, NodeView, Standing};
pub use objects::{Kind, Object, Objects, ObjectsError};
pub use offer::Offer;
pub use order::{BoxesError, JobRequest, Order, OrderError, ValuesError};
pub use overview::{EventCount, Minute, Observed, Overview, Payment, RecentJob};
pub use part::{Blinding, PartOffer, PartRefusal, PartView, PartWork, Place, PlaceRecord, Span};
pub use queue::{Depth, Queue, QueueError, SqliteQueue, Taken, conformance};
#[cfg(feature = "nats")]
pub use queue::{NatsOptions, NatsQueue};
pub use ramp::{Prices, Ramp};
pub use relay::{RelayError, relayed};
pub use replay::{Dispute, DisputeError, Fault, ShownTensor};
pub use report::{NodeReport, Percentiles, Report, report};
pub use sampling::{ALWAYS, Lot, Sampling, commitment, secret};
pub use schema::Schema;
pub use sealed::{BoxEvidence, BoxFault, MAX_BOXES, SealError, SealedInput, Unsealed, digest_of};
pub use served::Served;
pub use served_part::ServedPart;
pub use server::{CatalogError, Server, ServerError};
pub use signed::{Guard, RequestSignature, SignatureRefusal};
pub use weights::{ChainWeights, WeightsError, chain_weights, clip_to_max_weight, normalize};
pub use wire::{
    AccountView, Held, Hello, HelloReply, JobView, MarketView, ModelFile, Move, NodeList, Problem,
    Reveal,
};
pub use worker::{PartsOption, Worker, WorkerError, WorkerOptions};

/// A random number that tells two orders apart; `None` if the system gives none.
#[must_use]
pub fn random_nonce() -> Option<u64> {
    account::random_bytes().map(u64::from_be_bytes)
}
