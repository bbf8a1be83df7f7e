//! Lies about what a commitment hides.

use halo2_proofs::halo2curves::{bn256::Fr, ff::Field};
use zkinfer_circuits::{Blindings, InferenceCircuit};
use zkinfer_models::Execution;

use super::{
    LOOKUPS, broken,
    support::{self, Model},
};

/// The circuit of an execution on another input, which lies outside its bounds or is not the
/// committed one, with everything after it computed from it.
fn with_other_input(model: &Model, edit: impl Fn(&mut Vec<i64>)) -> Vec<String> {
    let graph = model.plan.graph();
    let mut execution: Execution = (*model.execution).clone();
    edit(&mut execution.values[graph.inputs[0].0]);
    let circuit = InferenceCircuit::with_execution(model.plan.clone(), execution.into());
    broken(model, &circuit.with_claims(model.claims.clone()), &model.instance)
}

#[test]
fn another_input_than_the_committed_one_breaks_the_copy_to_the_instance() {
    let model = support::committed();
    let lie = with_other_input(&model, |values| values[3] -= 1);
    assert!(lie.contains(&"copy".to_owned()), "{lie:?}");
    assert!(!lie.contains(&LIMBS.to_owned()), "{lie:?}");
}

const LIMBS: &str = "committed input limbs: x − low = limbs";

#[test]
fn a_committed_input_out_of_range_breaks_its_range_check() {
    let model = support::committed();
    for value in [-1025, 1024, 1 << 20, -(1 << 40)] {
        let lie = with_other_input(&model, |values| values[0] = value);
        assert!(lie.contains(&LIMBS.to_owned()), "{value}: {lie:?}");
    }
    let model = support::committed_input();
    for value in [-17, 16, 1 << 20, -(1 << 40)] {
        let lie = with_other_input(&model, |values| values[0] = value);
        assert!(lie.contains(&LOOKUPS.to_owned()), "{value}: {lie:?}");
    }
}

/// One more in a digit, one base less in the next: the packed element stays the same.
#[test]
fn a_carry_between_committed_inputs_breaks_the_range_check() {
    let model = support::committed();
    let lie = with_other_input(&model, |values| {
        values[7] += 1;
        values[8] -= 1 << 11;
    });
    assert!(lie.contains(&LIMBS.to_owned()), "{lie:?}");
    assert!(!lie.contains(&"copy".to_owned()), "{lie:?}");
    let model = support::committed_input();
    let lie = with_other_input(&model, |values| {
        values[3] += 1;
        values[4] -= 1 << 8;
    });
    assert!(lie.contains(&LOOKUPS.to_owned()), "{lie:?}");
    assert!(!lie.contains(&"copy".to_owned()), "{lie:?}");
}

#[test]
fn another_blinding_is_another_commitment() {
    let model = support::committed();
    let honest = support::blindings();
    for blindings in [
        Blindings { input: honest.input + Fr::ONE, ..honest },
        Blindings { output: Fr::ZERO, ..honest },
    ] {
        let circuit = model.circuit().with_blindings(blindings);
        assert_eq!(broken(&model, &circuit, &model.instance), ["copy"]);
    }
}

#[test]
fn a_committed_output_is_the_models_output() {
    let model = support::committed_output();
    let mut outputs = model.execution.values[model.plan.graph().outputs[0].0].clone();
    outputs[2] = if outputs[2] == 0 { 1 } else { 0 };
    let (graph, [_, blinding]) = (model.plan.graph(), support::BLINDINGS);
    let other = support::commitment(graph, &graph.outputs, &outputs, blinding);
    let mut instance = model.instance.clone();
    *instance.last_mut().expect("a commitment") = other;
    assert_eq!(broken(&model, &model.circuit(), &instance), ["copy"]);
}

/// Commitments to input and output cannot change places.
#[test]
fn commitments_that_change_places_break_the_copies() {
    let model = support::committed();
    let mut instance = model.instance.clone();
    instance.swap(2, 3);
    assert_eq!(broken(&model, &model.circuit(), &instance), ["copy"]);
}

#[test]
fn a_committed_constant_is_its_only_value() {
    let model = support::committed_constant();
    for value in [6, 8, 0, 1 << 20] {
        let lie = with_other_input(&model, |values| values[1] = value);
        assert!(lie.contains(&LOOKUPS.to_owned()), "{value}: {lie:?}");
    }
}

/// Claims of one proof: each is another one for the root that the instance shows.
#[test]
fn every_part_of_every_joined_claim_is_in_the_root() {
    for model in [support::joined(), support::joined_side_by_side()] {
        for claim in 0..model.claims.len() {
            let lies: [fn(&mut Blindings); 4] = [
                |of| of.input += Fr::ONE,
                |of| of.output += Fr::ONE,
                |of| of.binding[0] ^= 1,
                |of| of.binding[1] ^= 1,
            ];
            for lie in lies {
                let mut claims = model.claims.clone();
                lie(&mut claims[claim]);
                let circuit = model.circuit().with_claims(claims);
                assert_eq!(broken(&model, &circuit, &model.instance), ["copy"]);
            }
        }
        // Two claims that change places, a claim twice.
        let mut swapped = model.claims.clone();
        swapped.swap(0, 1);
        let mut twice = model.claims.clone();
        twice[1] = twice[0];
        for claims in [swapped, twice] {
            let circuit = model.circuit().with_claims(claims);
            assert_eq!(broken(&model, &circuit, &model.instance), ["copy"]);
        }
        let other = with_other_input(&model, |values| *values.last_mut().expect("inputs") ^= 1);
        assert!(other.contains(&"copy".to_owned()), "{other:?}");
    }
}
