//! The accuracy report: what it counts, and that its digest has one meaning.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use support::{onnx::Builder, zoo};
use zkinfer_models::{
    AccuracyError, AccuracyReport, Calibration, Graph, InputFile, InputNote, LabelAgreement,
    LabelFault, QuantizeOptions, TestSet, model_digest, read_samples,
};

fn measured(model: &str, file: &str, activation_bits: u32) -> AccuracyReport {
    let bytes = std::fs::read(zoo::path(model, "model.onnx")).unwrap();
    let graph = Graph::from_onnx_bytes(&bytes).unwrap();
    let samples = read_samples(&zoo::path(model, "samples.npz"), &graph).unwrap();
    let calibration = Calibration::from_samples(&graph, &samples).unwrap();
    let options = QuantizeOptions { activation_bits, ..QuantizeOptions::default() };
    let set = TestSet::read(&zoo::path(model, file), &graph).unwrap();
    AccuracyReport::measure(&graph, model_digest(&bytes), &calibration, &options, &set).unwrap()
}

/// Against the score that the model's makers measured with another runtime, and the labels' count.
#[test]
fn a_test_set_gives_the_known_scores() {
    for (model, labels_right) in [("digits_mlp", 444), ("cancer_mlp", 141)] {
        let report = measured(model, "testset.npz", 8);
        let (count, labels) = (report.samples.count, report.labels.unwrap());
        assert!(labels.float_correct.abs_diff(labels_right) <= 1, "{model}: {report:?}");
        assert!(labels.integer_correct.abs_diff(labels.float_correct) <= 2, "{model}: {report:?}");
        assert!(report.float_model.same_class * 100 >= count * 99, "{model}: {report:?}");
        assert!(report.float_model.max_error_ten_thousandths > 0, "{model}");
    }
}

#[test]
fn coarser_integers_have_larger_errors() {
    let error = |bits| measured("digits_mlp", "samples.npz", bits).float_model;
    let (fine, coarse) = (error(12), error(4));
    assert!(fine.mean_error_ten_thousandths < coarse.mean_error_ten_thousandths);
    assert!(fine.max_error_ten_thousandths < coarse.max_error_ten_thousandths);
}

#[test]
fn labels_of_both_formats_agree() {
    for file in ["samples.json", "samples.npz"] {
        let labels = InputFile::read(&zoo::path("digits_mlp", file)).unwrap().labels().unwrap();
        assert_eq!(labels.unwrap().samples(), 20, "{file}");
    }
    let [json, npz] = ["samples.json", "samples.npz"].map(|f| measured("digits_mlp", f, 8));
    assert_eq!((json.float_model, json.labels), (npz.float_model, npz.labels));
    assert_ne!(json.samples.digest, npz.samples.digest);
    assert_ne!(json.digest(), npz.digest());
}

/// Labels say nothing about what is proved: whatever is wrong with them is a note.
#[test]
fn labels_that_cannot_be_used_are_a_note_and_never_a_refusal() {
    let text = std::fs::read_to_string(zoo::path("digits_mlp", "samples.json")).unwrap();
    let bytes = std::fs::read(zoo::path("digits_mlp", "model.onnx")).unwrap();
    let graph = Graph::from_onnx_bytes(&bytes).unwrap();
    let notes = |text: &str| {
        let file = InputFile::from_bytes(text.as_bytes()).unwrap();
        let set = TestSet::new(&file, &graph).unwrap();
        set.notes().to_vec()
    };
    let unused = |fault| vec![InputNote::UnusedLabels(fault)];
    assert_eq!(notes(&text), []);
    let some = text.replacen("\"label\":", "\"remark\":", 1);
    assert_eq!(notes(&some), unused(LabelFault::Count { samples: 20, labels: 19 }));
    let none = text.replace("\"label\":", "\"remark\":");
    assert_eq!(notes(&none), []);
    assert_eq!(InputFile::from_bytes(none.as_bytes()).unwrap().labels(), Ok(None));
    // A regression's targets are no classes.
    let half = text.replacen("\"label\":1", "\"label\":1.5", 1);
    assert_eq!(notes(&half), unused(LabelFault::NoClasses));
    let words = text.replacen("\"label\":1", "\"label\":\"one\"", 1);
    assert_eq!(notes(&words), unused(LabelFault::NoClasses));
    let uneven = text.replacen("\"label\":1", "\"label\":[1,1]", 1);
    assert_eq!(notes(&uneven), unused(LabelFault::NoClasses));
    let several = text.replace("\"label\":", "\"label\":[7,7],\"digit\":");
    let fault = LabelFault::Positions { labels: vec![2], output: vec![1, 10] };
    assert_eq!(notes(&several), unused(fault));
}

