//! Plans for gas, whose columns hold several of the units', through both provers and verifiers.

use std::collections::BTreeSet;

use halo2_proofs::halo2curves::{bn256::Fr, ff::Field};
use zkinfer_circuits::{Objective, PlanOptions, Tamper, Verification};
use zkinfer_models::QuantizeOptions;
use zkinfer_verifier::{VerifyError, Visibility};

use super::{Model, Prover, model};

/// Planned for a contract: columns hold several of the units'.
fn for_gas(name: &str) -> Model {
    let plan = PlanOptions {
        objective: Objective::Gas,
        input_visibility: Visibility::Committed,
        ..PlanOptions::default()
    };
    let model = model(name, &QuantizeOptions::default(), plan);
    assert!(model.setup.plan().shape().interleaved > 1, "{name}");
    model
}

#[test]
fn interleaved_plans_are_proven_and_refuse_lies() {
    for name in ["cancer_mlp", "digits_cnn"] {
        let model = for_gas(name);
        model.assert_both_verifiers_accept();
        model.assert_provers_commit_alike(&model.halo2(), &model.circuit());
    }
    let model = for_gas("digits_mlp");
    let key = model.setup.verifying_key();
    assert_eq!(model.setup.plan().cost().verification, Verification::of_key(key));
    let (honest, outputs) = (model.circuit(), model.values(&model.execution).1);
    assert_eq!(model.verdicts(&Prover::Engine, &honest, &outputs), (Ok(()), true));
    let mut seen = BTreeSet::new();
    for (column, row) in honest.assigned_cells() {
        if seen.insert(column) {
            let lie = honest.clone().tampered(Tamper { column, row, delta: Fr::ONE });
            let verdicts = model.verdicts(&Prover::Engine, &lie, &outputs);
            assert_eq!(verdicts, (Err(VerifyError::Pairing), false), "column {column}, row {row}");
        }
    }
    assert!(seen.len() > 15);
}
