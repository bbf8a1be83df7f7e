//! The alarm: where the integers are not the model, and which layer is to blame.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use ndarray::{ArrayD, IxDyn};
use support::onnx::Builder;
use support::zoo::{self, MODELS};
use zkinfer_models::{
    Blame, Calibration, Cause, Comparison, Forms, Graph, QuantizeOptions, Reading, Tolerance,
    Warning, quantize,
};

fn array(shape: &[usize], values: &[f32]) -> ArrayD<f32> {
    ArrayD::from_shape_vec(IxDyn(shape), values.to_vec()).unwrap()
}

/// Both forms under a key calibrated with `samples`, on `input`.
fn compare_with(
    graph: &Graph,
    calibration: &Calibration,
    input: &[ArrayD<f32>],
    tolerance: &Tolerance,
) -> Comparison {
    let quantized = quantize(graph, calibration, &QuantizeOptions::default()).unwrap();
    let forms = Forms { graph, calibration, quantized: &quantized };
    Comparison::run(forms, input, tolerance).unwrap()
}

fn compare(graph: &Graph, calibration: &Calibration, input: &[ArrayD<f32>]) -> Comparison {
    compare_with(graph, calibration, input, &Tolerance::default())
}

fn graph_of(model: &Builder) -> Graph {
    Graph::from_onnx_bytes(&model.bytes()).unwrap()
}

/// Two dense layers with a rectifier between them.
fn two_layers() -> Graph {
    let model = Builder::new(13).input("x", &[1, 2]);
    let model = model.reals("w", &[2, 2], &[1.0, -1.0, 0.5, 2.0]).reals(
        "v",
        &[2, 2],
        &[1.0, 0.0, 0.0, 1.0],
    );
    let model = model.node("MatMul", &["x", "w"], &["h"], &[]).node("Relu", &["h"], &["r"], &[]);
    graph_of(&model.node("MatMul", &["r", "v"], &["y"], &[]).output("y"))
}

#[test]
fn the_zoo_raises_no_alarm_on_its_own_samples() {
    for model in MODELS {
        let graph = zoo::graph(model.0);
        let samples = zoo::samples(model).0;
        let calibration = Calibration::from_samples(&graph, &samples).unwrap();
        for sample in &samples {
            let comparison = compare(&graph, &calibration, sample);
            assert_eq!(comparison.warnings, [], "{}", model.0);
            assert!(comparison.error_share() < 0.02, "{}", model.0);
        }
    }
}

/// Settings under which every layer saturates, as in an honest key of other data.
#[test]
fn a_saturated_layer_is_counted_and_blamed() {
    let graph = two_layers();
    let sample = vec![array(&[1, 2], &[0.1, 0.1])];
    let mut calibration = Calibration::from_samples(&graph, &[sample]).unwrap();
    for input in calibration.inputs.values_mut() {
        input.range.hi = 4.0;
        input.levels = None;
    }
    // Relu gives [4, 0] and [1, 7] where calibration saw at most 0.19.
    let comparison = compare(&graph, &calibration, &[array(&[1, 2], &[3.0, 2.0])]);
    let layer = &comparison.layers[0];
    assert_eq!((layer.layer.as_str(), layer.elements), ("Relu_r", 2));
    assert_eq!((layer.clamped, layer.saturated), (2, 2));
    assert!(layer.max_error > 3.0 && layer.error_share > 1.0, "{layer:?}");
    assert_eq!(comparison.saturated_layers()[0].layer, "Relu_r");
    let Some(Warning::LargeError { output, blame, share, .. }) =
        comparison.warnings.iter().find(|w| matches!(w, Warning::LargeError { .. }))
    else {
        panic!("{:?}", comparison.warnings)
    };
    assert_eq!(output, "y");
    assert!(*share > 1.0);
    let cause = Cause::Saturated { share: 1.0 };
    assert_eq!(*blame, Blame { layer: Some("Relu_r".to_owned()), cause });
    let text = comparison.warnings[0].to_string();
    assert!(text.contains("layer `Relu_r`") && text.contains("samples"), "{text}");
}

/// What a rectifier or a cap cuts off is what the model does, too.
#[test]
fn what_the_activation_itself_cuts_off_is_not_saturated() {
    let model =
        Builder::new(13).input("x", &[1, 4]).reals("s", &[1], &[2.0]).reals("lo", &[], &[0.0]);
    let model = model.reals("hi", &[], &[1.0]).node("Mul", &["x", "s"], &["p"], &[]);
    let graph = graph_of(&model.node("Clip", &["p", "lo", "hi"], &["y"], &[]).output("y"));
    let input = [array(&[1, 4], &[-1.0, 0.125, 0.25, 1.0])];
    let calibration = Calibration::from_samples(&graph, &[input.to_vec()]).unwrap();
    let comparison = compare(&graph, &calibration, &input);
    assert_eq!(comparison.layers.iter().map(|l| l.saturated).sum::<usize>(), 0);
    assert!(comparison.layers[0].clamped >= 2, "{:?}", comparison.layers);
}

