//! One variant for each cause; each names what, where, and what was expected.
//!
//! The text of a variant does not repeat its source: print the chain.

mod detail;
mod split;

use std::{io, path::PathBuf};

use thiserror::Error;
use zkinfer_circuits::PlanError;
use zkinfer_engine::{DeviceError, EngineError};
use zkinfer_models::{AccuracyError, ImportError, InputError, QuantizeError, Refusals, RunError};
use zkinfer_prover::{ExportError, ProveError, PtauError, SetupError, SrsError};
use zkinfer_verifier::{
    CommitmentError, Digest, KeyDigest, KeyError, OpeningError, ProofFileError, Side, VerifyError,
};

use crate::calibrate::trial::Trial;
use detail::{Closest, list, of_semantics};

pub use detail::{KeyDifference, Unmet, UnshownAccuracy};
pub use split::{LinkFault, SplitError};

/// Why something could not be done. A proof that is not the expected one is no error but a
/// [`Rejection`](crate::Rejection).
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file is there already and must not be replaced.
    #[error("{} is already there", .path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A file that would be written is also read, or written twice.
    #[error("{} would be overwritten; name another file", .path.display())]
    Overwritten {
        /// The file.
        path: PathBuf,
    },
    /// A folder stands where a file is to be written.
    #[error("{} is a folder; name a file", .path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
    },

    /// A file stands where a folder is to be written.
    #[error("{} is no folder; name one for {what}", .path.display())]
    NoFolder {
        /// The file.
        path: PathBuf,
        /// What is to be written there.
        what: &'static str,
    },
    /// A folder of inputs without a file.
    #[error("{} holds no inputs", .path.display())]
    NoInputs {
        /// The folder.
        path: PathBuf,
    },
    /// Two inputs whose proofs would have the same name.
    #[error("{}: another input is named `{name}` too", .path.display())]
    SameName {
        /// The second file.
        path: PathBuf,
        /// The name.
        name: String,
    },

    /// A file is no ONNX model.
    #[error("cannot use {} as a model", .path.display())]
    Model {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: ImportError,
    },
    /// A model that cannot be proved.
    #[error("cannot use {} as a model", .path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// Every reason found.
        source: Refusals,
    },
    /// A file does not hold the inputs of the model.
    #[error("cannot use {} as an input", .path.display())]
    Input {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: InputError,
    },
    /// A file does not hold the values of a key's tensors.
    #[error("cannot use {}", .path.display())]
    Values {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: InputError,
    },
    /// Values of a file cannot be written as integers of a key.
    #[error("cannot use {}", .path.display())]
    Integers {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: zkinfer_verifier::QuantizeError,
    },
    /// An expected output that is out of the range of the key's output.
    #[error("{} holds values that the model cannot give", .path.display())]
    ImpossibleOutput {
        /// The file.
        path: PathBuf,
    },
    /// Shapes or constants that do not fit together.
    #[error("the options of the model contradict each other")]
    Options {
        /// How.
        source: ImportError,
    },
    /// The model does not run on the input.
    #[error("the model cannot run on this input")]
    Run {
        /// Why not.
        source: RunError,
    },

    /// The integers do not do what was asked for.
    #[error("not proven, because {} not met: {}",
        if unmet.len() == 1 { "a demand is" } else { "demands are" }, list(unmet))]
    Unmet {
        /// Every demand that is not met.
        unmet: Vec<Unmet>,
    },
    /// A file does not hold outputs of the model.
    #[error("cannot use {} as the exporter's outputs", .path.display())]
    Reference {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: InputError,
    },

    /// Outputs of more or fewer inputs than there are.
    #[error("{} holds {got} sets of outputs for {expected} inputs", .path.display())]
    ReferenceCount {
        /// The file.
        path: PathBuf,
        /// How many inputs there are.
        expected: usize,
        /// How many sets of outputs there are.
        got: usize,
    },

    /// A file does not hold samples of the model's inputs.
    #[error("cannot calibrate with {}", .path.display())]
    Samples {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: InputError,
    },
    /// Samples that give no ranges.
    #[error("cannot calibrate with {}", .path.display())]
    CalibrateSamples {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: QuantizeError,
    },
    /// An input that gives no ranges.
    #[error("cannot calibrate with the input")]
    CalibrateInput {
        /// Why not.
        source: QuantizeError,
    },
    /// No settings do what is asked for on the samples.
    #[error("no settings of 4 to 16 bits meet the goal on these samples{}", Closest(.closest.as_deref()))]
    GoalNotMet {
        /// What comes closest, if the model has a circuit at all.
        closest: Option<Box<Trial>>,
    },
    /// Neither settings nor samples nor an input.
    #[error("nothing to calibrate with: neither samples nor an input")]
    NothingToCalibrateWith,
    /// The model cannot be written in integers with these settings.
    #[error("cannot quantize {}", .path.display())]
    Quantize {
        /// The model.
        path: PathBuf,
        /// Why not.
        source: QuantizeError,
    },
    /// A settings file of another layout.
    #[error("cannot use {} as settings", .path.display())]
    Settings {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A settings file of EZKL's.
    #[error(
        "{} are settings of EZKL: here --commit says what is hidden, and all else is found from \
         samples; see docs/coming-from-ezkl.md", .path.display()
    )]
    SettingsOfEzkl {
        /// The file.
        path: PathBuf,
    },
    /// A settings file of a format that this version does not read.
    #[error("{}: format {got} of settings is not supported, expected {expected}", .path.display())]
    SettingsFormat {
        /// The file.
        path: PathBuf,
        /// The format that is read.
        expected: u32,
        /// Its format.
        got: u32,
    },
    /// Settings made for another version of the integer semantics, or that do not say which.
    #[error(
        "{} {}, this program has version {expected}", .path.display(), of_semantics(*got)
    )]
    SettingsSemantics {
        /// The file.
        path: PathBuf,
        /// The version that is computed with.
        expected: u16,
        /// Its version; `None` where it names none.
        got: Option<u16>,
    },
    /// Settings of another model.
    #[error(
        "{} holds the settings of another model (digest {got}, this one has {expected})",
        .path.display()
    )]
    SettingsOfAnotherModel {
        /// The file.
        path: PathBuf,
        /// Digest of the model.
        expected: Digest,
        /// The digest in the settings.
        got: String,
    },

    /// Other settings lie where those of a new key belong.
    #[error("{} holds other settings than those of the new key", .path.display())]
    AnotherSettings {
        /// The file.
        path: PathBuf,
    },

    /// Settings name an accuracy report that is not shown to be of their integers.
    #[error("{} name an accuracy report that is not at hand: {} {fault}", .settings.display(), .report.display())]
    UnshownAccuracy {
        /// The settings.
        settings: PathBuf,
        /// Where the report belongs.
        report: PathBuf,
        /// What is there instead.
        fault: UnshownAccuracy,
    },
    /// A file is no accuracy report.
    #[error("cannot use {} as an accuracy report", .path.display())]
    AccuracyReport {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: AccuracyError,
    },
    /// A file does not hold a test set.
    #[error("cannot measure accuracy on {}", .path.display())]
    TestSet {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: InputError,
    },
    /// A model that cannot be measured on a test set.
    #[error("cannot measure accuracy on {}", .path.display())]
    Measure {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: AccuracyError,
    },

    /// No circuit can be planned for the model.
    #[error("{} has no circuit", .path.display())]
    Plan {
        /// The model.
        path: PathBuf,
        /// Why not.
        source: PlanError,
    },
    /// A file is no SRS.
    #[error("cannot use {} as an SRS", .path.display())]
    Srs {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: SrsError,
    },
    /// A ceremony's file is refused.
    #[error("{} is refused", .path.display())]
    Ceremony {
        /// The file.
        path: PathBuf,
        /// Why.
        source: PtauError,
    },
    /// An SRS that is too small for the model.
    #[error("{} does not serve this model", .path.display())]
    SrsOfModel {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: SrsError,
    },
    /// The development SRS cannot be made.
    #[error("no development SRS")]
    DevelopmentSrs {
        /// Why not.
        source: SrsError,
    },
    /// An SRS that has no description.
    #[error("cannot describe the SRS")]
    DescribeSrs {
        /// Why not.
        source: ExportError,
    },
    /// The device that was asked for cannot be used.
    #[error("cannot prove on the device that was asked for")]
    Device {
        /// Why not.
        source: DeviceError,
    },
    /// The circuit has no keys.
    #[error("cannot make the keys")]
    Setup {
        /// Why not.
        source: SetupError,
    },
    /// What was remembered of the key was wrong: it has been removed, and whoever makes the keys anew
    /// can prove.
    #[error("what the cache {} held of this key was wrong, and has been removed", .folder.display())]
    WrongCache {
        /// The cache.
        folder: PathBuf,
        /// The check that the proof made with it failed.
        source: VerifyError,
    },
    /// There is no proof.
    #[error("cannot prove")]
    Prove {
        /// Why not.
        source: ProveError,
    },

    /// A file is no verifying key.
    #[error("cannot use {} as a verifying key", .path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: KeyError,
    },
    /// A file is no proof.
    #[error("cannot use {} as a proof", .path.display())]
    Proof {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: ProofFileError,
    },
    /// A file is no opening.
    #[error("cannot use {} as an opening", .path.display())]
    Opening {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: OpeningError,
    },
    /// Another key lies where this one belongs.
    #[error("{} is another key: {difference}", .path.display())]
    AnotherKey {
        /// The file.
        path: PathBuf,
        /// In what it differs.
        difference: KeyDifference,
    },

    /// A model cannot be split, or its parts are not what they should be.
    #[error(transparent)]
    Parts(#[from] SplitError),

    /// A commitment is asked for or given, but claims under the key show this side.
    #[error("claims under this key show their {side}")]
    Shown {
        /// The side.
        side: Side,
    },
    /// Values are expected of a side that claims commit to, and nothing opens the commitment.
    #[error("claims under this key commit to the {side}: to compare it, give what opens it")]
    Hidden {
        /// The side.
        side: Side,
    },
    /// Thirty-two bytes that are no commitment.
    #[error("the expected {side} commitment is no field element")]
    NoFieldElement {
        /// The side.
        side: Side,
    },
    /// Values that cannot be committed to.
    #[error("the {side} has no commitment")]
    Commitment {
        /// The side.
        side: Side,
        /// Why not.
        source: CommitmentError,
    },
    /// An opening made for another key.
    #[error("{} is for the key {got}, this one is {expected}", .path.display())]
    OpeningOfAnotherKey {
        /// The file.
        path: PathBuf,
        /// The key at hand.
        expected: KeyDigest,
        /// The key in the file.
        got: KeyDigest,
    },
    /// An opening without an input.
    #[error("{} opens no input", .path.display())]
    OpensNoInput {
        /// The file.
        path: PathBuf,
    },
    /// An opening of another input than the one to prove.
    #[error("{} is about another input than the one given", .path.display())]
    OpensAnotherInput {
        /// The file.
        path: PathBuf,
    },
}

impl Error {
    /// Whether a device failed, where another might not have.
    #[must_use]
    pub fn is_of_device(&self) -> bool {
        matches!(
            self,
            Self::Device { .. }
                | Self::Setup { source: SetupError::Engine(EngineError::Device(_)) }
                | Self::Prove { source: ProveError::Engine { source: EngineError::Device(_), .. } }
                | Self::Prove { source: ProveError::SelfCheck { .. } }
        )
    }
}
