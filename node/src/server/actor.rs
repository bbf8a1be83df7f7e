//! One thread that changes the market, and one that makes the changes durable.
//!
//! The first applies operations one after the other, in memory. The second takes what they have
//! changed, as much as has come together, writes objects and then the escrow's records, and only
//! then tells those who wait for it. If it fails, both end: what was told is on disk, and the
//! coordinator must be started again.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, Sender, channel},
    },
    thread::JoinHandle,
    time::{SystemTime, UNIX_EPOCH},
};

use tokio::sync::oneshot;
use zkinfer_settlement::{Escrow, JobId, Record, RedbStore, Store};

use super::{metrics::Metrics, watch::Watchers};
use crate::{
    account::Identity,
    journal::{Journal, Pending},
    log::{Chain, LogEntry, Said},
    market::{Event, Market, Waiter},
    objects::{Kind, Object, Objects},
    order::Offer,
    overview::Observed,
    queue::Queue,
};

/// A market on disk.
pub(crate) type OnDisk = Market<Escrow<Journal>, Box<dyn Queue>, Polling>;

/// A node's open request for a job.
#[derive(Debug)]
pub(crate) struct Polling(pub(crate) oneshot::Sender<Offer>);

impl Waiter for Polling {
    fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    fn deliver(self, offer: Offer) {
        // If the node has gone, its lease runs out.
        let _gone = self.0.send(offer);
    }
}

/// What operations see.
pub(crate) struct Core {
    pub(crate) market: OnDisk,
    /// To be kept together with the operation.
    pub(crate) objects: Vec<Object>,
    /// What the page shows.
    pub(crate) observed: Observed,
    log: Log,
    now: u64,
}

/// The end of the log, and who signs its entries.
pub(crate) struct Log {
    pub(crate) chain: Chain,
    pub(crate) coordinator: Identity,
}

impl Log {
    /// The next entry; every kind of event is known.
    pub(crate) fn add(&mut self, job: JobId, said: &Said, at: u64) -> Option<LogEntry> {
        self.chain.add(&self.coordinator, (job, said), at)
    }
}

impl Core {
    pub(crate) fn new(market: OnDisk, log: Log, observed: Observed) -> Self {
        Self { market, objects: Vec::new(), observed, log, now: 0 }
    }

    /// Unix milliseconds, which never go back.
    pub(crate) fn now(&mut self) -> u64 {
        self.now = self.now.max(unix_milliseconds());
        self.now
    }
}

/// The time of the system.
pub(crate) fn unix_milliseconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

type Reply = Box<dyn FnOnce() + Send>;
type Operation = Box<dyn FnOnce(&mut Core) -> Option<Reply> + Send>;

/// The coordinator ends, or has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stopped;

/// The way to the market.
#[derive(Clone)]
pub(crate) struct Handle(Sender<Operation>);

impl Handle {
    /// Does something, and tells at once.
    pub(crate) async fn now<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&mut Core) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        let (tell, told) = oneshot::channel();
        let operation: Operation = Box::new(|core| {
            let _nobody_waits = tell.send(operation(core));
            None
        });
        self.0.send(operation).map_err(|_| Stopped)?;
        told.await.map_err(|_| Stopped)
    }

    /// Does something, and tells when it is on disk.
    pub(crate) async fn durable<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&mut Core) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        let (tell, told) = oneshot::channel();
        let operation: Operation = Box::new(|core| {
            let outcome = operation(core);
            Some(Box::new(|| drop(tell.send(outcome))))
        });
        self.0.send(operation).map_err(|_| Stopped)?;
        told.await.map_err(|_| Stopped)
    }
}

/// What is written together.
#[derive(Default)]
struct Batch {
    objects: Vec<Object>,
    log: Vec<LogEntry>,
    records: Vec<Record>,
    replies: Vec<Reply>,
}

/// Both threads.
pub(crate) struct Actor {
    market: JoinHandle<()>,
    disk: JoinHandle<Result<(), String>>,
}

/// Where changes become durable: when a step returns, what it was given is on disk, whole.
pub(crate) trait Durable: Send + 'static {
    /// Keeps orders, answers, proofs, and entries of the log.
    fn keep(&mut self, objects: &[Object], log: &[LogEntry]) -> Result<(), String>;
    /// Commits records of the escrow.
    fn commit(&mut self, records: &[Record]) -> Result<(), String>;
}

