//! Weight chains: columns whose next cell is the current one times a monomial of challenges.
//!
//! A chain never needs a large power. The weights of a layer form a lattice
//! `α^channel · σ^row · ρ^column`, and every layout visits it in steps to a near neighbour
//! (boustrophedon order), so a gate needs only a few low-degree monomials, shared by all layers.
//! A negative exponent is multiplied onto the other side: `den · next = num · current`. Channels
//! that share a power of α are told apart by a power of two, a constant (the packing of slots).

use halo2_proofs::{
    halo2curves::{
        bn256::Fr,
        ff::{Field, PrimeField},
    },
    plonk::Expression,
};

/// Steps of at most this many rows or columns of the lattice are one monomial.
pub(crate) const MAX_STEP: i32 = 16;

/// `2^doublings · α^channel · σ^row · ρ^column`, exponents of either sign.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Monomial {
    /// Exponent of the constant 2.
    pub doublings: i32,
    /// Exponent of the channel challenge α.
    pub channel: i32,
    /// Exponent of the row challenge σ.
    pub row: i32,
    /// Exponent of the column challenge ρ.
    pub column: i32,
}

/// The three lattice challenges, as field elements or as expressions.
#[derive(Clone, Debug)]
pub(crate) struct Lattice<T> {
    pub(crate) channel: T,
    pub(crate) row: T,
    pub(crate) column: T,
}

impl Monomial {
    /// The empty product.
    pub const ONE: Self = Self { doublings: 0, channel: 0, row: 0, column: 0 };

    pub(crate) const fn new(channel: i32, row: i32, column: i32) -> Self {
        Self { doublings: 0, channel, row, column }
    }

    /// Numerator and denominator, both with exponents of challenges ≥ 0; the constant, which has
    /// an inverse, is the numerator's.
    pub(crate) fn split(self) -> (Self, Self) {
        let positive = |m: Self| Self::new(m.channel.max(0), m.row.max(0), m.column.max(0));
        let negated = Self::new(-self.channel, -self.row, -self.column);
        (Self { doublings: self.doublings, ..positive(self) }, positive(negated))
    }

    fn constant(self) -> Fr {
        let base = if self.doublings < 0 { Fr::TWO_INV } else { Fr::ONE.double() };
        base.pow_vartime([u64::from(self.doublings.unsigned_abs())])
    }

    /// The product of challenges over a commutative ring; exponents must be ≥ 0.
    fn product<T: Clone + std::ops::Mul<Output = T>>(self, base: &Lattice<T>, one: T) -> T {
        let factors =
            [(&base.channel, self.channel), (&base.row, self.row), (&base.column, self.column)];
        factors
            .into_iter()
            .fold(one, |acc, (base, exponent)| (0..exponent).fold(acc, |acc, _| acc * base.clone()))
    }

    /// The value at the given challenges.
    pub(crate) fn evaluate(self, base: &Lattice<Fr>) -> Fr {
        self.product(base, self.constant())
    }

    /// The monomial as a constant expression of challenges.
    pub(crate) fn expression(self, base: &Lattice<Expression<Fr>>) -> Expression<Fr> {
        let constant = Expression::Constant(self.constant());
        if self.doublings != 0 {
            let rest = Self { doublings: 0, ..self };
            return if rest == Self::ONE { constant } else { rest.expression(base) * constant };
        }
        if self == Self::ONE {
            return constant;
        }
        // Starting from a challenge and not from 1 keeps the tree minimal.
        let (first, rest) = if self.channel > 0 {
            (&base.channel, Self { channel: self.channel - 1, ..self })
        } else if self.row > 0 {
            (&base.row, Self { row: self.row - 1, ..self })
        } else {
            (&base.column, Self { column: self.column - 1, ..self })
        };
        rest.product(base, first.clone())
    }
}

/// What a row does to its chain: an index into the [`StepSet`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Step {
    /// 0 drops the current value; `j + 1` takes move `j`.
    pub(crate) taken: usize,
    /// Whether the move is taken backwards.
    pub(crate) is_back: bool,
}

/// A move of a chain: forth it multiplies by `up / down`, back by `down / up`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Move {
    pub(crate) up: Monomial,
    pub(crate) down: Monomial,
    /// Whether some row takes it backwards.
    pub(crate) goes_back: bool,
}

/// The distinct moves of one chain; each has a fixed selector column, and all share one that says
/// which way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct StepSet {
    pub(crate) moves: Vec<Move>,
}

impl StepSet {
    /// The step that multiplies by `monomial`, added to the set when neither it nor its way back is
    /// in it.
    pub(crate) fn step(&mut self, monomial: Monomial) -> Step {
        let (up, down) = monomial.split();
        if let Some(forth) = self.moves.iter().position(|m| (m.up, m.down) == (up, down)) {
            return Step { taken: forth + 1, is_back: false };
        }
        if let Some(back) = self.moves.iter().position(|m| (m.up, m.down) == (down, up)) {
            self.moves[back].goes_back = true;
            return Step { taken: back + 1, is_back: true };
        }
        self.moves.push(Move { up, down, goes_back: false });
        Step { taken: self.moves.len(), is_back: false }
    }

