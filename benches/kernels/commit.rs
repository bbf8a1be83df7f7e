//! Commitments to columns of 2^10 to 2^16 scalars: full-width ones, small ones and bits.

use std::hint::black_box;

use anyhow::{Result, ensure};
use ark_bn254::{Fq, G1Affine as ArkPoint, G1Projective as ArkSum};
use ark_ec::VariableBaseMSM;
use ark_ff::PrimeField as _;
use halo2_proofs::halo2curves::{
    bn256::{Fr, G1, G1Affine},
    ff::PrimeField,
    group::{Curve, Group, prime::PrimeCurveAffine},
    msm::msm_best,
};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use zkinfer_benches::instruction_sets;
use zkinfer_engine::{Column as Scalars, CpuOptions, measure};

use crate::{
    clock::{print_head, print_row, shortest},
    elements::{random_elements, to_ark},
};

/// The scalars of a column. Small ones are not negative: arkworks has no signed ones.
enum Column {
    Full(Vec<Fr>),
    Bits16(Vec<u16>),
    Bits8(Vec<u8>),
    Bits1(Vec<bool>),
}

impl Column {
    /// One column of each kind.
    fn all(len: usize) -> [Self; 4] {
        let mut bytes = vec![[0; 2]; len];
        ChaCha20Rng::seed_from_u64(16).fill_bytes(bytes.as_flattened_mut());
        [
            Self::Full(random_elements(len)),
            Self::Bits16(bytes.iter().map(|&pair| u16::from_le_bytes(pair)).collect()),
            Self::Bits8(bytes.iter().map(|&[low, _]| low).collect()),
            Self::Bits1(bytes.iter().map(|&[low, _]| low % 2 == 1).collect()),
        ]
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Full(_) => "full",
            Self::Bits16(_) => "16 bits",
            Self::Bits8(_) => "8 bits",
            Self::Bits1(_) => "0 or 1",
        }
    }

    fn elements(&self) -> Vec<Fr> {
        match self {
            Self::Full(elements) => elements.clone(),
            Self::Bits16(values) => values.iter().map(|&v| Fr::from(u64::from(v))).collect(),
            Self::Bits8(values) => values.iter().map(|&v| Fr::from(u64::from(v))).collect(),
            Self::Bits1(values) => values.iter().map(|&v| Fr::from(u64::from(v))).collect(),
        }
    }

    fn scalars(&self) -> Scalars {
        match self {
            Self::Full(elements) => Scalars::Field(elements.clone()),
            Self::Bits16(v) => Scalars::integers(v.iter().map(|&v| v.into()).collect()),
            Self::Bits8(v) => Scalars::integers(v.iter().map(|&v| v.into()).collect()),
            Self::Bits1(v) => Scalars::integers(v.iter().map(|&v| v.into()).collect()),
        }
    }

    /// Seconds of arkworks' function for this kind, whose result is compared with `expected`.
    fn time_ark(&self, points: &[ArkPoint], expected: &G1Affine) -> Result<f64> {
        let full = if let Self::Full(elements) = self { to_ark(elements) } else { Vec::new() };
        let commit = || match self {
            Self::Full(_) => ArkSum::msm_unchecked(points, &full),
            Self::Bits16(values) => ArkSum::msm_u16(points, values),
            Self::Bits8(values) => ArkSum::msm_u8(points, values),
            Self::Bits1(values) => ArkSum::msm_u1(points, values),
        };
        ensure!(ArkPoint::from(commit()) == to_ark_point(expected), "arkworks disagrees");
        Ok(shortest(|| _ = black_box(commit())))
    }
}

fn to_ark_point(point: &G1Affine) -> ArkPoint {
    let [x, y] = [point.x, point.y].map(|c| Fq::from_le_bytes_mod_order(&c.to_repr()));
    ArkPoint::new_unchecked(x, y)
}

fn random_points(len: usize) -> Vec<G1Affine> {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let points: Vec<G1> = (0..len).map(|_| G1::random(&mut rng)).collect();
    let mut affine = vec![G1Affine::identity(); len];
    G1::batch_normalize(&points, &mut affine);
    affine
}

/// Prints nanoseconds for each point. The engine has the tables that it has in proofs.
pub(crate) fn table() -> Result<()> {
    print_head(
        "Commitments, ns per point",
        &["log2 n", "scalars"],
        &[""],
        &["halo2curves msm_best", "ark-ec"],
    );
    let points = random_points(1 << 16);
    let ark_points: Vec<ArkPoint> = points.iter().map(to_ark_point).collect();
    for k in (10..=16).step_by(2) {
        let n = 1 << k;
        for column in Column::all(n) {
            row(k, &points[..n], &ark_points[..n], &column)?;
        }
    }
    Ok(())
}

fn row(k: u32, points: &[G1Affine], ark_points: &[ArkPoint], column: &Column) -> Result<()> {
    let per_point = |seconds: f64| 1e9 * seconds / points.len() as f64;
    let elements = column.elements();
    let expected = msm_best(&elements, points).to_affine();
    let table_bytes = CpuOptions::default().table_bytes;
    let mut engine = Vec::new();
    for set in instruction_sets() {
        let mut kernel = measure::commit(set, points, table_bytes, column.scalars());
        kernel.run();
        ensure!(kernel.output() == expected, "a commitment on {} is wrong", set.name());
        engine.push(per_point(shortest(|| kernel.run())));
    }
    let halo2 = per_point(shortest(|| _ = black_box(msm_best(&elements, points))));
    let ark = per_point(column.time_ark(ark_points, &expected)?);
    print_row(&[k.to_string(), column.name().into()], &engine, &[halo2, ark]);
    Ok(())
}
