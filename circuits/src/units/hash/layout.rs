//! The steps of the hash one after another, and the packing in the rows before them.

use std::{iter, ops::Range};

use halo2_proofs::halo2curves::{bn256::Fr, ff::Field};
use zkinfer_verifier::{commitment::capacity, joint};

use super::{
    columns::HashWidths,
    permutation::{self, Permutation, Step},
    rows::{
        Absorbs, Digit, HashRow, HashRows, Hidden, HiddenSide, Link, Secret, Side, StateCell, Track,
    },
};
use crate::integers::{from_verifier, index};

impl Hidden {
    /// The rows of the narrowest unit, of up to so many lanes, that fits into `rows`. Lanes divide the
    /// claims: a lane without a claim would have cells that mean nothing.
    pub(crate) fn narrowest(&self, rows: usize, most_lanes: usize) -> Option<HashRows> {
        let widths = match self.claims {
            1 => vec![HashWidths::default()],
            claims => HashWidths::of_claims(claims, most_lanes),
        };
        let enough = widths.into_iter().filter(|&widths| self.least_rows(widths) <= rows);
        enough.map(|widths| HashRows::new(self, widths)).find(|found| found.row_count() <= rows)
    }

    /// The rows of all permutations, which come one after another: there are no fewer.
    fn least_rows(&self, widths: HashWidths) -> usize {
        let of_sides = self.sides.iter().map(|side| (1 + side.chunks().count()).div_ceil(RATE));
        let (leaf, nodes) = if self.claims > 1 { (LEAF, self.claims - 1) } else { (0, 0) };
        let of_block = of_sides.sum::<usize>() + leaf;
        let permutations = self.claims / widths.lanes * of_block + nodes;
        permutations * permutation::steps(widths.rounds).count()
    }
}

/// Elements that a permutation absorbs.
const RATE: usize = 2;
/// Permutations of a leaf.
const LEAF: usize = 3;

impl HashRows {
    /// The rows of these widths, whose lanes are a divisor of the claims.
    pub(crate) fn new(hidden: &Hidden, widths: HashWidths) -> Self {
        let lanes = widths.lanes;
        let mut builder = Builder::new(hidden, widths);
        let blocks = hidden.claims / lanes;
        let mut leaves = Vec::new();
        for block in 0..blocks {
            let digests: Vec<usize> =
                hidden.sides.iter().map(|side| builder.side(side, block)).collect();
            if hidden.claims == 1 {
                let shown = hidden.sides.iter().zip(digests);
                let shown = shown.map(|(side, row)| (side.instance_row, digest(0, row)));
                builder.plan.shown.extend(shown);
            } else {
                let leaf = builder.leaf(block, &digests);
                leaves.extend((0..lanes).map(|lane| digest(lane, leaf)));
            }
        }
        if let Some(root) = builder.tree(leaves) {
            builder.plan.shown.push((0, root));
        }
        // The last state is in the row after the last step.
        builder.plan.rows.push(HashRow::default());
        builder.plan
    }
}

/// The digest of a sponge.
fn digest(lane: usize, row: usize) -> StateCell {
    StateCell { lane, element: 1, row }
}

/// The hash of a node.
fn node(row: usize) -> StateCell {
    StateCell { lane: 0, element: 0, row }
}

/// What is absorbed.
#[derive(Clone, Debug)]
enum Content {
    /// Elements of a side, packed into one.
    Packed(Side, Range<usize>),
    /// A cell that is free.
    Secret(Secret),
    /// Copies of these cells, one for each lane.
    Copy(Vec<StateCell>),
}

/// Lays the steps out one after another, and the packing in the rows before them.
struct Builder {
    plan: HashRows,
    /// For each track the row after the last that packs; `None` where none does yet.
    free: [Option<usize>; Track::ALL.len()],
    block: usize,
    permutation: Range<u32>,
}

impl Builder {
    fn new(hidden: &Hidden, widths: HashWidths) -> Self {
        let zeros = iter::once(vec![Fr::ZERO; permutation::constants(widths.rounds)]);
        let of_rounds = Permutation::new(widths.rounds).constants();
        let constants: Vec<_> = zeros.chain(of_rounds).collect();
        let permutation = 1..index(constants.len());
        let plan = HashRows {
            hidden: hidden.clone(),
            widths,
            rows: Vec::new(),
            constants,
            secrets: Vec::new(),
            links: Vec::new(),
            shown: Vec::new(),
        };
        Self { plan, free: [None; Track::ALL.len()], block: 0, permutation }
    }

    /// The commitments to a side of a block of claims: the row of their digests.
    fn side(&mut self, side: &HiddenSide, block: usize) -> usize {
        self.block = block;
        let mut chunks = side.chunks();
        let mut next = || chunks.next().map(|chunk| Content::Packed(side.side, chunk));
        let (count, bits) = (side.elements.len(), side.digit_bits);
        let start = [from_verifier(capacity(count, bits)), Fr::ZERO];
        let blinding = (Absorbs::AFirst, Content::Secret(Secret::Blinding(side.side)));
        let first = next().map(|chunk| (Absorbs::BSecond, chunk));
        self.start(start, false, iter::once(blinding).chain(first).collect());
        self.permute();
        // Copies of outputs lie in the second track only.
        let absorbs = match side.side {
            Side::Input => Absorbs::AFirst,
            Side::Output => Absorbs::BFirst,
        };
        while let Some(chunk) = next() {
            self.absorb(absorbs, chunk);
            if let Some(chunk) = next() {
                self.absorb(Absorbs::BSecond, chunk);
            }
            self.permute();
        }
        self.plan.rows.len()
    }

