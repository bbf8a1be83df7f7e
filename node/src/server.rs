//! The market behind HTTP.

mod actor;
mod api;
mod catalog;
mod metrics;
mod openapi;
mod page;
mod problem;
mod watch;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use thiserror::Error;
use tokio::{net::TcpListener, sync::Semaphore};
use zkinfer::{
    SrsPolicy,
    verifier::{ProofFile, keccak256},
};
use zkinfer_settlement::{Address, Escrow, JobId, RedbStore};

use crate::{
    account::{Identity, IdentityError},
    answer::SignedAnswer,
    beacon::round_of,
    config::{Config, ConfigError},
    division::Division,
    encoding::Hex,
    error::MarketError,
    journal::{Journal, JournalError},
    ledger::Ledger,
    log::{Chain, LastSaid, LogError},
    market::{Market, PartRemains, Remains},
    objects::{Kind, Objects, ObjectsError},
    order::JobRequest,
    overview::Observed,
    part::{Place, PlaceRecord},
    queue::{Queue, QueueError, SqliteQueue},
    sampling::Lot,
    signed::Guard,
};
pub(crate) use actor::unix_milliseconds;
use actor::{Actor, Core, Disk, Handle, Log, Observers};
use api::{App, Rates};
use catalog::Catalog;
pub use catalog::CatalogError;
use metrics::Metrics;
use watch::Watchers;

/// How often the market looks at its clock.
const TICK: Duration = Duration::from_millis(200);

/// Models that nodes are given at once.
const SHARED_AT_ONCE: usize = 4;

/// Why a coordinator does not start, or ends.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The configuration cannot work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A model that cannot be served.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The coordinator's own key.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The folder, or the network.
    #[error("{what} cannot be used")]
    Io {
        /// Which.
        what: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The escrow's file.
    #[error("the escrow's file {path} cannot be used")]
    Journal {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        source: JournalError,
    },
    /// What the escrow's file holds.
    #[error("the escrow cannot be used: {0}")]
    Escrow(String),
    /// The file of orders, answers and proofs.
    #[error(transparent)]
    Objects(#[from] ObjectsError),
    /// The log was changed by somebody else.
    #[error("the coordinator's log is damaged")]
    Log(#[from] LogError),
    /// The queue.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// A program without the part that was asked for.
    #[cfg(not(feature = "nats"))]
    #[error(
        "the queue cannot be at {url}: this program was built without NATS; build it with \
         `cargo install --path node --features nats`"
    )]
    WithoutNats {
        /// Where the queue should be.
        url: String,
    },
    /// Jobs that cannot be taken up again.
    #[error("the open jobs cannot be taken up again")]
    Market(#[from] MarketError),
    /// Nothing more can be made durable. What was told before is on disk.
    #[error("the coordinator has ended: {0}")]
    Ended(String),
}

/// A coordinator that listens.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    app: Arc<App>,
    actor: Actor,
}

impl std::fmt::Debug for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Actor")
    }
}

