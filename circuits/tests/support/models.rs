//! The models of the tests, and the one list of them.

use std::sync::Arc;

use zkinfer_circuits::{CircuitPlan, PlanOptions, PlanSizes};
use zkinfer_models::quantized::*;

use super::{Conv, Form, GraphBuilder, Model, claims::*};

/// Calls a macro with the name of every model: one per kind of layer, each small enough to try every
/// lie about it. The one list of them.
macro_rules! for_every_model {
    ($macro:ident) => {
        $macro!(
            dense,
            convolution,
            strided_convolution,
            pool,
            overlapping_pool,
            windows,
            odd_windows,
            exact_windows,
            table,
            tables_of_two_widths,
            looked_up,
            looked_up_beside_wide,
            looked_up_with_overflow,
            siblings,
            product,
            recurrent,
            wide_side_by_side,
            matrix_product,
            turned_products,
            normalization,
            root_mean_square,
            normalizations,
            softmax,
            softmax_of_relu,
            softmax_side_by_side,
            pool_of_softmax,
            forest,
            embedding,
            embeddings,
            committed,
            committed_input,
            committed_constant,
            committed_output,
            joined,
            joined_in_few_rows,
            joined_with_rounds_left,
            joined_side_by_side,
            joined_abreast,
            joined_abreast_with_copies,
            part,
            first_part
        );
    };
}
#[allow(unused_imports, reason = "each test binary uses its own part")]
pub(crate) use for_every_model;

macro_rules! list_models {
    ($($name:ident),*) => {
        /// Every model with its name.
        pub(crate) fn models() -> Vec<(String, Model)> {
            vec![$((stringify!($name).replace('_', " "), $name())),*]
        }
    };
}
for_every_model!(list_models);

/// Trees of unlike depth and width, one of them a leaf, one with a branch below two others.
pub(crate) fn forest() -> Model {
    let mut builder = GraphBuilder::new(50, [1, 1, 4]);
    let mut trees = vec![
        builder.tree(4, 3, 1),
        builder.tree(4, 1, 2),
        builder.tree(4, 0, 1),
        builder.tree(4, 4, 2),
        builder.tree(4, 2, 1),
    ];
    trees[3].branches[0].low = Next::Branch(2);
    let values = builder.forest(TensorId(0), trees);
    let hidden = builder.dense(values, 3, Form::Relu);
    let output = builder.dense(hidden, 2, Form::Wide);
    builder.finish(output)
}

/// Weights of 30 binary digits below one, as exact codes have them.
pub(crate) fn many_digits() -> Model {
    const DIGITS: u32 = 22;
    let mut builder = GraphBuilder::new(51, [1, 1, 5]);
    let hidden = builder.dense(TensorId(0), 4, Form::Signed);
    let output = builder.dense(hidden, 3, Form::Clip(-100, 60));
    for node in &mut builder.graph.nodes {
        let QuantizedOp::Affine(layer) = &mut node.op else { continue };
        layer.terms.iter_mut().flat_map(|term| &mut term.kernel).for_each(|w| *w <<= DIGITS);
        layer.bias.iter_mut().for_each(|bias| *bias = (*bias << DIGITS) + 12_345);
        let requant = &mut layer.requant;
        requant.shift += DIGITS;
        requant.acc_lo = (requant.acc_lo << DIGITS) - 12_345;
        requant.acc_hi = (requant.acc_hi << DIGITS) + 12_345;
    }
    builder.finish(output)
}

/// Rows of a table, the output as they are, with elements of one limb.
pub(crate) fn rows_of_a_table() -> Model {
    let mut builder = GraphBuilder::new(60, [1, 1, 3]);
    (builder.graph.tensors[0].lo, builder.graph.tensors[0].hi) = (0, 4);
    let output = builder.embed(TensorId(0), 3, 7);
    builder.graph.outputs = vec![output];
    Model::new(builder.graph, vec![4, 0, 4])
}

/// A layer of rows of a table.
pub(crate) fn embedding() -> Model {
    let mut builder = GraphBuilder::new(60, [1, 1, 3]);
    (builder.graph.tensors[0].lo, builder.graph.tensors[0].hi) = (0, 4);
    let rows = builder.embed(TensorId(0), 3, 127);
    let output = builder.dense(rows, 2, Form::Signed);
    builder.graph.outputs = vec![output];
    Model::new(builder.graph, vec![4, 0, 4])
}

