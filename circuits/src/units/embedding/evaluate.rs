//! The second phase: the chain, and the fractions of the lookup.

use halo2_proofs::halo2curves::{
    bn256::Fr,
    ff::{BatchInvert, Field},
};

use super::{EmbeddingUnit, rows::EmbeddingRows, tag};
use crate::{
    cells::FieldCells,
    chain::Step,
    integers::{field, power_of_two},
    lookup::FRACTIONS_PER_HELPER,
    units::unit::Drawn,
};

impl EmbeddingUnit {
    /// Evaluates the integers of the first phase, whatever they are: the chain, the helpers, and
    /// what each row adds to the total.
    pub(super) fn evaluate(
        &self,
        rows: &EmbeddingRows,
        drawn: Drawn<'_>,
        cells: &mut FieldCells,
    ) -> Vec<Fr> {
        let base = power_of_two(self.bits);
        let digits = |row: usize| {
            let low = drawn.fixed.get(self.low, row);
            let digit = |lane: &super::Lane| match lane.limbs.is_empty() {
                true => drawn.cells.get(lane.element, row) - low,
                false => drawn.cells.joined(&lane.limbs, row),
            };
            let digits = self.lanes.iter().rev().map(digit);
            digits.fold(Fr::ZERO, |sum, digit| sum * base + field(digit))
        };
        let steps = rows.lines.iter().enumerate();
        let steps = steps.map(|(row, line): (usize, _)| -> (Step, Fr) { (line.step, digits(row)) });
        let values = self.chain.factors(&drawn.challenges.lattice).chain(steps, drawn.last + 1);
        cells.fill(self.chain.weight, &values);
        self.fractions(rows, drawn, &values, cells)
    }

    fn fractions(
        &self,
        rows: &EmbeddingRows,
        drawn: Drawn<'_>,
        values: &[Fr],
        cells: &mut FieldCells,
    ) -> Vec<Fr> {
        let challenges = drawn.challenges;
        let denominator = |key: i64, tag: i64, value: Fr| {
            let tagged = field(tag) + value * challenges.theta;
            challenges.pole - field(key) - tagged * challenges.theta
        };
        // Column of fractions, row, numerator; all others are 0.
        let mut found = Vec::new();
        let mut inverses = Vec::new();
        for (row, line) in rows.lines.iter().enumerate() {
            let Some((table, _)) = line.whole else { continue };
            let chosen = drawn.cells.get(self.index.column(), row);
            found.push((0, row, Fr::ONE));
            inverses.push(denominator(chosen, tag(table), values[row]));
        }
        for (row, words) in rows.words().enumerate() {
            for (number, lane) in self.lanes.iter().enumerate() {
                let count = drawn.cells.get(lane.multiplicity, row);
                if count == 0 {
                    continue;
                }
                let packs = rows.packs(words, number).into_iter().rev();
                let packed =
                    packs.fold(Fr::ZERO, |sum, pack| sum * challenges.lattice.channel + pack);
                let key = drawn.fixed.get(self.first, row)
                    + words.step * i64::try_from(number).unwrap_or(0);
                found.push((number + 1, row, -field(count)));
                inverses.push(denominator(key, tag(words.table), packed));
            }
        }
        inverses.iter_mut().batch_invert();
        let count = rows.row_count();
        let mut helpers = vec![vec![Fr::ZERO; count]; self.helpers.len()];
        let mut sums = vec![Fr::ZERO; count];
        for ((column, row, numerator), inverse) in found.into_iter().zip(inverses) {
            let fraction = numerator * inverse;
            helpers[column / FRACTIONS_PER_HELPER][row] += fraction;
            sums[row] += fraction;
        }
        for (&column, helper) in self.helpers.iter().zip(&helpers) {
            cells.fill(column, helper);
        }
        sums
    }
}
