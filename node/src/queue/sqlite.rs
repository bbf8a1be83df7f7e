//! The queue in one SQLite file, or in memory.

use std::path::Path;

use rusqlite::{Connection, params, params_from_iter, types::Value};
use zkinfer::verifier::KeyDigest;
use zkinfer_settlement::JobId;

use super::{Depth, Queue, QueueError, Taken};

/// A change of the table changes it.
const VERSION: i64 = 1;

/// Visible from `visible` on, in milliseconds; dead where that is null.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS queue (
    place INTEGER PRIMARY KEY AUTOINCREMENT,
    job BLOB NOT NULL UNIQUE,
    model BLOB NOT NULL,
    visible INTEGER,
    deliveries INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX IF NOT EXISTS queue_by_model ON queue (model, place) WHERE visible IS NOT NULL;";

/// A queue in SQLite. In a file it is in WAL mode, and several processes can have it open.
///
/// It never waits for the disk: a power cut may take its last changes, or all of it, which a projection
/// can bear. A file that is found damaged is made anew. A process that is killed loses nothing.
#[derive(Debug)]
pub struct SqliteQueue {
    database: Connection,
    max_deliveries: u32,
}

impl SqliteQueue {
    /// The queue in a file, which is made where there is none.
    ///
    /// # Errors
    /// If it cannot be opened, or is something else.
    pub fn open(path: &Path, max_deliveries: u32) -> Result<Self, QueueError> {
        let open = || {
            let database = Connection::open(path)?;
            database.pragma_update(None, "journal_mode", "WAL")?;
            database.pragma_update(None, "synchronous", "OFF")?;
            Self::with(database, max_deliveries)
        };
        let queue = open()?;
        if queue.is_whole() {
            return Ok(queue);
        }
        tracing::warn!(path = %path.display(), "the queue is damaged and made anew");
        drop(queue);
        for suffix in ["", "-wal", "-shm"] {
            let mut file = path.as_os_str().to_owned();
            file.push(suffix);
            let _there_may_be_none = std::fs::remove_file(file);
        }
        open()
    }

    /// Whether the file is as SQLite has written it.
    fn is_whole(&self) -> bool {
        let check = "PRAGMA quick_check(1)";
        let found = self.database.query_row(check, [], |row| row.get::<_, String>(0));
        found.is_ok_and(|found| found == "ok")
    }

    /// A queue that ends with the process.
    ///
    /// # Errors
    /// If there is no memory for it.
    pub fn in_memory(max_deliveries: u32) -> Result<Self, QueueError> {
        Self::with(Connection::open_in_memory()?, max_deliveries)
    }

    fn with(database: Connection, max_deliveries: u32) -> Result<Self, QueueError> {
        database.busy_timeout(std::time::Duration::from_secs(10))?;
        let got: i64 = database.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        let tables: i64 =
            database.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if (got, tables) != (0, 0) && got != VERSION {
            return Err(QueueError::Version { expected: VERSION, got });
        }
        database.execute_batch(TABLE)?;
        database.pragma_update(None, "user_version", VERSION)?;
        Ok(Self { database, max_deliveries })
    }
}

/// What is found among the jobs that wait.
#[derive(Default)]
struct Found {
    /// Places of those that were taken too often.
    worn_out: Vec<i64>,
    /// The first that is wanted, with its place.
    wanted: Option<(i64, JobId)>,
}

