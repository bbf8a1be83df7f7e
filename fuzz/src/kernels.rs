//! Kernels of the engine on inputs that bytes choose, against halo2's curve library.
//!
//! Whoever includes this has `Column`, `Instructions` and `measure` of the engine beside it. The
//! bytes prefer values at which arithmetic breaks: zero, one, minus one, repeated and opposite
//! elements, the point at infinity.

use std::sync::LazyLock;

use halo2_proofs::halo2curves::{
    bn256::{Fr, G1, G1Affine},
    ff::{Field, FromUniformBytes, PrimeField},
    fft::best_fft,
    group::{Curve, prime::PrimeCurveAffine},
    msm::msm_best,
};

use super::{Column, Instructions, measure};

/// The kernels that the first byte chooses from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    /// A commitment to field elements.
    CommitField,
    /// A commitment to small integers.
    CommitIntegers,
    /// Values on a subgroup to values on a coset.
    Extend,
    /// Inverses of a vector.
    Invert,
    /// Products of two vectors.
    Multiply,
}

impl Case {
    /// All of them.
    pub(crate) const ALL: [Self; 5] =
        [Self::CommitField, Self::CommitIntegers, Self::Extend, Self::Invert, Self::Multiply];
}

/// The most points of a commitment.
const MAX_POINTS: usize = 96;

/// Multiples of the generator from -16 to 15, zero included, then points that are nobody's multiple.
static POINTS: LazyLock<Vec<G1Affine>> = LazyLock::new(|| {
    let multiple = |i: u64| G1::generator() * (Fr::from(i) - Fr::from(16));
    let other =
        |i: u64| G1::generator() * Fr::from(i).square().square().invert().unwrap_or(Fr::ONE);
    let points: Vec<G1> = (0..32).map(multiple).chain((101..197).map(other)).collect();
    let mut affine = vec![G1Affine::identity(); points.len()];
    G1::batch_normalize(&points, &mut affine);
    affine
});

/// Runs the kernel that the bytes choose on every set, and panics where a result is wrong.
pub(crate) fn check(bytes: &[u8], sets: &[Instructions]) -> Case {
    let mut input = Input { bytes, elements: vec![Fr::ONE], position: 0 };
    let case = Case::ALL[usize::from(input.byte()) % Case::ALL.len()];
    match case {
        Case::CommitField | Case::CommitIntegers => commit(&mut input, case, sets),
        Case::Extend => extend(&mut input, sets),
        Case::Invert => {
            let values = input.vector();
            let inverse = |x: &Fr| x.invert().unwrap_or(Fr::ZERO);
            let expected: Vec<Fr> = values.iter().map(inverse).collect();
            for &set in sets {
                assert_eq!(last(measure::invert(set, &values), values.len()), expected, "{set:?}");
            }
        }
        Case::Multiply => {
            let a = input.vector();
            let b: Vec<Fr> = a.iter().map(|_| input.element()).collect();
            let expected: Vec<Fr> = a.iter().zip(&b).map(|(a, b)| a * b).collect();
            for &set in sets {
                assert_eq!(last(measure::multiply(set, &a, &b), a.len()), expected, "{set:?}");
            }
        }
    }
    case
}

/// Runs once; elements that fill the last pack are left out.
fn last(mut kernel: Box<dyn measure::Kernel<Output = Vec<Fr>>>, len: usize) -> Vec<Fr> {
    kernel.run();
    let mut output = kernel.output();
    output.truncate(len);
    output
}

fn commit(input: &mut Input<'_>, case: Case, sets: &[Instructions]) {
    let len = 1 + usize::from(input.byte()) % MAX_POINTS;
    let table_bytes = 64 * len * usize::from(input.byte());
    let points: Vec<G1Affine> =
        (0..len).map(|_| POINTS[usize::from(input.byte()) % POINTS.len()]).collect();
    let (elements, scalars) = if case == Case::CommitField {
        let elements: Vec<Fr> = (0..len).map(|_| input.element()).collect();
        (elements.clone(), Column::Field(elements))
    } else {
        let shift = input.byte() % 32;
        let integers: Vec<i32> = (0..len).map(|_| input.integer() >> shift).collect();
        (integers.iter().map(|&i| element(i)).collect(), Column::integers(integers))
    };
    let expected = msm_best(&elements, &points).to_affine();
    for &set in sets {
        let mut kernel = measure::commit(set, &points, table_bytes, scalars.clone());
        kernel.run();
        assert_eq!(kernel.output(), expected, "{set:?}");
    }
}

fn extend(input: &mut Input<'_>, sets: &[Instructions]) {
    let k = 3 + u32::from(input.byte() % 8);
    let shift = Some(input.element()).filter(|&shift| shift != Fr::ZERO).unwrap_or(Fr::ONE);
    let values: Vec<Fr> = (0..1 << k).map(|_| input.element()).collect();
    let root = (k..Fr::S).fold(Fr::ROOT_OF_UNITY, |root, _| root.square());
    let inverse_root = root.invert().unwrap_or(Fr::ZERO);
    let mut expected = values.clone();
    best_fft(&mut expected, inverse_root, k);
    let mut factor = Fr::TWO_INV.pow_vartime([k.into()]);
    for coefficient in &mut expected {
        *coefficient *= factor;
        factor *= shift;
    }
    best_fft(&mut expected, root, k);
    for &set in sets {
        let [extended, again] = measure::extend(set, &values, shift);
        assert_eq!(extended, expected, "{set:?}");
        assert_eq!(again, values, "{set:?}");
    }
}

fn element(integer: i32) -> Fr {
    let magnitude = Fr::from(u64::from(integer.unsigned_abs()));
    if integer < 0 { -magnitude } else { magnitude }
}

/// Bytes as numbers. They never end: after the last come zeros, and elements then repeat.
struct Input<'a> {
    bytes: &'a [u8],
    /// What was read, and a one before it.
    elements: Vec<Fr>,
    position: usize,
}

impl Input<'_> {
    fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        first
    }

    fn integer(&mut self) -> i32 {
        i32::from_le_bytes(std::array::from_fn(|_| self.byte()))
    }

    /// A vector of at most 256 elements.
    fn vector(&mut self) -> Vec<Fr> {
        (0..=self.byte()).map(|_| self.element()).collect()
    }

    fn element(&mut self) -> Fr {
        if self.bytes.is_empty() {
            self.position = (self.position + 1) % self.elements.len();
            return self.elements[self.position];
        }
        let previous = self.elements[self.elements.len() - 1];
        let element = match self.byte() % 16 {
            0 => Fr::ZERO,
            1 => Fr::ONE,
            2 => -Fr::ONE,
            3 => Fr::TWO_INV,
            4 => Fr::TWO_INV - Fr::ONE,
            5 => previous,
            6 => -previous,
            7 => previous + Fr::ONE,
            8 => element(self.integer()),
            9 => Fr::from(2).pow([u64::from(self.byte())]),
            10 => -Fr::from(2).pow([u64::from(self.byte())]),
            _ => Fr::from_uniform_bytes(&std::array::from_fn::<u8, 64, _>(|i| {
                if i < 32 { self.byte() } else { 0 }
            })),
        };
        self.elements.push(element);
        element
    }
}
