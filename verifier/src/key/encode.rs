//! Key to bytes. The fields, in order, are those of [`decode`](super::decode), which mirrors this.

use alloc::vec::Vec;

use super::{KeyFormat, KeyParts, MAGIC};
use crate::{
    boundary::Boundary,
    bytes::Writer,
    classes::Classes,
    constraint_system::{Column, ConstraintSystem, Query},
    curve::{encode_g2, encode_point, encode_scalar},
    expression::{Expression, Instruction},
    layout::{InstanceLayout, TensorLayout},
    placement::Block,
    side::{Side, Visibility},
    srs::SrsId,
};

pub(super) fn encode(parts: &KeyParts) -> Vec<u8> {
    let KeyParts {
        format,
        semantics,
        k,
        constraint_system,
        fixed_commitments,
        sigma_commitments,
        transcript_repr,
        srs: SrsId { name, g2_tau },
        layout,
        boundaries,
        model_name,
        model_digest,
        graph_digest,
        accuracy_digest,
    } = parts;
    let mut w = Writer::default();
    w.bytes(&MAGIC);
    w.u16(format.number());
    let v4 = *format >= KeyFormat::V4;
    if v4 {
        w.u16(*semantics);
    }
    w.u8(*k);
    system(&mut w, *format, constraint_system);
    w.list(fixed_commitments, |w, point| w.bytes(&encode_point(point)));
    w.list(sigma_commitments, |w, point| w.bytes(&encode_point(point)));
    w.bytes(&encode_scalar(transcript_repr));
    w.name(name);
    w.bytes(&encode_g2(g2_tau));
    self::layout(&mut w, *format, layout);
    if v4 {
        w.list(boundaries, boundary);
    }
    w.name(model_name.as_deref().unwrap_or_default());
    w.bytes(&model_digest.0);
    if v4 {
        w.bytes(&graph_digest.0);
    }
    w.bytes(&accuracy_digest.0);
    w.finish()
}

fn layout(w: &mut Writer, format: KeyFormat, layout: &InstanceLayout) {
    let InstanceLayout { inputs, outputs, input_visibility, output_visibility, claims, placement } =
        layout;
    w.list(inputs, |w, input| tensor(w, format, input));
    w.list(outputs, |w, output| tensor(w, format, output));
    visibility(w, *input_visibility);
    visibility(w, *output_visibility);
    if format >= KeyFormat::V4 {
        w.u32(*claims);
        w.list(&placement.0, |w, Block { first_column, columns, first_row, values }| {
            w.u16(*first_column);
            w.u16(*columns);
            w.u32(*first_row);
            w.u32(*values);
        });
    }
}

fn boundary(w: &mut Writer, Boundary { side, columns, layout }: &Boundary) {
    w.u8(match side {
        Side::Input => 0,
        Side::Output => 1,
    });
    w.list(columns, |w, &column| w.u16(column));
    w.bytes(&layout.0);
}

fn system(w: &mut Writer, format: KeyFormat, system: &ConstraintSystem) {
    let ConstraintSystem {
        advice_phases,
        challenge_phases,
        advice_queries,
        fixed_queries,
        instance_queries,
        gates,
        permutation,
        degree,
    } = system;
    w.u8(*degree);
    w.list(advice_phases, |w, &phase| w.u8(phase));
    w.list(challenge_phases, |w, &phase| w.u8(phase));
    w.list(advice_queries, query);
    w.list(fixed_queries, query);
    match format {
        KeyFormat::V3 => w.list(instance_queries, |w, query| w.i32(query.rotation)),
        KeyFormat::V4 | KeyFormat::V5 => w.list(instance_queries, query),
    }
    w.list(gates, gate);
    w.list(permutation, |w, column| match *column {
        Column::Advice(index) => tagged(w, 0, index),
        Column::Fixed(index) => tagged(w, 1, index),
        Column::Instance(_) if format == KeyFormat::V3 => w.u8(2),
        Column::Instance(index) => tagged(w, 2, index),
    });
}

fn visibility(w: &mut Writer, visibility: Visibility) {
    w.u8(match visibility {
        Visibility::Public => 0,
        Visibility::Committed => 1,
    });
}

fn query(w: &mut Writer, query: &Query) {
    w.u16(query.column);
    w.i32(query.rotation);
}

fn gate(w: &mut Writer, gate: &Expression) {
    w.list(gate.instructions(), |w, instruction| match instruction {
        Instruction::Constant(scalar) => {
            w.u8(0);
            w.bytes(&encode_scalar(scalar));
        }
        Instruction::Fixed(index) => tagged(w, 1, *index),
        Instruction::Advice(index) => tagged(w, 2, *index),
        Instruction::Instance(index) => tagged(w, 3, *index),
        Instruction::Challenge(index) => tagged(w, 4, *index),
        Instruction::Negate => w.u8(5),
        Instruction::Add => w.u8(6),
        Instruction::Multiply => w.u8(7),
        Instruction::Scale(scalar) => {
            w.u8(8);
            w.bytes(&encode_scalar(scalar));
        }
    });
}

fn tagged(w: &mut Writer, tag: u8, index: u16) {
    w.u8(tag);
    w.u16(index);
}

fn tensor(w: &mut Writer, format: KeyFormat, tensor: &TensorLayout) {
    let TensorLayout { name, shape, scales, lo, hi, classes } = tensor;
    w.name(name);
    w.list(shape, |w, &dimension| w.u32(dimension));
    match format {
        // The only one.
        KeyFormat::V3 => scales.iter().for_each(|scale| w.u64(scale.to_bits())),
        KeyFormat::V4 | KeyFormat::V5 => w.list(scales, |w, scale| w.u64(scale.to_bits())),
    }
    w.i64(*lo);
    w.i64(*hi);
    if format >= KeyFormat::V5 {
        w.u8(match classes {
            None => 0,
            Some(Classes::Values(_)) => 1,
            Some(Classes::Columns(_)) => 2,
        });
        if let Some(classes) = classes {
            w.list(classes.names(), |w, name| w.name(name));
        }
    }
}
