//! Parallel loops over indices.
//!
//! rayon compiles its machinery anew for every closure and element type; here it is compiled once,
//! over a function behind a pointer, which costs nothing next to a task worth a thread.

use std::sync::{Mutex, OnceLock};

use rayon::prelude::*;

/// Runs `task` for `0..count`, in any order, on all threads.
pub(crate) fn each(count: usize, task: &(dyn Fn(usize) + Sync)) {
    (0..count).into_par_iter().with_max_len(1).for_each(task);
}

/// The results of `task` for `0..count`, in order.
pub(crate) fn map<T: Send + Sync>(count: usize, task: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let slots: Vec<OnceLock<T>> = (0..count).map(|_| OnceLock::new()).collect();
    each(count, &|index| {
        // A slot is filled once: every index is visited once.
        let _ = slots[index].set(task(index));
    });
    slots.into_iter().filter_map(OnceLock::into_inner).collect()
}

/// Runs `task` with every item, and its index.
pub(crate) fn consume<T: Send>(items: impl IntoIterator<Item = T>, task: impl Fn(usize, T) + Sync) {
    let items: Vec<Mutex<Option<T>>> =
        items.into_iter().map(|item| Mutex::new(Some(item))).collect();
    each(items.len(), &|index| {
        let item = items[index].lock().ok().and_then(|mut item| item.take());
        if let Some(item) = item {
            task(index, item);
        }
    });
}

/// What `task` makes of every item, in order.
pub(crate) fn convert<T: Send, R: Send + Sync>(
    items: impl IntoIterator<Item = T>,
    task: impl Fn(T) -> R + Sync,
) -> Vec<R> {
    let items: Vec<Mutex<Option<T>>> =
        items.into_iter().map(|item| Mutex::new(Some(item))).collect();
    let take = |index: usize| items[index].lock().ok().and_then(|mut item| item.take());
    map(items.len(), |index| take(index).map(&task)).into_iter().flatten().collect()
}

/// Runs `task` with every chunk of `size` elements and the index of the chunk.
pub(crate) fn chunks<T: Send>(
    elements: &mut [T],
    size: usize,
    task: impl Fn(usize, &mut [T]) + Sync,
) {
    consume(elements.chunks_mut(size), task);
}

/// Runs both, at once if a thread is free.
pub(crate) fn join(first: impl FnOnce() + Send, second: impl FnOnce() + Send) {
    let (mut first, mut second) = (Some(first), Some(second));
    join_pointers(
        &mut || {
            if let Some(first) = first.take() {
                first();
            }
        },
        &mut || {
            if let Some(second) = second.take() {
                second();
            }
        },
    );
}

fn join_pointers(first: &mut (dyn FnMut() + Send), second: &mut (dyn FnMut() + Send)) {
    rayon::join(first, second);
}

/// How many threads there are.
pub(crate) fn threads() -> usize {
    rayon::current_num_threads()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order() {
        assert_eq!(map(1000, |index| index * 2), (0..1000).map(|i| i * 2).collect::<Vec<_>>());
    }

    #[test]
    fn items_are_converted_in_order() {
        let numbers: Vec<String> = (0..100).map(|number| number.to_string()).collect();
        let lengths = numbers.iter().map(String::len).collect::<Vec<_>>();
        assert_eq!(convert(numbers, |number| number.len()), lengths);
    }

    #[test]
    fn every_chunk_is_visited_once() {
        let mut values = vec![0; 103];
        chunks(&mut values, 10, |index, chunk| chunk.iter_mut().for_each(|v| *v += index + 1));
        let expected: Vec<_> = (0..103).map(|i| i / 10 + 1).collect();
        assert_eq!(values, expected);
    }
}
