//! From files to a quantized model: what every command but `verify` and `srs` begins with.

pub(crate) mod tensors;

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use ndarray::ArrayD;
use zkinfer_models::{
    Calibration, Graph, QuantizedGraph, clamped_inputs, model_digest, quantize, read_inputs,
    read_samples,
};
use zkinfer_prover::files;
use zkinfer_verifier::Digest;

use crate::{args, output::Output, settings::Settings};

/// The format allows no larger files.
const MAX_BYTES: u64 = 1 << 31;

/// An ONNX model that can be proved.
pub(crate) struct Model {
    pub(crate) path: PathBuf,
    pub(crate) digest: Digest,
    pub(crate) bytes: usize,
    pub(crate) graph: Graph,
}

/// A model in integers, and the settings that made it so.
pub(crate) struct Quantized {
    pub(crate) graph: QuantizedGraph,
    pub(crate) settings: Settings,
    pub(crate) origin: Origin,
}

/// Where the quantization settings come from.
#[derive(Debug)]
pub(crate) enum Origin {
    /// A settings file.
    Settings(PathBuf),
    /// Calibration samples.
    Samples(PathBuf),
    /// The input that is run.
    Input,
}

impl Model {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let bytes = files::read_bounded(path, MAX_BYTES)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let graph = Graph::from_onnx_bytes(&bytes)
            .with_context(|| format!("cannot use {} as a model", path.display()))?;
        let digest = Digest(model_digest(&bytes));
        Ok(Self { path: path.to_owned(), digest, bytes: bytes.len(), graph })
    }

    /// The file's name, or its folder's where that says nothing.
    pub(crate) fn name(&self) -> String {
        let path = self.path.canonicalize().unwrap_or_else(|_| self.path.clone());
        let stem = path.file_stem().and_then(OsStr::to_str);
        let folder = path.parent().and_then(Path::file_name).and_then(OsStr::to_str);
        stem.filter(|&stem| stem != "model").or(folder).unwrap_or("model").to_owned()
    }

    pub(crate) fn read_input(&self, path: &Path) -> Result<Vec<ArrayD<f32>>> {
        read_inputs(path, &self.graph)
            .with_context(|| format!("cannot use {} as an input", path.display()))
    }

    /// Quantizes by the settings file, by samples, or by the input, in this order; `beside` is
    /// where a settings file is looked for when none is named.
    pub(crate) fn quantize(
        &self,
        args: &args::Quantize,
        beside: &Path,
        input: Option<&[ArrayD<f32>]>,
    ) -> Result<Quantized> {
        let chosen = args.calibrate.is_some()
            || args.activation_bits.is_some()
            || !args.commit.is_empty()
            || args.optimize.is_some();
        let file = match &args.settings {
            Some(path) => Some(path.as_path()),
            None => Some(beside).filter(|path| !chosen && path.exists()),
        };
        if let Some(path) = file {
            let settings = Settings::read(path, self.digest)?;
            return self.quantized(settings, Origin::Settings(path.to_owned()));
        }
        let (calibration, origin) = self.calibrate(args.calibrate.as_deref(), input)?;
        let settings = Settings::new(self.name(), self.digest, calibration, args);
        self.quantized(settings, origin)
    }

    fn calibrate(
        &self,
        samples: Option<&Path>,
        input: Option<&[ArrayD<f32>]>,
    ) -> Result<(Calibration, Origin)> {
        match (samples, input) {
            (Some(path), _) => {
                let place = || format!("cannot calibrate with {}", path.display());
                let samples = read_samples(path, &self.graph).with_context(place)?;
                let calibration =
                    Calibration::from_samples(&self.graph, &samples).with_context(place)?;
                Ok((calibration, Origin::Samples(path.to_owned())))
            }
            (None, Some(input)) => {
                let calibration = Calibration::from_input(&self.graph, input)
                    .context("cannot calibrate with the input")?;
                Ok((calibration, Origin::Input))
            }
            (None, None) => bail!(
                "nothing to calibrate with: pass --calibrate FILE with samples, or --input FILE"
            ),
        }
    }

    fn quantized(&self, settings: Settings, origin: Origin) -> Result<Quantized> {
        let graph = quantize(&self.graph, &settings.calibration, &settings.options)
            .with_context(|| format!("cannot quantize {}", self.path.display()))?;
        Ok(Quantized { graph, settings, origin })
    }
}

impl Quantized {
    /// Says what the reader should know about these settings and this input.
    pub(crate) fn remark(&self, input: &[ArrayD<f32>], output: &Output) {
        if matches!(self.origin, Origin::Input) {
            output.remark(
                "note: calibrated with this input alone; for other inputs, calibrate with \
                 samples of them: --calibrate FILE",
            );
        }
        let clamped = clamped_inputs(&self.graph, input);
        if clamped > 0 {
            output.remark(format_args!(
                "warning: {clamped} input elements lie outside the calibrated range and are \
                 clamped to it"
            ));
        }
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Settings(path) => write!(f, "settings of {}", path.display()),
            Self::Samples(path) => write!(f, "samples of {}", path.display()),
            Self::Input => f.write_str("input alone"),
        }
    }
}
