//! The store on disk: one table of a redb database.

use std::{
    fs::{File, OpenOptions},
    io::ErrorKind,
    path::Path,
};

use redb::{
    Builder, Database, DatabaseError, Durability, ReadableDatabase, ReadableTable, StorageBackend,
    TableDefinition, TableError, TableHandle, backends::FileBackend,
};
use tempfile::NamedTempFile;
use thiserror::Error;

use crate::store::{Record, Store};

/// All records.
const TABLE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("zkinfer-settlement");

/// Why the store on disk failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no file to open.
    #[error("there is no such file; create it first")]
    Missing,
    /// The file to create exists.
    #[error("the file exists; open it")]
    Exists,
    /// Another process, or another handle of this one, has the file open.
    #[error("the file is in use")]
    InUse,
    /// The file is no store of this crate: no database at all, or one with other tables.
    #[error("the file is no store of an escrow")]
    Foreign,
    /// The file is a database of another version of redb.
    #[error("the file has version {got} of the database format, which this program does not read")]
    DatabaseVersion {
        /// The version of the file.
        got: u8,
    },
    /// The database fails its own checks.
    #[error("the file is damaged")]
    Damaged(#[source] redb::Error),
    /// The operating system refused.
    #[error("the file cannot be accessed")]
    Io(#[source] std::io::Error),
    /// The database failed in another way.
    #[error("the database failed")]
    Database(#[source] redb::Error),
}

impl From<redb::Error> for StoreError {
    fn from(error: redb::Error) -> Self {
        #[expect(clippy::wildcard_enum_match_arm, reason = "redb's errors are non-exhaustive")]
        match error {
            redb::Error::DatabaseAlreadyOpen => Self::InUse,
            redb::Error::UpgradeRequired(got) => Self::DatabaseVersion { got },
            redb::Error::Corrupted(_) => Self::Damaged(error),
            redb::Error::Io(error) => Self::Io(error),
            _ => Self::Database(error),
        }
    }
}

impl From<DatabaseError> for StoreError {
    fn from(error: DatabaseError) -> Self {
        let error = redb::Error::from(error);
        // What redb says of a file that does not begin as a database.
        let foreign = |error: &std::io::Error| error.kind() == ErrorKind::InvalidData;
        let is_foreign = matches!(&error, redb::Error::Io(error) if foreign(error));
        if is_foreign { Self::Foreign } else { error.into() }
    }
}

/// A store in one file, which survives a crash of the process or the machine at any moment. Every
/// commit is on disk when it returns. The file is locked while it is open.
#[derive(Debug)]
pub struct RedbStore {
    database: Database,
}

impl RedbStore {
    /// Creates an empty store. The file appears under its name when it is complete.
    ///
    /// # Errors
    /// [`StoreError::Exists`], or another failure.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::create_on(path, FileBackend::new)
    }

    /// Opens an existing store. There is no opening that creates what is missing: an escrow that
    /// has forgotten its jobs would pay them again.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`StoreError::InUse`], [`StoreError::Foreign`],
    /// [`StoreError::DatabaseVersion`], [`StoreError::Damaged`], or another failure.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_on(path, FileBackend::new)
    }

    /// [`RedbStore::create`] with access to the file through a backend of the caller's: one that
    /// mirrors, encrypts, or fails on purpose.
    ///
    /// # Errors
    /// Those of [`RedbStore::create`].
    pub fn create_on<B: StorageBackend>(
        path: impl AsRef<Path>,
        backend: impl FnOnce(File) -> Result<B, DatabaseError>,
    ) -> Result<Self, StoreError> {
        let folder = match path.as_ref().parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        let (file, unnamed) = NamedTempFile::new_in(folder).map_err(StoreError::Io)?.into_parts();
        let store = Self::initialize(backend(file)?)?;
        unnamed.persist_noclobber(path.as_ref()).map_err(|refused| {
            let exists = refused.error.kind() == ErrorKind::AlreadyExists;
            if exists { StoreError::Exists } else { StoreError::Io(refused.error) }
        })?;
        sync_folder(folder)?;
        Ok(store)
    }

    /// [`RedbStore::open`] with access to the file through a backend of the caller's.
    ///
    /// # Errors
    /// Those of [`RedbStore::open`].
    pub fn open_on<B: StorageBackend>(
        path: impl AsRef<Path>,
        backend: impl FnOnce(File) -> Result<B, DatabaseError>,
    ) -> Result<Self, StoreError> {
        let opened = OpenOptions::new().read(true).write(true).open(path);
        let file = opened.map_err(|error| {
            let missing = error.kind() == ErrorKind::NotFound;
            if missing { StoreError::Missing } else { StoreError::Io(error) }
        })?;
        if file.metadata().map_err(StoreError::Io)?.len() == 0 {
            // redb would make a database of it.
            return Err(StoreError::Foreign);
        }
        let database = Builder::new().create_with_backend(backend(file)?)?;
        let store = Self { database };
        if store.has_our_table_alone()? { Ok(store) } else { Err(StoreError::Foreign) }
    }

    fn initialize(backend: impl StorageBackend) -> Result<Self, StoreError> {
        let mut store = Self { database: Builder::new().create_with_backend(backend)? };
        // Makes the table.
        store.write(&[])?;
        Ok(store)
    }

    fn has_our_table_alone(&self) -> Result<bool, redb::Error> {
        let transaction = self.database.begin_read()?;
        if transaction.list_multimap_tables()?.next().is_some() {
            return Ok(false);
        }
        let names: Vec<_> = transaction.list_tables()?.map(|one| one.name().to_owned()).collect();
        if names != [TABLE.name()] {
            return Ok(false);
        }
        match transaction.open_table(TABLE) {
            Ok(_) => Ok(true),
            Err(TableError::TableTypeMismatch { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, redb::Error> {
        let table = self.database.begin_read()?.open_table(TABLE)?;
        let found = table.get(key)?;
        Ok(found.map(|value| value.value().to_vec()))
    }

    fn write(&mut self, records: &[Record]) -> Result<(), redb::Error> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        // The content is on disk before the pointer to it: no checksum, which somebody might
        // forge, decides what was committed.
        transaction.set_two_phase_commit(true);
        {
            let mut table = transaction.open_table(TABLE)?;
            for Record { key, value } in records {
                table.insert(key.as_slice(), value.as_slice())?;
            }
        }
        Ok(transaction.commit()?)
    }

    fn visit_all(&self, visit: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), redb::Error> {
        let table = self.database.begin_read()?.open_table(TABLE)?;
        for record in table.iter()? {
            let (key, value) = record?;
            visit(key.value(), value.value());
        }
        Ok(())
    }
}

impl Store for RedbStore {
    type Error = StoreError;

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.read(key)?)
    }

    fn commit(&mut self, records: &[Record]) -> Result<(), StoreError> {
        Ok(self.write(records)?)
    }

    fn for_each(&self, visit: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), StoreError> {
        Ok(self.visit_all(visit)?)
    }
}

/// Makes a new name durable.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(StoreError::Io)
}

/// Other systems do not open folders as files.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> Result<(), StoreError> {
    Ok(())
}
