//! The `.zkvk` format: exact, canonical, bounded.

use proptest::prelude::*;
use zkinfer_verifier::{
    Block, Boundary, Column, Digest, Expression, ExpressionError, Fr, G1Affine, G2Affine,
    Instruction, KeyError, KeyFormat, KeyParts, Placement, Query, Side, VerifyingKey, Visibility,
};

use crate::{classes::named, common};

const TOY: &[u8] = include_bytes!("../vectors/toy.zkvk");
const FORMAT_3: &[u8] = include_bytes!("../../vectors/format3/toy.zkvk");

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
    assert_eq!(decode_is_exact(FORMAT_3).unwrap().parts().format, KeyFormat::V3);
    let part = VerifyingKey::new(part()).unwrap();
    assert_eq!(decode_is_exact(&part.encode()), Some(part));
}

/// A key of a part of a model, with one of everything that format 4 has and 3 has not.
fn part() -> KeyParts {
    let mut parts = common::parts();
    parts.constraint_system.advice_phases[3] = 0;
    parts.semantics = 2;
    parts.layout.inputs[0].scales = vec![0.5, 0.25];
    parts.layout.outputs.clear();
    parts.layout.placement = Placement(vec![
        Block { first_column: 0, columns: 1, first_row: 0, values: 2 },
        Block { first_column: 1, columns: 2, first_row: 1, values: 5 },
    ]);
    parts.constraint_system.instance_queries.push(Query { column: 2, rotation: -1 });
    let layout = Digest([6; 32]);
    parts.boundaries = vec![Boundary { side: Side::Output, columns: vec![3, 1], layout }];
    parts.model_name = None;
    parts
}

/// What the bytes of format 3 have no place for must not be lost in them.
#[test]
fn format_3_says_what_it_cannot_say() {
    type Edit = fn(&mut KeyParts);
    let edits: [(&str, Edit); 8] = [
        ("other semantics", |parts| parts.semantics = 2),
        ("graph digest", |parts| parts.graph_digest = Digest([1; 32])),
        ("boundaries", |parts| {
            parts.boundaries =
                vec![Boundary { side: Side::Output, columns: vec![1], layout: Digest::ZERO }];
        }),
        ("scale per column", |parts| parts.layout.inputs[0].scales = vec![0.5; 2]),
        ("number of claims", |parts| {
            parts.layout.claims = 2;
            parts.layout.input_visibility = Visibility::Committed;
            parts.layout.output_visibility = Visibility::Committed;
            parts.layout.placement = Placement::one_column(1);
        }),
        ("placement", |parts| parts.layout.placement.0[0].first_row = 1),
        ("second instance column", |parts| {
            parts.layout.placement.0[0].values = 9;
            let rest = Block { first_column: 1, columns: 1, first_row: 0, values: 1 };
            parts.layout.placement.0.push(rest);
        }),
        ("second instance column", |parts| {
            parts.layout.placement.0[0].values = 9;
            let rest = Block { first_column: 1, columns: 1, first_row: 0, values: 1 };
            parts.layout.placement.0.push(rest);
            parts.constraint_system.instance_queries.push(Query { column: 1, rotation: 0 });
        }),
    ];
    let mut format_3 = common::parts();
    format_3.format = KeyFormat::V3;
    format_3.graph_digest = Digest::ZERO;
    assert!(decode_is_exact(&VerifyingKey::new(format_3.clone()).unwrap().encode()).is_some());
    for (field, edit) in edits {
        let mut parts = format_3.clone();
        edit(&mut parts);
        let refused = VerifyingKey::new(parts.clone()).unwrap_err();
        // A second column shows in the placement first.
        let named = matches!(refused, KeyError::Format3 { field: got }
            if got == field || (got, field) == ("placement", "second instance column"));
        assert!(named, "{field}: {refused}");
        parts.format = KeyFormat::V4;
        assert!(decode_is_exact(&VerifyingKey::new(parts).unwrap().encode()).is_some(), "{field}");
    }
}

