//! `Resize` and `Upsample`: each axis on its own, by choice of elements or by a constant matrix.

use super::compose::{Lowered, count};
use super::constant::Constant;
use super::error::ImportError;
use super::importer::Importer;
use super::node::{OnnxNode, Value};
use super::operators::{Operator, operator};
use crate::view::row_major_strides;

pub(super) const OPERATORS: &[Operator] = &[
    operator(
        "Resize",
        &[10, 11, 13, 18, 19],
        &[
            "antialias",
            "axes",
            "coordinate_transformation_mode",
            "cubic_coeff_a",
            "exclude_outside",
            "extrapolation_value",
            "keep_aspect_ratio_policy",
            "mode",
            "nearest_mode",
        ],
        resize,
    ),
    operator("Upsample", &[7, 9], &["mode", "scales"], upsample),
];

/// How an axis is resampled.
#[derive(Clone, Copy, Debug)]
enum Filter {
    Nearest(fn(f64) -> f64),
    Linear,
    Cubic(f64),
}

/// Where an output position lies in the input: `(position, scale, input length, output length)`.
///
/// In single precision, as runtimes have it: it decides where a place lies between two.
type Transformation = fn(f32, f32, f32, f32) -> f32;

/// An axis and its new length.
#[derive(Clone, Copy, Debug)]
struct Target {
    axis: usize,
    length: usize,
    scale: f64,
    /// The part of the axis that is resampled, as shares of it, where it is cropped.
    crop: Option<[f64; 2]>,
}

/// How pixels are weighted.
#[derive(Clone, Copy, Debug)]
struct Sampling {
    transformation: Transformation,
    filter: Filter,
    /// Whether places outside have no weight.
    excludes: bool,
    /// Whether a smaller image takes wider means.
    antialias: bool,
}

fn resize(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let value = node.operand(0)?;
    let shape = importer.shape_of(value);
    let first_set = node.opset < 11;
    let antialias = !first_set && node.flag("antialias", false)?;
    let crops = node.text("coordinate_transformation_mode")? == Some(b"tf_crop_and_resize");
    let targets = targets(node, &shape, first_set, crops)?;
    let transformation = if first_set || crops { asymmetric } else { transformation(node)? };
    let filter = filter(node, first_set)?;
    if !matches!(filter, Filter::Cubic(_)) {
        node.has_no_effect(&["cubic_coeff_a"]);
    }
    let excludes = !first_set && node.flag("exclude_outside", false)?;
    if excludes && !matches!(filter, Filter::Cubic(_)) {
        return Err(node.unsupported("exclude_outside without cubic interpolation"));
    }
    // Only read where there are sizes, and where the image is cropped.
    node.has_no_effect(&["keep_aspect_ratio_policy"]);
    let beyond = node.float("extrapolation_value")?.unwrap_or(0.0);
    // Runtimes disagree whether the corner is that of the length or of the product that is cut.
    let cut = |target: &Target| {
        let length = count(shape[target.axis]) * target.scale;
        (length - count(target.length)).abs() > 1e-4 * length
    };
    let corners = node.text("coordinate_transformation_mode")? == Some(b"align_corners");
    if corners && targets.iter().any(cut) {
        return Err(node.unsupported(
            "align_corners with scales that give no whole length; export with sizes instead",
        ));
    }
    let sampling = Sampling { transformation, filter, excludes, antialias };
    let result = resampled(node, importer, value, &targets, sampling)?;
    Ok(vec![extrapolated(node, importer, result, (&shape, &targets), beyond)?])
}

/// The image with a number for what lies outside the one that was cropped.
fn extrapolated(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    result: Value,
    (shape, targets): (&[usize], &[Target]),
    beyond: f64,
) -> Result<Value, ImportError> {
    let output = importer.shape_of(&result);
    let count_of = importer.budget.elements(&node.name, &output)?;
    let strides = row_major_strides(&output);
    let is_inside = |element: usize| {
        targets.iter().filter(|target| target.crop.is_some()).all(|target| {
            let x = element / strides[target.axis] % output[target.axis];
            let last = count(shape[target.axis] - 1);
            (0.0..=last).contains(&target.cropped_place(x, shape[target.axis]))
        })
    };
    let inside: Vec<bool> = (0..count_of).map(is_inside).collect();
    if inside.iter().all(|is_inside| *is_inside) {
        return Ok(result);
    }
    let beyond = Constant::reals(vec![1; output.len()], vec![beyond]).into();
    super::logic::by_constant(node, importer, &inside, [&result, &beyond], &output)
}

