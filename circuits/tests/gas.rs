//! The model of gas against what calls of the contract were measured to take.
#![expect(clippy::unwrap_used, reason = "files of the repository are as they are")]

use std::{fs, path::Path};

use zkinfer_circuits::{EvmFork, Verification};
use zkinfer_verifier::VerifyingKey;

/// What a test of `contracts/evm` measures, for each fork.
fn measured(table: &str, fork: EvmFork) -> Vec<(String, u64)> {
    let of_line = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [at, name, "verify", gas] = words[..] else { return None };
        (at == fork.name()).then(|| (name.to_owned(), gas.parse().unwrap()))
    };
    table.lines().filter_map(of_line).collect()
}

#[test]
fn estimated_gas_is_within_three_percent_of_measured_calls() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let table = fs::read_to_string(root.join("contracts/gas.txt")).unwrap();
    for fork in [EvmFork::Osaka, EvmFork::Amsterdam] {
        let measured = measured(&table, fork);
        assert!(measured.len() >= 10, "{measured:?}");
        for (name, gas) in measured {
            let folders = ["contracts/vectors", "verifier/vectors"].into_iter();
            let mut files = folders.map(|folder| root.join(folder).join(format!("{name}.zkvk")));
            let key = fs::read(files.find(|file| file.exists()).unwrap()).unwrap();
            let work = Verification::of_key(&VerifyingKey::decode(&key).unwrap());
            let estimated = work.gas(fork);
            let off = estimated.abs_diff(gas);
            assert!(100 * off <= 3 * gas, "{name} at {fork:?}: {estimated} for {gas}, {work:?}");
        }
    }
}
