//! An accelerator with its memory under control: buffers that give themselves back, and a limit.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use halo2_proofs::halo2curves::bn256::Fr;

use super::{
    accelerator::{Accelerator, DEVICE, Grid, Kernel},
    plain::{self, ELEMENT, Plain},
};
use crate::{
    error::DeviceError,
    traffic::{DeviceUsage, Traffic},
};

/// Allocations are multiples of this.
const GRANULE: usize = 256;

/// An accelerator and what is allocated on it.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    memory: Arc<Memory>,
}

#[derive(Debug)]
struct Memory {
    accelerator: Box<dyn Accelerator>,
    /// The most bytes that may be allocated.
    limit: usize,
    state: Mutex<State>,
    traffic: Traffic,
}

#[derive(Debug, Default)]
struct State {
    /// Bytes allocated, in use or not.
    allocated: usize,
    /// Bytes in use.
    used: usize,
    /// Addresses that are not in use, by their bytes.
    free: BTreeMap<usize, Vec<u64>>,
}

/// Memory of a machine; free again when it is dropped.
///
/// Work that was launched before and still uses it comes before work that is launched later, so
/// that it can be used anew at once.
pub(crate) struct Buffer {
    memory: Arc<Memory>,
    address: u64,
    bytes: usize,
}

impl fmt::Debug for Buffer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Buffer({} bytes)", self.bytes)
    }
}

impl Buffer {
    /// Where it is.
    pub(super) fn address(&self) -> u64 {
        self.address
    }

    /// The address of an element.
    pub(super) fn element(&self, index: usize) -> u64 {
        self.address + (index * ELEMENT) as u64
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut state = self.memory.state();
        state.used -= self.bytes;
        state.free.entry(self.bytes).or_default().push(self.address);
    }
}

impl Memory {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives everything back that is not in use.
    fn trim(&self, state: &mut State) {
        for (bytes, addresses) in std::mem::take(&mut state.free) {
            state.allocated -= bytes * addresses.len();
            addresses.into_iter().for_each(|address| self.accelerator.release(address));
        }
    }

    fn allocate(&self, bytes: usize) -> Result<u64, DeviceError> {
        let mut state = self.state();
        let known = state.free.get_mut(&bytes).and_then(Vec::pop);
        let mut found = known;
        if found.is_none() && state.allocated + bytes > self.limit {
            self.trim(&mut state);
        }
        if found.is_none() && state.allocated + bytes <= self.limit {
            found = self.accelerator.allocate(bytes)?;
            if found.is_none() {
                self.trim(&mut state);
                found = self.accelerator.allocate(bytes)?;
            }
            state.allocated += if found.is_some() { bytes } else { 0 };
        }
        let available = self.limit.saturating_sub(state.used) as u64;
        let none = DeviceError::OutOfMemory { device: DEVICE, needed: bytes as u64, available };
        let address = found.ok_or(none)?;
        state.used += bytes;
        Ok(address)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let mut state =
            std::mem::take(self.state.get_mut().unwrap_or_else(PoisonError::into_inner));
        self.trim(&mut state);
    }
}

impl Machine {
    /// An accelerator of which at most `limit` bytes may be used.
    pub(super) fn new(accelerator: Box<dyn Accelerator>, limit: usize) -> Self {
        let (state, traffic) = (Mutex::default(), Traffic::default());
        let memory = Memory { accelerator, limit, state, traffic };
        Self { memory: Arc::new(memory) }
    }

    /// Bytes that may still be used.
    pub(super) fn available(&self) -> usize {
        self.memory.limit.saturating_sub(self.memory.state().used)
    }

    /// Counts something that the host did for the machine.
    pub(super) fn by_host(&self) {
        self.memory.traffic.by_host();
    }

    /// What was asked of the machine so far.
    pub(super) fn usage(&self) -> DeviceUsage {
        self.memory.traffic.usage()
    }

