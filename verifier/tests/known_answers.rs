//! Keys and proofs of this format version, made once: every later version must accept them, or
//! the format version changes.
//!
//! Each `NAME.zkvk` in `vectors` and `vectors/format3` comes with proofs `NAME-*.zkproof`, and `NAME-*.zkopening` for those
//! that hide something. The test of the same name in
//! the prover adds what is missing: `cargo test --release --test known_answers -- --ignored`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use zkinfer_verifier::{
    BatchItem, INSECURE_DEV, KeyFormat, Openings, Proof, ProofFile, SrsPolicy, SrsTrust,
    VerifyError, VerifyingKey, decode_point, decode_scalar, verify, verify_batch,
};

const POLICY: SrsPolicy = SrsPolicy::AllowInsecureDev;

struct Vector {
    name: String,
    key: VerifyingKey,
    proofs: Vec<ProofFile>,
    /// One for each proof that hides something.
    openings: Vec<Option<Openings>>,
}

/// The folders of known answers: of the format that is written now, and of those before it.
const FOLDERS: [&str; 2] = ["vectors", "vectors/format3"];

fn vectors() -> Vec<Vector> {
    FOLDERS.into_iter().flat_map(vectors_of).collect()
}

/// Every key of the folder with its proofs; a file of neither kind, or a proof without a key, fails.
fn vectors_of(folder: &str) -> Vec<Vector> {
    let files = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap();
    let files = files.map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    let mut paths: Vec<PathBuf> = files.collect();
    paths.sort();
    let stem = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let of_kind =
        |kind: &'static str| paths.iter().filter(move |path| path.extension().unwrap() == kind);
    let mut proofs: BTreeMap<String, Vec<ProofFile>> = BTreeMap::new();
    let mut openings: BTreeMap<String, Vec<Option<Openings>>> = BTreeMap::new();
    for path in of_kind("zkproof") {
        let stem = stem(path);
        let (name, _) = stem.rsplit_once('-').unwrap();
        let file = ProofFile::decode(&fs::read(path).unwrap());
        let file = file.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let opening = fs::read(path.with_extension("zkopening")).ok();
        let opening = opening.map(|bytes| Openings::decode(&bytes).unwrap());
        openings.entry(name.to_owned()).or_default().push(opening);
        proofs.entry(name.to_owned()).or_default().push(file);
    }
    let keys = of_kind("zkvk").map(|path| {
        let key = VerifyingKey::decode(&fs::read(path).unwrap());
        let key = key.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(key.encode(), fs::read(path).unwrap(), "{}", path.display());
        let stem = stem(path);
        let proofs = proofs.remove(&stem).unwrap_or_default();
        let openings = openings.remove(&stem).unwrap_or_default();
        let name = format!("{folder}/{stem}");
        Vector { name, key, proofs, openings }
    });
    let vectors: Vec<Vector> = keys.collect();
    assert!(proofs.is_empty(), "proofs without a key: {:?}", proofs.keys());
    assert!(!vectors.is_empty(), "no vectors");
    vectors
}

#[test]
fn every_vector_verifies() {
    for Vector { name, key, proofs, openings } in vectors() {
        for (file, openings) in proofs.iter().zip(openings) {
            let shown = [&file.claim.input, &file.claim.output].map(|side| side.public().is_some());
            assert_eq!(openings.is_none(), shown == [true; 2], "{name}");
            let opened = openings.map(|openings| openings.check(&key, &file.claim));
            assert_eq!(opened.unwrap_or(Ok(())), Ok(()), "{name}");
        }
        assert!(!proofs.is_empty(), "{name} has no proofs");
        assert_eq!(key.parts().srs.name, INSECURE_DEV, "{name}");
        for file in &proofs {
            file.check_key(&key).unwrap();
            let evidence = verify(&key, &file.claim, &file.proof, POLICY);
            let evidence = evidence.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!((evidence.claim(), evidence.srs()), (&file.claim, SrsTrust::InsecureDev));
            let refused = verify(&key, &file.claim, &file.proof, SrsPolicy::CeremonyOnly);
            assert_eq!(refused, Err(VerifyError::InsecureDevSrs), "{name}");
        }
    }
}

