//! Scores as a subnet of Bittensor takes them: integers of 16 bits for numbered nodes.
//!
//! The two steps give what the SDK's own functions give (bittensor 11.3.0, `clip_to_max_weight` and
//! `normalize`), bit for bit where Python adds up from left to right, as it does up to version 3.11.
//! A third sees to it that the chain's own test of integers holds after rounding, which the SDK
//! leaves to chance.

use thiserror::Error;

/// The largest weight of the chain.
const MOST: f64 = 65_535.0;
/// The SDK's slack when it looks for a cutoff.
const EPSILON: f64 = 1e-7;

/// Why weights cannot be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// Nothing to set.
    #[error("all weights are zero")]
    Zero,
    /// A weight that is negative, infinite or no number.
    #[error("weight {index} is not finite and at least zero")]
    Weight {
        /// Which.
        index: usize,
    },
    /// No values of so many nodes can satisfy the limit.
    #[error("{count} nodes cannot each have at most {limit} of 65535")]
    Limit {
        /// Nodes with a weight.
        count: usize,
        /// The limit.
        limit: u16,
    },
}

/// Values for the chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChainWeights {
    /// Numbers of the nodes.
    pub uids: Vec<u16>,
    /// Their weights, none of them zero.
    pub values: Vec<u16>,
}

fn check(weights: &[f64]) -> Result<f64, WeightsError> {
    let wrong = |weight: &f64| !weight.is_finite() || *weight < 0.0;
    if let Some(index) = weights.iter().position(wrong) {
        return Err(WeightsError::Weight { index });
    }
    let total: f64 = weights.iter().sum();
    if total > 0.0 { Ok(total) } else { Err(WeightsError::Zero) }
}

#[expect(clippy::cast_precision_loss, reason = "a subnet has at most some thousand nodes")]
fn real(count: usize) -> f64 {
    count as f64
}

/// Scales weights to the sum 1, none above `limit`: what is cut off the largest goes to all.
///
/// # Errors
/// [`WeightsError::Weight`] or [`WeightsError::Zero`].
pub fn clip_to_max_weight(weights: &[f64], limit: f64) -> Result<Vec<f64>, WeightsError> {
    let total = check(weights)?;
    let count = weights.len();
    if real(count) * limit <= 1.0 {
        return Ok(vec![1.0 / real(count); count]);
    }
    let mut sorted: Vec<f64> = weights.iter().map(|weight| weight / total).collect();
    sorted.sort_by(f64::total_cmp);
    if sorted.last().is_none_or(|largest| *largest <= limit) {
        return Ok(weights.iter().map(|weight| weight / total).collect());
    }
    let mut sum = 0.0;
    let sums: Vec<f64> = sorted
        .iter()
        .map(|share| {
            sum += share;
            sum
        })
        .collect();
    // How many of the smallest stay as they are.
    let stays = |(index, (share, sum)): &(usize, (&f64, &f64))| {
        let above = real(count - index - 1);
        *share / (above * *share + *sum + EPSILON) < limit
    };
    let kept = sorted.iter().zip(&sums).enumerate().filter(stays).count();
    // With none that stay, Python's index −1 takes the sum of all.
    let sum = kept.checked_sub(1).or(count.checked_sub(1)).map_or(0.0, |last| sums[last]);
    let scale = (limit * sum - EPSILON) / (1.0 - limit * real(count - kept));
    let cutoff = scale * total;
    let clipped: Vec<f64> =
        weights.iter().map(|weight| if cutoff < *weight { cutoff } else { *weight }).collect();
    let total: f64 = clipped.iter().sum();
    Ok(clipped.into_iter().map(|weight| weight / total).collect())
}

