//! Prices that rise until a node takes the job.
//!
//! A ramp is part of the order, so nobody but the buyer says how the price rises, and whoever has the
//! order and the moment of a lease computes what the node gets: from `from` at `begins` to the order's
//! price at `ends`, in a straight line, rounded down. The moment is the coordinator's, which its log
//! says; the price of a lease does not change any more.

use crate::{encoding::Decimal, schema::wire};

wire! {
    /// A price that rises until a node takes the job.
    pub struct Ramp {
        /// The price until it begins to rise, at least 1.
        pub from: Decimal<u128>,
        /// When it begins to rise, in Unix seconds.
        pub begins: u64,
        /// When it has become the order's price, in Unix seconds.
        pub ends: u64,
    }
}

impl Ramp {
    /// The price at a moment in Unix seconds, of an order at `most`.
    #[must_use]
    pub fn price_at(&self, most: u128, now: u64) -> u128 {
        let Self { from: Decimal(from), begins, ends } = *self;
        let length = u128::from(ends.saturating_sub(begins));
        let passed = u128::from(now.saturating_sub(begins));
        if passed >= length {
            return most;
        }
        // No product is above 2¹²⁸: `passed` and the rest are below 2⁶⁴, as `length` is.
        let rise = most.saturating_sub(from);
        let risen = rise / length * passed + rise % length * passed / length;
        from.saturating_add(risen)
    }

    /// Whether an order at `most` with this deadline can have it.
    #[must_use]
    pub fn is_possible(&self, most: u128, deadline: u64) -> bool {
        let Self { from: Decimal(from), begins, ends } = *self;
        (1..=most).contains(&from) && begins < ends && ends <= deadline
    }
}

/// What a node gets for a job, by the moment of its lease.
#[derive(Clone, Debug, PartialEq)]
pub struct Prices {
    /// The highest.
    pub most: u128,
    /// How it rises to that, if it does.
    pub ramp: Option<Ramp>,
}

impl Prices {
    /// The price at a moment in Unix seconds.
    #[must_use]
    pub fn at(&self, now: u64) -> u128 {
        self.ramp.as_ref().map_or(self.most, |ramp| ramp.price_at(self.most, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_rises_from_its_beginning_to_its_end_and_stays() {
        let ramp = Ramp { from: Decimal(10), begins: 100, ends: 103 };
        let prices = [0, 100, 101, 102, 103, u64::MAX].map(|now| ramp.price_at(20, now));
        assert_eq!(prices, [10, 10, 13, 16, 20, 20]);
        let most = u128::MAX;
        let ramp = Ramp { from: Decimal(1), begins: 0, ends: u64::MAX };
        assert_eq!(ramp.price_at(most, u64::MAX), most);
        let before = ramp.price_at(most, u64::MAX - 1);
        assert!(before < most && before > most - (1 << 65), "{before}");
        let half = ramp.price_at(most, u64::MAX / 2);
        assert!(half.abs_diff(most / 2) < 1 << 66, "{half}");
    }

    #[test]
    fn a_ramp_rises_within_the_order() {
        let ramp = |from, begins, ends| Ramp { from: Decimal(from), begins, ends };
        assert!(ramp(20, 1, 50).is_possible(20, 50), "a price that stays is one");
        let none = [(0, 1, 50), (21, 1, 50), (10, 1, 51), (10, 50, 50), (10, 51, 50)];
        for (from, begins, ends) in none {
            assert!(!ramp(from, begins, ends).is_possible(20, 50), "{from} {begins} {ends}");
        }
    }
}
