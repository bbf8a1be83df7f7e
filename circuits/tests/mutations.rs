//! Every assigned advice cell of every model, changed: some gate or copy refuses it. No column is
//! without assigned cells.
//!
//! The liar is consistent: everything that follows from the changed cell (multiplicities,
//! fractions, evaluations, running sums) is computed from it, as a real one would do.

mod support;

use std::collections::BTreeSet;

use halo2_proofs::halo2curves::{bn256::Fr, ff::Field};
use rayon::prelude::*;
use support::{Model, checker::Recorder};
use zkinfer_circuits::{InferenceCircuit, Tamper};

fn witness(model: &Model, circuit: &InferenceCircuit) -> Recorder {
    Recorder::synthesize(circuit, model.plan.k(), &model.instance)
}

fn refused(model: &Model, honest: &Recorder, tamper: Tamper) -> bool {
    let lie = if honest.is_last_phase(tamper.column) {
        honest.clone().tampered(tamper)
    } else {
        witness(model, &model.circuit().tampered(tamper))
    };
    lie.refuses(tamper.row)
}

fn survivors(model: &Model, honest: &Recorder) -> Vec<Tamper> {
    let deltas = [Fr::ONE, -Fr::ONE, Fr::from(1 << 20), Fr::from(3).invert().unwrap()];
    let cells = model.circuit().assigned_cells();
    let lies = |&(column, row): &(usize, usize)| {
        // All kinds of lies on the first rows, then by turns: every row has the same gates.
        let kept = deltas.iter().enumerate().filter(move |(i, _)| row < 4 || (row + i) % 4 == 0);
        kept.map(|(_, &delta)| Tamper { column, row, delta }).collect::<Vec<_>>()
    };
    let lies: Vec<_> = cells.iter().flat_map(lies).collect();
    lies.into_par_iter().filter(|&tamper| !refused(model, honest, tamper)).collect()
}

/// The names of columns without an assigned cell: nothing would be a lie about them.
fn unassigned_columns(model: &Model) -> Vec<&'static str> {
    let circuit = model.circuit();
    let assigned: BTreeSet<_> = circuit.assigned_cells().iter().map(|cell| cell.0).collect();
    let names = circuit.column_names().into_iter().enumerate();
    names.filter(|(column, _)| !assigned.contains(column)).map(|(_, name)| name).collect()
}

macro_rules! no_cell_is_free {
    ($($name:ident),*) => {$(
        #[test]
        fn $name() {
            let model = support::$name();
            let honest = witness(&model, &model.circuit());
            assert!(honest.broken().is_empty());
            assert_eq!(unassigned_columns(&model), [""; 0], "columns that no test lies about");
            let survivors = survivors(&model, &honest);
            assert!(survivors.is_empty(), "{} lies survive: {:?}", survivors.len(), &survivors[..survivors.len().min(5)]);
        }
    )*};
}

support::for_every_model!(no_cell_is_free);

/// Among the circuits above are some with several lanes of the units that can have them.
#[test]
fn some_units_have_several_lanes() {
    let table_lanes = [support::table(), support::softmax()].map(|m| m.plan.shape().table_lanes);
    assert!(table_lanes.iter().all(|&lanes| lanes > 1), "{table_lanes:?}");
    let pool = support::overlapping_pool().plan.shape().pool.clone();
    assert!(pool.is_some_and(|pool| pool.lanes > 1));
}