#[test]
fn another_class_is_reported_with_the_layer_to_blame() {
    let graph = two_layers();
    let sample = vec![array(&[1, 2], &[2.0, 0.1])];
    let mut calibration = Calibration::from_samples(&graph, &[sample]).unwrap();
    for range in calibration.layers.values_mut() {
        range.hi = 2.0;
    }
    for input in calibration.inputs.values_mut() {
        input.range.hi = 4.0;
        input.levels = None;
    }
    // The float model gives [3.5, 5]: both saturate to the same number, which is no class.
    let comparison = compare(&graph, &calibration, &[array(&[1, 2], &[1.0, 3.0])]);
    let Warning::AnotherClass { row, rows, float, integer, blame, .. } = &comparison.warnings[0]
    else {
        panic!("{:?}", comparison.warnings)
    };
    assert_eq!((*row, *rows, *float, *integer), (0, 1, 1, None));
    assert_eq!(blame.layer.as_deref(), Some("Relu_r"));
    assert!(comparison.warnings[0].is_other_answer());
    let json = serde_json::to_value(&comparison).unwrap();
    assert_eq!(json["warnings"][0]["kind"], "another_class");
    assert_eq!(json["warnings"][0]["blame"]["cause"]["kind"], "saturated");
    assert_eq!(json["outputs"][0]["float_answers"][0], 1);
}

fn scores(op: &str) -> Builder {
    let model = Builder::new(13).input("x", &[1, 2]).reals("w", &[2, 1], &[1.0, -1.0]);
    model.node("MatMul", &["x", "w"], &["h"], &[]).node(op, &["h"], &["y"], &[]).output("y")
}

#[test]
fn outputs_of_one_element_have_the_threshold_of_their_activation() {
    let sample = |a: f32| vec![array(&[1, 2], &[a, 0.25])];
    let both = [sample(1.0), sample(-1.0)];
    let one = [sample(1.0), sample(0.5)];
    for (op, samples, expected) in [
        ("Sigmoid", &both, Some(0.5)),
        ("HardSigmoid", &both, Some(0.5)),
        ("Tanh", &both, Some(0.0)),
        ("Tanh", &one, None),
        ("Identity", &both, Some(0.0)),
        ("Relu", &both, None),
        ("Softplus", &both, None),
    ] {
        let graph = graph_of(&scores(op));
        let calibration = Calibration::from_samples(&graph, samples).unwrap();
        let reading = &compare(&graph, &calibration, &samples[0]).outputs[0].reading;
        let got = match reading {
            Reading::Side { threshold } => Some(*threshold),
            Reading::Values => None,
            Reading::Class { .. } => panic!("{op}"),
        };
        assert_eq!(got, expected, "{op}");
        let tolerance = Tolerance { threshold: Some(0.7), ..Tolerance::default() };
        let told = compare_with(&graph, &calibration, &samples[0], &tolerance);
        assert_eq!(told.outputs[0].reading, Reading::Side { threshold: 0.7 }, "{op}");
    }
}

/// Calibrated on whole numbers, the inputs 0.4 and 0.45 become 0.
#[test]
fn the_other_side_of_a_threshold_comes_from_inputs_off_the_grid() {
    let graph = graph_of(&scores("Sigmoid"));
    let samples = [vec![array(&[1, 2], &[1.0, 0.0])], vec![array(&[1, 2], &[0.0, 1.0])]];
    let mut calibration = Calibration::from_samples(&graph, &samples).unwrap();
    for input in calibration.inputs.values_mut() {
        input.levels = Some(1);
    }
    let comparison = compare(&graph, &calibration, &[array(&[1, 2], &[0.4, 0.45])]);
    let [Warning::OtherSide { threshold, float, integer, blame, .. }, rest @ ..] =
        &comparison.warnings[..]
    else {
        panic!("{:?}", comparison.warnings)
    };
    assert!((*threshold - 0.5).abs() < 1e-12 && *float < 0.49 && (integer - 0.5).abs() < 1e-4);
    assert_eq!(*blame, Blame { layer: None, cause: Cause::InputsMoved { share: 1.0 } });
    let moved = rest.iter().find_map(|warning| match warning {
        Warning::InputsMoved { count, elements, levels, by, .. } => {
            Some((*count, *elements, *levels, *by))
        }
        _ => None,
    });
    let (count, elements, levels, by) = moved.unwrap();
    assert_eq!((count, elements, levels), (2, 2, 1));
    assert!((by - 0.45).abs() < 1e-6, "{by}");
}

