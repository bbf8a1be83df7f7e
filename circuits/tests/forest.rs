//! Lies about walks down decision trees, each with everything that follows from it, and the one
//! check that is left to refuse it.

mod support;

use std::collections::BTreeSet;

use halo2_proofs::halo2curves::bn256::Fr;
use support::{GraphBuilder, Model, checker::Recorder};
use zkinfer_circuits::Tamper;
use zkinfer_models::quantized::{Branch, Next, TensorId, Tree};

const INPUTS: [i64; 2] = [-20, 30];
const THRESHOLDS: [i64; 2] = [-10, 50];
const LEAVES: [i64; 2] = [100, -7];
/// `f·F` of the second element: ranks have one bit.
const NUMBER: i64 = 4;

/// A tree for each element, with one comparison: both elements are below their thresholds.
fn stumps() -> Model {
    let mut builder = GraphBuilder::new(1, [1, 1, 2]);
    let tree = |element: usize| Tree {
        root: Next::Branch(0),
        branches: vec![Branch {
            element,
            threshold: THRESHOLDS[element],
            low: Next::Leaf(0),
            high: Next::Leaf(1),
        }],
        leaves: LEAVES.iter().map(|&value| vec![value]).collect(),
    };
    let output = builder.forest(TensorId(0), vec![tree(0), tree(1)]);
    builder.graph.outputs = vec![output];
    Model::new(builder.graph, INPUTS.to_vec())
}

fn field(value: i64) -> Fr {
    let magnitude = Fr::from(value.unsigned_abs());
    if value < 0 { -magnitude } else { magnitude }
}

/// Changes of cells, by the name of their column; of several the first.
fn broken(model: &Model, lies: &[(&str, usize, i64)], shown: i64) -> BTreeSet<String> {
    let tamper = |&(name, row, delta): &(&str, usize, i64)| Tamper {
        column: model.column(name),
        row,
        delta: field(delta),
    };
    let circuit =
        lies.iter().map(tamper).fold(model.circuit(), |circuit, lie| circuit.tampered(lie));
    let mut instance = model.instance.clone();
    let first_output = instance.len() - 2;
    instance[first_output] += field(shown);
    Recorder::synthesize(&circuit, model.plan.k(), &instance).broken()
}

/// Ranges and tables are one sum.
fn sum() -> BTreeSet<String> {
    BTreeSet::from(["total: ends at zero".to_owned()])
}

#[test]
fn the_honest_walk_passes() {
    let model = stumps();
    assert_eq!(model.execution.values[1], [LEAVES[0]; 2]);
    assert!(broken(&model, &[], 0).is_empty());
    assert!(model.failures(&model.circuit()).is_empty());
}

/// The other way, with a distance that makes up for it: it is negative.
#[test]
fn the_other_way_is_refused_by_the_range_of_the_distance() {
    let model = stumps();
    // Both ranks are 0, and so is the place of the threshold.
    let difference = LEAVES[1] - LEAVES[0];
    let lies = [
        ("forest direction", 0, 1),
        ("forest distance", 0, -1),
        ("forest node", 1, 1),
        ("forest entry", 1, difference),
    ];
    assert_eq!(broken(&model, &lies, difference), sum());
}

/// A direction that is neither: half way between the leaves.
#[test]
fn a_direction_that_is_neither_is_refused() {
    let model = stumps();
    let broken = broken(&model, &[("forest direction", 0, 2)], 0);
    assert!(broken.contains("forest walk: d is 0 or 1"), "{broken:?}");
}

/// Another element's rank is compared, and counted there.
#[test]
fn another_elements_rank_is_refused_by_the_range_of_the_distance() {
    let model = stumps();
    let lies = [
        ("forest compared rank", 0, NUMBER),
        ("forest distance", 0, -NUMBER),
        ("forest multiplicity", 0, -1),
        ("forest multiplicity", 1, 1),
    ];
    assert_eq!(broken(&model, &lies, 0), sum());
}

/// A rank that no element has: the fractions do not add up.
#[test]
fn a_rank_of_no_element_is_refused_by_the_fractions() {
    let model = stumps();
    let difference = LEAVES[1] - LEAVES[0];
    let lies = [
        ("forest compared rank", 0, 1),
        ("forest direction", 0, 1),
        ("forest node", 1, 1),
        ("forest entry", 1, difference),
    ];
    assert_eq!(broken(&model, &lies, difference), sum());
}

/// The next rank, with its bounds: the element is not between them.
#[test]
fn a_rank_too_high_is_refused_by_the_range_of_the_lower_distance() {
    let model = stumps();
    let tensor = &model.plan.graph().tensors[0];
    let (low, difference) = (tensor.lo - 1, LEAVES[1] - LEAVES[0]);
    let (lower, upper) = (THRESHOLDS[0] - low, tensor.hi - THRESHOLDS[0]);
    let lies = [
        ("forest rank", 0, 1),
        ("forest rank limb", 0, 1),
        ("forest rest limb", 0, -1),
        ("forest lower bound", 0, lower),
        ("forest upper bound", 0, upper),
        ("forest distance to lower bound", 0, -lower),
        ("forest distance to upper bound", 0, upper),
        ("forest compared rank", 0, 1),
        ("forest direction", 0, 1),
        ("forest node", 1, 1),
        ("forest entry", 1, difference),
    ];
    assert_eq!(broken(&model, &lies, difference), sum());
}

/// The values of the other leaf under the same node.
#[test]
fn another_leafs_value_is_refused_by_the_table() {
    let model = stumps();
    let difference = LEAVES[1] - LEAVES[0];
    assert_eq!(broken(&model, &[("forest entry", 1, difference)], difference), sum());
    let lies = [("forest entry", 1, difference), ("forest node", 1, 1)];
    let broken = broken(&model, &lies, difference);
    let step = "forest walk: W = c + distance − d·(2·distance + 1) + 2^S·(next − d)";
    assert_eq!(broken, BTreeSet::from([step.to_owned()]));
}

/// A walk that begins at the other tree's root.
#[test]
fn another_root_is_refused() {
    let model = stumps();
    let broken = broken(&model, &[("forest node", 0, 1)], 0);
    assert!(broken.contains("forest walk: the walk begins at its root"), "{broken:?}");
}
