//! What the fuzzers do with their bytes. `verifier/tests/fuzz_corpus.rs` runs the same functions.
//!
//! Every function panics where the verifier breaks a promise, and else says whether the bytes
//! were accepted.

use std::sync::LazyLock;

use zkinfer_verifier::{
    BatchItem, ClaimedValues, Commitment, InferenceClaim, JobBinding, Openings, Proof, ProofFile,
    SrsPolicy, VerifyError, VerifyingKey, decode_g2, decode_point, decode_scalar, encode_g2,
    encode_point, encode_scalar, scalar_from_digest, verify, verify_batch,
};

/// The verifying key of a toy.
pub const TOY_KEY: &[u8] = include_bytes!("../../verifier/tests/vectors/toy.zkvk");
/// An honest proof of the toy.
pub const TOY_PROOF: &[u8] = include_bytes!("../../verifier/tests/vectors/toy.zkproof");

/// What is done with some bytes; whether they were accepted.
pub type Target = fn(&[u8]) -> bool;

/// Every target by its name, which is also that of its folder in the corpus.
pub const TARGETS: [(&str, Target); 6] = [
    ("claim", claim),
    ("key", key),
    ("opening", opening),
    ("proof", proof),
    ("proof_file", proof_file),
    ("verification", verification),
];

static TOY: LazyLock<(VerifyingKey, ProofFile)> = LazyLock::new(|| {
    let key = VerifyingKey::decode(TOY_KEY).expect("the vector is a key");
    let file = ProofFile::decode(TOY_PROOF).expect("the vector is a proof file");
    (key, file)
});

/// A `.zkvk` is refused, or the encoding of exactly one key.
pub fn key(bytes: &[u8]) -> bool {
    let Ok(key) = VerifyingKey::decode(bytes) else {
        return false;
    };
    assert_eq!(key.encode(), bytes, "two spellings of one key");
    let again = VerifyingKey::new(key.parts().clone()).expect("the parts of a key are a key");
    assert_eq!(again.digest(), key.digest());
    // A proof of the prescribed length reaches the elements, any other does not.
    let zeros = Proof::new(vec![0; key.proof_len()]);
    let policy = SrsPolicy::AllowSrs(key.srs_digest());
    let claim = InferenceClaim { model: key.digest(), ..TOY.1.claim.clone() };
    assert!(verify(&key, &claim, &zeros, policy).is_err());
    true
}

/// A `.zkopening` is refused, or the encoding of exactly one content, which opens no public claim.
pub fn opening(bytes: &[u8]) -> bool {
    let Ok(openings) = Openings::decode(bytes) else {
        return false;
    };
    assert_eq!(openings.encode().as_bytes(), bytes, "two spellings of one opening");
    let (key, file) = &*TOY;
    let opens = openings.input.is_some() || openings.output.is_some();
    assert!(openings.check(key, &file.claim).is_err() || !opens, "the toy's claim is public");
    true
}

/// A `.zkproof` is refused, or the encoding of exactly one file.
pub fn proof_file(bytes: &[u8]) -> bool {
    let Ok(file) = ProofFile::decode(bytes) else {
        return false;
    };
    assert_eq!(file.encode().as_bytes(), bytes, "two spellings of one file");
    // Whether it is of the toy is answered too.
    file.check_key(&TOY.0).is_ok()
}

/// Bytes in the place of the toy's proof: only the honest ones are accepted.
pub fn proof(bytes: &[u8]) -> bool {
    one_spelling(bytes);
    let (key, honest) = &*TOY;
    let proof = Proof::new(bytes.to_vec());
    let accepted = agreed(key, &honest.claim, &proof).is_ok();
    assert_eq!(accepted, proof == honest.proof, "another proof of the claim");
    accepted
}

/// Points and scalars that decode encode to the same bytes.
fn one_spelling(bytes: &[u8]) {
    for chunk in bytes.as_chunks().0 {
        assert!(decode_point(chunk).is_none_or(|point| encode_point(&point) == *chunk));
        assert!(decode_scalar(chunk).is_none_or(|scalar| encode_scalar(&scalar) == *chunk));
    }
    for chunk in bytes.as_chunks().0.iter().take(4) {
        assert!(decode_g2(chunk).is_none_or(|point| encode_g2(&point) == *chunk));
    }
}

