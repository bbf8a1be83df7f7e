//! Ranges that leave out the few largest values, so that all others get finer steps.

use std::collections::BTreeMap;

use ndarray::ArrayD;
use rayon::prelude::*;
use serde::Serialize;

use super::{Calibration, Range};
use crate::error::{QuantizeError, RunError};
use crate::graph::{Graph, Op};

/// Bins of a histogram, half of them for negative values.
const BINS: usize = 4096;
/// Levels to which values are rounded where a threshold is weighed by entropy.
const LEVELS: usize = 128;
/// Bins by which one threshold that is tried exceeds the one before.
const THRESHOLD_STEP: usize = 16;

/// How the range of a layer follows from its values on samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Clipping {
    /// From the smallest to the largest value.
    MinMax,
    /// All but the given share of the values at either end, in millionths.
    Percentile {
        /// The share that is left out.
        millionths: u32,
    },
    /// The range beyond which values are best cut off for the others' sake: the one with the least
    /// relative entropy of the values to the same values rounded to 128 levels.
    Entropy,
}

impl Clipping {
    /// Those that a search tries, the plainest first.
    pub const ALL: [Self; 4] = [
        Self::MinMax,
        Self::Percentile { millionths: 100 },
        Self::Percentile { millionths: 1_000 },
        Self::Entropy,
    ];
}

impl Calibration {
    /// This calibration with the layers' ranges clipped in each of the given ways, by their values
    /// on the samples that it was measured on. What a softmax compares, and ranges of inputs and
    /// outputs, stay as they are.
    ///
    /// A range that leaves out the largest values on purpose has no reserve for those of other inputs,
    /// which it would leave out as well: what is expected of many inputs goes with a range that holds
    /// all samples. Headroom is the same for both.
    ///
    /// # Errors
    /// When a sample does not fit the model.
    pub fn clipped(
        &self,
        graph: &Graph,
        samples: &[Vec<ArrayD<f32>>],
        clippings: &[Clipping],
    ) -> Result<Vec<Self>, QuantizeError> {
        let histograms = samples
            .par_iter()
            .enumerate()
            .map(|(sample, inputs)| {
                self.histograms(graph, inputs)
                    .map_err(|source| QuantizeError::Sample { sample, source })
            })
            .try_reduce(BTreeMap::new, |all, one| Ok(added(all, one)))?;
        let clip = |clipping: &Clipping| {
            let mut clipped = self.clone();
            for (layer, histogram) in &histograms {
                let range = histogram.clipped(self.layers[layer], *clipping);
                clipped.layers.insert(layer.clone(), range.rounded());
                if *clipping != Clipping::MinMax {
                    clipped.expected.remove(layer);
                }
            }
            clipped
        };
        Ok(clippings.iter().map(clip).collect())
    }

    /// The histogram of each layer whose range may be clipped, on one sample.
    fn histograms(
        &self,
        graph: &Graph,
        inputs: &[ArrayD<f32>],
    ) -> Result<BTreeMap<String, Histogram>, RunError> {
        let trace = graph.trace_float(inputs)?;
        let layers = graph.nodes.iter().zip(&trace.accumulators);
        let layers = layers.filter(|(node, _)| !matches!(node.op, Op::Softmax(_)));
        Ok(layers
            .filter_map(|(node, sums)| {
                let name = &graph.tensor(node.output).name;
                let (range, sums) = (self.layers.get(name)?, sums.as_ref()?);
                Some((name.clone(), Histogram::of(range.magnitude(), sums)))
            })
            .collect())
    }
}

fn added(
    mut all: BTreeMap<String, Histogram>,
    one: BTreeMap<String, Histogram>,
) -> BTreeMap<String, Histogram> {
    for (layer, histogram) in one {
        match all.get_mut(&layer) {
            Some(sum) => sum.add(&histogram),
            None => drop(all.insert(layer, histogram)),
        }
    }
    all
}

/// How many values lie in each of [`BINS`] bins from `−reach` to `reach`.
#[derive(Clone, Debug, PartialEq)]
struct Histogram {
    reach: f64,
    counts: Vec<u64>,
}

impl Histogram {
    fn of(reach: f64, values: &[f64]) -> Self {
        let mut counts = vec![0; BINS];
        for value in values {
            // From 0 to the number of bins; what is not finite saturates.
            let place = (value / reach + 1.0) * half();
            counts[floor(place).min(BINS - 1)] += 1;
        }
        Self { reach, counts }
    }

