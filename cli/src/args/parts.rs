//! A model in parts.

use std::{num::NonZeroU32, path::PathBuf};

use super::model::KeySource;
use crate::job::{Hex20, Hex32};

#[derive(Debug, clap::Args)]
pub(crate) struct Split {
    #[command(flatten)]
    pub(crate) source: KeySource,
    /// How many parts, of balanced cost.
    #[arg(long, value_name = "N", value_parser = several)]
    pub(crate) parts: NonZeroU32,
    /// The folder for the manifest, and the key and settings of every part.
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: PathBuf,
}

/// A number of parts.
fn several(text: &str) -> Result<NonZeroU32, String> {
    let most = u32::try_from(zkinfer::verifier::MAX_PARTS).unwrap_or(u32::MAX);
    let count = text.parse::<NonZeroU32>().ok().filter(|n| (2..=most).contains(&n.get()));
    count.ok_or_else(|| format!("expected a number from 2 to {most}"))
}

/// What the settings of the parts say.
const OF_SETTINGS: [&str; 8] = [
    "settings",
    "calibrate",
    "activation_bits",
    "input_bits",
    "input_levels",
    "commit",
    "optimize",
    "name",
];

/// The links of a run, to be written.
#[derive(Debug, clap::Args)]
pub(crate) struct WriteLinks {
    /// The manifest of the model's parts, from `split`: the run is of these parts.
    #[arg(long, value_name = "FILE", requires = "links", conflicts_with_all = OF_SETTINGS)]
    pub(crate) manifest: Option<PathBuf>,
    /// The folder for what goes from part to part: secret, for the provers of the parts.
    #[arg(long, value_name = "DIR", requires = "manifest", conflicts_with_all = OF_SETTINGS)]
    pub(crate) links: Option<PathBuf>,
}

/// What is said of the proof of a whole model.
const OF_WHOLE: [&str; 10] = [
    "key",
    "inputs",
    "joint",
    "jobs",
    "test_set",
    "max_error",
    "require_class",
    "threshold",
    "reference",
    "input_opening",
];

/// A part that is to be proven.
#[derive(Debug, clap::Args)]
pub(crate) struct OfPart {
    /// The manifest of the model's parts, from `split`: one of them is proven.
    #[arg(long, value_name = "FILE", requires_all = ["part", "links"],
        conflicts_with_all = OF_SETTINGS.into_iter().chain(OF_WHOLE))]
    pub(crate) manifest: Option<PathBuf>,
    /// Which part, counted from 0. The first takes --input, the others what their links hold.
    #[arg(long, value_name = "N", requires = "manifest",
        conflicts_with_all = OF_SETTINGS.into_iter().chain(OF_WHOLE))]
    pub(crate) part: Option<usize>,
    /// The folder with the links of the part, from `run --links`.
    #[arg(long, value_name = "DIR", requires = "manifest",
        conflicts_with_all = OF_SETTINGS.into_iter().chain(OF_WHOLE))]
    pub(crate) links: Option<PathBuf>,
}

impl OfPart {
    /// The manifest, the part, and the folder of its links.
    pub(crate) fn all(&self) -> Option<(&PathBuf, usize, &PathBuf)> {
        Some((self.manifest.as_ref()?, self.part?, self.links.as_ref()?))
    }
}

/// What is said of one proof, and of none of several parts.
const OF_ONE: [&str; 4] = ["key", "opening", "expect_key", "payee"];

/// What is said of the proofs of all parts, and of no other.
pub(super) const OF_ALL_PARTS: [&str; 3] = ["manifest", "expect_manifest", "payees"];

/// What proofs of all parts must be.
#[derive(Debug, clap::Args)]
pub(crate) struct AllParts {
    /// The manifest of the model's parts, from `split`, with their keys beside it: the proofs must be
    /// those of all parts, in their order and for one job.
    #[arg(long, value_name = "FILE", conflicts_with_all = OF_ONE)]
    pub(crate) manifest: Option<PathBuf>,
    /// The root that the manifest must have, as `split` prints it: it says which parts are meant.
    #[arg(long, value_name = "HEX", requires = "manifest", conflicts_with_all = OF_ONE)]
    pub(crate) expect_manifest: Option<Hex32>,
    /// Who must be paid for each part, in their order, with commas between.
    #[arg(long, value_name = "HEX", requires = "manifest", value_delimiter = ',',
        conflicts_with_all = OF_ONE)]
    pub(crate) payees: Vec<Hex20>,
}
