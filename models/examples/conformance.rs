//! Runs ONNX models in real numbers and in integers, for `benches/conformance/run.py`.
//!
//! Each folder below the argument holds a `model.onnx` and `inputs.bin`: the elements of all inputs
//! in order, as doubles. A file `options` may hold a line `shape NAME=1x3x8x8` or `fix NAME=VALUE`
//! for each input that needs one. One line of JSON a folder goes to the standard output.
#![allow(clippy::print_stdout, reason = "it is what the program is for")]

use std::error::Error;
use std::path::Path;

use ndarray::{ArrayD, IxDyn};
use serde_json::{Value, json};
use zkinfer_models::{
    Calibration, Comparison, Forms, Graph, ImportOptions, OnnxFile, OutputComparison,
    QuantizeOptions, Tolerance, quantize,
};

fn main() -> Result<(), Box<dyn Error>> {
    let root = std::env::args().nth(1).ok_or("expected a folder of folders")?;
    let mut folders = std::fs::read_dir(root)?.collect::<Result<Vec<_>, _>>()?;
    folders.sort_by_key(std::fs::DirEntry::file_name);
    for folder in folders {
        let path = folder.path();
        let outcome = std::panic::catch_unwind(|| run(&path).unwrap_or_else(|error| error));
        let mut outcome = outcome.unwrap_or_else(|_| json!({ "panic": true }));
        outcome["case"] = json!(folder.file_name().to_string_lossy());
        println!("{outcome}");
    }
    Ok(())
}

/// What becomes of a case; an error is an outcome too.
fn run(folder: &Path) -> Result<Value, Value> {
    let refused =
        |stage: &str, error: &dyn Error| json!({ "stage": stage, "error": error.to_string() });
    let file = OnnxFile::open(&folder.join("model.onnx")).map_err(|e| refused("import", &e))?;
    let options = options(&folder.join("options")).map_err(|e| refused("options", &*e))?;
    let graph = file.import(&options).map_err(|e| refused("import", &e))?;
    let inputs = inputs(&graph, &folder.join("inputs.bin")).map_err(|e| refused("input", &*e))?;
    let floats = graph.run_float(&inputs).map_err(|e| refused("float", &e))?;
    let lists = |arrays: Vec<Vec<f64>>| json!(arrays);
    let wide = |array: &ArrayD<f32>| array.iter().copied().map(f64::from).collect();
    let mut outcome = json!({ "float": lists(floats.iter().map(wide).collect()) });
    match integers(&graph, &inputs) {
        Ok(comparison) => {
            let integer =
                |output: &OutputComparison| output.integer.iter().copied().map(f64::from).collect();
            outcome["integer"] = lists(comparison.outputs.iter().map(integer).collect());
            outcome["codes"] = json!(comparison.codes);
        }
        Err(error) => outcome["error"] = json!(error.to_string()),
    }
    Ok(outcome)
}

fn options(path: &Path) -> Result<ImportOptions, Box<dyn Error>> {
    let mut options = ImportOptions::default();
    let text = if path.exists() { std::fs::read_to_string(path)? } else { String::new() };
    for line in text.lines() {
        options = match line.split_once(' ') {
            Some(("shape", text)) => options.shape_from_text(text)?,
            Some(("fix", text)) => options.fix_from_text(text)?,
            _ => return Err(format!("unknown option `{line}`").into()),
        };
    }
    Ok(options)
}

fn inputs(graph: &Graph, path: &Path) -> Result<Vec<ArrayD<f32>>, Box<dyn Error>> {
    let bytes = std::fs::read(path)?;
    let mut elements = bytes.as_chunks::<8>().0.iter().map(|&bytes| f64::from_le_bytes(bytes));
    let mut array = |shape: &[usize]| {
        let data = elements.by_ref().take(shape.iter().product());
        ArrayD::from_shape_vec(IxDyn(shape), data.map(single).collect())
    };
    let arrays: Vec<_> =
        graph.inputs().iter().map(|spec| array(&spec.shape)).collect::<Result<_, _>>()?;
    if arrays.iter().flatten().any(|x: &f32| !x.is_finite()) {
        return Err("an input that is no finite number".into());
    }
    Ok(arrays)
}

#[expect(clippy::cast_possible_truncation, reason = "inputs are single-precision numbers")]
fn single(value: f64) -> f32 {
    value as f32
}

fn integers(graph: &Graph, inputs: &[ArrayD<f32>]) -> Result<Comparison, Box<dyn Error>> {
    let calibration = Calibration::from_input(graph, inputs)?;
    let quantized = quantize(graph, &calibration, &QuantizeOptions::default())?;
    let forms = Forms { graph, calibration: &calibration, quantized: &quantized };
    Ok(Comparison::run(forms, inputs, &Tolerance::default())?)
}
