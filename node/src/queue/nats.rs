//! The queue in a NATS server with JetStream: jobs are messages of a work-queue stream.
//!
//! A message that a coordinator has taken is unacknowledged. While the coordinator lives, it says
//! again and again that the work goes on, and gives the message back when the lease is over; if the
//! coordinator dies, the server gives it to the next one after its acknowledgement deadline. Only a
//! job that is dropped is acknowledged.
//!
//! | what | where |
//! |---|---|
//! | a job | `zkinfer.MARKET.job.MODEL.JOB`: the job's 32 bytes; one message a subject |
//! | a dead job | `zkinfer.MARKET.dead.JOB`, in a stream of its own |
//! | who takes jobs of a model | the durable pull consumer `MODEL`, which filters its subject |
//!
//! How often a job was delivered is the number that comes with each delivery. The server's advisory
//! about worn-out messages is not used: nobody hears it while no coordinator runs.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use async_nats::{
    ConnectOptions,
    jetstream::{
        self, AckKind, Context, Message,
        consumer::{AckPolicy, PullConsumer, pull},
        context::PublishErrorKind,
        message::PublishMessage,
        stream::{Config, DiscardPolicy, RetentionPolicy, Stream},
    },
};
use futures_util::{StreamExt, TryStreamExt};
use tokio::runtime::Runtime;
use zkinfer::verifier::KeyDigest;
use zkinfer_settlement::JobId;

use super::{Depth, Queue, QueueError, Taken};
use crate::encoding::Hex;

/// How long the server waits for a word about a message.
const ACK_WAIT: Duration = Duration::from_secs(30);
/// How often that word is given.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// How long an operation may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long nothing is asked of a server that did not answer.
const REST: Duration = Duration::from_secs(5);
/// Jobs that may be taken at once.
const MAX_TAKEN: i64 = 1_000_000;
/// Dead jobs that are read at once.
const PAGE: usize = 1_000;

/// Whatever goes wrong with a server.
type Fault = Box<dyn std::error::Error + Send + Sync>;

/// Messages that must not be given to anybody else.
type Alive = Arc<Mutex<BTreeMap<JobId, Arc<Message>>>>;

/// A message that is out of the server.
#[derive(Debug)]
struct Held {
    message: Arc<Message>,
    job: JobId,
    /// Its place in the stream.
    sequence: u64,
    deliveries: u32,
    /// Until when it is out of sight, in Unix milliseconds.
    until: u64,
}

/// A queue in a NATS server.
#[derive(Debug)]
pub struct NatsQueue {
    /// Taken last by `Drop`, without waiting for it.
    runtime: Option<Runtime>,
    context: Context,
    jobs: Stream,
    dead: Stream,
    subject: String,
    max_deliveries: u32,
    consumers: BTreeMap<KeyDigest, PullConsumer>,
    /// Jobs that were asked for where others came first or were wanted, in the order of the stream.
    ready: BTreeMap<u64, (KeyDigest, Held)>,
    taken: BTreeMap<JobId, Held>,
    /// Moments until which jobs are hidden that were not taken from here.
    hidden: BTreeMap<JobId, u64>,
    /// Oldest first.
    dead_jobs: Vec<JobId>,
    alive: Alive,
    /// Nothing is asked before, because the server did not answer a moment ago.
    down_until: Mutex<Option<Instant>>,
}

/// What a queue in a NATS server is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NatsOptions {
    /// Where the server is, as `nats://127.0.0.1:4222`.
    pub url: String,
    /// The seed of an nkey to log in with, if the server asks for one.
    pub nkey: Option<String>,
    /// The market, so that several can use one server.
    pub market: u64,
    /// How often a job is given out.
    pub max_deliveries: u32,
}

fn failed(what: &'static str) -> impl Fn(Fault) -> QueueError {
    move |source| QueueError::Nats { what, source }
}

