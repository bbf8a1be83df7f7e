//! The hash unit's witness: hidden values in the first phase, their packing and hash in the
//! second.

use std::collections::HashMap;

use halo2_proofs::halo2curves::{
    bn256::Fr,
    ff::{Field, PrimeField},
};
use zkinfer_verifier::poseidon::WIDTH;

use super::{
    columns::{HashUnit, Lane},
    permutation::{Permutation, Rounds, Step},
    rows::{Absorbs, DigitPlace, HashRow, HashRows, Secret, Side, StateCell, Track},
};
use crate::{
    cells::{FieldCells, IntegerCells, Run},
    instance::Blindings,
    integers::field,
};

/// Hidden inputs with their limbs, and copies of hidden outputs.
pub(super) fn assign(unit: &HashUnit, rows: &HashRows, run: Run<'_>, cells: &mut IntegerCells) {
    for (DigitPlace { row, track, at }, digit) in rows.digits() {
        let side = rows.side(digit);
        for (number, lane) in unit.lanes.iter().enumerate() {
            let claim = rows.claim(digit.block as usize, number);
            let value = run.value(Some(side.source(claim, digit.element)));
            let columns = &lane.tracks[track as usize];
            match (digit.side, columns.inputs.get(at), &columns.output) {
                (Side::Input, Some((column, limbs)), _) => {
                    cells.set(*column, row, value);
                    cells.set_limbs(limbs, row, value - side.low(digit.element));
                }
                (Side::Output, _, Some(copied)) => {
                    cells.copy(*copied, row, value);
                }
                _ => unreachable!("a side that is committed to has its columns"),
            }
        }
    }
}

/// What a claim keeps to itself; zeros where nobody has drawn anything.
fn secret(blindings: &[Blindings], claim: usize, secret: Secret) -> Fr {
    let of = blindings.get(claim).copied().unwrap_or_default();
    match secret {
        Secret::Blinding(Side::Input) => of.input,
        Secret::Blinding(Side::Output) => of.output,
        Secret::Binding(half) => Fr::from_u128(of.binding[half]),
    }
}

/// The packed elements and the states of the hash, computed from whatever the first phase holds.
pub(super) fn hash(
    unit: &HashUnit,
    rows: &HashRows,
    (advice, blindings): (&IntegerCells, &[Blindings]),
    cells: &mut FieldCells,
) {
    let secrets =
        rows.secrets.iter().map(|&(row, track, block, of)| ((row, track as usize), (block, of)));
    let links = rows.links.iter().map(|link| ((link.lane, link.row), link.from));
    let mut hashing = Hashing {
        unit,
        rows,
        advice,
        blindings,
        secrets: secrets.collect(),
        links: links.collect(),
        linked: rows.links.iter().map(|link| (link.from, Fr::ZERO)).collect(),
        permutation: Permutation::new(unit.widths.rounds).into(),
    };
    let mut lanes = vec![LaneState::default(); unit.lanes.len()];
    for row in 0..rows.rows.len() {
        for (number, state) in lanes.iter_mut().enumerate() {
            hashing.step((number, row), state, cells);
        }
    }
}

/// A lane before a row.
#[derive(Clone, Debug, Default)]
struct LaneState {
    packed: [Fr; Track::ALL.len()],
    state: [Fr; WIDTH],
}

/// The weights of the rounds.
struct Weights {
    full: [[Fr; WIDTH]; WIDTH],
    partial: Rounds,
    rest: Option<Rounds>,
}

impl From<Permutation> for Weights {
    fn from(permutation: Permutation) -> Self {
        let (partial, rest) = (permutation.partial(), permutation.rest());
        Self { full: permutation.full(), partial, rest }
    }
}

struct Hashing<'a> {
    unit: &'a HashUnit,
    rows: &'a HashRows,
    advice: &'a IntegerCells,
    blindings: &'a [Blindings],
    /// By row and track the block of claims, and what is theirs.
    secrets: HashMap<(usize, usize), (usize, Secret)>,
    /// By lane and row what the packed cell of the second track is a copy of.
    links: HashMap<(usize, usize), StateCell>,
    /// What is copied, as far as it is known.
    linked: HashMap<StateCell, Fr>,
    permutation: Weights,
}