    /// Copies bytes to the machine.
    fn write(&self, address: u64, bytes: &[u8]) -> Result<(), DeviceError> {
        self.memory.traffic.uploaded(bytes.len());
        self.memory.accelerator.write(address, bytes)
    }

    /// Memory for so many bytes, whatever is in it.
    pub(super) fn buffer(&self, bytes: usize) -> Result<Buffer, DeviceError> {
        let bytes = bytes.max(1).next_multiple_of(GRANULE);
        let address = self.memory.allocate(bytes)?;
        Ok(Buffer { memory: Arc::clone(&self.memory), address, bytes })
    }

    /// Memory for so many elements.
    pub(super) fn elements(&self, count: usize) -> Result<Buffer, DeviceError> {
        self.buffer(count * ELEMENT)
    }

    /// Zeros.
    pub(super) fn zeros(&self, bytes: usize) -> Result<Buffer, DeviceError> {
        let buffer = self.buffer(bytes)?;
        self.clear(&buffer)?;
        Ok(buffer)
    }

    /// Sets a buffer to zero.
    pub(super) fn clear(&self, buffer: &Buffer) -> Result<(), DeviceError> {
        self.memory.accelerator.clear(buffer.address, buffer.bytes)
    }

    /// A buffer with these numbers.
    pub(super) fn upload<T: Plain>(&self, numbers: &[T]) -> Result<Buffer, DeviceError> {
        let buffer = self.buffer(size_of_val(numbers))?;
        if !numbers.is_empty() {
            self.write(buffer.address, plain::bytes(numbers))?;
        }
        Ok(buffer)
    }

    /// A buffer with these elements.
    pub(super) fn upload_elements(&self, elements: &[Fr]) -> Result<Buffer, DeviceError> {
        self.upload(&plain::words(elements))
    }

    /// Overwrites elements from `first` on.
    pub(super) fn write_elements(
        &self,
        buffer: &Buffer,
        first: usize,
        elements: &[Fr],
    ) -> Result<(), DeviceError> {
        let words = plain::words(elements);
        self.write(buffer.element(first), plain::bytes(&words))
    }

    /// Words from an address on.
    pub(super) fn read(&self, address: u64, words: usize) -> Result<Vec<u64>, DeviceError> {
        let mut read = vec![0; words];
        self.memory.traffic.downloaded(size_of_val(&read[..]));
        self.memory.accelerator.read(address, plain::bytes_mut(&mut read))?;
        Ok(read)
    }

    /// Elements of a buffer.
    pub(super) fn read_elements(
        &self,
        buffer: &Buffer,
        first: usize,
        count: usize,
    ) -> Result<Vec<Fr>, DeviceError> {
        Ok(plain::elements(&self.read(buffer.element(first), 4 * count)?))
    }

    /// Runs a kernel with at least so many threads in each of so many rows.
    pub(super) fn launch(
        &self,
        kernel: Kernel,
        threads: usize,
        rows: usize,
        arguments: &[u64],
    ) -> Result<(), DeviceError> {
        self.launch_blocks(kernel, threads.div_ceil(kernel.threads() as usize), rows, arguments)
    }

    /// Runs a kernel with so many blocks in each of so many rows.
    pub(super) fn launch_blocks(
        &self,
        kernel: Kernel,
        blocks: usize,
        rows: usize,
        arguments: &[u64],
    ) -> Result<(), DeviceError> {
        let (Ok(width), Ok(height)) = (u32::try_from(blocks), u32::try_from(rows)) else {
            let reason = format!("{blocks} x {rows} blocks are too many");
            let operation = kernel.name();
            return Err(DeviceError::Failed { device: DEVICE, operation, reason });
        };
        if width == 0 || height == 0 {
            return Ok(());
        }
        self.memory.traffic.operation();
        self.memory.accelerator.launch(kernel, Grid { width, height }, arguments)
    }

    /// Waits for everything that was launched.
    pub(super) fn finish(&self) -> Result<(), DeviceError> {
        self.memory.accelerator.finish()
    }
}
