//! What goes to a device and back.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a key and its proofs asked of a device that is another machine than the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceUsage {
    /// Calls to the device.
    pub operations: u64,
    /// What it could not do and the host did.
    pub host_operations: u64,
    /// Bytes to the device.
    pub uploaded_bytes: u64,
    /// Bytes from the device.
    pub downloaded_bytes: u64,
}

/// Counts what goes to a device and back; see [`DeviceUsage`].
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    operations: AtomicU64,
    host_operations: AtomicU64,
    uploaded: AtomicU64,
    downloaded: AtomicU64,
}

impl Traffic {
    fn add(counter: &AtomicU64, more: usize) {
        counter.fetch_add(more as u64, Ordering::Relaxed);
    }

    /// A call to the device.
    pub(crate) fn operation(&self) {
        Self::add(&self.operations, 1);
    }

    /// Something that the host did for the device.
    pub(crate) fn by_host(&self) {
        Self::add(&self.host_operations, 1);
    }

    /// So many bytes to the device.
    pub(crate) fn uploaded(&self, bytes: usize) {
        Self::add(&self.uploaded, bytes);
    }

    /// So many bytes from the device.
    pub(crate) fn downloaded(&self, bytes: usize) {
        Self::add(&self.downloaded, bytes);
    }

    /// All so far.
    pub(crate) fn usage(&self) -> DeviceUsage {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        DeviceUsage {
            operations: read(&self.operations),
            host_operations: read(&self.host_operations),
            uploaded_bytes: read(&self.uploaded),
            downloaded_bytes: read(&self.downloaded),
        }
    }
}
