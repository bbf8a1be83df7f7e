//! A node: models with their keys, and the way to a coordinator.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use thiserror::Error;
use zkinfer::{
    Inference,
    models::Execution,
    verifier::{Digest, KeyDigest, VerifyingKey, Visibility},
};
use zkinfer_settlement::JobId;

use crate::{
    account::{Identity, IdentityError},
    answer::SignedAnswer,
    beacon::{round_at, round_of},
    client::{Client, ClientError},
    encoding::Hex,
    error::OfferError,
    execution::Trace,
    fetched::{FetchError, fetch},
    nodes::Capabilities,
    order::Offer,
    relay::relayed,
    sampling::{ALWAYS, Sampling},
    served::Served,
    server::unix_milliseconds,
    wire::MarketView,
};

/// How long a node waits before it tries again.
const PAUSE: Duration = Duration::from_millis(500);
/// Answered jobs that wait for the prover, beyond which no more are answered.
const BACKLOG: usize = 1_024;

/// What a node is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerOptions {
    /// Where the coordinator is.
    pub market: String,
    /// The file of the node's key, made where there is none.
    pub identity: PathBuf,
    /// ONNX files, each with its settings and key beside it. Where none is named, the node serves all
    /// models that the coordinator shares.
    pub models: Vec<PathBuf>,
    /// The folder of the models that the coordinator shares.
    pub fetched: PathBuf,
    /// A ceremony's file; the development setup where none is given.
    pub srs: Option<PathBuf>,
    /// Jobs to have at once.
    pub slots: u32,
    /// Answers to be computed at once.
    pub answerers: usize,
    /// What is to be free of the bond at the start; taken from the balance.
    pub bond: u128,
    /// A relay of drand, for the rounds that draw lots of the node's answers.
    pub drand: Option<String>,
}

/// Why a node does not start, or ends.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// A model, its settings or its keys.
    #[error(transparent)]
    Model(#[from] zkinfer::Error),
    /// No model.
    #[error("there is no model to serve: the coordinator shares none, so name one with --model")]
    NoModels,
    /// A model that the coordinator shares.
    #[error("the model {model} cannot be had from the coordinator")]
    Fetch {
        /// Its digest.
        model: Hex<32>,
        /// Why not.
        source: FetchError,
    },
    /// Models that hide their input or output cannot be served.
    #[error("{path} hides its input or output: a market serves only models that show both")]
    Hidden {
        /// The model.
        path: PathBuf,
    },
    /// The coordinator serves none of the models.
    #[error("the coordinator at {market} serves none of these models: it must have their .zkvk")]
    NotServed {
        /// Where it is.
        market: String,
    },
    /// The node's own key.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The coordinator.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The prover has failed.
    #[error("the prover of this node has ended")]
    Ended,
}

/// Something to prove.
struct Answered {
    offer: Offer,
    execution: Arc<Execution>,
    prove_by: u64,
}

/// A node that is ready.
pub struct Worker {
    client: Client,
    market: String,
    identity: Identity,
    models: BTreeMap<KeyDigest, Served>,
    chain_id: u64,
    slots: u32,
    answerers: usize,
    bond: u128,
    drand: Option<String>,
    /// Answers whose lots rounds of drand will draw, by the round.
    to_draw: Mutex<BTreeSet<(u64, JobId)>>,
    /// Offers of jobs that the node had before, for whoever answers next.
    held: Mutex<VecDeque<Offer>>,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("identity", &self.identity).finish_non_exhaustive()
    }
}

impl Worker {
    /// Loads models and keys, and finds the coordinator.
    ///
    /// # Errors
    /// Why there is no node.
    pub fn new(options: &WorkerOptions) -> Result<Self, WorkerError> {
        let identity = Identity::load_or_create(&options.identity)?;
        let (client, view) = Client::connect(&options.market)?;
        let models = load_all(options, &client, &view)?;
        let served = |model: &Hex<32>| models.contains_key(&KeyDigest(Digest(model.0)));
        if !view.models.iter().any(served) {
            return Err(WorkerError::NotServed { market: options.market.clone() });
        }
        Ok(Self {
            client,
            market: options.market.clone(),
            identity,
            models,
            chain_id: view.chain_id.0,
            slots: options.slots,
            answerers: options.answerers.max(1),
            bond: options.bond,
            drand: options.drand.clone(),
            to_draw: Mutex::default(),
            held: Mutex::default(),
        })
    }

