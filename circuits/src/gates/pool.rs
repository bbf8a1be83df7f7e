//! The pool unit: in each lane a row says that `maximum` is the largest of four elements.
//!
//! `maximum − x_i ≥ 0` for each by a range lookup (directly, or through limbs where one limb is
//! too narrow), and `Π (maximum − x_i) = 0`, so it is one of them. Tensor elements are bounded by
//! 2^17, so a negative difference is never in range modulo the field. Shorter windows repeat an
//! element; longer ones pass their maximum on to another row or lane by a copy.

use halo2_proofs::{halo2curves::bn256::Fr, plonk::ConstraintSystem};

use super::{cur, fixed, limbs};
use crate::config::{Config, PoolLane};

pub(super) fn configure(meta: &mut ConstraintSystem<Fr>, config: &Config) {
    config.pool.iter().for_each(|lane| configure_lane(meta, config, lane));
}

fn configure_lane(meta: &mut ConstraintSystem<Fr>, config: &Config, pool: &PoolLane) {
    meta.create_gate("pool maximum", |meta| {
        let product = pool
            .inputs
            .into_iter()
            .map(|input| cur(meta, pool.maximum) - cur(meta, input))
            .reduce(|a, b| a * b);
        let on = fixed(meta, config.q_on);
        product.map(|product| ("Π (maximum − x) = 0", on * product))
    });
    for (&input, columns) in pool.inputs.iter().zip(&pool.differences) {
        if columns.is_empty() {
            continue;
        }
        meta.create_gate("pool difference", |meta| {
            let widths = config.shape.pool_limbs.as_deref().unwrap_or_default();
            let difference = cur(meta, pool.maximum) - cur(meta, input);
            let on = fixed(meta, config.q_on);
            let value = limbs(meta, columns, widths);
            [("maximum − x = limbs", on * (difference - value))]
        });
    }
}
