//! The `.zkvk` format: exact, canonical, bounded.

use proptest::prelude::*;
use zkinfer_verifier::{
    Column, Expression, ExpressionError, Fr, G1Affine, G2Affine, Instruction, KeyError, KeyParts,
    Query, VerifyingKey, Visibility,
};

use crate::common;

const TOY: &[u8] = include_bytes!("../vectors/toy.zkvk");

/// Either refused, or the one key whose encoding the bytes are.
fn decode_is_exact(bytes: &[u8]) -> Option<VerifyingKey> {
    let key = VerifyingKey::decode(bytes).ok()?;
    assert_eq!(key.encode(), bytes, "two spellings of one key");
    Some(key)
}

#[test]
fn keys_round_trip() {
    let key = common::key();
    assert_eq!(decode_is_exact(&key.encode()), Some(key));
    assert!(decode_is_exact(TOY).is_some());
}

#[test]
fn every_flipped_byte_is_refused_or_another_key() {
    for original in [TOY.to_vec(), common::key().encode()] {
        let digest = VerifyingKey::decode(&original).unwrap().digest();
        let mut bytes = original;
        for index in 0..bytes.len() {
            for flip in [0x01, 0x80, 0xff] {
                bytes[index] ^= flip;
                if let Some(key) = decode_is_exact(&bytes) {
                    assert_ne!(key.digest(), digest, "byte {index}");
                }
                bytes[index] ^= flip;
            }
        }
    }
}

#[test]
fn every_truncation_and_trailing_bytes_are_refused() {
    let bytes = common::key().encode();
    for len in 0..bytes.len() {
        let error = VerifyingKey::decode(&bytes[..len]).unwrap_err();
        let truncated = matches!(error, KeyError::Truncated { offset } if offset <= len);
        assert!(truncated, "{len}: {error:?}");
    }
    let longer = [&bytes[..], &[0; 3]].concat();
    assert_eq!(VerifyingKey::decode(&longer), Err(KeyError::TrailingBytes { count: 3 }));
}

#[test]
fn another_magic_or_version_is_refused() {
    let mut bytes = common::key().encode();
    // Version 1 had no accuracy report.
    bytes[9] = 1;
    assert_eq!(VerifyingKey::decode(&bytes), Err(KeyError::Version { got: 1 }));
    bytes[0] = b'z';
    assert_eq!(VerifyingKey::decode(&bytes), Err(KeyError::Magic));
}

/// Whatever four bytes are the length of a list: gigabytes are never allocated for it.
#[test]
fn hostile_lengths_are_refused_before_allocation() {
    let bytes = common::key().encode();
    let (mut limited, mut truncated) = (0, 0);
    for hostile in [u32::MAX, 0x7fff_ffff, 0x0001_0000, 0x0000_1000] {
        for offset in 0..bytes.len() - 4 {
            let mut bytes = bytes.clone();
            bytes[offset..offset + 4].copy_from_slice(&hostile.to_be_bytes());
            match VerifyingKey::decode(&bytes) {
                Err(KeyError::Limit { .. }) => limited += 1,
                Err(KeyError::Truncated { .. }) => truncated += 1,
                _ => {}
            }
        }
    }
    // 14 lists in the file, each hit by every hostile length.
    assert!(limited >= 14 && truncated >= 14, "{limited} {truncated}");
}

type Edit = fn(&mut KeyParts);

fn refused(edits: &[(Edit, KeyError)]) {
    for (index, (edit, expected)) in edits.iter().enumerate() {
        let mut parts = common::parts();
        edit(&mut parts);
        assert_eq!(VerifyingKey::new(parts).unwrap_err(), *expected, "edit {index}");
    }
}

#[test]
fn queries_that_collide_or_lead_nowhere_are_refused() {
    refused(&[
        (
            |parts| {
                let queries = &mut parts.constraint_system.advice_queries;
                queries.push(queries[1]);
            },
            KeyError::DuplicateQuery { list: "advice queries", index: 5 },
        ),
        (
            // Of 32 rows, −1 and 31 are the same.
            |parts| {
                let query = Query { column: 1, rotation: 31 };
                parts.constraint_system.advice_queries.push(query);
            },
            KeyError::DuplicateQuery { list: "advice queries", index: 5 },
        ),
        (
            |parts| parts.constraint_system.instance_queries.push(-31),
            KeyError::DuplicateQuery { list: "instance queries", index: 2 },
        ),
        (
            |parts| parts.constraint_system.fixed_queries[1].rotation = 32,
            KeyError::QueryRotation { list: "fixed queries", index: 1 },
        ),
        (
            |parts| parts.constraint_system.fixed_queries[1].rotation = i32::MIN,
            KeyError::QueryRotation { list: "fixed queries", index: 1 },
        ),
        (
            |parts| parts.constraint_system.advice_queries[0].column = 4,
            KeyError::QueryColumn { list: "advice queries", index: 0 },
        ),
        (
            |parts| parts.constraint_system.fixed_queries[0].column = 2,
            KeyError::QueryColumn { list: "fixed queries", index: 0 },
        ),
    ]);
}

