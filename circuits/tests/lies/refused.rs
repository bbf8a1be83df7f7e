//! Graphs that have no circuit, each with its reason.

use zkinfer_circuits::{CircuitPlan, MAX_CLAIMS, PlanError, PlanOptions};
use zkinfer_models::quantized::{Embed, QuantizedGraph, QuantizedOp, Softmax, TensorId};
use zkinfer_verifier::Visibility;

use super::support::{Form, GraphBuilder};

fn refusal(graph: &QuantizedGraph) -> PlanError {
    CircuitPlan::new(graph, PlanOptions::default()).expect_err("a graph without a circuit")
}

/// A chain of layers of one value each.
fn deep(layers: usize) -> QuantizedGraph {
    let mut builder = GraphBuilder::new(40, [1, 1, 1]);
    let output = (0..layers).fold(TensorId(0), |hidden, _| builder.dense(hidden, 1, Form::Signed));
    builder.graph.outputs = vec![output];
    builder.graph
}

#[test]
fn more_layers_than_challenges_are_refused_by_number() {
    assert!(CircuitPlan::new(&deep(251), PlanOptions::default()).is_ok());
    let refused = CircuitPlan::new(&deep(252), PlanOptions::default()).expect_err("too many");
    assert_eq!(refused, PlanError::TooManyLayers { layers: 252, limit: 251 });
}

#[test]
fn softmax_nodes_of_unlike_precision_are_refused() {
    let mut builder = GraphBuilder::new(41, [1, 1, 4]);
    let logits = builder.dense(TensorId(0), 5, Form::Argument(-64, 63));
    let first = builder.softmax(logits);
    let second = builder.softmax(logits);
    let QuantizedOp::Softmax(softmax) = &mut builder.graph.nodes[2].op else { panic!("softmax") };
    softmax.bits = 14;
    builder.graph.outputs = vec![first, second];
    let refused = CircuitPlan::new(&builder.graph, PlanOptions::default()).expect_err("unlike");
    assert!(matches!(refused, PlanError::SoftmaxBits { expected: 15, got: 14, .. }));
}

/// Exponentials of which the gates prove nothing: the sum of a group may be 0, or have no bound, or
/// an input has no entry.
#[test]
fn tables_of_exponentials_that_the_gates_are_not_sound_for_are_refused() {
    let spoiled: [fn(&mut Softmax); 5] = [
        |softmax| softmax.exp_table[0] = 0,
        |softmax| softmax.exp_table[0] = -4096,
        |softmax| softmax.exp_table[7] = -1,
        |softmax| softmax.exp_table[1] = 4097,
        |softmax| softmax.exp_table.truncate(127),
    ];
    for spoil in spoiled {
        let mut builder = GraphBuilder::new(42, [1, 1, 4]);
        let logits = builder.dense(TensorId(0), 5, Form::Argument(-64, 63));
        let output = builder.softmax(logits);
        builder.graph.outputs = vec![output];
        let QuantizedOp::Softmax(softmax) = &mut builder.graph.nodes[1].op else {
            panic!("softmax")
        };
        spoil(softmax);
        let node = builder.graph.nodes[1].name.clone();
        assert_eq!(refusal(&builder.graph), PlanError::SoftmaxTable { node });
    }
}

/// A leaf with fewer values than the others would give 0 for what it lacks.
#[test]
fn leaves_of_unlike_width_are_refused_by_name() {
    let spoiled: [fn(&mut Vec<Vec<i64>>); 4] = [
        |leaves| leaves[1].truncate(1),
        |leaves| leaves[1].push(7),
        |leaves| leaves.iter_mut().for_each(|leaf| leaf.push(7)),
        Vec::clear,
    ];
    for spoil in spoiled {
        let mut builder = GraphBuilder::new(44, [1, 1, 4]);
        let tree = builder.tree(4, 2, 2);
        let output = builder.forest(TensorId(0), vec![tree]);
        builder.graph.outputs = vec![output];
        let node = builder.graph.nodes[0].name.clone();
        let QuantizedOp::Forest(forest) = &mut builder.graph.nodes[0].op else { panic!("trees") };
        spoil(&mut forest.trees[0].leaves);
        assert_eq!(refusal(&builder.graph), PlanError::ForestLeaves { node });
    }
}

