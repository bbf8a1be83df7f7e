//! Lies by name, each caught by the check that is there for it.

mod abreast;
mod commitment;
mod looked_up;
mod refused;
mod siblings;
mod softmax;
mod steps;
#[path = "../support/mod.rs"]
mod support;
mod wide;

use halo2_proofs::{
    dev::{MockProver, VerifyFailure},
    halo2curves::{bn256::Fr, ff::Field},
};
use support::{
    Conv, Form, GraphBuilder, Model,
    checker::{Recorder, challenge},
};
use zkinfer_circuits::{
    CircuitPlan, InferenceCircuit, InstanceValues, PlanOptions, Tamper, instance_values,
};
use zkinfer_models::{Execution, quantized::*};

/// The gates and copies that do not hold. Lookups and linear layers have one sum; what is left of
/// it without the layers' challenges is the part of the lookups.
fn broken(model: &Model, circuit: &InferenceCircuit, instance: &[Fr]) -> Vec<String> {
    let k = model.plan.k();
    let layerless = |index| if index < FIRST_LAYER { challenge(index) } else { Fr::ZERO };
    let whole = Recorder::synthesize(circuit, k, instance);
    let lookups = Recorder::with_challenges(circuit, k, instance, layerless).sum_of(TOTAL);
    let linear = whole.sum_of(TOTAL) - lookups;
    let mut broken = whole.broken();
    let parts = [(LOOKUPS, lookups), (LINEAR, linear)].map(|(name, sum)| (name, sum != Fr::ZERO));
    assert_eq!(broken.remove(TOTAL), parts[0].1 || parts[1].1, "nothing cancels");
    broken.extend(parts.into_iter().filter(|part| part.1).map(|(name, _)| name.to_owned()));
    broken.into_iter().collect()
}

/// Challenges before those of the layers: α, θ, the pole, σ, ρ.
const FIRST_LAYER: u64 = 5;
/// The constraint, and its two parts.
const TOTAL: &str = "total: ends at zero";
const LOOKUPS: &str = "the part of the lookups";
const LINEAR: &str = "the part of the linear layers";

/// The circuit of an execution in which the output tensor of `node` was changed by `lie`, and
/// everything after it computed from the lie.
fn with_wrong_values(model: &Model, node: usize, lie: impl Fn(&mut Vec<i64>)) -> Vec<String> {
    let graph = model.plan.graph();
    let mut execution: Execution = (*model.execution).clone();
    let accumulators = execution.accumulators[node].as_mut().expect("a layer");
    lie(accumulators);
    let requant = graph.nodes[node].op.requant().expect("a layer");
    let output = graph.nodes[node].output.0;
    execution.values[output] = accumulators
        .iter()
        .map(|&acc| requant.round(acc).clamp(requant.lo.into(), requant.hi.into()))
        .collect();
    let outputs = execution.values[graph.outputs[0].0].clone();
    let inputs = execution.values[graph.inputs[0].0].clone();
    let public = InstanceValues::Public;
    let instance = instance_values([1, 2], public(&inputs), public(&outputs));
    let circuit = InferenceCircuit::with_execution(model.plan.clone(), execution.into());
    broken(model, &circuit, &instance)
}

/// A convolution whose output is the model's output, two channels.
fn conv_model() -> Model {
    let mut builder = GraphBuilder::new(11, [2, 6, 6]);
    let conv = Conv { out: 4, padding: [1, 1], ..Conv::default() };
    let output = builder.conv(TensorId(0), &conv, Form::Signed);
    builder.finish(output)
}

#[test]
fn an_accumulator_off_by_one_breaks_the_linear_sum() {
    let model = conv_model();
    assert_eq!(with_wrong_values(&model, 0, |acc| acc[7] += 1), [LINEAR]);
}

