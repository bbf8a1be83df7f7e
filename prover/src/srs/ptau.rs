//! Importing the powers of τ of a ceremony from snarkjs's `.ptau` format.
//!
//! Layout: `ptau`, version, section count; each section: id, length, bytes. Section 1 is the
//! header, 2 holds `[τ^i]₁` for `i < 2^(p+1) − 1`, 3 holds `[τ^i]₂` for `i < 2^p`. Coordinates are
//! uncompressed, little-endian, in Montgomery form. Numbers are little-endian.

use std::io::{Read, Seek, SeekFrom};

use halo2_proofs::halo2curves::{
    CurveAffine,
    bn256::{Fq, Fq2, G1Affine, G2, G2Affine},
    ff::PrimeField,
    group::{cofactor::CofactorGroup, prime::PrimeCurveAffine},
    serde::SerdeObject,
};

use super::{
    Ceremony, MAX_K, Srs,
    checks::{are_successive_powers, is_without_contribution},
    error::{PtauError, PtauPoint},
};

const HEADER: u32 = 1;
const TAU_G1: u32 = 2;
const TAU_G2: u32 = 3;
/// Magic, version and section count.
const PREFIX_BYTES: u64 = 12;
const G1_BYTES: usize = 64;
const G2_BYTES: usize = 128;

/// Points read and checked at a time; what bounds the memory beside the points that are kept.
const CHUNK: usize = 1 << 14;

/// No `.ptau` has more sections; bounds the work on a hostile file.
const MAX_SECTIONS: u32 = 64;

impl Srs {
    /// Reads the powers of τ from a `.ptau` file and keeps `2^k` of them (all, if `k` is `None`).
    ///
    /// Every `[τ^i]₁` of the file is checked, kept or not: canonical, on the curve, not the
    /// identity, and τ times its predecessor for the τ of `[τ]₂` (by pairings). The file is
    /// streamed; memory is proportional to `2^k`.
    ///
    /// # Errors
    /// The first check that fails, see [`PtauError`].
    pub fn import_ptau<R: Read + Seek>(reader: &mut R, k: Option<u32>) -> Result<Self, PtauError> {
        let sections = Sections::read(reader)?;
        let power = sections.power(reader)?;
        let k = k.unwrap_or(power);
        if k > power {
            return Err(PtauError::TooFewPowers { requested_k: k, available_k: power });
        }
        let tau_g2 = sections.tau_g2(reader, power)?;
        let g = sections.tau_g1(reader, power, 1 << k, &tau_g2)?;
        Ok(Self::from_points(g, None, G2Affine::generator(), tau_g2))
    }
}

impl Srs {
    /// Who made the powers of a `.ptau` file, as told by its `[τ]₂`; no power is checked.
    ///
    /// # Errors
    /// If the file cannot be read, or is no `.ptau` of this curve with a contribution.
    pub fn ceremony_of_ptau<R: Read + Seek>(reader: &mut R) -> Result<Ceremony, PtauError> {
        let sections = Sections::read(reader)?;
        let power = sections.power(reader)?;
        Ok(Ceremony::recognise(&sections.tau_g2(reader, power)?))
    }
}

/// Where the sections that are needed lie: offset and length.
#[derive(Default)]
struct Sections {
    header: Option<(u64, u64)>,
    tau_g1: Option<(u64, u64)>,
    tau_g2: Option<(u64, u64)>,
}

impl Sections {
    fn read<R: Read + Seek>(reader: &mut R) -> Result<Self, PtauError> {
        let end = reader.seek(SeekFrom::End(0))?;
        reader.seek(SeekFrom::Start(0))?;
        if end == 0 {
            return Err(PtauError::Empty);
        }
        if end < PREFIX_BYTES {
            return Err(PtauError::Cut { length: end });
        }
        let got = array(reader)?;
        if got != *b"ptau" {
            return Err(PtauError::Magic { got });
        }
        let version = u32::from_le_bytes(array(reader)?);
        if version != 1 {
            return Err(PtauError::Version { got: version });
        }
        let count = u32::from_le_bytes(array(reader)?);
        let mut sections = Self::default();
        let mut position = PREFIX_BYTES;
        for index in 0..count.min(MAX_SECTIONS) {
            if end - position < 12 {
                return Err(PtauError::TruncatedTable { index, count });
            }
            let id = u32::from_le_bytes(array(reader)?);
            let length = u64::from_le_bytes(array(reader)?);
            position += 12;
            if length > end - position {
                return Err(PtauError::Truncated { id, length, remaining: end - position });
            }
            sections.note(id, (position, length))?;
            position += length;
            reader.seek(SeekFrom::Start(position))?;
        }
        Ok(sections)
    }

