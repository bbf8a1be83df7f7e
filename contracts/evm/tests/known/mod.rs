//! Keys, proofs of them, and a chain that knows the keys.

use std::{
    fs,
    path::{Path, PathBuf},
};

use revm::primitives::Address;
use zkinfer_contracts::KeyData;
use zkinfer_contracts_evm::{Chain, Fork, account};
use zkinfer_verifier::{ProofFile, VerifyingKey};

pub struct Known {
    pub name: String,
    pub key: VerifyingKey,
    pub data: KeyData,
    pub files: Vec<ProofFile>,
}

/// Keys of a folder of the repository, and their proofs 1, 2 and so on.
fn of_folder(folder: &str, prefix: &str) -> Vec<Known> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder);
    let paths = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|suffix| suffix == "zkvk")).collect();
    paths.sort();
    let known = |path: PathBuf| {
        let key = VerifyingKey::decode(&fs::read(&path).unwrap()).unwrap();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let files = (1..).map(|index| folder.join(format!("{stem}-{index}.zkproof")));
        let files = files.map_while(|path| fs::read(path).ok());
        let files: Vec<_> = files.map(|bytes| ProofFile::decode(&bytes).unwrap()).collect();
        assert!(!files.is_empty(), "{stem} has no proof");
        let data = KeyData::new(&key).unwrap();
        Known { name: format!("{prefix}{stem}"), key, data, files }
    };
    paths.into_iter().map(known).collect()
}

/// The known answers of the library: keys of formats 3 and 4 and two proofs of each.
pub fn known() -> Vec<Known> {
    let mut known = of_folder("verifier/vectors", "");
    known.extend(of_folder("verifier/vectors/format3", "format3/"));
    assert!(known.len() >= 12);
    known
}

/// Keys of one claim that were planned for gas.
#[allow(dead_code, reason = "only the test of gas wants them")]
pub fn planned() -> Vec<Known> {
    let mut planned = of_folder("contracts/vectors", "");
    planned.retain(|known| known.key.parts().layout.claims == 1);
    planned
}

/// Those of several claims, with proof files of the first two.
#[allow(dead_code, reason = "only the test of gas wants them")]
pub fn planned_jointly() -> Vec<Known> {
    let mut planned = of_folder("contracts/vectors", "");
    planned.retain(|known| known.key.parts().layout.claims > 1);
    planned
}

/// A chain with the contract and the keys.
pub fn chain(fork: Fork, known: &[Known]) -> (Chain, Address) {
    let mut chain = Chain::new(fork, 1);
    let srs = known[0].key.srs_digest().0.0;
    let (verifier, _) = chain.deploy("ZkinferVerifier", &srs);
    for Known { data, name, .. } in known {
        let registered = chain.send(account(1), verifier, 0, data.register_calldata());
        assert_eq!(registered.unwrap().output, data.id().0.0, "{name}");
    }
    (chain, verifier)
}
