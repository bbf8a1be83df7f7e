//! Every honest witness satisfies every gate.
#![expect(clippy::unwrap_used, reason = "sizes of these tests are small")]

mod support;

use std::collections::BTreeSet;

use rayon::prelude::*;
use support::{Conv, Form, GraphBuilder, Model, checker::Recorder};
use zkinfer_circuits::{CircuitPlan, PlanOptions};
use zkinfer_models::{
    Execution, RunError, execute,
    quantized::{QuantizedNode, QuantizedOp, TensorId},
};
use zkinfer_verifier::Visibility;

#[test]
fn honest_witnesses_satisfy_the_circuit() {
    for (name, model) in support::models() {
        let failures = model.failures(&model.circuit());
        assert!(failures.is_empty(), "{name}: {:#?}", &failures[..failures.len().min(3)]);
    }
}

/// A commitment to the output was looked for behind as many public values as the part takes.
#[test]
fn a_part_that_takes_a_boundary_commits_to_its_output() {
    let mut builder = GraphBuilder::new(72, [1, 6, 6]);
    let output = builder.dense(TensorId(0), 5, Form::Signed);
    builder.graph.outputs = vec![output];
    let inputs = (0..36).map(|i| i * 29 % 256 - 128).collect();
    let options = PlanOptions {
        output_visibility: Visibility::Committed,
        boundaries: [true, false],
        ..PlanOptions::default()
    };
    let model = Model::with_options(builder.graph, inputs, options);
    let failures = model.failures(&model.circuit());
    assert!(failures.is_empty(), "{:#?}", &failures[..failures.len().min(3)]);
}

/// Exact codes have weights of up to 30 digits below one.
#[test]
fn weights_of_many_digits_have_a_witness() {
    let model = support::many_digits();
    let failures = model.failures(&model.circuit());
    assert!(failures.is_empty(), "{:#?}", &failures[..failures.len().min(3)]);
}

/// Every value of every kind of layer, where its runs are positions and where they are channels.
#[test]
fn a_repeated_graph_computes_each_run_bit_for_bit() {
    for (name, model) in support::models() {
        let graph = model.plan.claim_graph();
        let input = &graph.tensors[graph.inputs[0].0];
        let (lo, span) = (input.lo, input.hi - input.lo + 1);
        let inputs: Vec<Vec<i64>> = (0..3i64)
            .map(|run| {
                (0..).map(|i: i64| lo + (run * 41 + i * 23) % span).take(input.len()).collect()
            })
            .collect();
        let runs = inputs.iter().map(|input| execute(graph, std::slice::from_ref(input)).unwrap());
        let runs: Vec<_> = runs.collect();
        let repeated = graph.repeated(3);
        let together = execute(&repeated, &[inputs.concat()]).unwrap();
        let each: Vec<_> = runs.iter().collect();
        let joined = Execution::joined(graph, &repeated, &each).unwrap();
        assert!(joined == together, "{name}");
        let mut short = runs[0].clone();
        short.values[0].pop();
        let refused = Execution::joined(graph, &repeated, &[&short, each[1], each[2]]);
        assert!(matches!(refused, Err(RunError::InputLength { .. })), "{name}");
        for (id, tensor) in graph.tensors.iter().enumerate() {
            let each: Vec<i64> = runs.iter().flat_map(|run| run.values[id].clone()).collect();
            assert_eq!(together.values[id], each, "{name}: {}", tensor.name);
        }
    }
}

/// A graph in parts computes what it does whole, wherever it is cut.
#[test]
fn parts_of_a_graph_compute_the_same_integers() {
    for (name, model) in support::models() {
        let graph = model.plan.claim_graph();
        let input = graph.inputs[0];
        let len = graph.tensors[input.0].len();
        let whole = execute(graph, &[model.execution.values[input.0][..len].to_vec()]).unwrap();
        for cut in 1..graph.nodes.len() {
            let mut taken = vec![whole.values[input.0].clone()];
            for part in graph.split(&[cut]).unwrap() {
                let run = execute(&part.graph, &taken).unwrap();
                for (values, id) in run.values.iter().zip(&part.tensors) {
                    assert_eq!(*values, whole.values[id.0], "{name}, cut at {cut}");
                }
                taken = run.outputs(&part.graph).iter().map(|values| values.to_vec()).collect();
            }
            assert_eq!(taken, whole.outputs(graph), "{name}, cut at {cut}");
        }
    }
}