#[test]
fn clamped_inputs_are_a_warning_of_their_own() {
    let graph = two_layers();
    let samples = [vec![array(&[1, 2], &[0.7, 0.31])], vec![array(&[1, 2], &[0.11, 0.53])]];
    let calibration = Calibration::from_samples(&graph, &samples).unwrap();
    let comparison = compare(&graph, &calibration, &[array(&[1, 2], &[9.0, 0.3])]);
    assert_eq!(comparison.inputs[0].clamped, 1);
    let is_clamped =
        |w: &&Warning| matches!(w, Warning::InputsClamped { count: 1, elements: 2, .. });
    assert_eq!(comparison.warnings.iter().filter(is_clamped).count(), 1);
    let text = comparison.warnings.iter().find(is_clamped).unwrap().to_string();
    assert!(text.starts_with("input `x`: 1 of 2 elements are beyond the range"), "{text}");
}

/// The first layer is exact, the second is not: a binary search finds it among several.
#[test]
fn the_blame_is_of_the_layer_that_is_coarse() {
    let mut model = Builder::new(13).input("x", &[1, 4]);
    let mut before = "x".to_owned();
    for layer in 0..6 {
        let (w, h, r) = (format!("w{layer}"), format!("h{layer}"), format!("r{layer}"));
        model = model.reals(&w, &[4, 4], &identity());
        model = model.node("MatMul", &[&before, &w], &[&h], &[]).node("Relu", &[&h], &[&r], &[]);
        before = r;
    }
    let graph = graph_of(&model.output(&before));
    let sample = vec![array(&[1, 4], &[0.9, 0.31, 0.57, 0.13])];
    let mut calibration = Calibration::from_samples(&graph, std::slice::from_ref(&sample)).unwrap();
    let range = calibration.layers.get_mut("r3").unwrap();
    (range.lo, range.hi) = (0.0, 0.05);
    let comparison = compare(&graph, &calibration, &sample);
    let blames = comparison.warnings.iter().filter_map(|warning| match warning {
        Warning::LargeError { blame, .. } | Warning::AnotherClass { blame, .. } => {
            blame.layer.as_deref()
        }
        _ => None,
    });
    let blames: Vec<_> = blames.collect();
    assert!(!blames.is_empty() && blames.iter().all(|layer| *layer == "Relu_r3"), "{blames:?}");
}

fn identity() -> [f32; 16] {
    std::array::from_fn(|position| if position % 5 == 0 { 1.0 } else { 0.0 })
}

#[test]
fn images_are_values_and_batches_are_rows() {
    let model =
        Builder::new(13).input("x", &[1, 1, 3, 3]).node("Relu", &["x"], &["y"], &[]).output("y");
    let graph = graph_of(&model);
    let input = [array(&[1, 1, 3, 3], &[0.5; 9])];
    let calibration = Calibration::from_samples(&graph, &[input.to_vec()]).unwrap();
    assert_eq!(compare(&graph, &calibration, &input).outputs[0].reading, Reading::Values);
    let model = Builder::new(13).input("x", &[2, 3]).node("Relu", &["x"], &["y"], &[]).output("y");
    let graph = graph_of(&model);
    let input = [array(&[2, 3], &[0.5, 0.25, 0.1, 0.3, 0.2, 0.7])];
    let calibration = Calibration::from_samples(&graph, &[input.to_vec()]).unwrap();
    let output = compare(&graph, &calibration, &input).outputs.remove(0);
    assert_eq!(output.reading, Reading::Class { rows: 2, classes: 3 });
    assert_eq!(output.integer_answers, [Some(0), Some(2)]);
}

/// Infinity in the float model is no difference, but is told.
#[test]
fn a_float_model_that_overflows_is_reported() {
    let model = Builder::new(13).input("x", &[1, 2]).node("Exp", &["x"], &["e"], &[]);
    let graph = graph_of(&model.node("Exp", &["e"], &["y"], &[]).output("y"));
    let calibration =
        Calibration::from_samples(&graph, &[vec![array(&[1, 2], &[1.0, 0.3])]]).unwrap();
    let comparison = compare(&graph, &calibration, &[array(&[1, 2], &[8.0, 0.3])]);
    assert!(comparison.warnings.iter().any(|w| matches!(w, Warning::NotFinite { count: 1, .. })));
    serde_json::to_string(&comparison).unwrap();
}
