//! `calibrate`: the cheapest settings that meet a goal on samples.

use anyhow::{Context, Result};
use zkinfer::{InputData, KeyFiles, Shapes, calibrate::Goal};
use zkinfer_report::CalibrationReport;

use crate::{
    args,
    output::{Outcome, Output},
    progress::watched,
};

pub(crate) fn run(args: &args::Calibrate, output: &Output) -> Result<Outcome> {
    let settings = args.output.clone();
    let settings = settings.unwrap_or_else(|| KeyFiles::beside_model(&args.model).settings);
    let named = [args.model.as_path(), &args.samples, &settings];
    output.page_place(args.html.as_deref(), &named)?;
    let samples = args::or_no_model(&args.model, || InputData::read_samples(&args.samples))?;
    let model = args.import.open(&args.model, &[Shapes::Samples(&samples)], output)?;
    let samples = model.samples(&samples)?;
    let goal = Goal::new(args.target_accuracy, args.max_error)
        .context("pass --target-accuracy, --max-error, or both")?;
    let options = args.common.options();
    let found = watched(output, |watch| model.calibrate_to(&samples, &options, &goal, watch))?;
    found.quantized.settings.write_new(&settings)?;
    let report = CalibrationReport::new(&model, Some(settings.clone()), &found);
    output.page(args.html.as_deref(), &named, || report.page())?;
    output.report(&report)?;
    Ok(Outcome::Accepted)
}
