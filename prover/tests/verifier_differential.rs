//! zkinfer's verifier and halo2's must agree on honest and on mutated proofs, and ours must refuse
//! for the stated reason.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod toy;

use std::{
    path::{Path, PathBuf},
    sync::LazyLock,
};

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use zkinfer_prover::reference::halo2_verify;
use zkinfer_verifier::{
    ClaimedValues, InferenceClaim, JobBinding, Proof, ProofFile, SrsPolicy, SrsTrust, VerifyError,
    VerifyingKey, verify,
};

use toy::{Shape, Toy, halo2_instance};

const POLICY: SrsPolicy = SrsPolicy::AllowInsecureDev;
/// The bit of a point that says that it is at infinity.
const INFINITY_BIT: usize = 255;
/// The encoding of the point at infinity.
const INFINITY: [u8; 32] = {
    let mut bytes = [0; 32];
    bytes[31] = 0x80;
    bytes
};

struct Fixture {
    toy: Toy,
    claim: InferenceClaim,
    proof: Proof,
}

impl Fixture {
    fn new(shape: Shape) -> Self {
        let toy = Toy::new(shape);
        let claim = toy.claim([-3, 5, 9], 1);
        let proof = toy.prove(&claim);
        Self { toy, claim, proof }
    }

    fn ours(&self, proof: &[u8]) -> Result<(), VerifyError> {
        let proof = Proof::new(proof.to_vec());
        verify(&self.toy.key, &self.claim, &proof, POLICY).map(|evidence| {
            assert_eq!(evidence.claim(), &self.claim);
            assert_eq!(evidence.srs(), SrsTrust::InsecureDev);
        })
    }

    fn halo2_accepts(&self, claim: &InferenceClaim, proof: &[u8]) -> bool {
        let key = self.toy.circuit_key.verifying_key();
        let digest = self.toy.key.digest().0.0;
        halo2_verify(&self.toy.srs, key, &digest, &[&halo2_instance(claim)], proof).is_ok()
    }

    /// Ours refuses `proof` with one of the errors that `expected` names, and so does halo2.
    fn refused(&self, proof: &[u8], expected: impl Fn(VerifyError) -> bool) {
        let error = self.ours(proof).unwrap_err();
        assert!(expected(error), "refused for another reason: {error:?}");
        assert!(!self.halo2_accepts(&self.claim, proof), "halo2 accepts what we call {error:?}");
    }

    fn is_point(&self, element: usize) -> bool {
        let system = &self.toy.key.parts().constraint_system;
        let first_scalar = system.advice_phases.len()
            + system.permutation_product_count()
            + 1
            + system.quotient_piece_count();
        let elements = self.proof.as_bytes().len() / 32;
        element < first_scalar || element >= elements - 2
    }
}

static FIXTURE: LazyLock<Fixture> = LazyLock::new(|| Fixture::new(Shape::default()));

#[test]
fn honest_proofs_of_several_shapes_are_accepted_by_both() {
    let shapes = [
        Shape::default(),
        Shape { k: 6, lanes: 5, copied_lanes: true, ..Shape::default() },
        // All columns under copy constraints fit into one product.
        Shape { minimum_degree: 9, ..Shape::default() },
        Shape { minimum_degree: 12, ..Shape::default() },
    ];
    for shape in shapes {
        let fixture = Fixture::new(shape);
        let proof = fixture.proof.as_bytes();
        assert_eq!(proof.len(), fixture.toy.key.proof_len());
        assert_eq!(fixture.ours(proof), Ok(()), "{shape:?}");
        assert!(fixture.halo2_accepts(&fixture.claim, proof), "{shape:?}");
        // Far above the degree of the gates, the last pieces of the quotient are zero.
        let infinite = proof.chunks(32).any(|element| element == INFINITY);
        assert_eq!(infinite, shape.minimum_degree == 12, "{shape:?}");
    }
}

