//! What is prepared for a chain.

use std::path::PathBuf;

use clap::Subcommand;

/// What is prepared for a chain.
#[derive(Debug, Subcommand)]
pub(crate) enum Contract {
    /// Write the verifier contract, the calldata that registers a key, and the ABI.
    Export(ContractExport),
    /// Print the calldata with which the contract verifies a proof, and those of a claim of several.
    Call(ContractCall),
    /// Print the opening of a hidden output, with which the escrow pays for it.
    Opening(ContractOpening),
}

/// A key and where its data go.
#[derive(Debug, clap::Args)]
pub(crate) struct ContractExport {
    /// The verifying key.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// The folder to write to.
    #[arg(short, long, value_name = "FOLDER")]
    pub(crate) output: PathBuf,
}

/// A proof and its key.
#[derive(Debug, clap::Args)]
pub(crate) struct ContractCall {
    /// The proof.
    pub(crate) proof: PathBuf,
    /// The verifying key.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
}

/// Openings and their key.
#[derive(Debug, clap::Args)]
pub(crate) struct ContractOpening {
    /// The openings that `prove` wrote.
    pub(crate) opening: PathBuf,
    /// The verifying key.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
}
