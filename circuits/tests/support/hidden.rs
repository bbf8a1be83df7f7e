//! What claims show of hidden values.

use halo2_proofs::halo2curves::bn256::Fr;
use zkinfer_models::{QuantizedGraph, quantized::TensorId};
use zkinfer_verifier::{Blinding, Commitment, TensorLayout, encode_scalar};

/// The verifier's own commitment to values of these tensors.
pub(crate) fn commitment(
    graph: &QuantizedGraph,
    tensors: &[TensorId],
    values: &[i64],
    blinding: u64,
) -> Fr {
    let layout = |id: &TensorId| {
        let tensor = &graph.tensors[id.0];
        TensorLayout {
            name: tensor.name.clone(),
            shape: tensor.shape.iter().map(|&d| d.try_into().expect("small")).collect(),
            scales: vec![1.0],
            lo: tensor.lo,
            hi: tensor.hi,
            classes: None,
        }
    };
    let layouts: Vec<_> = tensors.iter().map(layout).collect();
    let blinding = Blinding::from_scalar(blinding.into());
    let commitment = Commitment::new(&layouts, values, &blinding).expect("values in range");
    Fr::from_bytes(&encode_scalar(&commitment.to_scalar())).expect("canonical")
}