/// Two tables of unlike width in few rows: several elements and rows of tables side by side, wider
/// than a limb, with indices that count from below 0.
pub(crate) fn embeddings() -> Model {
    let mut builder = GraphBuilder::new(61, [1, 1, 4]);
    (builder.graph.tensors[0].lo, builder.graph.tensors[0].hi) = (-30, 29);
    let first = builder.embed(TensorId(0), 13, 30_000);
    let second = builder.embed(TensorId(0), 4, 100);
    let [a, b] = [first, second].map(|rows| builder.dense(rows, 2, Form::Signed));
    let output = builder.mul(a, b, Form::Signed);
    builder.graph.outputs = vec![output];
    let options = PlanOptions { max_k: 6, ..PlanOptions::default() };
    let model = Model::with_options(builder.graph, vec![-30, 29, 0, -30], options);
    assert!(model.plan.shape().embedding.as_ref().is_some_and(|shape| shape.lanes > 1));
    model
}

pub(crate) fn dense() -> Model {
    let mut builder = GraphBuilder::new(1, [1, 1, 6]);
    let hidden = builder.dense(TensorId(0), 5, Form::Relu);
    let output = builder.dense(hidden, 3, Form::Wide);
    builder.finish(output)
}

pub(crate) fn convolution() -> Model {
    let mut builder = GraphBuilder::new(2, [2, 6, 5]);
    let conv = Conv { out: 3, kernel: [3, 2], padding: [1, 0], ..Conv::default() };
    let output = builder.conv(TensorId(0), &conv, Form::Signed);
    builder.finish(output)
}

pub(crate) fn strided_convolution() -> Model {
    let mut builder = GraphBuilder::new(3, [4, 7, 7]);
    let conv = Conv { out: 4, stride: [2, 2], padding: [1, 1], groups: 2, ..Conv::default() };
    let hidden = builder.conv(TensorId(0), &conv, Form::Relu);
    let dilated = Conv { out: 2, kernel: [2, 2], dilation: [2, 2], ..Conv::default() };
    let output = builder.conv(hidden, &dilated, Form::Signed);
    builder.finish(output)
}

pub(crate) fn pool() -> Model {
    let mut builder = GraphBuilder::new(4, [1, 6, 6]);
    let conv = Conv { kernel: [1, 1], ..Conv::default() };
    let hidden = builder.conv(TensorId(0), &conv, Form::Signed);
    let pooled = builder.max_pool(hidden, 3, 3);
    let output = builder.dense(pooled, 2, Form::Wide);
    builder.finish(output)
}

/// Windows that overlap, and take several lanes.
pub(crate) fn overlapping_pool() -> Model {
    let mut builder = GraphBuilder::new(14, [1, 8, 8]);
    let conv = Conv { out: 2, kernel: [1, 1], ..Conv::default() };
    let hidden = builder.conv(TensorId(0), &conv, Form::Relu);
    let pooled = builder.max_pool(hidden, 3, 1);
    let output = builder.dense(pooled, 2, Form::Wide);
    builder.finish(output)
}

/// A pool that the layer before it takes over.
pub(crate) fn windows() -> Model {
    let mut builder = GraphBuilder::new(11, [1, 8, 8]);
    let conv = Conv { out: 3, padding: [1, 1], ..Conv::default() };
    let hidden = builder.conv(TensorId(0), &conv, Form::Relu);
    let pooled = builder.max_pool(hidden, 2, 2);
    let output = builder.dense(pooled, 2, Form::Wide);
    builder.finish(output)
}

/// The same with windows that reach beyond the image, whose maxima nothing reads. The bias, which
/// is the accumulator there, is no window's maximum: it would be so twice.
pub(crate) fn odd_windows() -> Model {
    let mut builder = GraphBuilder::new(13, [1, 7, 4]);
    let conv = Conv { kernel: [1, 1], ..Conv::default() };
    let hidden = builder.conv(TensorId(0), &conv, Form::Signed);
    let pooled = builder.max_pool(hidden, 2, 2);
    let output = builder.dense(pooled, 2, Form::Signed);
    builder.finish(output)
}

/// The first of these with overflow and shortfalls as large as its layers need: the search finds
/// limbs of bits cheaper.
pub(crate) fn exact_windows() -> Model {
    exact(windows())
}

