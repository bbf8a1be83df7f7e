//! Where committed inputs and outputs are packed and hashed.
//!
//! One row packs an element, one row is a step of the hash; both run side by side. A sponge
//! absorbs two packed elements at a time: the first is complete when a permutation ends, the
//! second is packed while the state waits for it.

use std::ops::Range;

use halo2_proofs::halo2curves::bn256::Fr;
use zkinfer_models::{QuantizedGraph, quantized::TensorId};
use zkinfer_verifier::{
    Visibility,
    commitment::{capacity, digit_bits, digits_per_element},
    poseidon::{Poseidon, ROUNDS, WIDTH},
};

use super::columns::{CommitmentShape, InputDigits};
use crate::{
    cells::{CellRef, Place},
    error::PlanError,
    instance::BINDING_ROWS,
    integers::{self, from_verifier, index, limb_widths},
};

/// The tensors of one side of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Input,
    Output,
}

/// What a row does to the state of the hash, after adding its constants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum HashStep {
    /// The next state is zero.
    #[default]
    Clear,
    Keep,
    /// The first element to the fifth power, then all one place down: a third of a full round.
    Rotate,
    /// The last third of a full round: as above, then the matrix.
    Full,
    /// A partial round.
    Partial,
}

/// One row of the unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct CommitmentRow {
    /// The element that is packed: flat index among those of its side.
    pub(super) packs: Option<(Side, u32)>,
    /// Whether it continues the packed element of the row before.
    pub(super) more: bool,
    pub(super) step: HashStep,
    /// The place in the rate that the packed element is added to.
    pub(super) absorbs: Option<u8>,
    /// Index into the constants.
    pub(super) constants: Option<u32>,
}

/// The elements of one side, and what they are hashed into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CommittedSide {
    pub(super) side: Side,
    /// Bits of a packed element.
    pub(super) digit_bits: u32,
    pub(super) elements: Vec<(TensorId, u32)>,
    /// The row in which each element is packed.
    pub(super) element_rows: Vec<u32>,
    /// The lower bound of each element.
    pub(super) lows: Vec<i64>,
    /// The row whose state holds the commitment.
    pub(super) digest_row: u32,
    /// The row of the instance that shows it.
    pub(super) instance_row: usize,
}

/// The rows of the unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CommitmentRows {
    pub(super) rows: Vec<CommitmentRow>,
    pub(super) sides: Vec<CommittedSide>,
    /// Constants that rows add: those of the rounds, then the capacity of each side.
    pub(super) constants: Vec<[Fr; WIDTH]>,
    pub(super) matrix: [[Fr; WIDTH]; WIDTH],
    /// Bits of each element of the inputs, if they are committed to.
    pub(super) input_bits: Vec<u32>,
}

impl CommitmentRows {
    /// Rows for what is committed to of inputs and outputs; `None` where everything is public.
    ///
    /// # Errors
    /// [`PlanError::InputBounds`] for a committed input whose bounds are no range of bits.
    pub(crate) fn of(
        graph: &QuantizedGraph,
        [input, output]: [Visibility; 2],
    ) -> Result<Option<Self>, PlanError> {
        let sides = [(Side::Input, &graph.inputs, input), (Side::Output, &graph.outputs, output)];
        let committed: Vec<_> =
            sides.into_iter().filter(|side| side.2 == Visibility::Committed).collect();
        if committed.is_empty() {
            return Ok(None);
        }
        let mut input_bits = Vec::new();
        if input == Visibility::Committed {
            for &id in &graph.inputs {
                let bits = input_range(graph, id)?;
                input_bits.extend(std::iter::repeat_n(bits, graph.tensors[id.0].len()));
            }
        }
        // An input that is shown takes its rows of the instance, a commitment takes one.
        let shown = graph.inputs.iter().map(|id| graph.tensors[id.0].len()).sum();
        let of_inputs = if input == Visibility::Committed { 1 } else { shown };
        let poseidon = Poseidon::default();
        let mut plan = Self {
            rows: vec![CommitmentRow::default()],
            sides: Vec::new(),
            constants: poseidon.round_constants.iter().map(|c| c.map(from_verifier)).collect(),
            matrix: poseidon.matrix.map(|row| row.map(from_verifier)),
            input_bits,
        };
        for (side, tensors, _) in committed {
            let instance_row = match side {
                Side::Input => BINDING_ROWS,
                Side::Output => BINDING_ROWS + of_inputs,
            };
            plan.side(graph, side, tensors, instance_row);
        }
        Ok(Some(plan))
    }

    /// Rows.
    pub(crate) fn row_count(&self) -> usize {
        self.rows.len()
    }

    /// The cells of the committed inputs, one after another, if inputs are committed to.
    pub(crate) fn input_cells(&self) -> Option<Vec<CellRef>> {
        let side = self.side_of(Side::Input)?;
        let cell = |&row: &u32| CellRef { place: Place::Committed, row };
        Some(side.element_rows.iter().map(cell).collect())
    }

    /// Column counts and limb widths, limbs of at most `limb_limit` bits.
    pub(crate) fn shape(&self, graph: &QuantizedGraph, limb_limit: u32) -> CommitmentShape {
        let digit_bits = |side| self.side_of(side).map(|committed| committed.digit_bits);
        CommitmentShape {
            input: digit_bits(Side::Input).map(|digit_bits| {
                let tensors = graph.inputs.iter().map(|&id| &graph.tensors[id.0]);
                let tensor_bits: Vec<_> = tensors.map(|t| integers::bits(t.hi - t.lo)).collect();
                // One limb at least, even where an element has a single value.
                let widest = tensor_bits.iter().max().map_or(1, |&bits| bits.max(1));
                let limbs = limb_widths(widest, limb_limit);
                InputDigits { digit_bits, tensor_bits, limbs }
            }),
            output_digit_bits: digit_bits(Side::Output),
        }
    }