    /// The node's account.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Answers and proves until `stop`; then proves what was answered.
    ///
    /// # Errors
    /// If the coordinator refuses the node at the start, or the prover fails.
    pub fn run(&self, stop: &AtomicBool) -> Result<(), WorkerError> {
        let account = self.client.account(self.identity.address())?;
        let missing = self.bond.saturating_sub(account.bond.0);
        if missing > 0
            && let Err(error) = self.client.post_bond(&self.identity, missing)
        {
            // What is at stake for jobs that it still has is no longer free, nor needed again.
            tracing::warn!(%error, "the bond is not filled up");
        }
        self.hello()?;
        tracing::info!(account = %self.identity.address(), market = %self.market, "node");
        let (to_prove, proofs) = sync_channel::<Answered>(BACKLOG);
        thread::scope(|scope| {
            let prover = scope.spawn(|| self.prove_all(proofs));
            for _ in 0..self.answerers {
                let to_prove = to_prove.clone();
                scope.spawn(move || self.answer_all(stop, &to_prove));
            }
            if let Some(relay) = &self.drand {
                scope.spawn(move || self.draw_all(relay, stop));
            }
            drop(to_prove);
            prover.join().map_err(|_| WorkerError::Ended)
        })
    }

    /// Says that it is there, and takes note of what it still has to do.
    fn hello(&self) -> Result<(), ClientError> {
        let capabilities = Capabilities {
            models: self.models.keys().map(|model| Hex(model.0.0)).collect(),
            slots: self.slots,
            device: "cpu".to_owned(),
            memory_bytes: 0,
        };
        let held = self.client.hello(&self.identity, capabilities)?.held;
        self.held.lock().unwrap_or_else(PoisonError::into_inner).extend(held);
        Ok(())
    }

    /// The next offer: one that the node had before, or else a new one, after a while at most.
    fn next(&self) -> Result<Option<Offer>, ClientError> {
        let held = self.next_held();
        if held.is_some() {
            return Ok(held);
        }
        match self.client.poll(&self.identity) {
            // The coordinator was started anew; it says what this node still has.
            Err(error) if error.problem() == Some("unknown-node") => self.hello().map(|()| None),
            polled => polled,
        }
    }

    fn next_held(&self) -> Option<Offer> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// Asks for jobs and answers them.
    fn answer_all(&self, stop: &AtomicBool, to_prove: &SyncSender<Answered>) {
        while !stop.load(Ordering::Relaxed) {
            match self.next() {
                Ok(Some(offer)) => self.take(offer, to_prove),
                Ok(None) => {}
                Err(error) => pause(&error),
            }
        }
        while let Some(offer) = self.next_held() {
            if offer.answered {
                self.take(offer, to_prove);
            }
        }
    }

    /// Answers one offer, and hands it to the prover.
    fn take(&self, offer: Offer, to_prove: &SyncSender<Answered>) {
        let job = offer.job;
        if let Err(error) = self.try_take(offer, to_prove) {
            tracing::warn!(%job, %error, "the offer is not taken");
        }
    }

    fn try_take(&self, offer: Offer, to_prove: &SyncSender<Answered>) -> Result<(), TakeError> {
        let model = self.models.get(&offer.order.model()).ok_or(TakeError::Model)?;
        offer.check(self.chain_id, model.key())?;
        let execution = Arc::new(model.run(&offer.input)?);
        let mut prove_by = offer.prove_by;
        if !offer.answered {
            let output = execution.outputs(&model.graph).concat();
            let trace = Trace::of(&model.graph, &execution.values);
            let answer = SignedAnswer::new(&self.identity, &offer, output, &trace);
            prove_by = self.hand_in_answer(&answer, offer.answer_by)?.unwrap_or(prove_by);
            if offer.rate < ALWAYS {
                // It is offered again if it is drawn.
                if offer.order.sampling.as_ref().is_some_and(Sampling::is_by_beacon) {
                    let mut to_draw = self.to_draw.lock().unwrap_or_else(PoisonError::into_inner);
                    to_draw.insert((round_of(&answer.answer), answer.job()));
                }
                return Ok(());
            }
        }
        // Waits while the prover is behind: no more is promised than can be proven.
        to_prove.send(Answered { offer, execution, prove_by }).map_err(|_| TakeError::Ended)
    }

