//! Images read at places between pixels: `GridSample`, `AffineGrid`, `RoiAlign`.
//!
//! Where the places are constant, every result is a sum of few pixels with constant weights.

use super::compose::{Lowered, Reduction, count, whole};
use super::constant::Constant;
use super::error::ImportError;
use super::importer::Importer;
use super::node::{OnnxNode, Value};
use super::operators::{Operator, operator};
use super::resize::cubic;
use crate::view::{View, row_major_strides};

pub(super) const OPERATORS: &[Operator] = &[
    operator("AffineGrid", &[20], &["align_corners"], affine_grid),
    operator("GridSample", &[16, 20, 22], &["align_corners", "mode", "padding_mode"], grid_sample),
    operator(
        "RoiAlign",
        &[10, 16, 22],
        &[
            "coordinate_transformation_mode",
            "mode",
            "output_height",
            "output_width",
            "sampling_ratio",
            "spatial_scale",
        ],
        roi_align,
    ),
];

/// Pixels of one plane with their weights.
type Taps = Vec<(usize, f64)>;

/// Most pixels that one result takes.
const MOST_TAPS: usize = 256;

impl Importer {
    /// Images `[…, channels, spatial…]` of which every pixel is a sum of pixels of one image of the
    /// value: `images` names it, `taps` has the list for each image and pixel. All channels have the
    /// same.
    fn taken_at(
        &mut self,
        node: &OnnxNode<'_>,
        value: &Value,
        (images, spatial): (&[usize], &[usize]),
        taps: &[Taps],
    ) -> Result<Value, ImportError> {
        let shape = self.shape_of(value);
        let (channels, plane) = (shape[1], shape[2..].iter().product::<usize>());
        let pixels: usize = spatial.iter().product();
        let output = [&[images.len(), channels], spatial].concat();
        let most = taps.iter().map(Vec::len).max().unwrap_or(0);
        if most > MOST_TAPS {
            return Err(node.unsupported("more than 256 samples for one result"));
        }
        let count = self.reserve(node, &output)?;
        self.budget.elements(&node.name, &[count, most.max(1)])?;
        let mut sum: Option<Value> = None;
        for place in 0..most.max(1) {
            let tap = |at: usize| taps[at].get(place).copied().unwrap_or((0, 0.0));
            let elements = (0..count).map(|element| {
                let (image, rest) = (element / (channels * pixels), element % (channels * pixels));
                let (channel, pixel) = (rest / pixels, rest % pixels);
                (images[image] * channels + channel) * plane + tap(image * pixels + pixel).0
            });
            let elements: View = elements.collect();
            let chosen = self.select(node, value, output.clone(), |_| elements)?;
            let weights = (0..images.len() * pixels).map(|at| tap(at).1).collect();
            let weights = Constant::reals([&[images.len(), 1], spatial].concat(), weights).into();
            let part = self.product(node, &chosen, &weights)?;
            sum = Some(match sum {
                None => part,
                Some(sum) => self.add(node, &sum, &part)?,
            });
        }
        sum.ok_or_else(|| node.wrong_shape("no dimension may be 0", &[&output]))
    }
}

impl Importer {
    /// As [`Self::taken_at`], with the largest share of a pixel instead of the sum of them: what the
    /// standard's reference and onnxruntime take for the largest sample. Every list is as long.
    fn largest_at(
        &mut self,
        node: &OnnxNode<'_>,
        value: &Value,
        (images, spatial): (&[usize], &[usize]),
        taps: &[Taps],
    ) -> Result<Value, ImportError> {
        let shape = self.shape_of(value);
        let (channels, plane) = (shape[1], shape[2..].iter().product::<usize>());
        let most = taps.iter().map(Vec::len).max().unwrap_or(0).max(1);
        let pixels: usize = spatial.iter().product();
        let all = [images.len(), channels, pixels, most];
        let count = self.reserve(node, &all)?;
        // A list that is shorter, since its region has fewer samples, repeats its first share.
        let tap = |at: usize, place: usize| {
            let list = &taps[at];
            list.get(place).or(list.first()).copied().unwrap_or((0, 0.0))
        };
        let elements = (0..count).map(|element| {
            let (place, rest) = (element % most, element / most);
            let (pixel, rest) = (rest % pixels, rest / pixels);
            let (channel, image) = (rest % channels, rest / channels);
            (images[image] * channels + channel) * plane + tap(image * pixels + pixel, place).0
        });
        let elements: View = elements.collect();
        let chosen = self.select(node, value, all.to_vec(), |_| elements)?;
        let weights = (0..images.len() * pixels)
            .flat_map(|at| (0..most).map(move |place| (at, place)))
            .map(|(at, place)| tap(at, place).1)
            .collect();
        let weights = Constant::reals(vec![images.len(), 1, pixels, most], weights).into();
        let shares = self.product(node, &chosen, &weights)?;
        let largest = self.reduced(node, &shares, &[3], Reduction::Max)?;
        self.reshaped(node, &largest, [&[images.len(), channels], spatial].concat())
    }
}

