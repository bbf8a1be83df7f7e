//! The evidence of one job in a folder: what an auditor checks without a network.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;
use zkinfer::{
    SrsPolicy,
    prover::files,
    verifier::{ClaimedValues, Expectation, ProofFile, VerifyingKey},
};
use zkinfer_settlement::JobId;

use crate::{
    account::PublicKey,
    answer::is_drawn,
    beacon::{check_round, round_of},
    client::{Client, ClientError},
    log::{LogEntry, LogPage},
    sampling::{ALWAYS, Lot, commitment},
    wire::{JobView, MarketView},
};

/// Larger files are none of a bundle.
const MAX_BYTES: u64 = 1 << 28;

/// The evidence of one job.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// The market, as the coordinator describes it.
    pub market: MarketView,
    /// The job with order and answer.
    pub job: JobView,
    /// The verifying key.
    pub key: VerifyingKey,
    /// The proof, of a job that was paid.
    pub proof: Option<Vec<u8>>,
    /// What the log says of the job.
    pub log: Vec<LogEntry>,
}

/// Why there is no bundle.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BundleError {
    /// The coordinator does not give it.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A file cannot be read or written.
    #[error("{path} cannot be used")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file holds something else.
    #[error("{path} is not what a bundle holds there")]
    Content {
        /// Which.
        path: PathBuf,
    },
}

/// What an auditor finds, in the order of the checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was checked.
    pub check: &'static str,
    /// Why it fails; `None` where it holds.
    pub failure: Option<String>,
}

const MARKET: &str = "market.json";
const JOB: &str = "job.json";
const KEY: &str = "model.zkvk";
const PROOF: &str = "job.zkproof";
const LOG: &str = "log.json";

impl Bundle {
    /// Asks the coordinator for everything about a job.
    ///
    /// # Errors
    /// What the coordinator says.
    pub fn fetch(client: &Client, market: MarketView, job: JobId) -> Result<Self, BundleError> {
        let view = client.job(job, crate::client::Wait::None)?;
        let key = client.model(view.order.model)?;
        let proof = if view.state == "settled" { Some(client.proof(job)?) } else { None };
        let (log, _) = client.log(market.coordinator)?;
        let log = log.into_iter().filter(|entry| entry.job.0 == job.0).collect();
        Ok(Self { market, job: view, key, proof, log })
    }

