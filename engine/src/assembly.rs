//! Key generation's view of a circuit: fixed columns, selectors and copies.

use halo2_proofs::{
    circuit::Value,
    halo2curves::bn256::Fr,
    plonk::{
        Advice, Any, Assigned, Assignment, Challenge, Circuit, Column, ConstraintSystem, Error,
        Fixed, FloorPlanner, Instance, Selector,
    },
};

use crate::{
    column::{Cells, Column as HostColumn},
    copies::Copies,
};

/// What a circuit says besides its witness.
#[derive(Debug)]
pub(crate) struct CircuitData {
    /// Log2 of the number of rows.
    pub(crate) k: u32,
    /// Columns, gates and arguments; selectors are fixed columns by now.
    pub(crate) constraints: ConstraintSystem<Fr>,
    /// The fixed columns, selectors last.
    pub(crate) fixed: Vec<HostColumn>,
    /// Which cells are equal.
    pub(crate) copies: Copies,
}

/// Lays `circuit` out on `2^k` rows.
///
/// # Errors
/// What the circuit itself refuses, or too few rows.
pub(crate) fn lay_out<C: Circuit<Fr>>(circuit: &C, k: u32) -> Result<CircuitData, Error> {
    let mut constraints = ConstraintSystem::default();
    let config = C::configure_with_params(&mut constraints, circuit.params());
    let rows = 1_usize << k;
    if rows < constraints.minimum_rows() {
        return Err(Error::NotEnoughRowsAvailable { current_k: k });
    }
    let mut assembly = Assembly {
        k,
        fixed: vec![Cells::new(rows); constraints.num_fixed_columns()],
        selectors: vec![vec![false; rows]; constraints.num_selectors()],
        copies: Copies::new(constraints.permutation().get_columns(), rows),
        usable_rows: rows - (constraints.blinding_factors() + 1),
    };
    let constants = constraints.constants().clone();
    C::FloorPlanner::synthesize(&mut assembly, circuit, config, constants)?;
    let mut fixed: Vec<_> = assembly.fixed.into_iter().map(Cells::finish).collect();
    fixed.extend(assembly.selectors.iter().map(|rows| {
        let values = rows.iter().map(|&enabled| i32::from(enabled)).collect();
        HostColumn::integers(values)
    }));
    let (constraints, _) = constraints.directly_convert_selectors_to_fixed(assembly.selectors);
    Ok(CircuitData { k, constraints, fixed, copies: assembly.copies })
}

struct Assembly {
    k: u32,
    fixed: Vec<Cells>,
    selectors: Vec<Vec<bool>>,
    copies: Copies,
    usable_rows: usize,
}

impl Assembly {
    fn check(&self, row: usize) -> Result<(), Error> {
        let fits = row < self.usable_rows;
        fits.then_some(()).ok_or(Error::NotEnoughRowsAvailable { current_k: self.k })
    }
}

/// halo2's interface has no way to return an error from two of these methods; like halo2's own key
/// generation they panic, naming the fault of the circuit.
impl Assignment<Fr> for Assembly {
    fn enter_region<NR: Into<String>, N: FnOnce() -> NR>(&mut self, _: N) {}
    fn exit_region(&mut self) {}
    fn annotate_column<A: FnOnce() -> AR, AR: Into<String>>(&mut self, _: A, _: Column<Any>) {}
    fn push_namespace<NR: Into<String>, N: FnOnce() -> NR>(&mut self, _: N) {}
    fn pop_namespace(&mut self, _: Option<String>) {}

    fn enable_selector<A: FnOnce() -> AR, AR: Into<String>>(
        &mut self,
        _: A,
        selector: &Selector,
        row: usize,
    ) -> Result<(), Error> {
        self.check(row)?;
        self.selectors[selector.index()][row] = true;
        Ok(())
    }

    fn query_instance(&self, _: Column<Instance>, row: usize) -> Result<Value<Fr>, Error> {
        self.check(row)?;
        Ok(Value::unknown())
    }

    fn assign_advice<'v>(
        &mut self,
        _: Column<Advice>,
        _: usize,
        _: Value<Assigned<Fr>>,
    ) -> Value<&'v Assigned<Fr>> {
        Value::unknown()
    }

    fn assign_fixed(&mut self, column: Column<Fixed>, row: usize, to: Assigned<Fr>) {
        assert!(row < self.usable_rows, "fixed column {column:?}: row {row} is not usable");
        self.fixed[column.index()].set(row, to);
    }

    fn copy(&mut self, left: Column<Any>, left_row: usize, right: Column<Any>, right_row: usize) {
        let usable = left_row < self.usable_rows && right_row < self.usable_rows;
        assert!(usable, "a copy between rows {left_row} and {right_row} leaves the usable rows");
        let copied = self.copies.copy((left, left_row), (right, right_row));
        copied.unwrap_or_else(|why| panic!("cells that cannot be copied: {why:?}"));
    }

    fn fill_from_row(
        &mut self,
        column: Column<Fixed>,
        row: usize,
        to: Value<Assigned<Fr>>,
    ) -> Result<(), Error> {
        self.check(row)?;
        let mut filler = None;
        to.map(|value| filler = Some(value));
        let filler = filler.ok_or(Error::Synthesis)?;
        for row in row..self.usable_rows {
            self.fixed[column.index()].set(row, filler);
        }
        Ok(())
    }

    fn get_challenge(&self, _: Challenge) -> Value<Fr> {
        Value::unknown()
    }
}
