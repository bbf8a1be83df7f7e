//! Writes the calldata that registers a key and that verifies proofs, as hexadecimal digits.
//!
//! `cargo run --example contract_call -- KEY PROOF…`

use std::{env, error::Error, fs};

use zkinfer_contracts::{Call, KeyData, batch_calldata, creation_code, opening_creation_code};
use zkinfer_verifier::{ProofFile, VerifyingKey};

fn main() -> Result<(), Box<dyn Error>> {
    let mut paths = env::args().skip(1);
    let key = VerifyingKey::decode(&fs::read(paths.next().ok_or("name a key")?)?)?;
    let data = KeyData::new(&key)?;
    println!("deploy {}", creation_code(key.srs_digest()));
    println!("opening {}", opening_creation_code());
    println!("register {}", hex(&data.register_calldata()));
    println!("key {}", data.id().0);
    let mut calls = Vec::new();
    for path in paths {
        let file = ProofFile::decode(&fs::read(path)?)?;
        let call = Call::new(&key, &data, &file.claim, &file.proof)?;
        println!("verify {}", hex(&call.verify_calldata()));
        calls.push(call);
    }
    println!("batch {}", hex(&batch_calldata(&calls)));
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