/// Wherever two parts that compute something are cut, both have a circuit of as many rows.
#[test]
fn parts_of_a_graph_have_circuits() {
    let models = support::models().into_par_iter().filter(|(_, model)| model.plan.claims() == 1);
    models.for_each(|(name, model)| {
        let graph = model.plan.claim_graph();
        let computes = |nodes: &[QuantizedNode]| {
            nodes.iter().any(|node| !matches!(node.op, QuantizedOp::Alias(_)))
        };
        for cut in 1..graph.nodes.len() {
            let (before, behind) = graph.nodes.split_at(cut);
            if !computes(before) || !computes(behind) {
                continue;
            }
            let parts = graph.split(&[cut]).unwrap();
            let plan = |part: usize, k| {
                let boundaries = [part == 1, part == 0];
                let options = PlanOptions { boundaries, k, ..PlanOptions::default() };
                CircuitPlan::new(&parts[part].graph, options)
                    .unwrap_or_else(|error| panic!("{name}, cut at {cut}: {error}"))
            };
            let k = [0, 1].map(|part| plan(part, None).k()).into_iter().max();
            let sides = [0, 1].map(|part| plan(part, k).shape().boundary.unwrap());
            assert_eq!(sides[0].given, sides[1].taken, "{name}, cut at {cut}");
            assert_eq!([sides[0].taken, sides[1].given], [0, 0], "{name}, cut at {cut}");
        }
    });
}

/// Parts are cut so that the dearest costs as little as it can, and each computes something.
#[test]
fn cuts_balance_the_parts() {
    let mut builder = GraphBuilder::new(72, [1, 1, 8]);
    let mut hidden = TensorId(0);
    for _ in 0..6 {
        hidden = builder.dense(hidden, 8, Form::Relu);
    }
    let graph = builder.finish(hidden).plan.claim_graph().clone();
    assert_eq!(graph.balanced_cuts(1), Some(vec![]));
    assert_eq!(graph.balanced_cuts(2), Some(vec![3]));
    assert_eq!(graph.balanced_cuts(3), Some(vec![2, 4]));
    assert_eq!(graph.balanced_cuts(6), Some(vec![1, 2, 3, 4, 5]));
    assert_eq!(graph.balanced_cuts(7), None);
    assert_eq!(graph.balanced_cuts(0), None);
    for cuts in [&[0][..], &[6], &[3, 3], &[4, 2]] {
        assert_eq!(graph.split(cuts), None, "{cuts:?}");
    }
}

fn broken(model: &support::Model) -> BTreeSet<String> {
    Recorder::synthesize(&model.circuit(), model.plan.k(), &model.instance).broken()
}

/// A convolution of a random shape, then a pool or a dense layer.
fn random_model(seed: u64) -> support::Model {
    let mut dice = GraphBuilder::new(seed, [1, 1, 1]);
    let mut pick = |low: usize, high: usize| {
        low + usize::try_from(dice.below(u32::try_from(high - low + 1).unwrap())).unwrap()
    };
    let pool = pick(0, 2);
    let groups = pick(1, 3);
    let (per_group, outputs) = (pick(1, 2), pick(1, 3));
    let kernel = [pick(1, 4), pick(1, 4)];
    let dilation = [pick(1, 2), pick(1, 3)];
    // A pool of 2 × 2 needs an output of that size: two strides beyond the kernel.
    let size =
        [0, 1].map(|d| dilation[d] * (kernel[d] - 1) + 1 + pick(if pool > 1 { 3 } else { 0 }, 7));
    let conv = Conv {
        out: groups * outputs,
        kernel,
        stride: [pick(1, 3), pick(1, 3)],
        dilation,
        padding: [pick(0, 2), pick(0, 2)],
        groups,
    };
    let mut builder = GraphBuilder::new(seed, [groups * per_group, size[0], size[1]]);
    let hidden = builder.conv(TensorId(0), &conv, Form::Relu);
    let output = match pool {
        0 => builder.dense(hidden, pick(1, 5), Form::Signed),
        1 => builder.max_pool(hidden, 1, 2),
        _ => {
            let pooled = builder.max_pool(hidden, 2, 2);
            builder.dense(pooled, pick(1, 5), Form::Signed)
        }
    };
    builder.finish(output)
}

#[test]
fn random_convolutions_have_a_witness() {
    (100..180u64).into_par_iter().for_each(|seed| {
        let model = random_model(seed);
        let broken = broken(&model);
        assert!(broken.is_empty(), "seed {seed}: {broken:?}");
    });
}

