//! The market in memory, which one changes at a time, and a thread that makes the changes durable.
//!
//! Whoever asks for an operation applies it himself, in memory, while nobody else can: handing it to
//! another thread would cost an answer more time than the operation. The thread takes what was
//! changed, as much as has come together, writes objects and then the escrow's records, and only
//! then tells those who wait for it. If it fails, nothing is changed any more: what was told is on
//! disk, and the coordinator must be started again.

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
    encoding::Hex,
    journal::{Journal, Pending},
    log::{Chain, LogEntry, Said},
    market::{Event, Market, Waiter},
    objects::{Kind, Object, Objects},
    offer::Offer,
    order::JobRequest,
    overview::Observed,
    part::{Blinding, Place, PlaceRecord},
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
    /// The next entry, not yet signed; every kind of event is known.
    pub(crate) fn add(&mut self, job: JobId, said: &Said, at: u64) -> Option<LogEntry> {
        self.chain.add((job, said), at)
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

/// The coordinator ends, or has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stopped;

/// The way to the market.
#[derive(Clone)]
pub(crate) struct Handle(Arc<Mutex<Changed>>);

/// The market, and where its changes go.
struct Changed {
    core: Core,
    pending: Pending,
    observers: Observers,
    /// None when the coordinator ends.
    batches: Option<Sender<Batch>>,
}

impl Handle {
    /// Does something, and tells at once.
    pub(crate) fn now<T>(&self, operation: impl FnOnce(&mut Core) -> T) -> Result<T, Stopped> {
        self.change(|core| (operation(core), None))
    }

    /// Does something, and tells when it is on disk.
    pub(crate) async fn durable<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&mut Core) -> T,
    ) -> Result<T, Stopped> {
        let (tell, told) = oneshot::channel();
        self.change(|core| {
            let outcome = operation(core);
            let reply: Reply = Box::new(|| drop(tell.send(outcome)));
            ((), Some(reply))
        })?;
        told.await.map_err(|_| Stopped)
    }

    fn change<T>(
        &self,
        operation: impl FnOnce(&mut Core) -> (T, Option<Reply>),
    ) -> Result<T, Stopped> {
        // An operation that has panicked may be half done: nothing follows it.
        let mut changed = self.0.lock().map_err(|_| Stopped)?;
        let Changed { core, pending, observers, batches } = &mut *changed;
        let batches = batches.as_ref().ok_or(Stopped)?;
        let (outcome, reply) = operation(core);
        // In the order of the operations, because nobody else is here.
        let batch = batch_of(core, pending, observers, reply);
        if !batch.is_empty() {
            batches.send(batch).map_err(|_| Stopped)?;
        }
        Ok(outcome)
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

impl Batch {
    fn is_empty(&self) -> bool {
        let Self { objects, log, records, replies } = self;
        objects.is_empty() && log.is_empty() && records.is_empty() && replies.is_empty()
    }
}

/// The thread of the disk, and what it writes of.
pub(crate) struct Actor {
    handle: Handle,
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
        let (batches, outgoing) = channel::<Batch>();
        let coordinator = core.log.coordinator.clone();
        let disk = std::thread::spawn(move || write(disk, &outgoing, &coordinator));
        let changed = Changed { core, pending, observers, batches: Some(batches) };
        let handle = Handle(Arc::new(Mutex::new(changed)));
        (Self { handle: handle.clone(), disk }, handle)
    }

    /// Ends it: everything that was asked for is on disk, and nothing more is done.
    pub(crate) fn join(self) -> Result<(), String> {
        let Self { handle, disk } = self;
        let panicked = handle.0.is_poisoned();
        handle.0.lock().unwrap_or_else(PoisonError::into_inner).batches = None;
        disk.join().map_err(|_| "the thread of the disk has panicked".to_owned())??;
        if panicked { Err("an operation has panicked".to_owned()) } else { Ok(()) }
    }

    /// Whether the disk has failed.
    pub(crate) fn has_ended(&self) -> bool {
        self.disk.is_finished()
    }
}

/// What has changed since the last time.
fn batch_of(
    core: &mut Core,
    pending: &Pending,
    observers: &Observers,
    reply: Option<Reply>,
) -> Batch {
    let mut batch = Batch { replies: reply.into_iter().collect(), ..Batch::default() };
    for (job, event) in core.market.take_events() {
        batch.objects.extend(objects_of(job, &event));
        let now = core.now();
        let entry = core.log.add(job, &Said::of(&event), now);
        entry.iter().for_each(|entry| core.observed.add(entry));
        batch.log.extend(entry);
        observe(&observers.metrics, job, &event);
        observers.watchers.notify(job);
    }
    batch.objects.append(&mut core.objects);
    batch.records = pending.take();
    batch
}

fn objects_of(job: JobId, event: &Event) -> Vec<Object> {
    let (kind, content) = match event {
        Event::Opened { request, part: Some((place, blinding)), .. } => {
            return part_objects(job, request, *place, blinding.as_deref());
        }
        Event::Opened { request, part: None, .. } => {
            (Kind::Request, serde_json::to_vec(request.as_ref()))
        }
        Event::Forfeited { evidence, .. } => (Kind::Fault, serde_json::to_vec(evidence.as_ref())),
        // A proof that it had before is of another run.
        Event::Released { .. } => (Kind::Proof, Ok(Vec::new())),
        Event::Answered { answer, .. } => (Kind::Answer, serde_json::to_vec(answer.as_ref())),
        Event::Drawn { lot: Some(lot), .. } | Event::Accepted { lot: Some(lot), .. } => {
            (Kind::Lot, Ok(lot.to_bytes()))
        }
        _ => return Vec::new(),
    };
    content.ok().map(|content| Object { job, kind, content }).into_iter().collect()
}

/// The request of all parts, once; and of each part, where it belongs.
fn part_objects(
    job: JobId,
    request: &JobRequest,
    place: Place,
    blinding: Option<&Blinding>,
) -> Vec<Object> {
    let Place { whole, index } = place;
    let index = u32::try_from(index).unwrap_or(u32::MAX);
    let record = PlaceRecord { whole: Hex(whole.0), index, blinding: blinding.cloned() };
    let request = (index == 0).then(|| (whole, Kind::Request, serde_json::to_vec(request)));
    let place = (job, Kind::Place, serde_json::to_vec(&record));
    let objects = request.into_iter().chain([place]);
    let object = |(job, kind, content): (JobId, Kind, serde_json::Result<Vec<u8>>)| {
        Some(Object { job, kind, content: content.ok()? })
    };
    objects.filter_map(object).collect()
}

fn observe(metrics: &Mutex<Metrics>, job: JobId, event: &Event) {
    metrics.lock().unwrap_or_else(PoisonError::into_inner).observe(event);
    tracing::info!(%job, event = event.name());
}

/// Writes what has come together, until nobody can add to it any more.
fn write(
    mut disk: impl Durable,
    outgoing: &Receiver<Batch>,
    coordinator: &Identity,
) -> Result<(), String> {
    while let Ok(mut batch) = outgoing.recv() {
        while let Ok(Batch { objects, log, records, replies }) = outgoing.try_recv() {
            batch.objects.extend(objects);
            batch.log.extend(log);
            batch.records.extend(records);
            batch.replies.extend(replies);
        }
        // Not where the operation waits for it.
        batch.log.iter_mut().for_each(|entry| entry.sign(coordinator));
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
