//! The job binding on the command line.

use std::{str::FromStr, time::SystemTime};

use anyhow::{Context, Result, bail};
use zkinfer_verifier::JobBinding;

use crate::args::Job;

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
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Ok(Self(since_1970.context("the system clock is before 1970")?.as_secs()))
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

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Job {
    /// The binding to prove; what is not said is zero.
    pub(crate) fn binding(&self) -> JobBinding {
        self.expected(&JobBinding {
            chain_id: 0,
            job_id: [0; 32],
            payee: [0; 20],
            expiry: 0,
            nonce: 0,
        })
    }

    /// What a proof must be bound to: `claimed`, but for what is said.
    pub(crate) fn expected(&self, claimed: &JobBinding) -> JobBinding {
        JobBinding {
            chain_id: self.chain.unwrap_or(claimed.chain_id),
            job_id: self.job.map_or(claimed.job_id, |Hex32(bytes)| bytes),
            payee: self.payee.map_or(claimed.payee, |Hex20(bytes)| bytes),
            expiry: self.expiry.unwrap_or(claimed.expiry),
            nonce: self.nonce.unwrap_or(claimed.nonce),
        }
    }
}

/// The first field of `claimed` that is not the expected one, in words.
pub(crate) fn difference(expected: &JobBinding, claimed: &JobBinding) -> Option<String> {
    let fields = [
        ("chain", expected.chain_id.to_string(), claimed.chain_id.to_string()),
        ("job", hex(&expected.job_id), hex(&claimed.job_id)),
        ("payee", hex(&expected.payee), hex(&claimed.payee)),
        ("expiry", expected.expiry.to_string(), claimed.expiry.to_string()),
        ("nonce", expected.nonce.to_string(), claimed.nonce.to_string()),
    ];
    let differing = fields.into_iter().find(|(_, expected, claimed)| expected != claimed);
    differing.map(|(name, expected, claimed)| {
        format!("it was made for {name} {claimed}, not for {name} {expected}")
    })
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

    #[test]
    fn every_field_of_a_binding_is_compared() {
        let base = JobBinding { chain_id: 1, job_id: [2; 32], payee: [3; 20], expiry: 4, nonce: 5 };
        assert_eq!(difference(&base, &base), None);
        let others = [
            ("chain", JobBinding { chain_id: 9, ..base }),
            ("job", JobBinding { job_id: [9; 32], ..base }),
            ("payee", JobBinding { payee: [9; 20], ..base }),
            ("expiry", JobBinding { expiry: 9, ..base }),
            ("nonce", JobBinding { nonce: 9, ..base }),
        ];
        for (name, other) in others {
            assert!(difference(&base, &other).unwrap().contains(name));
        }
    }
}
