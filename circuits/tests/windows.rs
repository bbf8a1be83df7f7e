//! Max pools that the layer before them takes over: which ones, and lies about them.

mod support;

use halo2_proofs::halo2curves::{bn256::Fr, ff::Field};
use support::{Conv, Form, GraphBuilder, Model, checker::Recorder};
use zkinfer_circuits::Tamper;
use zkinfer_models::quantized::{QuantizedOp, TensorId};

const POSITION: &str = "slot shortfall: the position is two bits";
const WITHOUT: &str = "slot window: no shortfalls without a window";
const TOTAL: &str = "total: ends at zero";

/// An image of `side` by `side` pixels, a convolution of kernel 1, and what `rest` makes of it.
fn model(side: usize, form: Form, rest: impl Fn(&mut GraphBuilder, TensorId) -> TensorId) -> Model {
    let mut builder = GraphBuilder::new(20, [1, side, side]);
    let conv = Conv { out: 4, kernel: [1, 1], ..Conv::default() };
    let hidden = builder.conv(TensorId(0), &conv, form);
    let output = rest(&mut builder, hidden);
    builder.finish(output)
}

fn has_windows(model: &Model) -> bool {
    model.plan.shape().slots.window_limbs.is_some()
}

fn broken(model: &Model, lies: &[Tamper]) -> Vec<String> {
    let circuit = lies.iter().fold(model.circuit(), |circuit, &lie| circuit.tampered(lie));
    let broken = Recorder::synthesize(&circuit, model.plan.k(), &model.instance).broken();
    broken.into_iter().collect()
}

#[test]
fn a_layer_takes_over_a_pool_whose_windows_cover_its_outputs() {
    for side in [8, 9, 11] {
        assert!(has_windows(&model(side, Form::Relu, |b, hidden| b.max_pool(hidden, 2, 2))));
        assert!(has_windows(&model(side, Form::Signed, |b, hidden| b.max_pool(hidden, 2, 2))));
    }
}

#[test]
fn pools_with_other_windows_keep_their_rows() {
    for (window, step) in [(1, 2), (2, 1), (3, 2), (3, 3), (4, 4)] {
        let pooled = model(9, Form::Relu, |b, hidden| b.max_pool(hidden, window, step));
        assert!(!has_windows(&pooled), "{window} by {step}");
    }
    // Windows of 2 × 2 that do not begin where the layer's do.
    let shifted = model(9, Form::Relu, |b, hidden| {
        let pooled = b.max_pool(hidden, 2, 2);
        let QuantizedOp::MaxPool(pool) = &mut b.graph.nodes[1].op else { panic!("a pool") };
        let mut lists = Vec::from(pool.windows.clone());
        lists.iter_mut().flatten().for_each(|element| *element += 1);
        pool.windows = lists.try_into().expect("as many windows as before");
        pooled
    });
    assert!(!has_windows(&shifted));
    // The same window twice: one of the two outputs would have no cell.
    let twice = model(8, Form::Relu, |b, hidden| {
        let pooled = b.max_pool(hidden, 2, 2);
        let QuantizedOp::MaxPool(pool) = &mut b.graph.nodes[1].op else { panic!("a pool") };
        let mut lists = Vec::from(pool.windows.clone());
        lists[1] = lists[0].clone();
        pool.windows = lists.try_into().expect("as many windows as before");
        pooled
    });
    assert!(!has_windows(&twice));
}

#[test]
fn outputs_that_are_read_elsewhere_are_stated_one_by_one() {
    let read_twice = model(8, Form::Relu, |b, hidden| {
        let pooled = b.max_pool(hidden, 2, 2);
        b.alias(hidden, (0..64).collect());
        pooled
    });
    assert!(!has_windows(&read_twice));
    let shown = model(8, Form::Relu, |b, hidden| {
        b.max_pool(hidden, 2, 2);
        hidden
    });
    assert!(!has_windows(&shown));
}

#[test]
fn activations_that_decrease_keep_their_pool() {
    let falling = model(8, Form::Table(7), |b, hidden| {
        let pooled = b.max_pool(hidden, 2, 2);
        let QuantizedOp::Affine(affine) = &mut b.graph.nodes[0].op else { panic!("a layer") };
        let table = affine.requant.table.as_mut().expect("a table");
        table.sort_unstable();
        table.swap(3, 90);
        pooled
    });
    assert!(!has_windows(&falling));
    let rising = model(8, Form::Table(7), |b, hidden| {
        let pooled = b.max_pool(hidden, 2, 2);
        let QuantizedOp::Affine(affine) = &mut b.graph.nodes[0].op else { panic!("a layer") };
        affine.requant.table.as_mut().expect("a table").sort_unstable();
        pooled
    });
    assert!(has_windows(&rising));
    assert!(broken(&rising, &[]).is_empty());
}