/// What lies outside an image.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Outside {
    Zeros,
    Border,
    /// The image mirrored at these ends, which depend on its length.
    Reflection,
}

/// How an axis of an image is read.
struct Axis {
    length: usize,
    corners: bool,
    outside: Outside,
}

impl Axis {
    /// The place that a coordinate from −1 to 1 names.
    fn place(&self, coordinate: f64) -> f64 {
        let length = count(self.length);
        match self.corners {
            true => (coordinate + 1.0) / 2.0 * (length - 1.0),
            false => ((coordinate + 1.0) * length - 1.0) / 2.0,
        }
    }

    /// The ends at which the image is mirrored.
    fn ends(&self) -> [f64; 2] {
        let last = count(self.length) - 1.0;
        if self.corners { [0.0, last] } else { [-0.5, last + 0.5] }
    }

    /// A place inside, where the rule brings it there.
    fn brought_in(&self, place: f64) -> f64 {
        let [from, to] = self.ends();
        match self.outside {
            _ if (from..=to).contains(&place) => place,
            Outside::Zeros => place,
            Outside::Border => place.clamp(0.0, count(self.length) - 1.0),
            Outside::Reflection => mirrored(place, from, to),
        }
    }

    /// The pixel at a whole place; `None` where there is nothing.
    fn pixel(&self, place: f64) -> Option<usize> {
        let last = count(self.length) - 1.0;
        let inside = (0.0..=last).contains(&place);
        let place = match self.outside {
            _ if inside => place,
            Outside::Zeros => return None,
            Outside::Border => place.clamp(0.0, last),
            Outside::Reflection => {
                let [from, to] = self.ends();
                mirrored(place, from, to).clamp(0.0, last)
            }
        };
        whole(place.floor()).and_then(|place| usize::try_from(place).ok())
    }

    /// The pixels around a place and their weights.
    fn taps(&self, coordinate: f64, mode: Mode) -> Taps {
        let place = self.place(coordinate);
        let place = if mode == Mode::Nearest { place.round_ties_even() } else { place };
        let place = self.brought_in(place);
        let base = place.floor();
        let part = place - base;
        let around: Vec<(f64, f64)> = match mode {
            Mode::Nearest => vec![(place, 1.0)],
            Mode::Linear => vec![(base, 1.0 - part), (base + 1.0, part)],
            Mode::Cubic => [-1.0, 0.0, 1.0, 2.0]
                .into_iter()
                .map(|tap: f64| (base + tap, cubic((part - tap).abs(), CUBIC)))
                .collect(),
        };
        let taps = around.into_iter().filter(|(_, weight)| *weight != 0.0);
        taps.filter_map(|(place, weight)| Some((self.pixel(place)?, weight))).collect()
    }
}

/// A place mirrored at both ends until it is between them.
fn mirrored(place: f64, from: f64, to: f64) -> f64 {
    let range = to - from;
    if range <= 0.0 {
        return from;
    }
    let beyond = (place - from).rem_euclid(2.0 * range);
    from + if beyond > range { 2.0 * range - beyond } else { beyond }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    Nearest,
    Linear,
    Cubic,
}

/// The parameter of the cubic kernel.
const CUBIC: f64 = -0.75;

