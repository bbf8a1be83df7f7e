//! The kernels of a machine against the processor: every kernel of a proof, at the ends of ranges.
//!
//! A GPU is not trusted before: what a compiler or a driver makes of the sources shows only there.

use std::sync::Arc;

use halo2_proofs::{
    arithmetic::best_multiexp,
    halo2curves::{
        bn256::{Fq, Fr, G1, G1Affine},
        ff::{Field, PrimeField},
        group::Curve,
    },
};

use super::{
    accelerator::{DEVICE, Kernel},
    columns::{self, CudaColumn},
    machine::Machine,
    plain, rows,
    sums::Bases,
    transform::Domain,
};
use crate::{
    column::{Column, TableSums},
    cosets::{powers_of, root_of_unity},
    error::DeviceError,
    kernels::pack::Words,
    program::{ProgramBuilder, Source},
};

/// log2 of the elements that are transformed and added up.
const K: u32 = 11;

/// Refuses a machine whose results are wrong.
pub(super) fn run(machine: &Machine) -> Result<(), DeviceError> {
    let wrong = |what: &str| DeviceError::Failed {
        device: DEVICE,
        operation: "self-test",
        reason: format!("{what} are wrong: the GPU or its driver is faulty"),
    };
    field::<Fr>(machine, Kernel::CheckScalars)?.ok_or_else(|| wrong("scalars"))?;
    field::<Fq>(machine, Kernel::CheckCoordinates)?.ok_or_else(|| wrong("coordinates"))?;
    points(machine)?.ok_or_else(|| wrong("points"))?;
    transform(machine)?.ok_or_else(|| wrong("transforms"))?;
    sum(machine)?.ok_or_else(|| wrong("sums"))?;
    row_operations(machine)?.ok_or_else(|| wrong("rows"))?;
    program(machine)?.ok_or_else(|| wrong("programs"))
}

/// The ends of the range, and what has many carries, besides powers of an arbitrary element.
fn elements<F: Field>() -> Vec<F> {
    let small = |value: u64| (0..value).map(|_| F::ONE).sum::<F>();
    let half = small(2).invert().unwrap_or(F::ZERO);
    let edges = [F::ZERO, F::ONE, -F::ONE, small(2), -small(2), half, -half];
    let base = small(0xdead) * half + F::ONE;
    edges.into_iter().chain((1..26).map(|i| base.pow_vartime([i * i * i * i]))).collect()
}

fn field<F: Words>(machine: &Machine, kernel: Kernel) -> Result<Option<()>, DeviceError> {
    let some = elements::<F>();
    let pairs: Vec<(F, F)> = some.iter().flat_map(|&x| some.iter().map(move |&y| (x, y))).collect();
    let side = |side: fn(&(F, F)) -> F| {
        pairs.iter().flat_map(|pair| side(pair).words()).collect::<Vec<u64>>()
    };
    let left = machine.upload(&side(|pair| pair.0))?;
    let right = machine.upload(&side(|pair| pair.1))?;
    let results = machine.elements(4 * pairs.len())?;
    let arguments = [left.address(), right.address(), results.address(), pairs.len() as u64];
    machine.launch(kernel, pairs.len(), 1, &arguments)?;
    let expected = pairs.iter().flat_map(|&(x, y)| {
        [x + y, x - y, x * y, x.invert().unwrap_or(F::ZERO)].into_iter().flat_map(|f| f.words())
    });
    let read = machine.read(results.address(), 16 * pairs.len())?;
    Ok(expected.eq(read).then_some(()))
}

fn points(machine: &Machine) -> Result<Option<()>, DeviceError> {
    let some: Vec<G1Affine> = multiples(12);
    let infinity = G1Affine::default();
    let some: Vec<G1Affine> = some.iter().flat_map(|&p| [p, -p]).chain([infinity]).collect();
    let pairs: Vec<(G1Affine, G1Affine)> =
        some.iter().flat_map(|&x| some.iter().map(move |&y| (x, y))).collect();
    let (x, y): (Vec<_>, Vec<_>) = pairs.iter().copied().unzip();
    let (left, right) =
        (machine.upload(&plain::point_words(&x))?, machine.upload(&plain::point_words(&y))?);
    let results = machine.elements(6 * pairs.len())?;
    let arguments = [left.address(), right.address(), results.address(), pairs.len() as u64];
    machine.launch(Kernel::CheckPoints, pairs.len(), 1, &arguments)?;
    let expected: Vec<G1> = pairs.iter().flat_map(|&(x, y)| [x + y, x + x, y.into()]).collect();
    let mut affine = vec![infinity; expected.len()];
    G1::batch_normalize(&expected, &mut affine);
    let read = machine.read(results.address(), 24 * pairs.len())?;
    Ok((plain::point_words(&affine) == read).then_some(()))
}