/// A sequence model has scores at each position, and a label for each.
#[test]
fn labels_of_every_position_are_compared_at_every_position() {
    let positions = Builder::new(17).input("x", &[1, 3, 2]).reals("w", &[2, 2], &[1., 0., 0., 1.]);
    let bytes = positions.node("MatMul", &["x", "w"], &["y"], &[]).output("y").bytes();
    let graph = Graph::from_onnx_bytes(&bytes).unwrap();
    let text = r#"{"inputs": [{"name": "x"}], "samples": [
        {"inputs": [[1, 2, 3, 0, 0, 5]], "label": [1, 0, 1]},
        {"inputs": [[7, 2, 3, 4, 0, 5]], "label": [0, 0, 0]}]}"#;
    let set = TestSet::new(&InputFile::from_bytes(text.as_bytes()).unwrap(), &graph).unwrap();
    assert_eq!(set.notes(), []);
    let samples = InputFile::from_bytes(text.as_bytes()).unwrap().samples(&graph).unwrap();
    let calibration = Calibration::from_samples(&graph, &samples).unwrap();
    let options = QuantizeOptions::default();
    let report =
        AccuracyReport::measure(&graph, model_digest(&bytes), &calibration, &options, &set);
    let report = report.unwrap();
    let expected = LabelAgreement { integer_correct: 4, float_correct: 4, per_sample: 3 };
    assert_eq!(report.labels, Some(expected));
    let text = report.encode();
    assert_eq!(AccuracyReport::decode(text.as_bytes()).unwrap(), report);
    let impossible = text.replacen("\"float_correct\": 4", "\"float_correct\": 7", 1);
    let refused = AccuracyReport::decode(impossible.as_bytes()).unwrap_err();
    assert!(matches!(refused, AccuracyError::Contradiction { field: "labels" }), "{refused}");
}

#[test]
fn a_report_has_one_spelling_and_every_number_counts() {
    let report = measured("cancer_mlp", "samples.npz", 8);
    let text = report.encode();
    assert_eq!(AccuracyReport::decode(text.as_bytes()).unwrap(), report);
    let refused = |text: &str| AccuracyReport::decode(text.as_bytes()).unwrap_err();
    let not_canonical = [text.trim_end().to_owned(), text.replace(' ', ""), format!(" {text}")];
    for other in not_canonical {
        assert!(matches!(refused(&other), AccuracyError::NotCanonical), "{other}");
    }
    let unknown = text.replacen('{', "{\"x\": 1,", 1);
    assert!(matches!(refused(&unknown), AccuracyError::Json(_)));
    let later = text.replacen("\"format\": 2", "\"format\": 3", 1);
    assert!(matches!(refused(&later), AccuracyError::Format { got: 3 }));
    let impossible = text.replacen("\"same_class\": ", "\"same_class\": 9", 1);
    assert!(
        matches!(refused(&impossible), AccuracyError::Contradiction { field } if field.ends_with("same_class"))
    );
    let better =
        text.replacen("\"mean_error_ten_thousandths\": ", "\"mean_error_ten_thousandths\": 0", 1);
    assert!(matches!(refused(&better), AccuracyError::Json(_)), "a leading zero is no number");
    // A change that leaves it a report changes its digest.
    let mut edited = report.clone();
    edited.float_model.max_error_ten_thousandths += 1;
    assert_ne!(edited.digest(), report.digest());
}

/// The same on every machine: integers, from a model whose scores are far from any boundary.
#[test]
fn the_digest_of_a_report_does_not_move() {
    let digest = measured("digits_mlp", "samples.npz", 8).digest().to_string();
    assert_eq!(digest, "73e64c763a22ffefb13138b8fbd55fcae61fba64577032571226c26c65517bec");
}
