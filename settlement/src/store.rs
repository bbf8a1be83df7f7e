//! Where an escrow keeps its records.

use std::{collections::BTreeMap, convert::Infallible};

/// One record to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its name; a record of the same name is replaced.
    pub key: Vec<u8>,
    /// Its content.
    pub value: Vec<u8>,
}

/// A map from bytes to bytes that changes by atomic and durable commits.
///
/// The escrow keeps no state of its own, so whatever a store answers is what the escrow believes.
/// No two escrows may use the same store at once.
pub trait Store {
    /// Why the store failed.
    type Error: std::error::Error + Send + Sync + 'static;

    /// The record of this name, as the last commit left it.
    ///
    /// # Errors
    /// The store cannot tell.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Self::Error>;

    /// Writes all of `records` or none. When this returns `Ok`, they survive a crash of the process
    /// and of the machine: receipts are handed out on the strength of it.
    ///
    /// # Errors
    /// The commit may or may not have happened. From then on, until it is opened again, the store
    /// must answer by an error or by what is durable.
    fn commit(&mut self, records: &[Record]) -> Result<(), Self::Error>;

    /// Shows every record once.
    ///
    /// # Errors
    /// The store cannot tell.
    fn for_each(&self, visit: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), Self::Error>;
}

/// A store in memory, for tests: durable for as long as nothing crashes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryStore {
    records: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Store for MemoryStore {
    type Error = Infallible;

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Infallible> {
        Ok(self.records.get(key).cloned())
    }

    fn commit(&mut self, records: &[Record]) -> Result<(), Infallible> {
        let records = records.iter().map(|Record { key, value }| (key.clone(), value.clone()));
        self.records.extend(records);
        Ok(())
    }

    fn for_each(&self, visit: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), Infallible> {
        self.records.iter().for_each(|(key, value)| visit(key, value));
        Ok(())
    }
}
