//! Every reason for which something is refused: files in `decode`, statements in `verify`.

mod decode;
mod verify;

pub use decode::KeyError;
#[cfg(feature = "json")]
pub use decode::{OpeningError, ProofFileError};
pub use verify::{CommitmentError, PartError, VerifyError};
