//! `audit`: what a proof shows, how strongly, and whether a model gives its key. Needs no network.

mod accuracy;
mod recompile;
mod report;
mod strength;

use anyhow::Result;

use crate::{
    args,
    command::verify::{read_key, read_proof},
    expectation::Expectation,
    output::{Outcome, Output},
};
use accuracy::Accuracy;
use recompile::Recompiled;
use report::Report;

pub(crate) fn run(args: &args::Audit, output: &Output) -> Result<Outcome> {
    let key = read_key(&args.key)?;
    let file = read_proof(&args.proof)?;
    let expectation = Expectation::read(&args.expect, &key)?;
    let accuracy = Accuracy::read(args.accuracy.as_deref(), &key)?;
    let rejection = expectation.check(&file).err();
    let recompiled = Recompiled::new(args, &key, accuracy.digest(), output)?;
    let report = Report::new(&key, &file, expectation.openings(), rejection, accuracy, recompiled);
    output.report(&report)?;
    Ok(if report.accepted() { Outcome::Accepted } else { Outcome::Rejected })
}