impl Server {
    /// Opens the coordinator's folder, takes up the jobs that are open in it, and listens.
    ///
    /// # Errors
    /// Why not.
    pub async fn start(config: &Config) -> Result<Self, ServerError> {
        config.check()?;
        let catalog = Catalog::open(config)?;
        let folder = &config.folder;
        let io = |what: &str| {
            let what = what.to_owned();
            move |source| ServerError::Io { what, source }
        };
        std::fs::create_dir_all(folder).map_err(io(&folder.display().to_string()))?;
        let identity = Identity::load_or_create(&folder.join("coordinator.key"))?;
        let chain_id = chain_id(&identity);
        let divisions = catalog.divisions();
        let (core, pending, disk) = open(config, chain_id, identity.clone(), &divisions)?;
        let watchers = Arc::new(Watchers::default());
        let metrics = Arc::new(Mutex::new(Metrics::new()));
        let observers = Observers { watchers: watchers.clone(), metrics: metrics.clone() };
        let reader = Objects::open(&folder.join("objects.db"))?;
        let (actor, handle) = Actor::start(core, pending, disk, observers);
        let started = unix_milliseconds();
        let app = App {
            handle,
            catalog,
            sharing: Semaphore::new(SHARED_AT_ONCE),
            chain_id,
            coordinator: identity.public_key(),
            policy: policy(config),
            config: config.clone(),
            guard: Mutex::new(Guard::new(chain_id, config.limits.clock_seconds, started)),
            rates: Mutex::new(Rates::default()),
            permits: Arc::new(Semaphore::new(config.limits.concurrent)),
            objects: Mutex::new(reader),
            watchers,
            metrics,
        };
        let listener = TcpListener::bind(&config.listen).await.map_err(io(&config.listen))?;
        Ok(Self { listener, app: Arc::new(app), actor })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// If the system does not tell.
    pub fn address(&self) -> std::io::Result<std::net::SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop`; then finishes what was begun, and writes it to disk.
    ///
    /// # Errors
    /// [`ServerError::Ended`] if the disk has failed.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) -> Result<(), ServerError> {
        let Self { listener, app, actor } = self;
        let (end, ended) = tokio::sync::watch::channel(false);
        let routes = api::router(app.clone());
        let served = axum::serve(listener, routes)
            .with_graceful_shutdown(async move {
                let mut ended = ended;
                let _gone = ended.wait_for(|ended| *ended).await;
            })
            .into_future();
        let serving = tokio::spawn(served);
        let complete = app.clone();
        tokio::spawn(async move { api::parts::settle_complete(&complete).await });
        let mut clock = tokio::time::interval(TICK);
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                _ = clock.tick() => {
                    if actor.has_ended() || tick(&app.handle).is_err() {
                        break;
                    }
                }
            }
        }
        app.permits.close();
        let _nobody_listens = end.send(true);
        // Requests that wait for a job are cut off: they can be asked again.
        let _cut_off = tokio::time::timeout(Duration::from_secs(5), serving).await;
        drop(app);
        let joined = tokio::task::spawn_blocking(move || actor.join()).await;
        let joined = joined.unwrap_or_else(|_| Err("a thread has panicked".to_owned()));
        joined.map_err(ServerError::Ended)
    }
}

fn tick(handle: &Handle) -> Result<(), actor::Stopped> {
    let ticked = handle.now(|core| {
        let now = core.now();
        core.market.tick(now)
    });
    if let Err(error) = ticked? {
        tracing::error!(%error, "the market's clock");
    }
    Ok(())
}

fn policy(config: &Config) -> SrsPolicy {
    if config.allow_insecure_srs { SrsPolicy::AllowInsecureDev } else { SrsPolicy::CeremonyOnly }
}

/// What the proofs of a market are bound to: of the coordinator's key, so that no two markets pay
/// for the same proof. Never the number of a public chain, which are small.
fn chain_id(identity: &Identity) -> u64 {
    let digest = keccak256(&[b"zkinfer.mkt.v1\0\0", &identity.public_key().0]);
    let [first, ..] = digest.as_chunks::<8>().0 else { return u64::MAX };
    u64::from_be_bytes(*first) | 1 << 63
}

/// The market in the folder, and where its changes go.
fn open(
    config: &Config,
    chain_id: u64,
    coordinator: Identity,
    divisions: &Divisions,
) -> Result<(Core, crate::journal::Pending, Disk), ServerError> {
    let path = config.folder.join("escrow.redb");
    let failed = |source| ServerError::Journal { path: path.clone(), source };
    let store = open_store(&path).map_err(failed)?;
    let journal = Journal::load(&store).map_err(failed)?;
    let pending = journal.pending();
    let escrow = Escrow::new(journal, chain_id, policy(config))
        .map_err(|error| ServerError::Escrow(error.to_string()))?;
    escrow.audit().map_err(|error| ServerError::Escrow(error.to_string()))?;
    let queue = open_queue(config, chain_id)?;
    let mut objects = Objects::open(&config.folder.join("objects.db"))?;
    let chain = Chain::new(chain_id, coordinator.public_key());
    let (log, observed) = open_log(&mut objects, Log { chain, coordinator }, &escrow)?;
    let seed = unix_milliseconds();
    let mut market = Market::restore(config.rules.clone(), escrow, queue, seed, |job| {
        remains(&objects, divisions, job)
    })?;
    market.was_at_work(log.chain.last_at());
    Ok((Core::new(market, log, observed), pending, Disk { store, objects }))
}

/// The queue in the folder, or in the server that is named.
fn open_queue(config: &Config, market: u64) -> Result<Box<dyn Queue>, ServerError> {
    let max_deliveries = config.rules.max_deliveries;
    let Some(url) = config.queue.nats.clone() else {
        let path = config.folder.join("queue.db");
        return Ok(Box::new(SqliteQueue::open(&path, max_deliveries)?));
    };
    let seed = |path: &PathBuf| {
        let read = std::fs::read_to_string(path);
        read.map(|seed| seed.trim().to_owned())
            .map_err(|source| ServerError::Io { what: path.display().to_string(), source })
    };
    let nkey = config.queue.nkey.as_ref().map(seed).transpose()?;
    open_server_queue(url, nkey, market, max_deliveries)
}

#[cfg(feature = "nats")]
fn open_server_queue(
    url: String,
    nkey: Option<String>,
    market: u64,
    max_deliveries: u32,
) -> Result<Box<dyn Queue>, ServerError> {
    let options = crate::queue::NatsOptions { url, nkey, market, max_deliveries };
    Ok(Box::new(crate::queue::NatsQueue::open(&options)?))
}

#[cfg(not(feature = "nats"))]
fn open_server_queue(
    url: String,
    _nkey: Option<String>,
    _market: u64,
    _max_deliveries: u32,
) -> Result<Box<dyn Queue>, ServerError> {
    Err(ServerError::WithoutNats { url })
}

/// How many entries of the log are read at once.
const PAGE: u32 = 1_000;

/// The log to its end, checked; where it says more than has come to pass, it now says that too.
fn open_log(
    objects: &mut Objects,
    mut log: Log,
    escrow: &impl Ledger,
) -> Result<(Log, Observed), ServerError> {
    let (mut last, mut observed) = (LastSaid::default(), Observed::default());
    loop {
        let page = objects.log(log.chain.len(), PAGE)?;
        if page.is_empty() {
            break;
        }
        for entry in page {
            log.chain.check(&entry)?;
            last.add(&entry);
            observed.add(&entry);
        }
    }
    let phase = |job| escrow.contract(job).ok().flatten().map(|contract| contract.phase);
    let now = unix_milliseconds();
    let undone = last.ahead(phase);
    let mut entries: Vec<_> =
        undone.iter().filter_map(|(job, said)| log.add(*job, said, now)).collect();
    entries.iter_mut().for_each(|entry| entry.sign(&log.coordinator));
    objects.keep(&[], &entries)?;
    entries.iter().for_each(|entry| observed.add(entry));
    Ok((log, observed))
}

fn open_store(path: &Path) -> Result<RedbStore, JournalError> {
    let opened = if path.exists() { RedbStore::open(path) } else { RedbStore::create(path) };
    Ok(opened?)
}

/// How models are cut, by the roots of their manifests.
type Divisions = BTreeMap<Hex<32>, Arc<Division>>;

fn remains(objects: &Objects, divisions: &Divisions, job: JobId) -> Option<Remains> {
    let read_of = |job, kind| objects.get(job, kind).ok().flatten();
    let read = |kind| read_of(job, kind);
    let place = read(Kind::Place).and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let place: Option<PlaceRecord> = place;
    let named = place.as_ref().map_or(job, |place| JobId(place.whole.0));
    let request: JobRequest = serde_json::from_slice(&read_of(named, Kind::Request)?).ok()?;
    let part = match place {
        None => None,
        Some(PlaceRecord { whole, index, blinding }) => {
            let proof = read(Kind::Proof).and_then(|bytes| ProofFile::decode(&bytes).ok());
            Some(PartRemains {
                place: Place { whole: JobId(whole.0), index: usize::try_from(index).ok()? },
                division: divisions.get(&request.order.model)?.clone(),
                blinding: blinding.map(Arc::new),
                proven_by: proof.map(|proof| Address(proof.claim.binding.payee)),
            })
        }
    };
    let answer = read(Kind::Answer).and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let number = answer.as_ref().map_or(0, |answer: &SignedAnswer| round_of(&answer.answer));
    let lot = read(Kind::Lot).and_then(|bytes| Lot::from_bytes(&bytes, number));
    Some(Remains { request, answer, lot, part })
}

#[cfg(test)]
mod tests;
