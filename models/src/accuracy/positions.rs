//! How an output is read whose positions have a label each.

use ndarray::{ArrayD, Axis};

/// The positions of an output: every dimension but that of the classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Positions {
    /// The dimension of the classes.
    axis: usize,
    /// How many classes.
    pub(super) classes: usize,
    /// How many positions.
    pub(super) count: usize,
}

impl Positions {
    /// The positions of an output, if they are of the shape of a sample's labels but for dimensions
    /// of 1. Classes are in the last dimension, or, as in images of channels, in the second.
    pub(super) fn find(output: &[usize], labels: &[usize]) -> Option<Self> {
        let candidates =
            output.len().checked_sub(1).into_iter().chain((output.len() > 2).then_some(1));
        candidates.into_iter().find_map(|axis| {
            let positions = output.iter().enumerate().filter(|&(place, _)| place != axis);
            let positions = positions.map(|(_, &size)| size);
            let classes = output[axis];
            let fits = classes > 1 && positions.clone().filter(|&size| size != 1).eq(wide(labels));
            fits.then(|| Self { axis, classes, count: positions.product() })
        })
    }

    /// The scores of each position, one position after the other.
    pub(super) fn scores(&self, output: &ArrayD<f32>) -> Vec<f32> {
        let mut view = output.view();
        for axis in self.axis..view.ndim() - 1 {
            view.swap_axes(axis, axis + 1);
        }
        debug_assert_eq!(view.len_of(Axis(view.ndim() - 1)), self.classes);
        view.iter().copied().collect()
    }
}

fn wide(shape: &[usize]) -> impl Iterator<Item = usize> {
    shape.iter().copied().filter(|&size| size != 1)
}

#[cfg(test)]
mod tests {
    use ndarray::IxDyn;

    use super::*;

    #[test]
    fn classes_are_in_the_last_dimension_or_in_the_second() {
        let found = |output: &[usize], labels: &[usize]| Positions::find(output, labels);
        let positions = |axis, classes, count| Some(Positions { axis, classes, count });
        assert_eq!(found(&[1, 10], &[]), positions(1, 10, 1));
        assert_eq!(found(&[1, 10], &[1]), positions(1, 10, 1));
        assert_eq!(found(&[1, 12, 28], &[12]), positions(2, 28, 12));
        assert_eq!(found(&[1, 3, 4, 5], &[4, 5]), positions(1, 3, 20));
        assert_eq!(found(&[1, 4, 5, 3], &[1, 4, 5]), positions(3, 3, 20));
        for (output, labels) in
            [(&[1, 12, 28][..], &[11][..]), (&[1, 12, 28], &[]), (&[1, 1], &[]), (&[], &[])]
        {
            assert_eq!(found(output, labels), None, "{output:?} {labels:?}");
        }
    }

    #[test]
    fn scores_are_those_of_one_position_after_the_other() {
        let channels = ArrayD::from_shape_vec(IxDyn(&[1, 2, 3]), vec![0., 1., 2., 10., 11., 12.]);
        let positions = Positions { axis: 1, classes: 2, count: 3 };
        assert_eq!(positions.scores(&channels.unwrap()), [0., 10., 1., 11., 2., 12.]);
    }
}
