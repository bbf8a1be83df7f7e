//! The Fiat–Shamir test: what is absorbed, in which order, before which challenge.

#[path = "../tests/formats/common.rs"]
mod common;

use ark_bn254::{Fr, G1Affine};

use crate::{
    curve::scalar_from_digest,
    transcript::{KeccakTranscript, Transcript},
    verify::reduce,
};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Event {
    Point(G1Affine),
    Scalar(Fr),
    Challenge,
}

/// Notes everything on its way to the transcript of real proofs.
struct Recorder(KeccakTranscript, Vec<Event>);

impl Transcript for Recorder {
    fn absorb_point(&mut self, point: &G1Affine) {
        self.1.push(Event::Point(*point));
        self.0.absorb_point(point);
    }

    fn absorb_scalar(&mut self, scalar: &Fr) {
        self.1.push(Event::Scalar(*scalar));
        self.0.absorb_scalar(scalar);
    }

    fn challenge(&mut self) -> Fr {
        self.1.push(Event::Challenge);
        self.0.challenge()
    }
}

#[test]
fn everything_is_absorbed_before_the_challenges_that_depend_on_it() {
    let key = common::key();
    let claim = common::claim(&key);
    let mut recorder = Recorder(KeccakTranscript::new(), Vec::new());
    // The proof has the right shape and proves nothing: only the pairing would notice.
    assert!(reduce(&key, &claim.instance(), &common::shaped_proof(), &mut recorder).is_ok());

    let mut expected = vec![
        // SRS, k, circuit, bounds and model are in the digest.
        Event::Scalar(scalar_from_digest(&key.digest().0.0)),
        Event::Scalar(key.parts().transcript_repr),
    ];
    let [lo, hi] = claim.binding.limbs();
    expected.extend([lo, hi].map(|limb| Event::Scalar(Fr::from(limb))));
    expected.extend([-8, -1, 0, 7, 3, 1, 2, 3].map(|value: i64| Event::Scalar(Fr::from(value))));
    let points = |range: core::ops::Range<u64>| range.map(|i| Event::Point(common::point(100 + i)));
    let challenges = |count: usize| core::iter::repeat_n(Event::Challenge, count);
    // Phase 0: columns 1 and 3, two challenges; phase 1: column 2, one; phase 2: column 0, one.
    expected.extend(points(0..2).chain(challenges(2)));
    expected.extend(points(2..3).chain(challenges(1)));
    expected.extend(points(3..4).chain(challenges(1)));
    // θ, β, γ.
    expected.extend(challenges(3));
    // Permutation products and random polynomial, y.
    expected.extend(points(4..7).chain(challenges(1)));
    // Quotient, x.
    expected.extend(points(7..common::LEADING_POINTS).chain(challenges(1)));
    // All evaluations; y and v of the multi-opening.
    let after = common::LEADING_POINTS + common::SCALARS;
    expected.extend((common::LEADING_POINTS..after).map(|i| Event::Scalar(Fr::from(100 + i))));
    expected.extend(challenges(2));
    // The opening, u; the last point, and what batches combine.
    expected.extend(points(after..after + 1).chain(challenges(1)));
    expected.extend(points(after + 1..after + 2).chain(challenges(1)));
    assert_eq!(recorder.1, expected);
}
