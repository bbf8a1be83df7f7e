//! Does every constraint bite? For every model, lies about single cells, and the constraints that
//! catch them: together they are all constraints of the circuit.

mod support;

use std::collections::{BTreeMap, BTreeSet};

use halo2_proofs::halo2curves::{bn256::Fr, ff::Field};
use rayon::prelude::*;
use support::{Model, checker::Recorder};
use zkinfer_circuits::Tamper;

/// A few rows of every column: its first ones, its last, and some between, of layers that follow.
fn sample(cells: &[(usize, usize)]) -> Vec<(usize, usize)> {
    let mut rows: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for &(column, row) in cells {
        rows.entry(column).or_default().push(row);
    }
    let few = |(column, rows): (usize, Vec<usize>)| {
        let later = [rows.len() / 2, rows.len() * 3 / 4, rows.len() - 1].map(|place| rows[place]);
        let picked = rows.iter().copied().take(6).chain(later).collect::<BTreeSet<_>>();
        picked.into_iter().map(move |row| (column, row)).collect::<Vec<_>>()
    };
    rows.into_iter().flat_map(few).collect()
}

fn caught_by(model: &Model) -> BTreeSet<String> {
    let witness = |tamper| {
        let circuit = model.circuit().tampered(tamper);
        Recorder::synthesize(&circuit, model.plan.k(), &model.instance)
    };
    let honest = witness(Tamper { column: 0, row: 0, delta: Fr::ZERO });
    let cells = sample(&model.circuit().assigned_cells());
    cells
        .into_par_iter()
        .flat_map_iter(|(column, row)| [1, 1 << 20].map(|d| (column, row, Fr::from(d))))
        .map(|(column, row, delta)| {
            let tamper = Tamper { column, row, delta };
            // Alone, and with everything after it computed from the lie.
            let mut caught = honest.clone().tampered(tamper).broken();
            caught.append(&mut witness(tamper).broken());
            caught
        })
        .reduce(BTreeSet::new, |mut all, mut more| {
            all.append(&mut more);
            all
        })
}

macro_rules! every_constraint_bites {
    ($($name:ident),*) => {$(
        #[test]
        fn $name() {
            let model = support::$name();
            let honest = Recorder::synthesize(&model.circuit(), model.plan.k(), &model.instance);
            let caught = caught_by(&model);
            let idle: Vec<_> = honest.constraints().difference(&caught).cloned().collect();
            assert!(idle.is_empty(), "no lie breaks {idle:?}");
            assert!(caught.contains("copy"));
        }
    )*};
}

support::for_every_model!(every_constraint_bites);
