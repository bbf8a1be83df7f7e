//! What a library must get right before it is trusted with a proof.

use std::sync::Arc;

use halo2_proofs::halo2curves::{
    bn256::{Fr, G1, G1Affine},
    ff::{Field, PrimeField},
    fft::best_fft,
    group::Curve,
    msm::msm_best,
};

use super::{
    columns::prefix_products,
    device::{IcicleColumn, Small},
    library::failed,
    memory::{Machine, Pairwise, Vector},
    sums::{Points, normalized},
};
use crate::{cosets::root_of_unity, error::DeviceError};

/// Log2 of the elements that are tried.
const K: u32 = 6;

/// Compares every operation with halo2's curve library.
///
/// # Errors
/// The first operation that fails or is wrong.
pub(super) fn run(machine: &Machine) -> Result<(), DeviceError> {
    let machine = &machine.of_rows(1 << K);
    let values = elements();
    let on_device = machine.upload(&values)?;
    expect("copying", &machine.download(on_device.all(), values.len())?, &values)?;
    let integers: Vec<i32> =
        [0, 1, -1, i32::MAX, i32::MIN].into_iter().cycle().take(1 << K).collect();
    let expected: Vec<Fr> = integers.iter().map(|&i| crate::column::integer(i)).collect();
    let of_integers = machine.upload_integers(&integers)?;
    expect("integers", &machine.download(of_integers.all(), integers.len())?, &expected)?;
    vectors(machine, &values, &on_device)?;
    transforms(machine, &values, &on_device)?;
    sums(machine, &values, &integers)
}

/// Elements at which arithmetic breaks first, and others.
fn elements() -> Vec<Fr> {
    let mut elements = vec![Fr::ZERO, Fr::ONE, -Fr::ONE, Fr::TWO_INV, Fr::ROOT_OF_UNITY];
    while elements.len() < 1 << K {
        let last = elements[elements.len() - 1];
        elements.push(last.square() + Fr::from(elements.len() as u64));
    }
    elements
}

fn expect(operation: &'static str, got: &[Fr], expected: &[Fr]) -> Result<(), DeviceError> {
    let is_right = got == expected;
    is_right.then_some(()).ok_or_else(|| failed(operation, "the self-test found a wrong result"))
}

fn vectors(machine: &Arc<Machine>, values: &[Fr], a: &Vector) -> Result<(), DeviceError> {
    let rows = values.len();
    let check = |name, got: &Vector, expected: &dyn Fn(usize) -> Fr| {
        let expected: Vec<Fr> = (0..rows).map(expected).collect();
        expect(name, &machine.download(got.all(), rows)?, &expected)
    };
    let inverses = machine.invert(a)?;
    check("inverting", &inverses, &|i| values[i].invert().unwrap_or(Fr::ZERO))?;
    // Halves of a vector, so that addresses within it are tried too.
    let half = rows / 2;
    for (name, operation) in [
        ("adding", Pairwise::Add),
        ("subtracting", Pairwise::Subtract),
        ("multiplying", Pairwise::Multiply),
    ] {
        let result = machine.vector(rows)?;
        machine.pairwise(operation, [a.from(half), a.all()], &result, 0, half)?;
        machine.pairwise(operation, [a.all(), a.from(half)], &result, half, half)?;
        check(name, &result, &|i| {
            let (x, y) = (values[(i + half) % rows], values[i % half + (i / half) * half]);
            match operation {
                Pairwise::Add => x + y,
                Pairwise::Subtract => x - y,
                Pairwise::Multiply => x * y,
            }
        })?;
    }
    let scalar = machine.upload(&[Fr::ROOT_OF_UNITY])?;
    for is_product in [false, true] {
        let result = machine.vector(rows)?;
        machine.with_scalar(is_product, scalar.all(), a.all(), &result, 0, rows)?;
        check("an operation with a scalar", &result, &|i| match is_product {
            true => Fr::ROOT_OF_UNITY * values[i],
            false => Fr::ROOT_OF_UNITY + values[i],
        })?;
    }
    expect("adding up", &[machine.sum(a)?], &[values.iter().sum()])?;
    let copy = machine.vector(rows)?;
    machine.copy(a.from(1), &copy, 0, rows - 1)?;
    machine.copy(a.all(), &copy, rows - 1, 1)?;
    check("copying on the device", &copy, &|i| values[(i + 1) % rows])?;
    let products: Vec<Fr> = values[1..]
        .iter()
        .scan(Fr::ONE, |product, value| {
            *product *= value;
            Some(*product)
        })
        .collect();
    let last = machine.vector(rows)?;
    machine.copy(a.from(1), &last, 0, rows - 1)?;
    machine.write_elements(&last, rows - 1, &[Fr::ONE])?;
    let running = machine.download(prefix_products(machine, last)?.all(), rows - 1)?;
    expect("running products", &running, &products)
}

fn transforms(machine: &Arc<Machine>, values: &[Fr], a: &Vector) -> Result<(), DeviceError> {
    machine.need_domain()?;
    let mut expected = values.to_vec();
    best_fft(&mut expected, root_of_unity(K), K);
    let evaluated = machine.evaluate(a)?;
    expect("a transform", &machine.download(evaluated.all(), values.len())?, &expected)?;
    let back = machine.interpolate(&evaluated)?;
    expect("a transform back", &machine.download(back.all(), values.len())?, values)
}

fn sums(machine: &Arc<Machine>, values: &[Fr], integers: &[i32]) -> Result<(), DeviceError> {
    // Equal, opposite and infinite points among them: exceptional additions.
    let multiples = [0_i32, 1, 1, -1, 2, -2, 3];
    let point = |i: usize| G1::generator() * crate::column::integer(multiples[i % 7]);
    let points: Vec<G1> = (0..values.len()).map(point).collect();
    let points = normalized(&points);
    let on_device = Points::new(machine, &points)?;
    let check = |column: IcicleColumn, scalars: &[Fr]| {
        let sum: G1Affine = on_device.commit(machine, &column)?.to_affine();
        let is_right = sum == msm_best(scalars, &points).to_affine();
        let wrong = || failed("a sum of points", "the self-test found a wrong result");
        is_right.then_some(()).ok_or_else(wrong)
    };
    check(machine.upload(values)?.into(), values)?;
    for bits in [32, 16, 1] {
        let mut integers: Vec<i32> = integers.iter().map(|value| value >> (32 - bits)).collect();
        let tail = values[values.len() - 3..].to_vec();
        let head = integers.len() - tail.len();
        integers[head..].fill(0);
        let elements = integers[..head].iter().map(|&i| crate::column::integer(i));
        let scalars: Vec<Fr> = elements.chain(tail.iter().copied()).collect();
        let on_device = machine.upload_integers(&integers)?;
        machine.write_elements(&on_device, head, &tail)?;
        let small = Some(Small::new(&integers, tail));
        check(IcicleColumn { values: on_device, small }, &scalars)?;
    }
    Ok(())
}