impl Target {
    /// Where an output position lies in the input, of which a part is taken.
    fn cropped_place(&self, x: usize, size: usize) -> f64 {
        let [start, end] = self.crop.unwrap_or([0.0, 1.0]);
        let last = count(size - 1);
        if self.length > 1 {
            start * last + count(x) * (end - start) * last / count(self.length - 1)
        } else {
            0.5 * (start + end) * last
        }
    }
}

/// `Upsample`: the scales as an attribute before operator set 9, as an operand since.
fn upsample(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let value = node.operand(0)?;
    let shape = importer.shape_of(value);
    let scales: Vec<f64> = if node.opset < 9 {
        let given = node.floats("scales")?.unwrap_or_default();
        given.iter().copied().map(f64::from).collect()
    } else {
        node.reals(1)?.1.to_vec()
    };
    let filter = match node.text("mode")? {
        None | Some(b"nearest") => Filter::Nearest(f64::floor),
        Some(b"linear" | b"bilinear") => Filter::Linear,
        Some(_) => return Err(node.wrong_attribute("mode", "nearest or linear")),
    };
    let axes: Vec<usize> = (0..shape.len()).collect();
    let targets = scaled_targets(node, &shape, &axes, &scales, &[])?;
    let transformation = asymmetric;
    let sampling = Sampling { transformation, filter, excludes: false, antialias: false };
    Ok(vec![resampled(node, importer, value, &targets, sampling)?])
}

fn targets(
    node: &OnnxNode<'_>,
    shape: &[usize],
    first_set: bool,
    crops: bool,
) -> Result<Vec<Target>, ImportError> {
    let rank = shape.len();
    let axes = match node.ints("axes")? {
        None => (0..rank).collect(),
        Some(axes) => {
            let axes = axes.iter().map(|&axis| node.axis(axis, rank));
            axes.collect::<Result<Vec<_>, _>>()?
        }
    };
    let crop = if crops { crop(node, axes.len())? } else { Vec::new() };
    let crop_of = |position: usize| crop.get(position).copied();
    let (scales_at, sizes_at) = if first_set { (1, 4) } else { (2, 3) };
    let scales = match node.optional(scales_at) {
        Some(_) => node.reals(scales_at)?.1,
        None => &[],
    };
    if !scales.is_empty() {
        if node.optional(sizes_at).is_some_and(|_| !first_set)
            && !node.integers(sizes_at)?.is_empty()
        {
            return Err(node.unsupported("scales and sizes at once"));
        }
        return scaled_targets(node, shape, &axes, scales, &crop);
    }
    let sizes = node.integers(sizes_at)?;
    if sizes.len() != axes.len() {
        return Err(node.wrong_operand(sizes_at, "one size for each axis"));
    }
    let keeps_ratio = match node.text("keep_aspect_ratio_policy")? {
        None | Some(b"stretch") => None,
        Some(b"not_larger") => Some(f64::min as fn(f64, f64) -> f64),
        Some(b"not_smaller") => Some(f64::max as fn(f64, f64) -> f64),
        Some(_) => {
            return Err(node.wrong_attribute(
                "keep_aspect_ratio_policy",
                "stretch, not_larger or not_smaller",
            ));
        }
    };
    let lengths = sizes.iter().map(|&size| match usize::try_from(size) {
        Ok(size) if size > 0 => Ok(size),
        _ => Err(node.wrong_operand(sizes_at, "sizes of 1 or more")),
    });
    let lengths = lengths.collect::<Result<Vec<_>, _>>()?;
    let ratio = |(&axis, &length): (&usize, &usize)| count(length) / count(shape[axis]);
    if let Some(choose) = keeps_ratio.filter(|_| !crops) {
        let scale = axes.iter().zip(&lengths).map(ratio).reduce(choose).unwrap_or(1.0);
        let target = |&axis: &usize| {
            let length = rounded(count(shape[axis]) * scale).max(1);
            Target { axis, length, scale, crop: None }
        };
        return Ok(axes.iter().map(target).collect());
    }
    let target = |(position, (&axis, &length)): (usize, (&usize, &usize))| Target {
        axis,
        length,
        scale: ratio((&axis, &length)),
        crop: crop_of(position),
    };
    Ok(axes.iter().zip(&lengths).enumerate().map(target).collect())
}

