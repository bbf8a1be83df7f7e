//! A market as its users have it: over HTTP, with real proofs, and with liars.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod beacon;
#[cfg(feature = "btauth")]
mod btauth;
mod chunks;
mod common;
mod crash;
mod hostile;
mod hostile_kinds;
mod leases;
#[cfg(feature = "nats")]
mod nats;
mod outside;
mod parts;
mod queues;
mod ramps;
mod readme;
mod replay;
mod sampling;
mod sealed_replay;
mod sealing;
mod service;
mod shared_parts;
mod sharing;
mod simulation;
mod small;