/// `GridSample` at constant places.
fn grid_sample(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let value = node.operand(0)?;
    let shape = importer.shape_of(value);
    let mode = match node.text("mode")? {
        None | Some(b"bilinear" | b"linear") => Mode::Linear,
        Some(b"nearest") => Mode::Nearest,
        Some(b"bicubic" | b"cubic") => Mode::Cubic,
        Some(_) => return Err(node.wrong_attribute("mode", "linear, nearest or cubic")),
    };
    let outside = match node.text("padding_mode")? {
        None | Some(b"zeros") => Outside::Zeros,
        Some(b"border") => Outside::Border,
        Some(b"reflection") => Outside::Reflection,
        Some(_) => {
            return Err(node.wrong_attribute("padding_mode", "zeros, border or reflection"));
        }
    };
    let corners = node.flag("align_corners", false)?;
    let (grid_shape, grid) = node.reals(1)?;
    let rank = shape.len();
    let fits = rank >= 3
        && grid_shape.len() == rank
        && grid_shape[0] == shape[0]
        && grid_shape[rank - 1] == rank - 2;
    if !fits {
        return Err(node.wrong_shape("the grid must fit the image", &[&shape, grid_shape]));
    }
    let spatial = &grid_shape[1..rank - 1];
    let axes: Vec<Axis> =
        shape[2..].iter().map(|&length| Axis { length, corners, outside }).collect();
    let is_beyond =
        |(axis, &at): (&Axis, &f64)| !(0.0..=count(axis.length) - 1.0).contains(&axis.place(at));
    let mut places = grid.chunks(rank - 2).flat_map(|at| axes.iter().zip(at.iter().rev()));
    if mode == Mode::Cubic && outside == Outside::Border && places.any(is_beyond) {
        return Err(node.unsupported(
            "cubic samples beyond a border: onnxruntime and the standard's reference give different \
             numbers there",
        ));
    }
    let strides = row_major_strides(&shape[2..]);
    // Coordinates are in the order of x, y, z: the last axis comes first.
    let taps: Vec<Taps> = grid
        .chunks(rank - 2)
        .map(|coordinates| {
            let lists = axes.iter().zip(coordinates.iter().rev());
            let lists: Vec<Taps> = lists.map(|(axis, &at)| axis.taps(at, mode)).collect();
            crossed(&lists, &strides)
        })
        .collect();
    let images: Vec<usize> = (0..shape[0]).collect();
    Ok(vec![importer.taken_at(node, value, (&images, spatial), &taps)?])
}

/// The pixels of a plane that lists for its axes name, with the products of their weights.
fn crossed(lists: &[Taps], strides: &[usize]) -> Taps {
    lists.iter().zip(strides).fold(vec![(0, 1.0)], |before, (list, stride)| {
        let pairs = before.iter().flat_map(|b| list.iter().map(move |l| (b, l)));
        pairs.map(|((at, a), (place, b))| (at + place * stride, a * b)).collect()
    })
}

/// `AffineGrid`: the places of a regular grid after a linear map, as `GridSample` takes them.
fn affine_grid(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let corners = node.flag("align_corners", false)?;
    let size = super::movement::sizes(node, 1)?;
    let theta = node.operand(0)?;
    let dimensions = size.len().saturating_sub(2);
    if !(2..=3).contains(&dimensions)
        || importer.shape_of(theta) != [size[0], dimensions, dimensions + 1]
    {
        return Err(node.wrong_shape(
            "theta must be [N, 2, 3] or [N, 3, 4], as the size says",
            &[&importer.shape_of(theta), &size],
        ));
    }
    let spatial = &size[2..];
    let places: usize = importer.budget.elements(&node.name, spatial)?;
    importer.budget.elements(&node.name, &[places, dimensions + 1])?;
    let strides = row_major_strides(spatial);
    let coordinate = |place: usize, axis: usize| {
        let (length, at) = (count(spatial[axis]), count(place / strides[axis] % spatial[axis]));
        match corners {
            true if spatial[axis] == 1 => 0.0,
            true => -1.0 + 2.0 * at / (length - 1.0),
            false => (2.0 * at + 1.0) / length - 1.0,
        }
    };
    // x is the last axis; after all of them comes a 1.
    let row = |place: usize| {
        let coordinates = (0..dimensions).rev().map(move |axis| coordinate(place, axis));
        coordinates.chain([1.0])
    };
    let base = Constant::reals(vec![places, dimensions + 1], (0..places).flat_map(row).collect());
    let turned = importer.transposed(node, theta, &[0, 2, 1])?;
    let grid = importer.matrix_product(node, &base.into(), &turned)?;
    let shape = [&size[..1], spatial, &[dimensions]].concat();
    Ok(vec![importer.reshaped(node, &grid, shape)?])
}

/// Whether `RoiAlign` takes the largest share instead of the mean of samples.
fn takes_largest(node: &OnnxNode<'_>) -> Result<bool, ImportError> {
    match node.text("mode")? {
        None | Some(b"avg") => Ok(false),
        Some(b"max") => Ok(true),
        Some(_) => Err(node.wrong_attribute("mode", "avg or max")),
    }
}