impl Hashing<'_> {
    /// Assigns a row of a lane, and moves on to the next.
    fn step(&mut self, (number, row): (usize, usize), now: &mut LaneState, cells: &mut FieldCells) {
        let (unit, of) = (self.unit, self.rows.rows[row]);
        let lane = &unit.lanes[number];
        for element in 0..WIDTH {
            if row > 0 {
                cells.set(lane.state[element], row, now.state[element]);
            }
            let cell = StateCell { lane: number, element, row };
            if let Some(known) = self.linked.get_mut(&cell) {
                *known = now.state[element];
            }
        }
        for track in Track::ALL {
            let at = track as usize;
            if let Some(given) = self.given((number, row), track) {
                now.packed[at] = given;
            }
            if self.binds_packed(row, track) {
                cells.set(lane.tracks[at].packed, row, now.packed[at]);
            }
        }
        let mut state = self.next_state((number, row), &of, now.state, cells);
        for absorbs in Absorbs::ALL.into_iter().filter(|&a| of.absorbs[a as usize]) {
            state[1 + absorbs.place()] += now.packed[absorbs.track() as usize];
        }
        if of.numbered {
            state[1] += Fr::from(u64::try_from(number).unwrap_or(u64::MAX));
        }
        now.state = state;
        self.pack(lane, (row, &of), &mut now.packed);
    }

    /// What a packed cell holds that packs nothing.
    fn given(&self, (lane, row): (usize, usize), track: Track) -> Option<Fr> {
        if let Some(&(block, of)) = self.secrets.get(&(row, track as usize)) {
            return Some(secret(self.blindings, self.rows.claim(block, lane), of));
        }
        let from = (track == Track::B).then(|| self.links.get(&(lane, row))).flatten()?;
        self.linked.get(from).copied()
    }

    /// Whether the packed cell of this row has a meaning.
    fn binds_packed(&self, row: usize, track: Track) -> bool {
        // A row that packs has the last digit of its packed element.
        let packs = |row: usize| self.rows.rows[row].packs[track as usize][0].is_some();
        let absorbs = |absorbs: &Absorbs| {
            absorbs.track() == track && self.rows.rows[row].absorbs[*absorbs as usize]
        };
        row.checked_sub(1).is_some_and(packs) || Absorbs::ALL.iter().any(absorbs)
    }

    /// The packed elements after a row.
    fn pack(&self, lane: &Lane, (row, of): (usize, &HashRow), packed: &mut [Fr; Track::ALL.len()]) {
        for ((packed, cells), digits) in packed.iter_mut().zip(&lane.tracks).zip(of.packs) {
            let before = std::mem::take(packed);
            *packed = digits.into_iter().enumerate().rev().fold(before, |packed, (at, digit)| {
                let Some(digit) = digit else { return packed };
                let side = self.rows.side(digit);
                let column = cells.values(digit.side)[at];
                let value = field(self.advice.get(column, row) - side.low(digit.element));
                let base = Fr::from(1 << side.digit_bits);
                if digit.more { packed * base + value } else { value }
            });
        }
    }

    /// The state after a row's step, whose squares and powers are assigned.
    fn next_state(
        &self,
        (number, row): (usize, usize),
        of: &HashRow,
        state: [Fr; WIDTH],
        cells: &mut FieldCells,
    ) -> [Fr; WIDTH] {
        let lane = &self.unit.lanes[number];
        let constants = &self.rows.constants[of.constants as usize];
        let t: [Fr; WIDTH] = std::array::from_fn(|i| state[i] + constants[i]);
        let fifth = |at: usize, x: Fr, cells: &mut FieldCells| {
            let square = x.square();
            cells.set(lane.squares[at], row, square);
            square.square() * x
        };
        let mut partial = |Rounds { raised, next }: &Rounds| {
            let mut terms = vec![Fr::ZERO; raised.len() + WIDTH];
            terms[raised.len() + 1..].copy_from_slice(&t[1..]);
            terms[0] = fifth(0, t[0], cells);
            for (at, weights) in raised.iter().enumerate() {
                let raised = dot(weights, &terms) + constants[WIDTH + at];
                cells.set(lane.raised[at], row, raised);
                terms[at + 1] = fifth(at + 1, raised, cells);
            }
            std::array::from_fn(|i| dot(&next[i], &terms))
        };
        match of.step {
            Step::Clear => [Fr::ZERO; WIDTH],
            Step::Start => std::array::from_fn(|i| constants[i]),
            Step::Keep => t,
            Step::Full => {
                let powers: [Fr; WIDTH] = std::array::from_fn(|i| fifth(i, t[i], cells));
                self.permutation.full.map(|weights| dot(&weights, &powers))
            }
            Step::Partial => partial(&self.permutation.partial),
            Step::Rest => self.permutation.rest.as_ref().map_or(t, partial),
        }
    }
}

fn dot(weights: &[Fr], terms: &[Fr]) -> Fr {
    weights.iter().zip(terms).map(|(weight, term)| weight * term).sum()
}
