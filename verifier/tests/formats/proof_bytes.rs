//! The bytes of a proof: every other spelling, length and value is refused by the check it breaks.

use std::thread;

use zkinfer_verifier::{
    InferenceClaim, Proof, ProofFile, SrsPolicy, VerifyError, VerifyingKey, decode_point,
    decode_scalar, verify,
};

/// Little-endian modulus of the coordinates.
const Q: [u8; 32] = [
    0x47, 0xfd, 0x7c, 0xd8, 0x16, 0x8c, 0x20, 0x3c, 0x8d, 0xca, 0x71, 0x68, 0x91, 0x6a, 0x81, 0x97,
    0x5d, 0x58, 0x81, 0x81, 0xb6, 0x45, 0x50, 0xb8, 0x29, 0xa0, 0x31, 0xe1, 0x72, 0x4e, 0x64, 0x30,
];
/// Little-endian modulus of the scalars.
const R: [u8; 32] = [
    0x01, 0x00, 0x00, 0xf0, 0x93, 0xf5, 0xe1, 0x43, 0x91, 0x70, 0xb9, 0x79, 0x48, 0xe8, 0x33, 0x28,
    0x5d, 0x58, 0x81, 0x81, 0xb6, 0x45, 0x50, 0xb8, 0x29, 0xa0, 0x31, 0xe1, 0x72, 0x4e, 0x64, 0x30,
];
const ODD_Y_BIT: usize = 254;
const INFINITY_BIT: usize = 255;

struct Toy {
    key: VerifyingKey,
    claim: InferenceClaim,
    bytes: Vec<u8>,
}

impl Toy {
    fn new() -> Self {
        let key = VerifyingKey::decode(include_bytes!("../vectors/toy.zkvk")).unwrap();
        let file = ProofFile::decode(include_bytes!("../vectors/toy.zkproof")).unwrap();
        Self { key, claim: file.claim, bytes: file.proof.as_bytes().to_vec() }
    }

    fn verify(&self, bytes: Vec<u8>) -> Result<(), VerifyError> {
        let proof = Proof::new(bytes);
        verify(&self.key, &self.claim, &proof, SrsPolicy::AllowInsecureDev).map(|_| ())
    }

    fn elements(&self) -> usize {
        self.bytes.len() / 32
    }

    fn element(&self, element: usize) -> [u8; 32] {
        self.bytes[element * 32..][..32].try_into().unwrap()
    }

    fn with(&self, element: usize, value: [u8; 32]) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        bytes[element * 32..][..32].copy_from_slice(&value);
        bytes
    }

    fn is_point(&self, element: usize) -> bool {
        let system = &self.key.parts().constraint_system;
        let leading = system.advice_phases.len()
            + system.permutation_product_count()
            + 1
            + system.quotient_piece_count();
        element < leading || element >= self.elements() - 2
    }

    /// Why a proof with this element must be refused.
    fn expected(&self, element: usize, value: [u8; 32]) -> VerifyError {
        match self.is_point(element) {
            true if decode_point(&value).is_none() => VerifyError::Point { element },
            false if decode_scalar(&value).is_none() => VerifyError::Scalar { element },
            _ => VerifyError::Pairing,
        }
    }
}

/// All bits of all elements, the slow half of them shared between threads.
#[test]
fn every_single_bit_flip_is_refused_by_the_check_it_breaks() {
    let toy = Toy::new();
    assert_eq!(toy.verify(toy.bytes.clone()), Ok(()));
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let check = |first: usize| {
        let mut counts = [0usize; 3];
        for bit in (first..toy.bytes.len() * 8).step_by(threads) {
            let (element, bit_of_element) = (bit / 256, bit % 256);
            let mut value = toy.element(element);
            value[bit_of_element / 8] ^= 1 << (bit_of_element % 8);
            let expected = toy.expected(element, value);
            let got = toy.verify(toy.with(element, value));
            assert_eq!(got, Err(expected), "bit {bit_of_element} of element {element}");
            if toy.is_point(element) && bit_of_element == INFINITY_BIT {
                assert_eq!(expected, VerifyError::Point { element });
            }
            if toy.is_point(element) && bit_of_element == ODD_Y_BIT {
                assert_eq!(expected, VerifyError::Pairing, "−P is a point");
            }
            let kind = match expected {
                VerifyError::Pairing => 0,
                VerifyError::Point { .. } => 1,
                _ => 2,
            };
            counts[kind] += 1;
        }
        counts
    };
    let counts = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|first| scope.spawn(move || check(first))).collect();
        let counts = workers.into_iter().map(|worker| worker.join().unwrap());
        counts.fold([0; 3], |sum, counts| std::array::from_fn(|kind| sum[kind] + counts[kind]))
    });
    assert_eq!(counts.iter().sum::<usize>(), toy.bytes.len() * 8);
    assert!(counts.iter().all(|count| *count > 10), "{counts:?}");
}

