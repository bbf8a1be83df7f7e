//! Lies about layers that read the same, whose packs follow each other.

use zkinfer_circuits::InferenceCircuit;

use super::{LINEAR, Model, broken, support};

/// What breaks when some accumulators, by node and element, are others with the same outputs; `None`
/// where an output would be another.
fn with_accumulators(model: &Model, lies: &[(usize, usize, i64)]) -> Option<Vec<String>> {
    let mut execution = (*model.execution).clone();
    for &(node, element, delta) in lies {
        let accumulators = execution.accumulators[node].as_mut().expect("a layer");
        let requant = model.plan.graph().nodes[node].op.requant().expect("a layer");
        let before = requant.apply(accumulators[element]);
        accumulators[element] += delta;
        if requant.apply(accumulators[element]) != before {
            return None;
        }
    }
    let circuit = InferenceCircuit::with_execution(model.plan.clone(), execution.into());
    Some(broken(model, &circuit, &model.instance))
}

#[test]
fn an_accumulator_of_each_layer_off_by_one_breaks_the_linear_sum() {
    let model = support::siblings();
    for node in 0..3 {
        let found = (0..18).filter_map(|element| with_accumulators(&model, &[(node, element, 1)]));
        let found: Vec<_> = found.collect();
        assert!(found.len() > 9 && found.iter().all(|broken| *broken == [LINEAR]), "{found:?}");
    }
}

#[test]
fn errors_of_two_layers_that_make_up_for_each_other_break_the_linear_sum() {
    let model = support::siblings();
    for (a, b) in [(0, 1), (0, 2), (1, 2)] {
        for other in 0..18 {
            let lies = (0..18).filter_map(|element| {
                with_accumulators(&model, &[(a, element, 1), (b, other, -1)])
            });
            assert!(lies.into_iter().all(|broken| broken == [LINEAR]));
        }
    }
}
