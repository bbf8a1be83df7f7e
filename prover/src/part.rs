//! What blinds the boundaries of the parts of a model, which neighbours share.

use halo2_proofs::halo2curves::{
    bn256::Fr,
    ff::{Field, PrimeField},
};
use rand_core::{OsRng, RngCore};
use zkinfer_circuits::{BOUNDARY_BLINDING, PROOFS_A_SIDE};
use zkinfer_engine::Stage;
use zkinfer_verifier::Side;

use crate::{
    prove::{ProveError, Proven},
    setup::Setup,
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
