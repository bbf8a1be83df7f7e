//! Contracts that verify zkinfer proofs, and what they are called with.
//!
//! `solidity/ZkinferVerifier.sol` checks proofs under any key: a key is registered once, as data that
//! this crate compiles from the verifier's own [description of its checks](zkinfer_verifier::checks).
//! [`KeyData`] are these data, [`Call`] is the calldata of a check.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let vectors = concat!(env!("CARGO_MANIFEST_DIR"), "/../verifier/vectors");
//! # std::env::set_current_dir(vectors)?;
//! use zkinfer_contracts::{Call, KeyData};
//! use zkinfer_verifier::{ProofFile, VerifyingKey};
//!
//! let key = VerifyingKey::decode(&std::fs::read("digits_mlp.zkvk")?)?;
//! let data = KeyData::new(&key)?;
//! println!("register once: 0x{} bytes of calldata", data.register_calldata().len());
//!
//! let file = ProofFile::decode(&std::fs::read("digits_mlp-1.zkproof")?)?;
//! let call = Call::new(&key, &data, &file.claim, &file.proof)?;
//! println!("verify: {} bytes of calldata", call.verify_calldata().len());
//! # Ok(())
//! # }
//! ```
//!
//! `solidity/ZkinferEscrow.sol` pays for proofs by the rules of `zkinfer-settlement`;
//! `solidity/ZkinferOpening.sol` opens the outputs that some of them hide, and hashes the claims of a
//! proof of several: [`LeafCall`] has the calldata of one of them.
//!
//! What it is not: it sends nothing and holds no key of an account.

#![forbid(unsafe_code)]

mod abi;
mod artifact;
mod assembly;
mod calldata;
mod compile;
mod error;
mod key_data;
mod layout;
mod opening;
mod pieces;
mod program;

pub use abi::selector;
pub use artifact::{ESCROW, OPENING, VERIFIER, creation_code, escrow_creation_code};
pub use calldata::{Call, LeafCall, batch_calldata};
pub use error::ContractError;
pub use key_data::{KeyData, KeyId};
pub use opening::{opening_bytes, opening_creation_code};
