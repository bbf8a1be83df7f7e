//! Lies about walks down decision trees, each with everything that follows from it.

use halo2_proofs::halo2curves::bn256::Fr;
use zkinfer_circuits::{InferenceCircuit, Tamper};
use zkinfer_models::quantized::{Branch, Next, TensorId, Tree};

use super::{Conv, Form, GraphBuilder, Model, exact};

/// The tag of the range whose size is no power of two.
pub(crate) const EXACT_TAG: u64 = 63;
const INPUTS: [i64; 2] = [-20, 30];
const THRESHOLDS: [i64; 2] = [-10, 50];
/// The values of both leaves, and how much less the second is.
pub(crate) const LEAVES: [i64; 2] = [100, -7];
const DIFFERENCE: i64 = LEAVES[1] - LEAVES[0];
/// `f·F` of the second element: ranks have one bit.
const NUMBER: i64 = 4;

/// A tree for each element, with one comparison: both elements are below their thresholds.
pub(crate) fn stumps() -> Model {
    let mut builder = GraphBuilder::new(1, [1, 1, 2]);
    let output = builder.forest(TensorId(0), trees());
    builder.graph.outputs = vec![output];
    Model::new(builder.graph, INPUTS.to_vec())
}

/// The same trees beside layers of which one has a range whose size is no power of two. The first
/// element is above its threshold: its rank is 1, and no element that is compared has the rank 0 of
/// the first element.
pub(crate) fn stumps_beside_an_exact_range() -> Model {
    let mut builder = GraphBuilder::new(11, [1, 8, 8]);
    let walked = builder.forest(TensorId(0), trees());
    let conv = Conv { out: 3, padding: [1, 1], ..Conv::default() };
    let hidden = builder.conv(TensorId(0), &conv, Form::Relu);
    let pooled = builder.max_pool(hidden, 2, 2);
    let output = builder.dense(pooled, 2, Form::Wide);
    builder.graph.outputs = vec![walked, output];
    let mut inputs: Vec<i64> = (0..64).map(|_| builder.below(256) - 128).collect();
    inputs[..2].fill(INPUTS[1]);
    exact(Model::new(builder.graph, inputs))
}

fn trees() -> Vec<Tree<i64>> {
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
    vec![tree(0), tree(1)]
}

/// Changes of cells of the first walk, by the name of their column, of several the first; and by how
/// much another first output is shown.
pub(crate) struct Lie {
    cells: Vec<(&'static str, usize, i64)>,
    pub(crate) shown: i64,
}

impl Lie {
    /// The circuit of the stumps in which it is told.
    pub(crate) fn told(&self, model: &Model) -> InferenceCircuit {
        let tamper = |&(name, row, delta): &(&str, usize, i64)| Tamper {
            column: model.column(name),
            row,
            delta: field(delta),
        };
        self.cells.iter().map(tamper).fold(model.circuit(), InferenceCircuit::tampered)
    }
}

pub(crate) fn field(value: i64) -> Fr {
    let magnitude = Fr::from(value.unsigned_abs());
    if value < 0 { -magnitude } else { magnitude }
}

/// The other way, with a distance that makes up for it: it is negative.
pub(crate) fn other_way() -> Lie {
    // Both ranks are 0, and so is the place of the threshold.
    let cells = vec![
        ("forest direction", 0, 1),
        ("forest distance", 0, -1),
        ("forest node", 1, 1),
        ("forest entry", 1, DIFFERENCE),
    ];
    Lie { cells, shown: DIFFERENCE }
}

/// A direction that is neither: half way between the leaves.
pub(crate) fn no_direction() -> Lie {
    Lie { cells: vec![("forest direction", 0, 2)], shown: 0 }
}

/// Another element's rank is compared, and counted there.
pub(crate) fn another_elements_rank() -> Lie {
    let cells = vec![
        ("forest compared rank", 0, NUMBER),
        ("forest distance", 0, -NUMBER),
        ("forest multiplicity", 0, -1),
        ("forest multiplicity", 1, 1),
    ];
    Lie { cells, shown: 0 }
}

/// A rank that no element has: the fractions do not add up.
pub(crate) fn no_elements_rank() -> Lie {
    let cells = vec![
        ("forest compared rank", 0, 1),
        ("forest direction", 0, 1),
        ("forest node", 1, 1),
        ("forest entry", 1, DIFFERENCE),
    ];
    Lie { cells, shown: DIFFERENCE }
}

/// The next rank, with its bounds: the element is not between them.
pub(crate) fn next_rank(model: &Model) -> Lie {
    let tensor = &model.plan.graph().tensors[0];
    let low = tensor.lo - 1;
    let (lower, upper) = (THRESHOLDS[0] - low, tensor.hi - THRESHOLDS[0]);
    let cells = vec![
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
        ("forest entry", 1, DIFFERENCE),
    ];
    Lie { cells, shown: DIFFERENCE }
}

/// The value of the other leaf under the same node.
pub(crate) fn another_leafs_value() -> Lie {
    Lie { cells: vec![("forest entry", 1, DIFFERENCE)], shown: DIFFERENCE }
}

/// The other leaf without a way that leads there.
pub(crate) fn another_leaf() -> Lie {
    let cells = vec![("forest entry", 1, DIFFERENCE), ("forest node", 1, 1)];
    Lie { cells, shown: DIFFERENCE }
}

/// A walk that begins at the other tree's root.
pub(crate) fn another_root() -> Lie {
    Lie { cells: vec![("forest node", 0, 1)], shown: 0 }
}

/// A rank that no element has, which the first entry of some range is to answer for: one looked up
/// once more there, and one of the element's own ranks less.
pub(crate) fn rank_of_a_range(row: usize) -> Lie {
    let cells = vec![
        ("forest compared rank", 0, -1),
        ("forest direction", 0, -1),
        ("forest multiplicity", 0, -1),
        ("table multiplicity", row, 1),
        ("forest node", 1, -1),
        ("forest entry", 1, -DIFFERENCE),
    ];
    Lie { cells, shown: -DIFFERENCE }
}

/// All of them, about [`stumps`].
pub(crate) fn lies(model: &Model) -> Vec<Lie> {
    vec![
        other_way(),
        no_direction(),
        another_elements_rank(),
        no_elements_rank(),
        next_rank(model),
        another_leafs_value(),
        another_leaf(),
        another_root(),
    ]
}
