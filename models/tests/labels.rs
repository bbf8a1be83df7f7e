//! Classes that have names in the file: as places in lists, whose names the graph has.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use support::near::{array, graph, is_near};
use support::onnx::proto::{AttributeProto, DataType, TensorProto};
use support::onnx::{Builder, floats, int, ints, noise, text, texts};
use zkinfer_models::{ClassNames, Graph};

const ML: &str = "ai.onnx.ml";

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// A classifier of three classes, from three features.
fn classifier(labels: AttributeProto) -> Builder {
    let weights = [floats("coefficients", &noise("weights", 9)), floats("intercepts", &[0.0; 3])];
    let attributes = [&weights[..], &[labels, text("post_transform", "SOFTMAX")]].concat();
    let model = Builder::new(17).set(ML, 3).input("x", &[2, 3]);
    model.domain_node(ML, "LinearClassifier", &["x"], &["label", "scores"], &attributes)
}

/// A tensor of texts.
fn with_texts(mut model: Builder, name: &str, values: &[&str]) -> Builder {
    model.graph().initializer.push(TensorProto {
        name: name.to_owned(),
        dims: vec![i64::try_from(values.len()).unwrap()],
        data_type: DataType::String as i32,
        string_data: values.iter().map(|value| value.as_bytes().to_vec()).collect(),
        ..TensorProto::default()
    });
    model
}

fn refusal(model: &Builder) -> String {
    Graph::from_onnx_bytes(&model.bytes()).unwrap_err().to_string()
}

const SPECIES: [&str; 3] = ["setosa", "versicolor", "virginica"];

#[test]
fn classifiers_name_their_labels_and_the_columns_of_their_scores() {
    let labels = texts("classlabels_strings", &SPECIES);
    let model = classifier(labels.clone()).output("label").output("scores");
    let named = graph("texts", &model);
    let of = |output: &str| named.classes().get(output).cloned();
    assert_eq!(of("label"), Some(ClassNames::Values(names(&SPECIES))));
    assert_eq!(of("scores"), Some(ClassNames::Columns(names(&SPECIES))));
    // Numbers need no names, but the scores are about them.
    let model = classifier(ints("classlabels_ints", &[4, 9, -2])).output("label").output("scores");
    let numbered = graph("numbers", &model);
    let columns = ClassNames::Columns(names(&["4", "9", "-2"]));
    assert_eq!(numbered.classes().iter().collect::<Vec<_>>(), [(&"scores".to_owned(), &columns)]);
    // A map says what its keys are, and movement keeps what a text is.
    let shown = texts("classlabels_strings", &["a", "b", "c"]);
    let model = classifier(labels).domain_node(ML, "ZipMap", &["scores"], &["map"], &[shown]);
    let model = model.node("Identity", &["label"], &["same"], &[]);
    let model = model.node("Cast", &["same"], &["text"], &[int("to", 8)]);
    let mapped = graph("map", &model.output("text").output("map"));
    let of = |output: &str| mapped.classes().get(output).cloned();
    assert_eq!(of("text"), Some(ClassNames::Values(names(&SPECIES))));
    assert_eq!(of("map"), Some(ClassNames::Columns(names(&["a", "b", "c"]))));
}

