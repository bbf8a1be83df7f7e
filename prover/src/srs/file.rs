//! The file an SRS is kept in.
//!
//! Layout: magic with version; keccak256 digest of the rest; the rest, in halo2's layout: `k`,
//! monomial basis, Lagrange basis, `[1]₂`, `[τ]₂`, uncompressed in Montgomery form. The digest
//! finds damage; the pairing checks find points that do not belong to `[τ]₂`, so whoever can
//! write to a cache cannot change what a key says about a model.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write},
    path::Path,
};

use halo2_proofs::{
    SerdeFormat,
    halo2curves::{
        bn256::{G1Affine, G2Affine},
        group::prime::PrimeCurveAffine,
        serde::SerdeObject,
    },
};
use sha3::{Digest, Keccak256};

use super::{
    Ceremony, MAX_K, Srs, SrsError,
    checks::{are_successive_powers, is_lagrange_basis, is_without_contribution},
    dev_digests,
};
use crate::files;

const MAGIC: [u8; 12] = *b"zkinfer-srs\x01";
const HEADER_BYTES: u64 = 12 + 32 + 4;

impl Srs {
    /// Writes the SRS in zkinfer's own format, which [`Srs::read`] reads.
    ///
    /// # Errors
    /// Whatever `writer` reports.
    pub fn write<W: Write>(&self, writer: &mut W) -> Result<(), SrsError> {
        let digest = self.digest()?;
        writer.write_all(&MAGIC)?;
        writer.write_all(&digest)?;
        self.params.write_custom(writer, SerdeFormat::RawBytes)?;
        Ok(())
    }

    /// Reads what [`Srs::write`] wrote. Every point is checked to be canonical and on its curve,
    /// the digest to match, the powers to be powers of the τ of `[τ]₂`, and the Lagrange basis to
    /// be theirs. `length` is the size of the file.
    ///
    /// # Errors
    /// The first check that fails, see [`SrsError`].
    pub fn read<R: Read>(reader: &mut R, length: u64) -> Result<Self, SrsError> {
        Self::read_with(reader, length, None)
    }

    /// [`Srs::read`] without the checks by pairings if the file's digest is `known`.
    fn read_with<R: Read>(
        reader: &mut R,
        length: u64,
        known: Option<&[u8; 32]>,
    ) -> Result<Self, SrsError> {
        let (digest, k) = read_header(reader, length)?;
        let mut points =
            Points { reader, digest: Keccak256::new_with_prefix(k.to_le_bytes()), read: 0 };
        // Before the rest is read: a file may be much larger than what it took to make it.
        let first: G1Affine = points.power()?;
        if first != G1Affine::generator() {
            return Err(SrsError::Inconsistent);
        }
        let rest = (1..1u64 << k).map(|_| points.power());
        let g = std::iter::once(Ok(first)).chain(rest).collect::<Result<Vec<_>, _>>()?;
        let lagrange = g.iter().map(|_| points.power()).collect::<Result<Vec<_>, _>>()?;
        let g2: G2Affine = points.next::<128, _>()?;
        let tau_g2: G2Affine = points.next::<128, _>()?;
        if points.digest.finalize()[..] != digest {
            return Err(SrsError::Digest);
        }
        if g2 != G2Affine::generator() || bool::from(tau_g2.is_identity()) {
            return Err(SrsError::Inconsistent);
        }
        if is_without_contribution(&tau_g2) {
            return Err(SrsError::NoContribution);
        }
        let powers = known == Some(&digest)
            || dev_digests::is_known(k, &digest)
            || are_successive_powers(&g, &tau_g2) && is_lagrange_basis(&lagrange, &g);
        if !powers {
            return Err(SrsError::Inconsistent);
        }
        Ok(Self::from_points(g, Some(lagrange), g2, tau_g2))
    }

    /// The digest of the file that [`Srs::write`] makes.
    ///
    /// # Errors
    /// None: nothing is written.
    pub fn digest(&self) -> Result<[u8; 32], SrsError> {
        let mut digest = DigestWriter(Keccak256::new());
        self.params.write_custom(&mut digest, SerdeFormat::RawBytes)?;
        Ok(digest.0.finalize().into())
    }

