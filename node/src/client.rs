//! What buyers and nodes say to a coordinator.

use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;
use ureq::{Agent, http::Request};
use zkinfer::verifier::{KeyError, Manifest, ManifestError, VerifyingKey};
use zkinfer_settlement::{Address, JobId};

use crate::{
    account::Identity,
    answer::SignedAnswer,
    encoding::{Decimal, Hex},
    log::{Chain, LogEntry, LogError, LogPage},
    nodes::Capabilities,
    offer::Offer,
    order::JobRequest,
    sealed::{BoxEvidence, SealedInput},
    signed::RequestSignature,
    wire::{
        AccountView, Held, Hello, HelloReply, JobView, MarketView, ModelFile, Move, NodeList,
        Problem, Reveal,
    },
};

/// Longer answers of a coordinator are refused.
const MAX_BYTES: u64 = 1 << 28;
/// Longer than a coordinator lets anybody wait.
const PATIENCE: Duration = Duration::from_secs(40);
/// The longest file of a shared model, and how long it may take.
const MAX_MODEL_BYTES: u64 = 1 << 30;
const MODEL_PATIENCE: Duration = Duration::from_secs(3_600);

/// Why a coordinator does not do what was asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClientError {
    /// It cannot be reached.
    #[error("the coordinator at {market} cannot be reached")]
    Network {
        /// Where it should be.
        market: String,
        /// What went wrong.
        source: Box<ureq::Error>,
    },
    /// It says what is wrong.
    #[error("{0}")]
    Problem(Problem),
    /// It says something that is no answer to what was asked.
    #[error("the coordinator at {market} answers {status} with something that is not of its API")]
    Answer {
        /// Where it is.
        market: String,
        /// The HTTP status.
        status: u16,
    },
    /// A verifying key that is none.
    #[error("the coordinator's verifying key is none")]
    Key(#[source] KeyError),
    /// A manifest of parts that is none.
    #[error("the coordinator's manifest of parts is none")]
    Manifest(#[source] ManifestError),
    /// A log that is none.
    #[error("the coordinator's log is not to be believed")]
    Log(#[from] LogError),
    /// The system gives no random bytes for a signature.
    #[error("the system gives no random bytes")]
    Random,
}

impl ClientError {
    /// The word of the coordinator's problem, if that is what it is.
    #[must_use]
    pub fn problem(&self) -> Option<&str> {
        match self {
            Self::Problem(problem) => Some(&problem.r#type),
            _ => None,
        }
    }

    /// Whether the same request may succeed later: nobody was reached, or he was busy.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Network { .. } => true,
            Self::Problem(problem) => problem.status == 429 || problem.status >= 500,
            _ => false,
        }
    }
}

/// A way to one coordinator.
#[derive(Clone, Debug)]
pub struct Client {
    agent: Agent,
    /// Longer answers are refused, in bytes.
    limit: u64,
    market: String,
    chain_id: u64,
}

/// Requests of which the answers may take so long to come, each step of them.
fn agent(patience: Duration) -> Agent {
    // A limit on the whole, or on looking up the name, would start a thread for each request.
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(PATIENCE))
        .timeout_send_request(Some(PATIENCE))
        .timeout_send_body(Some(PATIENCE))
        .timeout_recv_response(Some(PATIENCE))
        .timeout_recv_body(Some(patience));
    Agent::new_with_config(config.build())
}

impl Client {
    /// Asks the coordinator at an address, as `http://127.0.0.1:8645`, which market it is.
    ///
    /// # Errors
    /// If it cannot be reached, or is none.
    pub fn connect(market: &str) -> Result<(Self, MarketView), ClientError> {
        let market = market.trim_end_matches('/').to_owned();
        let mut client = Self { agent: agent(PATIENCE), limit: MAX_BYTES, market, chain_id: 0 };
        let view: MarketView = client.get("/v1/market")?;
        client.chain_id = view.chain_id.0;
        Ok((client, view))
    }

    /// Where the coordinator is.
    #[must_use]
    pub fn market(&self) -> &str {
        &self.market
    }

    /// Orders a job, and waits for its answer or its end if that is asked for.
    ///
    /// # Errors
    /// What the coordinator says.
    pub fn submit(&self, request: &JobRequest, wait: Wait) -> Result<JobView, ClientError> {
        self.post(&format!("/v1/jobs{}", wait.query()), request)
    }

    /// A job, after waiting for its answer or its end if that is asked for; at most half a minute.
    ///
    /// # Errors
    /// What the coordinator says.
    pub fn job(&self, job: JobId, wait: Wait) -> Result<JobView, ClientError> {
        self.get(&format!("/v1/jobs/{job}{}", wait.query()))
    }

