//! The first phase: elements, their sums, what they are normalized with.

use zkinfer_models::quantized::{GroupStatistics, Normalize};

use super::{
    columns::{Check, NormalizeUnit},
    rows::{Group, NormalizeRows, size},
};
use crate::cells::{IntegerCells, Run};

pub(super) fn assign(
    unit: &NormalizeUnit,
    rows: &NormalizeRows,
    run: Run<'_>,
    cells: &mut IntegerCells,
) {
    for (row, sources) in rows.read_rows() {
        for (&element, &source) in unit.elements.iter().zip(sources) {
            cells.copy(element, row, run.value(source));
        }
    }
    for &group in &rows.groups {
        assign_group(unit, (rows, group), cells);
    }
}

/// What follows from the elements, be they lies.
fn assign_group(
    unit: &NormalizeUnit,
    (rows, group): (&NormalizeRows, Group),
    cells: &mut IntegerCells,
) {
    let op = &rows.ops[group.op].1;
    let reads = group.row..group.row + group.reads;
    let of_row = |cells: &IntegerCells, row: usize| -> Vec<i64> {
        unit.elements.iter().map(|element| cells.get(element.column(), row)).collect()
    };
    // Lanes without an element are 0 and change neither sum.
    let elements: Vec<i64> = reads.clone().flat_map(|row| of_row(cells, row)).collect();
    let found = op.statistics(&elements);
    let checks = Check::all(unit.mean.is_some());
    let (mut sum, mut squares) = (0, 0);
    for row in reads.start..reads.end + checks.len() {
        cells.set(unit.squares, row, squares);
        cells.set(unit.reciprocal, row, found.reciprocal);
        if let Some(mean) = &unit.mean {
            cells.set(mean.sum, row, sum);
            cells.set(mean.shift, row, found.shift);
        }
        if reads.contains(&row) {
            let elements = of_row(cells, row);
            squares += elements.iter().map(|x| x * x).sum::<i64>();
            sum += if op.is_centered { elements.iter().sum::<i64>() } else { 0 };
        }
    }
    let bits = unit.limbs.widths().iter().sum::<u32>();
    for (row, &check) in (reads.end..).zip(checks) {
        if matches!(check, Check::Low | Check::High) {
            cells.set(unit.variance, row, found.variance);
        }
        cells.set_limbs(&unit.limbs, row, value(op, check, found, bits));
    }
}

/// What a check says is made of limbs.
fn value(op: &Normalize, check: Check, found: GroupStatistics, bits: u32) -> i64 {
    let (root, variance) = (i128::from(found.reciprocal), i128::from(found.variance));
    let square = i128::from(op.numerator()) * i128::from(op.numerator());
    let rest = root * i128::from(found.sum) - i128::from(size(op)) * i128::from(found.shift);
    let value = match check {
        Check::Low => square - root * root * variance,
        Check::High => (root + 1) * (root + 1) * variance - 1 - square,
        Check::Root => root,
        Check::Mean => i128::from(found.shift) + (1 << bits.saturating_sub(1)),
        Check::Rest => rest,
        Check::Slack => i128::from(size(op)) - 1 - rest,
    };
    // What a lie has may be too large for any limbs.
    i64::try_from(value).unwrap_or(0)
}
