//! What the defaults choose from a few samples does on many other inputs.

use std::path::Path;

use ndarray::{ArrayD, IxDyn};
use zkinfer::{InputData, Model, Options, Quantized, Recipe, Run};

use crate::{
    onnx::{Builder, noise},
    support::Place,
};

/// Inputs of a width, of which the first few are samples.
struct Inputs {
    width: usize,
    values: Vec<f32>,
}

const SAMPLES: usize = 20;
const OTHERS: usize = 300;

impl Inputs {
    /// Noise that `shape` bends.
    fn new(width: usize, shape: fn(f32) -> f32) -> Self {
        let values = noise("inputs", width * (SAMPLES + OTHERS));
        Self { width, values: values.into_iter().map(shape).collect() }
    }

    fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks(self.width)
    }

    fn samples(&self) -> String {
        let line = |row: &[f32]| {
            let cells: Vec<String> = row.iter().map(f32::to_string).collect();
            cells.join(",") + "\n"
        };
        self.rows().take(SAMPLES).map(line).collect()
    }

    /// The runs of all inputs.
    fn runs(&self, model: &Model, quantized: &Quantized) -> Vec<Run> {
        let run = |row: &[f32]| {
            let input = ArrayD::from_shape_vec(IxDyn(&[1, self.width]), row.to_vec()).unwrap();
            model.run(quantized, &[input]).unwrap()
        };
        self.rows().map(run).collect()
    }
}

fn calibrated(place: &Place, model: &Model, activation_bits: Option<u32>) -> Quantized {
    let samples = InputData::read_samples(&place.path("samples.csv")).unwrap();
    let options = Options { activation_bits, ..Options::default() };
    let recipe = Recipe { samples: Some(samples), options, ..Recipe::default() };
    model.quantize(&recipe, Path::new(""), &[]).unwrap()
}

/// The largest error of the first output, as a share of what it is on all inputs.
fn largest_error(runs: &[Run]) -> f64 {
    let outputs = || runs.iter().map(|run| &run.comparison.outputs[0]);
    let values = || outputs().flat_map(|output| output.float.iter().copied().map(f64::from));
    let span = values().fold(f64::MIN, f64::max) - values().fold(f64::MAX, f64::min);
    outputs().map(|output| output.max_error).fold(0.0, f64::max) / span
}

/// Layers of tanh, one after the other.
fn deep(outputs: i64) -> Builder {
    let mut model = Builder::new(17).input("x", &[1, 16]);
    let mut top = "x".to_owned();
    for layer in 0..12 {
        let width = if layer == 11 { outputs } else { 16 };
        let [weights, sums, out] = ["w", "s", "h"].map(|name| format!("{name}{layer}"));
        let values = noise(&weights, 16 * usize::try_from(width).unwrap());
        let values: Vec<f32> = values.iter().map(|w| 0.75 * w).collect();
        model = model.reals(&weights, &[16, width], &values);
        model = model.node("MatMul", &[&top, &weights], &[&sums], &[]);
        model = model.node("Tanh", &[&sums], &[&out], &[]);
        top = if layer == 11 { sums } else { out };
    }
    model.output(&top)
}

#[test]
fn bits_that_nobody_chose_do_not_sound_the_alarm() {
    let inputs = Inputs::new(16, |x| x);
    let place = Place::with(&deep(5).bytes(), &inputs.samples());
    let model = place.model();
    let alarms = |bits| {
        let quantized = calibrated(&place, &model, bits);
        let runs = inputs.runs(&model, &quantized);
        let warned = |run: &&Run| !run.comparison.warnings.is_empty();
        (
            quantized.settings.options.activation_bits,
            runs.iter().take(SAMPLES).filter(warned).count(),
        )
    };
    let (_, at_8) = alarms(Some(8));
    assert!(at_8 > 0, "the network is no test: 8 bits do");
    let (bits, warned) = alarms(None);
    assert!(warned == 0 && bits > 8, "{warned} of the samples warn at {bits} bits");
}

/// A number of both signs is read as a yes or a no, and may be a quantity.
#[test]
fn a_number_of_both_signs_is_as_close_as_a_quantity() {
    let inputs = Inputs::new(16, |x| x);
    let place = Place::with(&deep(1).bytes(), &inputs.samples());
    let model = place.model();
    let quantized = calibrated(&place, &model, None);
    let runs = inputs.runs(&model, &quantized);
    assert!(largest_error(&runs[..SAMPLES]) < 0.005, "{}", largest_error(&runs[..SAMPLES]));
    assert!(largest_error(&runs) < 0.01, "{}", largest_error(&runs));
}

/// Features of which a few are far larger than most: their largest of twenty is not that of all.
#[test]
fn inputs_larger_than_the_samples_do_not_saturate_layers() {
    let inputs = Inputs::new(8, |x| 4.0 * x * x * x);
    let model = Builder::new(17).input("x", &[1, 8]).random("w", &[8, 4]).random("v", &[4, 1]);
    let model = model.node("MatMul", &["x", "w"], &["s"], &[]).node("Relu", &["s"], &["h"], &[]);
    let model = model.node("MatMul", &["h", "v"], &["y"], &[]).output("y");
    let place = Place::with(&model.bytes(), &inputs.samples());
    let model = place.model();
    let quantized = calibrated(&place, &model, None);
    let runs = inputs.runs(&model, &quantized);
    assert!(largest_error(&runs) < 0.01, "{}", largest_error(&runs));
}