    fn note(&mut self, id: u32, place: (u64, u64)) -> Result<(), PtauError> {
        let slot = match id {
            HEADER => &mut self.header,
            TAU_G1 => &mut self.tau_g1,
            TAU_G2 => &mut self.tau_g2,
            _ => return Ok(()),
        };
        match slot.replace(place) {
            None => Ok(()),
            Some(_) => Err(PtauError::Duplicate { id }),
        }
    }

    /// Reads the header: the field's modulus and the size of the ceremony.
    fn power<R: Read + Seek>(&self, reader: &mut R) -> Result<u32, PtauError> {
        let (offset, got) = self.header.ok_or(PtauError::Missing { id: HEADER })?;
        // Four bytes before the modulus, eight behind it.
        let width = got.saturating_sub(12);
        reader.seek(SeekFrom::Start(offset))?;
        let says = if got < 4 { 0 } else { u64::from(u32::from_le_bytes(array(reader)?)) };
        if says != width || width > 1024 {
            return Err(PtauError::Header);
        }
        let mut modulus = vec![0; usize::try_from(width).map_err(|_| PtauError::Header)?];
        reader.read_exact(&mut modulus)?;
        if modulus != base_field_modulus() {
            return Err(PtauError::Curve { is_bls12_381: modulus == BLS12_381_MODULUS, width });
        }
        let power = u32::from_le_bytes(array(reader)?);
        if power > MAX_K {
            return Err(PtauError::Power { power });
        }
        Ok(power)
    }

    /// Checks `[1]₂` and reads `[τ]₂`.
    fn tau_g2<R: Read + Seek>(&self, reader: &mut R, power: u32) -> Result<G2Affine, PtauError> {
        enter(reader, TAU_G2, self.tau_g2, (1u64 << power) * 128)?;
        if power == 0 {
            return Err(PtauError::Power { power });
        }
        second_powers(reader)
    }

    /// Checks every `[τ^i]₁` and returns the first `keep`.
    fn tau_g1<R: Read + Seek>(
        &self,
        reader: &mut R,
        power: u32,
        keep: usize,
        tau_g2: &G2Affine,
    ) -> Result<Vec<G1Affine>, PtauError> {
        let count = (2u64 << power) - 1;
        enter(reader, TAU_G1, self.tau_g1, count * 64)?;
        powers(reader, count, keep, tau_g2)
    }
}

/// Reads `count` points, checks that they are the powers of the τ of `tau_g2`, and returns the
/// first `keep`.
pub(super) fn powers<R: Read>(
    reader: &mut R,
    count: u64,
    keep: usize,
    tau_g2: &G2Affine,
) -> Result<Vec<G1Affine>, PtauError> {
    let mut kept = Vec::with_capacity(keep);
    // Each chunk begins with the last point of the one before, so no step goes unchecked.
    let mut chunk: Vec<G1Affine> = Vec::with_capacity(CHUNK + 1);
    for index in 0..count {
        let point = g1_point(&array(reader)?, PtauPoint::TauG1(index))?;
        if index == 0 && point != G1Affine::generator() {
            return Err(PtauError::Generator { point: PtauPoint::TauG1(0) });
        }
        if kept.len() < keep {
            kept.push(point);
        }
        chunk.push(point);
        if chunk.len() > CHUNK || index + 1 == count {
            if !are_successive_powers(&chunk, tau_g2) {
                let steps = u64::try_from(chunk.len()).unwrap_or(0).saturating_sub(1);
                return Err(PtauError::Ratio { first: index - steps, last: index });
            }
            chunk = vec![point];
        }
    }
    Ok(kept)
}

