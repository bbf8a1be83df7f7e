//! Sums of points: commitments.

use std::{
    ffi::{c_int, c_void},
    sync::Arc,
};

use halo2_proofs::halo2curves::{
    CurveAffine,
    bn256::{Fq, Fr, G1, G1Affine},
    ff::PrimeField,
    group::{Curve, prime::PrimeCurveAffine},
};

use super::{
    abi::SumConfig,
    device::{IcicleColumn, Small},
    library::failed,
    memory::{Machine, Part, SCALAR, Vector},
};
use crate::{error::DeviceError, kernels::parallel};

/// The points of an SRS on the device, and what sums of shifted columns need of them.
#[derive(Debug)]
pub(super) struct Points {
    /// Two scalars a point.
    points: Vector,
    /// The sum of all.
    all: G1,
    /// The last ones, which blinding rows are committed with.
    last: Vec<G1Affine>,
}

/// The most rows at the end of a column of integers that may hold elements.
const LAST: usize = 64;

impl Points {
    /// Moves points to the device.
    pub(super) fn new(machine: &Arc<Machine>, points: &[G1Affine]) -> Result<Self, DeviceError> {
        let mut bytes = vec![0_u8; 2 * SCALAR * points.len()];
        parallel::consume(bytes.chunks_mut(2 * SCALAR).zip(points), |_, (to, point)| {
            // The point at infinity has zeros, here as there.
            to[..SCALAR].copy_from_slice(point.x.to_repr().as_ref());
            to[SCALAR..].copy_from_slice(point.y.to_repr().as_ref());
        });
        let on_device = machine.vector(2 * points.len())?;
        machine.write(&on_device, 0, &bytes)?;
        let last = points[points.len() - points.len().min(LAST)..].to_vec();
        let mut all = Self { points: on_device, all: G1::default(), last };
        let ones = machine.upload_integers(&vec![1; points.len()])?;
        all.all = all.sum(machine, ones.all(), points.len(), 1)?;
        Ok(all)
    }

    /// `Σ scalar·point` over the first `count` rows of scalars of so many bits.
    fn sum(
        &self,
        machine: &Machine,
        scalars: Part<'_>,
        count: usize,
        bits: c_int,
    ) -> Result<G1, DeviceError> {
        if count == 0 {
            return Ok(G1::default());
        }
        let mut sum = [0_u8; 3 * SCALAR];
        let rows = c_int::try_from(count).expect("at most 2^28 rows");
        let (scalars, points) = (scalars.address(count), self.points.address(0, 2 * count));
        let config = SumConfig::new(bits);
        machine.call("a sum of points", |functions| {
            // SAFETY: as many scalars and points on the device; room for one sum on the host.
            unsafe {
                let to = sum.as_mut_ptr().cast::<c_void>();
                (functions.sum_points)(scalars, points, rows, &raw const config, to)
            }
        })?;
        point(&sum)
            .ok_or_else(|| failed("a sum of points", "the device gave no point of the curve"))
    }

    /// The commitment to a column.
    pub(super) fn commit(
        &self,
        machine: &Arc<Machine>,
        column: &IcicleColumn,
    ) -> Result<G1, DeviceError> {
        let rows = column.values.len();
        match &column.small {
            Some(small) if small.tail.len() <= self.last.len() => {
                self.commit_small(machine, &column.values, small)
            }
            _ => self.sum(machine, column.values.all(), rows, 0),
        }
    }

    /// `Σ v·P = Σ (v + s)·P - s·ΣP`, where v + s is not negative, for the rows of integers; the last
    /// rows by the host.
    fn commit_small(
        &self,
        machine: &Arc<Machine>,
        values: &Vector,
        small: &Small,
    ) -> Result<G1, DeviceError> {
        let head = values.len() - small.tail.len();
        let points = &self.last[self.last.len() - small.tail.len()..];
        machine.traffic.by_host();
        let tail: G1 = points.iter().zip(&small.tail).map(|(point, scalar)| point * scalar).sum();
        if small.shift == 0 {
            return Ok(self.sum(machine, values.all(), head, small.bits)? + tail);
        }
        let shift = Fr::from(small.shift);
        let scalar = machine.upload(&[shift])?;
        let shifted = machine.vector(values.len())?;
        machine.with_scalar(false, scalar.all(), values.all(), &shifted, 0, values.len())?;
        let sum = self.sum(machine, shifted.all(), head, small.bits)?;
        let beyond: G1 = points.iter().map(PrimeCurveAffine::to_curve).sum();
        Ok(sum - (self.all - beyond) * shift + tail)
    }
}

/// A point by its homogeneous coordinates; `None` if they are those of no point.
fn point(bytes: &[u8; 3 * SCALAR]) -> Option<G1> {
    let (coordinates, _) = bytes.as_chunks::<SCALAR>();
    let coordinate = |i: usize| Option::<Fq>::from(Fq::from_repr(coordinates[i]));
    let (x, y, z) = (coordinate(0)?, coordinate(1)?, coordinate(2)?);
    let Some(inverse) = Option::<Fq>::from(z.invert()) else { return Some(G1::default()) };
    let affine = Option::<G1Affine>::from(G1Affine::from_xy(x * inverse, y * inverse))?;
    Some(affine.to_curve())
}

/// Affine points.
pub(super) fn normalized(sums: &[G1]) -> Vec<G1Affine> {
    let mut points = vec![G1Affine::identity(); sums.len()];
    G1::batch_normalize(sums, &mut points);
    points
}
