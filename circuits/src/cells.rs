//! Cells: which one holds an element, what is written into them, which are copies of which.

use std::collections::HashMap;

use halo2_proofs::{
    circuit::Cell,
    halo2curves::{bn256::Fr, ff::Field},
    plonk::{Advice, Column, Fixed, Instance},
};
use zkinfer_models::{Execution, quantized::TensorId};

use crate::{
    frame::{Copied, Limbs},
    integers::{join, split},
    interleaving::Interleaving,
};

/// The column that holds an element, by the unit that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    /// The public values, by their index instead of a row.
    Instance,
    Slot(u32),
    /// Committed inputs, by lane and track.
    Committed(u32),
    /// Elements that the part before gives, by column.
    Taken(u32),
    /// What a relation gives, by its unit's place in the list of units.
    Result {
        unit: u16,
        lane: u32,
    },
}

/// The cell that holds an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CellRef {
    pub(crate) place: Place,
    pub(crate) row: u32,
}

/// An element of a tensor, or a constant zero.
pub(crate) type Source = Option<(TensorId, u32)>;

/// A run of the model whose cells are assigned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run<'a> {
    pub(crate) execution: &'a Execution,
}

impl Run<'_> {
    /// The value of an element.
    pub(crate) fn value(&self, source: Source) -> i64 {
        source.map_or(0, |(TensorId(tensor), element)| {
            self.execution.values[tensor][element as usize]
        })
    }
}

/// The cells of one column, row by row; rows that are not assigned are 0.
#[derive(Clone, Debug, Default)]
pub(crate) struct ColumnCells<T> {
    values: Vec<T>,
    /// The rows that were assigned, where that is asked for.
    assigned: Option<Vec<bool>>,
}

impl<T: Clone> ColumnCells<T> {
    fn new(zero: T, rows: usize, tracked: bool) -> Self {
        Self { values: vec![zero; rows], assigned: tracked.then(|| vec![false; rows]) }
    }

    fn set(&mut self, row: usize, value: T) {
        self.values[row] = value;
        if let Some(assigned) = &mut self.assigned {
            assigned[row] = true;
        }
    }

    /// The values of the first rows.
    fn fill(&mut self, values: &[T]) {
        self.values[..values.len()].clone_from_slice(values);
        if let Some(assigned) = &mut self.assigned {
            assigned[..values.len()].fill(true);
        }
    }

    pub(crate) fn values(&self) -> &[T] {
        &self.values
    }

    pub(crate) fn into_values(self) -> Vec<T> {
        self.values
    }

    /// The rows that were assigned.
    pub(crate) fn assigned(&self) -> impl Iterator<Item = usize> + '_ {
        let rows = self.assigned.iter().flatten().enumerate();
        rows.filter(|(_, assigned)| **assigned).map(|(row, _)| row)
    }
}

/// The first phase: columns of integers, by index.
#[derive(Debug, Default)]
pub(crate) struct IntegerCells {
    columns: Vec<ColumnCells<i64>>,
    /// What is added to copied cells as they are assigned: lies, column and row.
    lies: HashMap<(usize, usize), i64>,
}

impl IntegerCells {
    /// So many columns and rows; `tracked` if it matters which cells are assigned.
    pub(crate) fn new((columns, rows, tracked): (usize, usize, bool)) -> Self {
        let columns = vec![ColumnCells::new(0, rows, tracked); columns];
        Self { columns, lies: HashMap::new() }
    }

    /// The same cells about which lies will be told, as they are assigned where they are copies.
    pub(crate) fn with_lies(mut self, lies: impl Iterator<Item = ((usize, usize), i64)>) -> Self {
        for (cell, delta) in lies {
            let sum: &mut i64 = self.lies.entry(cell).or_default();
            *sum = sum.wrapping_add(delta);
        }
        self
    }

    /// Tells the lies that are left: about cells that nothing else follows from in this phase.
    pub(crate) fn finish(&mut self) {
        for ((column, row), delta) in std::mem::take(&mut self.lies) {
            if let Some(cells) = self.columns.get_mut(column) {
                cells.values[row] = cells.values[row].wrapping_add(delta);
            }
        }
    }

    /// Every column, by index.
    pub(crate) fn columns(&self) -> &[ColumnCells<i64>] {
        &self.columns
    }

