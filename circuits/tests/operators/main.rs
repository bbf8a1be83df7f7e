//! Every operation of `docs/operators.md` that leaves something to prove, in a small file: its circuit
//! accepts what the integers give, and no other number of its result.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../../models/tests/support/onnx.rs"]
#[allow(dead_code, reason = "shared with the tests of the importer")]
mod onnx;
mod pipelines;
#[path = "../support/mod.rs"]
mod support;
mod table;

use std::{collections::BTreeSet, error::Error, sync::Arc};

use ndarray::{ArrayD, IxDyn};
use onnx::noise;
use rayon::prelude::*;
use support::checker::Recorder;
use zkinfer_circuits::{
    CircuitPlan, InferenceCircuit, InstanceValues, PlanOptions, instance_values,
};
use zkinfer_models::{
    Calibration, Execution, Graph, QuantizeOptions, QuantizedGraph, TensorSpec, execute, quantize,
    quantize_inputs, quantized::TensorId,
};

/// Numbers of an input, by the letter that its name begins with: `p` is positive, `g` above 1, `i`
/// and `j` are the whole numbers from 0 to 2, all others from −1 to 1.
fn numbers(name: &str, len: usize) -> Vec<f32> {
    let noise = noise(name, len);
    let number = |(index, x): (usize, f32)| match name.as_bytes()[0] {
        b'p' => 0.3 + x.abs(),
        b'g' => 1.2 + x.abs(),
        b'i' | b'j' => [0.0, 1.0, 2.0][(index + usize::from(name.len() > 1)) % 3],
        _ => x,
    };
    noise.into_iter().enumerate().map(number).collect()
}

/// A quantized file, one run of it, and its plan.
struct Run {
    graph: QuantizedGraph,
    execution: Execution,
    plan: Arc<CircuitPlan>,
}

impl Run {
    fn new(bytes: &[u8]) -> Result<Self, Box<dyn Error>> {
        let graph = Graph::from_onnx_bytes(bytes)?;
        let input = |spec: &TensorSpec| {
            ArrayD::from_shape_vec(IxDyn(&spec.shape), numbers(&spec.name, spec.len())).unwrap()
        };
        let inputs: Vec<ArrayD<f32>> = graph.inputs().into_iter().map(input).collect();
        let calibration = Calibration::from_samples(&graph, std::slice::from_ref(&inputs))?;
        let options = QuantizeOptions { activation_bits: 8, ..QuantizeOptions::default() };
        let graph = quantize(&graph, &calibration, &options)?;
        let execution = execute(&graph, &quantize_inputs(&graph, &inputs)?)?;
        let plan = Arc::new(CircuitPlan::new(&graph, PlanOptions::default())?);
        Ok(Self { graph, execution, plan })
    }

    /// The constraints that do not hold for a run that says this.
    fn broken(&self, execution: Execution) -> BTreeSet<String> {
        let shown = |ids: &[TensorId]| -> Vec<i64> {
            ids.iter().flat_map(|id| execution.values[id.0].clone()).collect()
        };
        let (inputs, outputs) = (shown(&self.graph.inputs), shown(&self.graph.outputs));
        let public = InstanceValues::Public;
        let instance = instance_values([1, 2], public(&inputs), public(&outputs));
        let circuit = InferenceCircuit::with_execution(self.plan.clone(), execution.into());
        Recorder::synthesize(&circuit, self.plan.k(), &instance).broken()
    }
}

/// What is wrong with the circuit of a file: it refuses what the integers give, or accepts the first
/// or the last number of an output one off and claimed so.
fn faults(name: &str, bytes: &[u8]) -> Vec<String> {
    let run = match Run::new(bytes) {
        Ok(run) => run,
        Err(why) => return vec![format!("{name}: {why}")],
    };
    let broken = run.broken(run.execution.clone());
    if !broken.is_empty() {
        return vec![format!("{name}: {broken:?}")];
    }
    let mut faults = Vec::new();
    for output in &run.graph.outputs {
        let tensor = &run.graph.tensors[output.0];
        for element in BTreeSet::from([0, tensor.len() - 1]) {
            let mut lie = run.execution.clone();
            let value = &mut lie.values[output.0][element];
            *value += if *value < tensor.hi { 1 } else { -1 };
            if run.broken(lie).is_empty() {
                faults.push(format!("{name}: `{}`[{element}] may be another", tensor.name));
            }
        }
    }
    faults
}

#[test]
fn no_operation_gives_another_number() {
    let files = table::models().into_par_iter();
    let faults: Vec<_> = files.flat_map(|(name, model)| faults(&name, &model.bytes())).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Names of the operations of the page, but for those of the class of constants.
fn of_the_page() -> BTreeSet<String> {
    let page = include_str!("../../../docs/operators.md");
    let (_, rows) = page.split_once("| operation | class |").unwrap();
    let (rows, _) = rows.split_once("\n## Not proved").unwrap();
    let cells = rows.lines().map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
    let proven = cells.filter(|cells| cells.len() > 3 && cells[2].len() == 1 && cells[2] != "K");
    proven.map(|cells| cells[1].to_owned()).collect()
}

#[test]
fn every_operation_of_the_page_is_in_the_table() {
    let mut named = BTreeSet::new();
    for (_, mut model) in table::models() {
        for node in &model.graph().node {
            let is_standard = node.domain.is_empty();
            let domain = if is_standard { "" } else { &format!("{}.", node.domain) };
            named.insert(format!("{domain}{}", node.op_type));
        }
    }
    let page = of_the_page();
    assert!(page.len() > 150, "the page has {} operations", page.len());
    let missing: Vec<_> = page.difference(&named).collect();
    assert!(missing.is_empty(), "no circuit of {missing:?}");
}
