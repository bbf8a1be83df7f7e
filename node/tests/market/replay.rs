//! A wrong run is traced to the operation that is wrong; a right one cannot be accused.

use zkinfer::models::{QuantizedGraph, execute, quantized::TensorId};
use zkinfer_node::{
    ALWAYS, Dispute, DisputeError, Fault, Hex, Identity, JobRequest, Offer, Served, SignedAnswer,
    Step, Trace, Unsealed, step_count, step_of,
};

use crate::common::{DAY, ZOO, identity, now, request};

fn served() -> Served {
    Served::load(&ZOO.folder.path().join("digits_mlp.onnx"), None).unwrap()
}

fn ordered() -> JobRequest {
    request(&identity(1), 7, 1, DAY)
}

/// The input of an order that shows it.
fn open(request: &JobRequest) -> Unsealed {
    Unsealed { values: request.input.clone(), blinding: None }
}

fn node() -> Identity {
    identity(9)
}

fn tensor_of(graph: &QuantizedGraph, step: usize) -> TensorId {
    match step_of(graph, step).unwrap() {
        Step::Input(place) => graph.inputs[place],
        Step::Operation(node) => node.output,
    }
}

/// The offer of a request as a coordinator makes it to a node.
pub(crate) fn offer(request: &JobRequest) -> Offer {
    Offer {
        job: Hex(request.order.job().0),
        order: request.order.clone(),
        signature: request.signature,
        part: None,
        input: request.input.clone(),
        sealed: request.sealed.clone(),
        price: request.order.price,
        answer_by: now() + 5,
        rate: ALWAYS,
        reveal_by: 0,
        prove_by: now() + 300,
        answered: false,
    }
}

/// The answer of a node whose run went wrong at a step, and went on from there as the model does.
fn gone_wrong(served: &Served, request: &JobRequest, step: usize) -> SignedAnswer {
    let graph = &served.graph;
    let mut values = served.run(&request.input).unwrap().values;
    let wrong = tensor_of(graph, step);
    let (lo, element) = (graph.tensors[wrong.0].lo, &mut values[wrong.0][0]);
    *element = if *element == lo { lo + 1 } else { lo };
    // The rest of the model, on what has come about so far.
    let done = (0..=step).map(|step| tensor_of(graph, step)).collect::<Vec<_>>();
    let rest = QuantizedGraph {
        inputs: done.clone(),
        nodes: graph.nodes.iter().filter(|node| !done.contains(&node.output)).cloned().collect(),
        ..graph.clone()
    };
    // Inputs that are not yet wrong are those of the order.
    let missing = graph.inputs.iter().filter(|id| !done.contains(id));
    let inputs: Vec<TensorId> = rest.inputs.iter().chain(missing).copied().collect();
    let given: Vec<_> = inputs.iter().map(|id| values[id.0].clone()).collect();
    let values = execute(&QuantizedGraph { inputs, ..rest }, &given).unwrap().values;
    let output = graph.outputs.iter().flat_map(|id| values[id.0].clone()).collect();
    let trace = Trace::of(graph, &values);
    SignedAnswer::new(&node(), &offer(request), output, &trace)
}

#[test]
fn a_wrong_run_is_traced_to_its_first_wrong_step() {
    let (served, request) = (served(), ordered());
    let (graph, key) = (&served.graph, served.key());
    for step in 0..step_count(graph) {
        let answer = gone_wrong(&served, &request, step);
        assert_eq!(answer.check(&request.order, served.key()), Ok(()));
        let dispute =
            Dispute::find(&served, &request.order, &open(&request), &answer).unwrap().unwrap();
        let fault = dispute.check(graph, key).unwrap();
        match step_of(graph, step).unwrap() {
            Step::Input(_) => assert!(matches!(fault, Fault::Input { .. }), "{fault}"),
            Step::Operation(node) => {
                assert_eq!(fault, Fault::Operation { step, name: node.name.clone() });
            }
        }
        // It is text that anybody can pass on.
        let text = serde_json::to_string(&dispute).unwrap();
        assert_eq!(serde_json::from_str::<Dispute>(&text).unwrap(), dispute);
    }
}

