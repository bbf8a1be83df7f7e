//! What a caller expects, field by field: each lie is named before any cryptography.

use zkinfer_verifier::{
    Blinding, ClaimedValues, Commitment, Digest, Expectation, InferenceClaim, JobBinding,
    KeyDigest, Mismatch, Placement, ProofFile, Rejection, Side, SrsDigest, SrsPolicy, VerifyError,
    VerifyingKey, Visibility,
};

use crate::common;

fn honest() -> (VerifyingKey, ProofFile) {
    let key = VerifyingKey::decode(include_bytes!("../vectors/toy.zkvk")).unwrap();
    let file = ProofFile::decode(include_bytes!("../vectors/toy.zkproof")).unwrap();
    (key, file)
}

/// Expects in every field what the claim says.
fn exactly<'a>(key: &'a VerifyingKey, claim: &InferenceClaim) -> Expectation<'a> {
    let JobBinding { chain_id, job_id, payee, expiry, nonce } = claim.binding;
    Expectation {
        key,
        key_digest: Some(key.digest()),
        model: Some(key.parts().model_digest),
        graph: Some(key.parts().graph_digest),
        input: Some(claim.input.clone()),
        output: Some(claim.output.clone()),
        chain_id: Some(chain_id),
        job_id: Some(job_id),
        payee: Some(payee),
        expiry: Some(expiry),
        nonce: Some(nonce),
        valid_at: Some(expiry),
    }
}

#[test]
fn an_honest_file_is_what_is_expected() {
    let (key, file) = honest();
    for expected in [Expectation::new(&key), exactly(&key, &file.claim)] {
        assert_eq!(file.check_claim(&expected), []);
        assert_eq!(expected.claim(&file.claim), file.claim);
        let evidence = file.verify(&expected, SrsPolicy::AllowInsecureDev).unwrap();
        assert_eq!(evidence.claim(), &file.claim);
        let reals = evidence.inputs().unwrap();
        let mut integers = file.claim.input.public().unwrap();
        for (real, layout) in reals.iter().zip(&key.parts().layout.inputs) {
            let (own, rest) = integers.split_at(layout.element_count());
            integers = rest;
            assert_eq!(real.values, layout.dequantize(own));
            assert_eq!((&real.name, &real.shape), (&layout.name, &layout.shape));
        }
        assert!(integers.is_empty());
    }
}

/// Does not compile when an expectation gets a field: it needs a lie below.
fn is_exhaustive(
    Expectation {
        key: _,
        key_digest: _,
        model: _,
        graph: _,
        input: _,
        output: _,
        chain_id: _,
        job_id: _,
        payee: _,
        expiry: _,
        nonce: _,
        valid_at: _,
    }: Expectation<'_>,
) {
}

