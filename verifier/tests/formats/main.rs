//! Keys, claims, proofs and files: one spelling each, every field bound, everything else refused.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod classes;
mod common;
mod expectation;
mod key_edits;
mod key_format;
mod proof_bytes;
mod proof_file;
mod statements;
mod tamper_manifest;