/// Any claim goes into a file and comes back; the toy's proof proves the honest one only.
pub fn claim(bytes: &[u8]) -> bool {
    let (key, honest) = &*TOY;
    let claim = claim_from(bytes, key);
    assert_eq!(claim.binding.encode().len(), 92);
    let shown = |values: &ClaimedValues| values.public().map_or(1, <[i64]>::len);
    assert_eq!(claim.instance().len(), 2 + shown(&claim.input) + shown(&claim.output));
    let file = ProofFile::new(key, claim.clone(), honest.proof.clone());
    assert_eq!(ProofFile::decode(file.encode().as_bytes()), Ok(file));
    let accepted = agreed(key, &claim, &honest.proof).is_ok();
    assert_eq!(accepted, claim == honest.claim, "a proof of another claim");
    accepted
}

/// The fields of a claim in order; missing bytes are zeros. Odd first byte: of another model.
fn claim_from(bytes: &[u8], key: &VerifyingKey) -> InferenceClaim {
    let mut rest = bytes;
    let other_model = take::<1>(&mut rest)[0] & 1;
    let lengths = take::<2>(&mut rest);
    let binding = JobBinding {
        chain_id: u64::from_be_bytes(take(&mut rest)),
        job_id: take(&mut rest),
        payee: take(&mut rest),
        expiry: u64::from_be_bytes(take(&mut rest)),
        nonce: u64::from_be_bytes(take(&mut rest)),
    };
    let [input, output] = lengths.map(|length| values(length, &mut rest));
    let mut model = key.digest();
    model.0.0[31] ^= other_model;
    InferenceClaim { model, input, output, binding }
}

/// As many values as `length` says; a commitment for the largest length.
fn values(length: u8, rest: &mut &[u8]) -> ClaimedValues {
    if length == u8::MAX {
        let commitment = scalar_from_digest(&take(rest));
        return ClaimedValues::Committed(Commitment::from_scalar(commitment));
    }
    ClaimedValues::Public((0..length).map(|_| i64::from_be_bytes(take(rest))).collect())
}

/// The bytes that [`claim`] reads this claim from.
pub fn claim_bytes(claim: &InferenceClaim) -> Vec<u8> {
    let InferenceClaim { model: _, input, output, binding } = claim;
    let [input, output] = [input, output].map(|values| values.public().expect("a public claim"));
    let length = |values: &[i64]| u8::try_from(values.len()).expect("a small claim");
    let mut bytes = vec![0, length(input), length(output)];
    // The encoding of a binding begins with a tag of 16 bytes.
    bytes.extend(&binding.encode()[16..]);
    bytes.extend(input.iter().chain(output).flat_map(|value| value.to_be_bytes()));
    bytes
}

fn take<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
    let mut bytes = [0; N];
    let (head, tail) = rest.split_at(N.min(rest.len()));
    bytes[..head.len()].copy_from_slice(head);
    *rest = tail;
    bytes
}

/// A 32-bit length, a key of that length and a file: decoded and verified, alone and in a batch.
pub fn verification(bytes: &[u8]) -> bool {
    let Some((length, rest)) = bytes.split_first_chunk() else {
        return false;
    };
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    let Some((key, file)) = rest.split_at_checked(length) else {
        return false;
    };
    match (VerifyingKey::decode(key), ProofFile::decode(file)) {
        (Ok(key), Ok(file)) => agreed(&key, &file.claim, &file.proof).is_ok(),
        _ => false,
    }
}

/// The bytes that [`verification`] reads this key and file from.
pub fn verification_bytes(key: &[u8], file: &[u8]) -> Vec<u8> {
    let length = u32::try_from(key.len()).expect("a small key").to_be_bytes();
    [&length, key, file].concat()
}

/// The answer of `verify`, which a batch must give too, whatever else is in it.
fn agreed(key: &VerifyingKey, claim: &InferenceClaim, proof: &Proof) -> Result<(), VerifyError> {
    let policy = SrsPolicy::AllowSrs(key.srs_digest());
    let alone = verify(key, claim, proof, policy).map(|evidence| {
        assert_eq!(evidence.claim(), claim);
    });
    let (toy, honest) = &*TOY;
    let good = BatchItem { key: toy, expected: &honest.claim, proof: &honest.proof, leaf: None };
    let this = BatchItem { key, expected: claim, proof, leaf: None };
    let batch = verify_batch(&[good, this], policy);
    let good_answer = batch[0].as_ref().map(|evidence| evidence.claim());
    if key.srs_digest() == toy.srs_digest() {
        assert_eq!(good_answer, Ok(&honest.claim), "a bad proof spoils a good one");
    }
    assert_eq!(batch[1].as_ref().err(), alone.as_ref().err(), "alone and in a batch");
    alone
}
