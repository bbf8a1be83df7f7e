use proptest::prelude::*;

use super::*;

/// What an operator of data movement does to a tensor of a shape.
#[derive(Clone, Debug)]
enum Movement {
    /// The axes turned by so many places, and the first two of them swapped.
    Transpose(usize),
    /// Of an axis every so many elements from a start on, maybe from the end.
    Slice { axis: usize, start: usize, step: usize, backwards: bool },
    /// An axis of one element before one of the axes, repeated.
    Repeat { axis: usize, times: usize },
    /// All elements as one axis, which is then split by a divisor.
    Reshape(usize),
    /// Positions along an axis by a formula that no strides express.
    Gather { axis: usize, factor: usize },
}

impl Movement {
    /// The shape of the result, and the view of the tensor.
    fn of(&self, shape: &[usize]) -> (Vec<usize>, View) {
        let rank = shape.len();
        match *self {
            Self::Transpose(turn) => {
                let mut order: Vec<usize> = (0..rank).map(|axis| (axis + turn) % rank).collect();
                if rank > 1 {
                    order.swap(0, 1);
                }
                let strides = row_major_strides(shape);
                let output: Vec<usize> = order.iter().map(|&axis| shape[axis]).collect();
                let strides: Vec<usize> = order.iter().map(|&axis| strides[axis]).collect();
                let view = View::strided(&output, &strides, 0);
                (output, view)
            }
            Self::Slice { axis, start, step, backwards } => picked(shape, axis % rank, |size| {
                let mut chosen: Vec<usize> = (start % size..size).step_by(step).collect();
                if backwards {
                    chosen.reverse();
                }
                chosen
            }),
            Self::Repeat { axis, times } => {
                let axis = axis % (rank + 1);
                let mut from = shape.to_vec();
                from.insert(axis, 1);
                let mut to = from.clone();
                to[axis] = times;
                let view = View::broadcast(&from, &to);
                (to, view)
            }
            Self::Reshape(divisor) => {
                let count: usize = shape.iter().product();
                let divisor = if count.is_multiple_of(divisor) { divisor } else { 1 };
                (vec![count / divisor, divisor], View::in_order(count))
            }
            Self::Gather { axis, factor } => picked(shape, axis % rank, |size| {
                (0..size + 2).map(|place| place * place * factor % size).collect()
            }),
        }
    }
}

fn picked(
    shape: &[usize],
    axis: usize,
    chosen: impl FnOnce(usize) -> Vec<usize>,
) -> (Vec<usize>, View) {
    let mut axes: Vec<View> = shape.iter().map(|&size| View::in_order(size)).collect();
    axes[axis] = chosen(shape[axis]).into();
    (axes.iter().map(View::len).collect(), View::grid(shape, &axes))
}

fn movement() -> impl Strategy<Value = Movement> {
    prop_oneof![
        (0..3usize).prop_map(Movement::Transpose),
        (0..4usize, 0..3usize, 1..4usize, any::<bool>()).prop_map(
            |(axis, start, step, backwards)| Movement::Slice { axis, start, step, backwards }
        ),
        (0..4usize, 1..4usize).prop_map(|(axis, times)| Movement::Repeat { axis, times }),
        (1..7usize).prop_map(Movement::Reshape),
        (0..4usize, 1..4usize).prop_map(|(axis, factor)| Movement::Gather { axis, factor }),
    ]
}

proptest! {
    /// Whatever is done in turn, the composed view chooses what the lists choose, and is the one
    /// that the list of its elements gives: nothing stays a list that strides express.
    #[test]
    fn movements_compose_as_their_lists_do(
        start in prop::collection::vec(1..5usize, 1..4),
        movements in prop::collection::vec(movement(), 0..6),
    ) {
        let mut shape = start;
        let mut view = View::in_order(shape.iter().product());
        let mut list: Vec<usize> = view.iter().collect();
        for movement in movements {
            let (output, next) = movement.of(&shape);
            prop_assume!(output.iter().product::<usize>() < 1 << 12);
            list = next.iter().map(|position| list[position]).collect();
            view = next.after(&view);
            shape = output;
            prop_assert!(view.iter().eq(list.iter().copied()), "{movement:?}: {view:?}");
            prop_assert_eq!(&view, &View::from(list.clone()), "{:?}", movement);
        }
        prop_assert_eq!(view.len(), list.len());
        prop_assert!((0..list.len()).all(|position| view.get(position) == list[position]));
    }

    /// A view of any list is that list, and equal to that of another list only if they are equal.
    #[test]
    fn a_view_is_its_list(
        list in prop::collection::vec(0..4usize, 0..9),
        other in prop::collection::vec(0..4usize, 0..9),
    ) {
        let view = View::from(list.clone());
        prop_assert_eq!(&Vec::from(view.clone()), &list);
        prop_assert_eq!(view == View::from(other.clone()), list == other);
        prop_assert_eq!(view.is_in_order(), list.iter().copied().eq(0..list.len()));
    }

    /// Groups are their lists, of whatever sizes, and there is neither none nor an empty one.
    #[test]
    fn groups_are_their_lists(
        lists in prop::collection::vec(prop::collection::vec(0..20usize, 0..5), 0..5),
    ) {
        let is_some = !lists.is_empty() && lists.iter().all(|group| !group.is_empty());
        let groups = Groups::try_from(lists.clone());
        prop_assert_eq!(groups.is_ok(), is_some);
        let Ok(groups) = groups else { return Ok(()) };
        prop_assert_eq!(groups.count(), lists.len());
        prop_assert_eq!(Some(groups.largest()), lists.iter().map(Vec::len).max());
        prop_assert!(groups.sizes().eq(lists.iter().map(Vec::len)));
        prop_assert!(groups.iter().eq(lists));
    }
}

#[test]
fn groups_of_one_size_are_whole() {
    let groups = Groups::equal(View::in_order(6), 3).unwrap();
    assert_eq!(groups, Groups::try_from(vec![vec![0, 1, 2], vec![3, 4, 5]]).unwrap());
    let refused = [(View::in_order(6), 0), (View::in_order(6), 4), (View::in_order(0), 2)];
    for (elements, size) in refused {
        assert_eq!(Groups::equal(elements, size), None);
    }
}

/// A transposition of an image and its way back, each with strides alone.
#[test]
fn there_and_back_is_in_order() {
    let there = View::strided(&[5, 3, 4], &[1, 20, 5], 0);
    let back = View::strided(&[3, 4, 5], &[4, 1, 12], 0);
    assert!(back.after(&there).is_in_order());
    let turned: View = (0..60).rev().collect();
    assert!(turned.after(&turned).is_in_order());
}

#[test]
#[should_panic(expected = "position 4 of a view of 4 elements")]
fn a_position_beyond_a_view_is_refused() {
    let _beyond = View::strided(&[2, 2], &[1, 2], 0).get(4);
}
