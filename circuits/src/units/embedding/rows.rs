//! The rows of the embedding unit: what indices chose, beside the tables.

use halo2_proofs::halo2curves::bn256::Fr;
use zkinfer_models::quantized::{Embed, QuantizedNode, TensorId};

use super::{EmbeddingShape, embed};
use crate::{
    cells::Source,
    chain::{Step, StepSet},
    integers::{bits, index},
    lookup::{keys, rows_of},
    units::{
        relation::{Proven, ResultCell},
        slots::Packing,
    },
};

/// One row. What it states and its step make the next evaluation.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Line {
    pub(super) step: Step,
    /// The table whose elements the row states.
    pub(super) of: Option<usize>,
    /// The table of which the row's evaluation is a whole row, and the index that chose it.
    pub(super) whole: Option<(usize, Source)>,
}

/// A table.
#[derive(Clone, Debug)]
pub(super) struct Table {
    embed: Embed,
    /// The smallest index.
    pub(super) first: i64,
    /// The smallest element.
    pub(super) low: i64,
    /// Rows of the circuit before its own.
    start: usize,
}

/// A row of tables: one row of the same table in each lane, with indices that follow on each other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words {
    pub(super) table: usize,
    /// The place of the first lane's.
    pub(super) place: i64,
    /// How much further the next lane's is.
    pub(super) step: i64,
}

/// The embedding unit of a plan.
#[derive(Clone, Debug)]
pub(crate) struct EmbeddingRows {
    lanes: usize,
    packing: Packing,
    pub(super) lines: Vec<Line>,
    /// For each row a source for each lane.
    elements: Vec<Source>,
    pub(super) tables: Vec<Table>,
    steps: StepSet,
}

/// Bits of the elements of all tables.
fn digit_bits(proven: Proven<'_>) -> u32 {
    let of = |(node, _): (&QuantizedNode, &Embed)| {
        let tensor = &proven.graph.tensors[node.output.0];
        bits(tensor.hi - tensor.lo).max(1)
    };
    proven.operations(embed).map(of).max().unwrap_or(1)
}

/// Rows with so many elements, and rows of tables, to a row. Those of a row are in one pack.
pub(super) fn count(proven: Proven<'_>, lanes: usize) -> usize {
    if Packing::new(digit_bits(proven), lanes).run != lanes {
        return usize::MAX;
    }
    let stated = |(node, embed): (&QuantizedNode, &Embed)| {
        proven.graph.tensors[node.output.0].len() / embed.width * embed.width.div_ceil(lanes)
    };
    let tables = proven.operations(embed).map(|(_, embed)| rows_of(embed.rows(), lanes)).sum();
    match proven.operations(embed).map(stated).sum::<usize>() {
        0 => 0,
        stated => (stated + 1).max(tables),
    }
}

impl EmbeddingRows {
    /// The rows with so many elements to a row, if there are embeddings.
    pub(super) fn new(proven: Proven<'_>, lanes: usize) -> Option<Self> {
        proven.operations(embed).next()?;
        let mut found = Self {
            lanes,
            packing: Packing::new(digit_bits(proven), lanes),
            lines: vec![Line::default()],
            elements: Vec::new(),
            tables: Vec::new(),
            steps: StepSet::default(),
        };
        let mut start = 0;
        for (node, embed) in proven.operations(embed) {
            let tensor = &proven.graph.tensors[node.output.0];
            let (first, low) = (embed.first, tensor.lo);
            found.tables.push(Table { embed: embed.clone(), first, low, start });
            start += rows_of(embed.rows(), lanes);
            found.state(node.output, embed, tensor.len());
        }
        Some(found)
    }

