//! Dimensions that a model leaves open are those of the input that is given.

use std::fs;

use zkinfer::{
    Device, Error, InputData, InputSource, Keys, Model, Recipe, Shapes,
    models::{ImportError, ImportOptions},
};

use crate::{
    onnx::{
        Builder,
        proto::{DataType, Dim, DimensionProto},
    },
    support::Place,
};

/// A model of `[batch, time, 2]` inputs.
fn sequence() -> Builder {
    let mut model = Builder::new(17).input("x", &[1, 1, 2]).random("w", &[2, 3]);
    let input = &mut model.graph().input[0];
    let tensor = input.r#type.as_mut().unwrap().tensor_type.as_mut().unwrap();
    let dimensions = &mut tensor.shape.as_mut().unwrap().dim;
    dimensions[0] = DimensionProto { value: Some(Dim::Param("batch".to_owned())) };
    dimensions[1] = DimensionProto { value: Some(Dim::Param("time".to_owned())) };
    model.node("MatMul", &["x", "w"], &["y"], &[]).output("y")
}

fn open(shapes: &[Shapes<'_>], place: &Place) -> Result<Vec<usize>, Error> {
    let model = Model::open_for(&place.path("model.onnx"), &ImportOptions::default(), shapes)?;
    assert_eq!(model.completed_inputs().count(), 1);
    Ok(model.graph().inputs()[0].shape.clone())
}

#[test]
fn an_input_shows_its_shape() {
    let place = Place::with(&sequence().bytes(), "");
    for (text, expected) in [
        ("{\"x\": [[[1, 2], [3, 4], [5, 6]]]}", Some([1, 3, 2])),
        ("{\"x\": [[1, 2], [3, 4]]}", Some([1, 2, 2])),
        ("{\"input_data\": [[1, 2, 3, 4, 5, 6, 7, 8]]}", Some([1, 4, 2])),
        ("1,2,3,4\n", Some([1, 2, 2])),
        ("1,2\n3,4\n5,6\n", Some([1, 3, 2])),
        ("{\"x\": [[[[1, 2], [3, 4]]]]}", Some([1, 2, 2])),
        // What does not fit stays open, with the flag to give.
        ("{\"x\": [1, 2, 3]}", None),
        ("{\"x\": [[1, 2, 3], [3, 4, 5]]}", None),
        ("{\"z\": [[1, 2], [3, 4]]}", None),
    ] {
        fs::write(place.path("input"), text).unwrap();
        let data = InputData::read(&place.path("input")).unwrap();
        match (open(&[Shapes::Input(&data)], &place), expected) {
            (Ok(shape), Some(expected)) => assert_eq!(shape, expected, "{text}"),
            (Err(Error::Refused { source, .. }), None) => {
                let first = source.first();
                assert!(
                    matches!(first, ImportError::OpenDimension { flag, .. } if flag == "x=1x?x2"),
                    "{text}: {first}"
                );
            }
            (other, _) => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn samples_folders_and_keys_show_it_too() {
    let place = Place::with(&sequence().bytes(), "");
    let samples = "{\"x\": [[[1, 2], [3, 4], [5, 6]], [[6, 5], [4, 3], [2, 1]]]}";
    fs::write(place.path("samples"), samples).unwrap();
    let data = InputData::read_samples(&place.path("samples")).unwrap();
    assert_eq!(open(&[Shapes::Samples(&data)], &place).unwrap(), [1, 3, 2]);
    fs::create_dir(place.path("inputs")).unwrap();
    fs::write(place.path("inputs/a.json"), "{\"x\": [[1, 2], [3, 4], [5, 6]]}").unwrap();
    let source = InputSource::read(&place.path("inputs")).unwrap();
    assert_eq!(open(&[Shapes::Inputs(&source)], &place).unwrap(), [1, 3, 2]);

    let path = place.path("model.onnx");
    let shapes = [Shapes::Samples(&data)];
    let model = Model::open_for(&path, &ImportOptions::default(), &shapes).unwrap();
    let recipe = Recipe { samples: Some(data.clone()), ..Recipe::default() };
    let quantized = model.quantize(&recipe, &place.path("none"), &[]).unwrap();
    let keys = Keys::make(&model, &quantized, None, &Device::default(), &|_| ()).unwrap();
    let layout = &keys.verifying_key().parts().layout.inputs;
    assert_eq!(open(&[Shapes::Key(layout)], &place).unwrap(), [1, 3, 2]);
}

/// One flat list of samples may be many short ones or few long ones: nobody guesses.
#[test]
fn flat_samples_leave_the_shape_open() {
    let place = Place::with(&sequence().bytes(), "");
    fs::write(place.path("samples"), "{\"input_data\": [[1, 2, 3, 4, 5, 6, 7, 8]]}").unwrap();
    let data = InputData::read_samples(&place.path("samples")).unwrap();
    let refused = open(&[Shapes::Samples(&data)], &place).unwrap_err();
    assert!(matches!(refused, Error::Refused { .. }), "{refused}");
}

/// An input that decides which operation it is, is the constant that the input file holds, and the
/// proof is about the others.
#[test]
fn an_input_that_decides_what_is_computed_is_fixed() {
    let mut model = Builder::new(13).input("x", &[2, 3]).input("axes", &[1]);
    let axes = model.graph().input[1].r#type.as_mut().unwrap();
    axes.tensor_type.as_mut().unwrap().elem_type = DataType::Int64 as i32;
    let model = model.node("ReduceSum", &["x", "axes"], &["y"], &[]).output("y");
    let place = Place::with(&model.bytes(), "{\"x\": [[1, 2, 3], [4, 5, 6]], \"axes\": [1]}");
    let path = place.path("model.onnx");
    let Err(Error::Refused { source, .. }) = Model::open(&path) else { panic!() };
    assert_eq!(source.first().code(), "computed-operand");
    fs::write(place.path("given"), "{\"x\": [[1, 2, 3], [4, 5, 6]], \"axes\": [1]}").unwrap();
    let data = InputData::read(&place.path("given")).unwrap();
    let shown = [Shapes::Input(&data)];
    let model = Model::open_for(&path, &ImportOptions::default(), &shown).unwrap();
    assert_eq!(model.fixed_inputs()["axes"], [1.0]);
    assert_eq!(model.graph().inputs().len(), 1);
    assert_eq!(model.input(&data).unwrap().len(), 1);
    // Who fixes it beforehand has the same model; other axes make another.
    let fixed = ImportOptions::default().fix("axes", &[1.0]).unwrap();
    assert_eq!(Model::open_with(&path, &fixed).unwrap().digest(), model.digest());
    let other = ImportOptions::default().fix("axes", &[0.0]).unwrap();
    assert_ne!(Model::open_with(&path, &other).unwrap().digest(), model.digest());
}
