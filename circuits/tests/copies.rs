//! Copies, family by family: without it a lie passes, with it nothing else refuses that lie.

mod support;

use std::collections::BTreeSet;

use halo2_proofs::halo2curves::{bn256::Fr, ff::Field};
use support::{Conv, Form, GraphBuilder, Model, checker::Recorder};
use zkinfer_circuits::{InferenceCircuit, Tamper};
use zkinfer_models::{execute, quantized::TensorId};

fn record(model: &Model, circuit: &InferenceCircuit, instance: &[Fr]) -> Recorder {
    Recorder::synthesize(circuit, model.plan.k(), instance)
}

/// A witness with lies about copied cells, from which all else follows, shown in the instance.
fn told(model: &Model, lies: &[Tamper]) -> Recorder {
    let circuit = lies.iter().fold(model.circuit(), |circuit, &lie| circuit.tampered(lie));
    record(model, &circuit, &model.instance).shown()
}

/// A layer computes on another input than the public one.
fn another_input_is_read() -> Recorder {
    let model = support::dense();
    computed_on_another_input(&model, model.plan.graph().outputs[0])
}

/// A pool is shown a larger element than there is, so that its maximum is larger.
fn another_element_is_pooled() -> Recorder {
    let mut builder = GraphBuilder::new(30, [1, 6, 6]);
    let conv = Conv { kernel: [1, 1], ..Conv::default() };
    let hidden = builder.conv(TensorId(0), &conv, Form::Signed);
    let pooled = builder.max_pool(hidden, 3, 3);
    let model = builder.finish(pooled);
    let values = &model.execution.values[pooled.0];
    let at = values.iter().position(|&maximum| maximum < 127).expect("one is not the largest");
    // Three rows to a window of nine; in the first one the first element becomes larger than all.
    let windows_to_row = model.plan.shape().pool.as_ref().expect("a pool has its unit").lanes;
    let index = 3 * at;
    let (row, lane) = (index / windows_to_row, index % windows_to_row);
    let column = model.columns("pool input")[4 * lane];
    let graph = model.plan.graph();
    let zkinfer_models::quantized::QuantizedOp::MaxPool(pool) = &graph.nodes[1].op else {
        panic!("a pool")
    };
    let window = pool.windows.iter().nth(at).expect("an output has its window");
    let first = model.execution.values[hidden.0][window[0]];
    let delta = Fr::from((values[at] + 1 - first).unsigned_abs());
    told(&model, &[Tamper { column, row, delta }])
}

/// A matrix product is computed with other factors than the public ones.
fn other_factors_are_multiplied() -> Recorder {
    let mut builder = GraphBuilder::new(31, [1, 1, 10]);
    let [a, b] =
        [vec![0, 1, 2, 3], vec![9, 8, 7, 6, 5, 4]].map(|i| builder.alias(TensorId(0), i.into()));
    let output = builder.contract([a, b], [1, 2, 2, 3], Form::Signed);
    computed_on_another_input(&builder.finish(output), output)
}

/// Other elements than the public ones are normalized.
fn other_elements_are_normalized() -> Recorder {
    let mut builder = GraphBuilder::new(32, [1, 2, 3]);
    let output = builder.normalize(TensorId(0), 3, true, Form::Signed);
    computed_on_another_input(&builder.finish(output), output)
}

/// The model's run on another input, with the outputs that it has.
fn computed_on_another_input(model: &Model, output: TensorId) -> Recorder {
    let graph = model.plan.graph();
    let honest = &model.execution.values[graph.inputs[0].0];
    let other: Vec<i64> = honest.iter().rev().map(|value| -1 - value).collect();
    let execution = execute(graph, &[other]).expect("in range");
    assert_ne!(execution.values[output.0], model.execution.values[output.0]);
    let circuit = InferenceCircuit::with_execution(model.plan.clone(), execution.into());
    record(model, &circuit, &model.instance).shown()
}

/// All inputs of a group are others, with another largest among them.
fn another_group_is_normalized() -> Recorder {
    let model = support::softmax();
    let graph = model.plan.graph();
    let inputs = &model.execution.values[graph.nodes[0].output.0];
    let column = model.column("softmax input");
    let first = model.rows_before_softmax_elements();
    let lies: Vec<_> = inputs
        .iter()
        .enumerate()
        .map(|(row, &input)| {
            let told = i64::try_from(row).expect("few rows") * 3;
            let (added, taken) = (Fr::from(64), Fr::from((input + 64 - told).unsigned_abs()));
            let sign = if input + 64 - told < 0 { Fr::ONE } else { -Fr::ONE };
            let row = first + row;
            Tamper { column, row, delta: added - Fr::from(64) + sign * taken + Fr::from(64) }
        })
        .collect();
    told(&model, &lies)
}

