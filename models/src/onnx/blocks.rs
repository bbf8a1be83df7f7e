//! Blocks of pixels that become channels, and back.

use super::compose::Lowered;
use super::error::ImportError;
use super::importer::Importer;
use super::node::OnnxNode;
use super::operators::{Operator, operator};

pub(super) const OPERATORS: &[Operator] = &[
    operator("DepthToSpace", &[1, 11, 13, 28], &["blocksize", "mode"], depth_to_space)
        .moving_codes(),
    operator("SpaceToDepth", &[1, 13, 28], &["blocksize", "mode"], space_to_depth).moving_codes(),
];

/// The block size of a node that moves blocks of pixels into channels or back.
fn block(node: &OnnxNode<'_>, shape: &[usize]) -> Result<usize, ImportError> {
    let size = node.int("blocksize")?.and_then(|size| usize::try_from(size).ok());
    match size.filter(|&size| size > 0 && size <= 1 << 16) {
        Some(size) if shape.len() == 4 => Ok(size),
        Some(_) => Err(node.wrong_shape("batch, channels, height and width", &[shape])),
        None => Err(node.wrong_attribute("blocksize", "1 or more")),
    }
}

/// Whether the channels of a block come before or after those of the image: mode `DCR`.
fn blocks_first(node: &OnnxNode<'_>) -> Result<bool, ImportError> {
    match node.text("mode")? {
        None | Some(b"DCR") => Ok(true),
        Some(b"CRD") => Ok(false),
        Some(_) => Err(node.wrong_attribute("mode", "DCR or CRD")),
    }
}

fn depth_to_space(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let value = node.operand(0)?;
    let shape = importer.shape_of(value);
    let size = block(node, &shape)?;
    let [batch, channels, height, width] = shape[..] else { return Ok(Vec::new()) };
    let area = size * size;
    if channels % area != 0 {
        return Err(node.wrong_shape("the block must divide the channels", &[&shape]));
    }
    let depth = channels / area;
    let (apart, order) = if blocks_first(node)? {
        (vec![batch, size, size, depth, height, width], [0, 3, 4, 1, 5, 2])
    } else {
        (vec![batch, depth, size, size, height, width], [0, 1, 4, 2, 5, 3])
    };
    let apart = importer.reshaped(node, value, apart)?;
    let moved = importer.transposed(node, &apart, &order)?;
    let output = vec![batch, depth, height * size, width * size];
    Ok(vec![importer.reshaped(node, &moved, output)?])
}

fn space_to_depth(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let value = node.operand(0)?;
    let shape = importer.shape_of(value);
    let size = block(node, &shape)?;
    let [batch, channels, height, width] = shape[..] else { return Ok(Vec::new()) };
    if height % size != 0 || width % size != 0 {
        return Err(node.wrong_shape("the block must divide height and width", &[&shape]));
    }
    let (rows, columns) = (height / size, width / size);
    let apart = vec![batch, channels, rows, size, columns, size];
    let order = if blocks_first(node)? { [0, 3, 5, 1, 2, 4] } else { [0, 1, 3, 5, 2, 4] };
    let apart = importer.reshaped(node, value, apart)?;
    let moved = importer.transposed(node, &apart, &order)?;
    Ok(vec![importer.reshaped(node, &moved, vec![batch, channels * size * size, rows, columns])?])
}
