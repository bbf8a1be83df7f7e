//! Vectors of field elements: products and inverses.

use anyhow::{Result, ensure};
use ark_ff::{PrimeField as _, batch_inversion};
use halo2_proofs::halo2curves::{
    bn256::Fr,
    ff::{BatchInvert, Field, PrimeField},
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use zkinfer_benches::instruction_sets;
use zkinfer_engine::measure;

use crate::clock::{print_head, print_row, shortest};

/// Elements of a vector: in all forms, two of them stay in the second cache.
const LEN: usize = 1 << 12;
/// The libraries that the engine is compared with.
const OTHERS: [&str; 2] = ["halo2curves", "ark-ff"];

/// Random elements, the same in every run.
pub(crate) fn random_elements(len: usize) -> Vec<Fr> {
    let mut rng = ChaCha20Rng::seed_from_u64(len as u64);
    (0..len).map(|_| Fr::random(&mut rng)).collect()
}

/// The same elements for arkworks.
pub(crate) fn to_ark(elements: &[Fr]) -> Vec<ark_bn254::Fr> {
    let element = |x: &Fr| ark_bn254::Fr::from_le_bytes_mod_order(&x.to_repr());
    elements.iter().map(element).collect()
}

/// Nanoseconds for each element.
fn per_element(run: impl FnMut()) -> f64 {
    1e9 * shortest(run) / LEN as f64
}

/// Products of two vectors, in place.
pub(crate) fn multiply() -> Result<()> {
    let (mut a, b) = (random_elements(LEN), random_elements(LEN + 1));
    let expected: Vec<Fr> = a.iter().zip(&b).map(|(a, b)| a * b).collect();
    let mut engine = Vec::new();
    for set in instruction_sets() {
        let mut kernel = measure::multiply(set, &a, &b[..LEN]);
        kernel.run();
        ensure!(kernel.output() == expected, "products on {} are wrong", set.name());
        engine.push(per_element(|| kernel.run()));
    }
    let (mut ark_a, ark_b) = (to_ark(&a), to_ark(&b));
    let halo2 = per_element(|| a.iter_mut().zip(&b).for_each(|(a, b)| *a *= b));
    let ark = per_element(|| ark_a.iter_mut().zip(&ark_b).for_each(|(a, b)| *a *= b));
    print_head("Products, ns each", &["elements"], &[""], &OTHERS);
    print_row(&[LEN.to_string()], &engine, &[halo2, ark]);
    Ok(())
}

/// Inverses of a vector, in place.
pub(crate) fn invert() -> Result<()> {
    let mut elements = random_elements(LEN);
    let mut expected = elements.clone();
    expected.iter_mut().batch_invert();
    let mut engine = Vec::new();
    for set in instruction_sets() {
        let mut kernel = measure::invert(set, &elements);
        kernel.run();
        ensure!(kernel.output() == expected, "inverses on {} are wrong", set.name());
        engine.push(per_element(|| kernel.run()));
    }
    let mut ark_elements = to_ark(&elements);
    let halo2 = per_element(|| {
        elements.iter_mut().batch_invert();
    });
    let ark = per_element(|| batch_inversion(&mut ark_elements));
    print_head("Inverses of a vector, ns each", &["elements"], &[""], &OTHERS);
    print_row(&[LEN.to_string()], &engine, &[halo2, ark]);
    Ok(())
}
