//! Every reason for which something is refused.

use thiserror::Error;

use crate::{
    quantities::Amount,
    record::{RecordError, RecordKey},
    refusal::Refusal,
};

/// Why an operation of the escrow did not happen.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EscrowError<E> {
    /// It is against the rules.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store failed. If it failed in a commit, whether the operation happened is known only
    /// after the store is opened again.
    #[error("the store of the escrow failed")]
    Store(#[source] E),
    /// What is stored are not the records of an escrow.
    #[error("the store holds other data than an escrow's")]
    NotAnEscrow,
    /// A format that this crate does not read.
    #[error(
        "the store has format version {got}, this program reads version {expected}: let the program \
         of that version finish its jobs and pay out its accounts, and begin with a new store"
    )]
    Version {
        /// The version of this crate.
        expected: u16,
        /// The version of the store.
        got: u16,
    },
    /// The store holds the escrow of another chain.
    #[error("the store holds the escrow of chain {got}, not of chain {expected}")]
    Chain {
        /// The chain asked for.
        expected: u64,
        /// The chain of the store.
        got: u64,
    },
    /// A record that is damaged or foreign.
    #[error("the record {key:?} of the store is damaged")]
    Record {
        /// Which one.
        key: RecordKey,
        /// What is wrong with it.
        source: RecordError,
    },
    /// A record under a key of no known kind.
    #[error("the store holds a record under an unknown key of {length} bytes")]
    UnknownKey {
        /// Length of the key.
        length: usize,
    },
    /// The books do not balance: the store was changed by something else.
    #[error(
        "the books do not balance: accounts, bonds and jobs hold {holds}, {total} were paid in"
    )]
    Unbalanced {
        /// Sum over accounts, bonds and jobs, or the largest amount if it is more.
        holds: Amount,
        /// What was paid in and not out.
        total: Amount,
    },
}
