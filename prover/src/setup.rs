//! Keys: from a circuit plan and an SRS to a proving key and a self-contained verifying key.

use std::{collections::BTreeMap, env, sync::Arc};

use thiserror::Error;
use zkinfer_circuits::{CircuitPlan, InferenceCircuit};
use zkinfer_engine::{Device, EngineError, EngineKey, Known, Store};
use zkinfer_models::{QuantizedGraph, SEMANTICS, quantized::TensorId};
use zkinfer_verifier::{
    Block, Boundary, Classes, Digest, InstanceLayout, Placement, Side, SrsPolicy, TensorLayout,
    VerifyingKey, boundary_layout,
};

use crate::{
    export::{self, ExportError, KeyMetadata, export_key, export_srs},
    srs::Srs,
};

/// The environment variable that makes halo2 lower the degree of every circuit.
const MAX_DEGREE: &str = "MAX_DEGREE";

/// Everything that proofs of one model need.
#[derive(Debug)]
pub struct Setup {
    plan: Arc<CircuitPlan>,
    srs: Srs,
    circuit_key: EngineKey<InferenceCircuit>,
    verifying_key: VerifyingKey,
}

/// What a key says about its model besides the circuit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelIdentity {
    /// A name for reports, where there is one: a label that identifies nothing.
    pub name: Option<String>,
    /// Digest of the ONNX file.
    pub digest: [u8; 32],
    /// Digest of the model's graph, where it is known.
    pub graph_digest: Option<[u8; 32]>,
    /// Digest of the accuracy report, where there is one.
    pub accuracy_digest: Option<[u8; 32]>,
    /// What the model calls the classes of its outputs, by the names of these.
    pub classes: BTreeMap<String, Classes>,
}

/// Why there are no keys.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SetupError {
    /// halo2 reads this variable, and the key would depend on it.
    #[error("the environment variable {MAX_DEGREE} is set and would change the key; unset it")]
    Environment,
    /// The SRS is of another size than the circuit.
    #[error("the circuit has k = {expected}, the SRS k = {got}")]
    SrsSize {
        /// The plan's `k`.
        expected: u32,
        /// The `k` of the SRS.
        got: u32,
    },
    /// A dimension of an input or output does not fit the key format.
    #[error("tensor {tensor}: a dimension exceeds 2^32")]
    Dimension {
        /// Name of the tensor.
        tensor: String,
    },
    /// The engine could not make a key.
    #[error("the circuit has no key: {0}")]
    Engine(#[from] EngineError),
    /// The key has no self-contained form.
    #[error("the key cannot be exported: {0}")]
    Export(#[from] ExportError),
}

impl Setup {
    /// Makes the keys of `plan` under `srs`, which must have the same `k`.
    ///
    /// The same plan, identity and SRS give the same keys on every machine.
    ///
    /// # Errors
    /// See [`SetupError`].
    pub fn new(plan: Arc<CircuitPlan>, srs: Srs, model: ModelIdentity) -> Result<Self, SetupError> {
        Self::on_device(plan, srs, model, &Device::default())
    }

    /// [`Setup::new`] on a chosen device, where proofs will be made too; the keys are the same on
    /// all of them.
    ///
    /// # Errors
    /// See [`SetupError`].
    pub fn on_device(
        plan: Arc<CircuitPlan>,
        srs: Srs,
        model: ModelIdentity,
        device: &Device,
    ) -> Result<Self, SetupError> {
        let metadata = metadata(&plan, &srs, model)?;
        let circuit = InferenceCircuit::new(Arc::clone(&plan));
        let (lagrange, powers) = (srs.lagrange_points(), srs.first_powers());
        let circuit_key = EngineKey::new(&circuit, lagrange, powers, device)?;
        let verifying_key = export_key(circuit_key.verifying_key(), metadata)?;
        Ok(Self { plan, srs, circuit_key, verifying_key })
    }

    /// The setup of `key`, which the same plan, SRS and identity have given before, in less time:
    /// its commitments are not computed again, and tables of multiples of this SRS are kept in
    /// `store`. `None` where the key says something else than they give.
    ///
    /// Nobody has checked the commitments: a proof that verifies under the key shows that they are
    /// those of the plan, and [`Setup::prove`] gives no other.
    ///
    /// # Errors
    /// See [`SetupError`].
    pub fn of_key(
        key: &VerifyingKey,
        plan: Arc<CircuitPlan>,
        srs: Srs,
        model: ModelIdentity,
        device: &Device,
        store: &dyn Store,
    ) -> Result<Option<Self>, SetupError> {
        let metadata = metadata(&plan, &srs, model)?;
        let Some(commitments) = export::commitments(key) else { return Ok(None) };
        let known = Known { commitments: Some(&commitments), store: Some(store) };
        let circuit = InferenceCircuit::new(Arc::clone(&plan));
        let (lagrange, powers) = (srs.lagrange_points(), srs.first_powers());
        let circuit_key = EngineKey::with(&circuit, lagrange, powers, device, known)?;
        let is_same = export::is_exported_as(circuit_key.verifying_key(), metadata, key)?;
        let verifying_key = key.clone();
        Ok(is_same.then(|| Self { plan, srs, circuit_key, verifying_key }))
    }

    /// The circuit's layout.
    #[must_use]
    pub fn plan(&self) -> &Arc<CircuitPlan> {
        &self.plan
    }

    /// The SRS of the keys.
    #[must_use]
    pub fn srs(&self) -> &Srs {
        &self.srs
    }

    /// The key of the circuit.
    #[must_use]
    pub fn circuit_key(&self) -> &EngineKey<InferenceCircuit> {
        &self.circuit_key
    }

    /// The self-contained key that verifiers hold.
    #[must_use]
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.verifying_key
    }

    /// The policy under which a proof of this setup can be accepted at all: it allows the SRS of
    /// this very key, the insecure one by its name.
    #[must_use]
    pub fn own_policy(&self) -> SrsPolicy {
        if self.srs.ceremony().is_insecure() {
            SrsPolicy::AllowInsecureDev
        } else {
            SrsPolicy::AllowSrs(self.verifying_key.srs_digest())
        }
    }
}

