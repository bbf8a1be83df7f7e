//! Columns on the device, and loops over their rows: see `kernels/columns.cuh`.

use std::sync::Arc;

use halo2_proofs::halo2curves::{bn256::Fr, ff::Field};

use super::{
    accelerator::Kernel,
    machine::{Buffer, Machine},
};
use crate::{
    column::{Column, TableSums},
    error::DeviceError,
};

/// Sums that the threads of an inner product make, at most.
const DOT_THREADS: usize = 1 << 11;
/// Inner products that are done at once.
const DOT_BATCH: usize = 1 << 9;
/// Sums that a thread adds up.
const FOLD: usize = 32;
/// Factors that a thread multiplies.
const CHUNK: usize = 64;
/// The most summands of a column that is committed to by entries of a table.
const MOST_SUMMANDS: usize = 6;
/// Elements that share an inversion, if there are enough to fill the device.
const INVERSIONS: usize = 64;
const INVERTING_THREADS: usize = 1 << 14;

/// A column on the device.
#[derive(Debug)]
pub(crate) struct CudaColumn {
    pub(super) values: Values,
    /// What the values are sums of, where that makes the commitment cheaper.
    pub(super) sums: Option<Sums>,
}

/// What the rows of a column are sums of, but for the last ones: entries of a table.
#[derive(Debug)]
pub(super) struct Sums {
    /// Summand by summand the entry of every row.
    pub(super) positions: Buffer,
    pub(super) summands: usize,
    /// Rows that are sums.
    pub(super) rows: usize,
    /// The table, with zeros up to a power of two.
    pub(super) entries: Box<CudaColumn>,
    pub(super) entry_count: usize,
    /// The column but for the sums: its last rows.
    pub(super) rest: Box<CudaColumn>,
}

/// The values of a column.
#[derive(Debug)]
pub(super) enum Values {
    /// Integers of 32 bits, but for the rows from `head` on.
    Integers {
        values: Buffer,
        /// The elements of the last rows.
        tail: Buffer,
        head: usize,
    },
    /// Elements.
    Field(Buffer),
}

impl CudaColumn {
    /// Copies a column to the device.
    pub(super) fn upload(machine: &Machine, column: &Column) -> Result<Self, DeviceError> {
        match column {
            Column::Integers { values, tail } => Self::integers(machine, values, tail),
            Column::Field(values) => Ok(machine.upload_elements(values)?.into()),
            Column::Sums { values, sums } => {
                let sums = Sums::upload(machine, values, sums)?;
                Ok(Self { sums, ..machine.upload_elements(values)?.into() })
            }
        }
    }

    /// Integers, with arbitrary elements in the last rows.
    pub(super) fn integers(
        machine: &Machine,
        values: &[i32],
        tail: &[Fr],
    ) -> Result<Self, DeviceError> {
        let head = values.len() - tail.len();
        let (values, tail) = (machine.upload(values)?, machine.upload_elements(tail)?);
        Ok(Self { values: Values::Integers { values, tail, head }, sums: None })
    }

    /// What kernels want to know about columns, each at a rotation.
    pub(super) fn descriptions<'a>(
        machine: &Machine,
        columns: impl Iterator<Item = (&'a Self, usize)>,
    ) -> Result<Buffer, DeviceError> {
        let words: Vec<u64> = columns
            .flat_map(|(column, rotation)| {
                let [values, tail, head, is_integers] = match &column.values {
                    Values::Integers { values, tail, head } => {
                        [values.address(), tail.address(), *head as u64, 1]
                    }
                    Values::Field(values) => [values.address(), 0, 0, 0],
                };
                [values, tail, head, is_integers, rotation as u64]
            })
            .collect();
        machine.upload(&words)
    }
}

