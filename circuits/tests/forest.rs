//! Lies about walks down decision trees, each with the one check that is left to refuse it.

mod support;

use std::collections::BTreeSet;

use support::{
    Model,
    checker::Recorder,
    walks::{self, EXACT_TAG, LEAVES, Lie, field, stumps},
};

/// What refuses a lie.
fn broken(model: &Model, lie: &Lie) -> BTreeSet<String> {
    let mut instance = model.instance.clone();
    let first_output = instance.len() - 2;
    instance[first_output] += field(lie.shown);
    Recorder::synthesize(&lie.told(model), model.plan.k(), &instance).broken()
}

/// Ranges and tables are one sum.
fn sum() -> BTreeSet<String> {
    BTreeSet::from(["total: ends at zero".to_owned()])
}

#[test]
fn the_honest_walk_passes() {
    let model = stumps();
    assert_eq!(model.execution.values[1], [LEAVES[0]; 2]);
    let circuit = model.circuit();
    assert!(Recorder::synthesize(&circuit, model.plan.k(), &model.instance).broken().is_empty());
    assert!(model.failures(&circuit).is_empty());
}

#[test]
fn the_other_way_is_refused_by_the_range_of_the_distance() {
    assert_eq!(broken(&stumps(), &walks::other_way()), sum());
}

#[test]
fn a_direction_that_is_neither_is_refused() {
    let broken = broken(&stumps(), &walks::no_direction());
    assert!(broken.contains("forest walk: d is 0 or 1"), "{broken:?}");
}

#[test]
fn another_elements_rank_is_refused_by_the_range_of_the_distance() {
    assert_eq!(broken(&stumps(), &walks::another_elements_rank()), sum());
}

#[test]
fn a_rank_of_no_element_is_refused_by_the_fractions() {
    assert_eq!(broken(&stumps(), &walks::no_elements_rank()), sum());
}

/// The range whose size is no power of two once had the tag of ranks: its first entry answered for a
/// rank that no element has.
#[test]
fn no_entry_of_a_range_answers_for_a_rank() {
    let model = walks::stumps_beside_an_exact_range();
    let honest = Recorder::synthesize(&model.circuit(), model.plan.k(), &model.instance);
    assert_eq!(honest.broken(), BTreeSet::new());
    let first_output = model.instance.len() - 4;
    for row in honest.range_starts(EXACT_TAG) {
        let lie = walks::rank_of_a_range(row);
        let mut instance = model.instance.clone();
        instance[first_output] += field(lie.shown);
        let told = Recorder::synthesize(&lie.told(&model), model.plan.k(), &instance);
        assert_eq!(told.broken(), sum(), "row {row}");
    }
}

#[test]
fn a_rank_too_high_is_refused_by_the_range_of_the_lower_distance() {
    let model = stumps();
    assert_eq!(broken(&model, &walks::next_rank(&model)), sum());
}

#[test]
fn another_leafs_value_is_refused_by_the_table() {
    let model = stumps();
    assert_eq!(broken(&model, &walks::another_leafs_value()), sum());
    let broken = broken(&model, &walks::another_leaf());
    let step = "forest walk: W = c + distance − d·(2·distance + 1) + 2^S·(next − d)";
    assert_eq!(broken, BTreeSet::from([step.to_owned()]));
}

#[test]
fn another_root_is_refused() {
    let broken = broken(&stumps(), &walks::another_root());
    assert!(broken.contains("forest walk: the walk begins at its root"), "{broken:?}");
}
