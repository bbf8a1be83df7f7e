//! Linear combinations within rows, for circuits that compute their own advice.

use halo2_proofs::halo2curves::bn256::Fr;

use crate::kernels::{
    Instructions,
    arithmetic::{Arithmetic, Run},
    batch,
};

/// For each row of `width` elements of `values`, for each piece of as many as there are `weights`
/// (the last may be shorter), `Σ_j weights[j]·piece[j]`: row by row and piece by piece, by the
/// fastest instructions of this processor and on all threads.
#[must_use]
pub fn combine_pieces(values: &[Fr], width: usize, weights: &[Fr]) -> Vec<Fr> {
    struct Task<'a>(&'a [Fr], usize, &'a [Fr]);
    impl Run for Task<'_> {
        type Output = Vec<Fr>;
        fn run<A: Arithmetic>(self, arithmetic: A) -> Vec<Fr> {
            batch::combine_pieces(arithmetic, (self.0, self.1), self.2)
        }
    }
    Instructions::detect().run(Task(values, width, weights))
}
