//! Structured reference strings.

use std::path::PathBuf;

use clap::Subcommand;

#[derive(Debug, clap::Args)]
pub(crate) struct SrsFile {
    /// A file from `srs import` or `srs gen`; without it the insecure development SRS is used.
    #[arg(long = "srs", value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Srs {
    /// Make the insecure development SRS.
    Gen(SrsGen),
    /// Import the powers of a ceremony from a .ptau file or EZKL's kzg.srs, checking every point.
    Import(SrsImport),
    /// Describe an SRS file.
    Info(SrsInfo),
}

#[derive(Debug, clap::Args)]
pub(crate) struct SrsGen {
    /// log2 of the number of rows.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=24))]
    pub(crate) k: u32,
    /// Where to write it.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct SrsImport {
    /// The ceremony's .ptau file, or EZKL's kzg.srs.
    pub(crate) file: PathBuf,
    /// log2 of the number of rows to keep; all by default.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=28))]
    pub(crate) k: Option<u32>,
    /// Where to write it; beside the file by default.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct SrsInfo {
    /// The file.
    pub(crate) file: PathBuf,
    /// A verifying key, to say whether the file serves its model.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
}
