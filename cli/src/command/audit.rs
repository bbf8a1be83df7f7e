//! `audit`: what a proof shows, how strongly, and whether a model gives its key. Needs no network.

mod report;
mod words;

use anyhow::{Result, bail};
use zkinfer::{Audit, KeyFiles, audit::Recompile, read};

use crate::{
    args,
    output::{Outcome, Output},
    progress::watched,
};
use report::Report;

pub(crate) fn run(args: &args::Audit, output: &Output) -> Result<Outcome> {
    let key = read::key(&args.key)?;
    let file = read::proof(&args.proof)?;
    let expectation = args.expect.expectation(&key)?;
    let accuracy = args.accuracy.as_deref().map(read::accuracy_report).transpose()?;
    let recompile = recompile(args)?;
    let audit = watched(output, |watch| {
        Audit::new(&key, &file, &expectation, accuracy, recompile.as_ref(), watch)
    })?;
    let report = Report::new(&key, &file, &expectation, audit);
    output.report(&report)?;
    if let Some(missing) = report.missing() {
        output.remark(format_args!("error: the model was not compared; give also {missing}"));
    }
    Ok(report.outcome())
}

/// What the key is to be made again from, if it is.
fn recompile(args: &args::Audit) -> Result<Option<Recompile>> {
    let Some(model) = args.model.clone() else {
        return refuse_options(args).map(|()| None);
    };
    Ok(Some(Recompile {
        model,
        import: args.import.options()?,
        recipe: args.quantize.recipe(),
        settings_beside: KeyFiles::of_key(&args.key).settings,
        input: args.input.clone(),
        test_set: args.test_set.test_set.clone(),
        srs: args.srs.file.clone(),
    }))
}

/// Options that only a model gives a meaning to.
fn refuse_options(args: &args::Audit) -> Result<()> {
    let given = [
        ("--shape", !args.import.shape.is_empty()),
        ("--fix", !args.import.fix.is_empty()),
        ("--calibrate", args.quantize.calibrate.is_some()),
        ("--activation-bits", args.quantize.activation_bits.is_some()),
        ("--commit", !args.quantize.commit.is_empty()),
        ("--name", args.quantize.name.is_some()),
        ("--optimize", args.quantize.optimize.is_some()),
        ("--settings", args.quantize.settings.is_some()),
        ("--test-set", args.test_set.test_set.is_some()),
        ("--srs", args.srs.file.is_some()),
    ];
    match given.into_iter().find(|(_, given)| *given) {
        Some((option, _)) => bail!("{option} needs the ONNX file to recompile: pass --model"),
        None => Ok(()),
    }
}
