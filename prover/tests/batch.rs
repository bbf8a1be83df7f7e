//! Batches of proofs: every bad one is named, and lies cannot cancel each other.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod toy;

use zkinfer_verifier::{BatchItem, InferenceClaim, Proof, SrsPolicy, VerifyError, verify_batch};

use toy::{Shape, Toy};

const POLICY: SrsPolicy = SrsPolicy::AllowInsecureDev;

/// A toy with an honest proof.
struct Proved {
    toy: Toy,
    claim: InferenceClaim,
    proof: Proof,
}

impl Proved {
    fn new(shape: Shape) -> Self {
        let toy = Toy::new(shape);
        let claim = toy.claim([-3, 5, 9], 1);
        let proof = toy.prove(&claim);
        Self { toy, claim, proof }
    }
}

#[test]
fn a_batch_names_exactly_the_bad_proofs() {
    let fixture = Proved::new(Shape::default());
    let other = Proved::new(Shape { seed: 2, lanes: 3, ..Shape::default() });
    let second_claim = fixture.toy.claim([7, -8, 1], 2);
    let second_proof = fixture.toy.prove(&second_claim);
    let mut forged = second_proof.as_bytes().to_vec();
    *forged.last_mut().unwrap() ^= 0x40;
    let forged = Proof::new(forged);
    let short = Proof::new(vec![]);
    let item = |key, expected, proof| BatchItem { key, expected, proof, leaf: None };
    let good = [
        item(&fixture.toy.key, &fixture.claim, &fixture.proof),
        item(&other.toy.key, &other.claim, &other.proof),
        item(&fixture.toy.key, &second_claim, &second_proof),
    ];
    let results = verify_batch(&good, POLICY);
    let claims: Vec<_> = results.iter().map(|result| result.as_ref().unwrap().claim()).collect();
    assert_eq!(claims, [&fixture.claim, &other.claim, &second_claim]);

    let mixed = [
        good[0],
        item(&fixture.toy.key, &second_claim, &forged),
        good[1],
        item(&fixture.toy.key, &fixture.claim, &short),
        item(&fixture.toy.key, &second_claim, &fixture.proof),
    ];
    let errors = |items: &[BatchItem<'_>], policy| {
        let results = verify_batch(items, policy).into_iter();
        results.map(|result| result.err()).collect::<Vec<_>>()
    };
    let wrong_length = VerifyError::ProofLength { expected: fixture.toy.key.proof_len(), got: 0 };
    let pairing = Some(VerifyError::Pairing);
    assert_eq!(errors(&mixed, POLICY), [None, pairing, None, Some(wrong_length), pairing]);
    assert_eq!(errors(&good, SrsPolicy::CeremonyOnly), [Some(VerifyError::InsecureDevSrs); 3]);
    assert!(verify_batch(&[], POLICY).is_empty());
}

/// Two lies that a sum without random coefficients would not see: the left sides of the pairing
/// equations change places.
#[test]
fn lies_that_cancel_each_other_are_refused_in_a_batch() {
    let fixture = Proved::new(Shape::default());
    let claim = fixture.toy.claim([7, -8, 1], 2);
    let proof = fixture.toy.prove(&claim);
    let [mut first, mut second] = [&fixture.proof, &proof].map(|proof| proof.as_bytes().to_vec());
    let last = first.len() - 32;
    first[last..].swap_with_slice(&mut second[last..]);
    let (first, second) = (Proof::new(first), Proof::new(second));
    let key = &fixture.toy.key;
    let items = [
        BatchItem { key, expected: &fixture.claim, proof: &first, leaf: None },
        BatchItem { key, expected: &claim, proof: &proof, leaf: None },
        BatchItem { key, expected: &claim, proof: &second, leaf: None },
    ];
    let answers = verify_batch(&items, POLICY).into_iter().map(|answer| answer.map(|_| ()));
    let pairing = Err(VerifyError::Pairing);
    assert_eq!(answers.collect::<Vec<_>>(), [pairing, Ok(()), pairing]);
}