#[test]
fn two_compensating_entries_break_the_linear_sum() {
    let model = conv_model();
    let lie = |acc: &mut Vec<i64>| {
        acc[3] += 5;
        acc[4] -= 5;
    };
    assert_eq!(with_wrong_values(&model, 0, lie), [LINEAR]);
}

#[test]
fn a_row_shifted_by_one_position_breaks_the_linear_sum() {
    let model = conv_model();
    assert_eq!(with_wrong_values(&model, 0, |acc| acc[..6].rotate_right(1)), [LINEAR]);
}

#[test]
fn two_channels_swapped_break_the_linear_sum() {
    let model = conv_model();
    let lie = |acc: &mut Vec<i64>| {
        let (first, second) = acc.split_at_mut(36);
        first.swap_with_slice(&mut second[..36]);
    };
    assert_eq!(with_wrong_values(&model, 0, lie), [LINEAR]);
}

/// What breaks when the accumulators of a product of two heads, rows and three columns are others.
fn product_lie(lie: impl Fn(&mut Vec<i64>)) -> Vec<String> {
    with_wrong_values(&support::matrix_product(), 2, lie)
}

#[test]
fn a_matrix_product_off_by_one_breaks_the_linear_sum() {
    for element in 0..12 {
        assert_eq!(product_lie(|acc| acc[element] += 1), [LINEAR]);
    }
}

#[test]
fn compensating_errors_of_a_matrix_product_break_the_linear_sum() {
    // In one row, one column, one place of two heads, and across a row and a column.
    for other in [1, 3, 6, 4] {
        let lie = |acc: &mut Vec<i64>| {
            acc[0] += 5;
            acc[other] -= 5;
        };
        assert_eq!(product_lie(lie), [LINEAR]);
    }
}

#[test]
fn rows_columns_and_heads_of_a_matrix_product_swapped_break_the_linear_sum() {
    assert_eq!(product_lie(|acc| acc.rotate_right(6)), [LINEAR]);
    assert_eq!(product_lie(|acc| acc[..6].rotate_right(3)), [LINEAR]);
    assert_eq!(product_lie(|acc| acc.swap(0, 1)), [LINEAR]);
}

#[test]
fn a_carry_between_packed_channels_of_a_product_breaks_the_ranges_alone() {
    let model = support::matrix_product();
    assert_eq!(model.plan.shape().slots.lanes, 1);
    let remainder = model.column("slot remainder");
    // Of the twelve last rows four are a channel: its last position is the first of the next one.
    let row = model.plan.cost().rows.slots - 9;
    let found = carries(&model, [remainder, row + 1], [remainder, row]);
    assert_eq!(found.iter().filter(|broken| **broken == [LOOKUPS]).count(), 1, "{found:?}");
}

#[test]
fn a_normalized_element_off_by_one_breaks_the_linear_sum() {
    let lie =
        |element: usize| with_wrong_values(&support::normalization(), 1, |acc| acc[element] += 1);
    assert!((0..6).all(|element| lie(element) == [LINEAR]));
    let swapped = with_wrong_values(&support::normalization(), 1, |acc| acc.swap(0, 1));
    assert_eq!(swapped, [LINEAR]);
    let groups = with_wrong_values(&support::normalization(), 1, |acc| acc.rotate_right(3));
    assert_eq!(groups, [LINEAR]);
}

