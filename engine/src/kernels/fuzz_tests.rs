//! The fuzz target of the kernels over its corpus and mutations of it.

use std::{fs, path::Path};

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

use self::target::{Case, check};
use super::{Instructions, measure};
use crate::column::Column;

#[path = "../../../fuzz/src/kernels.rs"]
mod target;

/// Mutations of every file of the corpus.
const MUTATIONS: usize = 8;

#[test]
fn kernels_agree_on_the_corpus_of_the_fuzzer() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/kernels");
    let mut paths: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let sets: Vec<_> = Instructions::ALL
        .into_iter()
        .chain([Instructions::Emulated, Instructions::EmulatedNarrow])
        .filter(|set| set.is_available())
        .collect();
    assert!(sets.len() >= 2);
    let mut rng = ChaCha20Rng::seed_from_u64(9);
    let mut seen = Vec::new();
    for path in &paths {
        let mut bytes = fs::read(path).unwrap();
        seen.push(check(&bytes, &sets));
        for _ in 0..MUTATIONS {
            let random = rng.next_u64().to_le_bytes();
            let at = rng.next_u32() as usize % bytes.len().max(1);
            if let Some(byte) = bytes.get_mut(at) {
                *byte = random[0];
            }
            // Sometimes shorter: what is missing repeats.
            bytes.truncate(bytes.len().max(8) - usize::from(random[1] % 4));
            check(&bytes, &sets);
        }
    }
    assert!(Case::ALL.iter().all(|case| seen.contains(case)), "{seen:?}");
}
