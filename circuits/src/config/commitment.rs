//! The columns of the commitment unit.

use halo2_proofs::{
    halo2curves::bn256::Fr,
    plonk::{Advice, Column, ConstraintSystem, Fixed, SecondPhase},
};
use zkinfer_verifier::poseidon::WIDTH;

use super::advice;
use crate::shape::CommitmentShape;

/// Columns of the commitment unit; see [`crate::gates::commitment`].
#[derive(Clone, Debug)]
pub(crate) struct CommitmentUnit {
    /// Committed inputs.
    pub(crate) input: Option<CommittedInputs>,
    /// Copies of committed outputs, and the rows that pack one.
    pub(crate) output: Option<PackedColumn>,
    /// 1 where the packed element goes on in the next row.
    pub(crate) q_more: Column<Fixed>,
    /// The packed element so far.
    pub(crate) packed: Column<Advice>,
    pub(crate) state: [Column<Advice>; WIDTH],
    /// Square of the state's first element with its constant.
    pub(crate) square: Column<Advice>,
    /// What the row adds to the state.
    pub(crate) constants: [Column<Fixed>; WIDTH],
    pub(crate) q_keep: Column<Fixed>,
    pub(crate) q_rotate: Column<Fixed>,
    pub(crate) q_full: Column<Fixed>,
    pub(crate) q_partial: Column<Fixed>,
    /// 1 where the packed element is added to the first, or second, element of the rate.
    pub(crate) q_absorb: [Column<Fixed>; 2],
}

/// Elements to be packed, with 1 in the rows where one is, and its lower bound.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PackedColumn {
    pub(crate) value: Column<Advice>,
    pub(crate) q_pack: Column<Fixed>,
    pub(crate) low: Column<Fixed>,
}

/// Committed inputs with what bounds them.
#[derive(Clone, Debug)]
pub(crate) struct CommittedInputs {
    pub(crate) packed: PackedColumn,
    /// Limbs of `value − low`; empty where one limb is enough.
    pub(crate) limbs: Vec<Column<Advice>>,
    /// The range that each limb is looked up in.
    pub(crate) tags: Vec<Column<Fixed>>,
}

impl CommitmentUnit {
    /// The columns under copy constraints.
    pub(super) fn copied(&self) -> impl Iterator<Item = Column<Advice>> {
        let [_, digest, _] = self.state;
        let input = self.input.iter().map(|input| input.packed.value);
        input.chain(self.output.iter().map(|output| output.value)).chain([digest])
    }

    pub(super) fn fixed_columns(&self) -> Vec<Column<Fixed>> {
        let flags = [self.q_more, self.q_keep, self.q_rotate, self.q_full, self.q_partial];
        let tags = self.input.iter().flat_map(|input| input.tags.iter().copied());
        let packed = self.input.iter().map(|input| &input.packed).chain(&self.output);
        tags.chain(packed.flat_map(|packed| [packed.q_pack, packed.low]))
            .chain(flags)
            .chain(self.q_absorb)
            .chain(self.constants)
            .collect()
    }
}

/// The first-phase columns: committed inputs and outputs.
pub(super) fn committed_columns(
    meta: &mut ConstraintSystem<Fr>,
    shape: &CommitmentShape,
) -> (Option<CommittedInputs>, Option<PackedColumn>) {
    let packed = |meta: &mut ConstraintSystem<Fr>| PackedColumn {
        value: meta.advice_column(),
        q_pack: meta.fixed_column(),
        low: meta.fixed_column(),
    };
    let output = shape.output_digit_bits.map(|_| packed(meta));
    let input = shape.input.as_ref().map(|input| CommittedInputs {
        packed: packed(meta),
        limbs: advice(meta, if input.limbs.len() > 1 { input.limbs.len() } else { 0 }),
        tags: input.limbs.iter().map(|_| meta.fixed_column()).collect(),
    });
    (input, output)
}

pub(super) fn commitment_unit(
    meta: &mut ConstraintSystem<Fr>,
    (input, output): (Option<CommittedInputs>, Option<PackedColumn>),
) -> CommitmentUnit {
    CommitmentUnit {
        input,
        output,
        q_more: meta.fixed_column(),
        packed: meta.advice_column_in(SecondPhase),
        state: [(); WIDTH].map(|()| meta.advice_column_in(SecondPhase)),
        square: meta.advice_column_in(SecondPhase),
        constants: [(); WIDTH].map(|()| meta.fixed_column()),
        q_keep: meta.fixed_column(),
        q_rotate: meta.fixed_column(),
        q_full: meta.fixed_column(),
        q_partial: meta.fixed_column(),
        q_absorb: [(); 2].map(|()| meta.fixed_column()),
    }
}
