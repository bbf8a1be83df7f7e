//! What a proof is about: the claim, and what opens its commitments.

use std::sync::Arc;

use halo2_proofs::halo2curves::{bn256::Fr, ff::Field};
use rand_core::{OsRng, RngCore};
use zkinfer_circuits::{Blindings, InferenceCircuit};
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

/// One claim of a proof, and what opens it.
#[derive(Clone, Debug)]
pub(crate) struct Stated {
    pub(crate) claim: InferenceClaim,
    pub(crate) openings: Openings,
    blindings: Blindings,
}

/// What a proof claims, and what it hides.
pub(crate) struct Statement {
    pub(crate) claims: Vec<Stated>,
    /// The public values of the proof.
    pub(crate) instance: Vec<Vec<Fr>>,
    /// The run of all claims.
    pub(crate) execution: Arc<Execution>,
}

impl Statement {
    /// As many inferences as a proof of this setup is about.
    pub(crate) fn new(
        setup: &Setup,
        inferences: &[Inference<'_>],
        rng: &mut dyn RngCore,
    ) -> Result<Self, ProveError> {
        let (expected, got) = (setup.plan().claims(), inferences.len());
        if expected != got {
            return Err(ProveError::ClaimCount { expected, got });
        }
        let claims = inferences.iter().map(|&inference| Stated::new(setup, inference, rng));
        let claims = claims.collect::<Result<Vec<_>, _>>()?;
        let key = setup.verifying_key();
        let stated: Vec<_> = claims.iter().map(|stated| stated.claim.clone()).collect();
        let shown = ProveError::ShownClaims { claims: stated.len() };
        let columns = key.instance_of(&stated).ok_or(shown)?.into_iter();
        let instance = columns.map(|column| column.iter().map(halo2_scalar).collect()).collect();
        Ok(Self { claims, instance, execution: joined(setup, inferences)? })
    }

    /// The circuit with its witness.
    pub(crate) fn circuit(&self, setup: &Setup) -> InferenceCircuit {
        let blindings = self.claims.iter().map(|stated| stated.blindings).collect();
        let (plan, execution) = (Arc::clone(setup.plan()), Arc::clone(&self.execution));
        InferenceCircuit::with_execution(plan, execution).with_claims(blindings)
    }
}

/// The run of the graph of all claims, from those of the single ones.
fn joined(setup: &Setup, inferences: &[Inference<'_>]) -> Result<Arc<Execution>, ProveError> {
    if let [only] = inferences {
        return Ok(Arc::clone(only.execution));
    }
    let (of_claim, of_all) = (setup.plan().claim_graph(), setup.plan().graph());
    let runs: Vec<&Execution> = inferences.iter().map(|of| &**of.execution).collect();
    Ok(Arc::new(Execution::joined(of_claim, of_all, &runs)?))
}

impl Stated {
    fn new(
        setup: &Setup,
        inference: Inference<'_>,
        rng: &mut dyn RngCore,
    ) -> Result<Self, ProveError> {
        let Inference { execution, binding, input_blinding, output_blinding } = inference;
        let graph = setup.plan().claim_graph();
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
        // What a boundary stands for, no claim shows.
        let [takes, gives] = setup.plan().boundaries();
        let shown = |is_boundary, ids| if is_boundary { Vec::new() } else { flat(ids) };
        let input = Opening { values: shown(takes, &graph.inputs), blinding: input_blinding };
        let output = Opening { values: shown(gives, &graph.outputs), blinding: output_blinding };
        let (input, of_input) = claimed(layout.input_visibility, &layout.inputs, input)?;
        let (output, of_output) = claimed(layout.output_visibility, &layout.outputs, output)?;
        Ok(Self {
            claim: InferenceClaim { model: key.digest(), input, output, binding },
            openings: Openings { key: key.digest(), input: of_input, output: of_output },
            blindings: Blindings {
                input: halo2_scalar(&input_blinding.to_scalar()),
                output: halo2_scalar(&output_blinding.to_scalar()),
                binding: binding.limbs(),
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
