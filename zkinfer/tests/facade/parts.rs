//! A model in parts computes what it does whole.

use std::{collections::BTreeSet, fmt::Write as _, num::NonZeroU32};

use zkinfer::{
    Blame, BoundarySetup, Device, Error, InputData, Links, Making, Model, Part, PartFiles, Parts,
    PartsExpectation, Recipe, SplitError, SrsPolicy,
    models::{execute, quantize_inputs},
    verifier::JobBinding,
};

use crate::{
    onnx::{Builder, int, noise},
    support::{Place, zoo},
};

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

/// A cell of six units over five steps, and samples of it.
fn recurrent() -> Place {
    let model = Builder::new(22).input("x", &[5, 1, 4]).random("w", &[1, 24, 4]);
    let model = model.random("r", &[1, 24, 6]).random("b", &[1, 48]);
    let attributes = [int("hidden_size", 6)];
    let model = model.node("LSTM", &["x", "w", "r", "b"], &["y", "last"], &attributes);
    let names: Vec<String> = (0..20).map(|at| format!("x{at}")).collect();
    let mut samples = names.join(",") + "\n";
    for sample in ["a", "b", "c", "d", "e", "f"] {
        let values: Vec<String> = noise(sample, 20).iter().map(f32::to_string).collect();
        writeln!(samples, "{}", values.join(",")).unwrap();
    }
    Place::with(&model.output("last").bytes(), &samples)
}

/// Every part of a recurrent network that is cut between two steps of its cell is proven by itself, and
/// all of them are a proof of the integers of the whole.
#[test]
fn a_recurrent_network_is_proven_in_parts_that_are_cut_between_its_steps() {
    let place = recurrent();
    let model = place.model();
    let quantized = place.calibrated(&model);
    let files = PartFiles::in_folder(&place.path("parts"));
    let (count, device) = (NonZeroU32::new(3).unwrap(), Device::default());
    let making = Making { count, files: &files, srs: None, device: &device, accuracy: None };
    let parts = Parts::make(&model, &quantized, making, &|_| ()).unwrap();
    let names = |part: &zkinfer::Quantized| -> BTreeSet<String> {
        part.graph.nodes.iter().map(|node| node.name.clone()).collect()
    };
    let names: Vec<_> = parts.quantized.iter().map(names).collect();
    assert!(names.windows(2).all(|pair| !pair[0].is_disjoint(&pair[1])), "{names:?}");

    let samples = InputData::read_samples(&place.path("samples.csv")).unwrap();
    let input = model.samples(&samples).unwrap().swap_remove(3);
    let links = Links::in_folder(&place.path("links"));
    let run = model.run(&quantized, &input).unwrap();
    let outputs = parts.link(&run.integers, &links).unwrap();
    assert_eq!(outputs, run.execution.outputs(&quantized.graph));
    let job = JobBinding { chain_id: 1, job_id: [7; 32], payee: [8; 20], expiry: 0, nonce: 1 };
    let prove = |index: usize| {
        let part = Part::open(&model, &files, index, None, &device, &|_| ()).unwrap();
        let input = (index == 0).then_some(&input[..]);
        part.prove(input, &links, &job, &|_| ()).unwrap().file
    };
    let proofs = [0, 1, 2].map(prove);
    let keys = files.read_keys(&parts.manifest).unwrap();
    let expected =
        PartsExpectation::new(&parts.manifest, &keys, job.job_id, SrsPolicy::AllowInsecureDev);
    let verified = expected.check(&proofs).unwrap();
    assert_eq!(verified.output().unwrap().public(), Some(&outputs[0][..]));
    let [first, second, third] = proofs;
    let refused = expected.check(&[first, third, second]).unwrap_err();
    assert_eq!(refused.codes(), ["parts-order"]);
}

/// What a part is given that cannot be what it takes, and a setup that is not that of the keys.
#[test]
fn what_is_wrong_with_a_part_that_is_run_alone_has_a_word() {
    let model = Model::open(&zoo("digits_mlp").join("model.onnx")).unwrap();
    let data = InputData::read_samples(&zoo("digits_mlp").join("samples.npz")).unwrap();
    let recipe = Recipe { samples: Some(data), ..Recipe::default() };
    let whole = model.quantize(&recipe, &zoo("digits_mlp").join("none"), &[]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (files, device) = (PartFiles::in_folder(folder.path()), Device::default());
    let count = NonZeroU32::new(2).unwrap();
    let making = Making { count, files: &files, srs: None, device: &device, accuracy: None };
    let parts = Parts::make(&model, &whole, making, &|_| ()).unwrap();
    let part = Part::open(&model, &files, 1, None, &device, &|_| ()).unwrap();
    let expected = part.graph().inputs.iter().map(|id| part.graph().tensors[id.0].len()).sum();
    for got in [0, 1, expected - 1, expected + 1] {
        let refused = part.run(&vec![0; got]).unwrap_err();
        assert_eq!((refused.blame(), refused.code()), (Blame::Input, "part-taken"));
        let taken = Error::Parts(SplitError::Taken { expected, got });
        assert_eq!(refused.to_string(), taken.to_string());
    }
    let ceremony = zoo("").join("powersOfTau28_hez_final_08.ptau");
    let refused = BoundarySetup::new(&parts.keys[0], Some(&ceremony)).unwrap_err();
    assert_eq!((refused.blame(), refused.code()), (Blame::Setup, "setup-of-parts"));
    BoundarySetup::new(&parts.keys[0], None).unwrap();
}
