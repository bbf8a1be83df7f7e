//! Where public values stand in the calldata, and in which order the instance columns want them.

use ark_ff::{One, Zero};
use zkinfer_verifier::{Fr, InstanceLayout, Placement, TensorLayout, Visibility};

use crate::abi::{scalar_word, word};

/// Values of one tensor, or a commitment, one behind the other.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    lo: Fr,
    /// The largest distance from `lo`.
    span: [u8; 32],
    /// Whether values, and what negative ones fall short of zero by, are below 2³¹.
    small: bool,
    /// Bytes of each.
    pub(crate) width: usize,
    count: usize,
}

/// The segments of the inputs, then those of the outputs. The root of several claims takes the place
/// of the inputs, and then there are no outputs.
pub(crate) fn segments(layout: &InstanceLayout) -> [Vec<Segment>; 2] {
    let scalar = || vec![Segment::of_word(scalar_word(&-Fr::one()), 32)];
    if layout.claims != 1 {
        return [scalar(), Vec::new()];
    }
    let side = |visibility, tensors: &[TensorLayout]| match visibility {
        Visibility::Public => tensors.iter().map(Segment::of_tensor).collect(),
        Visibility::Committed => scalar(),
    };
    [side(layout.input_visibility, &layout.inputs), side(layout.output_visibility, &layout.outputs)]
}

impl Segment {
    fn of_tensor(tensor: &TensorLayout) -> Self {
        let span = tensor.hi.wrapping_sub(tensor.lo).cast_unsigned();
        let width = (span.checked_ilog2().unwrap_or(0) / 8 + 1) as usize;
        let mut word = [0; 32];
        word[24..].copy_from_slice(&span.to_be_bytes());
        let small = tensor.lo > -(1 << 31) && tensor.hi < 1 << 31;
        let count = tensor.element_count();
        Self { lo: Fr::from(tensor.lo), span: word, small, width, count }
    }

    /// One number from 0 to `span`.
    fn of_word(span: [u8; 32], width: usize) -> Self {
        Self { lo: Fr::zero(), span, small: false, width, count: 1 }
    }

    /// Half of a binding's digest.
    fn of_limb() -> Self {
        let mut span = [0; 32];
        span[16..].fill(u8::MAX);
        Self::of_word(span, 16)
    }

    /// Cells without a value: bytes of width 0 are 0.
    fn padding() -> Self {
        Self { small: true, ..Self::of_word([0; 32], 0) }
    }

    pub(crate) fn byte_len(segments: &[Self]) -> usize {
        segments.iter().map(|segment| segment.width * segment.count).sum()
    }
}

/// A byte string of the claim: where the contract keeps its beginning.
#[derive(Clone, Copy)]
enum Side {
    Binding = 0,
    Input = 32,
    Output = 64,
}

/// A segment with its place.
struct Source {
    segment: Segment,
    side: Side,
    /// The first of its bytes in the byte string.
    offset: usize,
    /// The first of its values among those of the side, and among all.
    index: usize,
    first: usize,
}

/// All segments, in the order of the public values.
fn sources(layout: &InstanceLayout) -> Vec<Source> {
    let [inputs, outputs] = segments(layout);
    let mut sources = Vec::new();
    let mut first = 0;
    // The low half of the binding comes first; the root of several claims has all of theirs in it.
    for offset in [16, 0].into_iter().filter(|_| layout.claims == 1) {
        let segment = Segment::of_limb();
        sources.push(Source { segment, side: Side::Binding, offset, index: 0, first });
        first += 1;
    }
    for (side, segments) in [(Side::Input, inputs), (Side::Output, outputs)] {
        let (mut offset, mut index) = (0, 0);
        for segment in segments {
            let (bytes, count) = (segment.width * segment.count, segment.count);
            sources.push(Source { segment, side, offset, index, first });
            offset += bytes;
            index += count;
            first += count;
        }
    }
    sources
}

/// Values of one segment that lie below each other in a column.
#[derive(Debug)]
pub(crate) struct Piece {
    bytes: [u8; Self::BYTES],
}

impl Piece {
    /// Bytes of a piece.
    pub(crate) const BYTES: usize = 96;

    fn new(source: &Source, from: usize, every: usize, count: usize) -> Self {
        let Source { segment, side, offset, index, first } = source;
        let skipped = from - first;
        let shape = [
            (2, 256 - 8 * segment.width),
            (2, *side as usize),
            (2, usize::from(segment.small)),
            (4, count),
            (4, offset + segment.width * skipped),
            (4, segment.width * every),
            (4, index + skipped),
            (4, every),
        ];
        let shape = shape.iter().flat_map(|&(bytes, value)| word(value)[32 - bytes..].to_vec());
        let mut bytes = [0; Self::BYTES];
        bytes[..32].copy_from_slice(&scalar_word(&segment.lo));
        bytes[32..64].copy_from_slice(&segment.span);
        bytes[64..].iter_mut().zip(shape).for_each(|(to, byte)| *to = byte);
        Self { bytes }
    }