/// Reads `[1]₂` and `[τ]₂`, and checks that the one is the generator and the other a secret's.
pub(super) fn second_powers<R: Read>(reader: &mut R) -> Result<G2Affine, PtauError> {
    let one = g2_point(&array(reader)?, PtauPoint::TauG2(0))?;
    if one != G2Affine::generator() {
        return Err(PtauError::Generator { point: PtauPoint::TauG2(0) });
    }
    let tau = g2_point(&array(reader)?, PtauPoint::TauG2(1))?;
    if is_without_contribution(&tau) {
        return Err(PtauError::NoContribution);
    }
    if !bool::from(G2::from(tau).is_torsion_free()) {
        return Err(PtauError::Subgroup { point: PtauPoint::TauG2(1) });
    }
    Ok(tau)
}

/// Goes to the beginning of a section, which must have exactly the length given.
fn enter<R: Seek>(
    reader: &mut R,
    id: u32,
    place: Option<(u64, u64)>,
    expected: u64,
) -> Result<(), PtauError> {
    let (offset, got) = place.ok_or(PtauError::Missing { id })?;
    if got != expected {
        return Err(PtauError::SectionSize { id, expected, got });
    }
    reader.seek(SeekFrom::Start(offset))?;
    Ok(())
}

fn array<R: Read, const N: usize>(reader: &mut R) -> Result<[u8; N], PtauError> {
    let mut bytes = [0; N];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn g1_point(bytes: &[u8; G1_BYTES], point: PtauPoint) -> Result<G1Affine, PtauError> {
    let [x, y] = coordinates(bytes.as_chunks().0, point)?;
    on_curve(G1Affine::from_xy(x, y).into(), point)
}

fn g2_point(bytes: &[u8; G2_BYTES], point: PtauPoint) -> Result<G2Affine, PtauError> {
    let [x0, x1, y0, y1] = coordinates(bytes.as_chunks().0, point)?;
    on_curve(G2Affine::from_xy(Fq2 { c0: x0, c1: x1 }, Fq2 { c0: y0, c1: y1 }).into(), point)
}

fn coordinates<const N: usize>(
    chunks: &[[u8; 32]],
    point: PtauPoint,
) -> Result<[Fq; N], PtauError> {
    let mut coordinates = [Fq::zero(); N];
    for (coordinate, bytes) in coordinates.iter_mut().zip(chunks) {
        *coordinate = Fq::from_raw_bytes(bytes).ok_or(PtauError::NonCanonical { point })?;
    }
    Ok(coordinates)
}

fn on_curve<P: PrimeCurveAffine>(decoded: Option<P>, point: PtauPoint) -> Result<P, PtauError> {
    let decoded = decoded.ok_or(PtauError::OffCurve { point })?;
    if bool::from(decoded.is_identity()) {
        return Err(PtauError::Identity { point });
    }
    Ok(decoded)
}

/// The base field of BLS12-381, little-endian: the other curve that such files are made for.
const BLS12_381_MODULUS: [u8; 48] = [
    0xab, 0xaa, 0xff, 0xff, 0xff, 0xff, 0xfe, 0xb9, 0xff, 0xff, 0x53, 0xb1, 0xfe, 0xff, 0xab, 0x1e,
    0x24, 0xf6, 0xb0, 0xf6, 0xa0, 0xd2, 0x30, 0x67, 0xbf, 0x12, 0x85, 0xf3, 0x84, 0x4b, 0x77, 0x64,
    0xd7, 0xac, 0x4b, 0x43, 0xb6, 0xa7, 0x1b, 0x4b, 0x9a, 0xe6, 0x7f, 0x39, 0xea, 0x11, 0x01, 0x1a,
];

/// Little-endian.
fn base_field_modulus() -> [u8; 32] {
    // −1 is the modulus less one, which is even, so adding one carries nowhere.
    let mut bytes = (-Fq::one()).to_repr();
    bytes[0] += 1;
    bytes
}
