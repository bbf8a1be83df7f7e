//! What a model is quantized by.

use std::path::PathBuf;

use crate::{inputs::InputData, settings::Options, shapes::Shapes};

/// Where the settings of a model come from.
#[derive(Clone, Debug, Default)]
pub struct Recipe {
    /// A settings file. Then neither samples nor options count.
    pub settings: Option<PathBuf>,
    /// Samples to calibrate with.
    pub samples: Option<InputData>,
    /// What else fixes the key.
    pub options: Options,
}

impl Recipe {
    /// The samples, as what shows the shapes of inputs that a model leaves open.
    #[must_use]
    pub fn shapes(&self) -> Option<Shapes<'_>> {
        self.samples.as_ref().map(Shapes::Samples)
    }

    /// Whether new settings are asked for, so that a settings file that lies there is not used.
    #[must_use]
    pub fn asks_for_new_settings(&self) -> bool {
        self.samples.is_some() || self.options != Options::default()
    }
}