    /// The leaves of a block of claims whose commitments are in these rows: the row of the digests.
    fn leaf(&mut self, block: usize, digests: &[usize]) -> usize {
        self.block = block;
        let lanes = self.plan.widths.lanes;
        let number = u64::from(index(block * lanes));
        let start = [from_verifier(joint::leaf_capacity()), Fr::from(number)];
        let [low, high] = [0, 1].map(|half| Content::Secret(Secret::Binding(half)));
        let copies = |row: usize| Content::Copy((0..lanes).map(|lane| digest(lane, row)).collect());
        let digests: Vec<_> = digests.iter().map(|&row| copies(row)).collect();
        self.start(start, true, vec![(Absorbs::BSecond, low)]);
        self.permute();
        let mut digests = digests.into_iter();
        self.absorb(Absorbs::AFirst, high);
        if let Some(input) = digests.next() {
            self.absorb(Absorbs::BSecond, input);
        }
        self.permute();
        if let Some(output) = digests.next() {
            self.absorb(Absorbs::BFirst, output);
        }
        self.permute();
        self.plan.rows.len()
    }

    /// The root above the leaves; `None` without leaves. A lone node goes up unhashed.
    fn tree(&mut self, mut nodes: Vec<StateCell>) -> Option<StateCell> {
        while nodes.len() > 1 {
            let hash = |pair: &[StateCell]| match *pair {
                [left, right] => {
                    let left = vec![(Absorbs::BFirst, Content::Copy(vec![left]))];
                    self.start([Fr::ZERO; 2], false, left);
                    self.absorb(Absorbs::BSecond, Content::Copy(vec![right]));
                    self.permute();
                    node(self.plan.rows.len())
                }
                _ => pair[0],
            };
            nodes = nodes.chunks(2).map(hash).collect();
        }
        nodes.pop()
    }

    /// A state that is these constants and what is absorbed in the same row.
    fn start(
        &mut self,
        [capacity, first]: [Fr; 2],
        numbered: bool,
        absorbed: Vec<(Absorbs, Content)>,
    ) {
        let earliest = absorbed.iter().map(|(absorbs, content)| self.earliest(*absorbs, content));
        let row = earliest.max().unwrap_or(0).max(self.plan.rows.len());
        self.plan.rows.resize(row, HashRow::default());
        let mut constants = vec![Fr::ZERO; permutation::constants(self.plan.widths.rounds)];
        constants[..2].copy_from_slice(&[capacity, first]);
        let constants = self.constants(constants);
        self.plan.rows.push(HashRow {
            step: Step::Start,
            constants,
            numbered,
            ..HashRow::default()
        });
        for (absorbs, content) in absorbed {
            self.place(row, absorbs, content);
        }
    }

    /// The index of these constants.
    fn constants(&mut self, constants: Vec<Fr>) -> u32 {
        let known = self.plan.constants.iter().position(|of| *of == constants);
        index(known.unwrap_or_else(|| {
            self.plan.constants.push(constants);
            self.plan.constants.len() - 1
        }))
    }

    fn permute(&mut self) {
        let steps = permutation::steps(self.plan.widths.rounds);
        for (constants, step) in self.permutation.clone().zip(steps) {
            self.plan.rows.push(HashRow { step, constants, ..HashRow::default() });
        }
    }

    /// Adds to the state after the last row, or to a later one that keeps it.
    fn absorb(&mut self, absorbs: Absorbs, content: Content) {
        let last = self.plan.rows.len() - 1;
        let row = self.earliest(absorbs, &content).max(last);
        let keep = HashRow { step: Step::Keep, ..HashRow::default() };
        self.plan.rows.resize(row + 1, keep);
        self.place(row, absorbs, content);
    }

    /// The first row whose packed cell can hold this.
    fn earliest(&self, absorbs: Absorbs, content: &Content) -> usize {
        match (self.free[absorbs.track() as usize], content) {
            (free, Content::Packed(side, elements)) => {
                free.unwrap_or(0) + elements.len().div_ceil(self.digits_of(*side))
            }
            (None, Content::Secret(_) | Content::Copy(_)) => 0,
            // The row before packs nothing: what it packed would be in the cell.
            (Some(free), Content::Secret(_) | Content::Copy(_)) => free + 1,
        }
    }

    /// Elements of a side that a row packs.
    fn digits_of(&self, side: Side) -> usize {
        match side {
            Side::Input => self.plan.widths.digits,
            Side::Output => 1,
        }
    }

    fn place(&mut self, row: usize, absorbs: Absorbs, content: Content) {
        let track = absorbs.track();
        self.plan.rows[row].absorbs[absorbs as usize] = true;
        self.free[track as usize] = Some(row);
        match content {
            Content::Packed(side, elements) => {
                let (start, block) = (elements.start, index(self.block));
                let digits = self.digits_of(side);
                // From the last element on, whose row is full: the first row may not be.
                for (back, element) in elements.rev().enumerate() {
                    let (more, element) = (element > start, index(element));
                    let digit = Digit { side, block, element, more };
                    let packs = &mut self.plan.rows[row - 1 - back / digits].packs;
                    packs[track as usize][back % digits] = Some(digit);
                }
            }
            Content::Secret(secret) => self.plan.secrets.push((row, track, self.block, secret)),
            Content::Copy(cells) => {
                let link = |(lane, from)| Link { lane, row, from };
                self.plan.links.extend(cells.into_iter().enumerate().map(link));
            }
        }
    }
}