impl NatsQueue {
    /// The queue of a market in a server, which is made where there is none. Jobs that a coordinator
    /// had taken, which is no more, wait again.
    ///
    /// # Errors
    /// If the server cannot be reached, has no JetStream, or does not let this client in.
    pub fn open(options: &NatsOptions) -> Result<Self, QueueError> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|error| failed("start")(error.into()))?;
        let opening = open(options.clone());
        let opened = wait(&runtime, opening).map_err(failed("open"))?;
        let Opened { context, jobs, dead, dead_jobs } = opened;
        let alive = Alive::default();
        runtime.spawn(keep_alive(alive.clone()));
        Ok(Self {
            runtime: Some(runtime),
            context,
            jobs,
            dead,
            subject: subject_of(options.market),
            max_deliveries: options.max_deliveries,
            consumers: BTreeMap::new(),
            ready: BTreeMap::new(),
            taken: BTreeMap::new(),
            hidden: BTreeMap::new(),
            dead_jobs,
            alive,
            down_until: Mutex::new(None),
        })
    }

    fn wait<T: Send + 'static>(
        &self,
        what: &'static str,
        future: impl Future<Output = Result<T, Fault>> + Send + 'static,
    ) -> Result<T, QueueError> {
        let Some(runtime) = &self.runtime else {
            return Err(failed(what)("the queue is closed".into()));
        };
        let mut down_until = self.down_until.lock().unwrap_or_else(PoisonError::into_inner);
        if down_until.is_some_and(|until| Instant::now() < until) {
            return Err(failed(what)("the server did not answer a moment ago".into()));
        }
        let (start, outcome) = (Instant::now(), wait(runtime, future));
        // Who has waited in vain for so long does not let everybody else wait too.
        let in_vain = outcome.is_err() && start.elapsed() > PATIENCE / 2;
        *down_until = in_vain.then(|| Instant::now() + REST);
        outcome.map_err(failed(what))
    }

    fn acknowledge(&self, message: &Arc<Message>, kind: AckKind) -> Result<(), QueueError> {
        let message = message.clone();
        self.wait("acknowledge", async move { message.double_ack_with(kind).await })
    }

    /// Gives back what has been out of sight for long enough; what was given out too often is dead.
    fn give_back(&mut self, now: u64) -> Result<(), QueueError> {
        let over = self.taken.iter().filter(|(_, held)| held.until <= now);
        for job in over.map(|(job, _)| *job).collect::<Vec<_>>() {
            let Some(held) = self.taken.remove(&job) else { continue };
            self.forget(job);
            if held.deliveries >= self.max_deliveries {
                self.bury(&held)?;
            } else {
                self.acknowledge(&held.message, AckKind::Nak(None))?;
            }
        }
        Ok(())
    }

    fn bury(&mut self, held: &Held) -> Result<(), QueueError> {
        let (context, job) = (self.context.clone(), held.job);
        let subject = format!("{}.dead.{job}", self.subject);
        self.wait("bury", async move {
            context.publish(subject, job.0.to_vec().into()).await?.await?;
            Ok(())
        })?;
        self.acknowledge(&held.message, AckKind::Ack)?;
        if !self.dead_jobs.contains(&job) {
            self.dead_jobs.push(job);
        }
        Ok(())
    }

    fn forget(&self, job: JobId) {
        self.alive.lock().unwrap_or_else(PoisonError::into_inner).remove(&job);
    }

    fn consumer(&mut self, model: KeyDigest) -> Result<PullConsumer, QueueError> {
        if let Some(known) = self.consumers.get(&model) {
            return Ok(known.clone());
        }
        let (stream, name) = (self.jobs.clone(), Hex(model.0.0).to_string());
        let config = consumer_config(&name, &self.subject);
        let made = self.wait("consume", async move {
            let consumer = stream.get_or_create_consumer(&name, config).await?;
            Ok(consumer)
        })?;
        self.consumers.insert(model, made.clone());
        Ok(made)
    }

    /// Takes the next job of a model out of the server, if there is one.
    fn fetch(&mut self, model: KeyDigest) -> Result<Option<Held>, QueueError> {
        let consumer = self.consumer(model)?;
        let message = self.wait("take", async move {
            let mut batch = consumer.fetch().max_messages(1).messages().await?;
            batch.next().await.transpose()
        })?;
        let Some(message) = message else { return Ok(None) };
        let info = message.info().map_err(failed("take"))?;
        let sequence = info.stream_sequence;
        let deliveries = u32::try_from(info.delivered).unwrap_or(u32::MAX);
        let job = message.payload.as_ref().try_into().map(JobId);
        let job = job.map_err(|_| QueueError::Damaged)?;
        let message = Arc::new(message);
        let mut alive = self.alive.lock().unwrap_or_else(PoisonError::into_inner);
        alive.insert(job, message.clone());
        Ok(Some(Held { message, job, sequence, deliveries, until: 0 }))
    }

    /// Makes sure that the next job of a model that is wanted is at hand, if there is one that is not
    /// hidden.
    fn prepare(
        &mut self,
        model: KeyDigest,
        now: u64,
        wanted: &mut dyn FnMut(JobId) -> bool,
    ) -> Result<(), QueueError> {
        while !self.ready.values().any(|(of, held)| *of == model && wanted(held.job)) {
            let Some(mut held) = self.fetch(model)? else { break };
            if held.deliveries > self.max_deliveries {
                self.forget(held.job);
                self.bury(&held)?;
                continue;
            }
            match self.hidden.remove(&held.job).filter(|until| *until > now) {
                Some(until) => {
                    held.until = until;
                    self.taken.insert(held.job, held);
                }
                None => {
                    self.ready.insert(held.sequence, (model, held));
                }
            }
        }
        Ok(())
    }
}

