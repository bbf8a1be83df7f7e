//! Bytes to key; every field is written by [`encode`](super::encode) in the same order.

use alloc::vec::Vec;

use ark_bn254::{Fr, G1Affine};

use super::{KeyParts, MAGIC, VERSION};
use crate::{
    bytes::Reader,
    constraint_system::{
        Column, ConstraintSystem, MAX_CHALLENGES, MAX_COLUMNS, MAX_GATES, MAX_INSTANCE_QUERIES,
        MAX_QUERIES, Query,
    },
    curve::{decode_g2, decode_point, decode_scalar},
    digest::Digest,
    error::KeyError,
    expression::{Expression, Instruction, MAX_INSTRUCTIONS},
    layout::{InstanceLayout, MAX_RANK, MAX_TENSORS, TensorLayout, Visibility},
    srs::SrsId,
};

/// Bytes of the shortest tensor: empty name, no dimensions.
const TENSOR_BYTES: usize = 30;

pub(super) fn decode(bytes: &[u8]) -> Result<KeyParts, KeyError> {
    let mut r = Reader::new(bytes);
    let r = &mut r;
    if r.array()? != MAGIC {
        return Err(KeyError::Magic);
    }
    let got = r.u16()?;
    if got != VERSION {
        return Err(KeyError::Version { got });
    }
    let parts = KeyParts {
        k: r.u8()?,
        constraint_system: system(r)?,
        fixed_commitments: r.list("fixed commitments", MAX_COLUMNS, 32, point)?,
        sigma_commitments: r.list("sigma commitments", MAX_COLUMNS, 32, point)?,
        transcript_repr: scalar(r)?,
        srs: SrsId { name: r.name()?, g2_tau: decode_g2(&r.array()?).ok_or(KeyError::Tau)? },
        layout: InstanceLayout {
            inputs: r.list("inputs", MAX_TENSORS, TENSOR_BYTES, tensor)?,
            outputs: r.list("outputs", MAX_TENSORS, TENSOR_BYTES, tensor)?,
            input_visibility: visibility(r)?,
            output_visibility: visibility(r)?,
        },
        model_name: r.name()?,
        model_digest: Digest(r.array()?),
        accuracy_digest: Digest(r.array()?),
    };
    r.finish()?;
    Ok(parts)
}

fn system(r: &mut Reader<'_>) -> Result<ConstraintSystem, KeyError> {
    Ok(ConstraintSystem {
        degree: r.u8()?,
        advice_phases: r.list("advice phases", MAX_COLUMNS, 1, Reader::u8)?,
        challenge_phases: r.list("challenge phases", MAX_CHALLENGES, 1, Reader::u8)?,
        advice_queries: r.list("advice queries", MAX_QUERIES, 6, query)?,
        fixed_queries: r.list("fixed queries", MAX_QUERIES, 6, query)?,
        instance_queries: r.list("instance queries", MAX_INSTANCE_QUERIES, 4, Reader::i32)?,
        gates: gates(r)?,
        permutation: r.list("permutation", MAX_COLUMNS, 1, column)?,
    })
}

fn gates(r: &mut Reader<'_>) -> Result<Vec<Expression>, KeyError> {
    let mut gate = 0usize;
    // All gates together must keep the limit, or many long ones could fill the memory.
    let mut left = MAX_INSTRUCTIONS;
    r.list("gates", MAX_GATES, 4, |r| {
        let program = r.list("instructions", left, 1, instruction)?;
        left = left.saturating_sub(program.len());
        let expression =
            Expression::new(program).map_err(|source| KeyError::Gate { gate, source })?;
        gate = gate.saturating_add(1);
        Ok(expression)
    })
}

fn instruction(r: &mut Reader<'_>) -> Result<Instruction, KeyError> {
    let offset = r.offset();
    Ok(match r.u8()? {
        0 => Instruction::Constant(scalar(r)?),
        1 => Instruction::Fixed(r.u16()?),
        2 => Instruction::Advice(r.u16()?),
        3 => Instruction::Instance(r.u16()?),
        4 => Instruction::Challenge(r.u16()?),
        5 => Instruction::Negate,
        6 => Instruction::Add,
        7 => Instruction::Multiply,
        8 => Instruction::Scale(scalar(r)?),
        got => return Err(KeyError::Tag { offset, got }),
    })
}

fn column(r: &mut Reader<'_>) -> Result<Column, KeyError> {
    let offset = r.offset();
    Ok(match r.u8()? {
        0 => Column::Advice(r.u16()?),
        1 => Column::Fixed(r.u16()?),
        2 => Column::Instance,
        got => return Err(KeyError::Tag { offset, got }),
    })
}

fn visibility(r: &mut Reader<'_>) -> Result<Visibility, KeyError> {
    let offset = r.offset();
    match r.u8()? {
        0 => Ok(Visibility::Public),
        1 => Ok(Visibility::Committed),
        got => Err(KeyError::Tag { offset, got }),
    }
}

fn query(r: &mut Reader<'_>) -> Result<Query, KeyError> {
    Ok(Query { column: r.u16()?, rotation: r.i32()? })
}

fn point(r: &mut Reader<'_>) -> Result<G1Affine, KeyError> {
    let offset = r.offset();
    decode_point(&r.array()?).ok_or(KeyError::Point { offset })
}

fn scalar(r: &mut Reader<'_>) -> Result<Fr, KeyError> {
    let offset = r.offset();
    decode_scalar(&r.array()?).ok_or(KeyError::Scalar { offset })
}

fn tensor(r: &mut Reader<'_>) -> Result<TensorLayout, KeyError> {
    Ok(TensorLayout {
        name: r.name()?,
        shape: r.list("tensor shape", MAX_RANK, 4, Reader::u32)?,
        scale: f64::from_bits(r.u64()?),
        lo: r.i64()?,
        hi: r.i64()?,
    })
}
