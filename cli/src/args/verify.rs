//! What those do who get a proof, or wait for one.

use std::path::PathBuf;

use zkinfer::{
    Error, Expectation, ExpectedSide, PartsExpectation, SrsPolicy, read,
    verifier::{Digest, KeyDigest, Manifest, SrsDigest, VerifyingKey},
};

use super::{
    model::{Import, Quantize, TestSet},
    parts::{AllParts, OF_ALL_PARTS},
    prove::Job,
    srs::SrsFile,
};
use crate::job::{Hex20, Hex32, Moment};

#[derive(Debug, clap::Args)]
pub(crate) struct Commit {
    /// The verifying key, which commits to inputs.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// The input, in the formats of `prove --input`.
    #[arg(long, value_name = "FILE")]
    pub(crate) input: PathBuf,
    /// Where to write the opening, for the prover; beside the input by default.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// What a proof must be about, and which setups are trusted.
#[derive(Debug, clap::Args)]
pub(crate) struct Expect {
    /// The digest that the key must have, as `key` and `setup` print it: it says which circuit,
    /// weights included, is meant.
    #[arg(long, value_name = "HEX")]
    pub(crate) expect_key: Option<Hex32>,
    /// The digest of the ONNX file that the key must name, as `inspect` prints it. The name is the
    /// word of the key's maker: only `audit --model` shows that it is true.
    #[arg(long, value_name = "HEX")]
    pub(crate) expect_model: Option<Hex32>,
    /// The input that the proof must be about, in the formats of `prove --input`.
    #[arg(long, value_name = "FILE")]
    pub(crate) expect_input: Option<PathBuf>,
    /// The output that the proof must claim: real numbers, in the same formats.
    #[arg(long, value_name = "FILE")]
    pub(crate) expect_output: Option<PathBuf>,
    /// The commitment to the input that the proof must be about, as `commit` prints it.
    #[arg(long, value_name = "HEX", conflicts_with = "expect_input")]
    pub(crate) expect_input_commitment: Option<Hex32>,
    /// The commitment to the output that the proof must claim.
    #[arg(long, value_name = "HEX", conflicts_with = "expect_output")]
    pub(crate) expect_output_commitment: Option<Hex32>,
    /// What must open the claim's commitments: shows what they hide.
    #[arg(long, value_name = "FILE")]
    pub(crate) opening: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) job: Job,
    /// Reject a proof that has expired by then: Unix time in seconds, or `now`.
    #[arg(long, value_name = "TIME")]
    pub(crate) valid_at: Option<Moment>,
    /// Accept a proof under the development SRS, which anybody can forge.
    #[arg(long)]
    pub(crate) allow_insecure_srs: bool,
    /// Accept a proof under the SRS of this digest, as `srs info` prints it.
    #[arg(long, value_name = "HEX", conflicts_with = "allow_insecure_srs")]
    pub(crate) allow_srs: Option<Hex32>,
}

impl Expect {
    /// What the arguments expect of proofs under `key`.
    pub(crate) fn expectation<'a>(&self, key: &'a VerifyingKey) -> Result<Expectation<'a>, Error> {
        let Job { job, payee, .. } = self.job;
        let mut expectation = Expectation::new(key, self.policy());
        self.set_common(&mut expectation);
        let claim = &mut expectation.claim;
        claim.key_digest = self.expect_key.map(|Hex32(digest)| KeyDigest(Digest(digest)));
        claim.job_id = job.map(|Hex32(bytes)| bytes);
        claim.payee = payee.map(|Hex20(bytes)| bytes);
        expectation
            .openings(self.opening.as_deref().map(read::openings).transpose()?)
            .input(self.input())?
            .output(self.output())
    }

    /// Which setups are trusted.
    pub(crate) fn policy(&self) -> SrsPolicy {
        match self.allow_srs {
            Some(Hex32(digest)) => SrsPolicy::AllowSrs(SrsDigest(Digest(digest))),
            None if self.allow_insecure_srs => SrsPolicy::AllowInsecureDev,
            None => SrsPolicy::CeremonyOnly,
        }
    }

    /// Sets what is the same of every part of a model.
    pub(crate) fn set_common(&self, expectation: &mut Expectation<'_>) {
        let Job { chain, expiry, nonce, .. } = self.job;
        let claim = &mut expectation.claim;
        claim.model = self.expect_model.map(|Hex32(digest)| Digest(digest));
        claim.chain_id = chain;
        claim.expiry = expiry;
        claim.nonce = nonce;
        claim.valid_at = self.valid_at.map(|Moment(seconds)| seconds);
    }

    /// What the input must be.
    pub(crate) fn input(&self) -> ExpectedSide<'_> {
        let commitment = self.expect_input_commitment.map(|Hex32(bytes)| bytes);
        ExpectedSide { values: self.expect_input.as_deref(), commitment }
    }

    /// What the output must be.
    pub(crate) fn output(&self) -> ExpectedSide<'_> {
        let commitment = self.expect_output_commitment.map(|Hex32(bytes)| bytes);
        ExpectedSide { values: self.expect_output.as_deref(), commitment }
    }
}

impl AllParts {
    /// What is expected of the proofs of all parts of a manifest under their keys.
    pub(crate) fn expectation<'a>(
        &self,
        expect: &Expect,
        (manifest, keys): (&'a Manifest, &'a [VerifyingKey]),
    ) -> Result<PartsExpectation<'a>, Error> {
        let job = expect.job.binding();
        let payees: Vec<_> = self.payees.iter().map(|Hex20(payee)| *payee).collect();
        PartsExpectation::new(manifest, keys, job.job_id, expect.policy())
            .manifest(self.expect_manifest.map(|Hex32(root)| Digest(root)))
            .payees((!payees.is_empty()).then_some(payees))
            .each(|part| expect.set_common(part))
            .input(expect.input())?
            .output(expect.output())
    }
}

#[derive(Debug, clap::Args)]
#[group(id = "keys", required = true, multiple = true, args = ["key", "manifest"])]
pub(crate) struct Verify {
    /// The proof files; what is expected is expected of each.
    #[arg(required = true, value_name = "PROOF")]
    pub(crate) proofs: Vec<PathBuf>,
    /// The verifying key.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) parts: AllParts,
    /// Check all proofs with one pairing, and one by one only if that fails.
    #[arg(long, conflicts_with_all = OF_ALL_PARTS)]
    pub(crate) batch: bool,
    #[command(flatten)]
    pub(crate) expect: Expect,
}

#[derive(Debug, clap::Args)]
#[group(id = "keys", required = true, multiple = true, args = ["key", "manifest"])]
pub(crate) struct Audit {
    /// The proof file; with `--manifest` those of all parts.
    #[arg(required = true, value_name = "PROOF")]
    pub(crate) proofs: Vec<PathBuf>,
    /// The verifying key.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) parts: AllParts,
    /// The ONNX file that should give this very key; pass what `setup` or `prove` was given too.
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) import: Import,
    /// The input that the key was calibrated with, where there were no samples.
    #[arg(long, value_name = "FILE", requires = "model", conflicts_with_all = OF_ALL_PARTS)]
    pub(crate) input: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) quantize: Quantize,
    #[command(flatten)]
    pub(crate) test_set: TestSet,
    #[command(flatten)]
    pub(crate) srs: SrsFile,
    /// The accuracy report that the key should bind, or the key of every part.
    #[arg(long, value_name = "FILE")]
    pub(crate) accuracy: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) expect: Expect,
    /// Also write the report as a page: one HTML file that needs no network.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Key {
    /// The verifying key.
    pub(crate) key: PathBuf,
}
