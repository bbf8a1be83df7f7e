//! `contract`: a key as data for the verifier contract, and the calldata of a check.

use std::{fmt, fs, io::Write as _, path::PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use zkinfer::{EvmFork, Verification, prover::files, read};
use zkinfer_contracts::{
    Call, ESCROW, KeyData, LeafCall, OPENING, VERIFIER, creation_code, opening_bytes,
    opening_creation_code,
};

use crate::{
    args,
    output::{Outcome, Output},
};

pub(crate) fn run(command: &args::Contract, output: &Output) -> Result<Outcome> {
    match command {
        args::Contract::Export(args) => export(args, output)?,
        args::Contract::Call(args) => call(args, output)?,
        args::Contract::Opening(args) => opening(args, output)?,
    }
    Ok(Outcome::Accepted)
}

fn export(args: &args::ContractExport, output: &Output) -> Result<()> {
    let key = read::key(&args.key)?;
    let data = KeyData::new(&key)?;
    let folder = &args.output;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let contents = [
        ("ZkinferVerifier.json", VERIFIER.to_owned()),
        ("ZkinferEscrow.json", ESCROW.to_owned()),
        ("ZkinferOpening.json", OPENING.to_owned()),
        ("deploy.hex", creation_code(key.srs_digest())),
        ("deploy-opening.hex", opening_creation_code()),
        ("register.hex", hex(&data.register_calldata())),
    ];
    for (name, text) in contents {
        let path = folder.join(name);
        files::write_whole(&path, |file| file.write_all(text.as_bytes()))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    let work = Verification::of_key(&key);
    output.report(&Exported {
        estimated_gas_osaka: work.gas(EvmFork::Osaka),
        estimated_gas_amsterdam: work.gas(EvmFork::Amsterdam),
        key_digest: key.digest().to_string(),
        contract_key: data.id().0.to_string(),
        data_bytes: data.as_bytes().len(),
        folder: folder.clone(),
    })
}

fn call(args: &args::ContractCall, output: &Output) -> Result<()> {
    let (key, file) = (read::key(&args.key)?, read::proof(&args.proof)?);
    file.check_key(&key)?;
    let data = KeyData::new(&key)?;
    if key.parts().layout.claims != 1 || file.leaf.is_some() {
        return output.report(&LeafCalldata::new(&LeafCall::new(&key, &data, &file)?));
    }
    let call = Call::new(&key, &data, &file.claim, &file.proof)?;
    output.report(&Calldata { calldata: hex(&call.verify_calldata()) })
}

fn opening(args: &args::ContractOpening, output: &Output) -> Result<()> {
    let (key, openings) = (read::key(&args.key)?, read::openings(&args.opening)?);
    let (expected, got) = (key.digest(), openings.key);
    ensure!(expected == got, "the opening is of key {got}, not of {expected}");
    let opening = openings.output.context("the file opens no output")?;
    let bytes = opening_bytes(&key.parts().layout.outputs, &opening)?;
    output.report(&Opened { opening: hex(&bytes) })
}

fn hex(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("0x{digits}")
}

#[derive(Serialize)]
struct Exported {
    key_digest: String,
    contract_key: String,
    data_bytes: usize,
    estimated_gas_osaka: u64,
    estimated_gas_amsterdam: u64,
    folder: PathBuf,
}

impl fmt::Display for Exported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "key {}", self.key_digest)?;
        writeln!(f, "  on chain 0x{}, {} bytes of data", self.contract_key, self.data_bytes)?;
        writeln!(
            f,
            "  verifying (estimated): {} gas at Osaka, {} at Amsterdam",
            self.estimated_gas_osaka, self.estimated_gas_amsterdam
        )?;
        write!(
            f,
            "  deploy.hex, deploy-opening.hex, register.hex and the ABIs are in {}",
            self.folder.display()
        )
    }
}

#[derive(Serialize)]
struct Calldata {
    calldata: String,
}

impl fmt::Display for Calldata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.calldata)
    }
}

/// What is told of one claim of a proof of several: the first three are the same for all of them.
#[derive(Serialize)]
struct LeafCalldata {
    /// The root of all claims.
    root: String,
    /// Calldata of the verifier's `verifyJoint`.
    calldata: String,
    /// Calldata of the escrow's `proveJoint`.
    prove_calldata: String,
    /// Calldata of `root`, of the contract that opens commitments.
    root_calldata: String,
    /// Arguments of the escrow's `submitLeaf`.
    index: u32,
    input: String,
    path: String,
}

impl LeafCalldata {
    fn new(call: &LeafCall) -> Self {
        Self {
            root: hex(&call.root),
            calldata: hex(&call.verify_calldata()),
            prove_calldata: hex(&call.prove_calldata()),
            root_calldata: hex(&call.root_calldata()),
            index: call.index,
            input: hex(&call.input),
            path: hex(&call.path),
        }
    }
}

impl fmt::Display for LeafCalldata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { root, calldata, prove_calldata, root_calldata, index, input, path } = self;
        writeln!(f, "root of all claims: {root}")?;
        writeln!(f, "for all claims, verifyJoint of the verifier: {calldata}")?;
        writeln!(f, "for all claims, proveJoint of the escrow: {prove_calldata}")?;
        writeln!(f, "for this claim, root of what opens commitments: {root_calldata}")?;
        write!(
            f,
            "for this claim, submitLeaf of the escrow: index {index}, input {input}, path {path}"
        )
    }
}

#[derive(Serialize)]
struct Opened {
    opening: String,
}

impl fmt::Display for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.opening)
    }
}
