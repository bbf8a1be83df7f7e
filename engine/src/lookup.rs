//! halo2's lookup argument: the permutation of input and table.

use std::collections::HashMap;

use halo2_proofs::halo2curves::bn256::Fr;

/// `(A', S')`: a permutation of `input` with equal values together, and a permutation of `table`
/// that has the value of `A'` where a run of equal values starts. `None` if a value is not in the
/// table.
pub(super) fn permute(input: &[Fr], table: &[Fr]) -> Option<(Vec<Fr>, Vec<Fr>)> {
    let mut sorted = input.to_vec();
    sorted.sort_unstable();
    let mut left: HashMap<Fr, usize> = HashMap::new();
    for &value in table {
        *left.entry(value).or_insert(0) += 1;
    }
    let mut permuted: Vec<Option<Fr>> = Vec::with_capacity(sorted.len());
    for (row, value) in sorted.iter().enumerate() {
        let starts = row == 0 || sorted[row - 1] != *value;
        if starts {
            let count = left.get_mut(value).filter(|count| **count > 0)?;
            *count -= 1;
        }
        permuted.push(starts.then_some(*value));
    }
    // In the order of the table, so that the same witness gives the same columns.
    let mut rest = table.iter().filter(|value| match left.get_mut(*value) {
        Some(count) if *count > 0 => {
            *count -= 1;
            true
        }
        _ => false,
    });
    let permuted: Option<Vec<Fr>> =
        permuted.into_iter().map(|value| value.or_else(|| rest.next().copied())).collect();
    Some((sorted, permuted?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(values: &[u64]) -> Vec<Fr> {
        values.iter().map(|&value| Fr::from(value)).collect()
    }

    #[test]
    fn runs_of_the_input_start_at_their_table_value() {
        let table = values(&[7, 1, 2, 2, 9, 4]);
        let (input, permuted) = permute(&values(&[2, 9, 2, 7, 7, 7]), &table).unwrap();
        for row in 0..input.len() {
            let repeats = row > 0 && input[row] == input[row - 1];
            assert!(repeats || input[row] == permuted[row], "row {row}");
        }
        let sorted = |mut values: Vec<Fr>| {
            values.sort_unstable();
            values
        };
        assert_eq!(sorted(permuted), sorted(table));
    }

    #[test]
    fn a_value_outside_the_table_has_no_permutation() {
        assert_eq!(permute(&values(&[1, 3]), &values(&[1, 2])), None);
    }
}
