//! Layers that read what a concatenation brings together read its parts instead: each keeps its own
//! scale, however unlike they are in size.

use super::super::{Affine, Draft, Op, Term, Window};
use super::Context;
use crate::activation::Activation;
use crate::tensor::{ImageView, TensorId};
use crate::view::View;

/// The most terms that a layer gets so.
const MOST_TERMS: usize = 16;

/// An element of a concatenation: that of a part, with what it is multiplied with.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Place {
    /// The term of the concatenation.
    term: usize,
    element: usize,
    weight: f64,
}

impl Draft {
    /// A layer takes over the parts of a concatenation that it reads.
    pub(super) fn read_parts(&mut self, position: usize, context: &Context<'_>) -> bool {
        let Op::Affine(layer) = &self.nodes[position].op else { return false };
        let split = layer.terms.iter().enumerate().find_map(|(index, term)| {
            let joined = self.concatenation(term.input, context)?;
            let parts =
                split(term, joined, self.tensors[term.input.0].len(), layer.output.channels)?;
            (layer.terms.len() + parts.len() <= MOST_TERMS + 1).then_some((index, parts))
        });
        let Some((index, parts)) = split else { return false };
        if let Op::Affine(layer) = &mut self.nodes[position].op {
            layer.terms.splice(index..=index, parts);
        }
        true
    }

    /// The layer that gives the elements of `id` in their order, if it is a concatenation: several
    /// tensors, of each of which it copies elements, and nothing else.
    fn concatenation(&self, id: TensorId, context: &Context<'_>) -> Option<&Affine> {
        let mut id = id;
        loop {
            match &self.nodes[context.producers[id.0]?].op {
                Op::Alias(alias)
                    if alias.elements == View::in_order(self.tensors[alias.input.0].len()) =>
                {
                    id = alias.input;
                }
                Op::Affine(layer) => return Some(layer).filter(|layer| is_concatenation(layer)),
                _ => return None,
            }
        }
    }
}

fn is_concatenation(layer: &Affine) -> bool {
    let copies = |term: &Term| {
        let window = Window { padding: [0, 0], ..term.window };
        let shape = |view: &ImageView| [view.channels, view.height, view.width];
        window == Window::pixel(layer.output.channels) && shape(&term.view) != shape(&layer.output)
    };
    layer.terms.len() > 1
        && layer.activation == Activation::Identity
        && layer.bias.iter().all(|bias| *bias == 0.0)
        && layer.terms.iter().all(copies)
}

/// The terms that read the parts of `joined` where `term` reads it, of a layer with so many output
/// channels; `None` where a channel of what is read is not of one part, or parts overlap.
fn split(term: &Term, joined: &Affine, len: usize, outputs: usize) -> Option<Vec<Term>> {
    if term.window.groups != 1 {
        return None;
    }
    let places = places(joined, len)?;
    let place = |channel, row, column| places[term.view.index(channel, row, column)];
    let part = |channel| place(channel, 0, 0).map(|place: Place| place.term);
    let mut terms = Vec::new();
    let mut first = 0;
    while first < term.view.channels {
        let same = |channel: &usize| part(*channel) == part(first);
        let end = (first..term.view.channels).find(|channel| !same(channel));
        let end = end.unwrap_or(term.view.channels);
        let view = ImageView { channels: end - first, ..term.view.clone() };
        let shifted = |channel, row, column| place(first + channel, row, column);
        match part(first) {
            Some(index) => {
                let (view, weights) = part_view(&view, index, shifted)?;
                let kernel = columns_of(term, first..end, outputs, &weights);
                let input = joined.terms[index].input;
                terms.push(Term { input, view, window: term.window, kernel });
            }
            // Channels of zeros add nothing.
            None if covers(&view).all(|[c, i, j]| shifted(c, i, j).is_none()) => {}
            None => return None,
        }
        first = end;
    }
    (terms.len() > 1).then_some(terms)
}

/// Where each of the elements that `joined` gives comes from; `None` for zeros.
fn places(joined: &Affine, len: usize) -> Option<Vec<Option<Place>>> {
    let mut places = vec![None; len];
    for (index, term) in joined.terms.iter().enumerate() {
        let [top, left] = term.window.padding;
        for [channel, row, column] in covers(&term.view) {
            let (row_at, column_at) = (row + top, column + left);
            if row_at >= joined.output.height || column_at >= joined.output.width {
                continue;
            }
            let place = &mut places[joined.output.index(channel, row_at, column_at)];
            let (element, weight) = (term.view.index(channel, row, column), term.kernel[channel]);
            if place.replace(Place { term: index, element, weight }).is_some() {
                return None;
            }
        }
    }
    Some(places)
}

/// All channels, rows and columns of a view.
fn covers(view: &ImageView) -> impl Iterator<Item = [usize; 3]> + '_ {
    let pixels = move |channel| {
        let rows = 0..view.height;
        rows.flat_map(move |row| (0..view.width).map(move |column| [channel, row, column]))
    };
    (0..view.channels).flat_map(pixels)
}

/// The view of part `index` that reads the same elements as `view` does of the whole, and what each
/// channel is multiplied with; `None` where there is none.
fn part_view(
    view: &ImageView,
    index: usize,
    place: impl Fn(usize, usize, usize) -> Option<Place>,
) -> Option<(ImageView, Vec<f64>)> {
    let offset = place(0, 0, 0)?.element;
    let stride = |size: usize, second: Option<Place>| match size {
        0 | 1 => Some(0),
        _ => second?.element.checked_sub(offset),
    };
    let strides = [
        stride(view.channels, (view.channels > 1).then(|| place(1, 0, 0)).flatten())?,
        stride(view.height, (view.height > 1).then(|| place(0, 1, 0)).flatten())?,
        stride(view.width, (view.width > 1).then(|| place(0, 0, 1)).flatten())?,
    ];
    let of_part = ImageView { strides, offset, ..view.clone() };
    let weights: Option<Vec<f64>> =
        (0..view.channels).map(|channel| Some(place(channel, 0, 0)?.weight)).collect();
    let weights = weights?;
    let is_same = |[channel, row, column]: [usize; 3]| {
        let element = of_part.index(channel, row, column);
        place(channel, row, column)
            == Some(Place { term: index, element, weight: weights[channel] })
    };
    covers(view).all(is_same).then_some((of_part, weights))
}

/// The kernel of some of the channels that a term reads, each multiplied with its weight.
fn columns_of(
    term: &Term,
    channels: std::ops::Range<usize>,
    outputs: usize,
    weights: &[f64],
) -> Vec<f64> {
    let taps = term.window.kernel_size[0] * term.window.kernel_size[1];
    let per_output = term.view.channels * taps;
    let of_output = |output: usize| {
        let row = &term.kernel[output * per_output..(output + 1) * per_output];
        let kept = row[channels.start * taps..channels.end * taps].chunks(taps);
        kept.zip(weights).flat_map(|(taps, weight)| taps.iter().map(move |tap| tap * weight))
    };
    (0..outputs).flat_map(of_output).collect()
}
