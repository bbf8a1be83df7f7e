//! The job binding on the command line.

use std::{path::Path, str::FromStr};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use zkinfer::{prover::files, verifier::JobBinding};
use zkinfer_report::now;

use crate::args::Job;

/// A larger list of jobs is refused unread.
const MAX_JOBS_BYTES: u64 = 1 << 24;

/// Twenty bytes, written as 40 hexadecimal digits with or without `0x`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hex20(pub(crate) [u8; 20]);

/// Thirty-two bytes, written as 64 hexadecimal digits with or without `0x`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hex32(pub(crate) [u8; 32]);

/// A Unix time in seconds; `now` is the system clock's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment(pub(crate) u64);

impl FromStr for Moment {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        if text != "now" {
            return text.parse().map(Self).context("expected seconds since 1970, or now");
        }
        now().map(Self).context("the system clock is before 1970")
    }
}

impl FromStr for Hex20 {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        parse(text).map(Self)
    }
}

impl FromStr for Hex32 {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        parse(text).map(Self)
    }
}

fn parse<const N: usize>(text: &str) -> Result<[u8; N]> {
    let digits = text.strip_prefix("0x").unwrap_or(text).as_bytes();
    let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|n| u8::try_from(n).ok());
    let (pairs, []) = digits.as_chunks::<2>() else { bail!("expected {} digits", 2 * N) };
    let bytes = pairs.iter().map(|[high, low]| Some(nibble(*high)? << 4 | nibble(*low)?));
    match bytes.collect::<Option<Vec<u8>>>().map(<[u8; N]>::try_from) {
        Some(Ok(bytes)) => Ok(bytes),
        Some(Err(_)) => bail!("expected {} hexadecimal digits, got {}", 2 * N, digits.len()),
        None => bail!("expected hexadecimal digits only"),
    }
}

impl Job {
    /// The binding to prove; what is not said is zero.
    pub(crate) fn binding(&self) -> JobBinding {
        JobBinding {
            chain_id: self.chain.unwrap_or(0),
            job_id: self.job.map_or([0; 32], |Hex32(bytes)| bytes),
            payee: self.payee.map_or([0; 20], |Hex20(bytes)| bytes),
            expiry: self.expiry.unwrap_or(0),
            nonce: self.nonce.unwrap_or(0),
        }
    }
}

/// A job of a list, in the words of the options.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListedJob {
    job: Option<String>,
    payee: Option<String>,
    chain: Option<u64>,
    expiry: Option<u64>,
    nonce: Option<u64>,
}

impl ListedJob {
    fn read(self) -> Result<Job> {
        let Self { job, payee, chain, expiry, nonce } = self;
        let job = job.map(|text| text.parse()).transpose().context("job")?;
        let payee = payee.map(|text| text.parse()).transpose().context("payee")?;
        Ok(Job { job, payee, chain, expiry, nonce })
    }
}

/// The jobs of a file, which must be so many.
pub(crate) fn read_jobs(path: &Path, count: usize) -> Result<Vec<JobBinding>> {
    let shown = || path.display().to_string();
    let bytes = files::read_bounded(path, MAX_JOBS_BYTES).with_context(shown)?;
    let jobs: Vec<ListedJob> = serde_json::from_slice(&bytes).with_context(shown)?;
    ensure!(jobs.len() == count, "{} has {} jobs for {count} inputs", shown(), jobs.len());
    let read = |(index, job): (usize, ListedJob)| {
        let job = job.read().with_context(|| format!("{}: job {index}", shown()))?;
        Ok(job.binding())
    };
    jobs.into_iter().enumerate().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_is_exact() {
        let bytes = [0xab; 20];
        assert_eq!("ab".repeat(20).parse::<Hex20>().unwrap(), Hex20(bytes));
        assert_eq!(format!("0x{}", "AB".repeat(20)).parse::<Hex20>().unwrap(), Hex20(bytes));
        for wrong in ["", "0x", "abc", &"ab".repeat(19), &"ab".repeat(21), &"zz".repeat(20), "é"] {
            assert!(wrong.parse::<Hex20>().is_err(), "{wrong}");
        }
    }
}