    pub(super) fn side_of(&self, side: Side) -> Option<&CommittedSide> {
        self.sides.iter().find(|committed| committed.side == side)
    }

    /// Lower bound of an element of a side.
    pub(super) fn low_of(&self, side: Side, element: u32) -> i64 {
        let committed = self.side_of(side).expect("what is packed is committed to");
        committed.lows[element as usize]
    }

    /// The side whose blinding is the packed cell of this row.
    pub(super) fn blinding_side(&self, row: usize) -> Option<Side> {
        let constants = self.rows[row].constants?;
        self.sides.get((constants as usize).checked_sub(ROUNDS)?).map(|committed| committed.side)
    }

    /// Whether this row raises the state's first element to the fifth power.
    pub(super) fn raises(&self, row: usize) -> bool {
        matches!(self.rows[row].step, HashStep::Rotate | HashStep::Full | HashStep::Partial)
    }

    /// Whether the packed cell of this row has a meaning.
    pub(super) fn binds_packed(&self, row: usize) -> bool {
        let follows = row.checked_sub(1).is_some_and(|before| self.rows[before].packs.is_some());
        follows || self.rows[row].absorbs.is_some()
    }

    fn side(
        &mut self,
        graph: &QuantizedGraph,
        side: Side,
        tensors: &[TensorId],
        instance_row: usize,
    ) {
        let bounds = tensors.iter().map(|id| (graph.tensors[id.0].lo, graph.tensors[id.0].hi));
        let bits = digit_bits(bounds);
        let elements: Vec<_> = tensors
            .iter()
            .flat_map(|&id| (0..graph.tensors[id.0].len()).map(move |e| (id, index(e))))
            .collect();
        let lows = elements.iter().map(|(id, _)| graph.tensors[id.0].lo).collect();
        let count = elements.len();
        let start = index(self.constants.len());
        let zero = Fr::zero();
        self.constants.push([from_verifier(capacity(count, bits)), zero, zero]);
        // The rows before stay as they are: the first packed element is the blinding, free in the
        // row after one that packs nothing.
        self.push(HashStep::Keep, Some(start));
        self.absorb(0);
        let chunk = digits_per_element(bits);
        let mut chunks =
            (0..count).step_by(chunk).map(|first| first..count.min(first + chunk)).peekable();
        loop {
            if let Some(second) = chunks.next() {
                self.pack_while_waiting(side, second);
            }
            self.permutation();
            let Some(first) = chunks.next() else { break };
            self.pack_before(side, first);
        }
        // The state after the last row is the digest.
        self.rows.push(CommitmentRow::default());
        let packed = |row: &CommitmentRow| row.packs.is_some_and(|(of, _)| of == side);
        let element_rows =
            (0..).zip(&self.rows).filter(|(_, row)| packed(row)).map(|(at, _)| at).collect();
        let digest_row = index(self.rows.len() - 1);
        self.sides.push(CommittedSide {
            side,
            digit_bits: bits,
            elements,
            element_rows,
            lows,
            digest_row,
            instance_row,
        });
    }

    fn push(&mut self, step: HashStep, constants: Option<u32>) {
        self.rows.push(CommitmentRow { step, constants, ..CommitmentRow::default() });
    }

    fn absorb(&mut self, place: u8) {
        if let Some(last) = self.rows.last_mut() {
            last.absorbs = Some(place);
        }
    }

    fn permutation(&mut self) {
        for round in 0..ROUNDS {
            let constants = Some(index(round));
            if Poseidon::is_full(round) {
                self.push(HashStep::Rotate, constants);
                self.push(HashStep::Rotate, None);
                self.push(HashStep::Full, None);
            } else {
                self.push(HashStep::Partial, constants);
            }
        }
    }

    /// Packs elements from the last row on, and then adds them to the second place of the rate.
    fn pack_while_waiting(&mut self, side: Side, elements: Range<usize>) {
        let first = self.rows.len() - 1;
        let count = elements.len();
        (0..count).for_each(|_| self.push(HashStep::Keep, None));
        self.pack(side, elements, first);
        self.absorb(1);
    }

    /// Packs elements in the rows before the last one, which adds them to the first place.
    fn pack_before(&mut self, side: Side, elements: Range<usize>) {
        let first = self.rows.len() - 1 - elements.len();
        self.pack(side, elements, first);
        self.absorb(0);
    }

    fn pack(&mut self, side: Side, elements: Range<usize>, first: usize) {
        let start = elements.start;
        for (row_of, element) in self.rows[first..].iter_mut().zip(elements) {
            row_of.packs = Some((side, index(element)));
            row_of.more = element > start;
        }
    }
}

/// Bits of the range that a committed input is looked up in.
fn input_range(graph: &QuantizedGraph, id: TensorId) -> Result<u32, PlanError> {
    let tensor = &graph.tensors[id.0];
    let bits = integers::bits(tensor.hi - tensor.lo);
    if tensor.hi - tensor.lo == (1 << bits) - 1 {
        return Ok(bits);
    }
    let (lo, hi) = (tensor.lo, tensor.hi);
    Err(PlanError::InputBounds { tensor: tensor.name.clone(), lo, hi })
}
