//! Output channels that share a power of the channel challenge, as digits of one integer.
//!
//! A layer's accumulators are integers of a known size, far smaller than the field. So the
//! linear check weighs channel `o` with `α^pack · B^digit`, `B = 2^digit_bits` a constant, and
//! the weights of a pack's channels for one input are one cell, `Σ B^digit · weight`.
//! Wide layers, with one channel to a row of slots, have a larger base than the others.
//!
//! This loses nothing: the error of a pack is `Σ B^digit · δ`, `δ` what an output's accumulator
//! is off by. Every `|δ| < B` (see [`super::format::RowFormat`]), so the sum is 0 only if every
//! `δ` is: the lowest digit that is not 0 would have to be a multiple of `B`. And it is below
//! `B^size ≤ 2^252 < p/2` in magnitude, so a sum that is 0 in the field is 0.

use std::ops::Range;

use halo2_proofs::halo2curves::bn256::Fr;

use crate::{
    chain::Monomial,
    integers::{from_limbs, int},
};

/// Bits of the words that elements are put together from.
const LIMB_BITS: usize = 64;
/// Bits of a pack: integers below `2^PACK_BITS` in magnitude differ in the field.
const PACK_BITS: u32 = 252;

/// How a layer's channels are packed. Those of one row of slots make *runs* of equal length; a
/// pack holds one run or several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Packing {
    /// log2 of the base `B`.
    pub(crate) digit_bits: u32,
    /// Channels to a row of slots.
    lanes: usize,
    /// Channels to a run: all lanes where they fit into a pack.
    pub(crate) run: usize,
    runs_to_pack: usize,
}

impl Default for Packing {
    fn default() -> Self {
        Self::new(PACK_BITS, 1)
    }
}

impl Packing {
    /// Packs as many digits of `digit_bits` bits as fit, of `lanes` channels to a row of slots.
    pub(crate) fn new(digit_bits: u32, lanes: usize) -> Self {
        let capacity = (PACK_BITS / digit_bits.max(1)).max(1) as usize;
        let lanes = lanes.max(1);
        let run = lanes.div_ceil(lanes.div_ceil(capacity));
        let runs_to_pack = if run == lanes { (capacity / lanes).max(1) } else { 1 };
        Self { digit_bits, lanes, run, runs_to_pack }
    }

    /// Channels that a pack has room for.
    pub(crate) fn size(&self) -> usize {
        self.run * self.runs_to_pack
    }

    fn runs_to_row(&self) -> usize {
        self.lanes.div_ceil(self.run)
    }

    /// The pack of a channel and its digit there.
    pub(crate) fn place(&self, channel: usize) -> (usize, usize) {
        let (block, lane) = (channel / self.lanes, channel % self.lanes);
        let run = block * self.runs_to_row() + lane / self.run;
        (run / self.runs_to_pack, run % self.runs_to_pack * self.run + lane % self.run)
    }

    /// The channel at a place, if there is one.
    pub(crate) fn channel(&self, pack: usize, digit: usize) -> Option<usize> {
        let run = pack * self.runs_to_pack + digit / self.run;
        let (block, run) = (run / self.runs_to_row(), run % self.runs_to_row());
        let lane = run * self.run + digit % self.run;
        (lane < self.lanes).then(|| block * self.lanes + lane)
    }

    /// How many channels from this one on have the digits that follow its own, itself included.
    pub(crate) fn neighbours(&self, channel: usize) -> usize {
        let (_, digit) = self.place(channel);
        // The last run of a row may be shorter; a pack of several runs has those of several rows.
        let in_row = self.lanes - channel % self.lanes;
        let in_pack = self.size() - digit;
        if self.runs_to_pack == 1 { in_pack.min(in_row) } else { in_pack }
    }

    /// The first channels in runs that have neighbouring digits, of at most `lanes` channels.
    pub(crate) fn runs(&self, channels: usize, lanes: usize) -> Vec<Range<usize>> {
        let mut runs = Vec::new();
        let mut start = 0;
        while start < channels {
            let end = channels.min(start + self.neighbours(start).min(lanes));
            runs.push(start..end);
            start = end;
        }
        runs
    }

    /// Channels in blocks of at most `most`: digits that follow each other in one pack, or whole packs
    /// one after another.
    pub(crate) fn blocks(&self, channels: usize, most: usize) -> Vec<Range<usize>> {
        let mut blocks = Vec::new();
        let mut start = 0;
        while start < channels {
            let (pack, digit) = self.place(start);
            let mut end = start + self.neighbours(start).min(most);
            let is_whole = |end: usize| digit == 0 && (end - start).is_multiple_of(self.size());
            let follows = |end: usize| self.place(end) == (pack + (end - start) / self.size(), 0);
            while is_whole(end) && follows(end) && end + self.neighbours(end) <= start + most {
                end += self.neighbours(end);
            }
            blocks.push(start..end.min(channels));
            start = end;
        }
        blocks
    }

