//! Settings files: only those are used that say what they are for.

use std::fs;

use zkinfer::{Error, models::QuantizeError};

use crate::{
    onnx::Builder,
    support::{Place, samples},
};

fn with_settings(change: impl FnOnce(&str) -> String) -> Error {
    let place = Place::new();
    place.set_up();
    let path = place.files().settings;
    let before = fs::read_to_string(&path).unwrap();
    let after = change(&before);
    assert_ne!(before, after);
    fs::write(&path, after).unwrap();
    place.by_settings(&place.model()).expect_err("the settings must be refused")
}

#[test]
fn settings_without_a_semantics_number_are_refused_by_name() {
    let error = with_settings(|text| text.replacen("  \"semantics\": 2,\n", "", 1));
    assert!(matches!(error, Error::SettingsSemantics { got: None, expected: 2, .. }), "{error}");
    let error = with_settings(|text| text.replacen("\"semantics\": 2", "\"semantics\": 1", 1));
    assert!(matches!(error, Error::SettingsSemantics { got: Some(1), .. }), "{error}");
    let error = with_settings(|text| text.replacen("\"format\": 2", "\"format\": 1", 1));
    assert!(matches!(error, Error::SettingsFormat { got: 1, .. }), "{error}");
    let error = with_settings(|text| text.replacen("\"format\"", "\"frmat\"", 1));
    assert!(matches!(error, Error::Settings { .. }), "{error}");
}

#[test]
fn ranges_of_more_or_fewer_columns_are_refused() {
    for (changed, got) in
        [("{\"lo\": 0.0, \"hi\": 1.0}", 1), ("{\"lo\": 0, \"hi\": 1}, ".repeat(3).as_str(), 4)]
    {
        let error = with_settings(|text| {
            let begin = text.find("\"columns\": [").unwrap() + "\"columns\": [".len();
            let end = begin + text[begin..].find(']').unwrap();
            let kept = if got == 1 { "" } else { "{\"lo\": -1, \"hi\": 1}" };
            [&text[..begin], changed, kept, &text[end..]].concat()
        });
        let Error::Quantize {
            source: QuantizeError::Columns { tensor, expected, got: found }, ..
        } = error
        else {
            panic!("{error}")
        };
        assert_eq!((tensor.as_str(), expected, found), ("x", 3, got));
    }
}

/// What a key has no room for is told when the model is opened, before anything is computed.
#[test]
fn more_layers_than_a_key_has_challenges_for_are_told_at_once() {
    let deep = |layers: usize| {
        let mut model = Builder::new(17).input("x", &[1, 3]).random("w", &[3, 3]);
        for layer in 0..layers {
            let before = if layer == 0 { "x".to_owned() } else { format!("r{}", layer - 1) };
            let (product, output) = (format!("p{layer}"), format!("r{layer}"));
            model = model.node("MatMul", &[&before, "w"], &[&product], &[]);
            model = model.node("Relu", &[&product], &[&output], &[]);
        }
        let model = model.output(&format!("r{}", layers - 1));
        let place = Place::with(&model.bytes(), &samples());
        zkinfer::Model::open(&place.path("model.onnx"))
    };
    assert!(deep(251).is_ok());
    let error = deep(252).unwrap_err();
    let Error::Plan { source, .. } = error else { panic!("{error}") };
    assert!(source.to_string().contains("252 layers"), "{source}");
}
