//! Numbers as bytes, and field elements and points as words.

use halo2_proofs::halo2curves::bn256::{Fq, Fr, G1Affine};

use crate::kernels::{pack::Words, parallel};

/// Elements that one task turns into words.
const TASK: usize = 1 << 12;
/// Bytes of an element.
pub(super) const ELEMENT: usize = 32;

/// Numbers without padding, of which every pattern of bits is a value.
pub(super) trait Plain: Copy + Default {}
impl Plain for i32 {}
impl Plain for u32 {}
impl Plain for u64 {}

/// The bytes of numbers.
#[expect(unsafe_code, reason = "numbers are bytes")]
pub(super) fn bytes<T: Plain>(numbers: &[T]) -> &[u8] {
    let length = size_of_val(numbers);
    // SAFETY: the slice is that long and initialized; the numbers have no padding, and bytes no
    // alignment.
    unsafe { std::slice::from_raw_parts(numbers.as_ptr().cast(), length) }
}

/// The bytes of numbers, to be overwritten.
#[expect(unsafe_code, reason = "numbers are bytes")]
pub(super) fn bytes_mut<T: Plain>(numbers: &mut [T]) -> &mut [u8] {
    let length = size_of_val(numbers);
    // SAFETY: as in `bytes`; every pattern of bits is a number.
    unsafe { std::slice::from_raw_parts_mut(numbers.as_mut_ptr().cast(), length) }
}

/// The words of elements, as kernels have them.
pub(super) fn words(elements: &[Fr]) -> Vec<u64> {
    let mut words = vec![[0; 4]; elements.len()];
    parallel::chunks(&mut words, TASK, |task, words| {
        for (words, element) in words.iter_mut().zip(&elements[task * TASK..]) {
            *words = element.words();
        }
    });
    words.into_flattened()
}

/// The elements with these words.
pub(super) fn elements(words: &[u64]) -> Vec<Fr> {
    let (words, _) = words.as_chunks::<4>();
    words.iter().map(|&words| Fr::from_words(words)).collect()
}

/// The words of points.
pub(super) fn point_words(points: &[G1Affine]) -> Vec<u64> {
    let mut words = vec![[[0; 4]; 2]; points.len()];
    parallel::chunks(&mut words, TASK, |task, words| {
        for (words, point) in words.iter_mut().zip(&points[task * TASK..]) {
            *words = [point.x.words(), point.y.words()];
        }
    });
    words.into_flattened().into_flattened()
}

/// Coordinates with these words.
pub(super) fn coordinates<const WORDS: usize, const COUNT: usize>(
    words: &[u64; WORDS],
) -> [Fq; COUNT] {
    std::array::from_fn(|i| Fq::from_words(std::array::from_fn(|word| words[4 * i + word])))
}
