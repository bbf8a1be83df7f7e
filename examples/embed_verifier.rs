//! A payment service in one file: it pays for a proof, once.
//!
//! ```console
//! $ zkinfer prove models/zoo/digits_mlp/model.onnx --input models/zoo/digits_mlp/input.json \
//!       -o job.zkproof --key job.zkvk --chain 1 --expiry 4000000000 \
//!       --job 0707070707070707070707070707070707070707070707070707070707070707 \
//!       --payee 0x0909090909090909090909090909090909090909
//! $ cargo run --release --example embed_verifier -- job.zkvk job.zkproof
//! ```
//!
//! The escrow is the file `job.escrow` beside the proof. Run again, the service finds it, and refuses
//! to pay a second time.

use std::{
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail};
use zkinfer_settlement::{
    Address, Amount, Delivery, DepositId, Escrow, EscrowError, JobId, JobTerms, Receipt, RedbStore,
    Refusal, ValuesDigest,
};
use zkinfer_verifier::{
    ClaimedValues, InferenceClaim, JobBinding, ProofFile, SrsPolicy, VerifyingKey, verify,
};

/// The development setup is allowed so that the example runs; with money at stake, it is
/// `CeremonyOnly`.
const POLICY: SrsPolicy = SrsPolicy::AllowInsecureDev;
const BUYER: Address = Address([0xb; 20]);
const PRICE: Amount = Amount(250);

fn main() -> Result<()> {
    let paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [key, proof] = &paths[..] else { bail!("usage: embed_verifier KEY PROOF") };
    let read = |path: &Path| std::fs::read(path).with_context(|| format!("{}", path.display()));
    let key = VerifyingKey::decode(&read(key)?).context("the key")?;
    let file = ProofFile::decode(&read(proof)?).context("the proof")?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();

    // What was ordered. A service has it from its buyer, before there is a proof; this example has
    // only the file to take it from.
    let input = file.claim.input.clone();
    let binding = file.claim.binding;
    let job = JobId(binding.job_id);

    let path = proof.with_extension("escrow");
    let mut escrow = open_escrow(&path, binding.chain_id)?;
    if escrow.job(job)?.is_none() {
        order(&mut escrow, &key, &input, &binding, now)?;
    }

    // The claim is the buyer's, but for the output, which is what the buyer wants to learn.
    let output = file.claim.output;
    let expected = InferenceClaim { model: key.digest(), input, output, binding };
    let evidence = verify(&key, &expected, &file.proof, POLICY).context("the proof")?;

    match escrow.submit(evidence, now) {
        Ok(receipt) => print(&receipt, escrow.balance(receipt.payee)?),
        Err(EscrowError::Refused(refusal @ Refusal::AlreadySettled { .. })) => {
            let receipt = escrow.receipt(job)?.context("a settled job has a receipt")?;
            print(&receipt, escrow.balance(receipt.payee)?);
            bail!("not paid again: {refusal}");
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// A lost escrow must not be replaced by an empty one, which would pay everything again: a service
/// creates its escrow when it is installed, not whenever there is none.
fn open_escrow(path: &Path, chain_id: u64) -> Result<Escrow<RedbStore>> {
    let store = if path.exists() { RedbStore::open(path) } else { RedbStore::create(path) };
    let store = store.with_context(|| format!("{}", path.display()))?;
    Ok(Escrow::new(store, chain_id, POLICY)?)
}

/// The buyer pays in and opens the job.
fn order(
    escrow: &mut Escrow<RedbStore>,
    key: &VerifyingKey,
    input: &ClaimedValues,
    binding: &JobBinding,
    now: u64,
) -> Result<()> {
    // Named after the job: if a crash falls between payment and opening, it counts once.
    match escrow.deposit(DepositId(binding.job_id), BUYER, PRICE) {
        Ok(()) | Err(EscrowError::Refused(Refusal::DepositExists { .. })) => {}
        Err(error) => return Err(error.into()),
    }
    let terms = JobTerms {
        buyer: BUYER,
        payee: Some(Address(binding.payee)),
        model: key.digest(),
        input: ValuesDigest::of(input),
        delivery: Delivery::Shown,
        nonce: binding.nonce,
        price: PRICE,
        stake: Amount(0),
        deadline: now + 3_600,
    };
    Ok(escrow.open(JobId(binding.job_id), terms, now)?)
}

fn print(receipt: &Receipt, balance: Amount) {
    let Receipt { job, payee, price, model, input, output, settled_at, .. } = receipt;
    println!("receipt for job {job}");
    println!("  paid    {price} to {payee}, who has {balance} now, at {settled_at}");
    println!("  model   {model}\n  input   {input}\n  output  {output}");
}
