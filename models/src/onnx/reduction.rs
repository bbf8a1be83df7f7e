//! Sums and means over neighbouring dimensions.

use super::importer::Importer;
use super::node::{OnnxNode, Value};
use super::pooling::real;
use crate::activation::Activation;
use crate::error::ImportError;
use crate::graph::{Affine, Channels, Op, Term, Window};

/// Attributes of `ReduceMean` and `ReduceSum`.
pub(super) const ATTRIBUTES: &[&str] = &["axes", "keepdims", "noop_with_empty_axes"];

/// `ReduceMean`: axes as an attribute before operator set 18.
pub(super) fn reduce_mean(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    reduce(node, importer, 18, true)
}

/// `ReduceSum`: axes as an attribute before operator set 13.
pub(super) fn reduce_sum(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    reduce(node, importer, 13, false)
}

/// `GlobalAveragePool`.
pub(super) fn global_average_pool(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let rank = importer.shape(node.tensor(0)?).len();
    if rank < 3 {
        return Err(node.unsupported("batch, channels and spatial dimensions are needed"));
    }
    over(node, importer, 2..rank, true, true)
}

type Lowered = Result<Vec<Value>, ImportError>;

fn reduce(node: &OnnxNode<'_>, importer: &mut Importer, operand_since: i64, mean: bool) -> Lowered {
    if node.flag("noop_with_empty_axes", false)? {
        return Err(node.unsupported("noop_with_empty_axes; name the axes"));
    }
    let rank = importer.shape(node.tensor(0)?).len();
    let mut axes = match node.integers_either("axes", 1, operand_since)? {
        None => (0..rank).collect(),
        Some(axes) => {
            axes.into_iter().map(|axis| node.axis(axis, rank)).collect::<Result<Vec<_>, _>>()?
        }
    };
    axes.sort_unstable();
    let neighbours = axes.windows(2).all(|pair| pair[0] + 1 == pair[1]);
    let (Some(&first), Some(&last), true) = (axes.first(), axes.last(), neighbours) else {
        return Err(node.unsupported("the axes must be neighbours; transpose first"));
    };
    let keep = node.flag("keepdims", true)?;
    over(node, importer, first..last + 1, keep, mean)
}

fn over(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    axes: std::ops::Range<usize>,
    keep: bool,
    mean: bool,
) -> Lowered {
    let input = node.tensor(0)?;
    let shape = importer.shape(input).to_vec();
    let view = Channels::of_axes(&shape, axes.clone()).view();
    let kept = vec![1; if keep { axes.len() } else { 0 }];
    let output = [&shape[..axes.start], &kept, &shape[axes.end..]].concat();
    importer.reserve(node, &output)?;
    let weight = if mean { 1.0 / real(view.channels) } else { 1.0 };
    let mut out = view.clone();
    (out.channels, out.strides) = (1, [0, view.width, 1]);
    let kernel = vec![weight; view.channels];
    let op = Affine {
        terms: vec![Term { input, view, window: Window::pixel(1), kernel }],
        bias: vec![0.0],
        output: out,
        activation: Activation::Identity,
    };
    Ok(vec![importer.emit(node, output, Op::Affine(op))])
}
