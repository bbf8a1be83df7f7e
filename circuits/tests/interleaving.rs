//! Circuits whose columns hold several of the units': the same gates hold, and bite, for every unit.

mod support;

use std::collections::{BTreeMap, BTreeSet};

use halo2_proofs::halo2curves::{bn256::Fr, ff::Field};
use rayon::prelude::*;
use support::{Model, checker::Recorder};
use zkinfer_circuits::Tamper;

/// The first rows of every column, and its last.
fn sample(cells: &[(usize, usize)]) -> Vec<(usize, usize)> {
    let mut rows: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for &(column, row) in cells {
        rows.entry(column).or_default().push(row);
    }
    let few = |(column, rows): (usize, Vec<usize>)| {
        let picked: BTreeSet<_> = rows.iter().take(6).chain(rows.last()).copied().collect();
        picked.into_iter().map(move |row| (column, row)).collect::<Vec<_>>()
    };
    rows.into_iter().flat_map(few).collect()
}

/// The constraints that catch lies about a few cells of every column, and the lies that nothing
/// catches. Each is told alone; those about first rows once more with all that follows from them.
fn caught_by(model: &Model, honest: &Recorder) -> (BTreeSet<String>, Vec<Tamper>) {
    let cells = sample(&model.circuit().assigned_cells());
    let mut seen = BTreeSet::new();
    let cells: Vec<_> =
        cells.into_iter().map(|(column, row)| (column, row, seen.insert(column))).collect();
    let caught = cells.into_par_iter().map(|(column, row, is_first)| {
        let lie = Tamper { column, row, delta: Fr::from(1 << 20) };
        let mut caught = honest.clone().tampered(lie).broken_by(row);
        if is_first || caught.is_empty() {
            let lie = Tamper { delta: Fr::ONE, ..lie };
            let circuit = model.circuit().tampered(lie);
            let told = Recorder::synthesize(&circuit, model.plan.k(), &model.instance);
            caught.append(&mut told.broken());
        }
        let survives = caught.is_empty();
        (caught, survives.then_some(lie))
    });
    let caught: Vec<_> = caught.collect();
    let survivors = caught.iter().filter_map(|(_, lie)| *lie).collect();
    (caught.into_iter().flat_map(|(caught, _)| caught).collect(), survivors)
}

macro_rules! interleaved_gates_bite {
    ($($name:ident),*) => {$(
        #[test]
        fn $name() {
            let model = support::$name().for_gas();
            // A column that neighbours share holds nothing else.
            let is_part = model.plan.boundaries().contains(&true);
            assert_eq!(model.plan.shape().interleaved > 1, !is_part, "columns are interleaved");
            if is_part {
                return;
            }
            assert_eq!(model.plan.cost().degree, 5);
            let honest = Recorder::synthesize(&model.circuit(), model.plan.k(), &model.instance);
            assert_eq!(honest.broken(), BTreeSet::new());
            let failures = model.failures(&model.circuit());
            assert!(failures.is_empty(), "{:#?}", &failures[..failures.len().min(3)]);
            let (caught, survivors) = caught_by(&model, &honest);
            assert!(survivors.is_empty(), "{} lies survive: {:?}", survivors.len(), survivors[0]);
            let idle: Vec<_> = honest.constraints().difference(&caught).cloned().collect();
            assert!(idle.is_empty(), "no lie breaks {idle:?}");
            assert!(caught.contains("copy"));
        }
    )*};
}

support::for_every_model!(interleaved_gates_bite);
