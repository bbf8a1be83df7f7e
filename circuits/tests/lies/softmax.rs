//! Lies about softmax.

use halo2_proofs::halo2curves::{bn256::Fr, ff::Field};
use zkinfer_circuits::{InferenceCircuit, Tamper};

use super::{LOOKUPS, broken, support};

/// One more in an output of softmax, with a remainder that makes up for it.
#[test]
fn a_probability_off_by_one_breaks_the_ranges_alone() {
    let model = support::softmax();
    let row = model.rows_before_softmax_elements();
    for direction in [Fr::ONE, -Fr::ONE] {
        let lie = |name: &str, delta| Tamper { column: model.column(name), row, delta };
        let circuit = model
            .circuit()
            .tampered(lie("softmax output", direction))
            .tampered(lie("softmax output limb", direction))
            .tampered(lie("softmax remainder", -direction * Fr::from(1 << 16)));
        let mut instance = model.instance.clone();
        instance[2 + 4] += direction;
        assert_eq!(broken(&model, &circuit, &instance), [LOOKUPS]);
    }
}

/// Another reciprocal of a group, with a rest and with remainders of the elements that make up for
/// it.
#[test]
fn a_reciprocal_off_by_one_breaks_the_range_of_its_rest_alone() {
    let model = support::softmax();
    let columns = model.circuit().witness().expect("an execution").first_phase();
    let at = |name: &str, row: usize| columns[model.column(name)].value(row);
    assert_eq!(model.rows_before_softmax_elements(), 3);
    for direction in [Fr::ONE, -Fr::ONE] {
        let rows = 0..model.plan.cost().rows.softmax;
        let lies = rows.flat_map(|row| {
            // The lowest limb of R, of what it leaves, of how far that is below S, of a remainder.
            let limb = match row {
                0 => direction,
                1 => -direction * at("softmax sum", row),
                2 => direction * at("softmax sum", row),
                _ => direction * at("softmax exponential", row),
            };
            [("softmax reciprocal", direction), ("softmax remainder", limb)]
                .map(|(name, delta)| Tamper { column: model.column(name), row, delta })
        });
        let circuit = lies.fold(model.circuit(), InferenceCircuit::tampered);
        assert_eq!(broken(&model, &circuit, &model.instance), [LOOKUPS]);
    }
}

/// A lane behind the last element of a group is not one of the group, whatever is in it.
#[test]
fn an_idle_lane_of_softmax_adds_nothing_to_its_group() {
    let model = support::softmax_side_by_side();
    let lanes = model.plan.shape().softmax.as_ref().expect("softmax").lanes;
    assert_ne!(7 % lanes, 0, "the last row of a group has an idle lane");
    let (mark, exponential) = (model.columns("softmax mark"), model.columns("softmax exponential"));
    let first = model.rows_before_softmax_elements();
    let (last, idle) = (first + 7_usize.div_ceil(lanes) - 1, lanes - 1);
    let circuit = model.circuit();
    let columns = circuit.witness().expect("an execution").first_phase();
    let mut places = (first..=last).flat_map(|row| (0..lanes).map(move |lane| (row, lane)));
    let marked = places.find(|&(row, lane)| columns[mark[lane]].value(row) == Fr::ONE);
    let (row, lane) = marked.expect("a marked element");
    // The mark moves to the idle lane: the group has none.
    let lies = [(mark[lane], row, -Fr::ONE), (mark[idle], last, Fr::ONE)];
    let lies = lies.map(|(column, row, delta)| Tamper { column, row, delta });
    let found = broken(
        &model,
        &lies.into_iter().fold(circuit, InferenceCircuit::tampered),
        &model.instance,
    );
    let gates = ["count runs", "one element is marked"];
    let gates = gates.map(|gate| format!("softmax running totals: {gate}"));
    assert!(found.iter().all(|gate| gates.contains(gate)) && !found.is_empty(), "{found:?}");
    // Its exponential is looked up, and counts for nothing.
    let lie = Tamper { column: exponential[idle], row: last, delta: Fr::ONE };
    assert_eq!(broken(&model, &model.circuit().tampered(lie), &model.instance), [LOOKUPS]);
}

/// Softmax marks as the largest an element that is not.
#[test]
fn a_mark_on_a_smaller_element_breaks_the_gate_of_the_maximum() {
    let model = support::softmax();
    let graph = model.plan.graph();
    let inputs = &model.execution.values[graph.nodes[0].output.0];
    let largest = inputs.iter().max().expect("elements");
    let [marked, other] = [true, false].map(|is_largest| {
        inputs.iter().position(|x| (x == largest) == is_largest).expect("such an element")
    });
    let column = model.column("softmax mark");
    let first = model.rows_before_softmax_elements();
    let circuit = model
        .circuit()
        .tampered(Tamper { column, row: first + marked, delta: -Fr::ONE })
        .tampered(Tamper { column, row: first + other, delta: Fr::ONE });
    let found = broken(&model, &circuit, &model.instance);
    let gate = "softmax maximum: the marked element is the maximum".to_owned();
    assert!(found.contains(&gate), "{found:?}");
}