/// `verifier/tests/vectors` holds an honest proof for the tests of the verifier, which cannot make
/// one. It must belong to the toy of today.
#[test]
fn the_fixture_of_the_verifier_is_an_honest_proof_of_the_toy() {
    let fixture = &*FIXTURE;
    let read = |name: &str| std::fs::read(vectors().join(name)).unwrap();
    assert_eq!(VerifyingKey::decode(&read("toy.zkvk")).unwrap(), fixture.toy.key);
    let file = ProofFile::decode(&read("toy.zkproof")).unwrap();
    assert_eq!(file.claim, fixture.claim);
    assert_eq!(fixture.ours(file.proof.as_bytes()), Ok(()));
    assert!(fixture.halo2_accepts(&fixture.claim, file.proof.as_bytes()));
}

#[test]
#[ignore = "rewrites the fixture of the verifier's tests"]
fn write_the_fixture_of_the_verifier() {
    let Fixture { toy, claim, proof } = &*FIXTURE;
    let file = ProofFile::new(&toy.key, claim.clone(), proof.clone());
    std::fs::create_dir_all(vectors()).unwrap();
    std::fs::write(vectors().join("toy.zkvk"), toy.key.encode()).unwrap();
    std::fs::write(vectors().join("toy.zkproof"), file.encode()).unwrap();
}

#[test]
#[ignore = "rewrites the proofs of the tests of settlement"]
fn write_the_proofs_of_settlement() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../settlement/tests/vectors");
    std::fs::create_dir_all(&folder).unwrap();
    let binding = |job: u8, payee: u8, expiry, nonce| {
        let (job_id, payee) = ([job; 32], [payee; 20]);
        JobBinding { chain_id: 1, job_id, payee, expiry, nonce }
    };
    let proofs = [
        ("first", binding(1, 0xa1, 2_000, 1), [-3, 5, 9]),
        ("second", binding(2, 0xb2, 2_000, 1), [7, -8, 1]),
        ("short_lived", binding(3, 0xa1, 500, 9), [-3, 5, 9]),
        ("rival_of_first", binding(1, 0xb2, 2_000, 1), [-3, 5, 9]),
    ];
    for (name, binding, input) in proofs {
        let toy = &FIXTURE.toy;
        let claim = InferenceClaim { binding, ..toy.claim(input, binding.nonce) };
        let file = ProofFile::new(&toy.key, claim.clone(), toy.prove(&claim));
        std::fs::write(folder.join(name).with_extension("zkproof"), file.encode()).unwrap();
    }
}

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../verifier/tests/vectors")
}

#[test]
fn every_flipped_bit_is_refused_for_its_reason() {
    let fixture = &*FIXTURE;
    let mut proof = fixture.proof.as_bytes().to_vec();
    let mut counts = [0usize; 4];
    // The bits where decoding is at stake, and every eleventh of the others.
    for bit in (0..proof.len() * 8).filter(|bit| bit % 11 == 0 || bit % 256 >= 253) {
        let (element, bit_of_element) = (bit / 256, bit % 256);
        proof[bit / 8] ^= 1 << (bit % 8);
        let error = fixture.ours(&proof).unwrap_err();
        let place = format!("bit {bit_of_element} of element {element}: {error:?}");
        match error {
            VerifyError::Pairing => counts[0] += 1,
            VerifyError::Point { element: got } => {
                assert!(got == element && fixture.is_point(element), "{place}");
                counts[1] += 1;
            }
            VerifyError::Scalar { element: got } => {
                assert!(got == element && !fixture.is_point(element), "{place}");
                counts[2] += 1;
            }
            _ => panic!("{place}"),
        }
        // halo2 ignores the infinity bit of a point that is not at infinity, so to it the same
        // proof has other spellings. Here it has one.
        let ignored = fixture.is_point(element) && bit_of_element == INFINITY_BIT;
        assert_eq!(fixture.halo2_accepts(&fixture.claim, &proof), ignored, "{place}");
        counts[3] += 1;
        proof[bit / 8] ^= 1 << (bit % 8);
    }
    assert!(counts.into_iter().all(|count| count > 20), "{counts:?}");
    assert!(counts[3] > 1_000, "{counts:?}");
}

