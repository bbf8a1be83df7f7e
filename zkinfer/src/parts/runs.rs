//! Parts that are run and proven one by one, by provers who are given what they need and hold no
//! files of links: what goes between them, and who is at fault where it does not fit.

use std::{path::Path, sync::Arc};

use zkinfer_models::{Execution, QuantizedGraph, execute, quantized::QuantizedTensor};
use zkinfer_prover::{
    BoundaryBlinding, Inference, PartBlinding, Proven, Srs, boundary_commitments,
};
use zkinfer_verifier::{G1Affine, JobBinding, TensorLayout, VerifyingKey};

use super::{Part, outputs};
use crate::{
    error::{Error, SplitError},
    progress::Watch,
    srs::{srs_digest, srs_for_circuit},
};

/// A run of a part on integers.
#[derive(Clone, Debug)]
pub struct PartRun {
    /// Every tensor.
    pub execution: Arc<Execution>,
    /// What it gives: to the next part, or as the output of the model; the integers of all tensors,
    /// one after the other.
    pub given: Vec<i64>,
}

impl Part {
    /// What the part computes.
    #[must_use]
    pub fn graph(&self) -> &QuantizedGraph {
        &self.quantized.graph
    }

    /// The number and the bounds of what it gives, tensor by tensor: those of which the key has the
    /// [digest](zkinfer_verifier::boundary_layout), where another part takes it.
    #[must_use]
    pub fn given(&self) -> Vec<TensorLayout> {
        let graph = self.graph();
        let layout = |tensor: &QuantizedTensor| TensorLayout {
            name: tensor.name.clone(),
            // Its key was made, so that every dimension has a place in one.
            shape: tensor.shape.iter().filter_map(|&size| u32::try_from(size).ok()).collect(),
            scales: tensor.scales(),
            lo: tensor.lo,
            hi: tensor.hi,
            classes: None,
        };
        graph.outputs.iter().map(|id| layout(&graph.tensors[id.0])).collect()
    }

    /// Runs the part on the integers of all that it takes, one tensor after the other.
    ///
    /// # Errors
    /// If they cannot be what it takes.
    pub fn run(&self, taken: &[i64]) -> Result<PartRun, Error> {
        let graph = self.graph();
        let inputs = tensors_of(graph, taken).ok_or(SplitError::Taken {
            expected: graph.inputs.iter().map(|id| graph.tensors[id.0].len()).sum(),
            got: taken.len(),
        })?;
        let execution = execute(graph, &inputs).map_err(|source| Error::Run { source })?;
        let given = outputs(graph, &execution).concat();
        Ok(PartRun { execution: Arc::new(execution), given })
    }

    /// Proves a run for the job of its place, and verifies the proof. `job` is that of the whole
    /// model, with who is paid for this part. How many proofs have had this blinding before is for the
    /// caller to count: [`PROOFS_A_SIDE`](zkinfer_prover::PROOFS_A_SIDE) of each part may.
    ///
    /// # Errors
    /// As [`Keys::prove`](crate::Keys::prove), and if the blinding is not of the part's boundaries.
    pub fn prove_run(
        &self,
        run: &PartRun,
        blinding: PartBlinding,
        job: &JobBinding,
        watch: Watch<'_>,
    ) -> Result<Proven, Error> {
        let binding = self.manifest.binding(self.index, job, job.payee);
        self.keys.prove_part(Inference::new(&run.execution, binding), blinding, watch)
    }
}

/// Integers as the inputs of a part.
pub(super) fn tensors_of(graph: &QuantizedGraph, values: &[i64]) -> Option<Vec<Vec<i64>>> {
    let mut rest = values;
    let tensors = graph.inputs.iter().map(|id| {
        let (tensor, others) = rest.split_at_checked(graph.tensors[id.0].len())?;
        rest = others;
        Some(tensor.to_vec())
    });
    let tensors = tensors.collect::<Option<_>>()?;
    rest.is_empty().then_some(tensors)
}

/// The setup of a model's parts, by which whoever knows what goes between two of them tells which of
/// their proofs holds something else.
#[derive(Debug)]
pub struct BoundarySetup(Srs);

impl BoundarySetup {
    /// That of a part's key: a ceremony's file, or the development setup where none is named.
    ///
    /// # Errors
    /// If the file cannot be used, or is of another setup than the key's.
    pub fn new(key: &VerifyingKey, srs: Option<&Path>) -> Result<Self, Error> {
        let srs = srs_for_circuit(srs, key.parts().k.into())?.srs;
        let (expected, got) = (key.srs_digest(), srs_digest(&srs)?);
        if expected == got { Ok(Self(srs)) } else { Err(SplitError::Srs { expected, got }.into()) }
    }

    /// The points that proofs of both parts have for a boundary with these values and this blinding.
    /// `None` where there are more values than its columns hold.
    #[must_use]
    pub fn commitments(
        &self,
        values: &[i64],
        blinding: &BoundaryBlinding,
    ) -> Option<Vec<G1Affine>> {
        boundary_commitments(&self.0, values, blinding)
    }
}
