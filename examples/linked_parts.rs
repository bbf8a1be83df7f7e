//! One model, four provers, one of whom never delivers: another proves its part, and all who have
//! proven something are paid.
//!
//! ```console
//! $ cargo run --release --example linked_parts -- models/zoo/mnist_lenet
//! ```

use std::{
    collections::BTreeMap,
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::{Mutex, mpsc},
    thread,
};

use anyhow::{Context, Result, bail};
use zkinfer::{
    Device, InputData, Links, Making, Model, Part, PartFiles, Parts, PartsExpectation, Recipe,
    SrsPolicy,
    verifier::{JobBinding, ProofFile, VerifiedParts},
};
use zkinfer_settlement::{
    Address, Amount, Delivery, DepositId, Escrow, JobId, JobTerms, MemoryStore, Receipt,
    ValuesDigest,
};

/// The development setup is allowed so that the example runs; with money at stake, it is
/// `CeremonyOnly`.
const POLICY: SrsPolicy = SrsPolicy::AllowInsecureDev;
const PARTS: u32 = 4;
const BUYER: Address = Address([0xb; 20]);
/// What is paid for each part.
const PRICE: Amount = Amount(250);
/// The job of the whole model; a part is proven for it and for its own payee.
const JOB: JobBinding =
    JobBinding { chain_id: 1, job_id: [7; 32], payee: [0; 20], expiry: 0, nonce: 1 };

fn main() -> Result<()> {
    let Some(zoo) = std::env::args_os().nth(1).map(PathBuf::from) else {
        bail!("usage: linked_parts FOLDER, which has model.onnx, samples.npz and input.json");
    };
    let folder = std::env::temp_dir().join(format!("linked-parts-{}", std::process::id()));
    let paid = run(&zoo, &folder);
    let removed = std::fs::remove_dir_all(&folder);
    for receipt in paid? {
        println!("paid {} to {} for job {:?}", receipt.price.0, receipt.payee, receipt.job);
    }
    removed.with_context(|| folder.display().to_string())
}

fn run(zoo: &Path, folder: &Path) -> Result<Vec<Receipt>> {
    // The buyer splits the model, runs it, and has a link for everything that goes between parts.
    let model = Model::open(&zoo.join("model.onnx"))?;
    let samples = Some(InputData::read_samples(&zoo.join("samples.npz"))?);
    let recipe = Recipe { samples, ..Recipe::default() };
    let quantized = model.quantize(&recipe, &folder.join("none"), &[])?;
    let (files, device) = (PartFiles::in_folder(folder), Device::default());
    let count = NonZeroU32::new(PARTS).context("some parts")?;
    let making = Making { count, files: &files, srs: None, device: &device, accuracy: None };
    let parts = Parts::make(&model, &quantized, making, &|_| ())?;
    let input = model.read_input(&zoo.join("input.json"))?;
    let integers = model.run(&quantized, &input)?.integers;
    let links = Links::in_folder(&folder.join("links"));
    parts.link(&integers, &links)?;
    let mut escrow = order(&parts, &integers.concat())?;

    // The provers. What is not delivered is given out again, with the same links.
    let prove = |index: usize, prover: u8| -> Result<ProofFile, zkinfer::Error> {
        let part = Part::open(&model, &files, index, None, &Device::default(), &|_| ())?;
        let input = (index == 0).then_some(&input[..]);
        let job = JobBinding { payee: [prover; 20], ..JOB };
        Ok(part.prove(input, &links, &job, &|_| ())?.file)
    };
    let proofs = deliver(parts.keys.len(), &prove)?;

    let verified = check(&parts, &proofs)?;
    println!("the output {:?}", verified.output().and_then(|values| values.public()));
    Ok(escrow.submit_parts(verified, 1)?)
}

/// A job for each part; the input of the first is that of the model, and the others show none.
fn order(parts: &Parts, input: &[i64]) -> Result<Escrow<MemoryStore>> {
    let mut escrow = Escrow::new(MemoryStore::default(), JOB.chain_id, POLICY)?;
    let count = u128::try_from(parts.keys.len())?;
    escrow.deposit(DepositId([1; 32]), BUYER, Amount(PRICE.0 * count))?;
    for (index, key) in parts.keys.iter().enumerate() {
        let input = if index == 0 { input.to_vec() } else { Vec::new() };
        let terms = JobTerms {
            buyer: BUYER,
            payee: None,
            model: key.digest(),
            input: ValuesDigest::of(&input.into()),
            delivery: Delivery::Shown,
            nonce: JOB.nonce,
            price: PRICE,
            stake: Amount(0),
            deadline: 1_000,
        };
        escrow.open(JobId(parts.manifest.part_job(index, &JOB.job_id)), terms, 0)?;
    }
    Ok(escrow)
}

/// Provers take parts until all are proven. The first takes one and is gone; when its time is over,
/// the part goes back to the others.
fn deliver(
    count: usize,
    prove: &(dyn Fn(usize, u8) -> Result<ProofFile, zkinfer::Error> + Sync),
) -> Result<Vec<ProofFile>> {
    let mut waiting: Vec<usize> = (0..count).rev().collect();
    let lost = waiting.pop().context("some parts")?;
    println!("prover 0 takes part {lost} and is gone");
    waiting.insert(0, lost);
    let waiting = Mutex::new(waiting);
    let (done, results) = mpsc::channel();
    thread::scope(|scope| {
        for prover in 1..=3u8 {
            let (done, waiting) = (done.clone(), &waiting);
            scope.spawn(move || {
                while let Some(part) = waiting.lock().ok().and_then(|mut parts| parts.pop()) {
                    println!("prover {prover} proves part {part}");
                    if done.send((part, prove(part, prover))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(done);
        let proofs: BTreeMap<usize, _> = results.into_iter().collect();
        Ok(proofs.into_values().collect::<Result<_, _>>()?)
    })
}

/// Only all proofs together, in their order and for this job, are evidence.
fn check(parts: &Parts, proofs: &[ProofFile]) -> Result<VerifiedParts> {
    let expected = PartsExpectation::new(&parts.manifest, &parts.keys, JOB.job_id, POLICY);
    Ok(expected.check(proofs)?)
}
