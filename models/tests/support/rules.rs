//! What the circuits rely on, checked on a quantized graph and one execution of it.

use zkinfer_models::quantized::{
    Affine, Alias, Embed, Forest, MaxPool, QuantizedGraph, QuantizedNode, QuantizedOp,
    QuantizedTensor, Requant, TensorId,
};
use zkinfer_models::{Execution, QuantizeOptions};

/// Panics at the first rule that is broken.
pub(crate) fn check(graph: &QuantizedGraph, options: &QuantizeOptions, execution: &Execution) {
    let mut defined: Vec<TensorId> = graph.inputs.clone();
    for (node, accumulators) in graph.nodes.iter().zip(&execution.accumulators) {
        let output = &graph.tensors[node.output.0];
        for input in node.op.inputs() {
            assert!(defined.contains(&input), "{} reads before it is defined", node.name);
        }
        assert!(!defined.contains(&node.output));
        defined.push(node.output);
        let requant = match &node.op {
            QuantizedOp::Affine(layer) => {
                check_layer(graph, layer, node.output);
                Some(&layer.requant)
            }
            QuantizedOp::Mul(mul) => Some(&mul.requant),
            QuantizedOp::Contract(product) => {
                assert!(product.bias.is_empty() || product.bias.len() == product.sizes.len());
                Some(&product.requant)
            }
            QuantizedOp::Normalize(op) => {
                let input = &graph.tensors[op.input.0];
                assert!(input.len().is_multiple_of(op.size) && op.gain >= 1 && op.epsilon >= 1);
                assert!(op.slack_bits(input.hi.max(-input.lo)) <= 60);
                Some(&op.requant)
            }
            QuantizedOp::Alias(Alias { input, .. })
            | QuantizedOp::MaxPool(MaxPool { input, .. }) => {
                same_format(graph, *input, node.output);
                None
            }
            QuantizedOp::Softmax(softmax) => {
                assert_eq!(softmax.exp_table[0], 4096);
                let input = &graph.tensors[softmax.input.0];
                let size = usize::try_from(input.hi - input.lo + 1).unwrap();
                assert_eq!(softmax.exp_table.len(), size);
                None
            }
            QuantizedOp::Forest(forest) => {
                check_forest(graph, forest, output);
                None
            }
            QuantizedOp::Embed(embed) => {
                check_table(graph, embed, output);
                None
            }
        };
        assert_eq!(requant.is_some(), accumulators.is_some());
        if let (Some(requant), Some(accumulators)) = (requant, accumulators) {
            check_requant(requant, options, graph, node.output);
            let (lo, hi) = (requant.acc_lo, requant.acc_hi);
            assert!(accumulators.iter().all(|acc| (lo..=hi).contains(acc)), "{}", node.name);
        }
        let values = &execution.values[node.output.0];
        assert_eq!(values.len(), output.len());
        let (lo, hi) = (output.lo, output.hi);
        assert!(values.iter().all(|value| (lo..=hi).contains(value)), "{}", node.name);
    }
    assert!(graph.outputs.iter().all(|id| defined.contains(id) && !graph.inputs.contains(id)));
    assert_eq!(defined.len(), graph.tensors.len(), "a dead tensor is left");
}

/// Thresholds leave both ways open, and leaves have as many values as the output counts.
fn check_forest(graph: &QuantizedGraph, forest: &Forest<i64>, output: &QuantizedTensor) {
    let input = &graph.tensors[forest.input.0];
    for tree in &forest.trees {
        assert!(tree.leaves.iter().all(|leaf| leaf.len() == tree.width()));
        for branch in &tree.branches {
            assert!(branch.element < input.len());
            assert!((input.lo..input.hi).contains(&branch.threshold));
        }
    }
    assert_eq!(forest.width(), output.len());
}

/// Every index that there can be has a row, with elements in the bounds of the output.
fn check_table(graph: &QuantizedGraph, embed: &Embed, output: &QuantizedTensor) {
    let input = &graph.tensors[embed.input.0];
    let rows = i64::try_from(embed.rows()).unwrap();
    assert_eq!((input.scale, input.lo, input.hi), (1.0, embed.first, embed.first + rows - 1));
    assert_eq!(embed.table.len(), embed.rows() * embed.width);
    assert!(embed.table.iter().all(|&x| (output.lo..=output.hi).contains(&x.into())));
    assert_eq!(output.len(), input.len() * embed.width);
}