    pub(crate) fn get(&self, column: Column<Advice>, row: usize) -> i64 {
        self.columns[column.index()].values[row]
    }

    /// The integer that limbs stand for.
    pub(crate) fn joined(&self, limbs: &Limbs, row: usize) -> i64 {
        join(limbs.columns().iter().map(|&column| self.get(column, row)), limbs.widths())
    }

    pub(crate) fn set(&mut self, column: Column<Advice>, row: usize, value: i64) {
        self.columns[column.index()].set(row, value);
    }

    /// Splits a value ≥ 0 into its limbs.
    pub(crate) fn set_limbs(&mut self, limbs: &Limbs, row: usize, value: i64) {
        for (&column, limb) in limbs.columns().iter().zip(split(value, limbs.widths())) {
            self.set(column, row, limb);
        }
    }

    /// Assigns a copied cell, and gives the value that the unit goes on with: another one where a
    /// lie is told, so that all that follows is computed from it.
    pub(crate) fn copy(&mut self, copied: Copied, row: usize, value: i64) -> i64 {
        let column = copied.column();
        let lie = self.lies.remove(&(column.index(), row)).unwrap_or(0);
        let told = value.wrapping_add(lie);
        self.set(column, row, told);
        told
    }

    /// The columns from `first` on in groups of these widths, to be assigned side by side.
    pub(crate) fn groups(
        &mut self,
        first: Column<Advice>,
        widths: impl IntoIterator<Item = usize>,
    ) -> impl Iterator<Item = Group<'_>> {
        let mut first = first.index();
        let mut rest = &mut self.columns[first..];
        widths.into_iter().map(move |width| {
            let (columns, others) = std::mem::take(&mut rest).split_at_mut(width);
            rest = others;
            let group = Group { first, columns };
            first += width;
            group
        })
    }

    /// Assigns the first rows of a column.
    pub(crate) fn fill(&mut self, column: Column<Advice>, values: &[i64]) {
        self.columns[column.index()].fill(values);
    }
}

/// Some columns next to each other.
pub(crate) struct Group<'a> {
    first: usize,
    columns: &'a mut [ColumnCells<i64>],
}

impl Group<'_> {
    pub(crate) fn set(&mut self, column: Column<Advice>, row: usize, value: i64) {
        self.columns[column.index() - self.first].set(row, value);
    }

    /// Splits a value ≥ 0 into its limbs.
    pub(crate) fn set_limbs(&mut self, limbs: &Limbs, row: usize, value: i64) {
        for (&column, limb) in limbs.columns().iter().zip(split(value, limbs.widths())) {
            self.set(column, row, limb);
        }
    }
}

/// The second phase: columns of field elements, in the order in which they were asked for.
#[derive(Debug)]
pub(crate) struct FieldCells {
    rows: usize,
    tracked: bool,
    columns: Vec<(Column<Advice>, ColumnCells<Fr>)>,
}

impl FieldCells {
    pub(crate) fn new(rows: usize, tracked: bool) -> Self {
        Self { rows, tracked, columns: Vec::new() }
    }

    fn column(&mut self, column: Column<Advice>) -> &mut ColumnCells<Fr> {
        let at = self.columns.iter().position(|(of, _)| *of == column).unwrap_or_else(|| {
            self.columns.push((column, ColumnCells::new(Fr::ZERO, self.rows, self.tracked)));
            self.columns.len() - 1
        });
        &mut self.columns[at].1
    }

    pub(crate) fn set(&mut self, column: Column<Advice>, row: usize, value: Fr) {
        self.column(column).set(row, value);
    }

    /// Assigns the first rows of a column.
    pub(crate) fn fill(&mut self, column: Column<Advice>, values: &[Fr]) {
        self.column(column).fill(values);
    }

    pub(crate) fn into_columns(self) -> Vec<(Column<Advice>, ColumnCells<Fr>)> {
        self.columns
    }
}

/// Fixed columns of small integers; rows that are not set are 0.
#[derive(Debug)]
pub(crate) struct FixedCells {
    rows: usize,
    /// Rows that hold data, the last one left out.
    pub(crate) last: usize,
    columns: Vec<Option<(Column<Fixed>, Vec<i64>)>>,
}

impl FixedCells {
    pub(crate) fn new(rows: usize, last: usize) -> Self {
        Self { rows, last, columns: Vec::new() }
    }

