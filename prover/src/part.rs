//! What blinds the boundaries of the parts of a model, which neighbours share.

use halo2_proofs::{
    arithmetic::best_multiexp,
    halo2curves::{
        bn256::{Fr, G1Affine},
        ff::{Field, PrimeField},
        group::Curve,
    },
};
use rand_core::{OsRng, RngCore};
use zkinfer_circuits::{BOUNDARY_BLINDING, PROOFS_A_SIDE};
use zkinfer_engine::Stage;
use zkinfer_verifier::{self as verifier, Side};

use crate::{
    export::points,
    prove::{ProveError, Proven},
    setup::Setup,
    srs::Srs,
    statement::Inference,
};

/// What blinds the columns of a boundary, for one proof.
///
/// A proof takes it by value, and [`draw`](Self::draw) gives as many of one blinding as proofs may have
/// it: `docs/chunks.md` says what more of them would reveal. When they are used up, both neighbours
/// prove again with a new blinding.
///
/// ```compile_fail
/// # fn twice(blinding: zkinfer_prover::BoundaryBlinding) {
/// let again = blinding.clone();
/// # }
/// ```
#[derive(Debug)]
pub struct BoundaryBlinding(Vec<[Fr; BOUNDARY_BLINDING]>);

impl BoundaryBlinding {
    /// One for each proof: of the part that gives the boundary, and of the one that takes it.
    #[must_use]
    pub fn draw(columns: usize) -> [[Self; PROOFS_A_SIDE]; 2] {
        Self::draw_with(columns, &mut OsRng)
    }

    pub(crate) fn draw_with(columns: usize, rng: &mut dyn RngCore) -> [[Self; PROOFS_A_SIDE]; 2] {
        let mut column = || [(); BOUNDARY_BLINDING].map(|()| Fr::random(&mut *rng));
        let columns: Vec<_> = (0..columns).map(|_| column()).collect();
        [(); 2].map(|()| [(); PROOFS_A_SIDE].map(|()| Self(columns.clone())))
    }

    /// The values of every column, each a canonical scalar of 32 bytes, little-endian: secret.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<[[u8; 32]; BOUNDARY_BLINDING]> {
        self.0.iter().map(|column| column.map(|value| value.to_repr())).collect()
    }

    /// For one proof, from what [`to_bytes`](Self::to_bytes) gave; `None` where a value is no scalar.
    /// How many proofs had it before is for the caller to know.
    #[must_use]
    pub fn from_bytes(columns: &[[[u8; 32]; BOUNDARY_BLINDING]]) -> Option<Self> {
        let column = |bytes: &[[u8; 32]; BOUNDARY_BLINDING]| {
            let values = bytes.iter().map(|&value| Option::from(Fr::from_repr(value)));
            values.collect::<Option<Vec<Fr>>>()?.try_into().ok()
        };
        columns.iter().map(column).collect::<Option<_>>().map(Self)
    }
}

/// The commitments to the columns of a boundary that holds these values under this blinding, with the
/// setup of a circuit's rows. These very points are in the proofs of both parts of the boundary, if
/// their provers have used both; so whoever knows the values tells which of two proofs does not.
///
/// `None` where the columns have no room for the values, or a point has no encoding.
#[must_use]
pub fn boundary_commitments(
    srs: &Srs,
    values: &[i64],
    blinding: &BoundaryBlinding,
) -> Option<Vec<verifier::G1Affine>> {
    let (rows, columns) = (srs.lagrange_points(), &blinding.0);
    let free = rows.len().checked_sub(BOUNDARY_BLINDING)?;
    if values.len() > free.checked_mul(columns.len())? {
        return None;
    }
    let scalar = |value: i64| {
        let size = Fr::from(value.unsigned_abs());
        if value < 0 { -size } else { size }
    };
    let column = |(index, tail): (usize, &[Fr; BOUNDARY_BLINDING])| {
        let elements = values.iter().skip(index).step_by(columns.len());
        let elements = elements.map(|&value| scalar(value)).zip(rows);
        let tail = tail.iter().copied().zip(rows.iter().skip(free));
        let (scalars, bases): (Vec<Fr>, Vec<G1Affine>) =
            elements.chain(tail).map(|(scalar, base)| (scalar, *base)).unzip();
        best_multiexp(&scalars, &bases).to_affine()
    };
    let commitments: Vec<G1Affine> = columns.iter().enumerate().map(column).collect();
    points("boundary", &commitments).ok()
}

/// What blinds the boundaries of a part.
#[derive(Debug, Default)]
pub struct PartBlinding {
    /// Of the boundary that the part before gives, where there is one.
    pub taken: Option<BoundaryBlinding>,
    /// Of the boundary that the part behind takes, where there is one.
    pub given: Option<BoundaryBlinding>,
}

/// What blinds the columns of the boundaries, taken and given ones.
pub(crate) type Tails = [Vec<Vec<Fr>>; 2];

impl PartBlinding {
    pub(crate) fn tails(self) -> Tails {
        let of_column = |column: [Fr; BOUNDARY_BLINDING]| column.to_vec();
        let of_side = |side: BoundaryBlinding| side.0.into_iter().map(of_column).collect();
        [self.taken, self.given].map(|side| side.map_or_else(Vec::new, of_side))
    }
}

impl Setup {
    /// Columns of the boundaries of a part, taken and given ones; none of a whole model.
    #[must_use]
    pub fn boundary_columns(&self) -> [usize; 2] {
        let boundaries = &self.verifying_key().parts().boundaries;
        [Side::Input, Side::Output].map(|side| {
            let of_side = boundaries.iter().filter(|boundary| boundary.side == side);
            of_side.map(|boundary| boundary.columns.len()).sum()
        })
    }

    /// Proves a run of a part for the job of its place, and verifies the proof before it is returned.
    /// Nobody is paid for it without those of the other parts.
    ///
    /// # Errors
    /// [`ProveError::Boundary`] where the blinding is not of as many columns as a boundary has; else as
    /// [`Setup::prove`].
    pub fn prove_part(
        &self,
        inference: Inference<'_>,
        blinding: PartBlinding,
        progress: &dyn Fn(Stage),
    ) -> Result<Proven, ProveError> {
        self.prove_one(inference, blinding.tails(), &mut OsRng, progress)
    }
}
