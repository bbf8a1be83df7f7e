//! Every field of a key, each with a lie. A field without one does not compile.

use zkinfer_verifier::{
    Block, Boundary, Classes, Column, ConstraintSystem, Digest, Fr, InstanceLayout, KeyFormat,
    KeyParts, Query, Side, SrsId, TensorLayout, Visibility,
};

/// A list of `(field, edit)`; the pattern makes it exhaustive.
macro_rules! manifest {
    ($type:ident { $($field:ident => $edit:expr),* $(,)? }) => {{
        let _exhaustive = |$type { $($field: _),* }: &$type| {};
        let edits: Vec<(&'static str, fn(&mut $type))> = vec![$((stringify!($field), $edit)),*];
        edits
    }};
}
#[allow(unused_imports, reason = "not every user has lists of its own")]
pub(crate) use manifest;

/// Lies about a value, by the field that they change.
type Edits<T> = Vec<(&'static str, fn(&mut T))>;

/// A lie about a key.
pub(crate) type Edit = Box<dyn Fn(&mut KeyParts)>;

/// Lies about a part of a key.
fn at<T: 'static>(part: fn(&mut KeyParts) -> &mut T, edits: Edits<T>) -> Vec<(&'static str, Edit)> {
    let edits = edits.into_iter().map(|(field, edit)| -> (&'static str, Edit) {
        (field, Box::new(move |key| edit(part(key))))
    });
    edits.collect()
}

/// Lies about the fields of a key.
pub(crate) fn of_key() -> Vec<(&'static str, Edit)> {
    at(
        |key| key,
        manifest!(KeyParts {
            format => |key| {
                key.format = KeyFormat::V3;
                key.graph_digest = Digest::ZERO;
            },
            semantics => |key| key.semantics += 1,
            k => |key| key.k += 1,
            constraint_system => |key| key.constraint_system.degree += 1,
            fixed_commitments => |key| key.fixed_commitments.swap(0, 1),
            sigma_commitments => |key| key.sigma_commitments.swap(0, 1),
            transcript_repr => |key| key.transcript_repr += Fr::from(1),
            srs => |key| key.srs.g2_tau = -key.srs.g2_tau,
            layout => |key| key.layout.inputs.reverse(),
            boundaries => |key| {
                let (side, columns) = (Side::Output, vec![0]);
                key.boundaries.push(Boundary { side, columns, layout: Digest::ZERO });
            },
            model_name => |key| key.model_name = Some("another".into()),
            model_digest => |key| key.model_digest.0[31] ^= 1,
            graph_digest => |key| key.graph_digest.0[31] ^= 1,
            accuracy_digest => |key| key.accuracy_digest.0[31] ^= 1,
        }),
    )
}

/// Lies about what its constraint system says.
pub(crate) fn of_system() -> Vec<(&'static str, Edit)> {
    let mut edits = at(
        |key| &mut key.constraint_system,
        manifest!(ConstraintSystem {
            advice_phases => |system| system.advice_phases.swap(0, 5),
            challenge_phases => |system| system.challenge_phases[0] = 1,
            advice_queries => |system| system.advice_queries.swap(0, 1),
            fixed_queries => |system| system.fixed_queries.swap(0, 1),
            instance_queries => |system| system.instance_queries.swap(0, 1),
            gates => |system| system.gates.swap(0, 1),
            permutation => |system| system.permutation.swap(0, 1),
            degree => |system| system.degree += 1,
        }),
    );
    edits.extend(at(
        |key| &mut key.constraint_system.advice_queries[0],
        manifest!(Query {
            column => |query| query.column ^= 1,
            rotation => |query| query.rotation += 3,
        }),
    ));
    edits.extend(at(
        |key| &mut key.constraint_system.fixed_queries[0],
        manifest!(Query {
            column => |query| query.column ^= 1,
            rotation => |query| query.rotation += 3,
        }),
    ));
    let no_instance: Edit = Box::new(|key| {
        key.constraint_system.permutation.retain(|column| !matches!(column, Column::Instance(_)));
    });
    edits.push(("permutation column", no_instance));
    edits
}

/// Lies about its setup, and about what its public values mean.
pub(crate) fn of_layout() -> Vec<(&'static str, Edit)> {
    let mut edits = at(
        |key| &mut key.srs,
        manifest!(SrsId {
            name => |srs| srs.name = "another".into(),
            g2_tau => |srs| srs.g2_tau = -srs.g2_tau,
        }),
    );
    edits.extend(at(
        |key| &mut key.layout,
        manifest!(InstanceLayout {
            inputs => |layout| layout.inputs.truncate(1),
            outputs => |layout| layout.outputs.extend_from_within(..),
            input_visibility => |layout| layout.input_visibility = Visibility::Committed,
            output_visibility => |layout| layout.output_visibility = Visibility::Committed,
            claims => |layout| layout.claims += 1,
            placement => |layout| layout.placement.0[0].first_row += 1,
        }),
    ));
    edits.extend(at(
        |key| &mut key.layout.placement.0[0],
        manifest!(Block {
            first_column => |block| block.first_column += 1,
            columns => |block| block.columns += 1,
            first_row => |block| block.first_row += 1,
            values => |block| block.values -= 1,
        }),
    ));
    for part in
        [(|key| &mut key.layout.inputs[0]) as fn(&mut KeyParts) -> &mut TensorLayout, |key| {
            &mut key.layout.outputs[0]
        }]
    {
        edits.extend(at(
            part,
            manifest!(TensorLayout {
                name => |tensor| tensor.name.push('x'),
                shape => |tensor| tensor.shape.push(1),
                scales => |tensor| tensor.scales[0] *= 2.0,
                lo => |tensor| tensor.lo -= 1,
                hi => |tensor| tensor.hi += 1,
                // Of a key that names some, each is another key: see `key_format.rs`.
                classes => |tensor| tensor.classes = Some(Classes::Values(vec!["a".into()])),
            }),
        ));
    }
    edits
}
