//! Conversions between numbers that say what their callers know.

/// `value` as an integer that is known to be far inside the range of `i64`.
#[expect(clippy::cast_possible_truncation, reason = "callers bound the value; `as` saturates")]
pub(crate) fn integer(value: f64) -> i64 {
    value as i64
}

/// An integer of at most 53 bits as a real number.
#[expect(clippy::cast_precision_loss, reason = "callers pass at most 53 bits")]
pub(crate) fn real(value: i64) -> f64 {
    value as f64
}

/// `2^exponent` for the small exponents of options.
pub(crate) fn power_of_two(exponent: u32) -> i64 {
    1 << exponent
}

/// A bound of `z`, which has at most 16 bits.
pub(crate) fn small(bound: i64) -> i32 {
    i32::try_from(bound).expect("bounds of requantized values have at most 16 bits")
}

/// A real number in single precision.
#[expect(clippy::cast_possible_truncation, reason = "results are reported in single precision")]
pub(crate) fn narrow(value: f64) -> f32 {
    value as f32
}

/// A real number that is an integer of 64 bits.
pub(crate) fn whole(value: f64) -> Option<i64> {
    const LIMIT: f64 = 9_223_372_036_854_774_784.0;
    let exact = value.fract() == 0.0 && value.abs() <= LIMIT;
    #[expect(clippy::cast_possible_truncation, reason = "compared with the limit just before")]
    exact.then_some(value as i64)
}

/// A count as a real number; counts of elements are far below 2^53.
#[expect(clippy::cast_precision_loss, reason = "limits keep element counts below 2^53")]
pub(crate) fn count(count: usize) -> f64 {
    count as f64
}
