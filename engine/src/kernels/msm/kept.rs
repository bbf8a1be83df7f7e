//! Tables that are kept from one process to the next.
//!
//! An entry holds a check sum, the sum of all points, and the table as it lies in memory. The check
//! sum finds damage, not malice: a wrong table gives proofs that do not verify.

use std::io::{self, Read, Write};

use halo2_proofs::halo2curves::{bn256::G1Affine, serde::SerdeObject};

use super::{
    super::{arithmetic::Arithmetic, pack::TablePoint},
    layout::Windows,
    tables::Table,
};
use crate::kernels::Instructions;

/// The version of the entries: a change of their layout, or of the form of points, changes it.
const VERSION: u32 = 1;
/// The largest table that is kept: larger ones belong to circuits that take seconds to prove.
const LARGEST: usize = 32 << 20;
/// Points that are read or written at once.
const CHUNK: usize = 1024;
const POINT_BYTES: usize = 64;

/// What an entry must hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    rows: usize,
    block: usize,
    windows: Windows,
}

impl Layout {
    /// The layout of the table of so many points; `None` for one that is not kept.
    pub(super) fn of<A: Arithmetic>(rows: usize, table_bytes: usize) -> Option<Self> {
        let (block, windows) = Table::sizes::<A>(rows, table_bytes);
        let layout = Self { rows, block, windows };
        (layout.points() * POINT_BYTES <= LARGEST).then_some(layout)
    }

    fn points(&self) -> usize {
        self.rows.next_multiple_of(self.block) * self.windows.count()
    }

    /// The name of the entry.
    pub(super) fn name(&self, instructions: Instructions) -> String {
        let Self { rows, block, windows: Windows { spacing, regular, short } } = self;
        let (name, short) = (instructions.name(), u8::from(*short));
        format!("multiples-{VERSION}-{name}-{rows}-{block}-{spacing}-{regular}-{short}")
    }

    /// Reads an entry.
    pub(super) fn read(self, reader: &mut dyn Read) -> io::Result<(Table, G1Affine)> {
        let damaged = || io::Error::from(io::ErrorKind::InvalidData);
        let mut expected = [0; 8];
        reader.read_exact(&mut expected)?;
        let mut all = [0; POINT_BYTES];
        reader.read_exact(&mut all)?;
        let mut sum = CheckSum::default();
        sum.add(&all);
        let mut points = Vec::with_capacity(self.points());
        let mut bytes = vec![0; CHUNK * POINT_BYTES];
        while points.len() < self.points() {
            let count = CHUNK.min(self.points() - points.len());
            let chunk = &mut bytes[..count * POINT_BYTES];
            reader.read_exact(chunk)?;
            let (chunk, _) = chunk.as_chunks::<POINT_BYTES>();
            for point in chunk {
                sum.add(point);
                points.push(TablePoint { words: words(point) });
            }
        }
        if sum.finish() != u64::from_le_bytes(expected) || reader.read(&mut [0])? != 0 {
            return Err(damaged());
        }
        let all = G1Affine::from_raw_bytes(&all).ok_or_else(damaged)?;
        Ok((Table::from_kept(points, self.rows, (self.block, self.windows)), all))
    }
}

/// Writes an entry.
pub(super) fn write(table: &Table, all: &G1Affine, writer: &mut dyn Write) -> io::Result<()> {
    let mut head = Vec::with_capacity(POINT_BYTES);
    all.write_raw(&mut head)?;
    let mut sum = CheckSum::default();
    let (head_points, _) = head.as_chunks::<POINT_BYTES>();
    head_points.iter().for_each(|point| sum.add(point));
    table.points().iter().for_each(|point| sum.add(&bytes(point)));
    writer.write_all(&sum.finish().to_le_bytes())?;
    writer.write_all(&head)?;
    let mut chunk = Vec::with_capacity(CHUNK * POINT_BYTES);
    for points in table.points().chunks(CHUNK) {
        chunk.clear();
        points.iter().for_each(|point| chunk.extend(bytes(point)));
        writer.write_all(&chunk)?;
    }
    Ok(())
}

fn words(point: &[u8; POINT_BYTES]) -> [u64; 8] {
    let (words, _) = point.as_chunks::<8>();
    std::array::from_fn(|index| u64::from_le_bytes(words[index]))
}

fn bytes(point: &TablePoint) -> [u8; POINT_BYTES] {
    let mut bytes = [0; POINT_BYTES];
    for (bytes, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(point.words) {
        *bytes = word.to_le_bytes();
    }
    bytes
}

/// A check sum of points: one sum for each of their words, so that eight are under way at once.
#[derive(Default)]
struct CheckSum([u64; 8]);

impl CheckSum {
    /// Odd, with bits all over.
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

    fn add(&mut self, point: &[u8; POINT_BYTES]) {
        for (sum, word) in self.0.iter_mut().zip(words(point)) {
            *sum = (sum.rotate_left(23) ^ word).wrapping_mul(Self::FACTOR);
        }
    }

    fn finish(self) -> u64 {
        let mix = |all: u64, sum: u64| (all.rotate_left(29) ^ sum).wrapping_mul(Self::FACTOR);
        self.0.into_iter().fold(0, mix)
    }
}

#[cfg(test)]
mod tests {
    use halo2_proofs::halo2curves::group::Curve;

    use super::*;
    use crate::kernels::{arithmetic::Portable, msm::Bases};

    #[test]
    fn an_entry_gives_the_table_back_and_damage_is_found() {
        let points: Vec<G1Affine> = (1..=40u64)
            .map(|n| {
                (G1Affine::generator() * halo2_proofs::halo2curves::bn256::Fr::from(n)).to_affine()
            })
            .collect();
        let layout = Layout::of::<Portable>(points.len(), 1 << 20).unwrap();
        let bases = Bases::new(Portable, &points, 1 << 20);
        let mut entry = Vec::new();
        write(&bases.table, &bases.all, &mut entry).unwrap();
        let (table, all) = layout.read(&mut &entry[..]).unwrap();
        assert_eq!((table.points(), all), (bases.table.points(), bases.all));
        for position in [0, 8, 72, entry.len() / 2, entry.len() - 1] {
            let mut damaged = entry.clone();
            damaged[position] ^= 4;
            assert!(layout.read(&mut &damaged[..]).is_err(), "byte {position}");
        }
        assert!(layout.read(&mut &entry[..entry.len() - 1]).is_err());
        entry.push(0);
        assert!(layout.read(&mut &entry[..]).is_err());
        assert!(Layout::of::<Portable>(1 << 20, usize::MAX).is_none(), "large tables are not kept");
    }
}