/// What breaks when a group is normalized with another reciprocal or shift, and the limbs of all
/// checks are what the gates ask for.
fn statistics_lie(reciprocal: i64, shift: i64) -> Vec<String> {
    let model = support::normalization();
    let witness = model.circuit();
    let columns = witness.witness().expect("an execution").first_phase();
    let value = |name: &str, row: usize| columns[model.column(name)].value(row);
    let cells = model.circuit().assigned_cells();
    let low = cells.iter().find(|cell| cell.0 == model.column("group variance"));
    let low = low.expect("a group").1;
    let [sum, root] = ["group sum", "group reciprocal"].map(|name| value(name, low));
    let variance = value("group variance", low);
    let [r, m] = [reciprocal, shift].map(|delta| match delta {
        -1 => -Fr::ONE,
        delta => Fr::from(delta.unsigned_abs()),
    });
    let changed = |root: Fr| (root + r).square() - root.square();
    let rest = r * sum - Fr::from(3) * m;
    let checks = [-changed(root) * variance, changed(root + Fr::ONE) * variance, r, m, rest, -rest];
    let lie = |name: &str, row, delta| Tamper { column: model.column(name), row, delta };
    let mut circuit = model.circuit();
    for row in 0..low + checks.len() {
        circuit = circuit.tampered(lie("group reciprocal", row, r));
        circuit = circuit.tampered(lie("group shift", row, m));
    }
    for (row, delta) in (low..).zip(checks) {
        circuit = circuit.tampered(lie("group check", row, delta));
    }
    broken(&model, &circuit, &model.instance)
}

#[test]
fn another_reciprocal_or_shift_of_a_group_breaks_the_ranges() {
    assert_eq!(statistics_lie(0, 0), [""; 0]);
    for (reciprocal, shift) in [(1, 0), (-1, 0), (0, 1), (0, -1)] {
        assert_eq!(statistics_lie(reciprocal, shift), [LINEAR, LOOKUPS]);
    }
}

#[test]
fn an_error_moved_to_another_layer_breaks_the_linear_sum() {
    let model = support::dense();
    // The first layer's error and its opposite in the second share no weight.
    assert!(with_wrong_values(&model, 0, |acc| acc[0] += 1 << 20).contains(&LINEAR.to_string()));
}

#[test]
fn a_wrong_public_output_breaks_a_copy() {
    let model = support::dense();
    let mut instance = model.instance.clone();
    *instance.last_mut().expect("an output") += Fr::ONE;
    assert_eq!(broken(&model, &model.circuit(), &instance), ["copy"]);
}

#[test]
fn a_wrong_public_input_breaks_a_copy() {
    let model = support::dense();
    let mut instance = model.instance.clone();
    instance[2] += Fr::ONE;
    assert_eq!(broken(&model, &model.circuit(), &instance), ["copy"]);
}

#[test]
fn a_public_value_behind_the_last_is_not_zero_padding() {
    let model = support::dense();
    let mut instance = model.instance.clone();
    instance.push(Fr::ONE);
    assert_eq!(broken(&model, &model.circuit(), &instance), ["copy"]);
}

/// A slot row with one column of its first lane changed.
fn slot_lie(model: &Model, column: usize, row: usize, delta: u64) -> Vec<String> {
    let tamper = Tamper { column, row, delta: Fr::from(delta) };
    broken(model, &model.circuit().tampered(tamper), &model.instance)
}

#[test]
fn an_overflow_inside_the_clamp_breaks_the_overflow_gate() {
    let model = conv_model();
    let overflow = model.column("slot overflow");
    // At either end of the clamp an overflow is well formed, and only the sum is wrong.
    let gate = "slot overflow: w·u·(u − high) = 0".to_string();
    let caught = (1..40).filter(|&row| slot_lie(&model, overflow, row, 1).contains(&gate));
    assert!(caught.count() > 5);
}

/// What breaks when one accumulator is a base larger and the next digit's is one smaller, for
/// every power of two that could be the base. The `columns` are limbs that state one unit.
fn carries(model: &Model, higher: [usize; 2], lower: [usize; 2]) -> Vec<Vec<String>> {
    let lie = |[column, row]: [usize; 2], delta| Tamper { column, row, delta };
    let carry = |bits: u64| {
        let base = Fr::from(2).pow_vartime([bits]);
        let circuit = model.circuit().tampered(lie(lower, base)).tampered(lie(higher, -Fr::ONE));
        broken(model, &circuit, &model.instance)
    };
    (12..60).map(carry).collect()
}

