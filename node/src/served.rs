//! A model that is run and proven: its integers, and the keys that they belong to.

use std::path::Path;

use zkinfer::{
    Device, KeyFiles, Keys, Model, Quote, Recipe,
    models::{Execution, QuantizedGraph, RunError, execute},
    verifier::{KeyDigest, VerifyingKey},
};

/// A model with the settings beside it, and its keys.
#[derive(Debug)]
pub struct Served {
    /// The model in integers.
    pub graph: QuantizedGraph,
    /// Its keys.
    pub keys: Keys,
    /// Seconds that a proof takes here, as `zkinfer quote` estimates it.
    pub quoted_seconds: f64,
}

impl Served {
    /// An ONNX file with its settings and verifying key beside it. The keys are made anew, and must
    /// be the ones beside it, if there are any. `srs` is a ceremony's file; the development setup
    /// where none is given.
    ///
    /// # Errors
    /// A model, settings or keys that are none, or of something else.
    pub fn load(path: &Path, srs: Option<&Path>) -> Result<Self, zkinfer::Error> {
        let model = Model::open(path)?;
        let files = KeyFiles::beside_model(path);
        let quantized = model.quantize(&Recipe::default(), &files.settings, &[])?;
        let (stored, device) = (files.stored()?, Device::default());
        let keys = Keys::make_again(stored.as_ref(), &model, &quantized, srs, &device, &|_| ())?;
        // Another key there would be one that the coordinator may serve and this node cannot prove.
        files.hold(&keys)?;
        let quoted_seconds = Quote::new(&model, &quantized)?.prove_seconds;
        Ok(Self { graph: quantized.graph, keys, quoted_seconds })
    }

    /// The verifying key.
    #[must_use]
    pub fn key(&self) -> &VerifyingKey {
        self.keys.verifying_key()
    }

    /// The name of the model in a market.
    #[must_use]
    pub fn digest(&self) -> KeyDigest {
        self.key().digest()
    }

    /// Runs the model on the integers of all of its inputs, one after the other.
    ///
    /// # Errors
    /// Integers that are no input of the model.
    pub fn run(&self, input: &[i64]) -> Result<Execution, RunError> {
        execute(&self.graph, &split_input(&self.graph, input))
    }
}

/// The integers of each input of a graph; what is missing is missing in the last ones.
pub(crate) fn split_input(graph: &QuantizedGraph, input: &[i64]) -> Vec<Vec<i64>> {
    let mut rest = input;
    let mut take = |count: usize| {
        let (own, others) = rest.split_at(count.min(rest.len()));
        rest = others;
        own.to_vec()
    };
    graph.inputs.iter().map(|id| take(graph.tensors[id.0].len())).collect()
}