impl SqliteQueue {
    fn look(
        &self,
        models: &[KeyDigest],
        now: i64,
        wanted: &mut dyn FnMut(JobId) -> bool,
    ) -> Result<Found, QueueError> {
        let marks = vec!["?"; models.len()].join(", ");
        let sql = format!(
            "SELECT place, job, deliveries FROM queue
            WHERE model IN ({marks}) AND visible <= ? ORDER BY place"
        );
        let models = models.iter().map(|model| Value::Blob(model.0.0.to_vec()));
        let mut statement = self.database.prepare_cached(&sql)?;
        let mut rows = statement.query(params_from_iter(models.chain([Value::Integer(now)])))?;
        let mut found = Found::default();
        while let Some(row) = rows.next()? {
            let (place, deliveries): (i64, u32) = (row.get(0)?, row.get(2)?);
            let job = job_of(&row.get::<_, Vec<u8>>(1)?)?;
            if deliveries >= self.max_deliveries {
                found.worn_out.push(place);
            } else if wanted(job) {
                found.wanted = Some((place, job));
                break;
            }
        }
        Ok(found)
    }
}

fn moment(moment: u64) -> Result<i64, QueueError> {
    i64::try_from(moment).map_err(|_| QueueError::Moment(moment))
}

fn job_of(bytes: &[u8]) -> Result<JobId, QueueError> {
    bytes.try_into().map(JobId).map_err(|_| QueueError::Damaged)
}

impl Queue for SqliteQueue {
    fn put(&mut self, job: JobId, model: KeyDigest) -> Result<(), QueueError> {
        let sql = "INSERT INTO queue (job, model, visible) VALUES (?1, ?2, 0)
            ON CONFLICT (job) DO NOTHING";
        self.database.prepare_cached(sql)?.execute(params![job.0, model.0.0])?;
        Ok(())
    }

    fn take(
        &mut self,
        models: &[KeyDigest],
        now: u64,
        until: u64,
        wanted: &mut dyn FnMut(JobId) -> bool,
    ) -> Result<Option<Taken>, QueueError> {
        let (now, until) = (moment(now)?, moment(until)?);
        let found = self.look(models, now, wanted)?;
        for place in found.worn_out {
            let sql = "UPDATE queue SET visible = NULL WHERE place = ?1";
            self.database.prepare_cached(sql)?.execute([place])?;
        }
        let Some((place, job)) = found.wanted else { return Ok(None) };
        let sql = "UPDATE queue SET deliveries = deliveries + 1, visible = ?2
            WHERE place = ?1 RETURNING deliveries";
        let mut statement = self.database.prepare_cached(sql)?;
        let mut rows = statement.query([place, until])?;
        let deliveries = rows.next()?.ok_or(QueueError::Damaged)?.get(0)?;
        // The change is committed behind the last row: who stops at the first never hears of a disk that
        // is full, and takes the same job for ever.
        while rows.next()?.is_some() {}
        Ok(Some(Taken { job, deliveries }))
    }

    fn hide(&mut self, job: JobId, until: u64) -> Result<(), QueueError> {
        let sql = "UPDATE queue SET visible = ?2 WHERE job = ?1 AND visible IS NOT NULL";
        self.database.prepare_cached(sql)?.execute(params![job.0, moment(until)?])?;
        Ok(())
    }

    fn drop_job(&mut self, job: JobId) -> Result<(), QueueError> {
        let sql = "DELETE FROM queue WHERE job = ?1";
        self.database.prepare_cached(sql)?.execute(params![job.0])?;
        Ok(())
    }

    fn dead(&mut self) -> Result<Vec<JobId>, QueueError> {
        let sql = "SELECT job FROM queue WHERE visible IS NULL ORDER BY place";
        let mut statement = self.database.prepare_cached(sql)?;
        let rows = statement.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
        rows.map(|job| job_of(&job?)).collect()
    }

    fn depth(&mut self, now: u64) -> Result<Depth, QueueError> {
        let sql =
            "SELECT count(*) FILTER (WHERE visible <= ?1), count(*) FILTER (WHERE visible > ?1),
            count(*) FILTER (WHERE visible IS NULL) FROM queue";
        let depth = self.database.prepare_cached(sql)?.query_row([moment(now)?], |row| {
            Ok(Depth { waiting: row.get(0)?, taken: row.get(1)?, dead: row.get(2)? })
        });
        Ok(depth?)
    }

    fn max_deliveries(&self) -> u32 {
        self.max_deliveries
    }
}
