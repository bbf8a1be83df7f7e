//! An escrow that pays verified inferences, with the rules of a payment contract.
//!
//! A buyer [opens](Escrow::open) a job: this model, this input, this price, until this deadline.
//! Whoever brings a [`VerifiedInference`](zkinfer_verifier::VerifiedInference) of it in time
//! [has it paid](Escrow::submit) to the payee that is bound in the proof, once. Otherwise the buyer
//! gets the price [back](Escrow::refund), and with it the [stake](Escrow::slash) of a prover who
//! promised and did not deliver.
//!
//! A market gives jobs out itself: a prover posts a [bond](Escrow::post_bond), jobs are
//! [assigned](Escrow::assign) to it for a time, it [answers](Escrow::answer) at once and proves
//! later. A lease that [lapses](Escrow::lapse) gives the job to another; a proof that
//! [contradicts](Escrow::contradict) the answer costs the stake; a buyer who wants no proof
//! [accepts](Escrow::accept) it.
//!
//! A proof may hide its output behind a commitment. A job says what it takes for delivery: an output
//! that the proof [shows](Delivery::Shown), or one that the escrow is given the opening of, which it
//! [checks and keeps for the buyer](Escrow::submit_opened) before it pays.
//!
//! A model that was [split](zkinfer_verifier::Manifest) has a job for each part; they are
//! [paid together](Escrow::submit_parts), each to its own prover.
//!
//! Only evidence can be paid; a claim that nobody verified does not compile:
//!
//! ```compile_fail,E0308
//! use zkinfer_settlement::{Escrow, MemoryStore};
//! # fn pay(escrow: &mut Escrow<MemoryStore>, claim: zkinfer_verifier::InferenceClaim) {
//! escrow.submit(claim, 0);
//! # }
//! ```
//!
//! and neither does paying twice with the same evidence:
//!
//! ```compile_fail,E0382
//! use zkinfer_settlement::{Escrow, MemoryStore};
//! # fn pay(escrow: &mut Escrow<MemoryStore>, evidence: zkinfer_verifier::VerifiedInference) {
//! let _ = escrow.submit(evidence, 0);
//! let _ = escrow.submit(evidence, 0);
//! # }
//! ```
//!
//! Nor can a receipt be made up; only the escrow makes one, after the payment is durable:
//!
//! ```compile_fail,E0639
//! # use zkinfer_settlement::{Address, Amount, Delivery, JobId, Receipt, ValuesDigest};
//! # fn forge(job: JobId, payee: Address, price: Amount, input: ValuesDigest, delivery: Delivery,
//! #     model: zkinfer_verifier::KeyDigest) -> Receipt {
//! Receipt { job, payee, price, stake: price, model, input, output: input, delivery, nonce: 0,
//!     expiry: 0, settled_at: 0 }
//! # }
//! ```
//!
//! Every operation is one atomic, durable commit to a [`Store`]; the default one is `RedbStore`, a
//! file that survives a crash at any write. The crate reads no clock: time is what the caller says.
//! It checks no signatures either: who may act for an account is for the caller to decide.
//! `docs/settlement.md` has the rules as a table.

#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::todo,
        clippy::unimplemented,
        clippy::unreachable,
        clippy::unwrap_used,
        clippy::wildcard_enum_match_arm
    )
)]

mod audit;
mod error;
mod escrow;
mod job;
mod opening;
mod quantities;
mod record;
#[cfg(feature = "redb")]
mod redb_store;
mod refusal;
mod staked;
mod store;

pub use audit::Audit;
pub use error::EscrowError;
pub use escrow::Escrow;
pub use job::{
    Accepted, AnyJob, Cancelled, Delivery, Forfeited, Job, JobTerms, MAX_SECONDS, Open, Paid,
    Receipt, Refunded, Settled, Slashed,
};
pub use quantities::{Address, Amount, DepositId, JobId, ValuesDigest, WithdrawalId};
pub use record::{RecordError, RecordKey};
/// For backends of [`RedbStore`].
#[cfg(feature = "redb")]
pub use redb;
#[cfg(feature = "redb")]
pub use redb_store::{RedbStore, StoreError};
pub use refusal::Refusal;
pub use staked::{Lease, Staked};
pub use store::{MemoryStore, Record, Store};
