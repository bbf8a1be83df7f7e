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
    verifier::{ClaimedValues, Expectation, Manifest, ProofFile, VerifyingKey},
};
use zkinfer_settlement::JobId;

use crate::{
    account::PublicKey,
    answer::is_drawn,
    beacon::{check_round, round_of},
    client::{Client, ClientError},
    division::Division,
    encoding::Hex,
    log::{LogEntry, LogPage},
    part::verify_parts,
    ramp::Prices,
    sampling::{ALWAYS, Lot, commitment},
    wire::{JobView, MarketView},
};

/// Larger files are none of a bundle.
const MAX_BYTES: u64 = 1 << 28;

/// What was run for a job, and what shows that it was.
#[derive(Clone, Debug)]
pub enum Evidence {
    /// A model.
    Model {
        /// Its verifying key.
        key: Box<VerifyingKey>,
        /// The proof, of a job that was paid.
        proof: Option<Vec<u8>>,
    },
    /// A model in parts.
    Parts {
        /// What binds them.
        manifest: Manifest,
        /// The verifying key of each.
        keys: Vec<VerifyingKey>,
        /// The proof of each, of a job that was paid.
        proofs: Option<Vec<Vec<u8>>>,
    },
}

/// The evidence of one job.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// The market, as the coordinator describes it.
    pub market: MarketView,
    /// The job with order and answer.
    pub job: JobView,
    /// Keys and proofs.
    pub evidence: Evidence,
    /// What the log says of the job, or of its parts.
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
    /// One part is no job of its own.
    #[error("the job is a part of the job {whole}: bundle that")]
    OnePart {
        /// The job of all parts.
        whole: JobId,
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
const MANIFEST: &str = "model.zkparts";
const LOG: &str = "log.json";

/// The names under which key and proof of a part lie, as beside every manifest.
fn names_of_part(part: usize) -> [String; 2] {
    ["zkvk", "zkproof"].map(|kind| format!("part-{part}.{kind}"))
}

impl Evidence {
    fn fetch(client: &Client, view: &JobView) -> Result<Self, ClientError> {
        let settled = view.state == "settled";
        let proof = |job: Hex<32>| client.proof(JobId(job.0));
        let Some(parts) = &view.parts else {
            let key = Box::new(client.model(view.order.model)?);
            let proof = settled.then(|| proof(view.job)).transpose()?;
            return Ok(Self::Model { key, proof });
        };
        let manifest = client.manifest(view.order.model)?;
        let keys = manifest.parts.iter().map(|digest| client.model(Hex(digest.0.0)));
        let keys = keys.collect::<Result<_, _>>()?;
        let proofs = settled.then(|| parts.iter().map(|part| proof(part.job)).collect());
        Ok(Self::Parts { manifest, keys, proofs: proofs.transpose()? })
    }

    /// Names and contents of the files.
    fn files(&self) -> Vec<(String, Vec<u8>)> {
        match self {
            Self::Model { key, proof } => {
                let proof = proof.clone().map(|proof| (PROOF.to_owned(), proof));
                std::iter::once((KEY.to_owned(), key.encode())).chain(proof).collect()
            }
            Self::Parts { manifest, keys, proofs } => {
                let mut files = vec![(MANIFEST.to_owned(), manifest.encode().into_bytes())];
                for (part, key) in keys.iter().enumerate() {
                    let [of_key, of_proof] = names_of_part(part);
                    let proof = proofs.as_ref().and_then(|proofs| proofs.get(part)).cloned();
                    files.push((of_key, key.encode()));
                    files.extend(proof.map(|proof| (of_proof, proof)));
                }
                files
            }
        }
    }

    fn read(folder: &Path) -> Result<Self, BundleError> {
        let proof = |name: &str| folder.join(name).exists().then(|| read(folder, name)).transpose();
        if !folder.join(MANIFEST).exists() {
            let key = Box::new(read_key(folder, KEY)?);
            return Ok(Self::Model { key, proof: proof(PROOF)? });
        }
        let manifest = Manifest::decode(&read(folder, MANIFEST)?);
        let manifest = manifest.map_err(|_| content(folder, MANIFEST))?;
        let (mut keys, mut proofs) = (Vec::new(), Some(Vec::new()));
        for part in 0..manifest.parts.len() {
            let [of_key, of_proof] = names_of_part(part);
            keys.push(read_key(folder, &of_key)?);
            proofs = proofs.zip(proof(&of_proof)?).map(|(mut proofs, proof)| {
                proofs.push(proof);
                proofs
            });
        }
        Ok(Self::Parts { manifest, keys, proofs })
    }
}

fn read(folder: &Path, name: &str) -> Result<Vec<u8>, BundleError> {
    let path = folder.join(name);
    files::read_bounded(&path, MAX_BYTES).map_err(|source| BundleError::File { path, source })
}

fn read_key(folder: &Path, name: &str) -> Result<VerifyingKey, BundleError> {
    VerifyingKey::decode(&read(folder, name)?).map_err(|_| content(folder, name))
}

fn content(folder: &Path, name: &str) -> BundleError {
    BundleError::Content { path: folder.join(name) }
}

impl Bundle {
    /// Asks the coordinator for everything about a job.
    ///
    /// # Errors
    /// What the coordinator says, or [`BundleError::OnePart`].
    pub fn fetch(client: &Client, market: MarketView, job: JobId) -> Result<Self, BundleError> {
        let view = client.job(job, crate::client::Wait::None)?;
        let whole = view.order.job();
        if view.parts.is_none() && whole != job {
            return Err(BundleError::OnePart { whole });
        }
        let evidence = Evidence::fetch(client, &view)?;
        let (log, _) = client.log(market.coordinator)?;
        let mut bundle = Self { market, job: view, evidence, log: Vec::new() };
        bundle.log = log.into_iter().filter(|entry| bundle.is_about(entry.job)).collect();
        Ok(bundle)
    }

    /// Whether it is this job, or a part of it.
    fn is_about(&self, job: Hex<32>) -> bool {
        match &self.job.parts {
            None => self.job.job == job,
            Some(parts) => parts.iter().any(|part| part.job == job),
        }
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
        let said = [(MARKET, json(&self.market)), (JOB, json(&self.job)), (LOG, json(&log))];
        let said = said.map(|(name, content)| (name.to_owned(), content));
        for (name, content) in self.evidence.files().into_iter().chain(said) {
            let path = folder.join(name);
            files::write_whole(&path, |file| io::Write::write_all(file, &content))
                .map_err(failed(&path))?;
        }
        Ok(())
    }

    /// Reads a folder.
    ///
    /// # Errors
    /// If a file is missing or holds something else.
    pub fn read(folder: &Path) -> Result<Self, BundleError> {
        let log: LogPage = read_json(folder, LOG)?;
        Ok(Self {
            market: read_json(folder, MARKET)?,
            job: read_json(folder, JOB)?,
            evidence: Evidence::read(folder)?,
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
        let JobView { job, order, signature, parts, .. } = &self.job;
        let same = order.job() == JobId(job.0) && order.chain_id == self.market.chain_id;
        let names = match &self.evidence {
            Evidence::Model { key, .. } => parts.is_none() && order.model() == key.digest(),
            Evidence::Parts { manifest, .. } => {
                let name = |index| Hex(manifest.part_job(index, &job.0));
                let expected: Vec<_> = (0..manifest.parts.len()).map(name).collect();
                let got = parts.iter().flatten().map(|part| part.job);
                order.model.0 == manifest.root().0 && got.eq(expected)
            }
        };
        if !same || !names {
            return Err("it names another job, market or model".to_owned());
        }
        let signed = order.is_signed(signature);
        signed.then_some(()).ok_or_else(|| "the signature is not the buyer's".to_owned())
    }

    fn has_proof(&self) -> bool {
        match &self.evidence {
            Evidence::Model { proof, .. } => proof.is_some(),
            Evidence::Parts { proofs, .. } => proofs.is_some(),
        }
    }

    fn check_answer(&self) -> Result<(), String> {
        let JobView { order, answer, node, parts, .. } = &self.job;
        let Some(answer) = answer else {
            return (!self.has_proof()).then_some(()).ok_or_else(|| "there is none".to_owned());
        };
        let (checked, shown) = match &self.evidence {
            Evidence::Model { key, .. } => (answer.check(order, key), *node),
            Evidence::Parts { manifest, keys, .. } => {
                let last = keys.len().saturating_sub(1);
                let key = keys.get(last).ok_or("there is no key")?;
                let of_last = parts.as_ref().and_then(|parts| parts.get(last)?.node);
                (answer.check_part(order, manifest, last, key), of_last)
            }
        };
        checked.map_err(|error| error.to_string())?;
        let same = shown.is_none_or(|shown| shown.0 == answer.answer.node.address().0);
        same.then_some(()).ok_or_else(|| "it is another node's".to_owned())
    }

    fn check_proof(&self, policy: SrsPolicy) -> Result<(), String> {
        let unpaid = self.job.state != "settled";
        let without =
            || unpaid.then_some(()).ok_or_else(|| "a job was paid without one".to_owned());
        let output = self.job.answer.as_ref().map(|answer| answer.output.clone());
        let output = output.map(ClaimedValues::Public);
        match &self.evidence {
            Evidence::Model { proof: None, .. } | Evidence::Parts { proofs: None, .. } => without(),
            Evidence::Model { key, proof: Some(proof) } => {
                self.check_model(key, proof, output, policy)
            }
            Evidence::Parts { manifest, keys, proofs: Some(proofs) } => {
                self.check_parts((manifest, keys), proofs, output, policy)
            }
        }
    }

    fn check_model(
        &self,
        key: &VerifyingKey,
        proof: &[u8],
        output: Option<ClaimedValues>,
        policy: SrsPolicy,
    ) -> Result<(), String> {
        let file = ProofFile::decode(proof).map_err(|error| error.to_string())?;
        let node = self.job.node.ok_or("the job names no node")?;
        let binding = self.job.order.binding(zkinfer_settlement::Address(node.0));
        let expected = Expectation {
            chain_id: Some(binding.chain_id),
            job_id: Some(binding.job_id),
            payee: Some(binding.payee),
            nonce: Some(binding.nonce),
            output,
            ..Expectation::new(key)
        };
        let evidence = file.verify(&expected, policy).map_err(|error| error.to_string())?;
        let input = zkinfer_settlement::ValuesDigest::of(&evidence.claim().input);
        let same = input == self.job.order.input();
        same.then_some(()).ok_or_else(|| "it is about another input".to_owned())
    }

    fn check_parts(
        &self,
        (manifest, keys): (&Manifest, &[VerifyingKey]),
        proofs: &[Vec<u8>],
        output: Option<ClaimedValues>,
        policy: SrsPolicy,
    ) -> Result<(), String> {
        let files = proofs.iter().map(|proof| ProofFile::decode(proof));
        let files: Vec<_> = files.collect::<Result<_, _>>().map_err(|error| error.to_string())?;
        let payees = files.iter().map(|file| Some(Hex(file.claim.binding.payee)));
        if !self.job.parts.iter().flatten().map(|part| part.node).eq(payees) {
            return Err("a proof pays another node than the one that the job names".to_owned());
        }
        let keys: Vec<&VerifyingKey> = keys.iter().collect();
        let verified = verify_parts(manifest, &keys, &self.job.order, &files, policy)?;
        let same = output.is_none_or(|output| verified.output() == Some(&output));
        same.then_some(()).ok_or_else(|| "the output is not the answered one".to_owned())
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
        let Evidence::Model { key, .. } = &self.evidence else {
            return Err("inputs of models in parts are not sealed".to_owned());
        };
        let fault = fault.check(order, boxes, key);
        fault.map(|_fault| ()).map_err(|error| error.to_string())
    }

    fn check_price(&self) -> Result<(), String> {
        let JobView { job, order, price, parts, .. } = &self.job;
        let (whole, shown) = (order.prices(), price.map(|price| price.0));
        let Evidence::Parts { manifest, keys, .. } = &self.evidence else {
            return self.check_price_of(*job, &whole, shown);
        };
        let division = Division::of_keys(manifest.clone(), keys);
        let mut all = 0u128;
        for (index, part) in parts.iter().flatten().enumerate() {
            let prices = division.prices(&whole, index);
            let prices = prices.ok_or_else(|| format!("part {index} would get nothing"))?;
            let paid = ["staked", "settled"].contains(&part.state.as_str());
            let shown = paid.then_some(part.price.0);
            self.check_price_of(part.job, &prices, shown)
                .map_err(|why| format!("part {index}: {why}"))?;
            all = all.saturating_add(part.price.0);
        }
        let same = shown.is_none_or(|shown| shown == all);
        same.then_some(()).ok_or_else(|| "what the parts get is not the price".to_owned())
    }

    /// Whether the log says a price of a job that the order gives, and the one that is shown.
    fn check_price_of(
        &self,
        job: Hex<32>,
        prices: &Prices,
        shown: Option<u128>,
    ) -> Result<(), String> {
        let mut said = None;
        for entry in self.log.iter().filter(|entry| entry.job == job) {
            let (at, got) = (entry.at / 1_000, entry.price.map_or(0, |price| price.0));
            // The entry was written in the second of the lease, or just after it.
            let range = match entry.event.as_str() {
                "opened" => prices.most..=prices.most,
                "assigned" => prices.at(at.saturating_sub(1))..=prices.at(at),
                _ => continue,
            };
            if !range.contains(&got) {
                return Err(format!("entry {}: {got} is not its price", entry.number));
            }
            said = Some(got);
        }
        let same = shown.is_none() || shown == said;
        same.then_some(()).ok_or_else(|| "the log has another price".to_owned())
    }

    fn check_log(&self, coordinator: Option<PublicKey>) -> Result<(), String> {
        let coordinator = coordinator.unwrap_or(self.market.coordinator);
        let whole = self.job.parts.is_some().then_some(self.job.job);
        for entry in &self.log {
            let signed = entry
                .encode()
                .is_some_and(|bytes| coordinator.has_signed(&bytes, &entry.signature));
            let of_whole = entry.event != "opened" || entry.whole == whole;
            if !signed || !self.is_about(entry.job) || !of_whole {
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

fn read_json<T: DeserializeOwned>(folder: &Path, name: &str) -> Result<T, BundleError> {
    serde_json::from_slice(&read(folder, name)?).map_err(|_| content(folder, name))
}
