//! What a proof is about: the claim, and what opens its commitments.

use std::sync::Arc;

use halo2_proofs::halo2curves::{bn256::Fr, ff::Field};
use rand_core::{OsRng, RngCore};
use zkinfer_circuits::Blindings;
use zkinfer_models::{Execution, quantized::TensorId};
use zkinfer_verifier::{
    Blinding, ClaimedValues, InferenceClaim, JobBinding, Opening, Openings, TensorLayout,
    Visibility, decode_scalar, encode_scalar,
};

use crate::{prove::ProveError, setup::Setup};

/// What is to be proven.
#[derive(Clone, Copy, Debug)]
pub struct Inference<'a> {
    /// The run of the model.
    pub execution: &'a Arc<Execution>,
    /// The job that it is for.
    pub binding: JobBinding,
    /// What hides committed inputs; drawn where there is none.
    pub input_blinding: Option<Blinding>,
    /// What hides committed outputs; drawn where there is none.
    pub output_blinding: Option<Blinding>,
}

impl<'a> Inference<'a> {
    /// A run for a job, with blindings to be drawn.
    #[must_use]
    pub fn new(execution: &'a Arc<Execution>, binding: JobBinding) -> Self {
        Self { execution, binding, input_blinding: None, output_blinding: None }
    }
}

/// What a proof claims, and what it hides.
pub(crate) struct Statement {
    pub(crate) claim: InferenceClaim,
    pub(crate) openings: Openings,
    pub(crate) blindings: Blindings,
}

impl Statement {
    pub(crate) fn new(
        setup: &Setup,
        inference: Inference<'_>,
        rng: &mut dyn RngCore,
    ) -> Result<Self, ProveError> {
        let Inference { execution, binding, input_blinding, output_blinding } = inference;
        let graph = setup.plan().graph();
        let (expected, got) = (graph.tensors.len(), execution.values.len());
        if expected != got {
            return Err(ProveError::OtherGraph { expected, got });
        }
        let flat = |ids: &[TensorId]| -> Vec<i64> {
            ids.iter().flat_map(|id| execution.values[id.0].iter().copied()).collect()
        };
        let key = setup.verifying_key();
        let layout = &key.parts().layout;
        let input_blinding = input_blinding.unwrap_or_else(|| draw(rng));
        let output_blinding = output_blinding.unwrap_or_else(|| draw(rng));
        let input = Opening { values: flat(&graph.inputs), blinding: input_blinding };
        let output = Opening { values: flat(&graph.outputs), blinding: output_blinding };
        let (input, of_input) = claimed(layout.input_visibility, &layout.inputs, input)?;
        let (output, of_output) = claimed(layout.output_visibility, &layout.outputs, output)?;
        Ok(Self {
            claim: InferenceClaim { model: key.digest(), input, output, binding },
            openings: Openings { key: key.digest(), input: of_input, output: of_output },
            blindings: Blindings {
                input: halo2_scalar(&input_blinding.to_scalar()),
                output: halo2_scalar(&output_blinding.to_scalar()),
            },
        })
    }
}

/// Values as a claim has them, and the opening where it has a commitment.
fn claimed(
    visibility: Visibility,
    tensors: &[TensorLayout],
    opening: Opening,
) -> Result<(ClaimedValues, Option<Opening>), ProveError> {
    Ok(match visibility {
        Visibility::Public => (ClaimedValues::Public(opening.values), None),
        Visibility::Committed => {
            (ClaimedValues::Committed(opening.commitment(tensors)?), Some(opening))
        }
    })
}

/// A blinding from the operating system's randomness.
#[must_use]
pub fn draw_blinding() -> Blinding {
    draw(&mut OsRng)
}

fn draw(rng: &mut dyn RngCore) -> Blinding {
    let scalar = Fr::random(rng);
    // Both write canonical integers below the same modulus.
    Blinding::from_scalar(decode_scalar(&scalar.to_bytes()).unwrap_or_default())
}

/// A field element of the verifier's, in halo2's form.
pub(crate) fn halo2_scalar(scalar: &zkinfer_verifier::Fr) -> Fr {
    Fr::from_bytes(&encode_scalar(scalar)).unwrap_or(Fr::ZERO)
}