#[test]
fn a_carry_between_packed_channels_breaks_the_ranges_alone() {
    let model = conv_model();
    assert_eq!(model.plan.shape().slots.lanes, 1);
    let remainder = model.column("slot remainder");
    // The last position of a channel is the first of the next: 36 to a channel.
    let found = carries(&model, [remainder, 37], [remainder, 36]);
    // The linear sum cannot see a carry of the very base, whatever the challenges.
    assert_eq!(found.iter().filter(|broken| **broken == [LOOKUPS]).count(), 1, "{found:?}");
    let both = [LINEAR, LOOKUPS].map(str::to_owned);
    assert_eq!(found.iter().filter(|broken| **broken == both).count(), found.len() - 1);
}

#[test]
fn a_carry_from_the_idle_lanes_of_a_wide_row_breaks_the_gate_for_them() {
    let model = support::pool();
    let shape = &model.plan.shape().slots;
    assert!(shape.wide_lanes == 1 && shape.lanes > 1);
    let remainders = model.columns("slot remainder");
    let [remainder, of_second_lane] = [remainders[0], remainders[shape.remainder_limbs.len()]];
    // The outputs are the last rows of slots.
    let row = model.plan.cost().rows.slots - 1;
    let found = carries(&model, [of_second_lane, row], [remainder, row]);
    let gate = "wide output: nothing in the other lanes".to_owned();
    assert!(found.iter().all(|broken| broken.contains(&gate)), "{found:?}");
    assert_eq!(found.iter().filter(|broken| !broken.contains(&LINEAR.to_owned())).count(), 1);
}

#[test]
fn a_remainder_beyond_its_range_breaks_the_lookup() {
    let model = conv_model();
    let found = slot_lie(&model, model.column("slot remainder"), 1, 1 << 20);
    assert!(found.contains(&LOOKUPS.to_string()), "{found:?}");
}

#[test]
fn a_table_value_of_another_activation_breaks_the_lookup() {
    let model = support::table();
    let found = slot_lie(&model, model.column("slot activation"), 1, 1);
    assert!(found.contains(&LOOKUPS.to_string()), "{found:?}");
}

#[test]
fn a_smaller_maximum_breaks_the_range_and_a_larger_one_the_product() {
    let model = support::pool();
    let pool = |name: &str| name.starts_with("pool") || name == LOOKUPS;
    let column = model.column("pool maximum");
    for delta in [Fr::ONE, -Fr::ONE] {
        let circuit = model.circuit().tampered(Tamper { column, row: 0, delta });
        let found = broken(&model, &circuit, &model.instance);
        assert!(found.iter().any(|name| pool(name)), "{found:?}");
        assert!(!found.iter().any(|name| name == LINEAR), "{found:?}");
    }
}

/// The overflow of a table's row is beyond the end of its own table, not of the largest one.
#[test]
fn an_overflow_inside_a_narrow_table_breaks_the_overflow_gate() {
    let model = support::tables_of_two_widths();
    assert_eq!(model.plan.shape().slots.table_highs, [8, 63, 127]);
    let overflow = model.column("slot overflow");
    let gate = "slot overflow: w·u·(u − high) = 0".to_string();
    let rows = 1..model.plan.cost().rows.slots;
    let caught = rows.filter(|&row| slot_lie(&model, overflow, row, 1).contains(&gate));
    assert!(caught.count() > 0);
}

/// A layer whose accumulators are exactly the given biases: its weights are 0.
fn constants(accumulators: &[i64]) -> Model {
    let mut builder = GraphBuilder::new(12, [1, 1, 2]);
    let output = builder.dense(TensorId(0), accumulators.len(), Form::Signed);
    let QuantizedOp::Affine(affine) = &mut builder.graph.nodes[0].op else { panic!("dense") };
    affine.terms[0].kernel.fill(0);
    affine.bias = accumulators.to_vec();
    affine.requant.acc_lo = -(1 << 20);
    affine.requant.acc_hi = 1 << 20;
    builder.finish(output)
}

