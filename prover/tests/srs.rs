//! The SRS: made, imported, stored; and every way in which a file of it can be wrong.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    io::{Cursor, Write as _},
};

use halo2_proofs::{
    halo2curves::{
        CurveAffine,
        bn256::{Fq, Fq2, G1Affine, G2, G2Affine, pairing},
        ff::Field,
        group::{Curve, cofactor::CofactorGroup},
        serde::SerdeObject,
    },
    poly::commitment::{Params, ParamsProver},
};
use rand_core::OsRng;
use zkinfer_prover::{CacheEvent, Ceremony, PtauError, PtauPoint, Srs, SrsCache, SrsError};

const HERMEZ: &[u8] = include_bytes!("../../models/zoo/powersOfTau28_hez_final_08.ptau");
/// Offsets in that file: section headers, then the points of sections 2 and 3.
const HEADER_SECTION: usize = 12;
const G1_SECTION: usize = 68;
const G1_POINTS: usize = 80;
const G2_POINTS: usize = 32_796;

fn import(bytes: &[u8]) -> Result<Srs, PtauError> {
    Srs::import_ptau(&mut Cursor::new(bytes), None)
}

fn changed(change: impl FnOnce(&mut Vec<u8>)) -> PtauError {
    let mut bytes = HERMEZ.to_vec();
    change(&mut bytes);
    import(&bytes).unwrap_err()
}

fn stored(srs: &Srs) -> Vec<u8> {
    let mut bytes = Vec::new();
    srs.write(&mut bytes).unwrap();
    bytes
}

fn restored(bytes: &[u8]) -> Result<Srs, SrsError> {
    Srs::read(&mut &*bytes, bytes.len().try_into().unwrap())
}

fn g1_at(index: usize) -> std::ops::Range<usize> {
    G1_POINTS + 64 * index..G1_POINTS + 64 * (index + 1)
}

#[test]
fn the_dev_srs_holds_the_powers_of_one_tau() {
    let srs = Srs::insecure_dev(6).unwrap();
    assert_eq!(srs.ceremony(), Ceremony::InsecureDev);
    let g = srs.params().get_g();
    assert_eq!(g.len(), 64);
    for pair in g.windows(2) {
        assert_eq!(pairing(&pair[0], &srs.tau_g2()), pairing(&pair[1], &G2Affine::generator()));
    }
    assert_eq!(stored(&srs), stored(&Srs::insecure_dev(6).unwrap()));
}

/// The digests in the crate let a cached file skip the pairing checks, so they must be right.
#[test]
fn the_dev_srs_is_the_same_everywhere() {
    for k in [1, 4, 11] {
        let bytes = stored(&Srs::insecure_dev(k).unwrap());
        let digest: String = bytes[12..44].iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(include_str!("../src/srs/dev_digests.rs").contains(&digest), "{k}");
    }
}

#[test]
fn a_smaller_srs_is_a_part_of_the_larger() {
    let large = Srs::insecure_dev(9).unwrap();
    assert_eq!(stored(&large.downsize(6).unwrap()), stored(&Srs::insecure_dev(6).unwrap()));
    let refused = large.downsize(10).unwrap_err();
    assert!(matches!(refused, SrsError::TooFewPowers { requested_k: 10, available_k: 9 }));
}

#[test]
fn the_hermez_file_is_imported_and_recognised() {
    let srs = import(HERMEZ).unwrap();
    assert_eq!((srs.k(), srs.ceremony()), (8, Ceremony::Known("hermez")));
    assert_eq!(srs.ceremony().to_string(), "hermez");
    restored(&stored(&srs)).unwrap();
    let small = Srs::import_ptau(&mut Cursor::new(HERMEZ), Some(5)).unwrap();
    assert_eq!(stored(&small), stored(&srs.downsize(5).unwrap()));
    assert_eq!(small.tau_g2(), srs.tau_g2());
}

#[test]
fn more_powers_than_the_file_has_are_refused() {
    let refused = Srs::import_ptau(&mut Cursor::new(HERMEZ), Some(9)).unwrap_err();
    assert!(matches!(refused, PtauError::TooFewPowers { requested_k: 9, available_k: 8 }));
}

