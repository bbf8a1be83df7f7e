//! The gates of the embedding unit.

use halo2_proofs::{halo2curves::bn256::Fr, plonk::Expression};

use super::{EmbeddingUnit, Lane};
use crate::{
    algebra::{Gates, Row, horner, integer, power_of_two},
    challenges::Challenges,
    integers::int,
    lookup::FRACTIONS_PER_HELPER,
};

impl EmbeddingUnit {
    pub(super) fn create_gates(&self, gates: &mut Gates<'_>) {
        self.elements(gates);
        self.evaluation(gates);
        self.fraction_gates(gates);
    }

    /// A lane's element, counted from the low end.
    fn counted(&self, lane: &Lane, row: &mut Row<'_, '_>) -> Expression<Fr> {
        row.cur(lane.element) - row.fixed(self.low)
    }

    fn digit(&self, lane: &Lane, row: &mut Row<'_, '_>) -> Expression<Fr> {
        match lane.limbs.is_empty() {
            true => self.counted(lane, row),
            false => row.limbs(&lane.limbs),
        }
    }

    fn elements(&self, gates: &mut Gates<'_>) {
        for lane in self.lanes.iter().filter(|lane| !lane.limbs.is_empty()) {
            gates.create("embedded element", |row| {
                let difference = self.counted(lane, row) - row.limbs(&lane.limbs);
                [("x − low = limbs", row.on() * difference)]
            });
        }
    }

    fn evaluation(&self, gates: &mut Gates<'_>) {
        gates.create("embedding evaluation", |row| {
            let digits = self.lanes.iter().map(|lane| self.digit(lane, row)).collect();
            let read = horner(digits, &power_of_two(self.bits));
            let step = self.chain.step(row, |_, challenge| challenge);
            let (current, following) = (row.cur(self.chain.weight), row.next(self.chain.weight));
            let identity = step.denominator * (following - read) - step.numerator * current;
            [("den·(f' − digits) = num·f", identity)]
        });
    }

    /// Each helper is the sum of up to three fractions.
    fn fraction_gates(&self, gates: &mut Gates<'_>) {
        let words = (0..self.lanes.len()).map(Some);
        let fractions: Vec<_> = std::iter::once(None).chain(words).collect();
        let groups = fractions.chunks(FRACTIONS_PER_HELPER).zip(self.helpers.iter().copied());
        gates.fractions("embedding fractions", groups, |row, word| self.ratio(row, word));
    }

    /// `1/(pole − index − θ·tag − θ²·f)` of a whole row that was stated, or
    /// `−m/(pole − v − θ·tag − θ²·Σ α^k·W_k)` of a row of the table.
    fn ratio(
        &self,
        row: &mut Row<'_, '_>,
        word: Option<usize>,
    ) -> (Expression<Fr>, Expression<Fr>) {
        let Challenges { theta, pole, lattice, .. } = row.challenges();
        let (numerator, key, tag, value) = match word {
            None => {
                let evaluated = row.cur(self.chain.weight);
                let chosen = row.cur(self.index.column());
                (row.fixed(self.q_whole), chosen, row.fixed(self.tag), evaluated)
            }
            Some(number) => {
                let lane = &self.lanes[number];
                let packs = lane.packs.iter().map(|&pack| row.fixed(pack)).collect();
                let place = row.fixed(self.step) * integer(int(number).into());
                let counted = row.fixed(self.q_table) * row.cur(lane.multiplicity);
                let key = row.fixed(self.first) + place;
                (-counted, key, row.fixed(self.table_tag), horner(packs, &lattice.channel))
            }
        };
        (numerator, pole - key - (tag + value * theta.clone()) * theta)
    }
}
