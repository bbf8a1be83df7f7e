//! Transforms: see `kernels/transform.cuh`.

use halo2_proofs::halo2curves::{
    bn256::Fr,
    ff::{Field, PrimeField},
};

use super::{
    accelerator::Kernel,
    machine::{Buffer, Machine},
};
use crate::{cosets::powers_of, error::DeviceError};

/// log2 of the elements of a tile, as in the kernel.
const TILE_BITS: u32 = 10;
/// The most stages of a pass over tiles of neighbours: four of them fill a segment of memory.
const PASS_BITS: u32 = 8;

/// Transforms of `2^k` elements.
#[derive(Debug)]
pub(super) struct Domain {
    machine: Machine,
    k: u32,
    /// ω^i.
    omegas: Buffer,
    /// 1/n, for the way to coefficients.
    to_coefficients: Scaling,
}

/// A coset of H.
#[derive(Debug)]
pub(super) struct Coset {
    to_values: Scaling,
    to_coefficients: Scaling,
}

/// Powers of a shift, times a constant: see `Scaling` in the kernel.
#[derive(Debug)]
struct Scaling {
    low: Option<Buffer>,
    high: Buffer,
    bits: u32,
}

impl Scaling {
    /// `constant·shift^e` for e below 2^k.
    fn new(machine: &Machine, k: u32, shift: Fr, constant: Fr) -> Result<Self, DeviceError> {
        let bits = k / 2;
        let step = shift.pow_vartime([1_u64 << bits]);
        let high: Vec<Fr> =
            powers_of(step, 1 << (k - bits)).into_iter().map(|power| power * constant).collect();
        let low = machine.upload_elements(&powers_of(shift, 1 << bits))?;
        Ok(Self { low: Some(low), high: machine.upload_elements(&high)?, bits })
    }

    fn words(&self) -> [u64; 3] {
        [self.low.as_ref().map_or(0, Buffer::address), self.high.address(), u64::from(self.bits)]
    }
}

/// Stages of one pass: from bit `low` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pass {
    low: u32,
    bits: u32,
}

/// The passes from values of single elements up.
fn passes(k: u32) -> Vec<Pass> {
    let first = Pass { low: 0, bits: k.min(TILE_BITS) };
    let left = k - first.bits;
    let count = left.div_ceil(PASS_BITS);
    let rest = (0..count).map(|i| {
        let (low, end) = (left * i / count, left * (i + 1) / count);
        Pass { low: first.bits + low, bits: end - low }
    });
    std::iter::once(first).chain(rest).collect()
}

impl Domain {
    /// For `2^k` elements; `omega` generates H.
    pub(super) fn new(machine: &Machine, k: u32, omega: Fr) -> Result<Self, DeviceError> {
        let squares = std::iter::successors(Some(omega), |power| Some(power.square()));
        let squares = machine.upload_elements(&squares.take(64).collect::<Vec<_>>())?;
        let omegas = machine.elements(1 << k)?;
        let arguments = [squares.address(), omegas.address(), 1 << k];
        machine.launch(Kernel::Powers, 1 << k, 1, &arguments)?;
        let inverse = Fr::TWO_INV.pow_vartime([u64::from(k)]);
        let high = machine.upload_elements(&[inverse])?;
        let to_coefficients = Scaling { low: None, high, bits: 0 };
        Ok(Self { machine: machine.clone(), k, omegas, to_coefficients })
    }

    /// The coset `shift·H`.
    pub(super) fn coset(&self, shift: Fr) -> Result<Coset, DeviceError> {
        let back = shift.invert().unwrap_or(Fr::ZERO);
        let constant = Fr::TWO_INV.pow_vartime([u64::from(self.k)]);
        Ok(Coset {
            to_values: Scaling::new(&self.machine, self.k, shift, Fr::ONE)?,
            to_coefficients: Scaling::new(&self.machine, self.k, back, constant)?,
        })
    }

    /// ω^row in every row.
    pub(super) fn omegas(&self) -> &Buffer {
        &self.omegas
    }

    /// Coefficients, in reversed order, of polynomials with the values on H or on a coset.
    pub(super) fn interpolate(
        &self,
        from: &[u64],
        to: &[u64],
        coset: Option<&Coset>,
    ) -> Result<(), DeviceError> {
        let scaling = coset.map_or(&self.to_coefficients, |coset| &coset.to_coefficients);
        self.run(from, to, true, Some(scaling))
    }

    /// Values on H or on a coset of polynomials with the coefficients, in reversed order.
    pub(super) fn evaluate(
        &self,
        from: &[u64],
        to: &[u64],
        coset: Option<&Coset>,
    ) -> Result<(), DeviceError> {
        self.run(from, to, false, coset.map(|coset| &coset.to_values))
    }

    /// All passes, from the addresses `from` to the addresses `to`; `scaling` is of the first pass
    /// to values and of the last to coefficients, which are the same.
    fn run(
        &self,
        from: &[u64],
        to: &[u64],
        is_inverse: bool,
        scaling: Option<&Scaling>,
    ) -> Result<(), DeviceError> {
        if from.is_empty() {
            return Ok(());
        }
        let (from_table, to_table) = (self.machine.upload(from)?, self.machine.upload(to)?);
        let mut passes = passes(self.k);
        if is_inverse {
            passes.reverse();
        }
        for (i, pass) in passes.iter().enumerate() {
            let source = if i == 0 { &from_table } else { &to_table };
            let [low, high, bits] =
                scaling.filter(|_| pass.low == 0).map_or([0; 3], Scaling::words);
            let arguments = [
                source.address(),
                to_table.address(),
                self.omegas.address(),
                u64::from(self.k),
                u64::from(pass.low),
                u64::from(pass.bits),
                u64::from(is_inverse),
                low,
                high,
                bits,
            ];
            let blocks = 1 << self.k.saturating_sub(TILE_BITS);
            self.machine.launch_blocks(Kernel::Transform, blocks, from.len(), &arguments)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_do_every_stage_once() {
        for k in 1..=28 {
            let passes = passes(k);
            let mut next = 0;
            for pass in &passes {
                assert_eq!(pass.low, next);
                assert!(pass.bits <= TILE_BITS && (pass.low == 0 || pass.bits <= PASS_BITS));
                next += pass.bits;
            }
            assert_eq!(next, k);
        }
    }
}
