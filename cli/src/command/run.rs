//! `run`: the integer model natively, without a proof.

use std::{fmt, slice};

use anyhow::Result;
use serde::Serialize;
use zkinfer::{InputData, KeyFiles, Shapes};

use crate::{
    alarm::{Compared, reference},
    args,
    output::{Outcome, Output},
    text,
};

pub(crate) fn run(args: &args::Run, output: &Output) -> Result<Outcome> {
    let (data, recipe) = args::or_no_model(&args.model, || {
        Ok((InputData::read(&args.input)?, args.quantize.recipe()?))
    })?;
    let shapes: Vec<_> = [Shapes::Input(&data)].into_iter().chain(recipe.shapes()).collect();
    let model = args.import.open(&args.model, &shapes, output)?;
    let input = model.input(&data)?;
    let beside = KeyFiles::beside_model(&args.model).settings;
    let quantized = model.quantize(&recipe, &beside, slice::from_ref(&input))?;
    let demands = args.alarm.demands();
    let run = model.run_with(&quantized, &input, &demands.tolerance())?;
    let reference = reference(&args.alarm, &model, Some(&data), slice::from_ref(&input))?;
    output.remark_file(&data);
    output.remark_origin(&quantized);
    output.alarm(&run);
    output.alarm_reference(reference.as_ref());
    demands.check(&run.comparison)?;
    let outputs = run.execution.outputs(&quantized.graph);
    output.report(&Report {
        model: text::model(quantized.settings.label(), model.digest()),
        calibration: text::origin(&quantized.origin),
        output_integers: outputs.into_iter().map(<[i64]>::to_vec).collect(),
        comparison: Compared::new(&run.comparison, reference),
        execute_seconds: run.seconds,
    })?;
    Ok(Outcome::Accepted)
}

#[derive(Serialize)]
struct Report {
    model: String,
    calibration: String,
    #[serde(flatten)]
    comparison: Compared,
    output_integers: Vec<Vec<i64>>,
    execute_seconds: f64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} in integers (calibrated with the {})", self.model, self.calibration)?;
        writeln!(f, "{}", self.comparison)?;
        write!(f, "  ran in {:.1} ms", self.execute_seconds * 1e3)
    }
}