/// What a key says besides the circuit.
fn metadata(
    plan: &Arc<CircuitPlan>,
    srs: &Srs,
    model: ModelIdentity,
) -> Result<KeyMetadata, SetupError> {
    if env::var_os(MAX_DEGREE).is_some() {
        return Err(SetupError::Environment);
    }
    if plan.k() != srs.k() {
        return Err(SetupError::SrsSize { expected: plan.k(), got: srs.k() });
    }
    Ok(KeyMetadata {
        srs: export_srs(srs.params(), &srs.ceremony().to_string())?,
        layout: named_layout(plan, model.classes)?,
        boundaries: boundaries(plan)?,
        semantics: SEMANTICS,
        model_name: model.name,
        model_digest: Digest(model.digest),
        graph_digest: model.graph_digest.map_or(Digest::ZERO, Digest),
        accuracy_digest: model.accuracy_digest.map_or(Digest::ZERO, Digest),
    })
}

/// Inputs and outputs, as a key describes them, with the names of classes.
fn named_layout(
    plan: &CircuitPlan,
    mut classes: BTreeMap<String, Classes>,
) -> Result<InstanceLayout, SetupError> {
    let mut layout = instance_layout(plan)?;
    for output in &mut layout.outputs {
        output.classes = classes.remove(&output.name);
    }
    Ok(layout)
}

/// Inputs and outputs, as a key describes them.
fn instance_layout(plan: &CircuitPlan) -> Result<InstanceLayout, SetupError> {
    let graph = plan.claim_graph();
    let tensors =
        |ids: &[TensorId]| ids.iter().map(|&id| tensor_layout(graph, id)).collect::<Result<_, _>>();
    // What a boundary stands for, no claim shows.
    let [takes, gives] = plan.boundaries();
    let inputs = if takes { Vec::new() } else { tensors(&graph.inputs)? };
    let outputs = if gives { Vec::new() } else { tensors(&graph.outputs)? };
    let (input, output) = (plan.input_visibility(), plan.output_visibility());
    let layout = InstanceLayout::new(inputs, outputs, input, output);
    let fits = |field| SetupError::Export(ExportError::Width { field });
    let columns = u16::try_from(plan.instance_columns()).map_err(|_| fits("instance columns"))?;
    let values = u32::try_from(plan.instance_len()).map_err(|_| fits("public values"))?;
    let block = Block { first_column: 0, columns, first_row: 0, values };
    let claims = u32::try_from(plan.claims()).map_err(|_| fits("claims"))?;
    Ok(InstanceLayout { placement: Placement(vec![block]), claims, ..layout })
}

/// The columns that neighbouring parts have too.
fn boundaries(plan: &Arc<CircuitPlan>) -> Result<Vec<Boundary>, SetupError> {
    let [taken, given] = InferenceCircuit::new(Arc::clone(plan)).boundary_columns();
    let graph = plan.claim_graph();
    let sides =
        [(Side::Input, taken, &graph.inputs), (Side::Output, given, &graph.outputs)].into_iter();
    let boundary = |(side, columns, ids): (Side, Vec<usize>, &Vec<TensorId>)| {
        let tensors =
            ids.iter().map(|&id| tensor_layout(graph, id)).collect::<Result<Vec<_>, _>>()?;
        let fits = |_| SetupError::Export(ExportError::Width { field: "boundary columns" });
        let count = u32::try_from(columns.len()).map_err(fits)?;
        let columns = columns.into_iter().map(u16::try_from).collect::<Result<_, _>>();
        let layout = boundary_layout(count, &tensors);
        Ok(Boundary { side, columns: columns.map_err(fits)?, layout })
    };
    sides.filter(|(_, columns, _)| !columns.is_empty()).map(boundary).collect()
}

fn tensor_layout(graph: &QuantizedGraph, id: TensorId) -> Result<TensorLayout, SetupError> {
    let tensor = &graph.tensors[id.0];
    let shape = tensor.shape.iter().map(|&dimension| u32::try_from(dimension));
    let shape = shape
        .collect::<Result<_, _>>()
        .map_err(|_| SetupError::Dimension { tensor: tensor.name.clone() })?;
    let (name, scales) = (tensor.name.clone(), tensor.scales());
    Ok(TensorLayout { name, shape, scales, lo: tensor.lo, hi: tensor.hi, classes: None })
}
