//! `inspect`: what a model computes, and whether it can be proved.

use anyhow::Result;
use zkinfer_report::ModelReport;

use crate::{
    args,
    output::{Outcome, Output},
};

pub(crate) fn run(args: &args::Inspect, output: &Output) -> Result<Outcome> {
    let model = args.import.open(&args.model)?;
    let report = ModelReport::new(&model);
    output.page(args.html.as_deref(), &[&args.model], || report.page())?;
    output.report(&report)?;
    Ok(Outcome::Accepted)
}
