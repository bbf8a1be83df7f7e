//! The kernels of a machine against the processor: arithmetic, points, a transform and a sum.

use halo2_proofs::{
    arithmetic::best_multiexp,
    halo2curves::{
        bn256::{Fq, Fr, G1, G1Affine},
        ff::{Field, PrimeField},
        group::Curve,
    },
};

use super::{
    DEVICE, accelerator::Kernel, columns::CudaColumn, machine::Machine, plain, sums::Bases,
    transform::Domain,
};
use crate::{cosets::root_of_unity, error::DeviceError, kernels::pack::Words, powers_of};

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
    sum(machine)?.ok_or_else(|| wrong("sums"))
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
    let commitment = on_machine.commit(&[&column])?[0];
    Ok((commitment == best_multiexp(&scalars, &bases).to_affine()).then_some(()))
}
