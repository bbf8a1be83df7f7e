//! `audit`: what a proof shows, how strongly, and whether a model gives its key. Needs no network.

use std::path::Path;

use anyhow::{Result, bail};
use zkinfer::{Audit, KeyFiles, audit::Recompile, read};
use zkinfer_report::{AuditReport, Verdict};

use crate::{
    args,
    output::{Outcome, Output},
    progress::watched,
};

pub(crate) fn run(args: &args::Audit, output: &Output) -> Result<Outcome> {
    let key = read::key(&args.key)?;
    let file = read::proof(&args.proof)?;
    let expectation = args.expect.expectation(&key)?;
    let accuracy = args.accuracy.as_deref().map(read::accuracy_report).transpose()?;
    let recompile = recompile(args)?;
    let audit = watched(output, |watch| {
        Audit::new(&key, &file, &expectation, accuracy, recompile.as_ref(), watch)
    })?;
    let report = AuditReport::new(&key, &file, &expectation, audit);
    output.page(args.html.as_deref(), &reads(args), || report.page())?;
    output.report(&report)?;
    if let Some(missing) = report.missing() {
        output.remark(format_args!("error: the model was not compared; give also {missing}"));
    }
    Ok(match report.verdict() {
        Verdict::Accepted => Outcome::Accepted,
        Verdict::Rejected => Outcome::Rejected,
        Verdict::Undecided => Outcome::Undecided,
    })
}

/// What the key is to be made again from, if it is.
fn recompile(args: &args::Audit) -> Result<Option<Recompile>> {
    let Some(model) = args.model.clone() else {
        return refuse_options(args).map(|()| None);
    };
    Ok(Some(Recompile {
        model,
        import: args.import.options()?,
        recipe: args.quantize.recipe()?,
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
        ("--input-bits", args.quantize.common.input_bits.is_some()),
        ("--input-levels", args.quantize.common.input_levels.is_some()),
        ("--commit", !args.quantize.common.commit.is_empty()),
        ("--name", args.quantize.common.name.is_some()),
        ("--optimize", args.quantize.common.optimize.is_some()),
        ("--settings", args.quantize.settings.is_some()),
        ("--test-set", args.test_set.test_set.is_some()),
        ("--srs", args.srs.file.is_some()),
    ];
    match given.into_iter().find(|(_, given)| *given) {
        Some((option, _)) => bail!("{option} needs the ONNX file to recompile: pass --model"),
        None => Ok(()),
    }
}

/// Every file that the command reads.
fn reads(args: &args::Audit) -> Vec<&Path> {
    let mut reads = vec![args.proof.as_path(), &args.key];
    let expect = &args.expect;
    let others = [
        &args.model,
        &args.input,
        &args.test_set.test_set,
        &args.srs.file,
        &args.accuracy,
        &expect.expect_input,
        &expect.expect_output,
        &expect.opening,
    ];
    reads.extend(others.into_iter().filter_map(|path| path.as_deref()));
    reads.extend(args.quantize.files());
    reads
}
