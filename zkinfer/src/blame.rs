//! Whose fault an error is, and a word for it that programs can rely on.

use crate::error::{Error, SplitError};

/// What is to be mended for an error to go away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Blame {
    /// A place on the disk: it cannot be read or written, or is taken.
    File,
    /// The ONNX model.
    Model,
    /// Inputs, samples or expected values.
    Input,
    /// A settings file.
    Settings,
    /// A key, proof, opening or accuracy report.
    Artifact,
    /// The trusted setup.
    Setup,
    /// The device.
    Device,
    /// The integers do not do what was demanded of them.
    Demand,
    /// What was asked for does not go together.
    Usage,
    /// This software.
    Software,
}

impl Error {
    /// What is to be mended.
    #[must_use]
    pub fn blame(&self) -> Blame {
        self.parts().0
    }

    /// A word for programs; it never changes its meaning, while texts may.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.parts().1
    }

    fn parts(&self) -> (Blame, &'static str) {
        match self {
            _ if self.is_of_device() => (Blame::Device, "device"),
            Self::Read { .. } => (Blame::File, "read"),
            Self::Write { .. } => (Blame::File, "write"),
            Self::Exists { .. } => (Blame::File, "exists"),
            Self::Overwritten { .. } => (Blame::File, "overwritten"),
            Self::Folder { .. } => (Blame::File, "folder"),
            Self::NoFolder { .. } => (Blame::File, "no-folder"),
            Self::NoInputs { .. } => (Blame::Input, "no-inputs"),
            Self::SameName { .. } => (Blame::Input, "same-name"),
            Self::Model { .. } => (Blame::Model, "model"),
            Self::Refused { .. } => (Blame::Model, "refused"),
            Self::Quantize { .. } => (Blame::Model, "quantize"),
            Self::Plan { .. } => (Blame::Model, "plan"),
            Self::Input { .. } => (Blame::Input, "input"),
            Self::Values { .. } => (Blame::Input, "values"),
            Self::Options { .. } => (Blame::Usage, "options"),
            Self::Integers { .. } => (Blame::Input, "integers"),
            Self::ImpossibleOutput { .. } => (Blame::Input, "impossible-output"),
            Self::Run { .. } => (Blame::Input, "run"),
            Self::Unmet { .. } => (Blame::Demand, "unmet"),
            Self::Reference { .. } => (Blame::Input, "reference"),
            Self::ReferenceCount { .. } => (Blame::Input, "reference-count"),
            Self::Samples { .. } => (Blame::Input, "samples"),
            Self::CalibrateSamples { .. } => (Blame::Input, "calibrate-samples"),
            Self::CalibrateInput { .. } => (Blame::Input, "calibrate-input"),
            Self::NothingToCalibrateWith => (Blame::Usage, "nothing-to-calibrate-with"),
            Self::GoalNotMet { .. } => (Blame::Demand, "goal-not-met"),
            Self::TestSet { .. } => (Blame::Input, "test-set"),
            Self::Measure { .. } => (Blame::Input, "measure"),
            Self::Settings { .. } => (Blame::Settings, "settings"),
            Self::SettingsOfEzkl { .. } => (Blame::Settings, "settings-of-ezkl"),
            Self::SettingsFormat { .. } => (Blame::Settings, "settings-format"),
            Self::SettingsSemantics { .. } => (Blame::Settings, "settings-semantics"),
            Self::SettingsOfAnotherModel { .. } => (Blame::Settings, "settings-of-another-model"),
            Self::AnotherSettings { .. } => (Blame::Settings, "another-settings"),
            Self::UnshownAccuracy { .. } => (Blame::Artifact, "unshown-accuracy"),
            Self::AccuracyReport { .. } => (Blame::Artifact, "accuracy-report"),
            Self::Key { .. } => (Blame::Artifact, "key"),
            Self::Proof { .. } => (Blame::Artifact, "proof"),
            Self::Opening { .. } => (Blame::Artifact, "opening"),
            Self::AnotherKey { .. } => (Blame::Artifact, "another-key"),
            Self::OpeningOfAnotherKey { .. } => (Blame::Artifact, "opening-of-another-key"),
            Self::OpensNoInput { .. } => (Blame::Artifact, "opens-no-input"),
            Self::OpensAnotherInput { .. } => (Blame::Artifact, "opens-another-input"),
            Self::Parts(why) => of_split(why),
            Self::Srs { .. } => (Blame::Setup, "srs"),
            Self::Ceremony { .. } => (Blame::Setup, "ceremony"),
            Self::SrsOfModel { .. } => (Blame::Setup, "srs-of-model"),
            Self::DevelopmentSrs { .. } => (Blame::Setup, "development-srs"),
            Self::DescribeSrs { .. } => (Blame::Setup, "describe-srs"),
            Self::Device { .. } => (Blame::Device, "device"),
            Self::Shown { .. } => (Blame::Usage, "shown"),
            Self::Hidden { .. } => (Blame::Usage, "hidden"),
            Self::NoFieldElement { .. } => (Blame::Usage, "no-field-element"),
            Self::Commitment { .. } => (Blame::Input, "commitment"),
            Self::Setup { .. } => (Blame::Software, "setup"),
            Self::WrongCache { .. } => (Blame::File, "wrong-cache"),
            Self::Prove { .. } => (Blame::Software, "prove"),
        }
    }
}

fn of_split(why: &SplitError) -> (Blame, &'static str) {
    match why {
        SplitError::Manifest { .. } => (Blame::Artifact, "manifest"),
        SplitError::AnotherManifest { .. } => (Blame::Artifact, "another-manifest"),
        SplitError::AnotherModel { .. } => (Blame::Artifact, "parts-of-another-model"),
        SplitError::Key { .. } => (Blame::Artifact, "key-of-part"),
        SplitError::TooMany { .. } => (Blame::Usage, "too-many-parts"),
        SplitError::NoSuchPart { .. } => (Blame::Usage, "no-such-part"),
        SplitError::Joint => (Blame::Usage, "parts-of-joint"),
        SplitError::SettingsOfPart { .. } => (Blame::Settings, "settings-of-part"),
        SplitError::SettingsOfWhole { .. } => (Blame::Settings, "settings-of-whole"),
        SplitError::SettingsOfAnotherPart { .. } => (Blame::Settings, "settings-of-another-part"),
        SplitError::Input { .. } => (Blame::Usage, "part-input"),
        SplitError::Taken { .. } => (Blame::Input, "part-taken"),
        SplitError::Srs { .. } => (Blame::Setup, "setup-of-parts"),
        SplitError::Link { .. } => (Blame::Artifact, "link"),
    }
}