#[test]
fn a_power_of_another_secret_is_refused() {
    for index in [1, 100, 255, 256, 510] {
        let other = G1Affine::random(OsRng).to_raw_bytes();
        let refused = changed(|bytes| bytes[g1_at(index)].copy_from_slice(&other));
        assert!(matches!(refused, PtauError::Ratio { .. }), "{index}: {refused}");
    }
    let negated = changed(|bytes| {
        let y = Fq::from_raw_bytes(&bytes[g1_at(7)][32..]).unwrap();
        bytes[g1_at(7)][32..].copy_from_slice(&(-y).to_raw_bytes());
    });
    assert!(matches!(negated, PtauError::Ratio { first: 0, last: 510 }));
}

#[test]
fn swapped_powers_are_refused() {
    let refused = changed(|bytes| {
        let third = bytes[g1_at(3)].to_vec();
        bytes.copy_within(g1_at(4), g1_at(3).start);
        bytes[g1_at(4)].copy_from_slice(&third);
    });
    assert!(matches!(refused, PtauError::Ratio { .. }));
}

#[test]
fn a_point_off_the_curve_is_refused() {
    let refused = changed(|bytes| bytes[g1_at(9).start] ^= 1);
    assert!(matches!(refused, PtauError::OffCurve { point: PtauPoint::TauG1(9) }));
    let refused = changed(|bytes| bytes[G2_POINTS + 128] ^= 1);
    assert!(matches!(refused, PtauError::OffCurve { point: PtauPoint::TauG2(1) }));
}

#[test]
fn a_coordinate_above_the_modulus_is_refused() {
    let refused = changed(|bytes| bytes[g1_at(2)][..32].fill(0xff));
    assert!(matches!(refused, PtauError::NonCanonical { point: PtauPoint::TauG1(2) }));
    let refused = changed(|bytes| bytes[G2_POINTS + 128..G2_POINTS + 160].fill(0xff));
    assert!(matches!(refused, PtauError::NonCanonical { point: PtauPoint::TauG2(1) }));
}

#[test]
fn the_point_at_infinity_is_refused() {
    let refused = changed(|bytes| bytes[g1_at(300)].fill(0));
    assert!(matches!(refused, PtauError::Identity { point: PtauPoint::TauG1(300) }));
    let refused = changed(|bytes| bytes[G2_POINTS + 128..G2_POINTS + 256].fill(0));
    assert!(matches!(refused, PtauError::Identity { point: PtauPoint::TauG2(1) }));
}

#[test]
fn powers_that_do_not_begin_with_the_generator_are_refused() {
    let refused = changed(|bytes| bytes.copy_within(g1_at(1), g1_at(0).start));
    assert!(matches!(refused, PtauError::Generator { point: PtauPoint::TauG1(0) }));
    let refused = changed(|bytes| bytes.copy_within(G2_POINTS + 128..G2_POINTS + 256, G2_POINTS));
    assert!(matches!(refused, PtauError::Generator { point: PtauPoint::TauG2(0) }));
}

#[test]
fn a_point_of_g2_outside_the_subgroup_is_refused() {
    let outside = point_outside_the_subgroup().to_raw_bytes();
    let refused =
        changed(|bytes| bytes[G2_POINTS + 128..G2_POINTS + 256].copy_from_slice(&outside));
    assert!(matches!(refused, PtauError::Subgroup { point: PtauPoint::TauG2(1) }));
}

/// The twist has a large cofactor, so nearly every point on it is outside.
fn point_outside_the_subgroup() -> G2Affine {
    std::iter::successors(Some(Fq2::ONE), |x| Some(*x + Fq2::ONE))
        .filter_map(|x| {
            let y = (x.square() * x + G2Affine::b()).sqrt().into_option()?;
            G2Affine::from_xy(x, y).into_option()
        })
        .find(|point| !bool::from(G2::from(*point).is_torsion_free()))
        .unwrap()
}

