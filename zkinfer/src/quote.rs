//! What a proof would cost, before anything is proved.

use zkinfer_circuits::{Cost, LayerRows};
pub use zkinfer_circuits::{EvmFork, GasParts, Verification};
use zkinfer_engine::{Instructions, calibrate};

use crate::{
    devices::{DeviceQuote, Devices},
    error::Error,
    keys::plan,
    model::{Model, Quantized},
};

/// The cost of a proof on the processor at hand.
#[derive(Clone, Debug)]
pub struct Quote {
    /// Rows, columns, bytes, gas and memory, as planned.
    pub cost: Cost,
    /// What each layer takes of the rows.
    pub layers: Vec<LayerRows>,
    /// The instructions that the engine would run on.
    pub instructions: Instructions,
    /// Seconds on two cores like this one: the plan's estimate, scaled by a transform that is timed.
    pub prove_seconds: f64,
}

impl Quote {
    /// What the proof takes on every device.
    #[must_use]
    pub fn on(&self, devices: &Devices<'_>) -> Vec<DeviceQuote> {
        devices.quote(self.cost.k, self.prove_seconds)
    }

    /// Plans the circuit and times a transform.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/example.rs")); }
    /// # use example::*;
    /// # let files = files();
    /// # use zkinfer::{InputData, Model, Quote, Recipe};
    /// # let model = Model::open(&files.model)?;
    /// # let samples = Some(InputData::read_samples(&files.samples)?);
    /// # let recipe = Recipe { samples, ..Recipe::default() };
    /// # let quantized = model.quantize(&recipe, std::path::Path::new("none"), &[])?;
    /// let quote = Quote::new(&model, &quantized)?;
    /// println!("2^{} rows, {} bytes", quote.cost.k, quote.cost.proof_bytes);
    /// assert!(quote.prove_seconds > 0.0);
    /// # Ok::<_, zkinfer::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the model has no circuit.
    pub fn new(model: &Model, quantized: &Quantized) -> Result<Self, Error> {
        let plan = plan(model, quantized)?;
        let (cost, layers) = (plan.cost(), plan.layer_rows());
        // The plan's estimate is that of one processor; how fast this one is says a transform.
        let instructions = Instructions::detect();
        let slower = calibrate::transform_nanos(instructions) / Cost::REFERENCE_TRANSFORM_NANOS;
        let prove_seconds = slower * cost.prove_seconds;
        Ok(Self { cost, layers, instructions, prove_seconds })
    }
}
