//! `run`: the integer model natively, without a proof.

use std::fmt;

use anyhow::{Context, Result};
use serde::Serialize;
use zkinfer_models::{execute, quantize_inputs};

use crate::{
    accuracy::Accuracy,
    args,
    model::{Model, Quantized, tensors},
    output::{Outcome, Output},
    progress::timed,
    settings::Settings,
};

pub(crate) fn run(args: &args::Run, output: &Output) -> Result<Outcome> {
    let model = Model::read(&args.model)?;
    let input = model.read_input(&args.input)?;
    let beside = Settings::path_beside(&args.model);
    let quantized = model.quantize(&args.quantize, &beside, Some(&input))?;
    quantized.remark(&input, output);
    let integers = quantize_inputs(&quantized.graph, &input)?;
    let (execution, execute_seconds) =
        timed(output, "running", None, || execute(&quantized.graph, &integers));
    let execution = execution.context("the model cannot run on this input")?;
    let accuracy = accuracy(&model, &quantized, &input, &execution)?;
    output.report(&Report {
        model: quantized.settings.model.clone(),
        calibration: quantized.origin.to_string(),
        output_integers: execution
            .outputs(&quantized.graph)
            .into_iter()
            .map(<[i64]>::to_vec)
            .collect(),
        accuracy,
        execute_seconds,
    })?;
    Ok(Outcome::Accepted)
}

/// Compares an execution with the float model.
pub(crate) fn accuracy(
    model: &Model,
    quantized: &Quantized,
    input: &[ndarray::ArrayD<f32>],
    execution: &zkinfer_models::Execution,
) -> Result<Accuracy> {
    let names = model.graph.outputs().iter().map(|spec| spec.name.clone()).collect();
    let integer = tensors::lists(&quantized.graph.dequantize(execution));
    let float = tensors::lists(&model.graph.run_float(input)?);
    Ok(Accuracy::new(names, integer, float))
}

#[derive(Serialize)]
struct Report {
    model: String,
    calibration: String,
    #[serde(flatten)]
    accuracy: Accuracy,
    output_integers: Vec<Vec<i64>>,
    execute_seconds: f64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} in integers (calibrated with the {})", self.model, self.calibration)?;
        writeln!(f, "{}", self.accuracy)?;
        write!(f, "  ran in {:.1} ms", self.execute_seconds * 1e3)
    }
}