#[test]
fn a_file_of_another_kind_is_refused() {
    let refused = changed(|bytes| bytes[0] = b'q');
    assert!(matches!(refused, PtauError::Magic { got } if got == *b"qtau"));
    let refused = changed(|bytes| bytes[4] = 2);
    assert!(matches!(refused, PtauError::Version { got: 2 }));
    let refused = changed(|bytes| bytes[HEADER_SECTION + 12 + 4] ^= 1);
    assert!(matches!(refused, PtauError::Curve { is_bls12_381: false, width: 32 }));
    let refused = changed(|bytes| bytes[HEADER_SECTION + 12] = 31);
    assert!(matches!(refused, PtauError::Header));
    let refused = changed(|bytes| bytes[HEADER_SECTION + 12 + 36] = 200);
    assert!(matches!(refused, PtauError::Power { power: 200 }));
}

/// A file of the other usual curve, whose header is longer.
#[test]
fn powers_of_bls12_381_are_refused_by_name() {
    let modulus = "1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffff\
                   b9feffffffffaaab";
    let digit = |at: usize| u8::from_str_radix(&modulus[at..at + 2], 16).unwrap();
    let little: Vec<u8> = (0..48).rev().map(|byte| digit(2 * byte)).collect();
    let header = [&48u32.to_le_bytes(), &little[..], &8u32.to_le_bytes(), &8u32.to_le_bytes()];
    let bytes = [
        &b"ptau"[..],
        &1u32.to_le_bytes(),
        &1u32.to_le_bytes(),
        &1u32.to_le_bytes(),
        &60u64.to_le_bytes(),
        &header.concat(),
    ];
    let refused = import(&bytes.concat()).unwrap_err();
    assert!(refused.to_string().contains("of the curve BLS12-381, not of BN254"), "{refused}");
}

/// snarkjs's `powersoftau new`: a file of one secret, which is 1.
#[test]
fn a_ceremony_without_a_contribution_is_refused() {
    let refused = changed(|bytes| {
        let generator = bytes[g1_at(0)].to_vec();
        (1..511).for_each(|index| bytes[g1_at(index)].copy_from_slice(&generator));
        bytes.copy_within(G2_POINTS..G2_POINTS + 128, G2_POINTS + 128);
    });
    assert!(matches!(refused, PtauError::NoContribution));
    let forged = with_digest(&Srs::insecure_dev(4).unwrap(), |bytes| {
        let generator = bytes[48..112].to_vec();
        (1..16).for_each(|index| bytes[48 + 64 * index..][..64].copy_from_slice(&generator));
        let g2 = bytes.len() - 256;
        bytes.copy_within(g2..g2 + 128, g2 + 128);
    });
    assert!(matches!(restored(&forged), Err(SrsError::NoContribution)));
}

/// A file of zeros takes no space on a disk, and was read to its end.
#[test]
fn a_sparse_file_is_refused_at_its_first_point() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sparse.srs");
    let bytes = stored(&Srs::insecure_dev(4).unwrap());
    for points in [0, 1, 2] {
        let mut file = fs::File::create(&path).unwrap();
        file.write_all(&[&bytes[..44], &28u32.to_le_bytes(), &bytes[48..][..64 * points]].concat())
            .unwrap();
        file.set_len(48 + (128 << 28) + 256).unwrap();
        let refused = Srs::load(&path).unwrap_err();
        match (points, refused) {
            (0, SrsError::Inconsistent | SrsError::Point { index: 0 }) => {}
            (points, SrsError::Point { index }) => assert_eq!(index, points as u64),
            (_, refused) => panic!("{points}: {refused}"),
        }
    }
}

#[test]
fn a_section_of_the_wrong_length_is_refused() {
    let length = G1_SECTION + 4..G1_SECTION + 12;
    let refused = changed(|bytes| bytes[length.clone()].fill(0xff));
    assert!(matches!(refused, PtauError::Truncated { id: 2, length: u64::MAX, .. }));
    let refused = changed(|bytes| bytes[HEADER_SECTION + 12 + 36] = 9);
    assert!(matches!(refused, PtauError::SectionSize { id: 3, expected: 65_536, got: 32_768 }));
    let refused = changed(|bytes| bytes[G1_SECTION] = 77);
    assert!(matches!(refused, PtauError::Missing { id: 2 }));
    let refused = changed(|bytes| bytes[G1_SECTION] = 3);
    assert!(matches!(refused, PtauError::Duplicate { id: 3 }));
}