impl Queue for NatsQueue {
    fn put(&mut self, job: JobId, model: KeyDigest) -> Result<(), QueueError> {
        if self.dead_jobs.contains(&job) {
            return Ok(());
        }
        let subject = format!("{}.job.{}.{job}", self.subject, Hex(model.0.0));
        let message = PublishMessage::build().payload(job.0.to_vec().into());
        // Only where the subject has no message.
        let message = message.expected_last_subject_sequence(0);
        let context = self.context.clone();
        self.wait("put", async move {
            match context.send_publish(subject, message).await?.await {
                Ok(_) => Ok(()),
                Err(error) if error.kind() == PublishErrorKind::WrongLastSequence => Ok(()),
                Err(error) => Err(error.into()),
            }
        })
    }

    fn take(
        &mut self,
        models: &[KeyDigest],
        now: u64,
        until: u64,
        wanted: &mut dyn FnMut(JobId) -> bool,
    ) -> Result<Option<Taken>, QueueError> {
        self.give_back(now)?;
        let models: BTreeSet<KeyDigest> = models.iter().copied().collect();
        for model in &models {
            self.prepare(*model, now, wanted)?;
        }
        let first = self
            .ready
            .iter()
            .find(|(_, (model, held))| models.contains(model) && wanted(held.job))
            .map(|(sequence, _)| *sequence);
        let Some((_, mut held)) = first.and_then(|sequence| self.ready.remove(&sequence)) else {
            return Ok(None);
        };
        held.until = until;
        let taken = Taken { job: held.job, deliveries: held.deliveries };
        self.taken.insert(held.job, held);
        Ok(Some(taken))
    }

    fn hide(&mut self, job: JobId, until: u64) -> Result<(), QueueError> {
        match self.taken.get_mut(&job) {
            Some(held) => held.until = until,
            None => {
                self.hidden.insert(job, until);
            }
        }
        Ok(())
    }

    fn drop_job(&mut self, job: JobId) -> Result<(), QueueError> {
        self.hidden.remove(&job);
        self.forget(job);
        if let Some(held) = self.taken.remove(&job) {
            return self.acknowledge(&held.message, AckKind::Ack);
        }
        let ready = self.ready.iter().find(|(_, (_, held))| held.job == job);
        if let Some(sequence) = ready.map(|(sequence, _)| *sequence)
            && let Some((_, held)) = self.ready.remove(&sequence)
        {
            return self.acknowledge(&held.message, AckKind::Ack);
        }
        let (stream, filter) = if self.dead_jobs.contains(&job) {
            self.dead_jobs.retain(|dead| *dead != job);
            (self.dead.clone(), format!("{}.dead.{job}", self.subject))
        } else {
            (self.jobs.clone(), format!("{}.job.*.{job}", self.subject))
        };
        self.wait("drop", async move {
            stream.purge().filter(filter).await?;
            Ok(())
        })
    }

    fn dead(&mut self) -> Result<Vec<JobId>, QueueError> {
        Ok(self.dead_jobs.clone())
    }

    fn depth(&mut self, now: u64) -> Result<Depth, QueueError> {
        let stream = self.jobs.clone();
        let all = self.wait("count", async move { Ok(stream.get_info().await?.state.messages) })?;
        let taken = self.taken.values().filter(|held| held.until > now).count();
        let taken = u64::try_from(taken).unwrap_or(u64::MAX);
        let dead = u64::try_from(self.dead_jobs.len()).unwrap_or(u64::MAX);
        Ok(Depth { waiting: all.saturating_sub(taken), taken, dead })
    }