#[test]
fn every_truncation_and_every_extension_is_refused() {
    let fixture = &*FIXTURE;
    let proof = fixture.proof.as_bytes();
    let expected = proof.len();
    for got in 0..expected {
        let wrong = VerifyError::ProofLength { expected, got };
        assert_eq!(fixture.ours(&proof[..got]), Err(wrong));
    }
    for got in (0..expected).step_by(32) {
        assert!(!fixture.halo2_accepts(&fixture.claim, &proof[..got]));
    }
    for extra in [1, 31, 32, 64] {
        let longer = [proof, &vec![0; extra]].concat();
        let wrong = VerifyError::ProofLength { expected, got: expected + extra };
        fixture.refused(&longer, |error| error == wrong);
    }
}

#[test]
fn swapped_and_repeated_elements_are_refused() {
    let fixture = &*FIXTURE;
    let honest = fixture.proof.as_bytes();
    let elements: Vec<&[u8]> = honest.chunks(32).collect();
    let refused = |element: usize, other: usize, edit: &dyn Fn(&mut Vec<&[u8]>)| {
        let mut edited = elements.clone();
        edit(&mut edited);
        let proof = edited.concat();
        if proof == honest {
            return;
        }
        // A scalar in the place of a point may be no point, and the other way round.
        let same_kind = fixture.is_point(element) == fixture.is_point(other);
        fixture.refused(&proof, |error| match error {
            VerifyError::Pairing => true,
            VerifyError::Point { .. } | VerifyError::Scalar { .. } => !same_kind,
            _ => false,
        });
    };
    for element in 0..elements.len() {
        for other in [element + 1, element + 3, element + 11] {
            let other = other % elements.len();
            refused(element, other, &|edited| edited.swap(element, other));
            refused(element, other, &|edited| edited[element] = edited[other]);
        }
    }
}

#[test]
fn elements_replaced_by_special_values_are_refused() {
    let fixture = &*FIXTURE;
    let honest = fixture.proof.as_bytes();
    let mut generator = [0; 32];
    generator[0] = 1;
    let system = &fixture.toy.key.parts().constraint_system;
    let first_piece = system.advice_phases.len() + system.permutation_product_count() + 1;
    let pieces = first_piece..first_piece + system.quotient_piece_count();
    for element in 0..honest.len() / 32 {
        let with = |value: [u8; 32]| {
            let mut proof = honest.to_vec();
            proof[element * 32..][..32].copy_from_slice(&value);
            proof
        };
        if fixture.is_point(element) {
            // halo2 takes a point at infinity anywhere; it is then the pairing that fails.
            let expected = if pieces.contains(&element) {
                VerifyError::Pairing
            } else {
                VerifyError::Infinity { element }
            };
            fixture.refused(&with(INFINITY), |error| error == expected);
            fixture.refused(&with(generator), |error| error == VerifyError::Pairing);
            let wrong = VerifyError::Point { element };
            fixture.refused(&with([0xff; 32]), |error| error == wrong);
            fixture.refused(&with([0; 32]), |error| error == wrong);
        } else {
            fixture.refused(&with([0; 32]), |error| error == VerifyError::Pairing);
            let wrong = VerifyError::Scalar { element };
            fixture.refused(&with([0xff; 32]), |error| error == wrong);
        }
    }
}

/// A way to damage a proof, chosen by `rng`. Never sets the infinity bit of a point: halo2 ignores
/// it where we refuse it, which `every_flipped_bit_is_refused_for_its_reason` covers.
fn damaged(fixture: &Fixture, other: &[u8], rng: &mut ChaCha20Rng) -> Vec<u8> {
    let mut proof = fixture.proof.as_bytes().to_vec();
    let elements = proof.len() / 32;
    let mut below = |limit: usize| usize::try_from(rng.next_u32()).unwrap() % limit;
    let (element, from) = (below(elements), below(elements));
    let place = element * 32..element * 32 + 32;
    match below(6) {
        0 => proof[element * 32 + below(31)] ^= 1 << below(8),
        1 => proof[element * 32 + 31] ^= 1 << below(7),
        2 => proof.copy_within(from * 32..from * 32 + 32, place.start),
        3 => proof[place.clone()].copy_from_slice(&other[place.clone()]),
        4 => {
            rng.fill_bytes(&mut proof[place.clone()]);
            proof[place.end - 1] &= 0x7f;
        }
        _ => proof.truncate(place.start),
    }
    proof
}