    /// `Σ B^digit · weight`.
    pub(crate) fn pack(&self, weights: impl Iterator<Item = i32>) -> Fr {
        let mut limbs = [0_i128; 4];
        for (bit, weight) in (0..).step_by(self.digit_bits as usize).zip(weights) {
            limbs[bit / LIMB_BITS] += i128::from(weight) << (bit % LIMB_BITS);
        }
        from_limbs(limbs)
    }

    /// The move from the weight of one channel to that of another.
    pub(crate) fn step(&self, from: usize, to: usize) -> Monomial {
        let [from, to] = [from, to].map(|channel| self.place(channel));
        let difference = |from: usize, to: usize| int(to) - int(from);
        Monomial {
            channel: difference(from.0, to.0),
            doublings: difference(from.1, to.1) * self.digit_bits.cast_signed(),
            ..Monomial::ONE
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use halo2_proofs::halo2curves::ff::Field;

    use super::*;
    use crate::integers::field;

    #[test]
    fn every_channel_has_a_place_of_its_own() {
        for digit_bits in [20, 26, 33, 64, 130] {
            for lanes in 1..40 {
                let packing = Packing::new(digit_bits, lanes);
                let bits = packing.digit_bits as usize * packing.size();
                assert!(bits <= PACK_BITS as usize && packing.run <= packing.size());
                let places: Vec<_> = (0..200).map(|channel| packing.place(channel)).collect();
                assert_eq!(places.iter().collect::<HashSet<_>>().len(), places.len());
                for (channel, &(pack, digit)) in places.iter().enumerate() {
                    assert!(digit < packing.size());
                    assert_eq!(packing.channel(pack, digit), Some(channel));
                }
            }
        }
    }

    #[test]
    fn the_lanes_of_a_run_are_neighbouring_digits_of_one_pack() {
        let packing = Packing::new(30, 12);
        assert_eq!((packing.run, packing.size()), (6, 6));
        let packing = Packing::new(30, 4);
        assert_eq!((packing.run, packing.size()), (4, 8));
        for channel in (0..400).filter(|channel| (channel + 1) % packing.run != 0) {
            let step = Monomial { doublings: 30, ..Monomial::ONE };
            assert_eq!(packing.step(channel, channel + 1), step);
        }
    }

    #[test]
    fn blocks_are_digits_of_one_pack_or_whole_packs() {
        for digit_bits in [26, 33, 64, 130] {
            for (lanes, most) in (1..30).flat_map(|lanes| (1..30).map(move |most| (lanes, most))) {
                let packing = Packing::new(digit_bits, lanes);
                let blocks = packing.blocks(100, most);
                assert_eq!(
                    blocks.iter().cloned().flatten().collect::<Vec<_>>(),
                    Vec::from_iter(0..100)
                );
                for block in blocks {
                    let (pack, digit) = packing.place(block.start);
                    assert!((1..=most).contains(&block.len()));
                    assert!(digit == 0 || digit + block.len() <= packing.size());
                    for (place, channel) in block.enumerate() {
                        let at = digit + place;
                        let expected = (pack + at / packing.size(), at % packing.size());
                        assert_eq!(packing.place(channel), expected);
                    }
                }
            }
        }
    }

    #[test]
    fn a_pack_is_the_sum_of_its_digits() {
        let weights = [i32::MAX, -1, 0, i32::MIN, 7, -127, 1, 3];
        for digit_bits in [25, 31, 40] {
            let base = Fr::from(1 << digit_bits);
            let packing = Packing::new(digit_bits, 2);
            for size in 0..=packing.size().min(weights.len()) {
                let digits = weights[..size].iter();
                let sum = digits.clone().rev().fold(Fr::ZERO, |s, &w| s * base + field(w.into()));
                assert_eq!(packing.pack(digits.copied()), sum);
            }
        }
    }

    #[test]
    fn neighbours_have_the_digits_that_follow() {
        let bits = [20, 26, 33, 64, 130, 252];
        for (digit_bits, lanes) in bits.into_iter().flat_map(|bits| (1..40).map(move |l| (bits, l)))
        {
            let packing = Packing::new(digit_bits, lanes);
            for channel in 0..100 {
                let (pack, digit) = packing.place(channel);
                let follows = |i: &usize| packing.place(channel + i) == (pack, digit + i);
                assert_eq!(packing.neighbours(channel), 1 + (1..).take_while(follows).count());
            }
        }
    }

    #[test]
    fn no_place_is_a_channel_twice() {
        let packing = Packing::new(60, 7);
        let places = (0..60).flat_map(|pack| (0..packing.size()).map(move |digit| (pack, digit)));
        let channels: Vec<_> =
            places.filter_map(|(pack, digit)| packing.channel(pack, digit)).collect();
        assert_eq!(channels.iter().collect::<HashSet<_>>().len(), channels.len());
    }
}