/// A model with windows in the plan that has an exact range.
pub(crate) fn exact(model: Model) -> Model {
    let [_, k, interleaved, lanes, columns, ways, _] = model.plan.sizes().to_numbers();
    let numbers = [2, k + 1, interleaved, lanes, columns, ways, 8];
    let sizes = PlanSizes::from_numbers(numbers).expect("numbers");
    let plan = CircuitPlan::with_sizes(model.plan.graph(), PlanOptions::default(), sizes).unwrap();
    let plan = plan.expect("the model has such a plan");
    assert!(plan.shape().slots.exact.is_some_and(|size| !size.is_power_of_two()));
    Model { plan: Arc::new(plan), ..model }
}

pub(crate) fn table() -> Model {
    let mut builder = GraphBuilder::new(5, [1, 1, 5]);
    let hidden = builder.dense(TensorId(0), 4, Form::Table(7));
    let hidden = builder.dense(hidden, 4, Form::Relu);
    let output = builder.dense(hidden, 2, Form::Table(7));
    builder.finish(output)
}

/// A model in the plan in which all narrow outputs are looked up, of so many rows.
pub(crate) fn tabled(model: Model, k: u64) -> Model {
    let of = |(format, limb_bits, lanes, columns)| {
        let sizes = PlanSizes::from_numbers([format, k, 1, lanes, columns, 0, limb_bits])?;
        CircuitPlan::with_sizes(model.plan.graph(), PlanOptions::default(), sizes).unwrap()
    };
    let formats = (1..4).flat_map(|format| [8, 5, 6, 7, 10].map(|limb_bits| (format, limb_bits)));
    let widths = [4, 8, 16, 2].map(|lanes| [1, 2, 4, 8, 16].map(|columns| (lanes, columns)));
    let mut plans = formats
        .flat_map(|(format, limb_bits)| {
            let widths = widths.concat().into_iter();
            widths.map(move |(lanes, columns)| (format, limb_bits, lanes, columns))
        })
        .filter_map(of);
    let plan = plans.find(|plan| plan.shape().slots.is_tabled).expect("the model has such a plan");
    Model { plan: Arc::new(plan), ..model }
}

/// Makes weights an eighth, so that tables for every accumulator are small.
fn small_sums(graph: &mut QuantizedGraph) {
    for node in &mut graph.nodes {
        let QuantizedOp::Affine(affine) = &mut node.op else { continue };
        let kernels = affine.terms.iter_mut().flat_map(|term| &mut term.kernel);
        kernels.for_each(|weight| *weight /= 8);
        (affine.requant.acc_lo, affine.requant.acc_hi) =
            (affine.requant.acc_lo / 8 - 9000, affine.requant.acc_hi / 8 + 9000);
    }
}

/// Outputs that are nothing but looked up: a clamp, an activation, idle lanes.
pub(crate) fn looked_up() -> Model {
    let mut builder = GraphBuilder::new(80, [2, 3, 3]);
    let conv = Conv { out: 3, kernel: [2, 2], ..Conv::default() };
    let hidden = builder.conv(TensorId(0), &conv, Form::Table(7));
    let output = builder.dense(hidden, 5, Form::Signed);
    small_sums(&mut builder.graph);
    let model = tabled(builder.finish(output), 7);
    let shape = &model.plan.shape().slots;
    assert!(shape.is_covered && shape.wide_lanes == 0 && shape.overflow_limbs.is_empty());
    model
}

/// The same beside outputs of 16 bits, which a quarter of the lanes hold.
pub(crate) fn looked_up_beside_wide() -> Model {
    let mut builder = GraphBuilder::new(81, [1, 4, 4]);
    let conv = |out| Conv { out, kernel: [1, 1], ..Conv::default() };
    let hidden = builder.conv(TensorId(0), &conv(24), Form::Signed);
    let output = builder.conv(hidden, &conv(4), Form::Wide);
    small_sums(&mut builder.graph);
    let model = tabled(builder.finish(output), 7);
    let shape = &model.plan.shape().slots;
    assert!(shape.is_covered && shape.wide_lanes > 0 && shape.wide_lanes < shape.lanes);
    model
}

/// Looked up where tables for every accumulator would be too large.
pub(crate) fn looked_up_with_overflow() -> Model {
    let mut builder = GraphBuilder::new(82, [1, 1, 5]);
    let hidden = builder.dense(TensorId(0), 4, Form::Table(6));
    let hidden = builder.dense(hidden, 4, Form::Relu);
    let output = builder.dense(hidden, 3, Form::Wide);
    let QuantizedOp::Affine(affine) = &mut builder.graph.nodes[1].op else { panic!("dense") };
    (affine.requant.acc_lo, affine.requant.acc_hi) = (-(1 << 22), 1 << 23);
    let model = tabled(builder.finish(output), 7);
    let shape = &model.plan.shape().slots;
    assert!(!shape.is_covered && shape.wide_lanes == 1);
    model
}

