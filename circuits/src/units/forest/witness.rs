//! The cells of the forest unit.

use halo2_proofs::halo2curves::{
    bn256::Fr,
    ff::{BatchInvert, Field},
};

use super::{ForestUnit, rows::ForestRows};
use crate::{
    cells::{FieldCells, IntegerCells, Run},
    integers::{field, index},
    lookup::{FRACTIONS_PER_HELPER, entry::RANK_TAG},
    units::unit::Drawn,
};

impl ForestUnit {
    pub(super) fn assign_rows(&self, rows: &ForestRows, run: Run<'_>, cells: &mut IntegerCells) {
        let ranks = self.assign_ranks(rows, run, cells);
        let mut counts = vec![0i64; ranks.len()];
        for (first, depth, width, start) in rows.walks() {
            for (lane, start) in (0..self.lanes.len()).zip(start..) {
                let mut node = start;
                for row in first..first + depth {
                    let (next, compared) = self.assign_step(rows, &ranks, (lane, row, node), cells);
                    counts[compared] += 1;
                    node = next;
                }
                for (value, values) in rows.values[..width].iter().enumerate() {
                    let row = first + depth + value;
                    let at = usize::try_from(node).ok();
                    let value = at.and_then(|at| values.get(at)).copied().unwrap_or(0);
                    cells.set(self.lanes[lane].node, row, node);
                    cells.set(self.lanes[lane].entry, row, value);
                }
            }
        }
        for (row, count) in counts.into_iter().enumerate() {
            cells.set(self.ranking.multiplicity, row, count);
        }
    }

    /// The rank of each element.
    fn assign_ranks(&self, rows: &ForestRows, run: Run<'_>, cells: &mut IntegerCells) -> Vec<i64> {
        let ranking = &self.ranking;
        let mut ranks = Vec::with_capacity(rows.ranked.len());
        for (row, (ranked, element)) in rows.ranked.iter().zip(rows.elements()).enumerate() {
            let value = cells.copy(ranking.element, row, run.value(Some(element)));
            let rank = ranked.rank(value);
            let [lower, upper] = ranked.around(rank);
            let number = i64::from(index(rank));
            let size = i64::from(index(ranked.thresholds.len()));
            let counted = value - ranked.low;
            cells.set(ranking.rank, row, number);
            cells.set_limbs(&ranking.rank_limbs, row, number);
            cells.set_limbs(&ranking.rest_limbs, row, size - number);
            cells.set(ranking.bounds[0], row, lower);
            cells.set(ranking.bounds[1], row, upper);
            cells.set_limbs(&ranking.above_lower, row, counted - lower - 1);
            cells.set_limbs(&ranking.below_upper, row, upper - counted);
            ranks.push(number);
        }
        ranks
    }

    /// One step of a walk: the node after it, and the element that was compared.
    fn assign_step(
        &self,
        rows: &ForestRows,
        ranks: &[i64],
        (lane, row, node): (usize, usize, i64),
        cells: &mut IntegerCells,
    ) -> (i64, usize) {
        let lane = &self.lanes[lane];
        let entry = usize::try_from(node).ok().and_then(|node| rows.entries.get(node));
        let entry = entry.copied().unwrap_or(0);
        let (low, child) = (entry & ((1 << rows.value_bits) - 1), entry >> rows.value_bits);
        let threshold = low & ((1 << (rows.rank_bits + 1)) - 1);
        let element = usize::try_from(low >> (rows.rank_bits + 1)).unwrap_or(0);
        let rank = ranks[element];
        let direction = i64::from(rank > threshold);
        let distance = if direction == 0 { threshold - rank } else { rank - threshold - 1 };
        cells.set(lane.node, row, node);
        cells.set(lane.direction, row, direction);
        cells.set(lane.compared, row, rows.number(element) + rank);
        cells.set_limbs(&lane.distance, row, distance);
        cells.set(lane.entry, row, entry);
        (child + direction, element)
    }

    /// The helper columns, and what each row adds to the total.
    pub(super) fn fractions(
        &self,
        rows: &ForestRows,
        drawn: Drawn<'_>,
        cells: &mut FieldCells,
    ) -> Vec<Fr> {
        let count = rows.row_count();
        let challenges = drawn.challenges;
        let inverse = |value: i64| {
            let tagged = field(RANK_TAG) + field(value) * challenges.theta;
            challenges.pole - tagged * challenges.theta
        };
        let ranking = &self.ranking;
        // Numerators and denominators of all fractions, one list after the other.
        let fixed = drawn.fixed;
        let of_rank = (0..count).map(|row| {
            let on = fixed.get(ranking.q_row, row);
            let value = drawn.cells.get(ranking.rank, row) + fixed.get(ranking.number, row);
            (-on * drawn.cells.get(ranking.multiplicity, row), inverse(value))
        });
        let of_lanes = self.lanes.iter().flat_map(|lane| {
            (0..count).map(|row| {
                let value = drawn.cells.get(lane.compared, row);
                (fixed.get(self.q_step, row), inverse(value))
            })
        });
        let (numerators, mut inverses): (Vec<i64>, Vec<Fr>) = of_rank.chain(of_lanes).unzip();
        inverses.iter_mut().batch_invert();
        let fractions: Vec<Fr> = numerators
            .into_iter()
            .zip(inverses)
            .map(|(numerator, inverse)| field(numerator) * inverse)
            .collect();
        let mut sums = vec![Fr::ZERO; count];
        let lists: Vec<&[Fr]> = fractions.chunks(count.max(1)).collect();
        for (group, &helper) in lists.chunks(FRACTIONS_PER_HELPER).zip(&self.helpers) {
            let helped: Vec<Fr> =
                (0..count).map(|row| group.iter().map(|list| list[row]).sum()).collect();
            sums.iter_mut().zip(&helped).for_each(|(sum, helped)| *sum += helped);
            cells.fill(helper, &helped);
        }
        sums
    }
}
