//! The rows of the product unit: pair by pair, first the factor of the positions, then that of the
//! channels.

use zkinfer_models::quantized::Contract;

use super::{
    columns::ProductShape,
    contraction::{Contraction, contract},
};
use crate::{
    cells::Source,
    chain::{Monomial, Step},
    integers::int,
    units::{relation::Proven, slots::Layer},
};

/// What a row reads for the next one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Reads {
    #[default]
    Nothing,
    /// Elements of neighbouring positions.
    Positions,
    /// Elements of neighbouring channels, which are digits to one of the bases.
    Channels { base: usize },
}

/// One row of the product unit. Its product is that of its own chain values; reads and steps make
/// the next ones.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ProductRow {
    pub(super) reads: Reads,
    pub(super) positions: Step,
    pub(super) channels: Step,
    pub(super) heads: Step,
    /// The layer whose challenge starts the weight of the next row, by its place among products.
    pub(super) starts: Option<usize>,
    /// Factor of the product; 0 where there is none.
    pub(super) factor: i64,
}

/// The product unit of a plan.
#[derive(Clone, Debug)]
pub(crate) struct ProductRows {
    pub(super) rows: Vec<ProductRow>,
    /// For each row that reads a source for each lane.
    reads: Vec<Source>,
    pub(super) shape: ProductShape,
}

/// Rows of the products of a graph with so many reads to a row; 1 without any.
pub(super) fn row_count(proven: Proven<'_>, lanes: usize) -> usize {
    let of_product = |(layer, contract): (&Layer, &Contract)| {
        let product = Contraction::new(contract);
        let channels = layer.packing.runs(product.channels(), lanes).len();
        let to_pair = product.positions().div_ceil(lanes) + channels;
        product.heads().saturating_mul(product.inner()).saturating_mul(to_pair)
    };
    let rows = proven.layers(contract).map(of_product);
    1 + rows.fold(0, usize::saturating_add)
}

impl ProductRows {
    /// The rows of the products of a graph, if it has any.
    pub(super) fn new(proven: Proven<'_>, lanes: usize) -> Option<Self> {
        let is_scaled = proven.layers.iter().any(|layer| layer.pooling.is_some());
        let shape = ProductShape { lanes, is_scaled, ..ProductShape::default() };
        let mut found = Self { rows: vec![ProductRow::default()], reads: Vec::new(), shape };
        for (layer, contract) in proven.layers(contract) {
            found.product(layer, contract);
        }
        (found.rows.len() > 1).then_some(found)
    }

    /// The rows that read, each with what its lanes hold.
    pub(super) fn read_rows(&self, lanes: usize) -> impl Iterator<Item = (usize, &[Source])> {
        let rows = self.rows.iter().enumerate();
        let reading = rows.filter(|(_, row)| row.reads != Reads::Nothing).map(|(row, _)| row);
        reading.zip(self.reads.chunks(lanes))
    }

    /// Completes the last row with what it reads, and starts the next one.
    fn read(&mut self, row: ProductRow, sources: impl Iterator<Item = Source>) {
        let start = self.reads.len();
        self.reads.extend(sources);
        self.reads.resize(start + self.shape.lanes, None);
        if let Some(last) = self.rows.last_mut() {
            *last = ProductRow { factor: last.factor, ..row };
        }
        self.rows.push(ProductRow::default());
    }

    fn product(&mut self, layer: &Layer, contract: &Contract) {
        let product = Contraction::new(contract);
        let start = self.shape.layers.len();
        self.shape.layers.push(layer.challenge);
        let (stay, next) = (Monomial::ONE, Monomial::new(0, 1, 0));
        let mut before = None;
        for head in 0..product.heads() {
            for inner in 0..product.inner() {
                let heads = match before.replace(head) {
                    None => Step::default(),
                    Some(before) => self.shape.heads.step(if before == head { stay } else { next }),
                };
                let starts = (head + inner == 0).then_some(start);
                self.positions(
                    product,
                    [head, inner],
                    ProductRow { heads, starts, ..ProductRow::default() },
                );
                self.channels((layer, product), [head, inner]);
                if let Some(last) = self.rows.last_mut() {
                    last.factor = contract.factor;
                }
            }
        }
    }

    /// Reads a factor of the positions, from the last to the first; `first` is the first row.
    fn positions(
        &mut self,
        product: Contraction<'_>,
        [head, inner]: [usize; 2],
        first: ProductRow,
    ) {
        let lanes = self.shape.lanes;
        let starts: Vec<usize> = (0..product.positions()).step_by(lanes).collect();
        for (turn, &start) in starts.iter().rev().enumerate() {
            let end = product.positions().min(start + lanes);
            let row = match turn {
                0 => first,
                _ => ProductRow {
                    positions: self.shape.positions.step(Monomial::new(0, 0, int(lanes))),
                    heads: self.shape.heads.step(Monomial::ONE),
                    ..ProductRow::default()
                },
            };
            let sources = (start..end).map(|position| product.of_position(head, inner, position));
            self.read(ProductRow { reads: Reads::Positions, ..row }, sources);
        }
    }

    /// Reads a factor of the channels, from the last to the first.
    fn channels(&mut self, (layer, product): (&Layer, Contraction<'_>), [head, inner]: [usize; 2]) {
        let base = self.base(layer.packing.digit_bits);
        let runs = layer.packing.runs(product.channels(), self.shape.lanes);
        for (place, run) in runs.iter().enumerate().rev() {
            let channels = match runs.get(place + 1) {
                Some(after) => self.shape.channels.step(layer.packing.step(run.start, after.start)),
                None => Step::default(),
            };
            let row = ProductRow {
                reads: Reads::Channels { base },
                positions: self.shape.positions.step(Monomial::ONE),
                channels,
                heads: self.shape.heads.step(Monomial::ONE),
                ..ProductRow::default()
            };
            let sources = run.clone().map(|channel| product.of_channel(head, inner, channel));
            self.read(row, sources);
        }
    }

    /// The place of a base among those that there are.
    fn base(&mut self, digit_bits: u32) -> usize {
        let bases: &mut Vec<u32> = &mut self.shape.bases;
        bases.iter().position(|&base| base == digit_bits).unwrap_or_else(|| {
            bases.push(digit_bits);
            bases.len() - 1
        })
    }
}