/// Several circuits, many claims, every kind of damage: the two verifiers never disagree.
#[test]
fn both_verifiers_agree_on_a_thousand_honest_and_mutated_proofs() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let (mut accepted, mut refused) = (0, 0);
    let shapes = [
        Shape::default(),
        Shape { seed: 3, lanes: 4, copied_lanes: true, ..Shape::default() },
        Shape { k: 6, minimum_degree: 9, ..Shape::default() },
    ];
    for shape in shapes {
        let mut fixture = Fixture::new(shape);
        for nonce in 2..10 {
            let input = [(); 3].map(|()| i64::from(rng.next_u32() % 199) - 99);
            let claim = fixture.toy.claim(input, nonce);
            let (old_claim, old) = (fixture.claim.clone(), fixture.proof.as_bytes().to_vec());
            fixture.proof = fixture.toy.prove(&claim);
            fixture.claim = claim;
            let honest = fixture.proof.as_bytes();
            let mut proofs: Vec<Vec<u8>> =
                (0..45).map(|_| damaged(&fixture, &old, &mut rng)).collect();
            proofs.extend([honest.to_vec(), old]);
            for proof in proofs {
                let ours = fixture.ours(&proof);
                let theirs = fixture.halo2_accepts(&fixture.claim, &proof);
                assert_eq!(ours.is_ok(), theirs, "{shape:?}, nonce {nonce}: {ours:?}");
                assert_eq!(ours.is_ok(), proof == honest, "{shape:?}, nonce {nonce}");
                if theirs { accepted += 1 } else { refused += 1 }
            }
            assert!(!fixture.halo2_accepts(&old_claim, honest));
            let claim = std::mem::replace(&mut fixture.claim, old_claim);
            assert_eq!(fixture.ours(fixture.proof.as_bytes()), Err(VerifyError::Pairing));
            fixture.claim = claim;
        }
    }
    assert!(accepted >= 24 && accepted + refused > 1_000, "{accepted} {refused}");
}

/// The integers of a claim that shows them.
fn shown(values: &mut ClaimedValues) -> &mut Vec<i64> {
    let ClaimedValues::Public(values) = values else { panic!("the claim shows {values:?}") };
    values
}

/// The same proof with another claim; halo2 sees the other claim too.
fn claim_refused(edit: impl FnOnce(&mut InferenceClaim), expected: VerifyError) {
    let fixture = &*FIXTURE;
    let mut claim = fixture.claim.clone();
    edit(&mut claim);
    assert_ne!(claim, fixture.claim);
    let refused = verify(&fixture.toy.key, &claim, &fixture.proof, POLICY);
    assert_eq!(refused, Err(expected));
    assert_eq!(
        fixture.halo2_accepts(&claim, fixture.proof.as_bytes()),
        claim.instance() == fixture.claim.instance()
    );
}

#[test]
fn another_input_or_output_is_refused() {
    let pairing = VerifyError::Pairing;
    for index in 0..3 {
        claim_refused(|claim| shown(&mut claim.input)[index] += 1, pairing);
        claim_refused(|claim| shown(&mut claim.input)[index] *= -1, pairing);
    }
    for index in 0..2 {
        claim_refused(|claim| shown(&mut claim.output)[index] -= 1, pairing);
    }
    claim_refused(|claim| shown(&mut claim.output).swap(0, 1), pairing);
    claim_refused(|claim| shown(&mut claim.input).swap(0, 2), pairing);
    // Input and output swapped in place: the same values in another order.
    let swap = |claim: &mut InferenceClaim| {
        std::mem::swap(&mut shown(&mut claim.input)[0], &mut shown(&mut claim.output)[0]);
    };
    claim_refused(swap, pairing);
}

