//! What a proof is about: one claim, several, or a part of a model. Each has its own check.

use zkinfer_verifier::{
    Boundary, Commitment, Digest, Fr, InferenceClaim, KeyParts, Placement, Side, SrsPolicy,
    VerifyError, VerifyingKey, Visibility, joint, verify, verify_joint, verify_leaf, verify_part,
};

use crate::common;

const POLICY: SrsPolicy = SrsPolicy::AllowInsecureDev;

fn key_with(edit: impl FnOnce(&mut KeyParts)) -> VerifyingKey {
    let mut parts = common::parts();
    edit(&mut parts);
    VerifyingKey::new(parts).unwrap()
}

fn joint_key(claims: u32) -> VerifyingKey {
    key_with(|parts| {
        parts.layout.claims = claims;
        parts.layout.input_visibility = Visibility::Committed;
        parts.layout.output_visibility = Visibility::Committed;
        parts.layout.placement = Placement::one_column(1);
    })
}

fn hidden_claims(key: &VerifyingKey, count: u64) -> Vec<InferenceClaim> {
    let committed = |value| Commitment::from_scalar(Fr::from(value));
    let claim = |index| InferenceClaim {
        model: key.digest(),
        input: zkinfer_verifier::ClaimedValues::Committed(committed(index)),
        output: zkinfer_verifier::ClaimedValues::Committed(committed(100 + index)),
        binding: common::claim(key).binding,
    };
    (0..count).map(claim).collect()
}

#[test]
fn a_part_of_a_model_is_no_inference() {
    let whole = common::key();
    let part = key_with(|parts| {
        let (side, columns, layout) = (Side::Output, vec![1, 3], Digest([1; 32]));
        parts.constraint_system.advice_phases[1] = 0;
        parts.boundaries = vec![Boundary { side, columns, layout }];
    });
    let proof = common::shaped_proof();
    let claim = common::claim(&part);
    assert_eq!(verify(&part, &claim, &proof, POLICY), Err(VerifyError::Part));
    let joint = verify_joint(&part, std::slice::from_ref(&claim), &proof, POLICY);
    assert_eq!(joint, Err(VerifyError::Part));
    // The proof proves nothing: the check of parts gets as far as the pairing.
    assert_eq!(verify_part(&part, &claim, &proof, POLICY), Err(VerifyError::Pairing));
    let refused = verify_part(&whole, &common::claim(&whole), &proof, POLICY);
    assert_eq!(refused, Err(VerifyError::Whole));
}

#[test]
fn a_proof_of_several_claims_is_about_all_of_them() {
    let key = joint_key(3);
    let (claims, proof) = (hidden_claims(&key, 3), common::shaped_proof());
    let single = verify(&key, &claims[0], &proof, POLICY);
    assert_eq!(single, Err(VerifyError::Joint { claims: 3 }));
    let two = verify_joint(&key, &claims[..2], &proof, POLICY);
    assert_eq!(two, Err(VerifyError::ClaimCount { expected: 3, got: 2 }));
    assert_eq!(verify_joint(&key, &claims, &proof, POLICY), Err(VerifyError::Pairing));
    let alone = common::key();
    let refused = verify_joint(&alone, &[common::claim(&alone)], &proof, POLICY);
    assert_eq!(refused, Err(VerifyError::Single));
    let mut other = claims.clone();
    other[1].model = alone.digest();
    let wrong = VerifyError::Model { expected: alone.digest(), got: key.digest() };
    assert_eq!(verify_joint(&key, &other, &proof, POLICY), Err(wrong));
}

#[test]
fn one_claim_of_several_is_checked_by_its_path() {
    let key = joint_key(5);
    let (claims, proof) = (hidden_claims(&key, 5), common::shaped_proof());
    let tree = joint::Tree::default();
    for (index, claim) in claims.iter().enumerate() {
        let path = tree.path(&claims, index).unwrap();
        let checked =
            |index, path: &[Fr]| verify_leaf(&key, claim, index, path, &proof, POLICY).unwrap_err();
        assert_eq!(checked(index, &path), VerifyError::Pairing);
        let wrong = |index| VerifyError::Path { claims: 5, index };
        assert_eq!(checked(index, &[]), wrong(index));
        assert_eq!(checked(5, &path), wrong(5));
    }
}