/// Tables that would leave an index without a row, or state elements that are no digits.
#[test]
fn tables_that_do_not_fit_their_indices_are_refused() {
    let spoiled: [fn(&mut Embed); 3] = [
        |embed| embed.first += 1,
        |embed| embed.table.truncate(embed.table.len() - embed.width),
        |embed| embed.table[4] = 128,
    ];
    for spoil in spoiled {
        let mut builder = GraphBuilder::new(44, [1, 1, 4]);
        let output = builder.embed(TensorId(0), 3, 127);
        builder.graph.outputs = vec![output];
        let QuantizedOp::Embed(embed) = &mut builder.graph.nodes[0].op else { panic!("a table") };
        spoil(embed);
        let node = builder.graph.nodes[0].name.clone();
        assert_eq!(refusal(&builder.graph), PlanError::EmbeddingTable { node });
    }
}

/// An output that no unit gives a cell to has no proof, be it read by a node or shown.
#[test]
fn elements_that_no_unit_proves_are_refused_by_name() {
    let mut builder = GraphBuilder::new(43, [1, 1, 4]);
    let logits = builder.dense(TensorId(0), 5, Form::Argument(-64, 63));
    let shown = builder.softmax(logits);
    let QuantizedOp::Softmax(softmax) = &mut builder.graph.nodes[1].op else { panic!("softmax") };
    softmax.groups = vec![vec![0, 1], vec![4, 2]].try_into().expect("groups");
    let node = builder.graph.nodes[1].name.clone();
    let unproven = PlanError::Unproven { node, element: 3 };
    let read = builder.dense(shown, 2, Form::Signed);
    for output in [shown, read] {
        builder.graph.outputs = vec![output];
        assert_eq!(refusal(&builder.graph), unproven);
    }
}

#[test]
fn inputs_that_are_no_range_of_bits_cannot_be_committed_to() {
    let mut builder = GraphBuilder::new(5, [1, 1, 4]);
    builder.graph.tensors[0].hi = 126;
    let output = builder.dense(TensorId(0), 2, Form::Relu);
    builder.graph.outputs = vec![output];
    let options = PlanOptions { input_visibility: Visibility::Committed, ..PlanOptions::default() };
    let refused = CircuitPlan::new(&builder.graph, options).expect_err("no such range");
    let (lo, hi) = (-128, 126);
    assert!(matches!(refused, PlanError::InputBounds { lo: l, hi: h, .. } if (l, h) == (lo, hi)));
}

#[test]
fn several_claims_that_show_something_are_refused() {
    let graph = super::support::committed().plan.graph().clone();
    let options = PlanOptions { claims: 2, ..PlanOptions::default() };
    let refused = CircuitPlan::new(&graph, options).expect_err("shown");
    assert_eq!(refused, PlanError::ShownClaims { claims: 2 });
}

/// Whoever made a key says how many claims its proofs are about: 2^31 of them ended an audit in a panic,
/// a million took a minute.
#[test]
fn more_claims_than_a_proof_can_have_are_refused_at_once() {
    let graph = super::support::committed().plan.graph().clone();
    for claims in [MAX_CLAIMS + 1, 1 << 20, 1 << 31, u32::MAX] {
        let options = PlanOptions {
            claims,
            input_visibility: Visibility::Committed,
            output_visibility: Visibility::Committed,
            ..PlanOptions::default()
        };
        let refused = CircuitPlan::new(&graph, options).expect_err("too many");
        assert_eq!(refused, PlanError::TooManyClaims { claims, limit: MAX_CLAIMS });
    }
}

#[test]
fn several_claims_about_a_part_are_refused() {
    let graph = super::support::committed().plan.graph().clone();
    let options = PlanOptions {
        claims: 2,
        input_visibility: Visibility::Committed,
        output_visibility: Visibility::Committed,
        boundaries: [false, true],
        ..PlanOptions::default()
    };
    let refused = CircuitPlan::new(&graph, options).expect_err("a part");
    assert_eq!(refused, PlanError::JointPart { claims: 2 });
}