fn same_format(graph: &QuantizedGraph, input: TensorId, output: TensorId) {
    let (input, output) = (&graph.tensors[input.0], &graph.tensors[output.0]);
    assert_eq!((input.scale, input.lo, input.hi), (output.scale, output.lo, output.hi));
}

fn check_layer(graph: &QuantizedGraph, layer: &Affine, output: TensorId) {
    let view = &layer.output;
    let mut seen = vec![false; graph.tensors[output.0].len()];
    assert_eq!(seen.len(), view.channels * view.height * view.width);
    for channel in 0..view.channels {
        for i in 0..view.height {
            for j in 0..view.width {
                let position = view.index(channel, i, j);
                assert!(!std::mem::replace(&mut seen[position], true), "not a bijection");
            }
        }
    }
    assert_eq!(layer.bias.len(), view.channels);
    assert!(layer.shifts.is_empty() || layer.shifts.len() == seen.len());
    for term in &layer.terms {
        let patch = term.view.channels / term.groups * term.kernel_size[0] * term.kernel_size[1];
        assert_eq!(term.kernel.len(), view.channels * patch);
        assert_eq!((view.channels % term.groups, term.view.channels % term.groups), (0, 0));
        let last =
            term.view.index(term.view.channels - 1, term.view.height - 1, term.view.width - 1);
        assert!(last < graph.tensors[term.input.0].len());
    }
}

fn check_requant(
    requant: &Requant,
    options: &QuantizeOptions,
    graph: &QuantizedGraph,
    output: TensorId,
) {
    let tensor = &graph.tensors[output.0];
    let size = i64::from(requant.hi) - i64::from(requant.lo) + 1;
    let shift = requant.shift;
    assert!(options.shift.map_or((10..=16).contains(&shift), |wanted| wanted == shift));
    assert!(requant.acc_lo <= requant.acc_hi);
    assert!(requant.acc_lo.unsigned_abs().max(requant.acc_hi.unsigned_abs()) < 1 << 62);
    let Some(table) = &requant.table else {
        assert_eq!((tensor.lo, tensor.hi), (requant.lo.into(), requant.hi.into()));
        assert_eq!(requant.zero, 0);
        let is_wide = (requant.lo, requant.hi) == (-32768, 32767)
            && requant.round(requant.acc_lo) >= -32768
            && requant.round(requant.acc_hi) <= 32767;
        let is_ordinary = size == 1 << options.activation_bits
            && (requant.lo == 0 || i64::from(requant.lo) == -size / 2);
        assert!(is_wide || is_ordinary, "{requant:?}");
        return;
    };
    assert_eq!(table.len(), usize::try_from(size).unwrap());
    assert!(size.count_ones() == 1 && size <= 1 << 12);
    let range = || table.iter().copied().map(i64::from);
    assert_eq!((range().min(), range().max()), (Some(tensor.lo), Some(tensor.hi)));
    let is_argument = table
        .iter()
        .zip(requant.lo..)
        .all(|(&entry, z)| i64::from(entry) == i64::from(z) - requant.zero);
    // Outputs have 16 bits.
    let bits = if is_output(graph, output) { 16 } else { options.activation_bits };
    let unsigned = tensor.lo >= 0 && tensor.hi < 1 << bits;
    let signed = tensor.lo >= -(1 << (bits - 1)) && tensor.hi < 1 << (bits - 1);
    assert!(unsigned || signed || is_argument);
}

/// Whether a tensor is a model output, maybe in another order.
fn is_output(graph: &QuantizedGraph, id: TensorId) -> bool {
    let moved = |node: &QuantizedNode| match &node.op {
        QuantizedOp::Alias(alias) => alias.input == id && is_output(graph, node.output),
        _ => false,
    };
    graph.outputs.contains(&id) || graph.nodes.iter().any(moved)
}
