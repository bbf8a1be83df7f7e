//! Lies about runs that lie side by side in rows of slots, whose outputs are read where they lie.

use super::{LINEAR, broken, support};
use support::Model;
use zkinfer_circuits::InferenceCircuit;
use zkinfer_models::Execution;

const RUNS: usize = 4;

/// The models with their hidden layers.
fn models() -> Vec<(Model, Vec<usize>)> {
    let hidden = |model: &Model| {
        let graph = model.plan.graph();
        let is_hidden = |&node: &usize| {
            let node = &graph.nodes[node];
            node.op.requant().is_some() && !graph.outputs.contains(&node.output)
        };
        (0..graph.nodes.len()).filter(is_hidden).collect::<Vec<_>>()
    };
    let models = [support::joined_abreast(), support::joined_abreast_with_copies()];
    let models = models.map(|model| {
        let layers = hidden(&model);
        assert_eq!(layers.len(), 2);
        (model, layers)
    });
    models.into()
}

/// What breaks when a layer's accumulators of all runs, run after run, are others.
fn lied_about(model: &Model, node: usize, lie: impl Fn(&mut [&mut [i64]])) -> Vec<String> {
    let graph = model.plan.graph();
    let mut execution: Execution = (*model.execution).clone();
    let accumulators = execution.accumulators[node].as_mut().expect("a layer");
    let len = accumulators.len() / RUNS;
    lie(&mut accumulators.chunks_mut(len).collect::<Vec<_>>());
    let requant = graph.nodes[node].op.requant().expect("a layer");
    let outputs = accumulators.iter().map(|&acc| requant.apply(acc)).collect();
    execution.values[graph.nodes[node].output.0] = outputs;
    let circuit = InferenceCircuit::with_execution(model.plan.clone(), execution.into());
    broken(model, &circuit.with_claims(model.claims.clone()), &model.instance)
}

#[test]
fn a_channel_of_one_run_off_by_one_breaks_the_linear_sum() {
    for (model, layers) in models() {
        for (layer, run) in layers.iter().flat_map(|layer| (0..RUNS).map(move |run| (layer, run))) {
            let found = lied_about(&model, *layer, |runs| runs[run][7] += 1);
            assert_eq!(found, [LINEAR], "layer {layer}, run {run}");
        }
    }
}

#[test]
fn errors_of_two_runs_that_make_up_for_each_other_break_the_linear_sum() {
    for (model, layers) in models() {
        for layer in layers {
            let found = lied_about(&model, layer, |runs| {
                runs[0][3] += 1;
                runs[2][3] -= 1;
            });
            assert_eq!(found, [LINEAR], "layer {layer}");
        }
    }
}

/// A carry from a channel's digit to the next, in one run.
#[test]
fn errors_of_two_channels_of_a_run_that_make_up_for_each_other_break_the_linear_sum() {
    for (model, layers) in models() {
        for layer in layers {
            let found = lied_about(&model, layer, |runs| {
                runs[1][4] += 1;
                runs[1][5] -= 1;
            });
            assert_eq!(found, [LINEAR], "layer {layer}");
        }
    }
}

#[test]
fn outputs_of_two_runs_exchanged_break_the_linear_sum() {
    for (model, layers) in models() {
        for layer in layers {
            let found = lied_about(&model, layer, |runs| {
                let [one, .., other] = runs else { panic!("there are several runs") };
                one.swap_with_slice(other);
            });
            assert_eq!(found, [LINEAR], "layer {layer}");
        }
    }
}

#[test]
fn a_run_on_another_runs_input_breaks_the_linear_sum() {
    for (model, layers) in models() {
        for layer in layers {
            let found = lied_about(&model, layer, |runs| {
                let [one, another, ..] = runs else { panic!("there are several runs") };
                one.copy_from_slice(another);
            });
            assert_eq!(found, [LINEAR], "layer {layer}");
        }
    }
}