    /// States what the indices of an embedding chose.
    fn state(&mut self, output: TensorId, embed: &Embed, len: usize) {
        let table = self.tables.len() - 1;
        let starts: Vec<usize> = (0..embed.width).step_by(self.lanes).collect();
        for chosen in 0..len / embed.width {
            let mut after = None;
            for &start in starts.iter().rev() {
                let step = match after.replace(start) {
                    Some(after) => self.steps.step(self.packing.step(start, after)),
                    None => Step::default(),
                };
                let lanes = start..start + self.lanes;
                let element = |lane: usize| {
                    let source = (output, index(chosen * embed.width + lane));
                    (lane < embed.width).then_some(source)
                };
                let line = self.lines.last().copied().unwrap_or_default();
                self.elements.extend(lanes.map(element));
                self.lines.pop();
                self.lines.push(Line { step, of: Some(table), ..line });
                self.lines.push(Line::default());
            }
            if let Some(last) = self.lines.last_mut() {
                last.whole = Some((table, Some((embed.input, index(chosen)))));
            }
        }
    }

    /// Rows.
    pub(super) fn row_count(&self) -> usize {
        self.lines.len().max(self.word_rows())
    }

    /// The columns that the rows need, digits in one limb.
    pub(super) fn shape(&self) -> EmbeddingShape {
        let widths = self.tables.iter().map(|table| table.embed.width);
        let last = widths.max().unwrap_or(1) - 1;
        let bits = self.packing.digit_bits;
        EmbeddingShape {
            lanes: self.lanes,
            packs: self.packing.place(last).0 + 1,
            bits,
            limbs: vec![bits],
            steps: self.steps.clone(),
        }
    }

    /// What the lanes of a row that states elements hold.
    pub(super) fn elements(&self, row: usize) -> &[Source] {
        &self.elements[row * self.lanes..][..self.lanes]
    }

    /// Where the elements are.
    pub(super) fn results(&self) -> Vec<ResultCell> {
        let result = |(at, source): (usize, &Source)| {
            let (tensor, element) = (*source)?;
            let [lane, row] = [at % self.lanes, at / self.lanes].map(index);
            Some(ResultCell { tensor, element, lane, row })
        };
        self.elements.iter().enumerate().filter_map(result).collect()
    }

    /// Rows of all tables.
    pub(super) fn word_rows(&self) -> usize {
        self.tables.last().map_or(0, |table| table.start + rows_of(table.embed.rows(), self.lanes))
    }

    /// The rows of the tables.
    pub(super) fn words(&self) -> impl Iterator<Item = Words> + '_ {
        let lanes = self.lanes;
        self.tables.iter().enumerate().flat_map(move |(table, of)| {
            let rows = of.embed.rows();
            (0..rows_of(rows, lanes)).map(move |row| {
                let (place, step) = keys(rows, lanes, row);
                let [place, step] = [place, step].map(|number| i64::from(index(number)));
                Words { table, place, step }
            })
        })
    }

    /// The packs of the row of a table in a lane.
    pub(super) fn packs(&self, words: Words, lane: usize) -> Vec<Fr> {
        let table = &self.tables[words.table];
        let place = words.place + words.step * i64::from(index(lane));
        let row = usize::try_from(place).map_or(&[][..], |place| table.embed.row(place));
        let low = i32::try_from(table.low).unwrap_or(i32::MIN);
        let packs = self.packing.place(row.len().saturating_sub(1)).0 + 1;
        let digit = |channel: usize| row.get(channel).map_or(0, |element| element - low);
        (0..packs)
            .map(|pack| {
                let digits = (0..self.packing.size()).map(|d| self.packing.channel(pack, d));
                self.packing.pack(digits.map(|channel| channel.map_or(0, digit)))
            })
            .collect()
    }

    /// The lane and row where a table has the row of an index; `None` where it has none.
    pub(super) fn place_of(&self, table: usize, chosen: i64) -> Option<(usize, usize)> {
        let of = &self.tables[table];
        let place = usize::try_from(chosen - of.first).ok()?;
        let rows = of.embed.rows();
        if place >= rows {
            return None;
        }
        let row = if rows < self.lanes { place } else { place / self.lanes };
        let (first, _) = keys(rows, self.lanes, row);
        Some((place - first, of.start + row))
    }
}