impl Sums {
    /// Copies positions and table to the device, if sums of points by entry are clearly cheaper than
    /// digits: a table is short beside the rows, summands are few beside the digits of an element.
    fn upload(
        machine: &Machine,
        values: &[Fr],
        sums: &TableSums,
    ) -> Result<Option<Self>, DeviceError> {
        let summands = sums.positions.len();
        let Some(rows) = sums.positions.first().map(|positions| positions.len()) else {
            return Ok(None);
        };
        let entry_count = sums.entries.len().next_power_of_two();
        let fits = |positions: &Arc<[u32]>| {
            let entries = positions.iter().map(|&position| position as usize);
            positions.len() == rows && entries.max() < Some(sums.entries.len())
        };
        let is_cheap = summands <= MOST_SUMMANDS && 2 * entry_count <= values.len();
        if !is_cheap || rows > values.len() || !sums.first.is_empty() {
            return Ok(None);
        }
        if !sums.positions.iter().all(fits) {
            return Ok(None);
        }
        let mut entries = sums.entries.to_vec();
        entries.resize(entry_count, Fr::ZERO);
        let zeros = vec![0; values.len()];
        Ok(Some(Self {
            positions: machine.upload(&sums.positions.concat())?,
            summands,
            rows,
            entries: Box::new(machine.upload_elements(&entries)?.into()),
            entry_count,
            rest: Box::new(CudaColumn::integers(machine, &zeros, &values[rows..])?),
        }))
    }
}

impl From<Buffer> for CudaColumn {
    fn from(values: Buffer) -> Self {
        Self { values: Values::Field(values), sums: None }
    }
}

/// A rotation as a number of rows from 0 to `rows - 1`.
pub(super) fn rotation(rotation: i32, rows: usize) -> usize {
    let by = rotation.unsigned_abs() as usize % rows;
    if rotation < 0 && by > 0 { rows - by } else { by }
}

/// Each column as elements, in new buffers.
pub(super) fn widen(
    machine: &Machine,
    columns: &[&CudaColumn],
    rows: usize,
) -> Result<Vec<Buffer>, DeviceError> {
    let widened: Vec<Buffer> =
        columns.iter().map(|_| machine.elements(rows)).collect::<Result<_, _>>()?;
    let to: Vec<u64> = widened.iter().map(Buffer::address).collect();
    let table = machine.upload(&to)?;
    let columns = CudaColumn::descriptions(machine, columns.iter().map(|column| (*column, 0)))?;
    let arguments = [columns.address(), table.address(), rows as u64];
    machine.launch(Kernel::Widen, rows, to.len(), &arguments)?;
    Ok(widened)
}

/// `Σ scale·column`.
pub(super) fn combine(
    machine: &Machine,
    terms: &[(&CudaColumn, Fr)],
    rows: usize,
) -> Result<Buffer, DeviceError> {
    let scales: Vec<Fr> = terms.iter().map(|(_, scale)| *scale).collect();
    let scales = machine.upload_elements(&scales)?;
    let columns = CudaColumn::descriptions(machine, terms.iter().map(|(column, _)| (*column, 0)))?;
    let sum = machine.elements(rows)?;
    let arguments =
        [columns.address(), scales.address(), terms.len() as u64, sum.address(), rows as u64];
    machine.launch(Kernel::Combine, rows, 1, &arguments)?;
    Ok(sum)
}

/// `Σ weights[i]·column[i + rotation]` of every column at a rotation, rows in a circle.
pub(super) fn dot(
    machine: &Machine,
    weights: &Buffer,
    queries: &[(&CudaColumn, usize)],
    rows: usize,
) -> Result<Vec<Fr>, DeviceError> {
    let mut dots = Vec::with_capacity(queries.len());
    let block = Kernel::Dot.threads() as usize;
    let blocks = rows.min(DOT_THREADS).div_ceil(block);
    for batch in queries.chunks(DOT_BATCH) {
        let columns = CudaColumn::descriptions(machine, batch.iter().copied())?;
        let mut count = blocks * block;
        let mut sums = machine.elements(count * batch.len())?;
        let arguments = [weights.address(), columns.address(), sums.address(), rows as u64];
        machine.launch_blocks(Kernel::Dot, blocks, batch.len(), &arguments)?;
        while count > 1 {
            // The number is a power of two.
            let parts = FOLD.min(count);
            count /= parts;
            let all = count * batch.len();
            let folded = machine.elements(all)?;
            let arguments = [sums.address(), folded.address(), all as u64, parts as u64];
            machine.launch(Kernel::Fold, all, 1, &arguments)?;
            sums = folded;
        }
        dots.extend(machine.read_elements(&sums, 0, batch.len())?);
    }
    Ok(dots)
}