/// Products of so many elements as two convolutions of an image of these sides have.
fn product_model(seed: u64, sides: [usize; 2], form: Form) -> support::Model {
    let mut builder = GraphBuilder::new(seed, [1, sides[0], sides[1]]);
    let conv = Conv { out: 5, kernel: [1, 1], ..Conv::default() };
    let factors = [Form::Signed, Form::Relu].map(|form| builder.conv(TensorId(0), &conv, form));
    let output = builder.mul(factors[0], factors[1], form);
    builder.finish(output)
}

#[test]
fn products_in_several_lanes_have_a_witness() {
    let models = (5..14).flat_map(|side| {
        [Form::Signed, Form::Wide]
            .map(|form| product_model(u64::try_from(side).unwrap(), [side, 7], form))
    });
    let mut lanes = Vec::new();
    for model in models {
        let broken = broken(&model);
        assert!(broken.is_empty(), "{:?}: {broken:?}", model.plan.shape());
        lanes.push(model.plan.shape().slots.lanes);
    }
    assert!(lanes.iter().any(|&lanes| lanes > 1), "{lanes:?}");
}

/// A layer of so many channels with windows, then one that reads them in few rows.
fn windows_model(seed: u64, sides: [usize; 2], channels: usize) -> support::Model {
    let mut builder = GraphBuilder::new(seed, [1, sides[0], sides[1]]);
    let conv = |out| Conv { out, kernel: [1, 1], ..Conv::default() };
    let hidden = builder.conv(TensorId(0), &conv(channels), Form::Signed);
    let pooled = builder.max_pool(hidden, 2, 2);
    let output = builder.conv(pooled, &conv(1), Form::Wide);
    builder.finish(output)
}

#[test]
fn windows_in_several_lanes_have_a_witness() {
    let models = (10..14_usize).flat_map(|side| [13, 24].map(|channels| (side, channels)));
    let mut lanes = Vec::new();
    for (side, channels) in models {
        let model = windows_model(u64::try_from(side).unwrap(), [side, 12], channels);
        let broken = broken(&model);
        let shape = model.plan.shape();
        assert!(broken.is_empty(), "{shape:?}: {broken:?}");
        lanes.push(shape.slots.window_limbs.as_ref().map(|_| shape.slots.lanes));
    }
    assert!(lanes.iter().flatten().filter(|&&lanes| lanes > 1).count() > 2, "{lanes:?}");
}

/// A table, a layer that a softmax reads, and the softmax: whatever the bits of the two are.
#[test]
fn a_softmax_beside_a_table_has_a_circuit_at_all_bits() {
    for bits in 2..=16u32 {
        for table in [4, bits, 9] {
            let mut builder = GraphBuilder::new(bits.into(), [1, 1, 3]);
            let hidden = builder.dense(TensorId(0), 3, Form::Table(table));
            let hidden = builder.dense(hidden, 3, Form::Relu);
            let logits = builder.dense(hidden, 3, Form::Clip(0, (1 << bits) - 1));
            let output = builder.softmax(logits);
            let model = builder.finish(output);
            let broken = broken(&model);
            assert!(broken.is_empty(), "{bits} and {table} bits: {broken:?}");
        }
    }
}

/// Layers of unlike widths beside each other, which no two limbs fit.
#[test]
fn clamps_of_any_range_have_a_circuit() {
    for (seed, clip) in (0..).zip([(0, 5), (-100, 27), (-1, 0), (3, 300), (-20_000, 20_000)]) {
        let mut builder = GraphBuilder::new(seed, [1, 1, 3]);
        let hidden = builder.dense(TensorId(0), 3, Form::Relu);
        let hidden = builder.dense(hidden, 3, Form::Clip(clip.0, clip.1));
        let output = builder.dense(hidden, 2, Form::Wide);
        let model = builder.finish(output);
        let broken = broken(&model);
        assert!(broken.is_empty(), "{clip:?}: {broken:?}");
    }
}

/// Max pools and softmax in any order.
#[test]
fn pools_and_softmax_follow_each_other_in_any_order() {
    let mut builder = GraphBuilder::new(19, [1, 4, 4]);
    let conv = Conv { out: 1, kernel: [1, 1], ..Conv::default() };
    let hidden = builder.conv(TensorId(0), &conv, Form::Signed);
    let pooled = builder.max_pool(hidden, 2, 1);
    let probabilities = builder.softmax(pooled);
    let output = builder.max_pool(probabilities, 3, 1);
    let model = builder.finish(output);
    assert_eq!(broken(&model), BTreeSet::new());
}
