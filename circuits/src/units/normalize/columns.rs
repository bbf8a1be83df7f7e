//! The columns of the normalization unit.

use halo2_proofs::plonk::{Advice, Column, Fixed};

use crate::{
    chain::{ChainColumns, StepSet},
    frame::{Copied, Frame, Limbs, Order},
};

/// Reads to a row, limb widths and lattice steps of the normalization unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NormalizeShape {
    /// Elements read to a row.
    pub lanes: usize,
    /// log2 of each base that elements are digits to.
    pub bases: Vec<u32>,
    /// The linear layers that are normalizations, by the challenges they have.
    pub layers: Vec<u32>,
    /// Whether the slot unit multiplies its side of the check with the weight of a whole window.
    pub is_scaled: bool,
    /// Whether a mean is taken off some groups.
    pub is_centered: bool,
    /// Widths of the limbs of what is checked.
    pub limbs: Vec<u32>,
    pub(crate) steps: StepSet,
}

/// What a row of checks says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    Low,
    High,
    Root,
    Mean,
    Rest,
    Slack,
}

impl Check {
    /// The checks of a group.
    pub(super) fn all(is_centered: bool) -> &'static [Self] {
        const ALL: [Check; 6] =
            [Check::Low, Check::High, Check::Root, Check::Mean, Check::Rest, Check::Slack];
        if is_centered { &ALL } else { &ALL[..3] }
    }
}

/// The columns of means.
#[derive(Clone, Debug)]
pub(super) struct MeanColumns {
    /// `s`: of the rows before.
    pub(super) sum: Column<Advice>,
    /// `M`.
    pub(super) shift: Column<Advice>,
    /// 1 where a group has a mean.
    pub(super) is_centered: Column<Fixed>,
    /// `Σ_lanes B^lane`, of the lanes that read an element.
    pub(super) weight: Column<Fixed>,
}

/// The normalization unit.
#[derive(Clone, Debug)]
pub(crate) struct NormalizeUnit {
    pub(super) elements: Vec<Copied>,
    /// `t`: of the rows before.
    pub(super) squares: Column<Advice>,
    /// `R`.
    pub(super) reciprocal: Column<Advice>,
    /// `V`.
    pub(super) variance: Column<Advice>,
    pub(super) mean: Option<MeanColumns>,
    pub(super) limbs: Limbs,
    /// `f`.
    pub(super) chain: ChainColumns,
    /// For each base 1 where elements are read.
    pub(super) q_reads: Vec<(u32, Column<Fixed>)>,
    /// 1 in the first row of a group.
    pub(super) q_first: Column<Fixed>,
    /// 1 in checks after which the group goes on.
    pub(super) q_hold: Column<Fixed>,
    /// For each check 1 in its rows.
    pub(super) q_checks: Vec<(Check, Column<Fixed>)>,
    /// `n` in rows of checks.
    pub(super) size: Column<Fixed>,
    /// What is added to the variance, in rows of checks.
    pub(super) epsilon: Column<Fixed>,
    /// `N²` in rows of checks.
    pub(super) square: Column<Fixed>,
    /// For each layer 1 where its evaluation is complete.
    pub(super) ends: Vec<(u32, Column<Fixed>)>,
    pub(super) is_scaled: bool,
}

impl NormalizeUnit {
    pub(super) fn new(shape: &NormalizeShape, frame: &mut Frame) -> Self {
        let elements = (0..shape.lanes).map(|_| frame.copied("normalized element")).collect();
        let squares = frame.advice("group squares");
        let reciprocal = frame.advice("group reciprocal");
        let variance = frame.advice("group variance");
        let mean = shape.is_centered.then(|| MeanColumns {
            sum: frame.advice("group sum"),
            shift: frame.advice("group shift"),
            is_centered: frame.fixed(),
            weight: frame.fixed(),
        });
        let limbs = frame.limbs("group check", &shape.limbs);
        frame.order(Order::Third);
        let checks = Check::all(shape.is_centered).iter();
        let unit = Self {
            elements,
            squares,
            reciprocal,
            variance,
            mean,
            limbs,
            chain: ChainColumns::allocate(
                "normalization evaluation",
                (&shape.steps, false),
                0,
                frame,
            ),
            q_reads: shape.bases.iter().map(|&base| (base, frame.fixed())).collect(),
            q_first: frame.fixed(),
            q_hold: frame.fixed(),
            q_checks: checks.map(|&check| (check, frame.fixed())).collect(),
            size: frame.fixed(),
            epsilon: frame.fixed(),
            square: frame.fixed(),
            ends: shape.layers.iter().map(|&layer| (layer, frame.fixed())).collect(),
            is_scaled: shape.is_scaled,
        };
        frame.order(Order::First);
        unit
    }

    /// The selector of a check.
    pub(super) fn q_check(&self, check: Check) -> Column<Fixed> {
        let found = self.q_checks.iter().find(|(of, _)| *of == check);
        found.expect("a row has a check that the unit has").1
    }
}
