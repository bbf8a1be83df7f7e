//! The job that a claim is bound to, in words.

use std::{fmt, time::SystemTime};

use serde::Serialize;
use zkinfer::{
    hex,
    verifier::{JobBinding, UnixTime},
};

/// The job that a claim is bound to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JobReport {
    /// The chain on which the job is settled.
    pub chain: u64,
    /// The job, in hexadecimal digits.
    pub job: String,
    /// Who is paid, in hexadecimal digits.
    pub payee: String,
    /// When the proof expires, in seconds of Unix time; 0 for never.
    pub expiry: u64,
    /// Tells two proofs of one job apart.
    pub nonce: u64,
    /// The expiry as a date; `None` for a proof that does not expire.
    pub expires: Option<String>,
    /// Whether it has expired by the system's clock.
    pub expired: bool,
    /// Whether its payee is nobody.
    pub pays_nobody: bool,
}

/// The system's clock, in seconds since 1970; `None` for a clock before that.
#[must_use]
pub fn now() -> Option<u64> {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Some(since_1970.ok()?.as_secs())
}

impl JobReport {
    /// Whether nothing was said about the job when it was proved.
    #[must_use]
    pub fn is_none(&self) -> bool {
        let Self { chain, job, payee, expiry, nonce, .. } = self;
        let zeros = |hex: &str| hex.bytes().all(|digit| digit == b'0');
        [*chain, *expiry, *nonce] == [0; 3] && zeros(job) && zeros(payee)
    }
}

impl From<&JobBinding> for JobReport {
    fn from(binding: &JobBinding) -> Self {
        Self {
            chain: binding.chain_id,
            job: hex(&binding.job_id),
            payee: hex(&binding.payee),
            expiry: binding.expiry,
            nonce: binding.nonce,
            expires: (binding.expiry != JobBinding::NO_EXPIRY)
                .then(|| UnixTime(binding.expiry).to_string()),
            // A clock that is not set decides nothing.
            expired: now().is_some_and(|now| binding.expired(now)),
            pays_nobody: binding.pays_nobody(),
        }
    }
}

impl fmt::Display for JobReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() {
            return f.write_str("  for no job: it PAYS NOBODY, and does not expire");
        }
        let Self { chain, job, payee, nonce, .. } = self;
        writeln!(f, "  for job {job} on chain {chain}, nonce {nonce}")?;
        if self.pays_nobody {
            write!(f, "  PAYS NOBODY: no payee is bound in it")?;
        } else {
            write!(f, "  pays {payee}")?;
        }
        match (&self.expires, self.expired) {
            (None, _) => write!(f, ", does not expire"),
            (Some(date), false) => write!(f, ", expires {date}"),
            (Some(date), true) => write!(f, ", EXPIRED {date}"),
        }
    }
}