#[test]
fn every_truncation_and_every_extension_is_refused() {
    let toy = Toy::new();
    let expected = toy.bytes.len();
    let longer = [&toy.bytes[..], &toy.bytes[..]].concat();
    for got in (0..=2 * expected).filter(|got| *got != expected) {
        let wrong = VerifyError::ProofLength { expected, got };
        assert_eq!(toy.verify(longer[..got].to_vec()), Err(wrong));
    }
}

/// `value + modulus`, if that fits 256 bits.
fn plus(value: [u8; 32], modulus: [u8; 32]) -> Option<[u8; 32]> {
    let mut carry = 0u16;
    let sum = std::array::from_fn(|index| {
        let digit = u16::from(value[index]) + u16::from(modulus[index]) + carry;
        carry = digit >> 8;
        digit.to_le_bytes()[0]
    });
    (carry == 0).then_some(sum)
}

/// The same residue in another spelling is what a forger of receipts would send twice.
#[test]
fn no_element_has_another_spelling() {
    let toy = Toy::new();
    let (mut points, mut scalars) = (0, 0);
    for element in 0..toy.elements() {
        if toy.is_point(element) {
            let mut x = toy.element(element);
            let flags = x[31] & 0xc0;
            x[31] &= 0x3f;
            let Some(mut other) = plus(x, Q).filter(|other| other[31] < 0x40) else {
                continue;
            };
            other[31] |= flags;
            let wrong = VerifyError::Point { element };
            assert_eq!(toy.verify(toy.with(element, other)), Err(wrong));
            points += 1;
        } else {
            let spellings =
                std::iter::successors(plus(toy.element(element), R), |value| plus(*value, R));
            for other in spellings {
                let wrong = VerifyError::Scalar { element };
                assert_eq!(toy.verify(toy.with(element, other)), Err(wrong));
                scalars += 1;
            }
        }
    }
    assert!(points > 0 && scalars > 60, "{points} {scalars}");
}

#[test]
fn special_values_are_refused_by_name() {
    let toy = Toy::new();
    let mut infinity = [0; 32];
    infinity[31] = 0x80;
    let mut negative_infinity = infinity;
    negative_infinity[31] |= 0x40;
    let mut dirty_infinity = infinity;
    dirty_infinity[0] = 1;
    let pieces = toy.key.parts().constraint_system.quotient_piece_count();
    let leading = (0..toy.elements()).take_while(|element| toy.is_point(*element)).count();
    for element in (0..toy.elements()).filter(|element| toy.is_point(*element)) {
        // An honest quotient may have zero pieces; then it is the pairing that fails.
        let is_piece = (leading - pieces..leading).contains(&element);
        let wrong = if is_piece { VerifyError::Pairing } else { VerifyError::Infinity { element } };
        assert_eq!(toy.verify(toy.with(element, infinity)), Err(wrong));
        for value in [negative_infinity, dirty_infinity, [0; 32], Q, [0xff; 32]] {
            let wrong = VerifyError::Point { element };
            assert_eq!(toy.verify(toy.with(element, value)), Err(wrong));
        }
    }
    for element in (0..toy.elements()).filter(|element| !toy.is_point(*element)) {
        for value in [R, [0xff; 32], infinity] {
            let wrong = VerifyError::Scalar { element };
            assert_eq!(toy.verify(toy.with(element, value)), Err(wrong));
        }
        assert_eq!(toy.verify(toy.with(element, [0; 32])), Err(VerifyError::Pairing));
    }
}

/// Rows of commitments, evaluations and openings given twice or in another order.
#[test]
fn repeated_and_swapped_elements_are_refused() {
    let toy = Toy::new();
    let elements = toy.elements();
    for element in 0..elements {
        for other in [element + 1, element + 2, elements - 1 - element] {
            let other = other % elements;
            let (a, b) = (toy.element(element), toy.element(other));
            if a == b {
                continue;
            }
            let repeated = toy.with(element, b);
            assert_eq!(toy.verify(repeated), Err(toy.expected(element, b)));
            let mut swapped = toy.with(element, b);
            swapped[other * 32..][..32].copy_from_slice(&a);
            let ((first, in_first), (second, in_second)) = if element < other {
                ((element, b), (other, a))
            } else {
                ((other, a), (element, b))
            };
            let wrong = match toy.expected(first, in_first) {
                VerifyError::Pairing => toy.expected(second, in_second),
                error => error,
            };
            assert_eq!(toy.verify(swapped), Err(wrong), "{element} and {other}");
        }
    }
}
