//! Public tensors: integers as a key describes them, and the real numbers they stand for.

use std::path::Path;

use anyhow::{Context, Result, bail};
use ndarray::ArrayD;
use zkinfer_models::{
    InputFile, QuantizedGraph, TensorSpec, clamped_inputs, quantize_inputs,
    quantized::{QuantizedTensor, TensorId},
};
use zkinfer_verifier::TensorLayout;

/// Reads real numbers for the inputs of a key and gives the integers that the model runs on, all
/// tensors in one list.
pub(crate) fn read_input_integers(path: &Path, layout: &[TensorLayout]) -> Result<Vec<i64>> {
    let (graph, values) = read(path, layout)?;
    integers(path, &graph, &values)
}

/// Reads real numbers for the outputs of a key and gives the integers that stand for them.
pub(crate) fn read_output_integers(path: &Path, layout: &[TensorLayout]) -> Result<Vec<i64>> {
    let (graph, values) = read(path, layout)?;
    if clamped_inputs(&graph, &values) > 0 {
        bail!("{} holds values that the model cannot give", path.display());
    }
    integers(path, &graph, &values)
}

/// The tensors of a key as the inputs of a graph without nodes, and their real values.
fn read(path: &Path, layout: &[TensorLayout]) -> Result<(QuantizedGraph, Vec<ArrayD<f32>>)> {
    let tensors = layout.iter().map(quantized_tensor).collect::<Result<Vec<_>>>()?;
    let spec = |tensor: &QuantizedTensor| TensorSpec {
        name: tensor.name.clone(),
        shape: tensor.shape.clone(),
    };
    let specs: Vec<TensorSpec> = tensors.iter().map(spec).collect();
    let values = InputFile::read(path)
        .and_then(|file| file.tensors(&specs.iter().collect::<Vec<_>>()))
        .with_context(|| format!("cannot use {}", path.display()))?;
    let inputs = (0..tensors.len()).map(TensorId).collect();
    Ok((QuantizedGraph { tensors, inputs, outputs: Vec::new(), nodes: Vec::new() }, values))
}

fn integers(path: &Path, graph: &QuantizedGraph, values: &[ArrayD<f32>]) -> Result<Vec<i64>> {
    let lists =
        quantize_inputs(graph, values).with_context(|| format!("cannot use {}", path.display()))?;
    Ok(lists.concat())
}

fn quantized_tensor(layout: &TensorLayout) -> Result<QuantizedTensor> {
    let shape = layout.shape.iter().map(|&dimension| usize::try_from(dimension));
    Ok(QuantizedTensor {
        name: layout.name.clone(),
        shape: shape.collect::<Result<_, _>>()?,
        scale: layout.scale,
        lo: layout.lo,
        hi: layout.hi,
    })
}

/// The real numbers that integers of a key's tensors stand for, one list per tensor.
pub(crate) fn real_values(layout: &[TensorLayout], integers: &[i64]) -> Vec<Vec<f64>> {
    let mut rest = integers;
    let take = |tensor: &TensorLayout| {
        let (own, others) = rest.split_at(tensor.element_count().min(rest.len()));
        rest = others;
        own.iter().map(|&value| real(value) * tensor.scale).collect()
    };
    layout.iter().map(take).collect()
}

/// The elements of arrays, one list per array.
pub(crate) fn lists(arrays: &[ArrayD<f32>]) -> Vec<Vec<f64>> {
    arrays.iter().map(|array| array.iter().copied().map(f64::from).collect()).collect()
}

/// The first elements of a list, for a line of text.
pub(crate) fn brief(values: &[f64]) -> String {
    const SHOWN: usize = 12;
    let shown: Vec<String> = values.iter().take(SHOWN).map(|value| format!("{value:.4}")).collect();
    let more = if values.len() > SHOWN {
        format!(", … ({} in all)", values.len())
    } else {
        String::new()
    };
    format!("[{}{more}]", shown.join(", "))
}

#[expect(clippy::cast_precision_loss, reason = "inputs and outputs have at most 17 bits")]
fn real(value: i64) -> f64 {
    value as f64
}
