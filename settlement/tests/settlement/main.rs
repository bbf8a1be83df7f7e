//! The rules of the escrow, the conservation of money, and what a crash leaves.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
mod conservation;
mod crash;
mod disk;
mod files;
mod joint;
mod leases;
mod operations;
mod parts;
mod payee;
mod rules;