#[test]
fn parts_and_claims_that_make_no_sense_are_refused() {
    refused(&[
        (|parts| parts.layout.claims = 0, KeyError::Claims { got: 0 }),
        (|parts| parts.layout.claims = 2, KeyError::Claims { got: 2 }),
        (|parts| parts.model_name = Some(String::new()), KeyError::EmptyLabel),
        (
            |parts| parts.layout.placement.0[0].values -= 1,
            KeyError::Placement { expected: 10, got: 9 },
        ),
        (|parts| parts.layout.placement.0[0].columns = 0, KeyError::Block { index: 0 }),
        (
            |parts| parts.layout.inputs[0].scales = vec![1.0; 3],
            KeyError::ScaleCount { tensor: 0, columns: 2, got: 3 },
        ),
        (
            |parts| parts.layout.inputs[1].scales.clear(),
            KeyError::ScaleCount { tensor: 1, columns: 1, got: 0 },
        ),
    ]);
    let boundary = |columns: &[u16]| {
        let (side, columns) = (Side::Input, columns.to_vec());
        let mut parts = part();
        parts.boundaries.push(Boundary { side, columns, layout: Digest::ZERO });
        VerifyingKey::new(parts).map(|_| ())
    };
    let wrong = Err(KeyError::Boundary { boundary: 1 });
    // Columns 0 and 2 are of later phases, 1 and 3 belong to the other boundary, there is no 4.
    for columns in [&[] as &[u16], &[0], &[1], &[2], &[3], &[4]] {
        assert_eq!(boundary(columns), wrong, "{columns:?}");
    }
    // The last query is that of column 1 in the current row.
    let mut unopened = part();
    unopened.constraint_system.advice_queries.pop();
    let refused = VerifyingKey::new(unopened).map(|_| ());
    assert_eq!(refused, Err(KeyError::Boundary { boundary: 0 }));
    let mut none = part();
    none.boundaries[0].side = Side::Input;
    let refused = VerifyingKey::new(none).map(|_| ());
    assert_eq!(refused, Err(KeyError::NoTensors { list: "outputs" }));
}

#[test]
fn every_flipped_byte_is_refused_or_another_key() {
    let [part, named] = [part(), named()].map(|parts| VerifyingKey::new(parts).unwrap().encode());
    for original in [TOY.to_vec(), FORMAT_3.to_vec(), common::key().encode(), part, named] {
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
    let [bytes, named] = [part(), named()].map(|parts| VerifyingKey::new(parts).unwrap().encode());
    for bytes in [&bytes, &named] {
        for len in 0..bytes.len() {
            let error = VerifyingKey::decode(&bytes[..len]).unwrap_err();
            let truncated = matches!(error, KeyError::Truncated { offset } if offset <= len);
            assert!(truncated, "{len}: {error:?}");
        }
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
    // 16 lists in the file, each hit by every hostile length.
    assert!(limited >= 16 && truncated >= 16, "{limited} {truncated}");
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
            |parts| {
                parts.constraint_system.instance_queries.push(Query { column: 0, rotation: -31 })
            },
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
        (|parts| parts.layout.inputs[1].scales[0] = f64::NAN, KeyError::Scale { tensor: 1 }),
        (|parts| parts.layout.inputs[1].scales[0] = f64::INFINITY, KeyError::Scale { tensor: 1 }),
        (|parts| parts.layout.outputs[0].scales[0] = -0.0, KeyError::Scale { tensor: 2 }),
        (|parts| parts.layout.inputs[0].lo = 8, KeyError::Bounds { tensor: 0, lo: 8, hi: 7 }),
        (|parts| parts.layout.outputs[0].name.push('\u{1b}'), KeyError::ControlCharacter),
        (|parts| parts.model_name = Some("\n".into()), KeyError::ControlCharacter),
        // The direction of text, turned; a space of no width; a line of its own.
        (|parts| parts.model_name = Some("\u{202e}".into()), KeyError::ControlCharacter),
        (|parts| parts.model_name = Some("\u{200b}".into()), KeyError::ControlCharacter),
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
            |parts| parts.model_name = Some("m".repeat(257)),
            KeyError::Limit { list: "name", limit: 256, got: 257 },
        ),
        (|parts| parts.k = 29, KeyError::Rows { k: 29, required: 0 }),
        // 10 public values, the last usable row, 5 blinding rows.
        (
            |parts| {
                parts.k = 3;
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
        decode_is_exact(&[b"ZKINFVK\0\0\x03", &bytes[..]].concat());
        decode_is_exact(&[b"ZKINFVK\0\0\x04", &bytes[..]].concat());
        decode_is_exact(&[b"ZKINFVK\0\0\x05", &bytes[..]].concat());
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
