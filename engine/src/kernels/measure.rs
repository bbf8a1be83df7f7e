//! Kernels by themselves, for benchmarks, estimates and tests: prepared once, run many times.
//!
//! Provers use [`crate::EngineKey`].

use halo2_proofs::halo2curves::bn256::{Fr, G1Affine};

use super::{
    arithmetic::{Arithmetic, Instructions, Run},
    batch,
    msm::Bases,
    ntt::{Coset, Domain},
    pack::Pack,
};
use crate::column::Column;

/// A kernel with its operands, in the form that it works on.
pub trait Kernel {
    /// What it computes.
    type Output;
    /// Computes; this is what is timed.
    fn run(&mut self);
    /// What the last run gave. Kernels that work in place take it as their next operand.
    fn output(&self) -> Self::Output;
}

/// Products of elements, in place and on one thread: `a[i]·b[i]`.
#[must_use]
pub fn multiply(set: Instructions, a: &[Fr], b: &[Fr]) -> Box<dyn Kernel<Output = Vec<Fr>>> {
    struct Task<'a>([&'a [Fr]; 2]);
    impl Run for Task<'_> {
        type Output = Box<dyn Kernel<Output = Vec<Fr>>>;
        fn run<A: Arithmetic>(self, arithmetic: A) -> Self::Output {
            let [a, b] = self.0.map(|elements| pack(arithmetic, elements));
            Box::new(Multiply { arithmetic, a, b })
        }
    }
    set.run(Task([a, b]))
}

/// Inverses of elements, in place.
#[must_use]
pub fn invert(set: Instructions, values: &[Fr]) -> Box<dyn Kernel<Output = Vec<Fr>>> {
    struct Task<'a>(&'a [Fr]);
    impl Run for Task<'_> {
        type Output = Box<dyn Kernel<Output = Vec<Fr>>>;
        fn run<A: Arithmetic>(self, arithmetic: A) -> Self::Output {
            Box::new(Invert { arithmetic, values: pack(arithmetic, self.0) })
        }
    }
    set.run(Task(values))
}

/// The transform of values on the subgroup of order `values.len()` to coefficients, in place. The
/// output is the values of that polynomial: after the first run, `values`.
///
/// # Panics
/// If the number of values is not a power of two of at least a pack.
#[must_use]
pub fn interpolate(set: Instructions, values: &[Fr]) -> Box<dyn Kernel<Output = Vec<Fr>>> {
    struct Task<'a>(&'a [Fr]);
    impl Run for Task<'_> {
        type Output = Box<dyn Kernel<Output = Vec<Fr>>>;
        fn run<A: Arithmetic>(self, arithmetic: A) -> Self::Output {
            Box::new(Interpolate(Transform::new(arithmetic, self.0)))
        }
    }
    set.run(Task(values))
}

/// The transform of coefficients to values on the subgroup of order `values.len()`, which are
/// `values`.
///
/// # Panics
/// If the number of values is not a power of two of at least a pack.
#[must_use]
pub fn evaluate(set: Instructions, values: &[Fr]) -> Box<dyn Kernel<Output = Vec<Fr>>> {
    struct Task<'a>(&'a [Fr]);
    impl Run for Task<'_> {
        type Output = Box<dyn Kernel<Output = Vec<Fr>>>;
        fn run<A: Arithmetic>(self, arithmetic: A) -> Self::Output {
            let mut transform = Transform::new(arithmetic, self.0);
            let mut coefficients = transform.packs.clone();
            transform.domain.interpolate(&mut coefficients);
            transform.packs.fill(A::Fr::zero());
            Box::new(Evaluate { transform, coefficients })
        }
    }
    set.run(Task(values))
}

/// Values on the subgroup of order `values.len()` to values on a coset of it, and back.
///
/// # Panics
/// If the number of values is not a power of two of at least a pack, or the shift is zero.
#[must_use]
pub fn extend(set: Instructions, values: &[Fr], shift: Fr) -> [Vec<Fr>; 2] {
    struct Task<'a>(&'a [Fr], Fr);
    impl Run for Task<'_> {
        type Output = [Vec<Fr>; 2];
        fn run<A: Arithmetic>(self, arithmetic: A) -> Self::Output {
            let Transform { domain, coset, mut packs, .. } = Transform::new(arithmetic, self.0);
            domain.interpolate(&mut packs);
            let (mut extended, other) = (packs.clone(), domain.coset(self.1));
            domain.evaluate(&packs, &other, &mut extended);
            let values = unpack(arithmetic, &extended);
            domain.interpolate_coset(std::slice::from_mut(&mut extended), &other);
            domain.evaluate(&extended, &coset, &mut packs);
            [values, unpack(arithmetic, &packs)]
        }
    }
    set.run(Task(values, shift))
}

