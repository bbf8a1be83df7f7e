//! Why something is refused: a key, or a statement. What is wrong with a file of a proof or an
//! opening stands beside its reader.

mod key;
mod verify;

pub use key::KeyError;
pub use verify::{CommitmentError, PartError, VerifyError};