    fn max_deliveries(&self) -> u32 {
        self.max_deliveries
    }
}

impl Drop for NatsQueue {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Does something in the queue's own threads, wherever it is called from.
fn wait<T: Send + 'static>(
    runtime: &Runtime,
    future: impl Future<Output = Result<T, Fault>> + Send + 'static,
) -> Result<T, Fault> {
    let (tell, told) = std::sync::mpsc::sync_channel(1);
    runtime.spawn(async move {
        let outcome = tokio::time::timeout(PATIENCE, future).await;
        let outcome = outcome.unwrap_or_else(|_| Err("the server does not answer in time".into()));
        let _nobody_waits = tell.send(outcome);
    });
    told.recv().unwrap_or_else(|_| Err("the queue is closed".into()))
}

/// What is found in a server.
struct Opened {
    context: Context,
    jobs: Stream,
    dead: Stream,
    dead_jobs: Vec<JobId>,
}

fn subject_of(market: u64) -> String {
    format!("zkinfer.{market}")
}

fn consumer_config(name: &str, subject: &str) -> pull::Config {
    pull::Config {
        durable_name: Some(name.to_owned()),
        filter_subject: format!("{subject}.job.{name}.*"),
        ack_policy: AckPolicy::Explicit,
        ack_wait: ACK_WAIT,
        max_ack_pending: MAX_TAKEN,
        ..pull::Config::default()
    }
}

async fn open(options: NatsOptions) -> Result<Opened, Fault> {
    let NatsOptions { url, nkey, market, .. } = options;
    let connect = nkey.map_or_else(ConnectOptions::new, ConnectOptions::with_nkey);
    let client = connect.request_timeout(Some(PATIENCE)).connect(url).await?;
    let context = jetstream::new(client);
    let subject = subject_of(market);
    let stream = |kind: &str, retention, limit: i64| Config {
        name: format!("zkinfer-{market}-{kind}"),
        subjects: vec![format!("{subject}.{kind}.>")],
        retention,
        max_messages_per_subject: limit,
        discard: DiscardPolicy::New,
        discard_new_per_subject: true,
        ..Config::default()
    };
    let work = stream("job", RetentionPolicy::WorkQueue, 1);
    let jobs = context.get_or_create_stream(work).await?;
    let letters = stream("dead", RetentionPolicy::Limits, 1);
    let letters = Config { discard: DiscardPolicy::Old, discard_new_per_subject: false, ..letters };
    let dead = context.get_or_create_stream(letters).await?;
    take_over(&jobs, &subject).await?;
    let dead_jobs = dead_jobs(&dead).await?;
    Ok(Opened { context, jobs, dead, dead_jobs })
}

/// Makes the server give out again what a coordinator had taken that is no more: for a moment, the
/// deadline of every acknowledgement is over.
async fn take_over(jobs: &Stream, subject: &str) -> Result<(), Fault> {
    let names: Vec<String> = jobs.consumer_names().try_collect().await?;
    for name in &names {
        let hurried =
            pull::Config { ack_wait: Duration::from_millis(1), ..consumer_config(name, subject) };
        jobs.update_consumer(hurried).await?;
    }
    if !names.is_empty() {
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    for name in &names {
        jobs.update_consumer(consumer_config(name, subject)).await?;
    }
    Ok(())
}

async fn dead_jobs(dead: &Stream) -> Result<Vec<JobId>, Fault> {
    let reader = pull::Config { ack_policy: AckPolicy::None, ..pull::Config::default() };
    let reader = dead.create_consumer(reader).await?;
    let mut jobs = Vec::new();
    loop {
        let mut page = reader.fetch().max_messages(PAGE).messages().await?;
        let before = jobs.len();
        while let Some(message) = page.try_next().await? {
            let job = message.payload.as_ref().try_into().map(JobId);
            jobs.push(job.map_err(|_| QueueError::Damaged)?);
        }
        if jobs.len() == before {
            return Ok(jobs);
        }
    }
}

/// Says of every message that is out that the work goes on.
async fn keep_alive(alive: Alive) {
    loop {
        tokio::time::sleep(KEEP_ALIVE).await;
        let messages: Vec<Arc<Message>> =
            alive.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        for message in messages {
            if let Err(error) = message.ack_with(AckKind::Progress).await {
                tracing::warn!(%error, "a job of the queue may be given out again");
            }
        }
    }
}
