//! Bytes to key; every field is written by [`encode`](super::encode) in the same order.

use alloc::vec::Vec;

use ark_bn254::{Fr, G1Affine};

use super::{KeyFormat, KeyParts, MAGIC, format3};
use crate::{
    boundary::{Boundary, MAX_BOUNDARIES},
    bytes::Reader,
    classes::{Classes, MAX_CLASSES},
    constraint_system::{
        Column, ConstraintSystem, MAX_CHALLENGES, MAX_COLUMNS, MAX_GATES, MAX_QUERIES, Query,
    },
    curve::{decode_g2, decode_point, decode_scalar},
    digest::Digest,
    error::KeyError,
    expression::{Expression, Instruction, MAX_INSTRUCTIONS},
    layout::{InstanceLayout, MAX_RANK, MAX_SCALES, MAX_TENSORS, TensorLayout},
    placement::{Block, MAX_BLOCKS, Placement},
    side::{Side, Visibility},
    srs::SrsId,
};

/// Bytes of the shortest tensor: empty name, no dimensions, in format 3 (one scale without a count).
const TENSOR_BYTES: usize = 30;
/// Bytes of an empty name.
const NAME_BYTES: usize = 2;
/// Bytes of a block.
const BLOCK_BYTES: usize = 12;
/// Bytes of a boundary without columns.
const BOUNDARY_BYTES: usize = 37;

pub(super) fn decode(bytes: &[u8]) -> Result<KeyParts, KeyError> {
    let mut r = Reader::new(bytes);
    let r = &mut r;
    if r.array()? != MAGIC {
        return Err(KeyError::Magic);
    }
    let format = match r.u16()? {
        3 => KeyFormat::V3,
        4 => KeyFormat::V4,
        5 => KeyFormat::V5,
        got => return Err(KeyError::Version { got }),
    };
    let parts = parts(r, format)?;
    r.finish()?;
    Ok(parts)
}

fn parts(r: &mut Reader<'_>, format: KeyFormat) -> Result<KeyParts, KeyError> {
    let v4 = format >= KeyFormat::V4;
    Ok(KeyParts {
        format,
        semantics: if v4 { r.u16()? } else { format3::SEMANTICS },
        k: r.u8()?,
        constraint_system: system(r, format)?,
        fixed_commitments: r.list("fixed commitments", MAX_COLUMNS, 32, point)?,
        sigma_commitments: r.list("sigma commitments", MAX_COLUMNS, 32, point)?,
        transcript_repr: scalar(r)?,
        srs: SrsId { name: r.name()?, g2_tau: decode_g2(&r.array()?).ok_or(KeyError::Tau)? },
        layout: layout(r, format)?,
        boundaries: if v4 {
            r.list("boundaries", MAX_BOUNDARIES, BOUNDARY_BYTES, boundary)?
        } else {
            Vec::new()
        },
        model_name: Some(r.name()?).filter(|name| !name.is_empty()),
        model_digest: Digest(r.array()?),
        graph_digest: if v4 { Digest(r.array()?) } else { Digest::ZERO },
        accuracy_digest: Digest(r.array()?),
    })
}

fn layout(r: &mut Reader<'_>, format: KeyFormat) -> Result<InstanceLayout, KeyError> {
    let tensor = |r: &mut Reader<'_>| tensor(r, format);
    let inputs = r.list("inputs", MAX_TENSORS, TENSOR_BYTES, tensor)?;
    let outputs = r.list("outputs", MAX_TENSORS, TENSOR_BYTES, tensor)?;
    let layout = InstanceLayout::new(inputs, outputs, visibility(r)?, visibility(r)?);
    match format {
        KeyFormat::V3 => Ok(layout),
        KeyFormat::V4 | KeyFormat::V5 => {
            let claims = r.u32()?;
            let placement = Placement(r.list("placement", MAX_BLOCKS, BLOCK_BYTES, block)?);
            Ok(InstanceLayout { claims, placement, ..layout })
        }
    }
}

fn system(r: &mut Reader<'_>, format: KeyFormat) -> Result<ConstraintSystem, KeyError> {
    Ok(ConstraintSystem {
        degree: r.u8()?,
        advice_phases: r.list("advice phases", MAX_COLUMNS, 1, Reader::u8)?,
        challenge_phases: r.list("challenge phases", MAX_CHALLENGES, 1, Reader::u8)?,
        advice_queries: r.list("advice queries", MAX_QUERIES, 6, query)?,
        fixed_queries: r.list("fixed queries", MAX_QUERIES, 6, query)?,
        instance_queries: match format {
            KeyFormat::V3 => {
                let only_column = |r: &mut Reader<'_>| Ok(Query { column: 0, rotation: r.i32()? });
                r.list("instance queries", format3::MAX_INSTANCE_QUERIES, 4, only_column)?
            }
            KeyFormat::V4 | KeyFormat::V5 => r.list("instance queries", MAX_QUERIES, 6, query)?,
        },
        gates: gates(r)?,
        permutation: r.list("permutation", MAX_COLUMNS, 1, |r| column(r, format))?,
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

fn column(r: &mut Reader<'_>, format: KeyFormat) -> Result<Column, KeyError> {
    let offset = r.offset();
    Ok(match r.u8()? {
        0 => Column::Advice(r.u16()?),
        1 => Column::Fixed(r.u16()?),
        2 if format == KeyFormat::V3 => Column::Instance(0),
        2 => Column::Instance(r.u16()?),
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

fn tensor(r: &mut Reader<'_>, format: KeyFormat) -> Result<TensorLayout, KeyError> {
    let scale = |r: &mut Reader<'_>| r.u64().map(f64::from_bits);
    Ok(TensorLayout {
        name: r.name()?,
        shape: r.list("tensor shape", MAX_RANK, 4, Reader::u32)?,
        scales: match format {
            KeyFormat::V3 => alloc::vec![scale(r)?],
            KeyFormat::V4 | KeyFormat::V5 => r.list("scales", MAX_SCALES, 8, scale)?,
        },
        lo: r.i64()?,
        hi: r.i64()?,
        classes: if format >= KeyFormat::V5 { classes(r)? } else { None },
    })
}

fn classes(r: &mut Reader<'_>) -> Result<Option<Classes>, KeyError> {
    let offset = r.offset();
    let named = match r.u8()? {
        0 => return Ok(None),
        1 => Classes::Values,
        2 => Classes::Columns,
        got => return Err(KeyError::Tag { offset, got }),
    };
    let names = r.list("names of classes", MAX_CLASSES, NAME_BYTES, Reader::name)?;
    Ok(Some(named(names)))
}

fn block(r: &mut Reader<'_>) -> Result<Block, KeyError> {
    Ok(Block { first_column: r.u16()?, columns: r.u16()?, first_row: r.u32()?, values: r.u32()? })
}

fn boundary(r: &mut Reader<'_>) -> Result<Boundary, KeyError> {
    let offset = r.offset();
    let side = match r.u8()? {
        0 => Side::Input,
        1 => Side::Output,
        got => return Err(KeyError::Tag { offset, got }),
    };
    let columns = r.list("boundary columns", MAX_COLUMNS, 2, Reader::u16)?;
    Ok(Boundary { side, columns, layout: Digest(r.array()?) })
}
