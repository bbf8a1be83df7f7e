//! Lies about rows of a table, each with everything that follows from it, and the one check that is
//! left to refuse it.

mod support;

use std::collections::BTreeSet;

use halo2_proofs::halo2curves::bn256::Fr;
use support::{Model, checker::Recorder};
use zkinfer_circuits::InferenceCircuit;
use zkinfer_models::{Execution, quantized::QuantizedOp};

/// What breaks when the elements that the indices of [`support::rows_of_a_table`] chose are others, and
/// the instance shows them.
fn broken(model: &Model, lie: impl Fn(&mut Vec<i64>)) -> BTreeSet<String> {
    let graph = model.plan.graph();
    let mut execution: Execution = (*model.execution).clone();
    lie(&mut execution.values[graph.outputs[0].0]);
    let circuit = InferenceCircuit::with_execution(model.plan.clone(), execution.into());
    Recorder::synthesize(&circuit, model.plan.k(), &model.instance).shown().broken()
}

/// Fractions and ranges are one sum.
fn sum() -> BTreeSet<String> {
    BTreeSet::from(["total: ends at zero".to_owned()])
}

fn width(model: &Model) -> usize {
    let QuantizedOp::Embed(embed) = &model.plan.graph().nodes[0].op else { panic!("a table") };
    embed.width
}

#[test]
fn the_rows_of_the_table_are_those_of_their_indices() {
    let model = support::rows_of_a_table();
    assert!(broken(&model, |_| ()).is_empty());
}

#[test]
fn an_element_off_by_one_breaks_the_sum() {
    let model = support::rows_of_a_table();
    for element in 0..3 * width(&model) {
        for delta in [-1, 1] {
            assert_eq!(broken(&model, |values| values[element] += delta), sum());
        }
    }
}

#[test]
fn elements_and_rows_in_another_order_break_the_sum() {
    let model = support::rows_of_a_table();
    let width = width(&model);
    assert_eq!(broken(&model, |values| values[..width].rotate_left(1)), sum());
    assert_eq!(broken(&model, |values| values[..2 * width].rotate_left(width)), sum());
}

/// One more in a digit, one base less in the one before it: the packed row stays the same.
#[test]
fn a_carry_between_elements_breaks_the_range_alone() {
    let model = support::rows_of_a_table();
    let shape = model.plan.shape().embedding.clone().expect("an embedding");
    assert_eq!(shape.limbs.len(), 1, "digits are looked up themselves");
    let base = 1_i64 << shape.bits;
    let carry = |values: &mut Vec<i64>| {
        values[0] -= base;
        values[1] += 1;
    };
    assert_eq!(broken(&model, carry), sum());
    let lookups = |lie: &dyn Fn(&mut Vec<i64>)| {
        let graph = model.plan.graph();
        let mut execution: Execution = (*model.execution).clone();
        lie(&mut execution.values[graph.outputs[0].0]);
        let circuit = InferenceCircuit::with_execution(model.plan.clone(), execution.into());
        let recorder = Recorder::synthesize(&circuit, model.plan.k(), &model.instance);
        model
            .columns("embedding fractions")
            .into_iter()
            .map(|column| recorder.column_sum(column))
            .sum::<Fr>()
    };
    assert_eq!(lookups(&carry), Fr::zero(), "the packed row is that of the index");
    assert_ne!(lookups(&|values| values[1] += 1), Fr::zero());
}