    fn column(&mut self, column: Column<Fixed>) -> &mut [i64] {
        let index = column.index();
        if self.columns.len() <= index {
            self.columns.resize(index + 1, None);
        }
        let rows = self.rows;
        let (_, values) = self.columns[index].get_or_insert_with(|| (column, vec![0; rows]));
        values
    }

    pub(crate) fn set(&mut self, column: Column<Fixed>, row: usize, value: i64) {
        self.column(column)[row] = value;
    }

    /// Sets the first rows.
    pub(crate) fn fill(&mut self, column: Column<Fixed>, rows: usize, value: i64) {
        self.column(column)[..rows].fill(value);
    }

    pub(crate) fn get(&self, column: Column<Fixed>, row: usize) -> i64 {
        let values = self.columns.get(column.index()).and_then(Option::as_ref);
        values.map_or(0, |(_, values)| values[row])
    }

    /// The columns in which something is set.
    pub(crate) fn columns(&self) -> impl Iterator<Item = (Column<Fixed>, &[i64])> {
        self.columns.iter().flatten().map(|(column, values)| (*column, &values[..]))
    }
}

/// Pairs of cells that hold the same value.
pub(crate) struct Copies<'a> {
    /// The public values are dealt to these row by row.
    instance: Vec<Column<Instance>>,
    places: HashMap<Place, Column<Advice>>,
    interleaving: &'a Interleaving,
    /// The cells of every tensor.
    tensors: &'a [Vec<CellRef>],
    /// A cell that is 0.
    zero: CellRef,
    pairs: Vec<[Cell; 2]>,
}

impl<'a> Copies<'a> {
    pub(crate) fn new(
        instance: Vec<Column<Instance>>,
        (places, interleaving): (&[(Place, Column<Advice>)], &'a Interleaving),
        tensors: &'a [Vec<CellRef>],
        zero: CellRef,
    ) -> Self {
        let places = places.iter().copied().collect();
        Self { instance, places, interleaving, tensors, zero, pairs: Vec::new() }
    }

    fn cell(&self, cell: CellRef) -> Cell {
        match cell.place {
            Place::Instance => self.public(cell.row as usize),
            place => self.of_unit(self.places[&place], cell.row as usize),
        }
    }

    /// The cell of a unit's column.
    fn of_unit(&self, column: Column<Advice>, row: usize) -> Cell {
        let (column, row_offset) = self.interleaving.advice_cell(column, row);
        Cell { row_offset, column: column.into() }
    }

    /// The cell of a public value; 0 behind the last one.
    fn public(&self, index: usize) -> Cell {
        let columns = self.instance.len();
        let column = self.instance[index % columns];
        Cell { row_offset: index / columns, column: column.into() }
    }

    /// The cell that holds an element.
    pub(crate) fn element(&self, source: Source) -> CellRef {
        match source {
            Some((TensorId(tensor), element)) => self.tensors[tensor][element as usize],
            None => self.zero,
        }
    }

    /// What a copied cell is a copy of.
    pub(crate) fn copy(&mut self, to: Copied, row: usize, from: CellRef) {
        self.pairs.push([self.of_unit(to.column(), row), self.cell(from)]);
    }

    /// What a copied cell is a copy of: a cell of the same unit.
    pub(crate) fn copy_own(&mut self, to: Copied, row: usize, from: (Column<Advice>, usize)) {
        self.link((to.column(), row), from);
    }

    /// What a public value is: the cell of a tensor.
    pub(crate) fn show(&mut self, public: usize, from: CellRef) {
        self.pairs.push([self.public(public), self.cell(from)]);
    }

    /// What a public value is: a cell of a unit.
    pub(crate) fn show_cell(&mut self, public: usize, column: Column<Advice>, row: usize) {
        self.pairs.push([self.public(public), self.of_unit(column, row)]);
    }

    /// Two cells of one unit that hold the same.
    pub(crate) fn link(&mut self, to: (Column<Advice>, usize), from: (Column<Advice>, usize)) {
        let [to, from] = [to, from].map(|(column, row)| self.of_unit(column, row));
        self.pairs.push([to, from]);
    }

    pub(crate) fn into_pairs(self) -> Vec<[Cell; 2]> {
        self.pairs
    }
}