    /// Reads a file that was checked before, and had this digest then: everything but the powers
    /// and their Lagrange basis is checked again. For provers, whose proofs are verified against a
    /// key that they have from elsewhere; a file with this digest in its head and other powers
    /// gives proofs that do not verify.
    ///
    /// # Errors
    /// As [`Srs::load`]; another file is checked in full.
    pub fn load_known(path: &Path, digest: &[u8; 32]) -> Result<Self, SrsError> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        Self::read_with(&mut BufReader::with_capacity(1 << 20, file), length, Some(digest))
    }

    /// Whether a file says that it has this digest; nothing of it is checked.
    pub(super) fn is_file_of(path: &Path, digest: &[u8; 32]) -> bool {
        let head = File::open(path).map_err(SrsError::from).and_then(|mut file| {
            let length = file.metadata()?.len();
            read_header(&mut file, length)
        });
        head.is_ok_and(|(found, _)| found == *digest)
    }

    /// Who made the SRS of a file, as told by its `[τ]₂`; nothing else is read, and no power is
    /// checked.
    ///
    /// # Errors
    /// If the file cannot be read, or is not in zkinfer's format.
    pub fn ceremony_of_file(path: &Path) -> Result<Ceremony, SrsError> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        let (_, k) = read_header(&mut file, length)?;
        file.seek(SeekFrom::Start(HEADER_BYTES + (128u64 << k) + 128))?;
        let mut bytes = [0; 128];
        file.read_exact(&mut bytes)?;
        let index = (2u64 << k) + 1;
        let tau_g2 = G2Affine::from_raw_bytes(&bytes).ok_or(SrsError::Point { index })?;
        Ok(Ceremony::recognise(&tau_g2))
    }

    /// Writes the SRS to a file, whole or not at all.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), SrsError> {
        files::write_whole(path, |file| {
            let mut writer = BufWriter::new(file);
            self.write(&mut writer)?;
            Ok(writer.flush()?)
        })
    }

    /// Reads the SRS from a file, see [`Srs::read`].
    ///
    /// # Errors
    /// If the file cannot be read or a check fails.
    pub fn load(path: &Path) -> Result<Self, SrsError> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        Self::read(&mut BufReader::with_capacity(1 << 20, file), length)
    }
}

/// The digest and `k`, once the file is known to have the size that `k` implies.
fn read_header<R: Read>(reader: &mut R, length: u64) -> Result<([u8; 32], u32), SrsError> {
    if length == 0 {
        return Err(SrsError::Empty);
    }
    if length < HEADER_BYTES {
        return Err(SrsError::Magic);
    }
    let (mut magic, mut digest, mut k) = ([0; 12], [0; 32], [0; 4]);
    reader.read_exact(&mut magic)?;
    reader.read_exact(&mut digest)?;
    reader.read_exact(&mut k)?;
    if magic != MAGIC {
        return Err(SrsError::Magic);
    }
    let k = u32::from_le_bytes(k);
    if k > MAX_K {
        return Err(SrsError::TooLarge { k });
    }
    let expected = HEADER_BYTES + (128u64 << k) + 256;
    if length != expected {
        return Err(SrsError::Length { k, expected });
    }
    Ok((digest, k))
}

/// Points read one after the other, with the digest of their bytes.
struct Points<'r, R> {
    reader: &'r mut R,
    digest: Keccak256,
    read: u64,
}

impl<R: Read> Points<'_, R> {
    /// A point of G1 that is not the identity, as no power of τ is, and no member of a Lagrange
    /// basis of a τ outside its domain.
    fn power(&mut self) -> Result<G1Affine, SrsError> {
        let index = self.read;
        let point: G1Affine = self.next::<64, _>()?;
        if point.is_identity().into() { Err(SrsError::Point { index }) } else { Ok(point) }
    }

    /// `BYTES` is 64 for a point of G1 and 128 for one of G2.
    fn next<const BYTES: usize, P: SerdeObject>(&mut self) -> Result<P, SrsError> {
        let mut bytes = [0; BYTES];
        self.reader.read_exact(&mut bytes)?;
        self.digest.update(bytes);
        let point = P::from_raw_bytes(&bytes).ok_or(SrsError::Point { index: self.read })?;
        self.read += 1;
        Ok(point)
    }
}

struct DigestWriter(Keccak256);

impl Write for DigestWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
