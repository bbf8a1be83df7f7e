//! `audit`: what a proof shows, how strongly, and whether a model gives its key. Needs no network.

mod parts;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use zkinfer::{Audit, KeyFiles, audit::Recompile, read};
use zkinfer_report::{AuditReport, Verdict};

use crate::{
    args,
    output::{Outcome, Output},
    progress::watched,
};

pub(crate) fn run(args: &args::Audit, output: &Output) -> Result<Outcome> {
    let (proof, key) = match (&args.parts.manifest, &args.proofs[..], &args.key) {
        (Some(manifest), ..) => return parts::run(args, manifest, output),
        (None, [proof], Some(key)) => (proof, key),
        (None, [_], None) => bail!("give --key or --manifest"),
        (None, ..) => {
            bail!(
                "one proof is audited at a time, or with --manifest those of all parts of a model"
            )
        }
    };
    let file = read::proof(proof)?;
    let recompile = recompile(args, key)?;
    let reads = reads(args);
    let key = read::key(key)?;
    let expectation = args.expect.expectation(&key)?;
    let accuracy = args.accuracy.as_deref().map(read::accuracy_report).transpose()?;
    let audit = watched(output, |watch| {
        Audit::new(&key, &file, &expectation, accuracy, recompile.as_ref(), watch)
    })?;
    let report = AuditReport::new(&key, &file, &expectation, audit);
    output.page(args.html.as_deref(), &reads, || report.page())?;
    output.report(&report)?;
    Ok(outcome(report.verdict(), report.missing(), output))
}

/// How the command ends; where something is `missing`, a remark says what.
fn outcome(verdict: Verdict, missing: Option<String>, output: &Output) -> Outcome {
    if let Some(missing) = missing {
        output.remark(format_args!("error: the model was not compared; give also {missing}"));
    }
    match verdict {
        Verdict::Accepted => Outcome::Accepted,
        Verdict::Rejected => Outcome::Rejected,
        Verdict::Undecided => Outcome::Undecided,
    }
}

/// What the key is to be made again from, if it is.
fn recompile(args: &args::Audit, key: &Path) -> Result<Option<Recompile>> {
    let Some(model) = args.model.clone() else {
        refuse_options(args, &COMPILING, "needs the ONNX file to recompile: pass --model")?;
        return Ok(None);
    };
    Ok(Some(Recompile {
        model,
        import: args.import.options()?,
        recipe: args.quantize.recipe()?,
        settings_beside: KeyFiles::of_key(key).settings,
        input: args.input.clone(),
        test_set: args.test_set.test_set.clone(),
        srs: args.srs.file.clone(),
    }))
}

/// Options that only a model gives a meaning to.
const COMPILING: [&str; 3] = ["--shape", "--fix", "--srs"];

/// Refuses options about quantizing, and some others, where they mean nothing.
fn refuse_options(args: &args::Audit, others: &[&str], why: &str) -> Result<()> {
    let given = [
        ("--shape", !args.import.shape.is_empty()),
        ("--fix", !args.import.fix.is_empty()),
        ("--srs", args.srs.file.is_some()),
    ];
    let given = given.into_iter().filter(|(option, _)| others.contains(option));
    let quantizing = [
        ("--calibrate", args.quantize.calibrate.is_some()),
        ("--activation-bits", args.quantize.activation_bits.is_some()),
        ("--input-bits", args.quantize.common.input_bits.is_some()),
        ("--input-levels", args.quantize.common.input_levels.is_some()),
        ("--commit", !args.quantize.common.commit.is_empty()),
        ("--name", args.quantize.common.name.is_some()),
        ("--optimize", args.quantize.common.optimize.is_some()),
        ("--settings", args.quantize.settings.is_some()),
        ("--test-set", args.test_set.test_set.is_some()),
    ];
    match given.chain(quantizing).find(|(_, given)| *given) {
        Some((option, _)) => bail!("{option} {why}"),
        None => Ok(()),
    }
}

/// Every file that the command reads.
fn reads(args: &args::Audit) -> Vec<&Path> {
    let keys = args.key.iter().chain(&args.parts.manifest);
    let mut reads: Vec<_> = args.proofs.iter().chain(keys).map(PathBuf::as_path).collect();
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
