//! Lies about outputs of 16 bits, several to a row.

use super::{LINEAR, LOOKUPS, carries, support, with_wrong_values};

#[test]
fn a_wide_output_off_by_one_breaks_the_linear_sum_in_every_lane() {
    let model = support::wide_side_by_side();
    for element in 0..70 {
        assert_eq!(with_wrong_values(&model, 1, |acc| acc[element] += 1), [LINEAR]);
    }
}

#[test]
fn wide_outputs_of_one_row_exchanged_break_the_linear_sum() {
    let model = support::wide_side_by_side();
    for element in 1..model.plan.shape().slots.wide_lanes {
        assert_eq!(with_wrong_values(&model, 1, |acc| acc.swap(0, element)), [LINEAR]);
    }
}

#[test]
fn a_carry_between_wide_outputs_of_one_row_breaks_the_ranges_alone() {
    let model = support::wide_side_by_side();
    let shape = &model.plan.shape().slots;
    let remainders = model.columns("slot remainder");
    let limbs = shape.remainder_limbs.len();
    // The last row but that of the outputs; the first two lanes are digits of one pack.
    let row = model.plan.cost().rows.slots - 2;
    let found = carries(&model, [remainders[limbs], row], [remainders[0], row]);
    assert_eq!(found.iter().filter(|broken| **broken == [LOOKUPS]).count(), 1, "{found:?}");
    let both = [LINEAR, LOOKUPS].map(str::to_owned);
    assert_eq!(found.iter().filter(|broken| **broken == both).count(), found.len() - 1);
}
