//! Key data and calldata of every known answer, and the contract that they are for.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use zkinfer_contracts::{
    Call, ContractError, ESCROW, KeyData, OPENING, VERIFIER, creation_code, escrow_creation_code,
    opening_creation_code, selector,
};
use zkinfer_verifier::{Proof, ProofFile, VerifyingKey};

const SOURCE: &str = include_str!("../solidity/ZkinferVerifier.sol");
const INTERFACE: &str = include_str!("../solidity/IZkinferVerifier.sol");

/// Keys with one of their proofs.
fn vectors() -> Vec<(VerifyingKey, ProofFile)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../verifier/vectors");
    let mut vectors = Vec::new();
    for folder in [folder.clone(), folder.join("format3")] {
        let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let is_key = |path: &PathBuf| path.extension().is_some_and(|suffix| suffix == "zkvk");
        for path in paths.filter(is_key) {
            let key = VerifyingKey::decode(&fs::read(&path).unwrap()).unwrap();
            let proof = path.with_file_name(format!(
                "{}-1.zkproof",
                path.file_stem().unwrap().to_str().unwrap()
            ));
            vectors.push((key, ProofFile::decode(&fs::read(proof).unwrap()).unwrap()));
        }
    }
    assert!(vectors.len() >= 12);
    vectors
}

#[test]
fn every_key_of_the_zoo_fits_and_has_its_own_identifier() {
    let mut identifiers = BTreeSet::new();
    for (key, file) in vectors() {
        let data = KeyData::new(&key).unwrap();
        assert_eq!(KeyData::new(&key), Ok(data.clone()), "the data depend on the key alone");
        assert!(data.as_bytes().len() <= 24_576);
        assert!(identifiers.insert(data.id()));
        let call = Call::new(&key, &data, &file.claim, &file.proof).unwrap();
        assert_eq!(call.verify_calldata().len() % 32, 4);
    }
}

#[test]
fn what_has_no_form_on_chain_is_refused_by_name() {
    let (key, file) = vectors().remove(0);
    let data = KeyData::new(&key).unwrap();
    let call = |proof: Vec<u8>| Call::new(&key, &data, &file.claim, &Proof::new(proof));
    let honest = file.proof.as_bytes();
    let (expected, got) = (honest.len(), honest.len() - 32);
    let short = Err(ContractError::ProofLength { expected, got });
    assert_eq!(call(honest[..got].to_vec()), short);
    let mut off_curve = honest.to_vec();
    off_curve[..32].fill(0);
    assert_eq!(call(off_curve), Err(ContractError::Point { element: 0 }));
    let mut claim = file.claim.clone();
    claim.output = vec![i64::MAX].into();
    let refused = Call::new(&key, &data, &claim, &file.proof);
    assert_eq!(refused, Err(ContractError::Claim));
}

/// Every error that the contract raises in assembly is one of its interface.
#[test]
fn selectors_in_assembly_are_those_of_the_interface() {
    let declared = INTERFACE.lines().filter_map(|line| line.trim().strip_prefix("error "));
    let signature = |line: &str| {
        let (name, rest) = line.split_once('(').unwrap();
        let (arguments, _) = rest.split_once(')').unwrap();
        let types = arguments.split(',').filter_map(|one| one.split_whitespace().next());
        format!("{name}({})", types.collect::<Vec<_>>().join(","))
    };
    let hex = |bytes: [u8; 4]| u32::from_be_bytes(bytes);
    let known: BTreeSet<u32> = declared.map(|line| hex(selector(&signature(line)))).collect();
    assert_eq!(known.len(), 17);
    let mut raised = BTreeSet::new();
    for part in ["fail(0x", "failAt(0x", "failLength(0x", "mstore(0, 0x"] {
        for rest in SOURCE.split(part).skip(1) {
            raised.insert(u32::from_str_radix(&rest[..8], 16).unwrap());
        }
    }
    assert!(raised.len() >= 8 && raised.is_subset(&known), "{raised:x?} of {known:x?}");
}

#[test]
fn the_contract_is_one_that_every_chain_takes() {
    let (key, _) = vectors().remove(0);
    let code = creation_code(key.srs_digest());
    assert!(code.bytes().all(|digit| digit.is_ascii_hexdigit()));
    // Creation code is longer than the code that stays.
    assert!(code.len() / 2 <= 24_576, "{} bytes", code.len() / 2);
    assert!(VERIFIER.contains("\"name\": \"verifyBatch\""));
    let code = escrow_creation_code([7; 20], [9; 20]);
    assert!(code.len() / 2 <= 24_576 && code.ends_with(&"09".repeat(20)));
    assert!(ESCROW.contains("\"name\": \"submit\""));
    let code = opening_creation_code();
    assert!(code.len() / 2 <= 24_576 && code.bytes().all(|digit| digit.is_ascii_hexdigit()));
    assert!(OPENING.contains("\"name\": \"commitment\""));
}
