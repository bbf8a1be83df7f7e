//! A model in parts computes what it does whole.

use std::num::NonZeroU32;

use zkinfer::{
    Error, InputData, Model, Recipe, SplitError,
    models::{execute, quantize_inputs},
};

use crate::support::zoo;

/// How many parts, and whether the model has so many layers.
const SPLITS: [(&str, u32, bool); 6] = [
    ("digits_mlp", 2, true),
    ("digits_cnn", 3, true),
    ("mnist_lenet", 2, true),
    ("mnist_lenet", 4, true),
    ("digits_mlp", 500, false),
    ("digits_mlp", u32::MAX, false),
];

#[test]
fn parts_of_models_compute_the_integers_of_the_whole() {
    for (name, count, is_possible) in SPLITS {
        let model = Model::open(&zoo(name).join("model.onnx")).unwrap();
        let data = InputData::read_samples(&zoo(name).join("samples.npz")).unwrap();
        let recipe = Recipe { samples: Some(data.clone()), ..Recipe::default() };
        let whole = model.quantize(&recipe, &zoo(name).join("none"), &[]).unwrap();
        let parts = whole.split(&model, NonZeroU32::new(count).unwrap());
        if !is_possible {
            let refused = parts.unwrap_err();
            let too_many = Error::Parts(SplitError::TooMany { count });
            assert_eq!(refused.to_string(), too_many.to_string());
            assert_eq!(refused.code(), "too-many-parts");
            continue;
        }
        let parts = parts.unwrap();
        for sample in model.samples(&data).unwrap().iter().take(8) {
            let inputs = quantize_inputs(&whole.graph, sample).unwrap();
            let expected = execute(&whole.graph, &inputs).unwrap();
            let mut taken = inputs;
            for part in &parts {
                let run = execute(&part.graph, &taken).unwrap();
                taken = run.outputs(&part.graph).iter().map(|values| values.to_vec()).collect();
            }
            assert_eq!(taken, expected.outputs(&whole.graph), "{name} in {count} parts");
        }
        let places = parts.iter().map(|part| part.settings.part().unwrap());
        let rows = places.clone().next().unwrap().k;
        assert!(places.clone().all(|place| (place.count, place.k) == (count, rows)), "{name}");
        assert!((0..).zip(places).all(|(index, place)| place.index == index), "{name}");
    }
}

/// What the settings of a part say is not what a whole model is quantized with.
#[test]
fn settings_of_a_part_are_not_those_of_a_model() {
    let model = Model::open(&zoo("digits_mlp").join("model.onnx")).unwrap();
    let data = InputData::read_samples(&zoo("digits_mlp").join("samples.npz")).unwrap();
    let recipe = Recipe { samples: Some(data), ..Recipe::default() };
    let whole = model.quantize(&recipe, &zoo("digits_mlp").join("none"), &[]).unwrap();
    let parts = whole.split(&model, NonZeroU32::new(2).unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("part-1.zkinfer.json");
    std::fs::write(&path, parts[1].settings.encode()).unwrap();
    let recipe = Recipe { settings: Some(path), ..Recipe::default() };
    let refused = model.quantize(&recipe, &folder.path().join("none"), &[]).unwrap_err();
    assert_eq!(refused.code(), "settings-of-part");
    let joint = whole.jointly(NonZeroU32::new(2).unwrap());
    let refused = joint.split(&model, NonZeroU32::new(2).unwrap()).unwrap_err();
    assert_eq!(refused.code(), "parts-of-joint");
}
