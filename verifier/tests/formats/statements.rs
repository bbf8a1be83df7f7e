//! What a proof is about: one claim, several, or a part of a model. Each has its own check.

use ark_ff::MontFp;
use zkinfer_verifier::{
    Boundary, ClaimedValues, Commitment, Digest, Fr, InferenceClaim, JobBinding, KeyDigest,
    KeyParts, Leaf, Placement, Side, SrsPolicy, VerifyError, VerifyingKey, Visibility, joint,
    verify, verify_joint, verify_leaf, verify_part,
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
    let paths = joint::Tree::default().paths(&claims).unwrap();
    for (index, (claim, path)) in claims.iter().zip(paths).enumerate() {
        let checked = |index: usize, path: &[Fr]| {
            let leaf = Leaf { index: u32::try_from(index).unwrap(), path: path.to_vec() };
            verify_leaf(&key, claim, &leaf, &proof, POLICY).unwrap_err()
        };
        assert_eq!(checked(index, &path), VerifyError::Pairing);
        let wrong = |index| VerifyError::Path { claims: 5, index };
        assert_eq!(checked(index, &[]), wrong(index));
        assert_eq!(checked(5, &path), wrong(5));
    }
}

/// Roots that another implementation of Poseidon, of Keccak and of the tree has computed, of claims
/// with the numbers of jobs from 0 on, input commitments from 100 on and output commitments from 200.
#[test]
fn roots_of_five_and_seven_claims_are_known() {
    let committed = |value: u64| ClaimedValues::Committed(Commitment::from_scalar(Fr::from(value)));
    let claim = |index: u64| InferenceClaim {
        model: KeyDigest(Digest::ZERO),
        input: committed(100 + index),
        output: committed(200 + index),
        binding: JobBinding { nonce: index, ..JobBinding::NONE },
    };
    let root = |count| joint::Tree::default().root(&(0..count).map(claim).collect::<Vec<_>>());
    let five =
        MontFp!("19731860246668030291092729275329177703557145301982315801201080544187797751156");
    let seven =
        MontFp!("16999411903238119536666736628129184413835999764603274371529412396536314586690");
    assert_eq!((root(5), root(7)), (Some(five), Some(seven)));
}
