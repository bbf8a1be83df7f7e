//! A key with one of everything, in three phases, for tests that need no true proof.

use ark_ec::{AffineRepr, CurveGroup};
use zkinfer_verifier::{
    Column, ConstraintSystem, Digest, Expression, Fr, G1Affine, G2Affine, INSECURE_DEV,
    InferenceClaim, InstanceLayout, Instruction, JobBinding, KeyFormat, KeyParts, Proof, Query,
    SrsId, TensorLayout, VerifyingKey, Visibility, encode_point, encode_scalar,
};

/// `i·G`.
pub(crate) fn point(i: u64) -> G1Affine {
    (G1Affine::generator() * Fr::from(i)).into_affine()
}

pub(crate) fn parts() -> KeyParts {
    use Instruction::{Add, Advice, Challenge, Constant, Fixed, Instance, Multiply, Negate, Scale};
    let gate = vec![
        Advice(0),
        Advice(1),
        Multiply,
        Challenge(0),
        Multiply,
        Fixed(0),
        Constant(Fr::from(9)),
        Add,
        Negate,
        Add,
        Instance(1),
        Scale(Fr::from(3)),
        Add,
    ];
    let query = |column, rotation| Query { column, rotation };
    KeyParts {
        format: KeyFormat::V4,
        semantics: 1,
        k: 5,
        constraint_system: ConstraintSystem {
            advice_phases: vec![2, 0, 1, 0],
            challenge_phases: vec![1, 0, 2, 0],
            advice_queries: vec![query(0, 0), query(1, -1), query(2, 1), query(3, 0), query(1, 0)],
            fixed_queries: vec![query(1, 0), query(0, 0)],
            instance_queries: vec![query(0, 0), query(0, 1)],
            gates: vec![Expression::new(gate).unwrap()],
            permutation: vec![Column::Advice(3), Column::Fixed(0), Column::Instance(0)],
            degree: 4,
        },
        fixed_commitments: vec![point(21), G1Affine::identity()],
        sigma_commitments: vec![point(31), point(32), point(33)],
        transcript_repr: Fr::from(77),
        srs: SrsId {
            name: INSECURE_DEV.into(),
            g2_tau: (G2Affine::generator() * Fr::from(5)).into_affine(),
        },
        layout: InstanceLayout::new(
            vec![tensor("x", &[2, 2]), tensor("mask", &[])],
            vec![tensor("y", &[3])],
            Visibility::Public,
            Visibility::Public,
        ),
        boundaries: vec![],
        model_name: Some("a model".into()),
        model_digest: Digest([8; 32]),
        graph_digest: Digest([7; 32]),
        accuracy_digest: Digest([9; 32]),
    }
}

fn tensor(name: &str, shape: &[u32]) -> TensorLayout {
    let (name, shape, scales) = (name.into(), shape.to_vec(), vec![0.25]);
    TensorLayout { name, shape, scales, lo: -8, hi: 7, classes: None }
}

pub(crate) fn key() -> VerifyingKey {
    VerifyingKey::new(parts()).unwrap()
}

pub(crate) fn claim(key: &VerifyingKey) -> InferenceClaim {
    InferenceClaim {
        model: key.digest(),
        input: vec![-8, -1, 0, 7, 3].into(),
        output: vec![1, 2, 3].into(),
        binding: JobBinding { chain_id: 1, job_id: [2; 32], payee: [3; 20], expiry: 4, nonce: 5 },
    }
}

/// Advice 1 and 3, 2, 0; two products; random polynomial; three quotient pieces.
pub(crate) const LEADING_POINTS: u64 = 10;
/// Advice 5, fixed 2, random 1, sigma 3, products 3 + 2.
pub(crate) const SCALARS: u64 = 16;

/// A proof of the right shape that proves nothing: element `i` is `(100 + i)·G` or `100 + i`.
pub(crate) fn shaped_proof() -> Proof {
    let points = |range: std::ops::Range<u64>| range.map(|i| encode_point(&point(100 + i)));
    let after = LEADING_POINTS + SCALARS;
    let scalars = (LEADING_POINTS..after).map(|i| encode_scalar(&Fr::from(100 + i)));
    let elements = points(0..LEADING_POINTS).chain(scalars).chain(points(after..after + 2));
    Proof::new(elements.flatten().collect())
}