/// The part of each axis that is taken: starts, then ends.
fn crop(node: &OnnxNode<'_>, axes: usize) -> Result<Vec<[f64; 2]>, ImportError> {
    let region = node.reals(1)?.1;
    if region.len() != 2 * axes || region.iter().any(|share| share.abs() > 65536.0) {
        return Err(node.wrong_operand(1, "a start and an end for each axis"));
    }
    Ok((0..axes).map(|axis| [region[axis], region[axes + axis]]).collect())
}

fn scaled_targets(
    node: &OnnxNode<'_>,
    shape: &[usize],
    axes: &[usize],
    scales: &[f64],
    crop: &[[f64; 2]],
) -> Result<Vec<Target>, ImportError> {
    let good = |&scale: &f64| scale > 0.0 && scale <= 65536.0;
    if scales.len() != axes.len() || !scales.iter().all(good) {
        return Err(node.unsupported("scales must be positive, one for each axis"));
    }
    let target = |(position, (&axis, &scale)): (usize, (&usize, &f64))| {
        let crop = crop.get(position).copied();
        let share = crop.map_or(1.0, |[start, end]| end - start);
        // In single precision, as onnxruntime computes it.
        let length = f64::from(single(count(shape[axis]) * share) * single(scale)).floor();
        Target { axis, length: rounded(length), scale, crop }
    };
    Ok(axes.iter().zip(scales).enumerate().map(target).collect())
}

#[expect(clippy::cast_possible_truncation, reason = "scales are single-precision numbers")]
fn single(value: f64) -> f32 {
    value as f32
}

/// A length that was computed: at most 2^16 times a dimension.
fn rounded(length: f64) -> usize {
    super::compose::whole((length + 0.5).floor())
        .and_then(|length| usize::try_from(length).ok())
        .unwrap_or(usize::MAX)
}

fn asymmetric(x: f32, scale: f32, _: f32, _: f32) -> f32 {
    x / scale
}

fn transformation(node: &OnnxNode<'_>) -> Result<Transformation, ImportError> {
    Ok(match node.text("coordinate_transformation_mode")? {
        None | Some(b"half_pixel") => |x, scale, _, _| (x + 0.5) / scale - 0.5,
        Some(b"half_pixel_symmetric") => |x, scale, input, output| {
            let adjusted = output / (scale * input);
            let center = input / 2.0;
            center * (1.0 - adjusted) + (x + 0.5) / scale - 0.5
        },
        Some(b"pytorch_half_pixel") => |x, scale, _, output| {
            if output > 1.0 { (x + 0.5) / scale - 0.5 } else { 0.0 }
        },
        Some(b"align_corners") => |x, _, input, output| {
            if output > 1.0 { x * (input - 1.0) / (output - 1.0) } else { 0.0 }
        },
        Some(b"asymmetric") => asymmetric,
        Some(b"tf_half_pixel_for_nn") => |x, scale, _, _| (x + 0.5) / scale,
        Some(_) => {
            return Err(node.unsupported(
                "this coordinate_transformation_mode; export with half_pixel, align_corners or \
                 asymmetric",
            ));
        }
    })
}

fn filter(node: &OnnxNode<'_>, first_set: bool) -> Result<Filter, ImportError> {
    let nearest = match node.text("mode")? {
        Some(b"linear") => Some(Filter::Linear),
        Some(b"cubic") => Some(Filter::Cubic(node.float("cubic_coeff_a")?.unwrap_or(-0.75))),
        None | Some(b"nearest") => None,
        Some(_) => return Err(node.wrong_attribute("mode", "nearest, linear or cubic")),
    };
    let rounding = if first_set { Some(&b"floor"[..]) } else { node.text("nearest_mode")? };
    if let Some(filter) = nearest {
        return Ok(filter);
    }
    Ok(Filter::Nearest(match rounding {
        None | Some(b"round_prefer_floor") => |x| (x - 0.5).ceil(),
        Some(b"round_prefer_ceil") => |x| (x + 0.5).floor(),
        Some(b"floor") => f64::floor,
        Some(b"ceil") => f64::ceil,
        Some(_) => return Err(node.wrong_attribute("nearest_mode", "a rounding of the standard")),
    }))
}

