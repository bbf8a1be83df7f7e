//! Powers, the cosets over which the quotient is computed, and what puts its pieces together.

use halo2_proofs::halo2curves::{
    bn256::Fr,
    ff::{Field, PrimeField},
};

/// `base^0, base^1, …`.
pub(crate) fn powers_of(base: Fr, count: usize) -> Vec<Fr> {
    std::iter::successors(Some(Fr::ONE), |power| Some(power * base)).take(count).collect()
}

/// The generator of the group of order `2^k`.
pub(crate) fn root_of_unity(k: u32) -> Fr {
    (k..Fr::S).fold(Fr::ROOT_OF_UNITY, |root, _| root.square())
}

/// `count` shifts, of different `n`-th powers, none of them 1.
pub(crate) fn coset_shifts(k: u32, count: usize) -> Vec<Fr> {
    let root = root_of_unity(k + count.next_power_of_two().trailing_zeros());
    let shifts = std::iter::successors(Some(Fr::MULTIPLICATIVE_GENERATOR), |s| Some(s * root));
    shifts.take(count).collect()
}

/// The inverse of the matrix whose row `j` holds the powers of `points[j]`, which are different.
pub(crate) fn inverse_vandermonde(points: &[Fr]) -> Vec<Vec<Fr>> {
    let size = points.len();
    // Column j holds the coefficients of the Lagrange polynomial of point j.
    let lagrange = |j: usize| {
        let others = points.iter().enumerate().filter(|(i, _)| *i != j).map(|(_, point)| point);
        let mut coefficients = vec![Fr::ONE];
        let mut divisor = Fr::ONE;
        for other in others {
            coefficients.insert(0, Fr::ZERO);
            for i in 1..coefficients.len() {
                let above = coefficients[i];
                coefficients[i - 1] -= above * other;
            }
            divisor *= points[j] - other;
        }
        let scale = divisor.invert().expect("the points are different");
        coefficients.iter().map(|c| c * scale).collect::<Vec<_>>()
    };
    let columns: Vec<_> = (0..size).map(lagrange).collect();
    (0..size).map(|row| columns.iter().map(|column| column[row]).collect()).collect()
}

/// How the pieces of a quotient are combined: `[piece][result]`, where the results are the
/// coefficients of the undivided parts, coset after coset with the parts that have it in order. A
/// part of m cosets has the first m pieces; `powers` are the n-th powers of the shifts.
///
/// On the coset where `X^n` is w, the quotient of a part is `Σ w^i·h_i`, which is its value over
/// `w - 1`: a Vandermonde system for its pieces.
pub(crate) fn separation(powers: &[Fr], parts: &[usize]) -> Vec<Vec<Fr>> {
    let divisors: Vec<Fr> =
        powers.iter().map(|w| (w - Fr::ONE).invert().expect("no coset is H")).collect();
    let matrices: Vec<_> = parts.iter().map(|&part| inverse_vandermonde(&powers[..part])).collect();
    let scales = |piece: usize| {
        let of_coset = |coset: usize| {
            let matrices = matrices.iter().filter(move |matrix| coset < matrix.len());
            let entry =
                move |matrix: &Vec<Vec<Fr>>| matrix.get(piece).map_or(Fr::ZERO, |row| row[coset]);
            matrices.map(entry).map(|entry| entry * divisors[coset]).collect::<Vec<_>>()
        };
        (0..powers.len()).flat_map(of_coset).collect()
    };
    (0..powers.len()).map(scales).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_separated_into_pieces() {
        let powers: Vec<Fr> = [3, 5, 8].map(Fr::from).to_vec();
        // Parts of one and of three pieces.
        let pieces: [&[u64]; 2] = [&[4], &[11, 7, 2]];
        let mut results = Vec::new();
        for (coset, w) in powers.iter().enumerate() {
            for piece in pieces.iter().filter(|pieces| coset < pieces.len()) {
                let value = piece.iter().rev().fold(Fr::ZERO, |sum, c| sum * w + Fr::from(*c));
                results.push(value * (w - Fr::ONE));
            }
        }
        let scales = separation(&powers, &[1, 3]);
        let combined = scales.iter().map(|row| row.iter().zip(&results).map(|(a, b)| a * b).sum());
        assert_eq!(combined.collect::<Vec<Fr>>(), [15, 7, 2].map(Fr::from));
    }

    #[test]
    fn the_inverse_gives_back_coefficients() {
        let points: Vec<Fr> = [3, 5, 8].map(Fr::from).to_vec();
        let polynomial = [11, 7, 2].map(Fr::from);
        let value = |x: &Fr| polynomial.iter().rev().fold(Fr::ZERO, |sum, c| sum * x + c);
        let values: Vec<Fr> = points.iter().map(value).collect();
        for (row, expected) in inverse_vandermonde(&points).iter().zip(polynomial) {
            let got: Fr = row.iter().zip(&values).map(|(a, b)| a * b).sum();
            assert_eq!(got, expected);
        }
    }

    #[test]
    fn cosets_are_disjoint_and_not_the_domain() {
        for count in 1..=7 {
            let powers: Vec<Fr> =
                coset_shifts(5, count).iter().map(|s| s.pow_vartime([32])).collect();
            for (i, power) in powers.iter().enumerate() {
                assert_ne!(*power, Fr::ONE);
                assert!(!powers[..i].contains(power));
            }
        }
    }
}