#[test]
fn a_truncated_file_is_refused_at_every_length() {
    for length in (0..HERMEZ.len()).step_by(991).chain([3, 4, 11, 12, 23, 24]) {
        import(&HERMEZ[..length]).unwrap_err();
    }
    let refused = import(&HERMEZ[..G1_POINTS + 6400]).unwrap_err();
    assert!(matches!(refused, PtauError::Truncated { id: 2, length: 32_704, remaining: 6400 }));
    assert!(matches!(import(b""), Err(PtauError::Empty)));
    assert!(matches!(import(&HERMEZ[..11]), Err(PtauError::Cut { length: 11 })));
    assert!(matches!(restored(b""), Err(SrsError::Empty)));
    let refused = import(&HERMEZ[..G1_SECTION]).unwrap_err();
    assert!(matches!(refused, PtauError::TruncatedTable { index: 1, count: 11 }));
}

#[test]
fn a_damaged_srs_file_is_refused() {
    let bytes = stored(&Srs::insecure_dev(4).unwrap());
    let damaged = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = bytes.clone();
        change(&mut bytes);
        restored(&bytes).unwrap_err()
    };
    assert!(matches!(damaged(&|bytes| bytes[3] ^= 1), SrsError::Magic));
    assert!(matches!(damaged(&|bytes| bytes[11] = 2), SrsError::Magic));
    assert!(matches!(damaged(&|bytes| bytes[20] ^= 1), SrsError::Digest));
    assert!(matches!(damaged(&|bytes| bytes[44] = 5), SrsError::Length { k: 5, .. }));
    assert!(matches!(damaged(&|bytes| bytes[44] = 99), SrsError::TooLarge { k: 99 }));
    assert!(matches!(damaged(&|bytes| bytes[48 + 640] ^= 1), SrsError::Point { index: 10 }));
    assert!(matches!(damaged(&|bytes| bytes.push(0)), SrsError::Length { k: 4, .. }));
    for length in 0..bytes.len() {
        restored(&bytes[..length]).unwrap_err();
    }
}

#[test]
fn an_srs_file_with_foreign_points_and_a_right_digest_is_refused() {
    let honest = Srs::insecure_dev(4).unwrap();
    for index in [0, 5, 15, 16, 31] {
        let other = G1Affine::random(OsRng).to_raw_bytes();
        let forged = with_digest(&honest, |bytes| {
            bytes[48 + 64 * index..48 + 64 * (index + 1)].copy_from_slice(&other);
        });
        assert!(matches!(restored(&forged), Err(SrsError::Inconsistent)), "{index}");
    }
    let other_tau = (G2Affine::generator() + G2Affine::generator()).to_affine().to_raw_bytes();
    let forged = with_digest(&honest, |bytes| {
        let start = bytes.len() - 128;
        bytes[start..].copy_from_slice(&other_tau);
    });
    assert!(matches!(restored(&forged), Err(SrsError::Inconsistent)));
}

fn with_digest(srs: &Srs, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    use sha3::{Digest, Keccak256};
    let mut bytes = stored(srs);
    change(&mut bytes);
    let digest = Keccak256::digest(&bytes[44..]);
    bytes[12..44].copy_from_slice(&digest);
    bytes
}

