//! Security bits in words.

use std::fmt;

use zkinfer::audit::Strength;

/// How hard it is to forge a proof.
pub(super) struct Words<'a>(pub(super) &'a Strength);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Strength { curve_bits, hash_bits, random_points_bits, .. } = self.0;
        match self.0.bits {
            0 => writeln!(f, "none: the secret of this setup is public")?,
            bits => writeln!(f, "about {bits} bits, if the setup's secret was destroyed")?,
        }
        writeln!(f, "  discrete logarithms and pairings on BN254: about {curve_bits} bits")?;
        let Strength { rows, degree, queries, .. } = self.0;
        writeln!(
            f,
            "  random points: a false statement passes with a chance below 2^-{random_points_bits} \
             a try ({rows} rows, degree {degree}, {queries} queries)"
        )?;
        write!(f, "  Keccak-256: {hash_bits} bits against collisions")?;
        match self.0.commitment_bits {
            Some(bits) => {
                write!(f, "\n  Poseidon, of the commitments: {bits} bits against collisions")
            }
            None => Ok(()),
        }
    }
}