#[test]
fn an_output_that_is_not_the_runs_and_a_run_of_another_length_are_shown() {
    let (served, request) = (served(), ordered());
    let (graph, key) = (&served.graph, served.key());
    let run = served.run(&request.input).unwrap();
    let (trace, mut output) = (Trace::of(graph, &run.values), run.outputs(graph).concat());
    output[0] += 1;
    let offer = offer(&request);
    let answer = SignedAnswer::new(&node(), &offer, output, &trace);
    let dispute =
        Dispute::find(&served, &request.order, &open(&request), &answer).unwrap().unwrap();
    assert_eq!(dispute.check(graph, key), Ok(Fault::Output));

    let expected = step_count(graph);
    for got in [1, expected - 1, expected + 1] {
        let mut digests = trace.digests();
        digests.resize(got, Hex([5; 32]));
        let other = Trace::from_digests(&digests);
        let output = run.outputs(graph).concat();
        let answer = SignedAnswer::new(&node(), &offer, output, &other);
        let dispute =
            Dispute::find(&served, &request.order, &open(&request), &answer).unwrap().unwrap();
        assert_eq!(dispute.check(graph, key), Ok(Fault::Count { expected, got }));
    }
}

#[test]
fn a_right_run_cannot_be_accused_nor_a_wrong_one_of_something_else() {
    let (served, request) = (served(), ordered());
    let (graph, key) = (&served.graph, served.key());
    let run = served.run(&request.input).unwrap();
    let trace = Trace::of(graph, &run.values);
    let output = run.outputs(graph).concat();
    let honest = SignedAnswer::new(&node(), &offer(&request), output, &trace);
    assert_eq!(Dispute::find(&served, &request.order, &open(&request), &honest).unwrap(), None);

    let step = step_count(graph) - 1;
    let wrong = gone_wrong(&served, &request, step);
    let dispute = Dispute::find(&served, &request.order, &open(&request), &wrong).unwrap().unwrap();
    // About the honest node, with the honest node's own ways to its root.
    let ways = |answer: &SignedAnswer, dispute: &mut Dispute| {
        (dispute.answer, dispute.signature) = (answer.answer.clone(), answer.signature);
        let trace = Trace::from_digests(&answer.trace);
        for shown in dispute.given.iter_mut().chain(dispute.disputed.as_mut()) {
            let inclusion = trace.inclusion(usize::try_from(shown.step).unwrap()).unwrap();
            (shown.digest, shown.path) = (inclusion.digest, inclusion.path);
        }
    };
    let refused = |edit: &dyn Fn(&mut Dispute)| {
        let mut dispute = dispute.clone();
        edit(&mut dispute);
        dispute.check(graph, key).unwrap_err()
    };
    let last = u64::try_from(step).unwrap();
    let read = dispute.given[0].step;
    assert_eq!(refused(&|dispute| ways(&honest, dispute)), DisputeError::Agrees);
    let output = |dispute: &mut Dispute| {
        ways(&honest, dispute);
        dispute.given = dispute.disputed.take().into_iter().collect();
        dispute.given[0].elements.clone_from(&honest.output);
    };
    assert_eq!(refused(&output), DisputeError::Agrees);
    assert_eq!(refused(&|dispute| dispute.signature.0[0] ^= 1), DisputeError::Signature);
    assert_eq!(refused(&|dispute| dispute.answer.prove_by += 1), DisputeError::Signature);
    assert_eq!(refused(&|dispute| dispute.order.nonce.0 += 1), DisputeError::Order);
    assert_eq!(refused(&|dispute| dispute.count += 1), DisputeError::Inclusion { step: read });
    let claimed = |dispute: &mut Dispute| dispute.disputed.as_mut().unwrap().digest.0[0] ^= 1;
    assert_eq!(refused(&claimed), DisputeError::Inclusion { step: last });
    let given = |dispute: &mut Dispute| dispute.given[0].elements[0] ^= 1;
    assert_eq!(refused(&given), DisputeError::Inclusion { step: read });
    assert_eq!(refused(&|dispute| dispute.given.clear()), DisputeError::Given);
    let twice = |dispute: &mut Dispute| dispute.given.push(dispute.given[0].clone());
    assert_eq!(refused(&twice), DisputeError::Given);
    assert!(matches!(
        refused(&|dispute| dispute.order.model = Hex([1; 32])),
        DisputeError::Model { .. }
    ));
}