/// The commitment to a column: `Σ scalar·point`, with tables of at most `table_bytes`.
#[must_use]
pub fn commit(
    set: Instructions,
    points: &[G1Affine],
    table_bytes: usize,
    scalars: Column,
) -> Box<dyn Kernel<Output = G1Affine>> {
    struct Task<'a>(&'a [G1Affine], usize, Column);
    impl Run for Task<'_> {
        type Output = Box<dyn Kernel<Output = G1Affine>>;
        fn run<A: Arithmetic>(self, arithmetic: A) -> Self::Output {
            let Self(points, table_bytes, scalars) = self;
            let bases = Bases::new(arithmetic, points, table_bytes);
            let column = scalars.map(|elements| pack(arithmetic, &elements));
            Box::new(Commit { bases, column, sum: G1Affine::default() })
        }
    }
    set.run(Task(points, table_bytes, scalars))
}

/// Elements in packs; the last one is filled with zeros.
fn pack<A: Arithmetic>(arithmetic: A, elements: &[Fr]) -> Vec<A::Fr> {
    let width = <A::Fr as Pack<Fr>>::WIDTH;
    let mut padded = elements.to_vec();
    padded.resize(elements.len().next_multiple_of(width), Fr::default());
    arithmetic.vectorize(
        #[inline(always)]
        || {
            let mut packs = Vec::with_capacity(padded.len() / width);
            for lanes in padded.chunks_exact(width) {
                packs.push(A::Fr::from_lanes(lanes));
            }
            packs
        },
    )
}

/// The elements of packs.
fn unpack<A: Arithmetic>(arithmetic: A, packs: &[A::Fr]) -> Vec<Fr> {
    let width = <A::Fr as Pack<Fr>>::WIDTH;
    let mut elements = vec![Fr::default(); packs.len() * width];
    arithmetic.vectorize(
        #[inline(always)]
        || {
            let lanes = elements.chunks_exact_mut(width);
            for (pack, lanes) in packs.iter().zip(lanes) {
                pack.canonical().to_lanes(lanes);
            }
        },
    );
    elements
}

struct Multiply<A: Arithmetic> {
    arithmetic: A,
    a: Vec<A::Fr>,
    b: Vec<A::Fr>,
}

impl<A: Arithmetic> Kernel for Multiply<A> {
    type Output = Vec<Fr>;

    fn run(&mut self) {
        self.arithmetic.vectorize(
            #[inline(always)]
            || {
                for (a, b) in self.a.iter_mut().zip(&self.b) {
                    *a = a.mul(*b);
                }
            },
        );
    }

    fn output(&self) -> Vec<Fr> {
        unpack(self.arithmetic, &self.a)
    }
}

struct Invert<A: Arithmetic> {
    arithmetic: A,
    values: Vec<A::Fr>,
}

impl<A: Arithmetic> Kernel for Invert<A> {
    type Output = Vec<Fr>;

    fn run(&mut self) {
        batch::invert(self.arithmetic, &mut self.values);
    }

    fn output(&self) -> Vec<Fr> {
        unpack(self.arithmetic, &self.values)
    }
}

/// A polynomial and its domain.
struct Transform<A: Arithmetic> {
    arithmetic: A,
    domain: Domain<A>,
    coset: Coset<A>,
    packs: Vec<A::Fr>,
}

impl<A: Arithmetic> Transform<A> {
    fn new(arithmetic: A, values: &[Fr]) -> Self {
        assert!(values.len().is_power_of_two(), "a domain has a power of two of elements");
        let domain = Domain::new(arithmetic, values.len().trailing_zeros());
        let coset = domain.coset(Fr::one());
        Self { arithmetic, coset, domain, packs: pack(arithmetic, values) }
    }
}

struct Interpolate<A: Arithmetic>(Transform<A>);

impl<A: Arithmetic> Kernel for Interpolate<A> {
    type Output = Vec<Fr>;

    fn run(&mut self) {
        self.0.domain.interpolate(&mut self.0.packs);
    }

    fn output(&self) -> Vec<Fr> {
        let Transform { arithmetic, domain, coset, packs } = &self.0;
        let mut values = vec![A::Fr::zero(); packs.len()];
        domain.evaluate(packs, coset, &mut values);
        unpack(*arithmetic, &values)
    }
}

struct Evaluate<A: Arithmetic> {
    /// The packs are the values.
    transform: Transform<A>,
    coefficients: Vec<A::Fr>,
}

impl<A: Arithmetic> Kernel for Evaluate<A> {
    type Output = Vec<Fr>;

    fn run(&mut self) {
        let Transform { domain, coset, packs, .. } = &mut self.transform;
        domain.evaluate(&self.coefficients, coset, packs);
    }

    fn output(&self) -> Vec<Fr> {
        unpack(self.transform.arithmetic, &self.transform.packs)
    }
}

struct Commit<A: Arithmetic> {
    bases: Bases<A>,
    column: Column<Vec<A::Fr>>,
    sum: G1Affine,
}

impl<A: Arithmetic> Kernel for Commit<A> {
    type Output = G1Affine;

    fn run(&mut self) {
        self.sum = self.bases.commit(&[&self.column])[0];
    }

    fn output(&self) -> G1Affine {
        self.sum
    }
}
