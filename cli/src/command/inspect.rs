//! `inspect`: what a model computes, and whether it can be proved.

use std::path::Path;

use anyhow::Result;
use serde::Serialize;
use zkinfer::models::{ImportError, Refusals};
use zkinfer_report::ModelReport;

use crate::{
    args,
    output::{Outcome, Output},
};

pub(crate) fn run(args: &args::Inspect, output: &Output) -> Result<Outcome> {
    let model = match args.import.open(&args.model, &[], output) {
        Ok(model) => model,
        Err(error) => match error.downcast_ref() {
            Some(zkinfer::Error::Refused { path, source }) if output.is_json() => {
                output.error_with(&error, &Refused::new(path, source))?;
                return Ok(Outcome::Undecided);
            }
            _ => return Err(error),
        },
    };
    let report = ModelReport::new(&model);
    output.page(args.html.as_deref(), &[&args.model], || report.page())?;
    output.report(&report)?;
    Ok(Outcome::Accepted)
}

/// A model that cannot be proved, for programs: the object of any other error, and every reason.
#[derive(Serialize)]
struct Refused<'a> {
    model: String,
    provable: bool,
    refusals: Vec<Reason<'a>>,
}

#[derive(Serialize)]
struct Reason<'a> {
    /// A word for each kind of reason.
    code: &'static str,
    node: Option<&'a str>,
    operation: Option<&'a str>,
    reason: String,
    advice: &'a str,
}

impl<'a> Refused<'a> {
    fn new(path: &Path, refusals: &'a Refusals) -> Self {
        let reason = |reason: &'a ImportError| Reason {
            code: reason.code(),
            node: reason.node(),
            operation: reason.operation(),
            reason: reason.to_string(),
            advice: reason.advice(),
        };
        Self {
            model: path.display().to_string(),
            provable: false,
            refusals: refusals.iter().map(reason).collect(),
        }
    }
}