/// Multiples of the generator.
fn multiples(count: u64) -> Vec<G1Affine> {
    (1..=count).map(|i| (G1Affine::generator() * Fr::from(i * i)).to_affine()).collect()
}

fn transform(machine: &Machine) -> Result<Option<()>, DeviceError> {
    let size = 1 << K;
    let domain = Domain::new(machine, K, root_of_unity(K))?;
    let coset = domain.coset(Fr::MULTIPLICATIVE_GENERATOR)?;
    // X^5: its values on a coset are known.
    let values = |shift: Fr| -> Vec<Fr> {
        let fifth = |x: Fr| x.square().square() * x;
        powers_of(fifth(root_of_unity(K)), size).iter().map(|x| x * fifth(shift)).collect()
    };
    let column = machine.upload_elements(&values(Fr::ONE))?;
    let at = [column.address()];
    domain.interpolate(&at, &at, None)?;
    domain.evaluate(&at, &at, Some(&coset))?;
    let on_coset = machine.read_elements(&column, 0, size)?;
    domain.interpolate(&at, &at, Some(&coset))?;
    domain.evaluate(&at, &at, None)?;
    let back = machine.read_elements(&column, 0, size)?;
    let is_right = on_coset == values(Fr::MULTIPLICATIVE_GENERATOR) && back == values(Fr::ONE);
    Ok(is_right.then_some(()))
}

fn sum(machine: &Machine) -> Result<Option<()>, DeviceError> {
    let some = multiples(16);
    let size = 1 << K;
    let bases: Vec<G1Affine> = some.iter().copied().cycle().take(size).collect();
    let on_machine = Bases::new(machine, &bases, usize::MAX)?;
    let scalars: Vec<Fr> = elements().into_iter().cycle().take(size).collect();
    let column = CudaColumn::from(machine.upload_elements(&scalars)?);
    let summed = table_sums(size);
    let by_entries = CudaColumn::upload(machine, &summed)?;
    let commitments = on_machine.commit(&[&column, &by_entries])?;
    let expected = [scalars, summed.to_field()];
    let expected = expected.map(|values| best_multiexp(&values, &bases).to_affine());
    Ok((commitments == expected).then_some(()))
}

/// A column whose rows are sums of three entries each, but for the last ones.
fn table_sums(size: usize) -> Column {
    let entries = elements::<Fr>();
    let rows = size - 5;
    let of_summand = |summand: usize| -> Arc<[u32]> {
        let entry = |row: usize| {
            if row.is_multiple_of(3) { 1 } else { row * (summand + 1) % entries.len() }
        };
        (0..rows).map(|row| u32::try_from(entry(row)).unwrap_or(0)).collect()
    };
    let positions: Vec<Arc<[u32]>> = (0..3).map(of_summand).collect();
    let sum = |row: usize| positions.iter().map(|p| entries[p[row] as usize]).sum::<Fr>();
    let last = (rows..size).map(|row| entries[row % entries.len()]);
    let values: Vec<Fr> = (0..rows).map(sum).chain(last).collect();
    let sums = TableSums { entries: entries.into(), positions, first: Vec::new() };
    Column::Sums { values, sums }
}

/// Columns of elements and of integers, with elements in the last rows.
fn operands() -> [Column; 2] {
    let size = 1 << K;
    let extremes = [0, 1, -1, i32::MAX, -i32::MAX, i32::MIN, 1 << 16, -77];
    let values = extremes.into_iter().cycle().take(size).collect();
    let cells = elements().into_iter().cycle().take(size).collect();
    let mut integers = Column::integers(values);
    integers.blind(elements());
    [Column::Field(cells), integers]
}