    fn add(&mut self, other: &Self) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(sum, count)| *sum += count);
    }

    /// The lower end of a bin.
    fn edge(&self, bin: usize) -> f64 {
        (real(bin) / half() - 1.0) * self.reach
    }

    /// The part of the whole range that is left.
    fn clipped(&self, whole: Range, clipping: Clipping) -> Range {
        let part = match clipping {
            _ if self.reach == 0.0 => whole,
            Clipping::MinMax => whole,
            Clipping::Percentile { millionths } => self.percentile(millionths),
            Clipping::Entropy => {
                let threshold = self.least_entropy();
                Range { lo: -threshold, hi: threshold }
            }
        };
        part.within(whole)
    }

    fn percentile(&self, millionths: u32) -> Range {
        let total: u64 = self.counts.iter().sum();
        let left_out = u128::from(total) * u128::from(millionths) / 1_000_000;
        let lo = crossed(self.counts.iter(), left_out);
        let hi = BINS - crossed(self.counts.iter().rev(), left_out);
        Range { lo: self.edge(lo), hi: self.edge(hi) }
    }

    /// The threshold of magnitudes with the least relative entropy.
    fn least_entropy(&self) -> f64 {
        let (negative, positive) = self.counts.split_at(BINS / 2);
        let mut magnitudes: Vec<f64> =
            positive.iter().zip(negative.iter().rev()).map(|(&a, &b)| count(a + b)).collect();
        // Zeros are exact at every scale, and so many that nothing else would be weighed.
        magnitudes[0] = 0.0;
        let thresholds = (LEVELS..=BINS / 2).step_by(THRESHOLD_STEP);
        let entropies = thresholds.map(|bins| (bins, entropy(&magnitudes, bins)));
        let best = entropies.min_by(|a, b| a.1.total_cmp(&b.1));
        best.map_or(self.reach, |(bins, _)| self.reach * real(bins) / half())
    }
}

/// How many bins come before the one in which more values than these have been met.
fn crossed<'a>(mut counts: impl Iterator<Item = &'a u64>, left_out: u128) -> usize {
    let mut sum = 0u128;
    let inside = counts.position(|&count| {
        sum += u128::from(count);
        sum > left_out
    });
    inside.unwrap_or(BINS / 2)
}

/// The relative entropy of the magnitudes, cut off at a bin, to the same rounded to [`LEVELS`]
/// levels of equal width. What is cut off counts in the last bin, and is lost to the rounded ones.
fn entropy(magnitudes: &[f64], bins: usize) -> f64 {
    let (kept, lost) = magnitudes.split_at(bins);
    let (total, beyond): (f64, f64) = (magnitudes.iter().sum(), lost.iter().sum());
    let inside: f64 = kept.iter().sum();
    if inside == 0.0 {
        return f64::INFINITY;
    }
    let mut entropy = 0.0;
    for level in 0..LEVELS {
        let (from, to) = (level * bins / LEVELS, (level + 1) * bins / LEVELS);
        let filled = kept[from..to].iter().filter(|count| **count > 0.0).count();
        let mean = kept[from..to].iter().sum::<f64>() / real(filled.max(1));
        for (bin, &count) in kept[from..to].iter().enumerate() {
            let count = if from + bin + 1 == bins { count + beyond } else { count };
            if count > 0.0 {
                // A bin that holds nothing but what was cut off has no rounded counterpart.
                let rounded = if mean > 0.0 { mean } else { 0.5 };
                entropy += count / total * ((count / total) / (rounded / inside)).ln();
            }
        }
    }
    entropy
}

/// Half the number of bins.
fn half() -> f64 {
    real(BINS / 2)
}

fn real(bins: usize) -> f64 {
    u32::try_from(bins).map_or(f64::INFINITY, f64::from)
}

#[expect(clippy::cast_precision_loss, reason = "counts are weighed, not added up exactly")]
fn count(values: u64) -> f64 {
    values as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the caller takes what is beyond the ends to the ends; `as` saturates"
)]
fn floor(place: f64) -> usize {
    place as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(values: &[f64]) -> (Range, Histogram) {
        let range = Range::of(values.iter().copied());
        (range, Histogram::of(range.magnitude(), values))
    }

    /// A thousand values up to 1, and one of 50.
    fn with_outlier() -> Vec<f64> {
        (0..1000).map(|i| f64::from(i) / 999.0).chain([50.0]).collect()
    }

    #[test]
    fn an_outlier_is_left_out_where_its_share_is_smaller() {
        let (range, histogram) = whole(&with_outlier());
        let clip = |millionths| histogram.clipped(range, Clipping::Percentile { millionths });
        assert_eq!(clip(100), range);
        let clipped = clip(1_000);
        assert!((1.0..1.1).contains(&clipped.hi) && clipped.lo == 0.0, "{clipped:?}");
    }

    #[test]
    fn both_ends_are_clipped_and_never_widened() {
        let values: Vec<f64> = (0..10_000).map(|i| f64::from(i - 5_000) / 100.0).collect();
        let (range, histogram) = whole(&values);
        for clipping in Clipping::ALL {
            let Range { lo, hi } = histogram.clipped(range, clipping);
            assert!(range.lo <= lo && lo < hi && hi <= range.hi, "{clipping:?}: {lo} {hi}");
        }
    }

    #[test]
    fn entropy_keeps_an_even_spread_and_cuts_a_long_tail() {
        let even: Vec<f64> = (0..100_000).map(|i| f64::from(i) / 1e5).collect();
        let (range, histogram) = whole(&even);
        assert!(histogram.clipped(range, Clipping::Entropy).hi > 0.9);
        // Fewer and fewer up to 1, so that coarse steps would lose their shape.
        let bulk = (0..100_000).map(|i| 1.0 - (f64::from(i) / 1e5).sqrt());
        let tailed: Vec<f64> = bulk.chain((1..=5).map(|i| f64::from(i) * 10.0)).collect();
        let (range, histogram) = whole(&tailed);
        assert!(histogram.clipped(range, Clipping::Entropy).hi < 25.0);
    }

    #[test]
    fn zeros_have_nothing_to_clip() {
        let (range, histogram) = whole(&[0.0; 8]);
        for clipping in Clipping::ALL {
            assert_eq!(histogram.clipped(range, clipping), range);
        }
    }
}