/// The files of a coordinator.
pub(crate) struct Disk {
    pub(crate) store: RedbStore,
    pub(crate) objects: Objects,
}

impl Durable for Disk {
    fn keep(&mut self, objects: &[Object], log: &[LogEntry]) -> Result<(), String> {
        self.objects.keep(objects, log).map_err(|error| error.to_string())
    }

    fn commit(&mut self, records: &[Record]) -> Result<(), String> {
        self.store.commit(records).map_err(|error| error.to_string())
    }
}

/// Who is told of events.
#[derive(Clone)]
pub(crate) struct Observers {
    pub(crate) watchers: Arc<Watchers>,
    pub(crate) metrics: Arc<Mutex<Metrics>>,
}

impl Actor {
    pub(crate) fn start(
        core: Core,
        pending: Pending,
        disk: impl Durable,
        observers: Observers,
    ) -> (Self, Handle) {
        let (operations, incoming) = channel::<Operation>();
        let (changes, outgoing) = channel::<Batch>();
        let market =
            std::thread::spawn(move || run(core, &incoming, &changes, &pending, &observers));
        let disk = std::thread::spawn(move || write(disk, &outgoing));
        (Self { market, disk }, Handle(operations))
    }

    /// Waits for the end: everything that was asked for is done, and on disk. All handles must be
    /// gone, or the disk must have failed.
    pub(crate) fn join(self) -> Result<(), String> {
        let panicked = |_| "a thread of the coordinator has panicked".to_owned();
        self.market.join().map_err(panicked)?;
        self.disk.join().map_err(panicked)?
    }

    /// Whether the disk has failed.
    pub(crate) fn has_ended(&self) -> bool {
        self.disk.is_finished()
    }
}

fn run(
    mut core: Core,
    incoming: &Receiver<Operation>,
    changes: &Sender<Batch>,
    pending: &Pending,
    observers: &Observers,
) {
    while let Ok(operation) = incoming.recv() {
        let reply = operation(&mut core);
        let mut batch = Batch { replies: reply.into_iter().collect(), ..Batch::default() };
        for (job, event) in core.market.take_events() {
            batch.objects.extend(object_of(job, &event));
            let now = core.now();
            let entry = core.log.add(job, &Said::of(&event), now);
            entry.iter().for_each(|entry| core.observed.add(entry));
            batch.log.extend(entry);
            observe(&observers.metrics, job, &event);
            observers.watchers.notify(job);
        }
        batch.objects.append(&mut core.objects);
        batch.records = pending.take();
        let empty = batch.records.is_empty() && batch.objects.is_empty() && batch.log.is_empty();
        if (!empty || !batch.replies.is_empty()) && changes.send(batch).is_err() {
            return;
        }
    }
}

fn object_of(job: JobId, event: &Event) -> Option<Object> {
    let (kind, content) = match event {
        Event::Opened { request } => (Kind::Request, serde_json::to_vec(request.as_ref())),
        Event::Answered { answer, .. } => (Kind::Answer, serde_json::to_vec(answer.as_ref())),
        Event::Drawn { secret, .. } | Event::Accepted { secret: Some(secret), .. } => {
            (Kind::Secret, Ok(secret.0.to_vec()))
        }
        _ => return None,
    };
    content.ok().map(|content| Object { job, kind, content })
}

fn observe(metrics: &Mutex<Metrics>, job: JobId, event: &Event) {
    metrics.lock().unwrap_or_else(PoisonError::into_inner).observe(event);
    tracing::info!(%job, event = event.name());
}

/// Writes what has come together, until nobody can add to it any more.
fn write(mut disk: impl Durable, outgoing: &Receiver<Batch>) -> Result<(), String> {
    while let Ok(mut batch) = outgoing.recv() {
        while let Ok(Batch { objects, log, records, replies }) = outgoing.try_recv() {
            batch.objects.extend(objects);
            batch.log.extend(log);
            batch.records.extend(records);
            batch.replies.extend(replies);
        }
        // An escrow's job without its order could not be given out: objects come first. So does the
        // log; what a crash then undoes, it says itself.
        disk.keep(&batch.objects, &batch.log)?;
        if !batch.records.is_empty() {
            disk.commit(&batch.records)?;
        }
        batch.replies.into_iter().for_each(|reply| reply());
    }
    Ok(())
}