/// Layers that read the same, with an activation and two clamps.
pub(crate) fn siblings() -> Model {
    let mut builder = GraphBuilder::new(83, [2, 3, 4]);
    let conv = |out| Conv { out, kernel: [2, 2], ..Conv::default() };
    let first = builder.conv(TensorId(0), &conv(3), Form::Table(7));
    let second = builder.conv(TensorId(0), &conv(3), Form::Signed);
    let third = builder.conv(TensorId(0), &conv(3), Form::Relu);
    let product = builder.mul(first, third, Form::Signed);
    let output = builder.mul(product, second, Form::Signed);
    let model = builder.finish(output);
    // Products are layers of their own.
    assert_eq!(model.plan.shape().slots.layers, 3);
    model
}

/// An activation, and a clamp to fewer values than any other layer has.
pub(crate) fn tables_of_two_widths() -> Model {
    let mut builder = GraphBuilder::new(16, [1, 1, 5]);
    let hidden = builder.dense(TensorId(0), 4, Form::Table(7));
    let hidden = builder.dense(hidden, 4, Form::Relu);
    let hidden = builder.dense(hidden, 4, Form::Clip(-3, 5));
    let output = builder.dense(hidden, 2, Form::Table(6));
    builder.finish(output)
}

pub(crate) fn product() -> Model {
    let mut builder = GraphBuilder::new(6, [1, 1, 5]);
    let a = builder.dense(TensorId(0), 5, Form::Signed);
    let b = builder.dense(TensorId(0), 5, Form::Relu);
    let flipped = builder.alias(a, vec![4, 2, 0, 1, 3].into());
    let output = builder.mul(flipped, b, Form::Signed);
    builder.finish(output)
}

/// Three steps of a cell with the same weights: a layer of an activation, one of what each step reads
/// and of the state, a sum of both, and a product, which is the next state.
pub(crate) fn recurrent() -> Model {
    let mut builder = GraphBuilder::new(70, [1, 3, 4]);
    let start = builder.dense(TensorId(0), 5, Form::Signed);
    let part = |builder: &mut GraphBuilder, step: usize| {
        builder.alias(TensorId(0), View::strided(&[4], &[1], 4 * step))
    };
    let read = part(&mut builder, 0);
    let gate = builder.dense_of(&[read, start], 5, Form::Table(7));
    let change = builder.dense_of(&[read, start], 5, Form::Signed);
    let sum = builder.sum([gate, change]);
    let mut state = builder.mul(sum, gate, Form::Signed);
    let first = [gate, change, sum, state];
    for step in 1..3 {
        let read = part(&mut builder, step);
        let gate = builder.again(first[0], &[read, state]);
        let change = builder.again(first[1], &[read, state]);
        let sum = builder.again(first[2], &[gate, change]);
        state = builder.again(first[3], &[sum, gate]);
    }
    let output = builder.dense(state, 2, Form::Signed);
    builder.finish(output)
}

/// More values of 16 bits than rows, beside a table: several of them in a row.
pub(crate) fn wide_side_by_side() -> Model {
    let mut builder = GraphBuilder::new(72, [1, 1, 4]);
    let hidden = builder.dense(TensorId(0), 3, Form::Table(7));
    let wide = builder.dense(hidden, 70, Form::Wide);
    let output = builder.dense(wide, 2, Form::Signed);
    builder.graph.outputs = vec![output];
    let inputs = (0..4).map(|_| builder.below(256) - 128).collect();
    let options = PlanOptions { max_k: 6, ..PlanOptions::default() };
    let model = Model::with_options(builder.graph, inputs, options);
    assert!(model.plan.shape().slots.wide_lanes > 1);
    model
}

/// So many steps of a layer of the state alone.
pub(crate) fn many_steps(steps: usize) -> Model {
    let mut builder = GraphBuilder::new(71, [1, 1, 3]);
    let start = builder.dense(TensorId(0), 3, Form::Signed);
    let first = builder.dense(start, 3, Form::Signed);
    let state = (1..steps).fold(first, |state, _| builder.again(first, &[state]));
    let output = builder.dense(state, 2, Form::Signed);
    builder.finish(output)
}