/// Every field of an expectation, with a lie, the code of the mismatch, and its text.
#[test]
fn every_field_that_differs_is_named() {
    let key = common::key();
    let claim = common::claim(&key);
    let file = ProofFile::new(&key, claim.clone(), common::shaped_proof());
    is_exhaustive(Expectation::new(&key));
    type Lie = fn(&mut Expectation<'_>);
    let lies: [(&str, &str, Lie); 13] = [
        ("expected-key", "the key is", |e| e.key_digest = Some(KeyDigest(Digest([1; 32])))),
        ("model", "the key names the model 0808", |e| e.model = Some(Digest([1; 32]))),
        ("graph", "the key names the graph 0707", |e| e.graph = Some(Digest([1; 32]))),
        (
            "input",
            "the input \"mask\" differs: element 0 is 0.75, expected -2.0 (1 of 5 elements differ)",
            |e| e.input = Some(vec![-8, -1, 0, 7, -8].into()),
        ),
        (
            "output",
            "the output \"y\" differs: element 1 is 0.5, expected 0.25 (2 of 3 elements differ)",
            |e| e.output = Some(vec![1, 1, 1].into()),
        ),
        ("input-length", "the input has 5 elements, expected 1", |e| {
            e.input = Some(vec![-8].into());
        }),
        ("output-length", "the output has 3 elements, expected 4", |e| {
            e.output = Some(vec![1, 2, 3, 4].into());
        }),
        ("chain", "the proof was made for chain 1, expected 2", |e| e.chain_id = Some(2)),
        ("job", "the proof was made for job 0202", |e| e.job_id = Some([1; 32])),
        ("payee", "the proof pays 0303", |e| e.payee = Some([1; 20])),
        ("expiry", "the proof expires at 1970-01-01 00:00:04 UTC, expected never", |e| {
            e.expiry = Some(0)
        }),
        ("nonce", "the proof bears the nonce 5, expected 6", |e| e.nonce = Some(6)),
        (
            "expired",
            "the proof expired at 1970-01-01 00:00:04 UTC, before 1970-01-01 00:00:05 UTC",
            |e| e.valid_at = Some(5),
        ),
    ];
    for (code, text, lie) in lies {
        let mut expected = exactly(&key, &claim);
        lie(&mut expected);
        let found = file.check_claim(&expected);
        let [mismatch] = &found[..] else { panic!("{code}: {found:?}") };
        assert_eq!(mismatch.code(), code);
        assert!(mismatch.to_string().starts_with(text), "{mismatch}");
        let refused = file.verify(&expected, SrsPolicy::AllowInsecureDev).unwrap_err();
        assert_eq!(refused, Rejection::Mismatches(vec![mismatch.clone()]));
        assert_eq!((refused.code(), refused.to_string()), (code, mismatch.to_string()));
    }
}

/// All of them at once, in a fixed order.
#[test]
fn every_mismatch_is_listed() {
    let key = common::key();
    let claim = common::claim(&key);
    let mut other = claim.clone();
    other.model = KeyDigest(Digest([1; 32]));
    other.input = vec![-8, -1, 0, 7, 4].into();
    other.binding = JobBinding { expiry: 3, ..JobBinding::NONE };
    let file = ProofFile {
        srs: SrsDigest(Digest([1; 32])),
        ..ProofFile::new(&key, other, common::shaped_proof())
    };
    let found = file.check_claim(&exactly(&key, &claim));
    let codes: Vec<_> = found.iter().map(Mismatch::code).collect();
    let expected = ["key", "input", "chain", "job", "payee", "expiry", "nonce", "expired", "srs"];
    assert_eq!(codes, expected);
    let refused = file.verify(&exactly(&key, &claim), SrsPolicy::AllowInsecureDev).unwrap_err();
    assert_eq!(refused.to_string().matches("; ").count(), expected.len() - 1);
    let renamed = ProofFile {
        srs_name: "hermez".into(),
        ..ProofFile::new(&key, claim, common::shaped_proof())
    };
    assert_eq!(renamed.check_claim(&Expectation::new(&key)), [Mismatch::SrsName]);
}

/// Whoever expects values of a side that the key hides is told so, and the other way round.
#[test]
fn a_side_is_shown_as_the_key_says() {
    let mut parts = common::parts();
    parts.layout.output_visibility = Visibility::Committed;
    parts.layout.placement = Placement::one_column(8);
    let key = VerifyingKey::new(parts).unwrap();
    let blinding = Blinding::from_bytes(&[7; 32]).unwrap();
    let commit = |values: &[i64]| {
        let commitment = Commitment::new(&key.parts().layout.outputs, values, &blinding);
        ClaimedValues::Committed(commitment.unwrap())
    };
    let claim = InferenceClaim { output: commit(&[1, 2, 3]), ..common::claim(&key) };
    let expected = |output| Expectation { output: Some(output), ..Expectation::new(&key) };
    assert_eq!(expected(commit(&[1, 2, 3])).check(&claim), []);
    let other = expected(commit(&[1, 2, 4])).check(&claim);
    assert!(matches!(other[..], [Mismatch::Commitment { side: Side::Output, .. }]), "{other:?}");
    let (shown, hidden) = (Visibility::Public, Visibility::Committed);
    let wrong = Mismatch::Visibility { side: Side::Output, expected: hidden, got: shown };
    assert_eq!(expected(vec![1, 2, 3].into()).check(&claim), std::slice::from_ref(&wrong));
    let shows = InferenceClaim { output: vec![1, 2, 3].into(), ..claim };
    assert_eq!(Expectation::new(&key).check(&shows), [wrong]);
}

/// What is expected decides, not what the file says: a proof of another claim fails its pairing.
#[test]
fn a_claim_that_fits_and_is_not_proven_is_a_rejected_proof() {
    let (key, mut file) = honest();
    file.claim.binding.nonce ^= 1;
    let refused = file.verify(&Expectation::new(&key), SrsPolicy::AllowInsecureDev).unwrap_err();
    assert_eq!(refused, Rejection::Proof(VerifyError::Pairing));
    assert_eq!(refused.code(), "pairing");
    let untrusted = file.verify(&Expectation::new(&key), SrsPolicy::CeremonyOnly).unwrap_err();
    assert_eq!(untrusted.code(), "insecure-srs");
}
