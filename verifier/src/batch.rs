//! Many proofs, one pairing product.

use alloc::{collections::BTreeMap, vec::Vec};

use ark_bn254::{Fr, G1Affine};
use ark_ec::AffineRepr;
use ark_ff::{PrimeField, Zero};

use crate::{
    claim::InferenceClaim,
    curve::encode_scalar,
    digest::{KeyDigest, SrsDigest, keccak256},
    error::VerifyError,
    joint::Leaf,
    key::VerifyingKey,
    msm::msm,
    proof::Proof,
    shplonk::PairingEquation,
    srs::SrsPolicy,
    verify::{Checked, VerifiedInference, pairings_cancel},
};

const SEED_DOMAIN: &[u8] = b"zkinfer.batch.v1";

/// A proof, what it is expected to prove, and under which key.
#[derive(Clone, Copy, Debug)]
pub struct BatchItem<'a> {
    /// The key.
    pub key: &'a VerifyingKey,
    /// The expected claim.
    pub expected: &'a InferenceClaim,
    /// The proof.
    pub proof: &'a Proof,
    /// Where the claim is among those of the proof, if it is about several.
    pub leaf: Option<&'a Leaf>,
}

/// [`verify`](crate::verify) or [`verify_leaf`](crate::verify_leaf) for every item, under any mix of keys, with one result per item in the same order.
///
/// All pairing equations are added up with coefficients of 128 bits that are hashed from all keys,
/// claims and proofs, so that a false one survives with probability below 2⁻¹²⁰. If the sum fails,
/// every equation is checked alone, and the results name the bad ones.
pub fn verify_batch(
    items: &[BatchItem<'_>],
    policy: SrsPolicy,
) -> Vec<Result<VerifiedInference, VerifyError>> {
    let checked: Vec<_> = items
        .iter()
        .map(|item| Checked::alone_or_leaf(item.key, item.expected, item.leaf, item.proof, policy))
        .collect();
    let all_hold = sum_holds(items, &checked);
    let results = items.iter().zip(checked).map(|(item, checked)| match checked {
        Ok(checked) if all_hold => Ok(VerifiedInference::new(item.key, item.expected, checked.srs)),
        Ok(checked) => checked.finish(item.key, item.expected),
        Err(error) => Err(error),
    });
    results.collect()
}

/// Whether the random combination of all equations holds; items refused before are left out.
fn sum_holds(items: &[BatchItem<'_>], checked: &[Result<Checked, VerifyError>]) -> bool {
    let good: Vec<_> = items
        .iter()
        .zip(checked)
        .filter_map(|(item, checked)| checked.as_ref().ok().map(|checked| (item.key, checked)))
        .collect();
    let Some(&(some_key, _)) = good.first() else {
        return true;
    };
    let seed = seed(good.iter().map(|(_, checked)| checked.binder));
    let mut sum = Sum::default();
    for (index, (key, checked)) in (0u64..).zip(&good) {
        sum.add(key, &checked.equation, coefficient(&seed, index));
    }
    let Sum { lefts, terms, keys, generator } = sum;
    let of_keys =
        keys.into_values().flat_map(|(key, scalars)| key.commitments().copied().zip(scalars));
    let right = terms.into_iter().chain(of_keys).chain([(G1Affine::generator(), generator)]);
    let right = msm(right);
    let lefts = lefts.into_values().map(|(key, terms)| (msm(terms), key.prepared_tau().clone()));
    pairings_cancel(some_key, lefts, right)
}

type Terms = Vec<(G1Affine, Fr)>;

/// The equations added up: points of keys once per key, left sides once per setup.
#[derive(Default)]
struct Sum<'a> {
    lefts: BTreeMap<SrsDigest, (&'a VerifyingKey, Terms)>,
    terms: Terms,
    keys: BTreeMap<KeyDigest, (&'a VerifyingKey, Vec<Fr>)>,
    generator: Fr,
}

impl<'a> Sum<'a> {
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "field arithmetic only: it wraps by definition"
    )]
    fn add(&mut self, key: &'a VerifyingKey, equation: &PairingEquation, coefficient: Fr) {
        let PairingEquation { left, terms, key_scalars, generator } = equation;
        let (_, lefts) = self.lefts.entry(key.srs_digest()).or_insert((key, Vec::new()));
        lefts.push((*left, coefficient));
        self.terms.extend(terms.iter().map(|&(point, scalar)| (point, scalar * coefficient)));
        let (_, sums) = self
            .keys
            .entry(key.digest())
            .or_insert_with(|| (key, alloc::vec![Fr::zero(); key_scalars.len()]));
        for (sum, scalar) in sums.iter_mut().zip(key_scalars) {
            *sum += coefficient * scalar;
        }
        self.generator += coefficient * generator;
    }
}

fn seed(binders: impl Iterator<Item = Fr>) -> [u8; 32] {
    let binders: Vec<u8> = binders.flat_map(|binder| encode_scalar(&binder)).collect();
    keccak256(&[SEED_DOMAIN, &binders])
}

/// 128 bits of the hash of seed and index.
fn coefficient(seed: &[u8; 32], index: u64) -> Fr {
    let hash = keccak256(&[seed, &index.to_be_bytes()]);
    let (half, _) = hash.as_chunks::<16>();
    Fr::from_le_bytes_mod_order(half.first().map_or(&[], |half| half.as_slice()))
}
