//! Key to bytes. The fields, in order, are those of [`decode`](super::decode), which mirrors this.

use alloc::vec::Vec;

use super::{KeyParts, MAGIC, VERSION};
use crate::{
    bytes::Writer,
    constraint_system::{Column, ConstraintSystem, Query},
    curve::{encode_g2, encode_point, encode_scalar},
    expression::{Expression, Instruction},
    layout::{InstanceLayout, TensorLayout, Visibility},
    srs::SrsId,
};

pub(super) fn encode(parts: &KeyParts) -> Vec<u8> {
    let KeyParts {
        k,
        constraint_system,
        fixed_commitments,
        sigma_commitments,
        transcript_repr,
        srs: SrsId { name, g2_tau },
        layout,
        model_name,
        model_digest,
        accuracy_digest,
    } = parts;
    let mut w = Writer::default();
    w.bytes(&MAGIC);
    w.u16(VERSION);
    w.u8(*k);
    system(&mut w, constraint_system);
    w.list(fixed_commitments, |w, point| w.bytes(&encode_point(point)));
    w.list(sigma_commitments, |w, point| w.bytes(&encode_point(point)));
    w.bytes(&encode_scalar(transcript_repr));
    w.name(name);
    w.bytes(&encode_g2(g2_tau));
    let InstanceLayout { inputs, outputs, input_visibility, output_visibility } = layout;
    w.list(inputs, tensor);
    w.list(outputs, tensor);
    visibility(&mut w, *input_visibility);
    visibility(&mut w, *output_visibility);
    w.name(model_name);
    w.bytes(&model_digest.0);
    w.bytes(&accuracy_digest.0);
    w.finish()
}

fn system(w: &mut Writer, system: &ConstraintSystem) {
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
    w.list(instance_queries, |w, &rotation| w.i32(rotation));
    w.list(gates, gate);
    w.list(permutation, |w, column| match *column {
        Column::Advice(index) => tagged(w, 0, index),
        Column::Fixed(index) => tagged(w, 1, index),
        Column::Instance => w.u8(2),
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

fn tensor(w: &mut Writer, tensor: &TensorLayout) {
    let TensorLayout { name, shape, scale, lo, hi } = tensor;
    w.name(name);
    w.list(shape, |w, &dimension| w.u32(dimension));
    w.u64(scale.to_bits());
    w.i64(*lo);
    w.i64(*hi);
}