    /// Reveals a buyer's secret, after the answer: it is proven, or accepted.
    ///
    /// # Errors
    /// What the coordinator says.
    pub fn reveal(&self, job: JobId, secret: Hex<32>) -> Result<JobView, ClientError> {
        let lot = Reveal { secret: Some(secret), round: None };
        self.post(&format!("/v1/jobs/{job}/reveal"), &lot)
    }

    /// Hands in the signature of an answer's round of drand: it is proven, or accepted.
    ///
    /// # Errors
    /// What the coordinator says.
    pub fn draw(&self, job: JobId, signature: Hex<48>) -> Result<JobView, ClientError> {
        let lot = Reveal { secret: None, round: Some(signature) };
        self.post(&format!("/v1/jobs/{job}/reveal"), &lot)
    }

    /// The proof of a job that was paid.
    ///
    /// # Errors
    /// What the coordinator says.
    pub fn proof(&self, job: JobId) -> Result<Vec<u8>, ClientError> {
        self.ask("GET", &format!("/v1/jobs/{job}/proof"), Vec::new(), None).map(|(_, body)| body)
    }

    /// Takes back a job that nobody has yet.
    ///
    /// # Errors
    /// What the coordinator says.
    pub fn cancel(&self, buyer: &Identity, job: JobId) -> Result<JobView, ClientError> {
        self.signed(buyer, "DELETE", &format!("/v1/jobs/{job}"), Vec::new())
    }

    /// Says that a node is there; what it still has to do.
    ///
    /// # Errors
    /// What the coordinator says.
    pub fn hello(
        &self,
        node: &Identity,
        capabilities: Capabilities,
    ) -> Result<HelloReply, ClientError> {
        self.signed(node, "POST", "/v1/nodes", encode(&Hello { capabilities }))
    }

    /// Waits a while for a job.
    ///
    /// # Errors
    /// What the coordinator says.
    pub fn poll(&self, node: &Identity) -> Result<Option<Offer>, ClientError> {
        let (status, body) = self.ask("POST", "/v1/nodes/poll", Vec::new(), Some(node))?;
        if status == 204 { Ok(None) } else { self.decode(status, &body).map(Some) }
    }

    /// Gives an answer; that the job is the node's, durably.
    ///
    /// # Errors
    /// What the coordinator says.
    pub fn answer(&self, answer: &SignedAnswer) -> Result<Held, ClientError> {
        self.post(&format!("/v1/jobs/{}/answer", answer.job()), answer)
    }

    /// Gives a proof, a `.zkproof`, to be paid.
    ///
    /// # Errors
    /// What the coordinator says.
    pub fn prove(&self, job: JobId, proof: Vec<u8>) -> Result<(), ClientError> {
        self.ask("POST", &format!("/v1/jobs/{job}/proof"), proof, None).map(|_| ())
    }

    /// Gives a proof that contradicts the answer to a job.
    ///
    /// # Errors
    /// What the coordinator says.
    pub fn contradict(&self, job: JobId, proof: Vec<u8>) -> Result<(), ClientError> {
        self.ask("POST", &format!("/v1/jobs/{job}/contradiction"), proof, None).map(|_| ())
    }

    /// The box of a job that was sealed to a node.
    ///
    /// # Errors
    /// What the coordinator says.
    pub fn sealed_box(&self, node: &Identity, job: JobId) -> Result<SealedInput, ClientError> {
        self.signed(node, "GET", &format!("/v1/jobs/{job}/box"), Vec::new())
    }

    /// Shows that the sealed input of a job is none.
    ///
    /// # Errors
    /// What the coordinator says.
    pub fn fault(&self, evidence: &BoxEvidence) -> Result<(), ClientError> {
        let target = format!("/v1/jobs/{}/fault", evidence.job);
        self.ask("POST", &target, encode(evidence), None).map(|_| ())
    }

    /// Moves an amount from the balance to the bond.
    ///
    /// # Errors
    /// What the coordinator says.
    pub fn post_bond(&self, node: &Identity, amount: u128) -> Result<AccountView, ClientError> {
        self.signed(node, "POST", "/v1/bond", encode(&Move { amount: Decimal(amount) }))
    }

    /// Moves an amount from what is free of the bond to the balance.
    ///
    /// # Errors
    /// What the coordinator says.
    pub fn withdraw_bond(&self, node: &Identity, amount: u128) -> Result<AccountView, ClientError> {
        let body = encode(&Move { amount: Decimal(amount) });
        self.signed(node, "POST", "/v1/bond/withdrawal", body)
    }

    /// What an account has.
    ///
    /// # Errors
    /// What the coordinator says.
    pub fn account(&self, account: Address) -> Result<AccountView, ClientError> {
        self.get(&format!("/v1/accounts/{account}"))
    }

    /// All nodes.
    ///
    /// # Errors
    /// What the coordinator says.
    pub fn nodes(&self) -> Result<NodeList, ClientError> {
        self.get("/v1/nodes")
    }

