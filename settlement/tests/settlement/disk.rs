//! A disk that dies: the file behind a database, with a volatile cache of its own.

use std::{
    fs::File,
    io::{Error, ErrorKind},
    os::unix::fs::FileExt,
    sync::Mutex,
};

use zkinfer_settlement::redb::StorageBackend;

/// What is left of the changes since the last sync when the process is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// The process dies before the last change: all others are there.
    Killed,
    /// The process dies in the middle of the last change: half of it is there.
    Torn,
    /// The machine dies with it: none of them is there.
    PowerCut,
    /// The machine dies after it wrote some sectors, in any order.
    Scrambled,
    /// As `PowerCut`, on a disk that from the given sync on only says that it has synced.
    Lying(u64),
    /// Nobody dies: the last change or sync is an error, later ones are not, and what was not
    /// synced before is gone.
    Failing,
}

/// Sectors are written whole.
const SECTOR: usize = 512;

#[derive(Debug)]
enum Change {
    Write { offset: u64, data: Vec<u8> },
    SetLength(u64),
}

#[derive(Debug)]
pub(crate) struct Disk {
    file: File,
    loss: Loss,
    /// How many changes and syncs the process survives.
    fuse: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// What the process reads back.
    image: Vec<u8>,
    /// What a crash may undo.
    unsynced: Vec<Change>,
    events: u64,
    syncs: u64,
}

impl Disk {
    pub(crate) fn new(file: File, loss: Loss, fuse: u64) -> Self {
        let mut image = vec![0; usize::try_from(file.metadata().unwrap().len()).unwrap()];
        file.read_exact_at(&mut image, 0).unwrap();
        let state = Mutex::new(State { image, unsynced: vec![], events: 0, syncs: 0 });
        Self { file, loss, fuse, state }
    }

    /// Counts a change or a sync, and dies of the last one.
    fn count(&self, state: &mut State, change: Option<Change>) -> Result<(), Error> {
        let is_last = state.events == self.fuse;
        state.events += 1;
        if is_last && self.loss == Loss::Failing {
            state.unsynced.clear();
            return Err(Error::other("the disk fails"));
        }
        if is_last {
            self.die(std::mem::take(&mut state.unsynced), change);
        }
        state.unsynced.extend(change);
        Ok(())
    }

    fn die(&self, unsynced: Vec<Change>, last: Option<Change>) -> ! {
        match self.loss {
            Loss::Killed => unsynced.iter().for_each(|change| self.apply(change)),
            Loss::Torn => {
                unsynced.iter().for_each(|change| self.apply(change));
                if let Some(Change::Write { offset, data }) = last {
                    self.file.write_all_at(&data[..data.len() / 2], offset).unwrap();
                }
            }
            Loss::PowerCut | Loss::Lying(_) | Loss::Failing => {}
            Loss::Scrambled => self.apply_some(unsynced.into_iter().chain(last)),
        }
        std::process::abort()
    }

    fn apply(&self, change: &Change) {
        match change {
            Change::Write { offset, data } => self.file.write_all_at(data, *offset).unwrap(),
            Change::SetLength(length) => self.file.set_len(*length).unwrap(),
        }
    }

    /// Every other sector, chosen by a hash of its number. The length of the file is kept by a
    /// journal of the file system, in order.
    fn apply_some(&self, changes: impl Iterator<Item = Change>) {
        let mut number = self.fuse;
        let mut chosen = || {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            number >> 63 == 0
        };
        for change in changes {
            let Change::Write { offset, data } = change else {
                self.apply(&change);
                continue;
            };
            for (index, sector) in data.chunks(SECTOR).enumerate() {
                if chosen() {
                    let offset = offset + (index * SECTOR) as u64;
                    self.file.write_all_at(sector, offset).unwrap();
                }
            }
        }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> Result<u64, Error> {
        Ok(self.state.lock().unwrap().image.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), Error> {
        let state = self.state.lock().unwrap();
        let start = usize::try_from(offset).unwrap();
        let end = Error::from(ErrorKind::UnexpectedEof);
        out.copy_from_slice(state.image.get(start..start + out.len()).ok_or(end)?);
        Ok(())
    }

    fn set_len(&self, length: u64) -> Result<(), Error> {
        let mut state = self.state.lock().unwrap();
        self.count(&mut state, Some(Change::SetLength(length)))?;
        state.image.resize(usize::try_from(length).unwrap(), 0);
        Ok(())
    }

    fn sync_data(&self) -> Result<(), Error> {
        let mut state = self.state.lock().unwrap();
        self.count(&mut state, None)?;
        state.syncs += 1;
        if !matches!(self.loss, Loss::Lying(from) if state.syncs > from) {
            state.unsynced.drain(..).for_each(|change| self.apply(&change));
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), Error> {
        let mut state = self.state.lock().unwrap();
        self.count(&mut state, Some(Change::Write { offset, data: data.to_vec() }))?;
        let start = usize::try_from(offset).unwrap();
        let end = Error::from(ErrorKind::UnexpectedEof);
        state.image.get_mut(start..start + data.len()).ok_or(end)?.copy_from_slice(data);
        Ok(())
    }

    fn close(&self) -> Result<(), Error> {
        let mut state = self.state.lock().unwrap();
        state.unsynced.drain(..).for_each(|change| self.apply(&change));
        Ok(())
    }
}