/// Columns of the first lane: the lowest limbs of its remainder and of each shortfall.
fn unit_columns(model: &Model) -> (usize, Vec<usize>) {
    let widths = model.plan.shape().slots.window_limbs.as_ref().expect("windows");
    let limbs = model.columns("slot shortfall").into_iter().step_by(widths.len());
    (model.column("slot remainder"), limbs.take(3).collect())
}

/// The two bits of the first lane that tell where its largest accumulator is.
fn position_bits(model: &Model) -> [usize; 2] {
    [model.column("slot largest is above"), model.column("slot largest is left")]
}

/// What breaks in each of the first rows when its maximum is off by `delta` and every shortfall is
/// larger by as much, so that all but one of the accumulators are what they were.
fn moved_maxima(model: &Model, delta: Fr) -> Vec<Vec<String>> {
    let (remainder, shortfalls) = unit_columns(model);
    let columns: Vec<_> = shortfalls.into_iter().chain([remainder]).collect();
    let lies = |row| {
        let lie = |&column: &usize| Tamper { column, row, delta };
        broken(model, &columns.iter().map(lie).collect::<Vec<_>>())
    };
    (1..9).map(lies).collect()
}

#[test]
fn a_maximum_that_no_position_has_breaks_the_sum() {
    for model in [support::windows(), support::odd_windows(), support::exact_windows()] {
        for delta in [Fr::ONE, -Fr::ONE] {
            let found = moved_maxima(&model, delta);
            assert!(found.iter().all(|broken| broken.contains(&TOTAL.to_owned())), "{found:?}");
        }
    }
}

#[test]
fn a_smaller_maximum_is_refused_whichever_positions_the_shortfalls_have() {
    let model = support::windows();
    let (remainder, shortfalls) = unit_columns(&model);
    let lies = (1..20).flat_map(|row| {
        let lower = |column| Tamper { column, row, delta: -Fr::ONE };
        let lower: Vec<_> = shortfalls.iter().map(|limb| lower(*limb)).collect();
        let maximum = Tamper { column: remainder, row, delta: -Fr::ONE };
        let flips = [[0, 0], [0, 1], [1, 0], [1, -1], [-1, 1], [-1, 0], [0, -1], [1, 1], [-1, -1]];
        let bits = position_bits(&model);
        flips.map(|flips| {
            let moved = |(column, flip): (usize, i64)| {
                let delta = if flip < 0 { -Fr::ONE } else { Fr::from(flip.unsigned_abs()) };
                Tamper { column, row, delta }
            };
            let moved = bits.into_iter().zip(flips).map(moved);
            lower.iter().copied().chain([maximum]).chain(moved).collect::<Vec<_>>()
        })
    });
    for lies in lies {
        assert!(!broken(&model, &lies).is_empty(), "{lies:?}");
    }
}

#[test]
fn another_accumulator_below_the_maximum_breaks_the_sum() {
    for model in [support::windows(), support::odd_windows(), support::exact_windows()] {
        let (_, shortfalls) = unit_columns(&model);
        for (row, column) in (1..9).flat_map(|row| shortfalls.iter().map(move |&c| (row, c))) {
            let found = broken(&model, &[Tamper { column, row, delta: Fr::ONE }]);
            assert!(found.contains(&TOTAL.to_owned()), "row {row}, column {column}: {found:?}");
        }
    }
}

#[test]
fn a_shortfall_shared_by_two_positions_breaks_its_gate() {
    let model = support::windows();
    let half = Fr::from(2).invert().unwrap();
    for (row, column) in (1..9).flat_map(|row| position_bits(&model).map(|column| (row, column))) {
        for delta in [half, -half, Fr::from(2), -Fr::from(2)] {
            let found = broken(&model, &[Tamper { column, row, delta }]);
            assert!(found.contains(&POSITION.to_owned()), "row {row}: {found:?}");
        }
    }
}

/// A row without a window has one position: a shortfall there would be an accumulator of another
/// one's, which the sum may well be told of.
#[test]
fn a_shortfall_without_a_window_breaks_its_gate() {
    let model = support::windows();
    let (_, shortfalls) = unit_columns(&model);
    let slots = model.plan.cost().rows.slots;
    let refused = |column, row| {
        broken(&model, &[Tamper { column, row, delta: Fr::ONE }]).contains(&WITHOUT.to_owned())
    };
    for column in shortfalls {
        // The last layer of the model has no pool behind it.
        assert!(!refused(column, 1) && refused(column, slots - 1), "column {column}");
    }
}

#[test]
fn a_pool_with_rows_of_its_own_reads_maxima_of_windows() {
    let model = model(13, Form::Signed, |b, hidden| {
        let pooled = b.max_pool(hidden, 2, 2);
        let pooled = b.max_pool(pooled, 3, 3);
        b.dense(pooled, 3, Form::Wide)
    });
    assert!(has_windows(&model) && model.plan.cost().rows.pool > 0);
    assert_eq!(broken(&model, &[]), [""; 0]);
}