#[test]
fn shorter_longer_and_shifted_instances_are_refused() {
    let (input, output) = (
        |got| VerifyError::InputLength { expected: 3, got },
        |got| VerifyError::OutputLength { expected: 2, got },
    );
    claim_refused(|claim| shown(&mut claim.input).truncate(2), input(2));
    claim_refused(|claim| shown(&mut claim.input).push(0), input(4));
    claim_refused(|claim| shown(&mut claim.output).truncate(1), output(1));
    claim_refused(|claim| shown(&mut claim.output).push(0), output(3));
    claim_refused(|claim| shown(&mut claim.output).clear(), output(0));
    // The same instance column, cut in another place.
    let shift = |claim: &mut InferenceClaim| {
        let moved = shown(&mut claim.input).pop().unwrap();
        shown(&mut claim.output).insert(0, moved);
    };
    claim_refused(shift, input(2));
}

#[test]
fn values_out_of_range_are_refused() {
    let out_of_input = |index, value| VerifyError::InputRange { index, value, lo: -100, hi: 100 };
    claim_refused(|claim| shown(&mut claim.input)[0] = 101, out_of_input(0, 101));
    claim_refused(|claim| shown(&mut claim.input)[2] = i64::MIN, out_of_input(2, i64::MIN));
    let (value, lo, hi) = (20_001, -20_000, 20_000);
    let wrong = VerifyError::OutputRange { index: 1, value, lo, hi };
    claim_refused(|claim| shown(&mut claim.output)[1] = value, wrong);
}

#[test]
fn the_same_proof_serves_no_other_job() {
    let pairing = VerifyError::Pairing;
    type Edit = fn(&mut JobBinding);
    // Exhaustive: a new field does not compile until it is edited here.
    let JobBinding { chain_id: _, job_id: _, payee: _, expiry: _, nonce: _ } =
        FIXTURE.claim.binding;
    let edits: [Edit; 5] = [
        |binding| binding.chain_id ^= 1,
        |binding| binding.job_id[31] ^= 1,
        |binding| binding.payee[0] ^= 0x80,
        |binding| binding.expiry += 1,
        |binding| binding.nonce += 1,
    ];
    for edit in edits {
        claim_refused(|claim| edit(&mut claim.binding), pairing);
    }
}

#[test]
fn a_proof_of_one_model_is_no_proof_of_another() {
    let fixture = &*FIXTURE;
    let other = Toy::new(Shape { seed: 2, ..Shape::default() });
    let wrong = VerifyError::Model { expected: fixture.claim.model, got: other.key.digest() };
    assert_eq!(verify(&other.key, &fixture.claim, &fixture.proof, POLICY), Err(wrong));
    let claim = InferenceClaim { model: other.key.digest(), ..fixture.claim.clone() };
    assert_eq!(verify(&other.key, &claim, &fixture.proof, POLICY), Err(VerifyError::Pairing));
    claim_refused(
        |claim| claim.model = other.key.digest(),
        VerifyError::Model { expected: other.key.digest(), got: fixture.toy.key.digest() },
    );
}

/// The same circuit, so the same halo2 key, under another name: the digest alone tells them apart.
#[test]
fn a_proof_of_one_description_is_no_proof_of_another() {
    let fixture = &*FIXTURE;
    let mut parts = fixture.toy.key.parts().clone();
    parts.model_digest.0[0] ^= 1;
    let key = VerifyingKey::new(parts).unwrap();
    let claim = InferenceClaim { model: key.digest(), ..fixture.claim.clone() };
    assert_eq!(verify(&key, &claim, &fixture.proof, POLICY), Err(VerifyError::Pairing));
}

#[test]
fn the_development_srs_is_accepted_only_by_name_or_digest() {
    let fixture = &*FIXTURE;
    let verify = |policy| {
        verify(&fixture.toy.key, &fixture.claim, &fixture.proof, policy)
            .map(|evidence| evidence.srs())
    };
    assert_eq!(verify(SrsPolicy::CeremonyOnly), Err(VerifyError::InsecureDevSrs));
    let digest = fixture.toy.key.srs_digest();
    assert_eq!(verify(SrsPolicy::AllowSrs(digest)), Ok(SrsTrust::ByDigest(digest)));
}