fn resampled(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    value: &Value,
    targets: &[Target],
    sampling: Sampling,
) -> Result<Value, ImportError> {
    let mut value = value.clone();
    for &target in targets {
        let shape = importer.shape_of(&value);
        node.has_elements(&shape)?;
        let Target { axis, length, scale, crop } = target;
        let size = shape[axis];
        importer.budget.elements(&node.name, &[length])?;
        if length == size && scale == 1.0 && crop.is_none() {
            continue;
        }
        if length == 0 {
            return Err(node.wrong_shape("no dimension may become 0", &[&shape]));
        }
        let place = |x: usize| {
            let [x, input, output] = [x, size, length].map(|size| single(count(size)));
            f64::from((sampling.transformation)(x, single(scale), input, output))
        };
        let place = |x: usize| match crop {
            Some(_) => target.cropped_place(x, size),
            None => place(x),
        };
        value = match sampling.filter {
            Filter::Nearest(round) => {
                let nearest = |x| {
                    let place = round(place(x)).clamp(0.0, count(size - 1));
                    rounded(place)
                };
                let mut places: Vec<Vec<usize>> = shape.iter().map(|&n| (0..n).collect()).collect();
                places[axis] = (0..length).map(nearest).collect();
                importer.picked(node, &value, &places)?
            }
            Filter::Linear | Filter::Cubic(_) => {
                importer.budget.elements(&node.name, &[length, size])?;
                let mut matrix = vec![0.0; length * size];
                for x in 0..length {
                    let row = &mut matrix[x * size..(x + 1) * size];
                    sampling.weights(place(x), scale, row);
                }
                let matrix = Constant::reals(vec![length, size], matrix);
                along_axis(node, importer, &value, axis, &matrix)?
            }
        };
    }
    Ok(value)
}

impl Sampling {
    /// Adds the weights of the elements around a place; those outside count for the edge.
    fn weights(&self, place: f64, scale: f64, row: &mut [f64]) {
        let last = count(row.len() - 1);
        // A smaller image takes means as wide as its pixels.
        let narrow = if self.antialias { scale.min(1.0) } else { 1.0 };
        let reach = if matches!(self.filter, Filter::Cubic(_)) { 2.0 } else { 1.0 };
        let kernel = |distance: f64| match self.filter {
            Filter::Cubic(a) => cubic(distance, a),
            _ => (1.0 - distance).max(0.0),
        };
        let base = place.floor();
        let first = (-reach / narrow).floor() + 1.0;
        let number = rounded(2.0 - 2.0 * first);
        let tap = |step: usize| {
            let at = base + first + count(step);
            (at, kernel((at - place).abs() * narrow))
        };
        let inside = |x: f64| !self.excludes || (0.0..=last).contains(&x);
        let taps: Vec<(f64, f64)> = (0..number).map(tap).filter(|(x, _)| inside(*x)).collect();
        let total: f64 = taps.iter().map(|(_, weight)| weight).sum();
        let total = if self.excludes || self.antialias { total } else { 1.0 };
        for (x, weight) in taps {
            row[rounded(x.clamp(0.0, last))] += weight / total;
        }
    }
}

/// Keys' cubic kernel with parameter `a`.
pub(super) fn cubic(distance: f64, a: f64) -> f64 {
    let x = distance;
    if x <= 1.0 {
        ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a
    } else {
        0.0
    }
}

/// The matrix applied to the elements along an axis.
pub(super) fn along_axis(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    value: &Value,
    axis: usize,
    matrix: &Constant,
) -> Result<Value, ImportError> {
    let shape = importer.shape_of(value);
    let before: usize = shape[..axis].iter().product();
    let after: usize = shape[axis + 1..].iter().product();
    let flat = importer.reshaped(node, value, vec![before, shape[axis], after])?;
    let product = importer.matrix_product(node, &matrix.clone().into(), &flat)?;
    let mut output = shape;
    output[axis] = matrix.shape[0];
    importer.reshaped(node, &product, output)
}
