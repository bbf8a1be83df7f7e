//! Several runs in one circuit.

use std::sync::Arc;

use halo2_proofs::halo2curves::bn256::Fr;
use zkinfer_circuits::{Blindings, CircuitPlan, PlanOptions};
use zkinfer_models::{QuantizedGraph, execute, quantized::TensorId};
use zkinfer_verifier::{
    ClaimedValues, Commitment, Digest, InferenceClaim, JobBinding, KeyDigest, Visibility,
    decode_scalar, encode_scalar, joint,
};

use super::{BLINDINGS, Model, commitment};

impl Model {
    /// One run for each of the inputs, all in one circuit of so many rows, whose instance is the root of
    /// their claims.
    pub(crate) fn joined(graph: QuantizedGraph, inputs: &[Vec<i64>], k: u32) -> Self {
        let claims = inputs.len().try_into().expect("few inputs");
        let [input_visibility, output_visibility] = [Visibility::Committed; 2];
        let options = PlanOptions {
            input_visibility,
            output_visibility,
            claims,
            k: Some(k),
            ..PlanOptions::default()
        };
        let plan = CircuitPlan::new(&graph, options).expect("the model fits");
        let (mut stated, mut blindings) = (Vec::new(), Vec::new());
        for (index, values) in (0u64..).zip(inputs) {
            let run = execute(&graph, std::slice::from_ref(values)).expect("inputs fit");
            let outputs = graph.outputs.iter().flat_map(|id| run.values[id.0].iter().copied());
            let outputs: Vec<i64> = outputs.collect();
            let [of_input, of_output] = BLINDINGS.map(|of| of + 10 * index);
            let hidden = |tensors: &[TensorId], values: &[i64], blinding| {
                let scalar = commitment(&graph, tensors, values, blinding).to_bytes();
                let scalar = decode_scalar(&scalar).expect("canonical");
                ClaimedValues::Committed(Commitment::from_scalar(scalar))
            };
            let binding = JobBinding { nonce: index, ..JobBinding::NONE };
            stated.push(InferenceClaim {
                model: KeyDigest(Digest::ZERO),
                input: hidden(&graph.inputs, values, of_input),
                output: hidden(&graph.outputs, &outputs, of_output),
                binding,
            });
            let [input, output] = [of_input, of_output].map(Fr::from);
            blindings.push(Blindings { input, output, binding: binding.limbs() });
        }
        let execution = execute(plan.graph(), &[inputs.concat()]).expect("inputs fit");
        let root = joint::Tree::default().root(&stated).expect("hidden claims");
        let root = Fr::from_bytes(&encode_scalar(&root)).expect("canonical");
        Self {
            plan: Arc::new(plan),
            execution: Arc::new(execution),
            instance: vec![root],
            claims: blindings,
            stated,
        }
    }
}