/// What the digests of keys of format 3 were when it was current.
#[test]
fn keys_of_format_3_keep_their_digests() {
    let expected = [
        ("cancer_mlp", "424d20e086baeb9041b995bea046d9b7bddca518b106efcbe3dd007c87a8adf0"),
        ("digits_cnn", "b1eb81e7f0144d23e0236ade86bab4bbf44246a0b74a3536a7c2c9e835e35839"),
        ("digits_mlp", "ab897afd3d1812ade0e82660fbf22b63190e01a22377e52e6aae0e3a02f0ed24"),
        ("digits_mlp_hidden", "80f34c607726375dda74a9e93de7db2302b3354021b3065da360b70f88ec769d"),
        ("mnist_lenet", "d9145433f722d4bed8765cd271f5966a1ad9be0a696c99382fb8b9307c4bbe29"),
        ("toy", "3f8f90f92dd73906b6b33cea4188debb7b8422407519dace729954017294692f"),
    ];
    let vectors = vectors_of("vectors/format3");
    let digests = vectors.iter().map(|vector| vector.key.digest().to_string());
    assert_eq!(digests.collect::<Vec<_>>(), expected.map(|(_, digest)| digest));
    for (vector, (name, _)) in vectors.iter().zip(expected) {
        assert_eq!(vector.name, format!("vectors/format3/{name}"));
        assert_eq!(vector.key.parts().format, KeyFormat::V3);
    }
}

#[test]
fn all_vectors_verify_in_one_batch() {
    let vectors = vectors();
    let items: Vec<BatchItem<'_>> = vectors
        .iter()
        .flat_map(|vector| vector.proofs.iter().map(move |file| (vector, file)))
        .map(|(Vector { key, .. }, file)| BatchItem {
            key,
            expected: &file.claim,
            proof: &file.proof,
            leaf: None,
        })
        .collect();
    let answers = verify_batch(&items, POLICY);
    assert_eq!(answers.len(), items.len());
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
}

/// A proof of one key or job is none of another.
#[test]
fn vectors_prove_nothing_else() {
    let vectors = vectors();
    for Vector { name, key, proofs, .. } in &vectors {
        for other in vectors.iter().filter(|other| other.name != *name) {
            let Some(file) = other.proofs.first() else { continue };
            let (expected, got) = (file.claim.model, key.digest());
            let wrong = VerifyError::Model { expected, got };
            assert_eq!(verify(key, &file.claim, &file.proof, POLICY), Err(wrong), "{name}");
        }
        let claims = proofs.iter().zip(proofs.iter().skip(1));
        for (one, other) in claims {
            assert_ne!(one.claim, other.claim, "{name}");
            let refused = verify(key, &one.claim, &other.proof, POLICY);
            assert_eq!(refused, Err(VerifyError::Pairing), "{name}");
        }
    }
}

/// One bit of every element, a different one in each, and the three highest ones.
#[test]
fn a_flipped_bit_of_any_element_is_refused() {
    for Vector { name, key, proofs, .. } in vectors() {
        let file = &proofs[0];
        let honest = file.proof.as_bytes();
        for element in 0..honest.len() / 32 {
            for bit in [element * 37 % 253, 253, 254, 255] {
                let mut bytes = honest.to_vec();
                bytes[element * 32 + bit / 8] ^= 1 << (bit % 8);
                let value: &[u8; 32] = bytes[element * 32..][..32].try_into().unwrap();
                let (point, scalar) = (decode_point(value), decode_scalar(value));
                let error = verify(&key, &file.claim, &Proof::new(bytes), POLICY).unwrap_err();
                let fits = match error {
                    VerifyError::Point { element: got } => got == element && point.is_none(),
                    VerifyError::Scalar { element: got } => got == element && scalar.is_none(),
                    VerifyError::Pairing => point.is_some() || scalar.is_some(),
                    _ => false,
                };
                assert!(fits, "{name}: bit {bit} of element {element}: {error:?}");
            }
        }
    }
}