    /// The whole log of the market of a coordinator with this key, checked, and its end.
    ///
    /// # Errors
    /// What the coordinator says, or a log that is none.
    pub fn log(&self, coordinator: Hex<32>) -> Result<(Vec<LogEntry>, Chain), ClientError> {
        let (mut all, mut chain) = (Vec::new(), Chain::new(self.chain_id, coordinator));
        loop {
            let LogPage { entries } = self.get(&format!("/v1/log?from={}", chain.len()))?;
            if entries.is_empty() {
                return Ok((all, chain));
            }
            entries.iter().try_for_each(|entry| chain.check(entry))?;
            all.extend(entries);
        }
    }

    /// A verifying key. The caller compares its digest with the one that is meant.
    ///
    /// # Errors
    /// What the coordinator says, or a key that is none.
    pub fn model(&self, model: Hex<32>) -> Result<VerifyingKey, ClientError> {
        let (_, body) = self.ask("GET", &format!("/v1/models/{model}"), Vec::new(), None)?;
        VerifyingKey::decode(&body).map_err(ClientError::Key)
    }

    /// The manifest of a model in parts. The caller compares its root with the one that is meant.
    ///
    /// # Errors
    /// What the coordinator says, or a manifest that is none.
    pub fn manifest(&self, model: Hex<32>) -> Result<Manifest, ClientError> {
        let (_, body) =
            self.ask("GET", &format!("/v1/models/{model}/manifest"), Vec::new(), None)?;
        Manifest::decode(&body).map_err(ClientError::Manifest)
    }

    /// A file of a model that the coordinator shares. The caller finds out whether it is that of the
    /// key.
    ///
    /// # Errors
    /// What the coordinator says.
    pub fn model_file(&self, model: Hex<32>, file: ModelFile) -> Result<Vec<u8>, ClientError> {
        let target = format!("/v1/models/{model}/{}", file.path());
        let patient = Self { agent: agent(MODEL_PATIENCE), limit: MAX_MODEL_BYTES, ..self.clone() };
        patient.ask("GET", &target, Vec::new(), None).map(|(_, body)| body)
    }

    fn get<T: DeserializeOwned>(&self, target: &str) -> Result<T, ClientError> {
        let (status, body) = self.ask("GET", target, Vec::new(), None)?;
        self.decode(status, &body)
    }

    fn post<T: DeserializeOwned>(
        &self,
        target: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        let (status, body) = self.ask("POST", target, encode(body), None)?;
        self.decode(status, &body)
    }

    fn signed<T: DeserializeOwned>(
        &self,
        identity: &Identity,
        method: &str,
        target: &str,
        body: Vec<u8>,
    ) -> Result<T, ClientError> {
        let (status, body) = self.ask(method, target, body, Some(identity))?;
        self.decode(status, &body)
    }

    /// Asks; status and body of a success.
    fn ask(
        &self,
        method: &str,
        target: &str,
        body: Vec<u8>,
        identity: Option<&Identity>,
    ) -> Result<(u16, Vec<u8>), ClientError> {
        let market = &self.market;
        let failed =
            |source| ClientError::Network { market: market.clone(), source: Box::new(source) };
        let mut request = Request::builder().method(method).uri(format!("{market}{target}"));
        if let Some(identity) = identity {
            let now = crate::server::unix_milliseconds();
            let signature =
                RequestSignature::new(identity, self.chain_id, (method, target), &body, now);
            for (name, value) in signature.ok_or(ClientError::Random)?.headers() {
                request = request.header(name, value);
            }
        }
        let mut response = if body.is_empty() && method != "POST" {
            let request = request.body(()).map_err(|error| failed(error.into()))?;
            self.agent.run(request).map_err(failed)?
        } else {
            let request = request.body(body).map_err(|error| failed(error.into()))?;
            self.agent.run(request).map_err(failed)?
        };
        let status = response.status().as_u16();
        let body =
            response.body_mut().with_config().limit(self.limit).read_to_vec().map_err(failed)?;
        if (200..300).contains(&status) {
            return Ok((status, body));
        }
        let problem = serde_json::from_slice(&body);
        Err(problem.map_or(ClientError::Answer { market: market.clone(), status }, |problem| {
            ClientError::Problem(problem)
        }))
    }

    fn decode<T: DeserializeOwned>(&self, status: u16, body: &[u8]) -> Result<T, ClientError> {
        serde_json::from_slice(body)
            .map_err(|_| ClientError::Answer { market: self.market.clone(), status })
    }
}

/// Until when to wait for a job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wait {
    /// Not at all.
    #[default]
    None,
    /// Until there is an answer.
    Answer,
    /// Until it has come to an end.
    End,
}

impl Wait {
    fn query(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Answer => "?wait=answer",
            Self::End => "?wait=end",
        }
    }
}

fn encode(value: &impl Serialize) -> Vec<u8> {
    // Every type of the wire has a form in JSON.
    serde_json::to_vec(value).unwrap_or_default()
}
