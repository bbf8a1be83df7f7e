//! Strides over flat positions, in the one form that each list of elements has.

/// So many elements, so far apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Axis {
    pub(super) len: usize,
    pub(super) stride: isize,
}

/// `offset + Σ position·stride` for every position of the axes, the last axis fastest.
///
/// No axis has one element, and no two neighbours are one axis with the elements of both: so equal
/// lists of elements have equal strides. An empty list has one axis, without elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Strided {
    offset: usize,
    axes: Vec<Axis>,
}

/// A distance between elements, of which a tensor has far fewer than 2^63.
pub(super) fn signed(distance: usize) -> isize {
    isize::try_from(distance).expect("tensors have far fewer than 2^63 elements")
}

impl Strided {
    pub(super) fn new(offset: usize, axes: impl Iterator<Item = Axis>) -> Self {
        let mut joined: Vec<Axis> = Vec::new();
        for axis in axes {
            match joined.last_mut() {
                _ if axis.len == 0 => return Self::empty(),
                _ if axis.len == 1 => {}
                Some(before) if before.stride == axis.stride.wrapping_mul(signed(axis.len)) => {
                    *before = Axis { len: before.len * axis.len, stride: axis.stride };
                }
                _ => joined.push(axis),
            }
        }
        Self { offset, axes: joined }
    }

    fn empty() -> Self {
        Self { offset: 0, axes: vec![Axis { len: 0, stride: 0 }] }
    }

    /// The strides that give this list, if any do.
    pub(super) fn recognized(index: &[usize]) -> Option<Self> {
        let Some(&offset) = index.first() else { return Some(Self::empty()) };
        let distance = |to: usize, from: usize| index[to].wrapping_sub(index[from]).cast_signed();
        let mut axes = Vec::new();
        // The axes so far give the first elements of the list, and maybe all blocks of as many.
        let mut block = 1;
        while block < index.len() {
            let stride = distance(block, 0);
            let more = (block..index.len()).step_by(block);
            let alike = more.take_while(|&start| distance(start, start - block) == stride);
            let len = 1 + alike.count();
            if !index.len().is_multiple_of(len * block) {
                return None;
            }
            axes.push(Axis { len, stride });
            block *= len;
        }
        let found = Self { offset, axes: axes.into_iter().rev().collect() };
        found.walk().eq(index.iter().copied()).then_some(found)
    }

    /// The same with every element so many times as far.
    pub(super) fn scaled(&self, by: usize) -> Self {
        let axis = |axis: &Axis| Axis { stride: axis.stride * signed(by), ..*axis };
        Self { offset: self.offset * by, axes: self.axes.iter().map(axis).collect() }
    }

    /// The sum of an element of each, for every combination.
    pub(super) fn grid(parts: Vec<Self>) -> Self {
        let offset = parts.iter().map(|part| part.offset).sum();
        Self::new(offset, parts.into_iter().flat_map(|part| part.axes))
    }

    /// What these strides choose of the elements that `inner` chooses; `None` where no strides say
    /// so at once.
    ///
    /// A flat position of `inner` is a number whose digits are the positions along its axes. An
    /// axis here adds its stride, digit by digit. Where no digit can ever carry, each adds what
    /// its digits are worth in `inner`.
    pub(super) fn after(&self, inner: &Self) -> Option<Self> {
        if self.len() == 0 {
            return Some(Self::empty());
        }
        let places = inner.places();
        let start = digits(self.offset, &places)?;
        let (mut least, mut most) = (start.clone(), start.clone());
        let mut axes = Vec::new();
        for axis in self.axes.iter().flat_map(|axis| axis.split(&places)) {
            let steps = digits(axis.stride.unsigned_abs(), &places)?;
            let steps: Vec<isize> =
                steps.into_iter().map(|digit| digit * axis.stride.signum()).collect();
            for (digit, step) in steps.iter().enumerate() {
                let reach = step * (signed(axis.len) - 1);
                least[digit] += reach.min(0);
                most[digit] += reach.max(0);
            }
            axes.push(Axis { len: axis.len, stride: inner.worth(&steps) });
        }
        let lens = inner.axes.iter().map(|axis| signed(axis.len));
        let carries = least.iter().any(|&digit| digit < 0)
            || most.iter().zip(lens).any(|(&digit, len)| digit >= len);
        let offset = inner.offset.checked_add_signed(inner.worth(&start))?;
        (!carries).then(|| Self::new(offset, axes.into_iter()))
    }

    /// What a step along each axis is worth in flat positions of the result.
    fn places(&self) -> Vec<usize> {
        super::row_major_strides(&self.axes.iter().map(|axis| axis.len).collect::<Vec<_>>())
    }

    /// The distance that steps along the axes make.
    fn worth(&self, steps: &[isize]) -> isize {
        self.axes.iter().zip(steps).map(|(axis, step)| axis.stride * step).sum()
    }

    pub(super) fn len(&self) -> usize {
        self.axes.iter().map(|axis| axis.len).product()
    }

    pub(super) fn get(&self, position: usize) -> usize {
        let mut rest = position;
        let element = self.axes.iter().rev().fold(self.offset, |element, axis| {
            let step = axis.stride.wrapping_mul(signed(rest % axis.len));
            rest /= axis.len;
            element.wrapping_add_signed(step)
        });
        assert!(rest == 0, "position {position} of a view of {} elements", self.len());
        element
    }

    pub(super) fn walk(&self) -> Walk<'_> {
        let positions = vec![0; self.axes.len()];
        Walk { axes: &self.axes, positions, element: self.offset, left: self.len() }
    }
}

impl Axis {
    /// The same elements, by one axis for each place of a larger number that they run through.
    fn split(self, places: &[usize]) -> Vec<Self> {
        let mut rest = self;
        let mut parts = Vec::new();
        for &place in places {
            let stride = rest.stride.unsigned_abs();
            let steps = place.checked_div(stride).filter(|_| place.is_multiple_of(stride));
            let Some(steps) = steps.filter(|steps| (2..rest.len).contains(steps)) else { continue };
            if rest.len.is_multiple_of(steps) {
                parts.push(Self { len: rest.len / steps, stride: rest.stride * signed(steps) });
                rest.len = steps;
            }
        }
        parts.push(rest);
        parts
    }
}

/// A number by its digits, whose places are given; `None` where they leave a rest.
fn digits(number: usize, places: &[usize]) -> Option<Vec<isize>> {
    let mut rest = number;
    let mut digits = Vec::with_capacity(places.len());
    for &place in places {
        digits.push(signed(rest / place));
        rest %= place;
    }
    (rest == 0).then_some(digits)
}

/// The elements one after another.
#[derive(Clone, Debug)]
pub(super) struct Walk<'a> {
    axes: &'a [Axis],
    positions: Vec<usize>,
    element: usize,
    left: usize,
}

impl Iterator for Walk<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        self.left = self.left.checked_sub(1)?;
        let element = self.element;
        for (axis, position) in self.axes.iter().zip(&mut self.positions).rev() {
            if *position + 1 < axis.len {
                *position += 1;
                self.element = self.element.wrapping_add_signed(axis.stride);
                break;
            }
            let back = axis.stride.wrapping_mul(signed(*position));
            self.element = self.element.wrapping_add_signed(back.wrapping_neg());
            *position = 0;
        }
        Some(element)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}
