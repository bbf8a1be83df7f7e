//! `quote`: what a proof would cost, before anything is proved.

use anyhow::Result;
use zkinfer::{InputData, KeyFiles, Quote, Shapes};
use zkinfer_report::QuoteReport;

use crate::{
    args,
    output::{Outcome, Output},
};

pub(crate) fn run(args: &args::Quote, output: &Output) -> Result<Outcome> {
    let (data, recipe) = args::or_no_model(&args.model, || {
        let data = args.input.as_deref().map(InputData::read).transpose()?;
        Ok((data, args.quantize.recipe()?))
    })?;
    let shapes: Vec<_> = data.iter().map(Shapes::Input).chain(recipe.shapes()).collect();
    let model = args.import.open(&args.model, &shapes, output)?;
    let inputs = data.iter().map(|data| model.input(data)).collect::<Result<Vec<_>, _>>()?;
    let beside = KeyFiles::beside_model(&args.model).settings;
    let quantized = model.quantize(&recipe, &beside, &inputs)?;
    let quote = Quote::new(&model, &quantized)?;
    let devices = quote.on(&args.icicle.devices(None)?);
    let report = QuoteReport::new(&model, &quantized, &quote, &devices)
        .at_fork(args.evm_fork.into(), &quote);
    let mut reads = vec![args.model.as_path(), &beside];
    reads.extend(args.input.as_deref());
    reads.extend(args.quantize.files());
    output.page(args.html.as_deref(), &reads, || report.page())?;
    output.report(&report)?;
    Ok(Outcome::Accepted)
}
