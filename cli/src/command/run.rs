//! `run`: the integer model natively, without a proof.

use std::{collections::BTreeMap, fmt, path::PathBuf, slice};

use anyhow::{Result, ensure};
use serde::Serialize;
use zkinfer::{InputData, KeyFiles, Links, PartFiles, Parts, Shapes};

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
    let manifest = args.parts.manifest.clone();
    let parts =
        manifest.map(|manifest| Parts::open(&model, &PartFiles { manifest })).transpose()?;
    let quantized = match &parts {
        Some(parts) => parts.whole.clone(),
        None => model.quantize(&recipe, &beside, slice::from_ref(&input))?,
    };
    let demands = args.alarm.demands();
    let run = model.run_with(&quantized, &input, &demands.tolerance())?;
    let reference = reference(&args.alarm, &model, Some(&data), slice::from_ref(&input))?;
    output.remark_file(&data);
    output.remark_origin(&quantized);
    output.alarm(&run);
    output.alarm_reference(reference.as_ref());
    demands.check(&run.comparison)?;
    let outputs = run.execution.outputs(&quantized.graph);
    let links = match (&parts, &args.parts.links) {
        (Some(parts), Some(folder)) => {
            let links = Links::in_folder(folder);
            let linked = parts.link(&run.integers, &links)?;
            ensure!(
                linked == outputs,
                "the parts give another output than the whole: please report it"
            );
            (1..parts.keys.len()).map(|part| links.given_by(part - 1)).collect()
        }
        _ => Vec::new(),
    };
    output.report(&Report {
        model: text::model(quantized.settings.label(), model.digest()),
        constant_inputs: model.constant_inputs().clone(),
        calibration: text::origin(&quantized.origin),
        output_integers: outputs.into_iter().map(<[i64]>::to_vec).collect(),
        comparison: Compared::new(&run.comparison, reference),
        execute_seconds: run.seconds,
        links,
    })?;
    Ok(Outcome::Accepted)
}

#[derive(Serialize)]
struct Report {
    model: String,
    /// The inputs of the file that are constants of the model.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    constant_inputs: BTreeMap<String, Vec<f64>>,
    calibration: String,
    #[serde(flatten)]
    comparison: Compared,
    output_integers: Vec<Vec<i64>>,
    execute_seconds: f64,
    /// What goes from part to part, where the model was split.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    links: Vec<PathBuf>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} in integers (calibrated with the {})", self.model, self.calibration)?;
        writeln!(f, "{}", self.comparison)?;
        for link in &self.links {
            writeln!(f, "  link {}: SECRET, for the parts that it lies between", link.display())?;
        }
        write!(f, "  ran in {:.1} ms", self.execute_seconds * 1e3)
    }
}
