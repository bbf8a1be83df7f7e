//! The escrow's records in memory, and what of them is still to be written to disk.
//!
//! The escrow reads and writes here, at the speed of memory. What it commits is taken from here,
//! many commits at once, and written to the store on disk in their order and in one commit: so the
//! disk holds, at every moment, the state after some number of whole operations. Whoever is told
//! that something has happened is told after that commit.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
};

use thiserror::Error;
use zkinfer_settlement::{MemoryStore, Record, RedbStore, Store, StoreError};

/// Why a journal cannot be read or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The store on disk fails.
    #[error("the escrow's store fails")]
    Store(#[from] StoreError),
}

/// The records of an escrow, in memory.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    records: MemoryStore,
    pending: Arc<Mutex<Vec<Record>>>,
}

impl Journal {
    /// The records of a store on disk.
    ///
    /// # Errors
    /// If the store fails.
    pub fn load(store: &RedbStore) -> Result<Self, JournalError> {
        let mut all = Vec::new();
        store.for_each(&mut |key, value| {
            all.push(Record { key: key.to_vec(), value: value.to_vec() });
        })?;
        let mut records = MemoryStore::default();
        let Ok(()) = records.commit(&all);
        Ok(Self { records, pending: Arc::default() })
    }

    /// Another view of what is still to be written.
    #[must_use]
    pub fn pending(&self) -> Pending {
        Pending(self.pending.clone())
    }
}

impl Store for Journal {
    type Error = Infallible;

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Infallible> {
        self.records.get(key)
    }

    fn commit(&mut self, records: &[Record]) -> Result<(), Infallible> {
        self.records.commit(records)?;
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.extend_from_slice(records);
        Ok(())
    }

    fn for_each(&self, visit: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), Infallible> {
        self.records.for_each(visit)
    }
}

/// What of a journal is still to be written.
#[derive(Clone, Debug)]
pub struct Pending(Arc<Mutex<Vec<Record>>>);

impl Pending {
    /// Everything that was committed since the last time, in order. A record may be there more than
    /// once; the last one counts.
    #[must_use]
    pub fn take(&self) -> Vec<Record> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