#[test]
fn a_poisoned_cache_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let cache = SrsCache::new(folder.path());
    let event = |cache: &SrsCache| cache.insecure_dev(5).unwrap().event;
    assert!(matches!(event(&cache), CacheEvent::Made));
    assert!(matches!(event(&cache), CacheEvent::Read));
    let path = folder.path().join("srs").join("insecure-dev-5.srs");
    let right = fs::read(&path).unwrap();

    let poisons = [
        b"garbage".to_vec(),
        stored(&Srs::insecure_dev(6).unwrap()),
        stored(&Srs::import_ptau(&mut Cursor::new(HERMEZ), Some(5)).unwrap()),
    ];
    for poison in poisons {
        fs::write(&path, poison).unwrap();
        let cached = cache.insecure_dev(5).unwrap();
        assert!(matches!(cached.event, CacheEvent::Replaced { .. }));
        assert_eq!((cached.srs.k(), cached.srs.ceremony()), (5, Ceremony::InsecureDev));
        assert_eq!(fs::read(&path).unwrap(), right);
    }
}

#[test]
fn a_cache_that_cannot_be_written_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let cached = SrsCache::new(&file).insecure_dev(3).unwrap();
    assert!(matches!(cached.event, CacheEvent::NotStored { .. }));
    assert_eq!(cached.srs.params().k(), 3);
}

/// The bytes that halo2 itself writes of an SRS, as EZKL keeps them.
fn halo2_file(srs: &Srs) -> Vec<u8> {
    let mut bytes = Vec::new();
    srs.params().write(&mut bytes).unwrap();
    bytes
}

fn import_halo2(bytes: &[u8]) -> Result<Srs, PtauError> {
    let mut reader = Cursor::new(bytes);
    assert!(Srs::is_halo2_file(&mut reader).unwrap());
    Srs::import_halo2(&mut reader, None)
}

#[test]
fn a_file_of_halo2_gives_the_same_srs() {
    let hermez = import(HERMEZ).unwrap();
    let file = halo2_file(&hermez);
    assert_eq!(file.len(), (128 << hermez.k()) + 260);
    let imported = import_halo2(&file).unwrap();
    assert_eq!(imported.ceremony(), hermez.ceremony());
    assert_eq!(stored(&imported), stored(&hermez));
    let small = Srs::import_halo2(&mut Cursor::new(&file), Some(3)).unwrap();
    assert_eq!(stored(&small), stored(&hermez.downsize(3).unwrap()));
    let refused = Srs::import_halo2(&mut Cursor::new(&file), Some(9)).unwrap_err();
    assert!(matches!(refused, PtauError::TooFewPowers { requested_k: 9, available_k: 8 }));
    assert!(!Srs::is_halo2_file(&mut Cursor::new(HERMEZ)).unwrap());
    assert!(!Srs::is_halo2_file(&mut Cursor::new(&file[1..])).unwrap());
    assert!(!Srs::is_halo2_file(&mut Cursor::new(b"")).unwrap());
}

/// The Lagrange basis of the file is not read, so what is wrong in it does no harm.
#[test]
fn a_file_of_halo2_is_refused_for_every_wrong_point() {
    let file = halo2_file(&Srs::insecure_dev(3).unwrap());
    let honest = stored(&import_halo2(&file).unwrap());
    let points = 4..4 + 64 * 8;
    let lagrange = points.end..points.end + 64 * 8;
    for at in (4..file.len()).step_by(32) {
        let mut bytes = file.clone();
        bytes[at] ^= 1;
        match import_halo2(&bytes) {
            Ok(srs) => {
                assert!(lagrange.contains(&at), "byte {at} is not checked");
                assert_eq!(stored(&srs), honest);
            }
            Err(error) => {
                assert!(!lagrange.contains(&at), "byte {at}: {error}");
                assert!(matches!(error, PtauError::OffCurve { .. }), "byte {at}: {error}");
            }
        }
    }
    let mut swapped = file.clone();
    let (one, two) = (4 + 64 * 3, 4 + 64 * 4);
    swapped.copy_within(two..two + 64, one);
    assert!(matches!(import_halo2(&swapped), Err(PtauError::Ratio { .. })));
    let mut other = file.clone();
    let end = file.len() - 128;
    other[end..].copy_from_slice(&halo2_file(&import(HERMEZ).unwrap())[(128 << 8) + 132..]);
    assert!(matches!(import_halo2(&other), Err(PtauError::Ratio { .. })));
}