/// Sums of columns over rows, inverses and running products. There are enough terms that sums are
/// reduced on the way.
fn row_operations(machine: &Machine) -> Result<Option<()>, DeviceError> {
    let (size, some, weights) = (1 << K, operands(), elements());
    let on_host: Vec<Vec<Fr>> = some.iter().map(Column::to_field).collect();
    let on_machine: Vec<CudaColumn> =
        some.iter().map(|column| CudaColumn::upload(machine, column)).collect::<Result<_, _>>()?;
    let terms: Vec<_> =
        weights.iter().enumerate().map(|(i, &weight)| (&on_machine[i % 2], weight)).collect();
    let combined = columns::combine(machine, &terms, size)?;
    let by_row = |row: usize| -> Fr {
        weights.iter().enumerate().map(|(i, weight)| weight * on_host[i % 2][row]).sum()
    };
    let expected: Vec<Fr> = (0..size).map(by_row).collect();
    let mut is_right = machine.read_elements(&combined, 0, size)? == expected;

    let queries = [(&on_machine[0], 0), (&on_machine[1], 0), (&on_machine[1], 1)];
    let dots = columns::dot(machine, &combined, &queries, size)?;
    let dot = |column: &[Fr], by: usize| -> Fr {
        (0..size).map(|row| expected[row] * column[(row + by) % size]).sum()
    };
    is_right &= dots == [dot(&on_host[0], 0), dot(&on_host[1], 0), dot(&on_host[1], 1)];

    let inverses = columns::invert(machine, &combined, size)?;
    let read = machine.read_elements(&inverses, 0, size)?;
    let is_inverse =
        |(x, y): (&Fr, &Fr)| if bool::from(x.is_zero()) { x == y } else { x * y == Fr::ONE };
    is_right &= expected.iter().zip(&read).all(is_inverse);

    let products = columns::running_products(machine, &combined, size)?;
    let running = expected
        .iter()
        .scan(Fr::ONE, |product, factor| Some(std::mem::replace(product, *product * factor)));
    is_right &= running.eq(machine.read_elements(&products, 0, size)?);
    Ok(is_right.then_some(()))
}

/// Products and sums of both columns at rotations.
fn program(machine: &Machine) -> Result<Option<()>, DeviceError> {
    const PRODUCTS: i32 = 11;
    let (size, some) = (1 << K, operands());
    let on_host: Vec<Vec<Fr>> = some.iter().map(Column::to_field).collect();
    let on_machine: Vec<CudaColumn> =
        some.iter().map(|column| CudaColumn::upload(machine, column)).collect::<Result<_, _>>()?;
    let at = |i: i32| (i % 2 == 0, if i % 3 == 0 { -i } else { i });
    let source = |is_first: bool| Source::Advice(usize::from(!is_first));
    let mut builder = ProgramBuilder::new();
    let mut total = builder.parameter(0);
    for i in 0..PRODUCTS {
        let (is_first, by) = at(i);
        let left = builder.query(source(is_first), by);
        let right = builder.query(source(!is_first), -by);
        let product = builder.multiply(&left, &right);
        total = if i % 4 == 0 {
            builder.subtract(&total, &product)
        } else {
            builder.add(&total, &product)
        };
        total = builder.subtract(&total, &left);
    }
    let program = builder.outputs(&[total]);
    let parameter = -Fr::TWO_INV;
    let sources: Vec<&CudaColumn> = program
        .sources
        .iter()
        .map(|known| &on_machine[usize::from(*known != Source::Advice(0))])
        .collect();
    let outputs = rows::run(machine, &program, &program.uniforms(&[parameter]), &sources, size)?;
    let value = |column: bool, row: usize, by: i32| {
        on_host[usize::from(!column)][(row + columns::rotation(by, size)) % size]
    };
    let by_row = |row: usize| {
        (0..PRODUCTS).fold(parameter, |total, i| {
            let (is_first, by) = at(i);
            let left = value(is_first, row, by);
            let product = left * value(!is_first, row, -by);
            (if i % 4 == 0 { total - product } else { total + product }) - left
        })
    };
    let expected: Vec<Fr> = (0..size).map(by_row).collect();
    Ok((machine.read_elements(&outputs[0], 0, size)? == expected).then_some(()))
}
