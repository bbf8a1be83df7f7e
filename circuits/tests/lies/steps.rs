//! Lies about a layer that has a position for each step of a recurrent cell.

use super::{LINEAR, broken, support};
use support::Model;
use zkinfer_circuits::InferenceCircuit;
use zkinfer_models::Execution;

/// Nodes of a step: an alias, two layers, their sum, the product.
const STEP: usize = 5;
/// The first node after what is before all steps.
const FIRST: usize = 1;

/// The run with what two nodes give exchanged, accumulators too.
fn exchanged(model: &Model, nodes: [usize; 2]) -> Vec<String> {
    let graph = model.plan.graph();
    let mut execution: Execution = (*model.execution).clone();
    execution.accumulators.swap(nodes[0], nodes[1]);
    let [a, b] = nodes.map(|node| graph.nodes[node].output.0);
    execution.values.swap(a, b);
    let circuit = InferenceCircuit::with_execution(model.plan.clone(), execution.into());
    broken(model, &circuit, &model.instance)
}

#[test]
fn a_circuit_has_the_layers_of_a_cell_once() {
    let model = support::recurrent();
    let shape = model.plan.shape();
    // Two of them read the same and have one challenge.
    assert_eq!(shape.slots.layers, 2 + 3, "before and after all steps, and those of a step");
    let layers = model.plan.layer_rows();
    assert_eq!(layers.len(), 6);
    assert!(model.failures(&model.circuit()).is_empty());
}

/// The run with what is added to accumulators: node, element, difference.
fn lied_about(model: &Model, lies: &[(usize, usize, i64)]) -> Vec<String> {
    let graph = model.plan.graph();
    let mut execution: Execution = (*model.execution).clone();
    for &(node, element, delta) in lies {
        let accumulators = execution.accumulators[node].as_mut().expect("a layer");
        accumulators[element] += delta;
        let requant = graph.nodes[node].op.requant().expect("a layer");
        let outputs = accumulators.iter().map(|&acc| requant.apply(acc)).collect();
        execution.values[graph.nodes[node].output.0] = outputs;
    }
    let circuit = InferenceCircuit::with_execution(model.plan.clone(), execution.into());
    broken(model, &circuit, &model.instance)
}

#[test]
fn any_step_of_a_layer_off_by_one_breaks_the_linear_sum() {
    let model = support::recurrent();
    for step in 0..3 {
        for node in 1..STEP {
            let node = FIRST + step * STEP + node;
            for element in 0..5 {
                assert_eq!(lied_about(&model, &[(node, element, 1)]), [LINEAR], "node {node}");
            }
        }
    }
}

#[test]
fn compensating_errors_of_two_steps_break_the_linear_sum() {
    let model = support::recurrent();
    for node in 1..STEP {
        let [one, other] = [0, 1].map(|step| FIRST + step * STEP + node);
        let found = lied_about(&model, &[(one, 2, 1), (other, 2, -1)]);
        assert_eq!(found, [LINEAR], "node {node}");
    }
}

#[test]
fn two_steps_exchanged_break_the_linear_sum() {
    let model = support::recurrent();
    for node in 1..STEP {
        for (step, other) in [(0, 1), (1, 2), (0, 2)] {
            let nodes = [step, other].map(|step| FIRST + step * STEP + node);
            assert_eq!(exchanged(&model, nodes), [LINEAR], "{nodes:?}");
        }
    }
}

/// Steps are no more layers than one.
#[test]
fn a_cell_may_have_more_steps_than_there_are_challenges() {
    let model = support::many_steps(300);
    assert_eq!(model.plan.shape().slots.layers, 3);
    assert!(model.failures(&model.circuit()).is_empty());
}
