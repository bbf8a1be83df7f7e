//! `quote`: what a proof would cost, before anything is proved.

use anyhow::Result;
use zkinfer::{KeyFiles, Quote};
use zkinfer_report::QuoteReport;

use super::source::InIntegers;
use crate::{
    args,
    output::{Outcome, Output},
};

pub(crate) fn run(args: &args::Quote, output: &Output) -> Result<Outcome> {
    let source = &args.of;
    let beside = KeyFiles::beside_model(&source.model).settings;
    let InIntegers { model, quantized, .. } = InIntegers::read(source, &beside, output)?;
    let quote = Quote::new(&model, &quantized)?;
    let devices = quote.on(&args.icicle.devices(None)?);
    let report = QuoteReport::new(&model, &quantized, &quote, &devices)
        .at_fork(args.evm_fork.into(), &quote);
    let mut reads = vec![source.model.as_path(), &beside];
    reads.extend(source.input.as_deref());
    reads.extend(source.quantize.files());
    output.page(args.html.as_deref(), &reads, || report.page())?;
    output.report(&report)?;
    Ok(Outcome::Accepted)
}
