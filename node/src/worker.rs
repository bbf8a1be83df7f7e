//! A node: models with their keys, and the way to a coordinator.

mod load;
mod options;
mod pace;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use thiserror::Error;
use zkinfer::{
    Inference, PartRun,
    models::Execution,
    verifier::{Blinding, Digest, KeyDigest},
};
use zkinfer_settlement::JobId;

use crate::{
    account::Identity,
    answer::SignedAnswer,
    beacon::{round_at, round_of},
    client::{Client, ClientError},
    encoding::{Decimal, Hex},
    error::OfferError,
    execution::Trace,
    nodes::{Ask, Capabilities},
    offer::Offer,
    relay::relayed,
    sampling::{ALWAYS, Sampling},
    sealed::{SealError, Unsealed},
    served::Served,
    served_part::ServedPart,
    server::unix_milliseconds,
};

use load::{Loaded, load};
pub use options::{PartsOption, WorkerError, WorkerOptions};
use pace::{Clock, end_of_proof, microseconds, worth};

/// How long a node waits before it tries again.
const PAUSE: Duration = Duration::from_millis(500);
/// Answered jobs that wait for the prover, beyond which no more are answered.
const BACKLOG: usize = 1_024;

/// Something to prove.
struct Answered {
    offer: Offer,
    run: Run,
    prove_by: u64,
    /// How long the proof takes, as it was quoted.
    seconds: f64,
}

/// A run of a model, or of a part of one.
enum Run {
    Whole(Arc<Execution>, Option<Blinding>),
    Part(PartRun),
}

