//! The gates of the forest unit.

use halo2_proofs::{halo2curves::bn256::Fr, plonk::Expression};

use super::{ForestUnit, Lane};
use crate::{
    algebra::{Gates, Row, integer, power_of_two},
    challenges::Challenges,
    integers::int,
    lookup::{FRACTIONS_PER_HELPER, entry::RANK_TAG},
};

impl ForestUnit {
    pub(super) fn create_gates(&self, gates: &mut Gates<'_>) {
        self.ranks(gates);
        for (number, lane) in self.lanes.iter().enumerate() {
            self.walk(number, lane, gates);
        }
        self.fraction_gates(gates);
    }

    fn ranks(&self, gates: &mut Gates<'_>) {
        let ranking = &self.ranking;
        gates.create("forest rank", |row| {
            let q = row.fixed(ranking.q_row);
            let rank = row.cur(ranking.rank);
            let rest = row.fixed(ranking.size) - rank.clone();
            let element = row.cur(ranking.element.column()) - row.fixed(ranking.low);
            let [lower, upper] = ranking.bounds.map(|bound| row.cur(bound));
            let above = element.clone() - lower - integer(1);
            let below = upper - element;
            [
                ("r = limbs", q.clone() * (rank - row.limbs(&ranking.rank_limbs))),
                ("size − r = limbs", q.clone() * (rest - row.limbs(&ranking.rest_limbs))),
                ("x − lower − 1 = limbs", q.clone() * (above - row.limbs(&ranking.above_lower))),
                ("upper − x = limbs", q * (below - row.limbs(&ranking.below_upper))),
            ]
        });
    }

    fn walk(&self, number: usize, lane: &Lane, gates: &mut Gates<'_>) {
        gates.create("forest walk", |row| {
            let (step, hold) = (row.fixed(self.q_step), row.fixed(self.q_hold));
            let direction = row.cur(lane.direction);
            let distance = row.limbs(&lane.distance);
            let (node, next) = (row.cur(lane.node), row.next(lane.node));
            let beyond = direction.clone() * (distance.clone() * integer(2) + integer(1));
            let child = next.clone() - direction.clone();
            let entry =
                row.cur(lane.compared) + distance - beyond + child * power_of_two(self.value_bits);
            let entry = row.cur(lane.entry) - entry;
            let first = row.fixed(self.start) + integer(i64::from(int(number)));
            let started = row.fixed(self.q_start) * (node.clone() - first);
            let choice = direction.clone() * (direction - integer(1));
            [
                ("d is 0 or 1", step.clone() * choice),
                ("W = c + distance − d·(2·distance + 1) + 2^S·(next − d)", step * entry),
                ("next = node", hold * (next - node)),
                ("the walk begins at its root", started),
            ]
        });
    }

    /// Each helper is the sum of up to three fractions.
    fn fraction_gates(&self, gates: &mut Gates<'_>) {
        let fractions: Vec<_> = std::iter::once(None).chain(self.lanes.iter().map(Some)).collect();
        let groups = fractions.chunks(FRACTIONS_PER_HELPER).zip(self.helpers.iter().copied());
        gates.fractions("forest fractions", groups, |row, lane| self.ratio(row, lane));
    }

    /// `1/(pole − c)` of a step of a lane, or `−m/(pole − f·F − r)` of a rank.
    fn ratio(
        &self,
        row: &mut Row<'_, '_>,
        lane: Option<&Lane>,
    ) -> (Expression<Fr>, Expression<Fr>) {
        let Challenges { theta, pole, .. } = row.challenges();
        let (numerator, value) = match lane {
            Some(lane) => (row.fixed(self.q_step), row.cur(lane.compared)),
            None => {
                let number = row.fixed(self.ranking.number);
                let counted = row.fixed(self.ranking.q_row) * row.cur(self.ranking.multiplicity);
                (-counted, row.cur(self.ranking.rank) + number)
            }
        };
        (numerator, pole - (integer(RANK_TAG) + value * theta.clone()) * theta)
    }
}