/// `1/x` in every row, and zero for zero.
pub(super) fn invert(
    machine: &Machine,
    values: &Buffer,
    rows: usize,
) -> Result<Buffer, DeviceError> {
    let inverses = machine.elements(rows)?;
    let threads = rows.div_ceil(INVERSIONS).max(rows.min(INVERTING_THREADS).div_ceil(8));
    let arguments = [values.address(), inverses.address(), rows as u64];
    machine.launch(Kernel::Invert, threads, 1, &arguments)?;
    Ok(inverses)
}

/// `left·right·scale` in every row.
pub(super) fn scaled_products(
    machine: &Machine,
    left: &Buffer,
    right: &Buffer,
    scale: Fr,
    rows: usize,
) -> Result<Buffer, DeviceError> {
    let (products, scale) = (machine.elements(rows)?, machine.upload_elements(&[scale])?);
    let arguments =
        [left.address(), right.address(), scale.address(), products.address(), rows as u64];
    machine.launch(Kernel::ScaledProducts, rows, 1, &arguments)?;
    Ok(products)
}

/// 1, f₀, f₀·f₁, …, one per factor.
pub(super) fn running_products(
    machine: &Machine,
    factors: &Buffer,
    count: usize,
) -> Result<Buffer, DeviceError> {
    let chunks = count.div_ceil(CHUNK);
    let starts = if chunks > 1 {
        let of_chunks = machine.elements(chunks)?;
        let arguments = [factors.address(), of_chunks.address(), count as u64, CHUNK as u64];
        machine.launch(Kernel::ChunkProducts, chunks, 1, &arguments)?;
        Some(running_products(machine, &of_chunks, chunks)?)
    } else {
        None
    };
    let products = machine.elements(count)?;
    let starts = starts.as_ref().map_or(0, Buffer::address);
    let arguments = [factors.address(), starts, products.address(), count as u64, CHUNK as u64];
    machine.launch(Kernel::RunningProducts, chunks, 1, &arguments)?;
    Ok(products)
}

/// `Π (ω^row - point)` in every row.
pub(super) fn divisors(
    machine: &Machine,
    omegas: &Buffer,
    points: &[Fr],
    rows: usize,
) -> Result<Buffer, DeviceError> {
    let (products, table) = (machine.elements(rows)?, machine.upload_elements(points)?);
    let arguments =
        [omegas.address(), table.address(), points.len() as u64, products.address(), rows as u64];
    machine.launch(Kernel::Divisors, rows, 1, &arguments)?;
    Ok(products)
}

/// `inverse·(dividend - remainder(ω^row))` in every row.
pub(super) fn quotients(
    machine: &Machine,
    inverses: &Buffer,
    dividend: &CudaColumn,
    omegas: &Buffer,
    remainder: &[Fr],
    rows: usize,
) -> Result<Buffer, DeviceError> {
    let dividend = CudaColumn::descriptions(machine, std::iter::once((dividend, 0)))?;
    let (quotients, table) = (machine.elements(rows)?, machine.upload_elements(remainder)?);
    let arguments = [
        inverses.address(),
        dividend.address(),
        omegas.address(),
        table.address(),
        remainder.len() as u64,
        quotients.address(),
        rows as u64,
    ];
    machine.launch(Kernel::Quotients, rows, 1, &arguments)?;
    Ok(quotients)
}

/// The values at `point` of the Lagrange polynomials of H:
/// `ω^row·(point^n - 1)/(n·(point - ω^row))`.
pub(super) fn lagrange(
    machine: &Machine,
    omegas: &Buffer,
    point: Fr,
    rows: usize,
) -> Result<Buffer, DeviceError> {
    let divisors = divisors(machine, omegas, &[point], rows)?;
    let inverses = invert(machine, &divisors, rows)?;
    let size = rows as u64;
    let vanishing = Fr::ONE - point.pow_vartime([size]);
    let scale = vanishing * Fr::from(size).invert().unwrap_or(Fr::ZERO);
    scaled_products(machine, omegas, &inverses, scale, rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotations_are_rows_in_a_circle() {
        let rotations = [0, 1, -1, 16, -16, 17, -17, -8, i32::MIN];
        assert_eq!(rotations.map(|by| rotation(by, 16)), [0, 1, 15, 0, 0, 1, 15, 8, 0]);
    }
}