/// A node that is ready.
pub struct Worker {
    client: Client,
    market: String,
    identity: Identity,
    models: BTreeMap<KeyDigest, Served>,
    /// By the root of the manifest and the place.
    parts: BTreeMap<(Hex<32>, usize), ServedPart>,
    chain_id: u64,
    clock: Clock,
    slots: u32,
    answerers: usize,
    bond: u128,
    ask: u128,
    rate: u128,
    drand: Option<String>,
    /// Answers whose lots rounds of drand will draw, by the round.
    to_draw: Mutex<BTreeSet<(u64, JobId)>>,
    /// Offers of jobs that the node had before, for whoever answers next.
    held: Mutex<VecDeque<Offer>>,
    /// What is still to be proven, in microseconds of proving.
    backlog: AtomicU64,
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
        let Loaded { models, parts } = load(options, &client, &view)?;
        let served = |model: &Hex<32>| models.contains_key(&KeyDigest(Digest(model.0)));
        let has_parts = parts.keys().any(|(root, _)| view.manifests.contains(root));
        if !view.models.iter().any(served) && !has_parts {
            return Err(WorkerError::NotServed { market: options.market.clone() });
        }
        Ok(Self {
            client,
            market: options.market.clone(),
            identity,
            models,
            parts,
            chain_id: view.chain_id.0,
            clock: Clock::set(view.now),
            slots: options.slots,
            answerers: options.answerers.max(1),
            bond: options.bond,
            ask: options.ask,
            rate: options.rate,
            drand: options.drand.clone(),
            to_draw: Mutex::default(),
            held: Mutex::default(),
            backlog: AtomicU64::new(0),
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
            warn(&error, "the bond is not filled up");
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
        let asks: Vec<Ask> = self.asks().collect();
        let capabilities = Capabilities {
            models: asks.iter().map(|ask| ask.model).collect(),
            slots: self.slots,
            device: "cpu".to_owned(),
            memory_bytes: 0,
            asks: Some(asks),
            key: Some(self.identity.public_key()),
        };
        let held = self.client.hello(&self.identity, capabilities)?.held;
        self.held.lock().unwrap_or_else(PoisonError::into_inner).extend(held);
        Ok(())
    }

    /// What this node wants for a job of each model and part, at least.
    fn asks(&self) -> impl Iterator<Item = Ask> {
        let models = self.models.values().map(|one| (one.digest(), one.quoted_seconds));
        let parts = self.parts.values().map(|one| (one.digest(), one.quoted_seconds));
        models.chain(parts).map(|(model, seconds)| Ask {
            model: Hex(model.0.0),
            price: Decimal(self.ask_for(seconds)),
        })
    }

    /// What it wants for a proof that takes so long.
    fn ask_for(&self, seconds: f64) -> u128 {
        self.ask.max(worth(self.rate, seconds))
    }

    /// Whether it pays what a proof of so many seconds is worth, and leaves time for one after those that
    /// were promised before: what is answered and not proven costs the stake.
    fn check_worth(&self, offer: &Offer, seconds: f64) -> Result<(), OfferError> {
        if offer.answered {
            return Ok(());
        }
        let (got, least) = (offer.price.0, self.ask_for(seconds));
        if got < least {
            return Err(OfferError::Price { got, least });
        }
        let backlog = self.backlog.load(Ordering::Relaxed);
        let earliest = end_of_proof(self.clock.now(), backlog, seconds);
        let latest = offer.prove_by;
        if earliest > latest { Err(OfferError::Late { earliest, latest }) } else { Ok(()) }
    }

    /// Hands a run to the prover; waits while it is behind.
    fn promise(
        &self,
        answered: Answered,
        to_prove: &SyncSender<Answered>,
    ) -> Result<(), TakeError> {
        self.backlog.fetch_add(microseconds(answered.seconds), Ordering::Relaxed);
        to_prove.send(answered).map_err(|_| TakeError::Ended)
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
            let error: &(dyn std::error::Error + 'static) = &error;
            tracing::warn!(%job, error, "the offer is not taken");
        }
    }

    fn try_take(&self, offer: Offer, to_prove: &SyncSender<Answered>) -> Result<(), TakeError> {
        if let Some(part) = &offer.part {
            let index = usize::try_from(part.index).unwrap_or(usize::MAX);
            let part = self.parts.get(&(offer.order.model, index)).ok_or(TakeError::Model)?;
            return self.take_part(part, offer, to_prove);
        }
        let model = self.models.get(&offer.order.model()).ok_or(TakeError::Model)?;
        offer.check(self.chain_id, model.key())?;
        self.check_worth(&offer, model.quoted_seconds)?;
        let Some(input) = self.input_of(&offer, model)? else { return Ok(()) };
        let execution = Arc::new(model.run(&input.values)?);
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
        let (run, seconds) = (Run::Whole(execution, input.blinding), model.quoted_seconds);
        self.promise(Answered { offer, run, prove_by, seconds }, to_prove)
    }

    /// The input of an offer; none if it is sealed and no input: then the coordinator is shown that.
    fn input_of(&self, offer: &Offer, model: &Served) -> Result<Option<Unsealed>, TakeError> {
        let Some(boxes) = &offer.sealed else {
            return Ok(Some(Unsealed { values: offer.input.clone(), blinding: None }));
        };
        let own = boxes.iter().find(|one| one.node == self.identity.public_key());
        let own = own.ok_or(SealError::NoBox)?;
        let fault = match own.open(&self.identity, &offer.order, model.key()) {
            Ok(input) => return Ok(Some(input)),
            Err(fault) => fault,
        };
        tracing::warn!(job = %offer.job, %fault, "the sealed input is none");
        self.client.fault(&own.evidence(&self.identity, JobId(offer.job.0))?)?;
        Ok(None)
    }

    /// Answers a part, and hands it to the prover.
    fn take_part(
        &self,
        part: &ServedPart,
        offer: Offer,
        to_prove: &SyncSender<Answered>,
    ) -> Result<(), TakeError> {
        part.check(self.chain_id, &offer)?;
        self.check_worth(&offer, part.quoted_seconds)?;
        let run = part.run(&offer)?;
        let mut prove_by = offer.prove_by;
        if !offer.answered {
            let answer = part.answer(&self.identity, &offer, &run);
            prove_by = self.hand_in_answer(&answer, offer.answer_by)?.unwrap_or(prove_by);
        }
        let (run, seconds) = (Run::Part(run), part.quoted_seconds);
        self.promise(Answered { offer, run, prove_by, seconds }, to_prove)
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
        for Answered { offer, run, prove_by, seconds } in proofs {
            let job = JobId(offer.job.0);
            match self.prove(&offer, &run) {
                Some(Ok(proof)) => self.hand_in(job, proof, prove_by),
                Some(Err(error)) => tracing::error!(%job, %error, "the proof failed"),
                None => {}
            }
            self.backlog.fetch_sub(microseconds(seconds), Ordering::Relaxed);
        }
    }

    /// The `.zkproof` of a run; none of a model that this node does not have.
    fn prove(&self, offer: &Offer, run: &Run) -> Option<Result<Vec<u8>, zkinfer::Error>> {
        match run {
            Run::Whole(execution, input_blinding) => {
                let model = self.models.get(&offer.order.model())?;
                let binding = offer.order.binding(self.identity.address());
                let input_blinding = *input_blinding;
                let inference = Inference { input_blinding, ..Inference::new(execution, binding) };
                let proven = model.keys.prove(inference, &|_| ());
                Some(proven.map(|proven| proven.file.encode().into_bytes()))
            }
            Run::Part(run) => {
                let index = usize::try_from(offer.part.as_ref()?.index).ok()?;
                let part = self.parts.get(&(offer.order.model, index))?;
                Some(part.prove(&self.identity, offer, run))
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
                Err(error) => {
                    let error: &(dyn std::error::Error + 'static) = &error;
                    tracing::warn!(%job, error, "the proof is not paid");
                }
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
    Part(#[from] zkinfer::Error),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("the prover has ended")]
    Ended,
}

/// Says what is wrong, and why.
fn warn(error: &ClientError, what: &str) {
    let error: &(dyn std::error::Error + 'static) = error;
    tracing::warn!(error, what);
}

fn pause(error: &ClientError) {
    warn(error, "trying again");
    thread::sleep(PAUSE);
}