    /// Whether some row takes a move backwards.
    pub(crate) fn goes_back(&self) -> bool {
        self.moves.iter().any(|m| m.goes_back)
    }
}

/// Breaks a move on the lattice into steps along one dimension each, of a power of two of rows or
/// columns up to [`MAX_STEP`], of `lanes` of them or of one `chunk` of channels, so that few
/// distinct monomials serve all moves; empty when there is nothing to move.
pub(crate) fn walk(delta: Monomial, chunk: i32, lanes: i32) -> Vec<Monomial> {
    let channels = pieces(delta.channel, |rest| rest.min(chunk));
    let power = |rest: i32| if rest == lanes { rest } else { (1 << rest.ilog2()).min(MAX_STEP) };
    let rows = pieces(delta.row, power).into_iter().map(|row| Monomial::new(0, row, 0));
    let columns = pieces(delta.column, power).into_iter().map(|c| Monomial::new(0, 0, c));
    let channels = channels.into_iter().map(|channel| Monomial::new(channel, 0, 0));
    channels.chain(rows).chain(columns).collect()
}

/// Splits a signed distance into pieces of its sign; `piece` says how much of the rest to take.
fn pieces(distance: i32, piece: impl Fn(i32) -> i32) -> Vec<i32> {
    let mut rest = distance.abs();
    let mut pieces = Vec::new();
    while rest > 0 {
        let taken = piece(rest);
        pieces.push(taken * distance.signum());
        rest -= taken;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_ends_where_it_was_sent() {
        let delta = Monomial::new(-48, 21, -3);
        let steps = walk(delta, 24, 5);
        let sum = steps.iter().fold(Monomial::ONE, |a, s| {
            Monomial::new(a.channel + s.channel, a.row + s.row, a.column + s.column)
        });
        assert_eq!(sum, delta);
        assert!(steps.iter().all(|s| s.row.abs() <= MAX_STEP && s.channel.abs() <= 24));
        assert!(walk(Monomial::ONE, 24, 5).is_empty());
        assert_eq!(walk(Monomial::new(0, 0, -7), 24, 7), [Monomial::new(0, 0, -7)]);
    }

    #[test]
    fn a_move_and_its_way_back_share_a_selector() {
        let mut set = StepSet::default();
        let moves = [
            Monomial::new(0, 0, 2),
            Monomial::new(0, 0, -2),
            Monomial::ONE,
            Monomial::new(0, 1, -9),
            Monomial::new(0, -1, 9),
            Monomial { doublings: 52, ..Monomial::ONE },
            Monomial { doublings: -52, ..Monomial::ONE },
        ];
        let steps = moves.map(|monomial| set.step(monomial));
        assert_eq!(steps.map(|step| step.taken), [1, 1, 2, 3, 3, 4, 5]);
        assert_eq!(steps.map(|step| step.is_back), [false, true, false, false, true, false, false]);
        let base = Lattice { channel: Fr::from(3), row: Fr::from(5), column: Fr::from(7) };
        for (step, monomial) in steps.into_iter().zip(moves) {
            let Move { up, down, .. } = set.moves[step.taken - 1];
            let (up, down) = if step.is_back { (down, up) } else { (up, down) };
            let (numerator, denominator) = monomial.split();
            let [up, down, numerator, denominator] =
                [up, down, numerator, denominator].map(|monomial| monomial.evaluate(&base));
            assert_eq!(up * denominator, down * numerator);
        }
    }

    #[test]
    fn split_has_no_negative_exponent() {
        let (numerator, denominator) = Monomial::new(2, -3, 0).split();
        assert_eq!(numerator, Monomial::new(2, 0, 0));
        assert_eq!(denominator, Monomial::new(0, 3, 0));
    }

    #[test]
    fn constants_stay_in_the_numerator_and_multiply() {
        let base = Lattice { channel: Fr::from(3), row: Fr::from(5), column: Fr::from(7) };
        let step = Monomial { doublings: -40, ..Monomial::new(1, -2, 0) };
        let (numerator, denominator) = step.split();
        assert_eq!(numerator, Monomial { doublings: -40, ..Monomial::new(1, 0, 0) });
        assert_eq!(denominator, Monomial::new(0, 2, 0));
        assert_eq!(numerator.evaluate(&base) * Fr::from(1 << 40), Fr::from(3));
        let back = Monomial { doublings: 40, ..Monomial::ONE };
        assert_eq!(back.evaluate(&base), Fr::from(1 << 40));
    }
}