/// What is computed of a text must know its list: places are no numbers of the model.
#[test]
fn texts_are_encoded_and_nothing_else() {
    let labels = || texts("classlabels_strings", &["b", "a", "c"]);
    let keys = [texts("keys_strings", &["a", "b"]), floats("values_floats", &[0.5, -1.0])];
    let encode = |model: Builder, attributes: &[AttributeProto]| {
        model.domain_node(ML, "LabelEncoder", &["label"], &["y"], attributes).output("y")
    };
    // The classes of the two samples are found by running the same model with numbers.
    let x = || array(&[2, 3], noise("x", 6));
    let places = classifier(ints("classlabels_ints", &[0, 1, 2])).output("label");
    let places = graph("places", &places).run_float(&[x()]).unwrap().remove(0);
    let expected = |values: [f32; 3]| -> Vec<f32> {
        let value = |&place: &f32| [0.0, 1.0, 2.0].iter().position(|at| *at == place).unwrap();
        places.iter().map(|place| values[value(place)]).collect()
    };
    let encoded = graph("encoded", &encode(classifier(labels()), &keys));
    is_near("encoded", &encoded, &[x()], &[expected([-1.0, 0.5, 0.0])], 0.001);
    assert!(encoded.classes().is_empty());
    let renamed = [texts("keys_strings", &["a", "b"]), texts("values_strings", &["no", "yes"])];
    let renamed = graph("renamed", &encode(classifier(labels()), &renamed));
    is_near("renamed", &renamed, &[x()], &[expected([1.0, 0.0, 2.0])], 0.001);
    let list = ClassNames::Values(names(&["no", "yes", "_Unused"]));
    assert_eq!(renamed.classes()["y"], list);
    let categories = [texts("cats_strings", &["c", "b"])];
    let one_hot =
        classifier(labels()).domain_node(ML, "OneHotEncoder", &["label"], &["y"], &categories);
    let one_hot = graph("one hot", &one_hot.output("y"));
    let row =
        |place: &f32| if *place == 0.0 { [0.0, 1.0] } else { [f32::from(*place == 2.0), 0.0] };
    let rows = places.iter().flat_map(row).collect();
    is_near("one hot", &one_hot, &[x()], &[rows], 0.001);
    let sum = classifier(labels()).node("Add", &["label", "label"], &["y"], &[]).output("y");
    assert_eq!(
        refusal(&sum),
        "node `Add_y` (Add): texts, of which only places in a list are known here; encode them \
         with a LabelEncoder first"
    );
    let cast = classifier(labels()).node("Cast", &["label"], &["y"], &[int("to", 1)]).output("y");
    assert_eq!(
        refusal(&cast),
        "node `Cast_y` (Cast): a cast of texts to numbers; use a LabelEncoder"
    );
}

/// Classes that a file keeps in a tensor, as exporters write nearest neighbours and votes.
#[test]
fn the_place_of_the_largest_score_finds_a_text() {
    let model = Builder::new(17).set(ML, 1).input("x", &[2, 3]);
    let model = with_texts(model, "names", &["b", "a", "b"]);
    let model = model.node("ArgMax", &["x"], &["place"], &[int("axis", 1)]);
    let found =
        model.clone().domain_node(ML, "ArrayFeatureExtractor", &["names", "place"], &["y"], &[]);
    let found = graph("texts of a tensor", &found.output("y"));
    assert_eq!(found.classes()["y"], ClassNames::Values(names(&["b", "a"])));
    let x = array(&[2, 3], vec![0.1, 0.9, 0.2, 0.1, 0.3, 0.5]);
    is_near("texts of a tensor", &found, &[x], &[vec![1.0, 0.0]], 0.001);
    let moved = model.node("Reshape", &["names", "place"], &["y"], &[]).output("y");
    assert!(refusal(&moved).contains("node `Reshape_y` (Reshape): texts"), "{}", refusal(&moved));
}

#[test]
fn texts_that_no_key_can_have_are_refused() {
    let long = "a".repeat(257);
    assert_eq!(
        refusal(&classifier(texts("classlabels_strings", &["a", "b", &long])).output("label")),
        "node `LinearClassifier_label`: attribute `classlabels_strings` must be UTF-8 of at most \
         256 bytes each"
    );
}

/// A list of texts is read in time that grows with it, and no faster.
#[test]
fn a_tensor_of_many_texts_is_read() {
    let many: Vec<String> = (0..200_000).map(|at| format!("class {at}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let model = with_texts(classifier(texts("classlabels_strings", &SPECIES)), "many", &many);
    let graph = graph("many texts", &model.output("label"));
    assert_eq!(graph.classes()["label"], ClassNames::Values(names(&SPECIES)));
}