/// Scales weights so that the largest is 65535 and rounds them, halves to even; what becomes zero is
/// left out.
///
/// # Errors
/// [`WeightsError::Weight`] or [`WeightsError::Zero`].
pub fn normalize(uids: &[u16], weights: &[f64]) -> Result<ChainWeights, WeightsError> {
    check(weights)?;
    let top = weights.iter().copied().fold(0.0, f64::max);
    let mut normalized = ChainWeights::default();
    for (&uid, weight) in uids.iter().zip(weights) {
        let value = to_u16((weight / top * MOST).round_ties_even());
        if value != 0 {
            normalized.uids.push(uid);
            normalized.values.push(value);
        }
    }
    Ok(normalized)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a whole number between 0 and 65535"
)]
fn to_u16(value: f64) -> u16 {
    value as u16
}

/// Weights that the chain accepts under its limit, in units of 1/65535 of their sum: clipped,
/// normalized, and the largest lowered until `max · 65535 ≤ limit · sum` holds for the integers.
///
/// # Errors
/// As [`clip_to_max_weight`], or [`WeightsError::Limit`].
pub fn chain_weights(
    uids: &[u16],
    weights: &[f64],
    limit: u16,
) -> Result<ChainWeights, WeightsError> {
    let clipped = clip_to_max_weight(weights, f64::from(limit) / MOST)?;
    let mut chain = normalize(uids, &clipped)?;
    while !holds(&chain.values, limit) {
        let largest = chain.values.iter().copied().max().unwrap_or(0);
        // One below its number of nodes nothing is left to lower.
        if largest <= 1 {
            return Err(WeightsError::Limit { count: chain.values.len(), limit });
        }
        for value in chain.values.iter_mut().filter(|value| **value == largest) {
            *value -= 1;
        }
    }
    Ok(chain)
}

fn holds(values: &[u16], limit: u16) -> bool {
    let sum: u64 = values.iter().map(|value| u64::from(*value)).sum();
    let largest = values.iter().copied().max().unwrap_or(0);
    u64::from(largest) * 65_535 <= u64::from(limit) * sum
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Case {
        weights: Vec<f64>,
        limit: u16,
        clipped: Vec<f64>,
        plain: Vec<u16>,
        plain_uids: Vec<u16>,
        values: Vec<u16>,
        uids: Vec<u16>,
    }

    #[derive(Deserialize)]
    struct Vectors {
        cases: Vec<Case>,
    }

    /// The numbers were made by the SDK's own functions.
    #[test]
    fn weights_are_those_of_the_sdk() {
        let vectors: Vectors =
            serde_json::from_str(include_str!("../tests/vectors/bittensor.json")).unwrap();
        assert!(vectors.cases.len() > 50);
        for case in vectors.cases {
            let all: Vec<u16> = (3..).take(case.weights.len()).collect();
            let plain = normalize(&all, &case.weights).unwrap();
            assert_eq!((plain.uids, plain.values), (case.plain_uids, case.plain));
            let limit = f64::from(case.limit) / MOST;
            let clipped = clip_to_max_weight(&case.weights, limit).unwrap();
            assert_eq!(clipped, case.clipped, "{:?} {}", case.weights, case.limit);
            let normalized = normalize(&all, &clipped).unwrap();
            assert_eq!((normalized.uids, normalized.values), (case.uids, case.values));
            match chain_weights(&all, &case.weights, case.limit) {
                Ok(chain) => assert!(holds(&chain.values, case.limit)),
                Err(WeightsError::Limit { count, limit }) => {
                    assert!(count * usize::from(limit) < 65_535, "{count} {limit}");
                }
                Err(other) => panic!("{other}"),
            }
        }
    }

    #[test]
    fn what_is_no_weight_is_refused() {
        for wrong in [f64::NAN, f64::INFINITY, -1.0] {
            let refused = Err(WeightsError::Weight { index: 1 });
            assert_eq!(normalize(&[1, 2], &[1.0, wrong]), refused);
        }
        assert_eq!(normalize(&[1], &[0.0]), Err(WeightsError::Zero));
        assert_eq!(clip_to_max_weight(&[], 1.0), Err(WeightsError::Zero));
    }
}