/// As a file, where a forger would put them: the two openings would be of one commitment at one
/// point, and a proof could give each its own value.
#[test]
fn colliding_rotations_are_refused_in_the_file() {
    let bytes = common::key().encode();
    // Columns and rotations of the advice queries (2, 1), (3, 0) and (1, 0), after (1, −1).
    let queries = [0, 2, 0, 0, 0, 1, 0, 3, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0];
    let at = bytes.windows(18).position(|window| window == queries).unwrap();
    let with_last_rotation = |rotation: i32| {
        let mut bytes = bytes.clone();
        bytes[at + 14..][..4].copy_from_slice(&rotation.to_be_bytes());
        VerifyingKey::decode(&bytes)
    };
    let collision = KeyError::DuplicateQuery { list: "advice queries", index: 4 };
    // Of 32 rows: the same rotation, and the same row by way of the other end.
    assert_eq!(with_last_rotation(-1), Err(collision));
    assert_eq!(with_last_rotation(31), Err(collision));
    let beyond = KeyError::QueryRotation { list: "advice queries", index: 4 };
    assert_eq!(with_last_rotation(32), Err(beyond));
    assert_eq!(with_last_rotation(-33), Err(beyond));
    assert!(with_last_rotation(30).is_ok());
}

/// A key of a hundred kilobytes that would cost gigabytes and minutes: many columns, each opened
/// at a row of its own.
#[test]
fn more_rotations_than_any_circuit_has_are_refused() {
    let rotations = |count: i32| {
        let mut parts = common::parts();
        parts.k = 12;
        let queries = (2..count).map(|rotation| Query { column: 0, rotation });
        parts.constraint_system.fixed_queries.extend(queries);
        VerifyingKey::new(parts)
    };
    // Besides 0, 1, −1 and the last usable row.
    assert!(rotations(254).is_ok());
    let wrong = KeyError::Limit { list: "rotations", limit: 256, got: 257 };
    assert_eq!(rotations(255), Err(wrong));
}

#[test]
fn gates_that_do_not_fit_are_refused() {
    refused(&[
        (
            |parts| {
                let gate = Expression::new(vec![Instruction::Advice(5)]).unwrap();
                parts.constraint_system.gates.push(gate);
            },
            KeyError::GateIndex { gate: 1, instruction: 0 },
        ),
        (
            |parts| {
                let gate = Expression::new(vec![Instruction::Challenge(4)]).unwrap();
                parts.constraint_system.gates.push(gate);
            },
            KeyError::GateIndex { gate: 1, instruction: 0 },
        ),
        (
            |parts| {
                use Instruction::{Advice, Multiply};
                let mut power = vec![Advice(0)];
                power.extend([Advice(0), Multiply].repeat(4));
                parts.constraint_system.gates.push(Expression::new(power).unwrap());
            },
            KeyError::Degree { required: 5, limit: 33, got: 4 },
        ),
        (
            |parts| parts.constraint_system.degree = 2,
            KeyError::Degree { required: 3, limit: 33, got: 2 },
        ),
        (
            |parts| parts.constraint_system.degree = 34,
            KeyError::Degree { required: 3, limit: 33, got: 34 },
        ),
        (|parts| parts.constraint_system.advice_phases[1] = 3, KeyError::Phase { got: 3 }),
        (
            |parts| {
                parts.constraint_system.advice_phases = vec![0; 4];
                parts.constraint_system.challenge_phases = vec![0, 0, 0, 1];
            },
            KeyError::Phase { got: 1 },
        ),
    ]);
}

#[test]
fn a_gate_that_is_no_polynomial_is_refused_in_the_file() {
    let bytes = common::key().encode();
    // The gate ends with `Add`; as a `Negate` it would leave two operands.
    let add_then_permutation = [6, 0, 0, 0, 3, 0, 0, 3];
    let at = bytes.windows(8).position(|window| window == add_then_permutation).unwrap();
    let mut bytes = bytes;
    bytes[at] = 5;
    let source = ExpressionError::Results { got: 2 };
    assert_eq!(VerifyingKey::decode(&bytes), Err(KeyError::Gate { gate: 0, source }));
    bytes[at] = 9;
    assert_eq!(VerifyingKey::decode(&bytes), Err(KeyError::Tag { offset: at, got: 9 }));
}

#[test]
fn copy_constraints_that_do_not_fit_are_refused() {
    refused(&[
        (
            |parts| parts.constraint_system.permutation[1] = Column::Advice(3),
            KeyError::DuplicatePermutationColumn { position: 1 },
        ),
        (
            // Column 2 is read only at the next row.
            |parts| parts.constraint_system.permutation[1] = Column::Advice(2),
            KeyError::PermutationQuery { position: 1 },
        ),
        (|parts| parts.sigma_commitments.truncate(2), KeyError::SigmaCount { expected: 3, got: 2 }),
        (
            |parts| parts.sigma_commitments[2] = G1Affine::identity(),
            KeyError::SigmaInfinity { index: 2 },
        ),
    ]);
}

