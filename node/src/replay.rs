//! A dispute about one answer, down to one operation.
//!
//! A signed answer binds its node to every tensor of its run. Whoever has the model runs it too, and
//! finds the first step at which the node's run is another one. Up to there both agree, so what is
//! left is one operation on tensors that the node itself has signed: anybody recomputes it, in
//! integers, without a tolerance. A [`Dispute`] holds these tensors and the way from each of them to
//! what the node has signed; it is checked without a network, and without the rest of the run.

use thiserror::Error;
use zkinfer::{
    models::{
        QuantizedGraph, RunError,
        quantized::{QuantizedNode, TensorId},
    },
    verifier::{Blinding, ClaimedValues, KeyDigest, VerifyingKey},
};
use zkinfer_settlement::ValuesDigest;

use crate::{
    account::Signature,
    answer::{Answer, SignedAnswer},
    encoding::Hex,
    execution::{Inclusion, Step, Trace, reads, run_operation, step_count, step_of, tensors},
    order::Order,
    schema::wire,
    sealed::Unsealed,
    served::{Served, split_input},
};

wire! {
    /// A tensor of a node's run.
    pub struct ShownTensor {
        /// The step at which it comes about.
        pub step: u64,
        /// Its integers; of the step that is disputed none: the node's are not known.
        pub elements: Vec<i64>,
        /// Its digest.
        pub digest: Hex<32>,
        /// The way to the run's digest.
        pub path: Vec<Hex<32>>,
    }

    /// "The node has signed a run that is none of the model."
    pub struct Dispute {
        /// The order.
        pub order: Order,
        /// What the node has signed.
        pub answer: Answer,
        /// The node's signature over it.
        pub signature: Signature,
        /// How many steps the node's run has.
        pub count: u64,
        /// The tensor that is wrong; none where it is the output that is not the run's.
        pub disputed: Option<ShownTensor>,
        /// The tensors from which it follows: what the operation reads, or the model's outputs.
        pub given: Vec<ShownTensor>,
        /// The integers of the whole input, where it is an input that is wrong.
        pub input: Option<Vec<i64>>,
        /// What blinds the commitment to it, where claims under the key hide their input.
        pub blinding: Option<Hex<32>>,
    }
}

/// What is wrong with a run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// It has another number of steps than the model.
    Count {
        /// Of the model.
        expected: usize,
        /// Of the run.
        got: usize,
    },
    /// An input of it is another than was ordered.
    Input {
        /// Its name.
        name: String,
    },
    /// An operation of it gave something else than the model's.
    Operation {
        /// The step.
        step: usize,
        /// The name of the operation.
        name: String,
    },
    /// The output that was answered is not the one of the run.
    Output,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Count { expected, got } => {
                write!(f, "the run has {got} steps, the model {expected}")
            }
            Self::Input { name } => write!(f, "input `{name}` of the run is not the ordered one"),
            Self::Operation { step, name } => {
                write!(f, "step {step}, `{name}`, is not what the model computes")
            }
            Self::Output => f.write_str("the output is not the one of the node's own run"),
        }
    }
}

/// Why a dispute shows nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DisputeError {
    /// The order, or the answer, is of another model.
    #[error("the dispute is about the model {got}, not {expected}")]
    Model {
        /// The one at hand.
        expected: KeyDigest,
        /// Of the order.
        got: KeyDigest,
    },
    /// The answer is not to the order.
    #[error("the answer is not to this order")]
    Order,
    /// Not signed by the node.
    #[error("the answer is not signed by its node")]
    Signature,
    /// A tensor is not shown to be one of the node's run.
    #[error("the tensor at step {step} is not shown to be one of the node's run")]
    Inclusion {
        /// Where it should be.
        step: u64,
    },
    /// Not the tensors from which the disputed one follows.
    #[error("the dispute does not show what the disputed tensor follows from, or not only that")]
    Given,
    /// What is shown is what the model computes.
    #[error("the node is right: this is what the model computes")]
    Agrees,
}

impl ShownTensor {
    fn new(trace: &Trace, step: usize, elements: Vec<i64>) -> Option<Self> {
        let Inclusion { step, digest, path, .. } = trace.inclusion(step)?;
        Some(Self { step: u64::try_from(step).ok()?, elements, digest, path })
    }

    fn inclusion(&self, count: usize) -> Option<Inclusion> {
        let step = usize::try_from(self.step).ok()?;
        Some(Inclusion { step, count, digest: self.digest, path: self.path.clone() })
    }

    fn check(&self, count: usize, root: &Hex<32>) -> Result<Inclusion, DisputeError> {
        let inclusion = self.inclusion(count).filter(|inclusion| inclusion.holds(root));
        inclusion.ok_or(DisputeError::Inclusion { step: self.step })
    }
}

