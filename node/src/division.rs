//! How a model is cut into parts, and how the price of an order is.
//!
//! A proof takes as long as it has columns, as all parts have circuits of as many rows; and a proof is
//! as long as it has columns. So a part's share of a price goes by the length of a proof under its key:
//! whoever has the keys computes it, and the manifest binds these.

use zkinfer::verifier::{Manifest, VerifyingKey};

use crate::{
    encoding::Decimal,
    ramp::{Prices, Ramp},
};

/// A model in parts, and what each part weighs in the price of all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Division {
    manifest: Manifest,
    weights: Vec<u32>,
}

impl Division {
    /// That of a manifest whose parts weigh so much; one that is missing weighs nothing.
    #[must_use]
    pub fn new(manifest: Manifest, weights: impl IntoIterator<Item = u32>) -> Self {
        let mut weights: Vec<u32> = weights.into_iter().collect();
        weights.resize(manifest.parts.len(), 0);
        Self { manifest, weights }
    }

    /// That of a manifest and its keys: a part weighs as many bytes as a proof of it has.
    #[must_use]
    pub fn of_keys<'a>(
        manifest: Manifest,
        keys: impl IntoIterator<Item = &'a VerifyingKey>,
    ) -> Self {
        let weight = |key: &VerifyingKey| u32::try_from(key.proof_len()).unwrap_or(u32::MAX);
        Self::new(manifest, keys.into_iter().map(weight))
    }

    /// The parts in their order.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// How many parts there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.manifest.parts.len()
    }

    /// What each part gets of an amount, all of which is given out: 1, and of the rest in proportion to
    /// its weight, rounded down; what that leaves goes to the first parts, 1 to each. `None` of an
    /// amount that is less than 1 for each.
    #[must_use]
    pub fn shares(&self, amount: u128) -> Option<Vec<u128>> {
        let count = u128::try_from(self.count()).ok()?;
        let rest = amount.checked_sub(count)?;
        let all = self.weights.iter().map(|weight| u128::from(*weight)).sum::<u128>().max(1);
        // No product is above 2¹²⁸: the second is below the square of `all`, which is below 2⁴².
        let share = |weight: &u32| {
            let weight = u128::from(*weight);
            1 + rest / all * weight + rest % all * weight / all
        };
        let mut shares: Vec<u128> = self.weights.iter().map(share).collect();
        let mut left = amount.checked_sub(shares.iter().sum())?;
        // Less than one for each, but where nothing weighs anything.
        while left > 0 {
            for share in &mut shares {
                let more = u128::from(left > 0);
                (*share, left) = (*share + more, left - more);
            }
        }
        Some(shares)
    }

    /// What a part gets, by the moment of its lease, where all together get `whole`. `None` where that
    /// is ever less than 1 for each.
    #[must_use]
    pub fn prices(&self, whole: &Prices, index: usize) -> Option<Prices> {
        let share = |amount| self.shares(amount)?.get(index).copied();
        let most = share(whole.most)?;
        let ramp = match &whole.ramp {
            None => None,
            Some(Ramp { from, begins, ends }) => {
                // What rounding leaves of the lower price may go to more parts than of the higher one.
                let from = Decimal(share(from.0)?.min(most));
                Some(Ramp { from, begins: *begins, ends: *ends })
            }
        };
        Some(Prices { most, ramp })
    }
}

#[cfg(test)]
mod tests {
    use zkinfer::verifier::{Digest, KeyDigest};

    use super::*;

    fn division(weights: &[u32]) -> Division {
        let parts = weights.iter().map(|_| KeyDigest(Digest([1; 32]))).collect();
        Division::new(Manifest { model: Digest([2; 32]), parts }, weights.iter().copied())
    }

    #[test]
    fn shares_are_whole_and_sum_to_the_amount() {
        let of = |weights: &[u32], amount| division(weights).shares(amount);
        assert_eq!(of(&[1, 1, 1, 1], 40), Some(vec![10; 4]));
        assert_eq!(of(&[1, 2, 3, 4], 14), Some(vec![2, 3, 4, 5]));
        // What is left over goes to the first.
        assert_eq!(of(&[1, 1, 1], 11), Some(vec![4, 4, 3]));
        assert_eq!(of(&[0, 5], 10), Some(vec![1, 9]), "nobody works for nothing");
        assert_eq!(of(&[0, 0, 0], 7), Some(vec![3, 2, 2]));
        assert_eq!((of(&[1, 1], 1), of(&[1, 1], 2)), (None, Some(vec![1, 1])));
        for amount in [5, 99, 1 << 64, u128::MAX - 1, u128::MAX] {
            let shares = of(&[u32::MAX, 1, 77, u32::MAX], amount).unwrap();
            assert_eq!(shares.iter().sum::<u128>(), amount, "{shares:?}");
            assert!(shares.iter().all(|share| *share > 0));
        }
    }

    #[test]
    fn a_part_rises_with_the_whole_and_never_above_its_share() {
        let division = division(&[3, 5, 7]);
        for from in 3..60 {
            let ramp = Some(Ramp { from: Decimal(from), begins: 100, ends: 150 });
            let whole = Prices { most: 60, ramp };
            let parts: Vec<Prices> =
                (0..3).map(|index| division.prices(&whole, index).unwrap()).collect();
            for now in 99..=151 {
                let all: u128 = parts.iter().map(|part| part.at(now)).sum();
                assert!(all <= whole.at(now) && all + 6 > whole.at(now), "{from} {now}");
                assert!(parts.iter().all(|part| part.at(now) <= part.most && part.at(now) > 0));
            }
            assert_eq!(parts.iter().map(|part| part.at(150)).sum::<u128>(), 60);
        }
        let low = Prices { most: 60, ramp: Some(Ramp { from: Decimal(2), begins: 1, ends: 2 }) };
        assert_eq!(division.prices(&low, 0), None);
        assert_eq!(division.prices(&Prices { most: 60, ramp: None }, 3), None);
    }
}
