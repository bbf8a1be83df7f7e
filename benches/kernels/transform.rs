//! Number-theoretic transforms of 2^10 to 2^20 elements.

use anyhow::{Context, Result, ensure};
use ark_poly::{EvaluationDomain, Radix2EvaluationDomain};
use halo2_proofs::halo2curves::{bn256::Fr, ff::PrimeField, fft::best_fft};
use zkinfer_benches::instruction_sets;
use zkinfer_engine::measure;

use crate::{
    clock::{print_head, print_row, shortest},
    elements::{random_elements, to_ark},
};

/// Prints nanoseconds for each element, both ways for the engine: its coefficients are in an order
/// that saves a pass, which the others make in their transform.
pub(crate) fn table() -> Result<()> {
    print_head(
        "Transforms, ns per element",
        &["log2 n"],
        &["to values", "to coefficients"],
        &["halo2curves best_fft", "ark-poly fft"],
    );
    (10..=20).step_by(2).try_for_each(row)
}

fn row(k: u32) -> Result<()> {
    let values = random_elements(1 << k);
    let per_element = |seconds: f64| 1e9 * seconds / values.len() as f64;
    let mut engine = Vec::new();
    for set in instruction_sets() {
        for transform in [measure::evaluate, measure::interpolate] {
            let mut kernel = transform(set, &values);
            kernel.run();
            ensure!(kernel.output() == values, "a transform on {} is wrong", set.name());
            engine.push(per_element(shortest(|| kernel.run())));
        }
    }
    let root = (k..Fr::S).fold(Fr::ROOT_OF_UNITY, |root, _| root.square());
    let domain = Radix2EvaluationDomain::<ark_bn254::Fr>::new(values.len())
        .context("a domain of this size")?;
    let (mut halo2, mut ark) = (values.clone(), to_ark(&values));
    let halo2 = shortest(|| best_fft(&mut halo2, root, k));
    let ark = shortest(|| domain.fft_in_place(&mut ark));
    print_row(&[k.to_string()], &engine, &[per_element(halo2), per_element(ark)]);
    Ok(())
}