    /// Hands an answer in, again and again while the coordinator cannot be reached: if it has the
    /// answer and this node forgot it, the stake would be lost. The moment for the proof, if the
    /// coordinator says it; it has said it before if it had the answer.
    fn hand_in_answer(
        &self,
        answer: &SignedAnswer,
        answer_by: u64,
    ) -> Result<Option<u64>, ClientError> {
        loop {
            match self.client.answer(answer) {
                Ok(held) => return Ok(Some(held.prove_by)),
                Err(error) if error.problem() == Some("answered") => return Ok(None),
                Err(error) if error.is_passing() && unix_milliseconds() / 1_000 <= answer_by => {
                    pause(&error);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Hands in the rounds of drand that draw the lots of this node's answers, as they come. One that
    /// is not to be had costs a proof.
    fn draw_all(&self, relay: &str, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            thread::sleep(PAUSE);
            let come = round_at(unix_milliseconds() / 1_000);
            let due = {
                let mut to_draw = self.to_draw.lock().unwrap_or_else(PoisonError::into_inner);
                let later = to_draw.split_off(&(come.saturating_add(1), JobId([0; 32])));
                std::mem::replace(&mut *to_draw, later)
            };
            for (round, job) in due {
                let drawn = relayed(relay, round).map_err(|error| error.to_string());
                let drawn = drawn.and_then(|signature| {
                    self.client.draw(job, signature).map_err(|error| error.to_string())
                });
                if let Err(error) = drawn {
                    tracing::warn!(%job, %error, "the lot is not drawn");
                }
            }
        }
    }

    /// Proves what was answered, in its order.
    fn prove_all(&self, proofs: Receiver<Answered>) {
        for Answered { offer, execution, prove_by } in proofs {
            let job = JobId(offer.job.0);
            let Some(model) = self.models.get(&offer.order.model()) else { continue };
            let binding = offer.order.binding(self.identity.address());
            match model.keys.prove(Inference::new(&execution, binding), &|_| ()) {
                Ok(proven) => self.hand_in(job, proven.file.encode().into_bytes(), prove_by),
                Err(error) => tracing::error!(%job, %error, "the proof failed"),
            }
        }
    }

    /// Hands a proof in, again and again while the coordinator cannot be reached.
    fn hand_in(&self, job: JobId, proof: Vec<u8>, prove_by: u64) {
        loop {
            match self.client.prove(job, proof.clone()) {
                Ok(()) => tracing::info!(%job, "proven"),
                Err(error) if error.is_passing() && unix_milliseconds() / 1_000 <= prove_by => {
                    pause(&error);
                    continue;
                }
                Err(error) => tracing::warn!(%job, %error, "the proof is not paid"),
            }
            return;
        }
    }
}

/// Why an offer is not taken.
#[derive(Debug, Error)]
enum TakeError {
    #[error("the node does not have the model")]
    Model,
    #[error(transparent)]
    Offer(#[from] OfferError),
    #[error(transparent)]
    Run(#[from] zkinfer::models::RunError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("the prover has ended")]
    Ended,
}

fn pause(error: &ClientError) {
    tracing::warn!(%error, "trying again");
    thread::sleep(PAUSE);
}

/// The models that a node is told to serve, or else those that the coordinator shares.
fn load_all(
    options: &WorkerOptions,
    client: &Client,
    view: &MarketView,
) -> Result<BTreeMap<KeyDigest, Served>, WorkerError> {
    let srs = options.srs.as_deref();
    let own = options.models.iter().map(|path| shown(Served::load(path, srs)?, path));
    let shared = view.models.iter().filter(|_| options.models.is_empty() && view.shares_models);
    let shared = shared.map(|&model| {
        let fetched = fetch(client, model, &options.fetched, srs);
        shown(fetched.map_err(|source| WorkerError::Fetch { model, source })?, &options.fetched)
    });
    let models = own.chain(shared).map(|served| served.map(|served| (served.digest(), served)));
    let models: BTreeMap<_, _> = models.collect::<Result<_, WorkerError>>()?;
    if models.is_empty() { Err(WorkerError::NoModels) } else { Ok(models) }
}

/// A model that a market can have: its claims show input and output.
fn shown(served: Served, path: &Path) -> Result<Served, WorkerError> {
    let layout = &served.key().parts().layout;
    let shown = [layout.input_visibility, layout.output_visibility];
    if shown == [Visibility::Public; 2] {
        Ok(served)
    } else {
        Err(WorkerError::Hidden { path: path.to_owned() })
    }
}

impl Offer {
    /// Whether it is worth a node's while: an order of its buyer for the node's own key.
    ///
    /// # Errors
    /// Why it is not.
    pub fn check(&self, chain_id: u64, key: &VerifyingKey) -> Result<(), OfferError> {
        let Self { order, signature, input, .. } = self;
        let request = crate::order::JobRequest {
            order: order.clone(),
            signature: *signature,
            input: input.clone(),
        };
        request.check(chain_id, key)?;
        if self.order.job() != JobId(self.job.0) {
            return Err(OfferError::Name);
        }
        let ordered = self.reveal_by <= self.prove_by && self.prove_by <= order.deadline;
        if self.answer_by > order.deadline || !ordered {
            return Err(OfferError::Moments);
        }
        Ok(())
    }
}
