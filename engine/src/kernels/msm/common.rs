//! Columns that have one element in many rows.
//!
//! A running product does not change where nothing is copied, and a sum of fractions is the same in
//! every row without a lookup. With `c` there, `Σ v·P = Σ (v − c)·P + c·ΣP`: only the other rows
//! cost additions, and one multiplication of a point that is known before.

use super::super::field::modulus::subtract;

/// Rows that are looked at to find the element.
const SAMPLES: usize = 64;
/// Rows that must have it: fewer would cost less than the multiplication.
const MIN_ROWS: usize = 64;

/// The element of many rows, canonical, if it is worth subtracting it from all.
pub(super) fn element(words: &[[u64; 4]]) -> Option<[u64; 4]> {
    let mut samples: Vec<_> =
        words.iter().step_by((words.len() / SAMPLES).max(1)).copied().collect();
    samples.sort_unstable();
    let runs = samples.chunk_by(|a, b| a == b);
    let most = *runs.max_by_key(|run| run.len())?.first()?;
    let rows_with = |element: [u64; 4]| words.iter().filter(|words| **words == element).count();
    (rows_with(most) >= rows_with([0; 4]) + MIN_ROWS).then_some(most)
}

/// `a − b` modulo `modulus`, of canonical elements.
#[inline]
pub(super) fn difference(a: [u64; 4], b: [u64; 4], modulus: [u64; 4]) -> [u64; 4] {
    let (difference, is_negative) = subtract(a, b);
    if is_negative { subtract(modulus, subtract(b, a).0).0 } else { difference }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODULUS: [u64; 4] = [7, 0, 0, 1 << 60];

    #[test]
    fn differences_are_canonical() {
        let largest = subtract(MODULUS, [1, 0, 0, 0]).0;
        assert_eq!(largest, [6, 0, 0, 1 << 60]);
        assert_eq!(difference([0; 4], [1, 0, 0, 0], MODULUS), largest);
        assert_eq!(difference(largest, largest, MODULUS), [0; 4]);
        assert_eq!(difference([0; 4], largest, MODULUS), [1, 0, 0, 0]);
        assert_eq!(difference([0, 1, 0, 0], [1, 0, 0, 0], MODULUS), [u64::MAX, 0, 0, 0]);
    }

    #[test]
    fn an_element_is_common_from_enough_rows_on() {
        let one = [1, 0, 0, 0];
        let column = |ones: usize, zeros: usize, others: u64| -> Vec<[u64; 4]> {
            let others = (0..others).map(|i| [i + 2, 0, 0, 5]);
            std::iter::repeat_n(one, ones)
                .chain(std::iter::repeat_n([0; 4], zeros))
                .chain(others)
                .collect()
        };
        assert_eq!(element(&[]), None);
        assert_eq!(element(&column(MIN_ROWS - 1, 0, 0)), None);
        assert_eq!(element(&column(MIN_ROWS, 0, 0)), Some(one));
        assert_eq!(element(&column(1000, 900, 900)), Some(one));
        assert_eq!(element(&column(1000, 950, 900)), None);
        assert_eq!(element(&column(900, 1000, 900)), None);
        assert_eq!(element(&column(0, 0, 5000)), None);
    }
}