/// A forest compares another element than the input has.
fn another_element_is_compared() -> Recorder {
    let model = support::forest();
    let column = model.column("forest element");
    told(&model, &[Tamper { column, row: 0, delta: Fr::ONE }])
}

/// Another row of a table is chosen than the one at the public index.
fn another_row_is_embedded() -> Recorder {
    let model = support::rows_of_a_table();
    let graph = model.plan.graph();
    let execution = execute(graph, &[vec![4, 1, 4]]).expect("in range");
    let circuit = InferenceCircuit::with_execution(model.plan.clone(), execution.into());
    record(&model, &circuit, &model.instance).shown()
}

/// Another output than the model's is committed to.
fn another_output_is_committed_to() -> Recorder {
    let model = support::committed_output();
    let column = model.column("committed output");
    let cells = model.circuit().assigned_cells();
    let row = cells.iter().find(|cell| cell.0 == column).expect("a packed output").1;
    told(&model, &[Tamper { column, row, delta: Fr::ONE }])
}

/// The part behind is given another element than the layers of this one constrain.
fn another_element_is_given() -> Recorder {
    let model = support::part();
    let column = model.column("given element");
    told(&model, &[Tamper { column, row: 0, delta: Fr::ONE }])
}

/// The instance shows another output.
fn another_output_is_shown() -> Recorder {
    let model = support::dense();
    let mut instance = model.instance.clone();
    *instance.last_mut().expect("an output") += Fr::ONE;
    record(&model, &model.circuit(), &instance)
}

/// The instance shows another commitment.
fn another_commitment_is_shown() -> Recorder {
    let model = support::committed_input();
    let mut instance = model.instance.clone();
    instance[2] += Fr::ONE;
    record(&model, &model.circuit(), &instance)
}

/// The tree of several claims holds another commitment than that to the inputs.
fn another_commitment_is_joined() -> Recorder {
    let model = support::joined();
    let honest = record(&model, &model.circuit(), &model.instance);
    let mut claims = model.claims.clone();
    claims.last_mut().expect("claims").input += Fr::ONE;
    let other = record(&model, &model.circuit().with_claims(claims), &model.instance);
    let digest = honest.differing_source("joined commitment", &other).expect("another digest");
    honest.continued_by(&other, digest).shown()
}

/// For each family a lie that only it refuses.
fn lies() -> Vec<(&'static str, Recorder)> {
    vec![
        ("linear read", another_input_is_read()),
        ("product factor", other_factors_are_multiplied()),
        ("normalized element", other_elements_are_normalized()),
        ("pool input", another_element_is_pooled()),
        ("softmax input", another_group_is_normalized()),
        ("forest element", another_element_is_compared()),
        ("embedding index", another_row_is_embedded()),
        ("committed output", another_output_is_committed_to()),
        ("given element", another_element_is_given()),
        ("shown output", another_output_is_shown()),
        ("shown commitment", another_commitment_is_shown()),
        ("joined commitment", another_commitment_is_joined()),
    ]
}

#[test]
fn without_a_family_of_copies_a_lie_passes() {
    for (family, lie) in lies() {
        assert_eq!(lie.broken(), BTreeSet::from(["copy".to_owned()]), "{family}");
        for other in lie.families() {
            let broken = lie.clone().without(other).broken();
            assert_eq!(broken.is_empty(), other == family, "{family} without {other}: {broken:?}");
        }
    }
}

/// A new family needs a lie of its own.
#[test]
fn every_family_of_copies_has_its_lie() {
    let models = support::models().into_iter();
    let families =
        models.flat_map(|(_, model)| record(&model, &model.circuit(), &model.instance).families());
    let lied_about: BTreeSet<_> = lies().into_iter().map(|(family, _)| family).collect();
    assert_eq!(families.collect::<BTreeSet<_>>(), lied_about);
}

#[test]
fn every_cell_of_a_copied_column_is_a_copy() {
    for (name, model) in support::models() {
        let circuit = model.circuit();
        let uncopied =
            record(&model, &circuit, &model.instance).uncopied(&circuit.assigned_cells());
        assert!(uncopied.is_empty(), "{name}: {uncopied:?}");
    }
}
