//! What the package passes to the native part: dictionaries that hold every key.

use std::{collections::BTreeSet, path::PathBuf};

use pyo3::prelude::*;
use zkinfer::{
    Aim, Demands, Device, DeviceChoice, Devices, InputData, Options, Recipe, Side,
    audit::Recompile,
    engine::{CpuOptions, cuda::CudaOptions, icicle::IcicleOptions},
    models::ImportOptions,
    verifier::{Expectation as Claim, JobBinding},
};

use crate::error::{Raised, import, usage};

/// How a model is opened and quantized.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct ModelOptions {
    pub(crate) model: PathBuf,
    shape: Vec<String>,
    fix: Vec<String>,
    settings: Option<PathBuf>,
    samples: Option<PathBuf>,
    /// An input to calibrate with, where there are no samples.
    pub(crate) input: Option<PathBuf>,
    name: Option<String>,
    activation_bits: Option<u32>,
    input_bits: Option<u32>,
    input_levels: Option<u32>,
    commit: Vec<String>,
    optimize: Option<String>,
    pub(crate) test_set: Option<PathBuf>,
    pub(crate) srs: Option<PathBuf>,
    pub(crate) reference: Option<PathBuf>,
}

impl ModelOptions {
    pub(crate) fn import(&self, py: Python<'_>) -> PyResult<ImportOptions> {
        let mut options = ImportOptions::default();
        for shape in &self.shape {
            options = options.shape_from_text(shape).map_err(|error| import(py, &error))?;
        }
        for fix in &self.fix {
            options = options.fix_from_text(fix).map_err(|error| import(py, &error))?;
        }
        Ok(options)
    }

    pub(crate) fn recipe(&self, py: Python<'_>) -> PyResult<Recipe> {
        let side = |side: &String| match side.as_str() {
            "input" => Ok(Side::Input),
            "output" => Ok(Side::Output),
            other => {
                Err(usage(py, &format!("commit holds {other:?}, expected \"input\" or \"output\"")))
            }
        };
        let committed = self.commit.iter().map(side).collect::<PyResult<BTreeSet<_>>>()?;
        let options = Options {
            name: self.name.clone(),
            activation_bits: self.activation_bits,
            input_bits: self.input_bits,
            input_levels: self.input_levels,
            committed,
            optimize: self.optimize.as_deref().map(|aim| aim_from(py, aim)).transpose()?,
        };
        if self.settings.is_some() && (self.samples.is_some() || options != Options::default()) {
            return Err(usage(
                py,
                "settings fix everything: leave out calibrate, activation_bits, input_bits, \
                 input_levels, commit, optimize and name, or the settings",
            ));
        }
        if self.input_levels.is_some_and(|levels| !(1..=65_535).contains(&levels)) {
            return Err(usage(py, "input_levels must be 1 to 65535"));
        }
        let samples =
            self.samples.as_deref().map(|path| py.detach(|| InputData::read_samples(path)));
        Ok(Recipe {
            settings: self.settings.clone(),
            samples: samples.transpose().raised(py)?,
            options,
        })
    }

    pub(crate) fn recompile(&self, py: Python<'_>) -> PyResult<Recompile> {
        Ok(Recompile {
            model: self.model.clone(),
            import: self.import(py)?,
            recipe: self.recipe(py)?,
            // Nothing is looked for beside a key that is no file.
            settings_beside: PathBuf::new(),
            input: self.input.clone(),
            test_set: self.test_set.clone(),
            srs: self.srs.clone(),
        })
    }
}

fn aim_from(py: Python<'_>, aim: &str) -> PyResult<Aim> {
    Ok(match aim {
        "balanced" => Aim::Balanced,
        "time" => Aim::Time,
        "proof" => Aim::Proof,
        "gas" => Aim::Gas,
        "memory" => Aim::Memory,
        other => {
            let text = format!(
                "optimize is {other:?}, expected \"balanced\", \"time\", \"proof\", \"gas\" or \
                 \"memory\""
            );
            return Err(usage(py, &text));
        }
    })
}

/// What is demanded of the integers.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct DemandOptions {
    /// A share, not percent.
    max_error: Option<f64>,
    require_class: bool,
    threshold: Option<f64>,
}

impl DemandOptions {
    pub(crate) fn demands(&self, py: Python<'_>) -> PyResult<Demands> {
        let is_wrong = |number: f64| !number.is_finite() || number < 0.0;
        if self.max_error.is_some_and(is_wrong) {
            return Err(usage(py, "max_error must be a share of 0 or more, as 0.02 for 2 %"));
        }
        if self.threshold.is_some_and(|threshold| !threshold.is_finite()) {
            return Err(usage(py, "threshold must be a finite number"));
        }
        Ok(Demands {
            max_error: self.max_error,
            same_answer: self.require_class,
            threshold: self.threshold,
        })
    }
}

/// The job that a proof is made for, or must have been made for.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct JobOptions {
    chain: Option<u64>,
    job: Option<[u8; 32]>,
    payee: Option<[u8; 20]>,
    expiry: Option<u64>,
    nonce: Option<u64>,
}

impl JobOptions {
    /// What a claim must say of its job.
    pub(crate) fn expect(&self, claim: &mut Claim<'_>) {
        claim.chain_id = self.chain;
        claim.job_id = self.job;
        claim.payee = self.payee;
        claim.expiry = self.expiry;
        claim.nonce = self.nonce;
    }

    /// The binding to prove; what is not said is zero.
    pub(crate) fn binding(&self) -> JobBinding {
        let none = JobBinding::NONE;
        JobBinding {
            chain_id: self.chain.unwrap_or(none.chain_id),
            job_id: self.job.unwrap_or(none.job_id),
            payee: self.payee.unwrap_or(none.payee),
            expiry: self.expiry.unwrap_or(none.expiry),
            nonce: self.nonce.unwrap_or(none.nonce),
        }
    }
}

/// The device of this name, for a circuit of `2^k` rows.
pub(crate) fn device(py: Python<'_>, name: &str, k: u32) -> PyResult<Device> {
    let choice = match name {
        "auto" => DeviceChoice::Auto,
        "cpu" => DeviceChoice::Cpu,
        "cuda" => DeviceChoice::Cuda,
        other => {
            let text = format!("device is {other:?}, expected \"auto\", \"cpu\" or \"cuda\"");
            return Err(usage(py, &text));
        }
    };
    let devices = Devices {
        cpu: CpuOptions::default(),
        cuda: CudaOptions::default(),
        icicle: IcicleOptions::default(),
        // ICICLE's libraries may end the process that tries them, and this one is the user's.
        trial: &|_| Err(std::io::Error::other("not tried from Python")),
    };
    devices.choose(choice, k).raised(py)
}