    /// Writes the files into a folder, which must be new or empty.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), BundleError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| BundleError::File { path, source }
        };
        fs::create_dir_all(folder).map_err(failed(folder))?;
        let mut there = fs::read_dir(folder).map_err(failed(folder))?;
        if there.next().is_some() {
            let source = io::Error::from(io::ErrorKind::AlreadyExists);
            return Err(failed(folder)(source));
        }
        let log = LogPage { entries: self.log.clone() };
        let contents = [
            (MARKET, Some(json(&self.market))),
            (JOB, Some(json(&self.job))),
            (KEY, Some(self.key.encode())),
            (PROOF, self.proof.clone()),
            (LOG, Some(json(&log))),
        ];
        for (name, content) in contents {
            let path = folder.join(name);
            if let Some(content) = content {
                files::write_whole(&path, |file| io::Write::write_all(file, &content))
                    .map_err(failed(&path))?;
            }
        }
        Ok(())
    }

    /// Reads a folder.
    ///
    /// # Errors
    /// If a file is missing or holds something else.
    pub fn read(folder: &Path) -> Result<Self, BundleError> {
        let bytes = |name: &str| {
            let path = folder.join(name);
            files::read_bounded(&path, MAX_BYTES)
                .map_err(|source| BundleError::File { path, source })
        };
        let content = |name: &str| BundleError::Content { path: folder.join(name) };
        let key = VerifyingKey::decode(&bytes(KEY)?).map_err(|_| content(KEY))?;
        let proof = if folder.join(PROOF).exists() { Some(bytes(PROOF)?) } else { None };
        let log: LogPage = parsed(&bytes(LOG)?).ok_or_else(|| content(LOG))?;
        Ok(Self {
            market: parsed(&bytes(MARKET)?).ok_or_else(|| content(MARKET))?,
            job: parsed(&bytes(JOB)?).ok_or_else(|| content(JOB))?,
            key,
            proof,
            log: log.entries,
        })
    }

    /// Checks every signature and the proof. `coordinator` is the key of the coordinator where it is
    /// known from elsewhere.
    #[must_use]
    pub fn check(&self, coordinator: Option<PublicKey>, policy: SrsPolicy) -> Vec<Finding> {
        let finding =
            |check, failure: Result<(), String>| Finding { check, failure: failure.err() };
        vec![
            finding("the order is its buyer's, for this market", self.check_order()),
            finding("the answer is its node's, to this order", self.check_answer()),
            finding("the proof proves the answer for this job and node", self.check_proof(policy)),
            finding("the answer was proven, or not drawn to be", self.check_lot()),
            finding("a price that was forfeited has a reason", self.check_fault()),
            finding("the node gets what the order says for its moment", self.check_price()),
            finding("the log's entries are the coordinator's", self.check_log(coordinator)),
        ]
    }

    fn check_order(&self) -> Result<(), String> {
        let JobView { job, order, signature, .. } = &self.job;
        let same = order.job() == JobId(job.0) && order.chain_id == self.market.chain_id;
        let same = same && order.model() == self.key.digest();
        if !same {
            return Err("it names another job, market or model".to_owned());
        }
        let signed = order.is_signed(signature);
        signed.then_some(()).ok_or_else(|| "the signature is not the buyer's".to_owned())
    }

    fn check_answer(&self) -> Result<(), String> {
        let Some(answer) = &self.job.answer else {
            return self.proof.is_none().then_some(()).ok_or_else(|| "there is none".to_owned());
        };
        answer.check(&self.job.order, &self.key).map_err(|error| error.to_string())?;
        let node = answer.answer.node.address();
        let same = self.job.node.is_none_or(|shown| shown.0 == node.0);
        same.then_some(()).ok_or_else(|| "it is another node's".to_owned())
    }

    fn check_proof(&self, policy: SrsPolicy) -> Result<(), String> {
        let Some(proof) = &self.proof else {
            let unpaid = self.job.state != "settled";
            return unpaid.then_some(()).ok_or_else(|| "a job was paid without one".to_owned());
        };
        let file = ProofFile::decode(proof).map_err(|error| error.to_string())?;
        let node = self.job.node.ok_or("the job names no node")?;
        let binding = self.job.order.binding(zkinfer_settlement::Address(node.0));
        let output = self.job.answer.as_ref().map(|answer| answer.output.clone());
        let expected = Expectation {
            chain_id: Some(binding.chain_id),
            job_id: Some(binding.job_id),
            payee: Some(binding.payee),
            nonce: Some(binding.nonce),
            output: output.map(ClaimedValues::Public),
            ..Expectation::new(&self.key)
        };
        let evidence = file.verify(&expected, policy).map_err(|error| error.to_string())?;
        let input = zkinfer_settlement::ValuesDigest::of(&evidence.claim().input);
        let same = input == self.job.order.input();
        same.then_some(()).ok_or_else(|| "it is about another input".to_owned())
    }

    fn check_lot(&self) -> Result<(), String> {
        let Self { job: JobView { order, answer, secret, round, state, .. }, .. } = self;
        let (Some(sampling), "accepted") = (&order.sampling, state.as_str()) else {
            let paid = state != "accepted";
            return paid.then_some(()).ok_or_else(|| "the order asks for a proof".to_owned());
        };
        let answer = &answer.as_ref().ok_or("there is no answer")?.answer;
        let drawn = match (&sampling.commitment, secret, round) {
            (Some(expected), Some(secret), _) if commitment(secret) != *expected => {
                return Err("the secret is not the one of the order".to_owned());
            }
            (Some(_), Some(secret), _) => is_drawn(secret, answer),
            // The buyer was silent; but for such an answer, his word was not asked for.
            (Some(_), None, _) => answer.rate >= ALWAYS,
            (None, _, Some(signature)) => {
                let (number, signature) = (round_of(answer), *signature);
                check_round(number, &signature).map_err(|error| error.to_string())?;
                is_drawn(&Lot::Round { number, signature }.secret(), answer)
            }
            (None, _, None) => return Err("no round of drand has drawn its lot".to_owned()),
        };
        if drawn { Err("it was drawn".to_owned()) } else { Ok(()) }
    }

    fn check_fault(&self) -> Result<(), String> {
        let JobView { order, state, node, sealed, fault, .. } = &self.job;
        if state != "forfeited" {
            return Ok(());
        }
        let fault = fault.as_ref().ok_or("the node has shown nothing")?;
        if node.is_none_or(|node| node.0 != fault.node.address().0) {
            return Err("another node has shown it".to_owned());
        }
        let boxes = sealed.as_deref().unwrap_or_default();
        let fault = fault.check(order, boxes, &self.key);
        fault.map(|_fault| ()).map_err(|error| error.to_string())
    }

    fn check_price(&self) -> Result<(), String> {
        let JobView { order, price, .. } = &self.job;
        let mut said = None;
        for entry in self.log.iter().filter(|entry| entry.event == "assigned") {
            let (at, got) = (entry.at / 1_000, entry.price.map_or(0, |price| price.0));
            // The entry was written in the second of the lease, or just after it.
            let range = order.prices().at(at.saturating_sub(1))..=order.prices().at(at);
            if !range.contains(&got) {
                return Err(format!("entry {}: {got} is not its price", entry.number));
            }
            said = Some(got);
        }
        let shown = price.map(|price| price.0);
        let same = shown.is_none() || shown == said;
        same.then_some(()).ok_or_else(|| "the log has another price".to_owned())
    }

    fn check_log(&self, coordinator: Option<PublicKey>) -> Result<(), String> {
        let coordinator = coordinator.unwrap_or(self.market.coordinator);
        for entry in &self.log {
            let signed = entry
                .encode()
                .is_some_and(|bytes| coordinator.has_signed(&bytes, &entry.signature));
            if !signed || entry.job != self.job.job {
                return Err(format!("entry {} is not", entry.number));
            }
        }
        Ok(())
    }
}

/// Every type of the wire has a form in JSON.
fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec_pretty(value).unwrap_or_default()
}

fn parsed<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    serde_json::from_slice(bytes).ok()
}