#[test]
fn both_saturation_points_round_and_clamp_exactly() {
    let step = 1i64 << support::SHIFT;
    let ends = [-129, -128, -127, 126, 127, 128].map(|z| z * step);
    let offsets = [-step / 2 - 1, -step / 2, -1, 0, 1, step / 2 - 1, step / 2];
    let exact: Vec<i64> = ends.iter().flat_map(|end| offsets.map(|o| end + o)).collect();
    let model = constants(&exact);
    assert!(broken(&model, &model.circuit(), &model.instance).is_empty());
    let outputs = &model.execution.values[model.plan.graph().outputs[0].0];
    let expected = exact.iter().map(|acc| ((acc + step / 2) >> support::SHIFT).clamp(-128, 127));
    assert_eq!(*outputs, expected.collect::<Vec<_>>());
}

/// The same accumulator as another quotient and remainder: `(z + 1)·2^S + (r − 2^S)`.
#[test]
fn rounding_the_other_way_breaks_the_remainders_range() {
    // Exact halves, below and above zero, and a value between two halves.
    for accumulator in [128, -128, 384, 100, -300] {
        let model = constants(&[accumulator]);
        let widths = &model.plan.shape().slots.remainder_limbs;
        let top: u32 = widths[..widths.len() - 1].iter().sum();
        let limb = 1i64 << (support::SHIFT - top);
        for direction in [1i64, -1] {
            let lie = |column, delta: i64| Tamper { column, row: 1, delta: signed(delta) };
            let highest = model.columns("slot remainder")[widths.len() - 1];
            let mut circuit = model
                .circuit()
                .tampered(lie(model.column("slot output"), direction))
                .tampered(lie(highest, -direction * limb));
            if let Some(&lowest) = model.columns("slot value").first() {
                circuit = circuit.tampered(lie(lowest, direction));
            }
            let mut instance = model.instance.clone();
            *instance.last_mut().expect("an output") += signed(direction);
            let found = broken(&model, &circuit, &instance);
            // The sum holds: only the remainder's range tells the roundings apart.
            assert_eq!(found, [LOOKUPS], "{accumulator} {direction}");
        }
    }
}

fn signed(value: i64) -> Fr {
    let magnitude = Fr::from(value.unsigned_abs());
    if value < 0 { -magnitude } else { magnitude }
}

/// The first row's weight was free once, and could be chosen to make any sum end at zero.
#[test]
fn a_weight_chosen_for_the_first_row_breaks_the_chain_start() {
    let model = support::dense();
    for name in ["slot weight", "linear evaluation"] {
        let tamper = Tamper { column: model.column(name), row: 0, delta: Fr::from(7) };
        let found = broken(&model, &model.circuit().tampered(tamper), &model.instance);
        assert!(found.contains(&"chain start: starts at zero".to_string()), "{name}: {found:?}");
    }
}

#[test]
fn mock_prover_and_checker_agree() {
    let model = conv_model();
    assert!(model.failures(&model.circuit()).is_empty());
    let mut instance = model.instance.clone();
    *instance.last_mut().expect("an output") += Fr::ONE;
    let failures = model.failures_with(&model.circuit(), instance);
    assert!(failures.iter().all(|f| matches!(f, VerifyFailure::Permutation { .. })));
    assert!(!failures.is_empty());
}

#[test]
fn another_model_has_another_circuit() {
    let model = conv_model();
    let mut graph = model.plan.graph().clone();
    let QuantizedOp::Affine(affine) = &mut graph.nodes[0].op else { panic!("a convolution") };
    affine.terms[0].kernel[5] += 1;
    let plan = CircuitPlan::new(&graph, PlanOptions::default()).expect("it fits");
    let circuit = InferenceCircuit::with_execution(plan.into(), model.execution.clone());
    let prover = MockProver::run(model.plan.k(), &circuit, vec![model.instance.clone()]).unwrap();
    assert!(prover.verify().is_err());
}
