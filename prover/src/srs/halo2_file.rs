//! Importing an SRS as halo2 writes it, which is how EZKL keeps its `kzg.srs`.
//!
//! Layout: k as four bytes; `2^k` powers `[τ^i]₁`; as many points of the Lagrange basis; `[1]₂`;
//! `[τ]₂`. Coordinates are uncompressed, little-endian, in Montgomery form, as in a `.ptau`.

use std::io::{Read, Seek, SeekFrom};

use halo2_proofs::halo2curves::bn256::G2Affine;

use super::{
    MAX_K, Srs,
    error::PtauError,
    ptau::{powers, second_powers},
};

/// Bytes of `k`, and of the two points at the end.
const K_BYTES: u64 = 4;
const END_BYTES: u64 = 2 * 128;
/// A power and a point of the Lagrange basis.
const ROW_BYTES: u64 = 2 * 64;

impl Srs {
    /// Whether a file has the length of one of halo2's, which follows from its `k`.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn is_halo2_file<R: Read + Seek>(reader: &mut R) -> Result<bool, PtauError> {
        let length = reader.seek(SeekFrom::End(0))?;
        reader.seek(SeekFrom::Start(0))?;
        let mut k = [0; 4];
        if length < K_BYTES {
            return Ok(false);
        }
        reader.read_exact(&mut k)?;
        reader.seek(SeekFrom::Start(0))?;
        let k = u32::from_le_bytes(k);
        Ok((1..=MAX_K).contains(&k) && length == K_BYTES + (ROW_BYTES << k) + END_BYTES)
    }

    /// Reads the powers of τ from a file that halo2 has written, for which
    /// [`Self::is_halo2_file`] holds, and keeps `2^k` of them (all, if `k` is `None`).
    ///
    /// Every power is checked as [`Self::import_ptau`] does it, kept or not. The Lagrange basis of
    /// the file is not read: it follows from the powers.
    ///
    /// # Errors
    /// The first check that fails, see [`PtauError`].
    pub fn import_halo2<R: Read + Seek>(reader: &mut R, k: Option<u32>) -> Result<Self, PtauError> {
        let mut available = [0; 4];
        reader.seek(SeekFrom::Start(0))?;
        reader.read_exact(&mut available)?;
        let available_k = u32::from_le_bytes(available);
        if available_k == 0 || available_k > MAX_K {
            return Err(PtauError::Power { power: available_k });
        }
        let k = k.unwrap_or(available_k);
        if k > available_k {
            return Err(PtauError::TooFewPowers { requested_k: k, available_k });
        }
        reader.seek(SeekFrom::Start(K_BYTES + (ROW_BYTES << available_k)))?;
        let tau_g2 = second_powers(reader)?;
        reader.seek(SeekFrom::Start(K_BYTES))?;
        let g = powers(reader, 1 << available_k, 1 << k, &tau_g2)?;
        Ok(Self::from_points(g, None, G2Affine::generator(), tau_g2))
    }
}
