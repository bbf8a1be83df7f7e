//! Which jobs wait for a node. A queue is a projection of the ledger: it can be lost and made again,
//! and everything that is said to it may be said twice.

pub mod conformance;
#[cfg(feature = "nats")]
mod nats;
mod sqlite;

use thiserror::Error;
use zkinfer::verifier::KeyDigest;
use zkinfer_settlement::JobId;

#[cfg(feature = "nats")]
pub use nats::{NatsOptions, NatsQueue};
pub use sqlite::SqliteQueue;

/// A job that was taken out for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The job.
    pub job: JobId,
    /// How often it was taken, this time included.
    pub deliveries: u32,
}

/// How many jobs are where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Waiting for a node.
    pub waiting: u64,
    /// Taken, and not yet to be seen again.
    pub taken: u64,
    /// Taken too often: nobody gets them any more.
    pub dead: u64,
}

/// Jobs that wait, in the order in which they came.
///
/// A job that is taken is out of sight until its time is over, it is given back, or it is dropped.
/// Taking proves nothing: who may be paid is in the ledger alone. Times are Unix milliseconds, and
/// what the caller says. Every change is one atomic step; when it returns, another process that
/// opens the queue sees it.
pub trait Queue: Send {
    /// Adds a job, unless it is there: waiting, taken or dead.
    ///
    /// # Errors
    /// The queue cannot be written.
    fn put(&mut self, job: JobId, model: KeyDigest) -> Result<(), QueueError>;

    /// The first waiting job of one of the models that is `wanted`, out of sight until `until`. Those
    /// that are not wanted stay where they are, as if nobody had looked at them.
    ///
    /// A job that was taken [`max_deliveries`](Self::max_deliveries) times before is dead instead.
    ///
    /// # Errors
    /// The queue cannot be written.
    fn take(
        &mut self,
        models: &[KeyDigest],
        now: u64,
        until: u64,
        wanted: &mut dyn FnMut(JobId) -> bool,
    ) -> Result<Option<Taken>, QueueError>;

    /// Leaves a job that is taken out of sight until another moment. Nothing for one that is not
    /// there.
    ///
    /// # Errors
    /// The queue cannot be written.
    fn hide(&mut self, job: JobId, until: u64) -> Result<(), QueueError>;

    /// Drops a job, whatever its state. Nothing for one that is not there.
    ///
    /// # Errors
    /// The queue cannot be written.
    fn drop_job(&mut self, job: JobId) -> Result<(), QueueError>;

    /// The dead jobs, oldest first.
    ///
    /// # Errors
    /// The queue cannot be read.
    fn dead(&mut self) -> Result<Vec<JobId>, QueueError>;

    /// How many jobs are where at the moment `now`.
    ///
    /// # Errors
    /// The queue cannot be read.
    fn depth(&mut self, now: u64) -> Result<Depth, QueueError>;

    /// How often a job is given out.
    fn max_deliveries(&self) -> u32;
}

impl Queue for Box<dyn Queue> {
    fn put(&mut self, job: JobId, model: KeyDigest) -> Result<(), QueueError> {
        (**self).put(job, model)
    }

    fn take(
        &mut self,
        models: &[KeyDigest],
        now: u64,
        until: u64,
        wanted: &mut dyn FnMut(JobId) -> bool,
    ) -> Result<Option<Taken>, QueueError> {
        (**self).take(models, now, until, wanted)
    }

    fn hide(&mut self, job: JobId, until: u64) -> Result<(), QueueError> {
        (**self).hide(job, until)
    }

    fn drop_job(&mut self, job: JobId) -> Result<(), QueueError> {
        (**self).drop_job(job)
    }

    fn dead(&mut self) -> Result<Vec<JobId>, QueueError> {
        (**self).dead()
    }

    fn depth(&mut self, now: u64) -> Result<Depth, QueueError> {
        (**self).depth(now)
    }

    fn max_deliveries(&self) -> u32 {
        (**self).max_deliveries()
    }
}

/// Why a queue does not work.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum QueueError {
    /// The database fails.
    #[error("the database of the queue fails")]
    Sqlite(#[from] rusqlite::Error),
    /// The file is of something else, or of another version.
    #[error("the file is no queue of version {expected}: its version is {got}")]
    Version {
        /// Of this program.
        expected: i64,
        /// Of the file.
        got: i64,
    },
    /// The server fails, or cannot be reached.
    #[error("the NATS server of the queue fails ({what}): {source}")]
    Nats {
        /// What was asked of it.
        what: &'static str,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A record of a length that none has.
    #[error("a record of the queue is damaged")]
    Damaged,
    /// A moment too far away to be kept.
    #[error("the moment {0} is beyond the range of the queue")]
    Moment(u64),
}