    fn padding(count: usize) -> Self {
        let (segment, side) = (Segment::padding(), Side::Binding);
        Self::new(&Source { segment, side, offset: 0, index: 0, first: 0 }, 0, 0, count)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Column by column and row by row: what is absorbed, and where in it each column begins and ends.
pub(crate) fn pieces(layout: &InstanceLayout) -> (Vec<Piece>, Vec<(usize, usize)>) {
    let sources = sources(layout);
    let Placement(blocks) = &layout.placement;
    let (mut pieces, mut columns, mut cells) = (Vec::new(), Vec::new(), 0);
    for column in 0..layout.placement.column_lengths().len() {
        let (mut first_value, mut rows) = (0, 0);
        for block in blocks {
            let (width, values) = (usize::from(block.columns), block.values as usize);
            let own = column.checked_sub(block.first_column.into()).filter(|&own| own < width);
            if let Some(own) = own.filter(|&own| own < values) {
                let padding = block.first_row as usize - rows;
                if padding > 0 {
                    pieces.push(Piece::padding(padding));
                }
                let count = (values - own).div_ceil(width);
                split(&sources, first_value + own, width, count, &mut pieces);
                rows += padding + count;
            }
            first_value += values;
        }
        columns.push((cells, rows));
        cells += rows;
    }
    (pieces, columns)
}

/// The values from `from` on, `every` so many, by the segments they belong to.
fn split(sources: &[Source], from: usize, every: usize, count: usize, pieces: &mut Vec<Piece>) {
    let (mut from, end) = (from, from + every * count);
    for source in sources {
        let behind = (source.first + source.segment.count).min(end);
        if from < behind {
            let count = (behind - from).div_ceil(every);
            pieces.push(Piece::new(source, from, every, count));
            from += every * count;
        }
    }
}

#[cfg(test)]
mod tests {
    use ark_ff::PrimeField;
    use zkinfer_verifier::Block;

    use super::*;

    fn tensor(count: u32, lo: i64, hi: i64) -> TensorLayout {
        let (name, scales) = ("t".into(), vec![1.0]);
        TensorLayout { name, shape: vec![count], scales, lo, hi, classes: None }
    }

    /// What the contract does with the pieces: binding, input and output, to cells.
    fn read(pieces: &[Piece], sides: [&[u8]; 3]) -> Vec<(Fr, bool, usize)> {
        let number = |bytes: &[u8]| bytes.iter().fold(0usize, |n, &b| n << 8 | usize::from(b));
        let mut cells = Vec::new();
        for piece in pieces {
            let (lo, shape) = (Fr::from_be_bytes_mod_order(&piece.bytes[..32]), &piece.bytes[64..]);
            let width = (256 - number(&shape[..2])) / 8;
            let side = sides[number(&shape[2..4]) / 32];
            let field = |index: usize| number(&shape[6 + 4 * index..][..4]);
            for value in 0..field(0) {
                let from = field(1) + value * field(2);
                let digit = Fr::from_be_bytes_mod_order(&side[from..from + width]);
                let index = field(3) + value * field(4);
                cells.push((digit + lo, shape[5] == 1, index));
            }
        }
        cells
    }

    /// Values that are dealt over columns, with gaps and rows that end early, come in the order in
    /// which the columns are absorbed.
    #[test]
    fn pieces_follow_the_instance_columns() {
        let block = |first_column, columns, first_row, values| Block {
            first_column,
            columns,
            first_row,
            values,
        };
        let inputs = vec![tensor(7, -3, 9), tensor(4, 0, 70_000)];
        let outputs = vec![tensor(5, -(1 << 40), 1 << 40)];
        let (public, mut layout) = (Visibility::Public, Vec::new());
        for blocks in [
            vec![block(0, 1, 0, 18)],
            vec![block(0, 1, 0, 2), block(1, 3, 0, 11), block(0, 1, 2, 5)],
            vec![block(2, 2, 1, 3), block(0, 4, 5, 10), block(3, 1, 9, 5)],
        ] {
            let mut one = InstanceLayout::new(inputs.clone(), outputs.clone(), public, public);
            one.placement = Placement(blocks);
            layout.push(one);
        }
        let values: Vec<i64> = [-3, -2, 9, 0, 1, 2, 3, 0, 70_000, 255, 256]
            .into_iter()
            .chain([-(1 << 40), 1 << 40, 0, -1, 1])
            .collect();
        let mut binding = [0; 32];
        binding.iter_mut().enumerate().for_each(|(i, byte)| *byte = u8::try_from(i).unwrap());
        let digits = |range: std::ops::Range<usize>, lo: i64, width: usize| -> Vec<u8> {
            let digit = |value: &i64| (value - lo).to_be_bytes()[8 - width..].to_vec();
            values[range].iter().flat_map(digit).collect()
        };
        let input = [digits(0..7, -3, 1), digits(7..11, 0, 3)].concat();
        let output = digits(11..16, -(1 << 40), 6);
        let mut all = vec![
            Fr::from_be_bytes_mod_order(&binding[16..]),
            Fr::from_be_bytes_mod_order(&binding[..16]),
        ];
        all.extend(values.iter().map(|&value| Fr::from(value)));
        for layout in layout {
            let (pieces, columns) = pieces(&layout);
            let read = read(&pieces, [&binding, &input, &output]);
            let total: usize = columns.iter().map(|column| column.1).sum();
            assert_eq!(read.len(), total);
            let mut expected = vec![Fr::zero(); total];
            let mut next = 0;
            for block in &layout.placement.0 {
                for value in 0..block.values as usize {
                    let width = usize::from(block.columns);
                    let column = usize::from(block.first_column) + value % width;
                    let row = block.first_row as usize + value / width;
                    assert!(row < columns[column].1);
                    expected[columns[column].0 + row] = all[next];
                    if next >= 2 {
                        let of_side = if next < 13 { next - 2 } else { next - 13 };
                        assert_eq!(read[columns[column].0 + row].2, of_side);
                        assert_eq!(read[columns[column].0 + row].1, next < 13);
                    }
                    next += 1;
                }
            }
            let got: Vec<Fr> = read.iter().map(|cell| cell.0).collect();
            assert_eq!(got, expected);
        }
    }
}
