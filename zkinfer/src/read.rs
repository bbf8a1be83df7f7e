//! Reading the files that parties exchange; each is bounded and refused by name.

use std::path::Path;

use zkinfer_models::AccuracyReport;
use zkinfer_prover::files;
use zkinfer_verifier::{Manifest, Openings, ProofFile, VerifyingKey};

use crate::error::{Error, SplitError};

/// Larger files are neither keys nor proofs nor openings.
const MAX_BYTES: u64 = 1 << 28;
/// A report is far smaller.
const MAX_REPORT_BYTES: u64 = 1 << 20;

/// Reads a `.zkvk`.
///
/// # Errors
/// If the file cannot be read or is no verifying key.
pub fn key(path: &Path) -> Result<VerifyingKey, Error> {
    VerifyingKey::decode(&bytes(path, MAX_BYTES)?)
        .map_err(|source| Error::Key { path: path.to_owned(), source })
}

/// Reads a `.zkproof`.
///
/// # Errors
/// If the file cannot be read or is no proof.
pub fn proof(path: &Path) -> Result<ProofFile, Error> {
    ProofFile::decode(&bytes(path, MAX_BYTES)?)
        .map_err(|source| Error::Proof { path: path.to_owned(), source })
}

/// Reads a `.zkparts`.
///
/// # Errors
/// If the file cannot be read or is no manifest of parts.
pub fn manifest(path: &Path) -> Result<Manifest, Error> {
    Manifest::decode(&bytes(path, MAX_REPORT_BYTES)?)
        .map_err(|source| SplitError::Manifest { path: path.to_owned(), source }.into())
}

/// Reads a `.zkopening`.
///
/// # Errors
/// If the file cannot be read or is no opening.
pub fn openings(path: &Path) -> Result<Openings, Error> {
    Openings::decode(&bytes(path, MAX_BYTES)?)
        .map_err(|source| Error::Opening { path: path.to_owned(), source })
}

/// Reads a `.accuracy.json`.
///
/// # Errors
/// If the file cannot be read or is no accuracy report.
pub fn accuracy_report(path: &Path) -> Result<AccuracyReport, Error> {
    AccuracyReport::decode(&bytes(path, MAX_REPORT_BYTES)?)
        .map_err(|source| Error::AccuracyReport { path: path.to_owned(), source })
}

fn bytes(path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    files::read_bounded(path, limit).map_err(|source| Error::Read { path: path.to_owned(), source })
}
