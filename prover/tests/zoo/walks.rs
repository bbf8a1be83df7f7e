//! Decision trees: lies about walks, each with everything that follows from it.

use zkinfer_verifier::VerifyError;

use super::{Prover, graphs::walks, planned};

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