impl Dispute {
    /// Runs the model on the order's input, and finds where the node's run is another one; `None`
    /// where it is the same, and its output the answer. The caller has checked order, input and
    /// answer.
    ///
    /// # Errors
    /// The integers are no input of the model.
    pub fn find(
        served: &Served,
        order: &Order,
        input: &Unsealed,
        signed: &SignedAnswer,
    ) -> Result<Option<Self>, RunError> {
        let graph = &served.graph;
        let run = served.run(&input.values)?;
        let (own, theirs) = (Trace::of(graph, &run.values), Trace::from_digests(&signed.trace));
        let steps: Vec<_> = tensors(graph).collect();
        let step_of_tensor = |id| steps.iter().position(|other| *other == id);
        let shown =
            |id: TensorId| ShownTensor::new(&theirs, step_of_tensor(id)?, run.values[id.0].clone());
        let step = own.first_difference(&theirs);
        let (disputed, given, shown_input) = match step {
            None if run.outputs(graph).concat() == signed.output => return Ok(None),
            None => (None, graph.outputs.iter().copied().map(shown).collect(), None),
            Some(step) => {
                // Where the node's run is too short, any tensor shows how long it is.
                let step = step.min(theirs.digests().len().saturating_sub(1));
                let disputed = ShownTensor::new(&theirs, step, Vec::new());
                match step_of(graph, step) {
                    Some(Step::Operation(node)) => {
                        let given = reads(&node.op).into_iter().map(shown).collect();
                        (disputed, given, None)
                    }
                    Some(Step::Input(_)) => (disputed, Some(Vec::new()), Some(input)),
                    None => (disputed, Some(Vec::new()), None),
                }
            }
        };
        Ok(Some(Self {
            order: order.clone(),
            answer: signed.answer.clone(),
            signature: signed.signature,
            count: u64::try_from(theirs.digests().len()).unwrap_or(u64::MAX),
            disputed,
            given: given.unwrap_or_default(),
            input: shown_input.map(|input| input.values.clone()),
            blinding: shown_input.and_then(|input| input.blinding).map(|one| Hex(one.to_bytes())),
        }))
    }

    /// What is wrong with the node's run, from one operation of the model of a key alone: nothing else
    /// of what the dispute says has to be believed.
    ///
    /// # Errors
    /// Why the dispute shows nothing.
    pub fn check(&self, graph: &QuantizedGraph, key: &VerifyingKey) -> Result<Fault, DisputeError> {
        let Self { order, answer, signature, .. } = self;
        let (expected, got) = (key.digest(), order.model());
        if expected != got {
            return Err(DisputeError::Model { expected, got });
        }
        let answers = answer.job.0 == order.job().0 && answer.chain_id == order.chain_id;
        if !answers || answer.model != order.model || answer.input != order.input {
            return Err(DisputeError::Order);
        }
        if !answer.is_signed(signature) {
            return Err(DisputeError::Signature);
        }
        let (expected, count) = (step_count(graph), usize::try_from(self.count));
        let got = count.map_err(|_| DisputeError::Given)?;
        for given in &self.given {
            let shown = given.check(got, &answer.execution)?;
            if !shown.is_of(&given.elements) {
                return Err(DisputeError::Inclusion { step: given.step });
            }
        }
        let Some(disputed) = &self.disputed else { return self.check_output(graph) };
        let claimed = disputed.check(got, &answer.execution)?;
        if expected != got {
            return Ok(Fault::Count { expected, got });
        }
        match step_of(graph, claimed.step) {
            None => Err(DisputeError::Given),
            Some(Step::Input(place)) => self.check_input((graph, key), place, &claimed),
            Some(Step::Operation(node)) => self.check_operation(graph, node, &claimed),
        }
    }

    /// The values that the dispute gives, if they are those of these tensors.
    fn values(
        &self,
        graph: &QuantizedGraph,
        wanted: &[TensorId],
    ) -> Result<Vec<Vec<i64>>, DisputeError> {
        let order: Vec<_> = tensors(graph).collect();
        let tensor = |given: &ShownTensor| {
            usize::try_from(given.step).ok().and_then(|step| order.get(step).copied())
        };
        let given: Vec<_> = self.given.iter().map(tensor).collect();
        if given != wanted.iter().copied().map(Some).collect::<Vec<_>>() {
            return Err(DisputeError::Given);
        }
        Ok(self.given.iter().map(|given| given.elements.clone()).collect())
    }

    fn check_output(&self, graph: &QuantizedGraph) -> Result<Fault, DisputeError> {
        if usize::try_from(self.count) != Ok(step_count(graph)) {
            return Err(DisputeError::Given);
        }
        self.values(graph, &graph.outputs)?;
        let output = self.given.iter().flat_map(|given| &given.elements).copied().collect();
        let same = ValuesDigest::of(&ClaimedValues::Public(output)).0.0 == self.answer.output.0;
        if same { Err(DisputeError::Agrees) } else { Ok(Fault::Output) }
    }

    fn check_input(
        &self,
        (graph, key): (&QuantizedGraph, &VerifyingKey),
        place: usize,
        claimed: &Inclusion,
    ) -> Result<Fault, DisputeError> {
        let values = self.input.clone().ok_or(DisputeError::Given)?;
        let blinding = self.blinding.map(|Hex(bytes)| Blinding::from_bytes(&bytes));
        let blinding = blinding.map(|one| one.ok_or(DisputeError::Given)).transpose()?;
        let input = Unsealed { values, blinding };
        input.check(&self.order, key).map_err(|_| DisputeError::Given)?;
        let own =
            split_input(graph, &input.values).into_iter().nth(place).ok_or(DisputeError::Given)?;
        if claimed.is_of(&own) {
            return Err(DisputeError::Agrees);
        }
        let name = graph.tensors[graph.inputs[place].0].name.clone();
        Ok(Fault::Input { name })
    }

    fn check_operation(
        &self,
        graph: &QuantizedGraph,
        node: &QuantizedNode,
        claimed: &Inclusion,
    ) -> Result<Fault, DisputeError> {
        let values = self.values(graph, &reads(&node.op))?;
        // The node has signed what the operation reads; beyond its bounds the fault is an earlier one.
        let own = run_operation(graph, node, &values).map_err(|_| DisputeError::Given)?;
        if claimed.is_of(&own) {
            return Err(DisputeError::Agrees);
        }
        Ok(Fault::Operation { step: claimed.step, name: node.name.clone() })
    }
}
