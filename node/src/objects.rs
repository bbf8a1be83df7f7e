//! What belongs to a job and is no money: its order, its answer, its proof.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};
use thiserror::Error;
use zkinfer_settlement::JobId;

use crate::log::LogEntry;

/// A change of the table changes it.
const VERSION: i64 = 1;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS objects (
    job BLOB NOT NULL,
    kind INTEGER NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (job, kind)
) STRICT;
CREATE TABLE IF NOT EXISTS log (number INTEGER PRIMARY KEY, entry BLOB NOT NULL) STRICT;";

/// What of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The order with its input, as JSON.
    Request,
    /// The signed answer, as JSON.
    Answer,
    /// The `.zkproof`.
    Proof,
    /// What has drawn the lot of the answer: the buyer's secret, 32 bytes, or the signature of a round
    /// of drand, 48.
    Lot,
    /// Of which job this one is a part, which one, and what blinds what it gives, as JSON.
    Place,
    /// What a node has shown of a sealed input that is none, as JSON.
    Fault,
}

impl Kind {
    fn number(self) -> i64 {
        match self {
            Self::Request => 0,
            Self::Answer => 1,
            Self::Proof => 2,
            Self::Lot => 3,
            Self::Place => 4,
            Self::Fault => 5,
        }
    }
}

/// Something to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// The job.
    pub job: JobId,
    /// What of it.
    pub kind: Kind,
    /// Its bytes.
    pub content: Vec<u8>,
}

/// Why objects cannot be kept or read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ObjectsError {
    /// The database fails.
    #[error("the database of orders, answers and proofs fails")]
    Sqlite(#[from] rusqlite::Error),
    /// An entry of the log that is none.
    #[error("an entry of the log is damaged")]
    Damaged,
    /// The file is of something else, or of another version.
    #[error("the file is no store of objects of version {VERSION}: its version is {got}")]
    Version {
        /// Of the file.
        got: i64,
    },
}

/// Objects in one SQLite file, on disk when they are said to be.
#[derive(Debug)]
pub struct Objects(Connection);

impl Objects {
    /// The objects in a file, which is made where there is none.
    ///
    /// # Errors
    /// If it cannot be opened, or is something else.
    pub fn open(path: &Path) -> Result<Self, ObjectsError> {
        let database = Connection::open(path)?;
        database.busy_timeout(std::time::Duration::from_secs(10))?;
        database.pragma_update(None, "journal_mode", "WAL")?;
        database.pragma_update(None, "synchronous", "FULL")?;
        let got: i64 = database.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        let tables: i64 =
            database.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if (got, tables) != (0, 0) && got != VERSION {
            return Err(ObjectsError::Version { got });
        }
        database.execute_batch(TABLE)?;
        database.pragma_update(None, "user_version", VERSION)?;
        Ok(Self(database))
    }

    /// Keeps all of them and of the log's entries, or none. An object of the same job and kind is replaced: an answer by that of the
    /// next node.
    ///
    /// # Errors
    /// If they are not on disk.
    pub fn keep(&mut self, objects: &[Object], log: &[LogEntry]) -> Result<(), ObjectsError> {
        if objects.is_empty() && log.is_empty() {
            return Ok(());
        }
        let transaction = self.0.transaction()?;
        {
            let sql = "INSERT OR REPLACE INTO objects (job, kind, content) VALUES (?1, ?2, ?3)";
            let mut statement = transaction.prepare_cached(sql)?;
            for Object { job, kind, content } in objects {
                statement.execute(params![job.0, kind.number(), content])?;
            }
            // One number twice would be two logs.
            let sql = "INSERT INTO log (number, entry) VALUES (?1, ?2)";
            let mut statement = transaction.prepare_cached(sql)?;
            for entry in log {
                let number = i64::try_from(entry.number).unwrap_or(i64::MAX);
                let content = serde_json::to_vec(entry).map_err(|_| ObjectsError::Damaged)?;
                statement.execute(params![number, content])?;
            }
        }
        Ok(transaction.commit()?)
    }

    /// At most `limit` entries of the log, in order, from a place on.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn log(&self, from: u64, limit: u32) -> Result<Vec<LogEntry>, ObjectsError> {
        let sql = "SELECT entry FROM log WHERE number >= ?1 ORDER BY number LIMIT ?2";
        let mut statement = self.0.prepare_cached(sql)?;
        let from = i64::try_from(from).unwrap_or(i64::MAX);
        let rows = statement.query_map(params![from, limit], |row| row.get::<_, Vec<u8>>(0))?;
        rows.map(|entry| serde_json::from_slice(&entry?).map_err(|_| ObjectsError::Damaged))
            .collect()
    }

    /// One object, if there is one.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn get(&self, job: JobId, kind: Kind) -> Result<Option<Vec<u8>>, ObjectsError> {
        let sql = "SELECT content FROM objects WHERE job = ?1 AND kind = ?2";
        let mut statement = self.0.prepare_cached(sql)?;
        let found = statement.query_row(params![job.0, kind.number()], |row| row.get(0));
        Ok(found.optional()?)
    }
}
