//! Interleaving: several columns of the units in one of the circuit.
//!
//! With stride `s`, a column of the circuit holds `s` of the units': row `r` of the `i`-th lies in row
//! `r·s + i`. A gate that is about rows `r` and `r + 1` of the units reads the rows `r·s + i` and
//! `(r + 1)·s + i`. It holds in every `s`-th row, so each constraint has the selector `on` as a
//! factor, which has a column of its own and is 1 in the rows `r·s` alone. In rows between them `on` is
//! 0, and what a gate would read there is no row of the units.
//!
//! There are `s` times fewer commitments, and as many evaluations: proofs are shorter, and a verifier
//! that pays for each point pays less. The prover evaluates the gates on `s` times as many rows.
//!
//! The units know nothing of this: they, the witness and the tests see their own columns and rows.

use std::collections::BTreeMap;

use halo2_proofs::{
    halo2curves::{bn256::Fr, ff::Field},
    plonk::{Advice, Column as CircuitColumn, ColumnType, ConstraintSystem, Fixed, SecondPhase},
    poly::Rotation,
};
use zkinfer_engine::Column;

use crate::{frame::Obligations, integers::int};

/// Where a column of the units lies.
#[derive(Clone, Copy, Debug)]
struct Strand<C: ColumnType> {
    column: CircuitColumn<C>,
    offset: usize,
}

/// Where all columns of the units lie, by their index.
#[derive(Clone, Debug)]
pub(crate) struct Interleaving {
    stride: usize,
    advice: Vec<Strand<Advice>>,
    fixed: Vec<Strand<Fixed>>,
}

impl Interleaving {
    /// Makes the columns of the circuit. Those under copy constraints are together, so that few
    /// columns of the circuit are; the first fixed column, which selects rows, is alone.
    pub(crate) fn allocate(
        meta: &mut ConstraintSystem<Fr>,
        stride: usize,
        owed: &Obligations,
    ) -> Self {
        let (selectors, others) = (0..owed.fixed_columns).partition::<Vec<_>, _>(|&i| i == 0);
        let groups = selectors.chunks(stride).chain(others.chunks(stride));
        let fixed = strands(groups, || meta.fixed_column());
        let mut columns: Vec<usize> = (0..owed.columns().len()).collect();
        let is_late = |index: &usize| *index >= owed.first_phase_columns;
        if stride > 1 {
            columns.sort_by_key(|index| (is_late(index), !owed.is_copied(*index)));
        }
        let late = columns.split_off(owed.first_phase_columns);
        let mut advice = strands(columns.chunks(stride), || meta.advice_column());
        advice.extend(strands(late.chunks(stride), || meta.advice_column_in(SecondPhase)));
        Self {
            stride,
            fixed: fixed.into_values().collect(),
            advice: advice.into_values().collect(),
        }
    }

    /// Whether columns share one.
    pub(crate) fn is_proper(&self) -> bool {
        self.stride > 1
    }

    /// Where a gate finds the cell of a column so many rows further.
    pub(crate) fn advice_query(
        &self,
        column: CircuitColumn<Advice>,
        rows: i32,
    ) -> (CircuitColumn<Advice>, Rotation) {
        let Strand { column, offset } = self.advice[column.index()];
        (column, self.rotation(offset, rows))
    }

    /// Where a gate finds the cell of a fixed column so many rows further.
    pub(crate) fn fixed_query(
        &self,
        column: CircuitColumn<Fixed>,
        rows: i32,
    ) -> (CircuitColumn<Fixed>, Rotation) {
        let Strand { column, offset } = self.fixed[column.index()];
        (column, self.rotation(offset, rows))
    }

    fn rotation(&self, offset: usize, rows: i32) -> Rotation {
        Rotation(rows * int(self.stride) + int(offset))
    }

    /// Column and row of the cell that is one of a unit.
    pub(crate) fn advice_cell(
        &self,
        column: CircuitColumn<Advice>,
        row: usize,
    ) -> (CircuitColumn<Advice>, usize) {
        let Strand { column, offset } = self.advice[column.index()];
        (column, row * self.stride + offset)
    }

    /// Column and row of the fixed cell that is one of a unit.
    pub(crate) fn fixed_cell(
        &self,
        column: CircuitColumn<Fixed>,
        row: usize,
    ) -> (CircuitColumn<Fixed>, usize) {
        let Strand { column, offset } = self.fixed[column.index()];
        (column, row * self.stride + offset)
    }

    /// The columns of the circuit from columns of the units, both by their indices.
    pub(crate) fn gather(&self, columns: Vec<(usize, Column)>) -> Vec<(usize, Column)> {
        if !self.is_proper() {
            return columns;
        }
        let mut groups: BTreeMap<usize, Vec<(usize, Column)>> = BTreeMap::new();
        for (index, values) in columns {
            let Strand { column, offset } = self.advice[index];
            groups.entry(column.index()).or_default().push((offset, values));
        }
        groups.into_iter().map(|(index, group)| (index, self.woven(&group))).collect()
    }

    /// One column from those that share it, each with its offset.
    fn woven(&self, group: &[(usize, Column)]) -> Column {
        let integers = group.iter().map(|(offset, column)| match column {
            Column::Integers { values, tail } if tail.is_empty() => Some((*offset, &values[..])),
            _ => None,
        });
        if let Some(integers) = integers.collect::<Option<Vec<_>>>() {
            return Column::integers(weave(&integers, self.stride, 0));
        }
        let fields: Vec<_> =
            group.iter().map(|(offset, column)| (*offset, column.to_field())).collect();
        let fields: Vec<_> = fields.iter().map(|(offset, values)| (*offset, &values[..])).collect();
        Column::Field(weave(&fields, self.stride, Fr::ZERO))
    }
}

/// A column of the circuit for each group, and by index where each of the group lies.
fn strands<'a, C: ColumnType>(
    groups: impl Iterator<Item = &'a [usize]>,
    mut column: impl FnMut() -> CircuitColumn<C>,
) -> BTreeMap<usize, Strand<C>> {
    let of_group = |group: &'a [usize]| {
        let column = column();
        group.iter().enumerate().map(move |(offset, &index)| (index, Strand { column, offset }))
    };
    groups.flat_map(of_group).collect()
}

/// Every `stride`-th value from an offset on is the next one of the column with that offset.
fn weave<T: Copy>(columns: &[(usize, &[T])], stride: usize, zero: T) -> Vec<T> {
    let rows = columns.iter().map(|(_, values)| values.len()).max().unwrap_or(0);
    let mut woven = vec![zero; rows * stride];
    for &(offset, values) in columns {
        for (cell, &value) in woven.iter_mut().skip(offset).step_by(stride).zip(values) {
            *cell = value;
        }
    }
    woven
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_woven_column_holds_every_row_of_every_other_at_its_offset() {
        let columns: [&[i32]; 3] = [&[1, 2, 3], &[4, 5, 6], &[7, 8, 9]];
        let placed: Vec<_> = columns.into_iter().enumerate().collect();
        assert_eq!(weave(&placed, 4, 0), [1, 4, 7, 0, 2, 5, 8, 0, 3, 6, 9, 0]);
        assert_eq!(weave(&placed[1..2], 2, 0), [0, 4, 0, 5, 0, 6]);
        assert_eq!(weave::<i32>(&[], 2, 0), Vec::<i32>::new());
    }
}
