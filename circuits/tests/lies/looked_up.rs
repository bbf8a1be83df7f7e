//! Lies about outputs that are nothing but looked up.

use halo2_proofs::halo2curves::{bn256::Fr, ff::Field};
use zkinfer_circuits::Tamper;
use zkinfer_models::quantized::TensorId;

use super::{LOOKUPS, Model, broken, carries, slot_lie, support};

#[test]
fn another_entry_of_a_table_breaks_the_lookup() {
    let model = support::looked_up();
    let column = model.column("slot output");
    for row in 1..model.plan.cost().rows.slots {
        let found = slot_lie(&model, column, row, 1);
        assert!(found.contains(&LOOKUPS.to_owned()), "{found:?}");
    }
}

/// The last row of slots with the next entry of the table, and a remainder that makes up for it.
fn rounded_up(model: &Model) -> Vec<String> {
    let row = model.plan.cost().rows.slots - 1;
    let lie = |name: &str, delta| Tamper { column: model.column(name), row, delta };
    let step = Fr::from(1 << support::SHIFT);
    let circuit = model
        .circuit()
        .tampered(lie("slot value", Fr::ONE))
        .tampered(lie("slot output", Fr::ONE))
        .tampered(lie("slot remainder", -step));
    let mut instance = model.instance.clone();
    *instance.last_mut().expect("an output") += Fr::ONE;
    broken(model, &circuit, &instance)
}

#[test]
fn rounding_the_other_way_breaks_the_remainders_range_alone() {
    let mut builder = support::GraphBuilder::new(84, [1, 1, 4]);
    let output = builder.dense(TensorId(0), 1, support::Form::Signed);
    let model = support::tabled(builder.finish(output), 7);
    assert_eq!(model.plan.shape().slots.remainder_limbs, [support::SHIFT]);
    assert_eq!(rounded_up(&model), [LOOKUPS]);
}

#[test]
fn an_overflow_under_a_table_breaks_the_gate_for_it() {
    let model = support::looked_up_beside_wide();
    let found = slot_lie(&model, model.column("slot overflow"), 1, 1);
    assert!(found.contains(&"slot overflow: no overflow under a table".to_owned()), "{found:?}");
}

#[test]
fn a_carry_from_the_idle_lanes_of_a_wide_row_breaks_the_gate_for_them() {
    let model = support::looked_up_beside_wide();
    let shape = &model.plan.shape().slots;
    let remainders = model.columns("slot remainder");
    let limbs = shape.remainder_limbs.len();
    let [idle, of_first] = [remainders[shape.wide_lanes * limbs], remainders[0]];
    let row = model.plan.cost().rows.slots - 1;
    let gate = "wide output: nothing in the other lanes".to_owned();
    let found = carries(&model, [idle, row], [of_first, row]);
    assert!(found.iter().all(|broken| broken.contains(&gate)), "{found:?}");
}

/// Beside tables that do not cover every accumulator an overflow is one beyond the clamp.
#[test]
fn an_overflow_inside_a_table_breaks_the_overflow_gate() {
    let model = support::looked_up_with_overflow();
    let overflow = model.column("slot overflow");
    let gate = "slot overflow: w·u·(u − high) = 0".to_owned();
    let rows = 1..model.plan.cost().rows.slots;
    let caught = rows.filter(|&row| slot_lie(&model, overflow, row, 1).contains(&gate));
    assert!(caught.count() > 0);
}
