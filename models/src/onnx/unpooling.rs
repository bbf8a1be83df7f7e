//! Elements put back where a pool or a row of windows took them from.

use super::compose::Lowered;
use super::constant::Constant;
use super::importer::Importer;
use super::node::OnnxNode;
use super::operators::{Operator, operator};
use super::scatter::Combine;
use crate::view::{View, row_major_strides};

pub(super) const OPERATORS: &[Operator] = &[
    operator("Col2Im", &[18], &["dilations", "pads", "strides"], col2im),
    operator("MaxUnpool", &[9, 11, 22], &["kernel_shape", "pads", "strides"], max_unpool),
];

/// `MaxUnpool`: elements at constant places of a larger tensor of zeros.
fn max_unpool(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let value = node.operand(0)?;
    let shape = importer.shape_of(value);
    let spatial = shape.len().saturating_sub(2);
    let list = |name: &'static str, count: usize, default: i64| match node.ints(name)? {
        None => Ok(vec![default; count]),
        Some(list) if list.len() == count => Ok(list.to_vec()),
        Some(_) => Err(node.wrong_attribute(name, "numbers for each spatial dimension")),
    };
    let kernel = list("kernel_shape", spatial, 1)?;
    let (strides, pads) = (list("strides", spatial, 1)?, list("pads", 2 * spatial, 0)?);
    let inferred = (0..spatial).map(|axis| {
        let steps = i64::try_from(shape[axis + 2]).ok()?.checked_sub(1)?;
        let length = steps.checked_mul(strides[axis])?.checked_add(kernel[axis])?;
        usize::try_from(length.checked_sub(pads[axis])?.checked_sub(pads[spatial + axis])?).ok()
    });
    let inferred = inferred.collect::<Option<Vec<usize>>>();
    let inferred = inferred.ok_or_else(|| node.wrong_attribute("pads", "within the result"))?;
    let inferred = [shape.get(..2).unwrap_or_default(), &inferred].concat();
    let output = match node.optional(2) {
        None => inferred.clone(),
        Some(_) => super::movement::sizes(node, 2)?,
    };
    let fits = node.constant(1)?.shape == shape && output.len() == shape.len();
    if spatial == 0 || !fits || output[..2] != shape[..2] {
        return Err(node.wrong_shape("positions and output must fit the input", &[&shape, &output]));
    }
    // Positions count in the inferred tensor, of which the output may be the beginning of a larger.
    let count = importer.budget.elements(&node.name, &output)?;
    let (small, large) = (row_major_strides(&inferred), row_major_strides(&output));
    let place = |&position: &i64| {
        let position = usize::try_from(position).ok()?;
        let axis = |axis: usize| position / small[axis] % inferred[axis] * large[axis];
        let place = (0..shape.len()).map(axis).sum::<usize>();
        (position < inferred.iter().product() && place < count).then_some(place)
    };
    let places = node.integers(1)?.iter().map(place).collect::<Option<Vec<usize>>>();
    let places = places.ok_or_else(|| node.wrong_operand(1, "positions within the output"))?;
    let zeros = Constant::reals(output, vec![0.0; count]).into();
    Ok(vec![importer.put_at(node, [&zeros, value], &places, Combine::Replace)?])
}

/// `Col2Im`: blocks of an image put back at their places, where they add up.
fn col2im(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let value = node.operand(0)?;
    let shape = importer.shape_of(value);
    let (image, block) = (super::movement::sizes(node, 1)?, super::movement::sizes(node, 2)?);
    let rank = image.len();
    let list = |name: &'static str, count: usize, default: i64| {
        let given = node.ints(name)?.map_or_else(|| vec![default; count], <[i64]>::to_vec);
        let sizes: Option<Vec<usize>> =
            given.into_iter().map(|size| usize::try_from(size).ok()).collect();
        let sizes = sizes.filter(|sizes| sizes.len() == count);
        sizes.ok_or_else(|| node.wrong_attribute(name, "numbers for each dimension of the image"))
    };
    let (dilations, pads) = (list("dilations", rank, 1)?, list("pads", 2 * rank, 0)?);
    let strides = list("strides", rank, 1)?;
    let taps: usize = importer.budget.elements(&node.name, &block)?;
    let steps = (0..rank).map(|axis| {
        let extent = block[axis].checked_sub(1)?.checked_mul(dilations[axis])?.checked_add(1)?;
        let padded = image[axis].checked_add(pads[axis])?.checked_add(pads[rank + axis])?;
        Some(padded.checked_sub(extent)?.checked_div(strides[axis])? + 1)
    });
    let steps = steps.collect::<Option<Vec<usize>>>().unwrap_or_default();
    let fits = block.len() == rank
        && shape.len() == 3
        && taps > 0
        && shape[1].is_multiple_of(taps)
        && shape[2] == steps.iter().product::<usize>();
    if !fits || rank == 0 {
        return Err(node.wrong_shape("columns must be blocks of the image", &[&shape, &image]));
    }
    let output = [&[shape[0], shape[1] / taps], &image[..]].concat();
    let pixels: usize = image.iter().product();
    let count = importer.reserve(node, &output)?;
    let strides_of = [&block, &steps, &image].map(|sizes| row_major_strides(sizes));
    let place = |element: usize| {
        let (column, step) = (element / shape[2] % shape[1], element % shape[2]);
        let plane = element / shape[2] / taps;
        let pixel = (0..rank).map(|axis| {
            let tap = column % taps / strides_of[0][axis] % block[axis];
            let at = step / strides_of[1][axis] % steps[axis] * strides[axis];
            let at = (at + tap * dilations[axis]).checked_sub(pads[axis])?;
            (at < image[axis]).then(|| at * strides_of[2][axis])
        });
        Some(plane * pixels + pixel.sum::<Option<usize>>()?)
    };
    // What lies in the padding is dropped.
    let total: usize = shape.iter().product();
    let kept: Vec<(usize, usize)> =
        (0..total).filter_map(|element| Some((element, place(element)?))).collect();
    let elements: View = kept.iter().map(|(element, _)| *element).collect();
    let places: Vec<usize> = kept.iter().map(|(_, place)| *place).collect();
    let kept = importer.select(node, value, vec![places.len()], |_| elements)?;
    let zeros = Constant::reals(output, vec![0.0; count]).into();
    Ok(vec![importer.put_at(node, [&zeros, &kept], &places, Combine::Add)?])
}
