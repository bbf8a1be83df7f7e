//! Proofs that an ONNX model, run on an input, gave an output: the whole way as a library.
//!
//! The way through the crate: [`Model::open`] an ONNX file, [`Model::quantize`] it by samples, an
//! input or a settings file, [`Keys::make`] its keys, [`Model::run`] it, and [`Keys::prove`] the
//! run. Whoever gets the proof states an [`Expectation`] and checks it; an auditor makes an
//! [`Audit`]. [`Quote`] tells the cost before anything is proved.
//!
//! ```
//! use zkinfer::{
//!     Device, Expectation, Inference, InputData, Keys, Model, Recipe, SrsPolicy,
//!     verifier::JobBinding,
//! };
//! # fn main() -> Result<(), zkinfer::Error> {
//! # let zoo = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/zoo/digits_mlp");
//! # let folder = tempfile::tempdir().unwrap();
//! let model = Model::open(&zoo.join("model.onnx"))?;
//! let samples = InputData::read_samples(&zoo.join("samples.npz"))?;
//! let samples = Recipe { samples: Some(samples), ..Recipe::default() };
//! let quantized = model.quantize(&samples, &folder.path().join("none"), &[])?;
//! let keys = Keys::make(&model, &quantized, None, &Device::default(), &|_| ())?;
//!
//! let run = model.run(&quantized, &model.read_input(&zoo.join("input.json"))?)?;
//! let job = JobBinding { chain_id: 1, job_id: [7; 32], payee: [9; 20], expiry: 0, nonce: 1 };
//! let proven = keys.prove(Inference::new(&run.execution, job), &|_| ())?;
//!
//! // The verifier has the key, the proof, and knows what was ordered.
//! let expectation = Expectation::new(keys.verifying_key(), SrsPolicy::AllowInsecureDev);
//! assert!(expectation.check(&proven.file).is_ok());
//! # Ok(())
//! # }
//! ```
//!
//! What it is not: it prints nothing, and it decides neither which trusted setup is good enough
//! nor whether a proof is paid.

#![forbid(unsafe_code)]

mod accuracy;
mod alarm;
pub mod audit;
mod blame;
pub mod calibrate;
mod commit;
mod describe;
mod devices;
mod error;
mod expectation;
mod inputs;
mod key_cache;
mod key_files;
mod keys;
mod model;
mod parts;
mod progress;
mod quote;
pub mod read;
mod recipe;
mod settings;
mod shapes;
mod srs;
mod tensors;

pub use zkinfer_circuits::{MAX_CLAIMS, ProofParts};
pub use zkinfer_engine as engine;
pub use zkinfer_models as models;
pub use zkinfer_models::{Comparison, Tolerance, Warning};
pub use zkinfer_prover as prover;
pub use zkinfer_prover::{Device, Inference, Proven, ProvenJointly};
pub use zkinfer_verifier as verifier;
pub use zkinfer_verifier::{Side, SrsPolicy};

pub use accuracy::{KeyAccuracy, accuracy_to_bind, measure_accuracy};
pub use alarm::{Demands, Reference, ReferenceOutput, Survey};
pub use audit::Audit;
pub use blame::Blame;
pub use commit::{commit_to_input, read_input_blinding, write_claim, write_openings, write_proof};
pub use describe::{KeyDescription, KeyTensor};
pub use devices::{
    DeviceChoice, DeviceFacts, DeviceQuote, Devices, FoundDevice, reason as device_reason,
};
pub use error::{Error, KeyDifference, LinkFault, SplitError, Unmet, UnshownAccuracy};
pub use expectation::{Expectation, ExpectedSide, Rejection, hex};
pub use inputs::{InputData, InputSource, NamedInput, Tensors};
pub use key_files::{KeyFiles, Stored};
pub use keys::{Keys, plan};
pub use model::{Model, Origin, Quantized, Run};
pub use parts::{
    BoundarySetup, Links, Making, Part, PartFiles, PartRun, Parts, PartsExpectation, PartsRejection,
};
pub use progress::{Step, Watch};
pub use quote::{EvmFork, GasParts, Quote, Verification};
pub use recipe::Recipe;
pub use settings::{Aim, Options, PartPlace, Settings};
pub use shapes::Shapes;
pub use srs::{SetupKind, development_srs, import_ceremony, load_srs, save_srs, srs_digest};
pub use tensors::{NamedTensor, Shown, real_values};
