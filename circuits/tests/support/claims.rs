//! Models whose inputs and outputs are not simply shown: hidden ones, several runs in one proof, and
//! parts of a longer run.

use zkinfer_circuits::{HashWidths, PlanOptions};
use zkinfer_models::quantized::*;
use zkinfer_verifier::Visibility;

use super::{Conv, Form, GraphBuilder, Model};

/// Input and output hidden; the input takes several limbs and permutations.
pub(crate) fn committed() -> Model {
    let mut builder = GraphBuilder::new(8, [1, 1, 70]);
    builder.graph.tensors[0].lo = -1024;
    builder.graph.tensors[0].hi = 1023;
    let hidden = builder.dense(TensorId(0), 3, Form::Relu);
    let output = builder.dense(hidden, 3, Form::Wide);
    builder.graph.outputs = vec![output];
    let inputs = (0..70).map(|i| if i == 5 { -1024 } else { 1023 - 29 * i }).collect();
    Model::with_visibility(builder.graph, inputs, [Visibility::Committed; 2])
}

/// Input alone hidden, of one limb: no limb is narrower than five bits.
pub(crate) fn committed_input() -> Model {
    let mut builder = GraphBuilder::new(10, [1, 1, 9]);
    builder.graph.tensors[0].lo = -16;
    builder.graph.tensors[0].hi = 15;
    let output = builder.dense(TensorId(0), 4, Form::Signed);
    builder.graph.outputs = vec![output];
    let inputs = vec![-16, 15, 0, 5, -6, 1, 2, 3, -7];
    Model::with_visibility(builder.graph, inputs, [Visibility::Committed, Visibility::Public])
}

/// Output alone hidden.
pub(crate) fn committed_output() -> Model {
    let mut builder = GraphBuilder::new(9, [1, 1, 6]);
    let output = builder.dense(TensorId(0), 5, Form::Relu);
    builder.graph.outputs = vec![output];
    let inputs = vec![-128, 127, 0, 5, -6, 1];
    Model::with_visibility(builder.graph, inputs, [Visibility::Public, Visibility::Committed])
}

/// A hidden input of which there is one value only.
pub(crate) fn committed_constant() -> Model {
    let mut builder = GraphBuilder::new(15, [1, 1, 3]);
    builder.graph.tensors[0].lo = 7;
    builder.graph.tensors[0].hi = 7;
    let output = builder.dense(TensorId(0), 2, Form::Signed);
    builder.graph.outputs = vec![output];
    let visibility = [Visibility::Committed, Visibility::Public];
    Model::with_visibility(builder.graph, vec![7; 3], visibility)
}

/// So many runs in one proof of `2^k` rows, and how wide the rows of the hash are then.
fn joined_at((count, outputs): (i64, usize), k: u32, widths: [usize; 3]) -> Model {
    let (graph, inputs) = several_runs(count, outputs);
    let model = Model::joined(graph, &inputs, k);
    let [lanes, rounds, digits] = widths;
    let found = model.plan.shape().hash.as_ref().map(|shape| shape.widths);
    assert_eq!(found, Some(HashWidths { lanes, rounds, digits }));
    model
}

/// Two runs in one proof, one after the other; outputs of several field elements.
pub(crate) fn joined() -> Model {
    joined_at((2, 34), 9, [1, 3, 1])
}

/// The same in fewer rows: two elements are packed in a row.
pub(crate) fn joined_in_few_rows() -> Model {
    joined_at((2, 34), 8, [2, 3, 2])
}

/// Three runs, for which rows have so many partial rounds that some are left.
pub(crate) fn joined_with_rounds_left() -> Model {
    joined_at((3, 34), 9, [1, 5, 2])
}

/// Four runs, two side by side.
pub(crate) fn joined_side_by_side() -> Model {
    joined_at((4, 3), 9, [2, 3, 1])
}

/// Four runs whose rows of slots have a channel of all runs each: hidden tensors are read where they
/// lie, and of wide outputs a row has one.
pub(crate) fn joined_abreast() -> Model {
    let model = joined_layers(Form::Wide);
    assert!(model.plan.shape().slots.is_read_in_place);
    model
}

/// The same with narrow outputs, which are copied to where they are committed to.
pub(crate) fn joined_abreast_with_copies() -> Model {
    let model = joined_layers(Form::Signed);
    assert!(!model.plan.shape().slots.is_read_in_place);
    model
}

/// Four runs of three dense layers.
fn joined_layers(form: Form) -> Model {
    let mut builder = GraphBuilder::new(72, [1, 1, 5]);
    let first = builder.dense(TensorId(0), 120, Form::Relu);
    let second = builder.dense(first, 110, Form::Relu);
    let output = builder.dense(second, 3, form);
    builder.graph.outputs = vec![output];
    let input = |run: i64| (0..5).map(|i| (run * 37 + i * 29) % 256 - 128).collect();
    let inputs: Vec<_> = (0..4).map(input).collect();
    let model = Model::joined(builder.graph, &inputs, 8);
    assert!(model.plan.shape().slots.is_abreast && model.plan.shape().linear.in_place == 4);
    model
}

/// A part in the middle: of what it takes, a layer reads some and some goes on as it is.
pub(crate) fn part() -> Model {
    let mut builder = GraphBuilder::new(70, [1, 6, 6]);
    let conv = Conv { out: 2, kernel: [3, 3], ..Conv::default() };
    let hidden = builder.conv(TensorId(0), &conv, Form::Relu);
    let output = builder.max_pool(hidden, 2, 2);
    builder.graph.outputs = vec![output, TensorId(0)];
    let inputs = (0..36).map(|i| i * 29 % 256 - 128).collect();
    let options = PlanOptions { boundaries: [true, true], ..PlanOptions::default() };
    Model::with_options(builder.graph, inputs, options)
}

/// The first part: its input is shown, and more than a column of it is given.
pub(crate) fn first_part() -> Model {
    let mut builder = GraphBuilder::new(71, [1, 1, 9]);
    let output = builder.dense(TensorId(0), 24, Form::Signed);
    builder.graph.outputs = vec![output];
    let inputs = (0..9).map(|i| i * 31 % 256 - 128).collect();
    let options = PlanOptions { boundaries: [false, true], k: Some(5), ..PlanOptions::default() };
    let model = Model::with_options(builder.graph, inputs, options);
    assert_eq!(model.plan.shape().boundary.map(|shape| shape.given), Some(2));
    model
}

/// A convolution, which repeats its weights, and a dense layer, which does not; inputs of several
/// field elements.
fn several_runs(count: i64, outputs: usize) -> (QuantizedGraph, Vec<Vec<i64>>) {
    let mut builder = GraphBuilder::new(60, [1, 6, 6]);
    let conv = Conv { out: 2, kernel: [3, 3], ..Conv::default() };
    let hidden = builder.conv(TensorId(0), &conv, Form::Relu);
    let output = builder.dense(hidden, outputs, Form::Signed);
    builder.graph.outputs = vec![output];
    let input = |run: i64| (0..36).map(|i| (run * 37 + i * 29) % 256 - 128).collect();
    (builder.graph, (0..count).map(input).collect())
}