/// `RoiAlign` with constant regions: means of samples in each cell of each region.
fn roi_align(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let value = node.operand(0)?;
    let shape = importer.shape_of(value);
    let (regions_shape, regions) = node.reals(1)?;
    let images = super::movement::sizes(node, 2)?;
    let fits = shape.len() == 4
        && *regions_shape == [images.len(), 4]
        && images.iter().all(|&image| image < shape[0]);
    if !fits {
        return Err(node.wrong_shape("regions must be of these images", &[&shape, regions_shape]));
    }
    let largest = takes_largest(node)?;
    let default: &[u8] = if node.opset < 16 { b"output_half_pixel" } else { b"half_pixel" };
    let half = match node.text("coordinate_transformation_mode")?.unwrap_or(default) {
        b"half_pixel" => true,
        b"output_half_pixel" => false,
        _ => {
            let names = "half_pixel or output_half_pixel";
            return Err(node.wrong_attribute("coordinate_transformation_mode", names));
        }
    };
    let length = |name: &'static str| {
        let length = usize::try_from(node.int(name)?.unwrap_or(1)).ok();
        let length = length.filter(|length| (1..=1 << 12).contains(length));
        length.ok_or_else(|| node.wrong_attribute(name, "1 or more"))
    };
    let spatial = [length("output_height")?, length("output_width")?];
    let samples = node.int("sampling_ratio")?.unwrap_or(0);
    let scale = node.float("spatial_scale")?.unwrap_or(1.0);
    importer.budget.elements(&node.name, &[images.len(), spatial[0], spatial[1]])?;
    let mut taps = Vec::new();
    for region in regions.chunks(4) {
        let place = |corner: f64| corner * scale - if half { 0.5 } else { 0.0 };
        let span = |axis: usize| {
            let (from, to) = (place(region[1 - axis]), place(region[3 - axis]));
            let size = if half { to - from } else { (to - from).max(1.0) };
            let cell = size / count(spatial[axis]);
            let number = if samples > 0 { super::constant::real(samples) } else { cell.ceil() };
            (from, cell, whole(number.max(1.0)).unwrap_or(1))
        };
        let spans = [span(0), span(1)];
        if spans.iter().any(|&(_, _, number)| number > 16) {
            return Err(node.unsupported("more than 256 samples for one result"));
        }
        for y in 0..spatial[0] {
            for x in 0..spatial[1] {
                let of_axis = |axis: usize, cell: usize| (spans[axis], cell, shape[2 + axis]);
                let strides = [shape[3], 1];
                taps.push(match largest {
                    true => crossed(&[shares(of_axis(0, y)), shares(of_axis(1, x))], &strides),
                    false => crossed(&[averaged(of_axis(0, y)), averaged(of_axis(1, x))], &strides),
                });
            }
        }
    }
    Ok(vec![match largest {
        true => importer.largest_at(node, value, (&images, &spatial), &taps)?,
        false => importer.taken_at(node, value, (&images, &spatial), &taps)?,
    }])
}

/// The samples of a cell of a region along an axis: where the region begins, how long a cell is and
/// how many samples it has, which cell, and how long the axis is.
type Cell = ((f64, f64, i64), usize, usize);

/// The pixels of an axis of which a cell of a region takes the mean.
fn averaged(cell: Cell) -> Taps {
    let ((_, _, number), ..) = cell;
    let mut weights = std::collections::BTreeMap::new();
    for (pixel, share) in shares(cell) {
        *weights.entry(pixel).or_insert(0.0) += share / super::constant::real(number);
    }
    weights.into_iter().filter(|(_, weight)| *weight != 0.0).collect()
}

/// The two pixels around each sample along an axis, and their shares of it.
fn shares(((from, cell, number), place, length): Cell) -> Taps {
    let last = length - 1;
    let mut taps = Vec::new();
    for sample in 0..number {
        let inner = (super::constant::real(sample) + 0.5) / super::constant::real(number);
        let at = from + (count(place) + inner) * cell;
        // What lies a pixel or more outside is nothing.
        if at < -1.0 || at > count(length) {
            taps.extend([(0, 0.0); 2]);
            continue;
        }
        let at = at.clamp(0.0, count(last));
        let base = whole(at.floor()).and_then(|base| usize::try_from(base).ok()).unwrap_or(0);
        let part = at - count(base);
        taps.extend([(base, 1.0 - part), ((base + 1).min(last), part)]);
    }
    taps
}
