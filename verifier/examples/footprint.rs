//! Only verifies, and says how long that took and how much memory it needed at most.
//!
//! `cargo run --release --example footprint -- verifier/vectors/toy.zkvk verifier/vectors/toy-*.zkproof`
//!
//! Stripped, the program is also a measure of how much the verifier adds to a service.

use std::{error::Error, fs, path::PathBuf, process::ExitCode, time::Instant};

use zkinfer_verifier::{BatchItem, ProofFile, SrsPolicy, VerifyingKey, verify, verify_batch};

/// How often each proof is verified; the shortest time counts.
const ROUNDS: usize = 20;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let Some((key, proofs)) = paths.split_first() else {
        eprintln!("usage: footprint KEY.zkvk PROOF.zkproof...");
        return Ok(ExitCode::from(2));
    };
    let key = VerifyingKey::decode(&fs::read(key)?)?;
    let mut accepted = true;
    let mut files = Vec::new();
    for path in proofs {
        let file = ProofFile::decode(&fs::read(path)?)?;
        let bytes = file.proof.as_bytes().len();
        let (answer, seconds) =
            shortest(|| verify(&key, &file.claim, &file.proof, SrsPolicy::AllowInsecureDev));
        let answer = answer.map_or_else(|error| error.to_string(), |_| "accepted".to_owned());
        println!("{}: {answer}, {bytes} bytes, {:.2} ms", path.display(), seconds * 1e3);
        accepted &= answer == "accepted";
        files.push(file);
    }
    let items: Vec<BatchItem<'_>> = files
        .iter()
        .cycle()
        .take(if files.is_empty() { 0 } else { 64 })
        .map(|file| BatchItem { key: &key, expected: &file.claim, proof: &file.proof, leaf: None })
        .collect();
    let (answers, seconds) = shortest(|| verify_batch(&items, SrsPolicy::AllowInsecureDev));
    accepted &= answers.iter().all(Result::is_ok);
    println!("batch of {}: {:.2} ms a proof", items.len(), seconds * 1e3 / 64.0);
    if let Some(peak) = peak_memory()? {
        println!("peak memory: {peak}");
    }
    Ok(if accepted { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn shortest<T>(mut work: impl FnMut() -> T) -> (T, f64) {
    let mut timed = || {
        let start = Instant::now();
        let result = work();
        (result, start.elapsed().as_secs_f64())
    };
    let first = timed();
    (1..ROUNDS).fold(first, |best, _| {
        let next = timed();
        if next.1 < best.1 { next } else { best }
    })
}

/// The largest resident size so far, as Linux tells it.
fn peak_memory() -> Result<Option<String>, Box<dyn Error>> {
    if !cfg!(target_os = "linux") {
        return Ok(None);
    }
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    Ok(line.map(|size| size.trim().to_owned()))
}