#[test]
fn layouts_that_make_no_sense_are_refused() {
    refused(&[
        (|parts| parts.layout.inputs.clear(), KeyError::NoTensors { list: "inputs" }),
        (|parts| parts.layout.outputs.clear(), KeyError::NoTensors { list: "outputs" }),
        (|parts| parts.layout.inputs[0].shape[1] = 0, KeyError::EmptyTensor { tensor: 0 }),
        (|parts| parts.layout.inputs[1].scale = f64::NAN, KeyError::Scale { tensor: 1 }),
        (|parts| parts.layout.inputs[1].scale = f64::INFINITY, KeyError::Scale { tensor: 1 }),
        (|parts| parts.layout.outputs[0].scale = -0.0, KeyError::Scale { tensor: 2 }),
        (|parts| parts.layout.inputs[0].lo = 8, KeyError::Bounds { tensor: 0, lo: 8, hi: 7 }),
        (|parts| parts.layout.outputs[0].name.push('\u{1b}'), KeyError::ControlCharacter),
        (|parts| parts.model_name.push('\n'), KeyError::ControlCharacter),
        // The direction of text, turned; a space of no width; a line of its own.
        (|parts| parts.model_name.push('\u{202e}'), KeyError::ControlCharacter),
        (|parts| parts.model_name.push('\u{200b}'), KeyError::ControlCharacter),
        (|parts| parts.layout.inputs[0].name.push('\u{2028}'), KeyError::ControlCharacter),
        // Hidden tensors, whose elements are not in the claim.
        (
            |parts| {
                parts.layout.input_visibility = Visibility::Committed;
                parts.layout.inputs[0].shape = vec![65_536; 4];
            },
            KeyError::Limit { list: "input elements", limit: 1 << 24, got: usize::MAX },
        ),
        (
            |parts| {
                parts.layout.output_visibility = Visibility::Committed;
                parts.layout.outputs[0].shape = vec![1 << 24, 1];
                parts.layout.outputs.push(parts.layout.inputs[0].clone());
            },
            KeyError::Limit { list: "output elements", limit: 1 << 24, got: (1 << 24) + 4 },
        ),
        (
            |parts| parts.model_name = "m".repeat(257),
            KeyError::Limit { list: "name", limit: 256, got: 257 },
        ),
        (|parts| parts.k = 29, KeyError::Rows { k: 29, required: 0 }),
        // 10 public values, the last usable row, 5 blinding rows.
        (
            |parts| {
                parts.k = 3;
                parts.constraint_system.instance_queries = vec![0, 1];
            },
            KeyError::Rows { k: 3, required: 16 },
        ),
        // The product of the dimensions overflows.
        (
            |parts| parts.layout.inputs[0].shape = vec![u32::MAX; 16],
            KeyError::Limit { list: "input elements", limit: 1 << 24, got: usize::MAX },
        ),
        (|parts| parts.srs.g2_tau = G2Affine::identity(), KeyError::Tau),
        (|parts| parts.srs.name = "hermez".into(), KeyError::SrsName),
    ]);
}

#[test]
fn points_and_scalars_of_the_file_must_be_canonical() {
    let bytes = common::key().encode();
    let replaced = |from: [u8; 32], to: [u8; 32]| {
        let at = bytes.windows(32).position(|window| window == from).unwrap();
        let mut bytes = bytes.clone();
        bytes[at..at + 32].copy_from_slice(&to);
        (at, VerifyingKey::decode(&bytes).unwrap_err())
    };
    let (offset, error) = replaced(zkinfer_verifier::encode_point(&common::point(31)), [0xff; 32]);
    assert_eq!(error, KeyError::Point { offset });
    let repr = zkinfer_verifier::encode_scalar(&Fr::from(77));
    let (offset, error) = replaced(repr, [0xff; 32]);
    assert_eq!(error, KeyError::Scalar { offset });
    let tau = zkinfer_verifier::encode_g2(&common::parts().srs.g2_tau);
    let (_, error) = replaced(tau[..32].try_into().unwrap(), [1; 32]);
    assert_eq!(error, KeyError::Tau);
}

proptest! {
    /// Random bytes, and random damage to a true key: no panic, no second spelling.
    #[test]
    fn decoding_is_total(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        decode_is_exact(&bytes);
        decode_is_exact(&[b"ZKINFVK\0\0\x02", &bytes[..]].concat());
    }

    #[test]
    fn decoding_damaged_keys_is_total(
        damage in proptest::collection::vec((0..TOY.len(), any::<u8>()), 1..8)
    ) {
        let mut bytes = TOY.to_vec();
        for (index, byte) in damage {
            bytes[index] = byte;
        }
        decode_is_exact(&bytes);
    }
}
