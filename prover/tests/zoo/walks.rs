//! Decision trees: lies about walks, each with everything that follows from it.

use zkinfer_verifier::VerifyError;

use super::{
    Prover,
    graphs::{checker::Recorder, walks},
    planned,
};

#[test]
fn lies_about_walks_down_trees_are_refused_by_both_verifiers() {
    let stumps = walks::stumps();
    let model = planned("stumps", stumps.plan.clone(), stumps.execution.clone());
    let outputs = model.values(&model.execution).1;
    let honest = model.verdicts(&Prover::Engine, &stumps.circuit(), &outputs);
    assert_eq!(honest, (Ok(()), true));
    for (place, lie) in walks::lies(&stumps).iter().enumerate() {
        let mut shown = outputs.clone();
        shown[0] += lie.shown;
        let verdicts = model.verdicts(&Prover::Engine, &lie.told(&stumps), &shown);
        assert_eq!(verdicts, (Err(VerifyError::Pairing), false), "lie {place}");
    }
}

/// A forged proof that passed while ranks had the tag of the range whose size is no power of two: the
/// first entry of that range answered for a rank that no element has, and so for the other leaf.
#[test]
fn a_walk_by_a_rank_out_of_a_range_is_refused_by_both_verifiers() {
    let stumps = walks::stumps_beside_an_exact_range();
    let model = planned("exact stumps", stumps.plan.clone(), stumps.execution.clone());
    let outputs = model.values(&model.execution).1;
    let honest = model.verdicts(&Prover::Engine, &stumps.circuit(), &outputs);
    assert_eq!(honest, (Ok(()), true));
    let circuit = Recorder::synthesize(&stumps.circuit(), stumps.plan.k(), &stumps.instance);
    let starts = circuit.range_starts(walks::EXACT_TAG);
    assert!(starts.len() > 2);
    for row in starts {
        let lie = walks::rank_of_a_range(row);
        let mut shown = outputs.clone();
        shown[0] += lie.shown;
        let verdicts = model.verdicts(&Prover::Engine, &lie.told(&stumps), &shown);
        assert_eq!(verdicts, (Err(VerifyError::Pairing), false), "row {row}");
    }
}