/// Two heads of matrices, with more columns than rows.
pub(crate) fn matrix_product() -> Model {
    let mut builder = GraphBuilder::new(20, [1, 1, 5]);
    let a = builder.dense(TensorId(0), 8, Form::Signed);
    let b = builder.dense(TensorId(0), 12, Form::Relu);
    let output = builder.contract([a, b], [2, 2, 2, 3], Form::Signed);
    builder.finish(output)
}

/// Products with more rows than columns, of a pool, the second of the first and with outputs of 16
/// bits: what a layer with windows and wide channels ask of a product.
pub(crate) fn turned_products() -> Model {
    let mut builder = GraphBuilder::new(21, [1, 4, 4]);
    let conv = Conv { kernel: [1, 1], ..Conv::default() };
    let hidden = builder.conv(TensorId(0), &conv, Form::Relu);
    let pooled = builder.max_pool(hidden, 2, 2);
    let right = builder.alias(pooled, vec![3, 0, 6, 5, 2, 1].into());
    let first = builder.contract([pooled, right], [1, 4, 2, 3], Form::Table(7));
    let output = builder.contract([first, pooled], [2, 3, 2, 1], Form::Wide);
    builder.finish(output)
}

/// Groups with a mean.
pub(crate) fn normalization() -> Model {
    let mut builder = GraphBuilder::new(22, [1, 1, 5]);
    let hidden = builder.dense(TensorId(0), 6, Form::Signed);
    let output = builder.normalize(hidden, 3, true, Form::Signed);
    builder.finish(output)
}

/// Groups without a mean.
pub(crate) fn root_mean_square() -> Model {
    let mut builder = GraphBuilder::new(23, [1, 1, 6]);
    let hidden = builder.normalize(TensorId(0), 2, false, Form::Table(7));
    let output = builder.dense(hidden, 2, Form::Signed);
    builder.finish(output)
}

/// Groups with and without a mean beside a layer with windows, one with outputs of 16 bits.
pub(crate) fn normalizations() -> Model {
    let mut builder = GraphBuilder::new(24, [1, 4, 4]);
    let conv = Conv { kernel: [1, 1], ..Conv::default() };
    let hidden = builder.conv(TensorId(0), &conv, Form::Relu);
    let pooled = builder.max_pool(hidden, 2, 2);
    let first = builder.normalize(pooled, 4, false, Form::Relu);
    let output = builder.normalize(first, 2, true, Form::Wide);
    builder.finish(output)
}

pub(crate) fn softmax() -> Model {
    let mut builder = GraphBuilder::new(7, [1, 1, 4]);
    let logits = builder.dense(TensorId(0), 5, Form::Argument(-64, 63));
    let output = builder.softmax(logits);
    builder.finish(output)
}

/// More elements than rows: several to a row, and groups that do not fill their last one.
pub(crate) fn softmax_side_by_side() -> Model {
    let mut builder = GraphBuilder::new(27, [1, 1, 4]);
    let logits = builder.dense(TensorId(0), 66, Form::Argument(-64, 63));
    let probabilities = builder.softmax_of(logits, 7);
    let output = builder.dense(probabilities, 2, Form::Signed);
    builder.graph.outputs = vec![output];
    let inputs = (0..4).map(|_| builder.below(256) - 128).collect();
    let options = PlanOptions { max_k: 6, ..PlanOptions::default() };
    let model = Model::with_options(builder.graph, inputs, options);
    assert!(model.plan.shape().softmax.as_ref().is_some_and(|shape| shape.lanes > 1));
    model
}

/// A softmax of outputs that are clamped to another range than the table of the layer before.
pub(crate) fn softmax_of_relu() -> Model {
    let mut builder = GraphBuilder::new(17, [1, 1, 4]);
    let hidden = builder.dense(TensorId(0), 5, Form::Table(7));
    let logits = builder.dense(hidden, 5, Form::Argument(0, 63));
    let output = builder.softmax(logits);
    builder.finish(output)
}

/// The largest of some probabilities.
pub(crate) fn pool_of_softmax() -> Model {
    let mut builder = GraphBuilder::new(18, [1, 2, 4]);
    let conv = Conv { out: 1, kernel: [1, 1], ..Conv::default() };
    let logits = builder.conv(TensorId(0), &conv, Form::Argument(-64, 63));
    let probabilities = builder.softmax(logits);
    let output = builder.max_pool(probabilities, 2, 1);
    builder.finish(output)
}
