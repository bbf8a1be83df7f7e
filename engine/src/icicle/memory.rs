//! Vectors of field elements on the device, and the operations on them that ICICLE has.

use std::{
    ffi::{c_int, c_void},
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use halo2_proofs::halo2curves::{
    bn256::Fr,
    ff::{Field, PrimeField},
};

use super::{
    abi::{Code, DeviceId, FORWARD, Functions, INVERSE, TransformConfig, VectorConfig},
    library::{Library, failed},
    options::DEVICE,
};
use crate::{
    error::DeviceError,
    kernels::{pack::Words, parallel},
    traffic::Traffic,
};

/// Bytes of a scalar.
pub(super) const SCALAR: usize = 32;
/// The codes of a device that has no memory left.
const NO_MEMORY: [Code; 2] = [2, 4];
/// Elements that one task turns into words.
const TASK: usize = 1 << 13;

/// A scalar as the device has it: canonical, low byte first.
pub(super) fn canonical(value: &Fr) -> [u8; SCALAR] {
    value.to_repr()
}

/// One device, and the vectors of `n` elements on it that are free for use.
pub(super) struct Machine {
    library: Arc<Library>,
    device: DeviceId,
    /// Elements of a column.
    rows: usize,
    free: Mutex<Vec<Pointer>>,
    pub(super) traffic: Arc<Traffic>,
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machine").field("library", &self.library).finish_non_exhaustive()
    }
}

/// An address on the device.
struct Pointer(*mut c_void);

// SAFETY: the address means nothing to the host; only calls into the library use it, one at a time.
unsafe impl Send for Pointer {}

/// A vector on the device.
pub(crate) struct Vector {
    machine: Arc<Machine>,
    address: Pointer,
    len: usize,
}

// SAFETY: shared references only read the address; calls into the library are one at a time.
unsafe impl Sync for Vector {}

impl fmt::Debug for Vector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vector").field("len", &self.len).finish_non_exhaustive()
    }
}

impl Drop for Vector {
    fn drop(&mut self) {
        let address = Pointer(self.address.0);
        if self.len == self.machine.rows {
            self.machine.free.lock().unwrap_or_else(PoisonError::into_inner).push(address);
        } else {
            self.machine.release(address);
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let free = std::mem::take(&mut *self.free.lock().unwrap_or_else(PoisonError::into_inner));
        free.into_iter().for_each(|address| self.release(address));
    }
}

/// The elements of a vector from one on.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) vector: &'a Vector,
    pub(super) first: usize,
}

impl Part<'_> {
    pub(super) fn address(&self, count: usize) -> *const c_void {
        assert!(self.first + count <= self.vector.len, "a part is in its vector");
        self.vector.address.0.wrapping_byte_add(SCALAR * self.first)
    }
}

impl Vector {
    /// All elements.
    pub(super) fn all(&self) -> Part<'_> {
        self.from(0)
    }

    /// The elements from `first` on.
    pub(super) fn from(&self, first: usize) -> Part<'_> {
        Part { vector: self, first }
    }

    /// The number of elements.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The address of the elements from `first` on, of which `count` are used.
    pub(super) fn address(&self, first: usize, count: usize) -> *mut c_void {
        self.from(first).address(count).cast_mut()
    }
}

/// An operation on two vectors, element by element.
#[derive(Clone, Copy)]
pub(super) enum Pairwise {
    Add,
    Subtract,
    Multiply,
}

impl Machine {
    /// A device whose columns have `rows` elements.
    pub(super) fn new(library: Arc<Library>, device: DeviceId, rows: usize) -> Arc<Self> {
        let (free, traffic) = (Mutex::new(Vec::new()), Arc::default());
        Arc::new(Self { library, device, rows, free, traffic })
    }

    /// The same device for columns of so many elements.
    pub(super) fn of_rows(&self, rows: usize) -> Arc<Self> {
        Self::new(Arc::clone(&self.library), self.device, rows)
    }

    /// Elements of a column.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Makes the roots of unity for transforms of columns.
    pub(super) fn need_domain(&self) -> Result<(), DeviceError> {
        self.library.need_domain(&self.device, self.rows.trailing_zeros())
    }

    /// Calls a function on this device, alone.
    pub(super) fn call(
        &self,
        operation: &'static str,
        function: impl FnOnce(&Functions) -> Code,
    ) -> Result<(), DeviceError> {
        self.traffic.operation();
        self.library.call(Some(&self.device), operation, function)
    }

    /// Free bytes of the device.
    pub(super) fn free_bytes(&self) -> Result<u64, DeviceError> {
        let (mut all, mut free) = (0, 0);
        self.call("asking for memory", |functions| {
            // SAFETY: two numbers that may be written.
            unsafe { (functions.memory)(&raw mut all, &raw mut free) }
        })?;
        Ok(free.min(all) as u64)
    }

    /// A vector with anything in it.
    pub(super) fn vector(self: &Arc<Self>, len: usize) -> Result<Vector, DeviceError> {
        let known = (len == self.rows)
            .then(|| self.free.lock().unwrap_or_else(PoisonError::into_inner).pop())
            .flatten();
        let address = match known {
            Some(address) => address,
            None => self.allocate(len * SCALAR)?,
        };
        Ok(Vector { machine: Arc::clone(self), address, len })
    }

    fn allocate(&self, bytes: usize) -> Result<Pointer, DeviceError> {
        let (mut address, mut code) = (std::ptr::null_mut(), 0);
        let allocated = self.call("allocating memory", |functions| {
            // SAFETY: an address that may be written.
            code = unsafe { (functions.malloc)(&raw mut address, bytes) };
            code
        });
        if NO_MEMORY.contains(&code) {
            let available = self.free_bytes().unwrap_or_default();
            return Err(DeviceError::OutOfMemory {
                device: DEVICE,
                needed: bytes as u64,
                available,
            });
        }
        allocated?;
        if address.is_null() {
            return Err(failed("allocating memory", "the device gave no address"));
        }
        Ok(Pointer(address))
    }

    fn release(&self, address: Pointer) {
        // SAFETY: it was allocated there, and nobody has it any more. An error leaves it allocated.
        let _ = self.call("freeing memory", |functions| unsafe { (functions.free)(address.0) });
    }

    /// Moves bytes to the device.
    pub(super) fn write(&self, to: &Vector, first: usize, bytes: &[u8]) -> Result<(), DeviceError> {
        self.traffic.uploaded(bytes.len());
        let address = to.address(first, bytes.len() / SCALAR);
        self.call("copying to the device", |functions| {
            // SAFETY: the vector has room for as many elements from `first` on.
            unsafe { (functions.to_device)(address, bytes.as_ptr().cast(), bytes.len()) }
        })
    }

    /// Elements on the device.
    pub(super) fn upload(self: &Arc<Self>, values: &[Fr]) -> Result<Vector, DeviceError> {
        let vector = self.vector(values.len())?;
        self.write_elements(&vector, 0, values)?;
        Ok(vector)
    }

    /// Writes elements from a row on.
    pub(super) fn write_elements(
        &self,
        vector: &Vector,
        first: usize,
        values: &[Fr],
    ) -> Result<(), DeviceError> {
        if values.is_empty() {
            return Ok(());
        }
        let bytes = bytes_of(values.len(), |index| words_to_bytes(values[index].words()));
        self.write(vector, first, &bytes)?;
        let (count, config) = (values.len(), VectorConfig::default());
        let address = vector.address(first, count);
        self.call("leaving the Montgomery form", |functions| {
            // SAFETY: as many elements on the device, in place.
            unsafe { (functions.convert)(address, count as u64, false, &raw const config, address) }
        })
    }

    /// Small integers on the device.
    pub(super) fn upload_integers(self: &Arc<Self>, values: &[i32]) -> Result<Vector, DeviceError> {
        let modulus = (-Fr::ONE).to_repr();
        let (words, _) = modulus.as_ref().as_chunks::<8>();
        let last: [u64; 4] = std::array::from_fn(|i| u64::from_le_bytes(words[i]));
        let bytes = bytes_of(values.len(), |index| {
            let value = values[index];
            let magnitude = u64::from(value.unsigned_abs());
            words_to_bytes(if value < 0 { less(last, magnitude - 1) } else { [magnitude, 0, 0, 0] })
        });
        let vector = self.vector(values.len())?;
        self.write(&vector, 0, &bytes)?;
        Ok(vector)
    }

    /// Elements of the device.
    pub(super) fn download(&self, part: Part<'_>, count: usize) -> Result<Vec<Fr>, DeviceError> {
        let mut bytes = vec![0_u8; count * SCALAR];
        self.traffic.downloaded(bytes.len());
        let address = part.address(count);
        self.call("copying to the host", |functions| {
            // SAFETY: as many bytes are at the address, and may be written here.
            unsafe { (functions.to_host)(bytes.as_mut_ptr().cast(), address, bytes.len()) }
        })?;
        let (chunks, _) = bytes.as_chunks::<SCALAR>();
        let element = |bytes: &[u8; SCALAR]| Option::from(Fr::from_repr(*bytes));
        let parts = parallel::map(chunks.len().div_ceil(TASK), |task| {
            let end = chunks.len().min((task + 1) * TASK);
            chunks[task * TASK..end].iter().map(element).collect::<Option<Vec<Fr>>>()
        });
        let parts: Option<Vec<_>> = parts.into_iter().collect();
        let parts = parts.ok_or_else(|| {
            failed("copying to the host", "the device gave a number that is no field element")
        })?;
        Ok(parts.concat())
    }

    /// Copies elements on the device.
    pub(super) fn copy(
        &self,
        from: Part<'_>,
        to: &Vector,
        first: usize,
        count: usize,
    ) -> Result<(), DeviceError> {
        if count == 0 {
            return Ok(());
        }
        let (from, to) = (from.address(count), to.address(first, count));
        self.call("copying on the device", |functions| {
            // SAFETY: both are of the device and have as many elements; they do not overlap.
            unsafe { (functions.copy)(to, from, count * SCALAR) }
        })
    }

    /// `a ∘ b` for `count` elements, to `to` from `first` on.
    pub(super) fn pairwise(
        &self,
        operation: Pairwise,
        [a, b]: [Part<'_>; 2],
        to: &Vector,
        first: usize,
        count: usize,
    ) -> Result<(), DeviceError> {
        let (a, b, to) = (a.address(count), b.address(count), to.address(first, count));
        let config = VectorConfig::default();
        self.call("an operation on vectors", |functions| {
            let function = match operation {
                Pairwise::Add => functions.add,
                Pairwise::Subtract => functions.subtract,
                Pairwise::Multiply => functions.multiply,
            };
            // SAFETY: all are of the device and have as many elements. An operand may be the result:
            // every element is read before it is written.
            unsafe { function(a, b, count as u64, &raw const config, to) }
        })
    }

    /// `scalar · a` or `scalar + a`, for a scalar on the device.
    pub(super) fn with_scalar(
        &self,
        is_product: bool,
        scalar: Part<'_>,
        a: Part<'_>,
        to: &Vector,
        first: usize,
        count: usize,
    ) -> Result<(), DeviceError> {
        let (scalar, a, to) = (scalar.address(1), a.address(count), to.address(first, count));
        let config = VectorConfig::default();
        self.call("an operation with a scalar", |functions| {
            let function = if is_product { functions.scale } else { functions.add_scalar };
            // SAFETY: as for `pairwise`, and one element at the scalar.
            unsafe { function(scalar, a, count as u64, &raw const config, to) }
        })
    }

    /// `1/a` for every element; zero stays zero.
    pub(super) fn invert(self: &Arc<Self>, a: &Vector) -> Result<Vector, DeviceError> {
        let inverse = self.vector(a.len)?;
        let (from, to, config) =
            (a.address(0, a.len), inverse.address(0, a.len), VectorConfig::default());
        self.call("inverting", |functions| {
            // SAFETY: both are of the device and have as many elements.
            unsafe { (functions.invert)(from, a.len as u64, &raw const config, to) }
        })?;
        Ok(inverse)
    }

    /// The sum of all elements.
    pub(super) fn sum(self: &Arc<Self>, a: &Vector) -> Result<Fr, DeviceError> {
        let sum = self.vector(1)?;
        let (from, to, config) = (a.address(0, a.len), sum.address(0, 1), VectorConfig::default());
        self.call("adding up", |functions| {
            // SAFETY: a vector and one element, both of the device.
            unsafe { (functions.sum)(from, a.len as u64, &raw const config, to) }
        })?;
        let sum = self.download(sum.all(), 1)?;
        Ok(sum[0])
    }

    /// Values on H to coefficients.
    pub(super) fn interpolate(self: &Arc<Self>, values: &Vector) -> Result<Vector, DeviceError> {
        self.transform(values, INVERSE)
    }

    /// Coefficients to values on H.
    pub(super) fn evaluate(self: &Arc<Self>, values: &Vector) -> Result<Vector, DeviceError> {
        self.transform(values, FORWARD)
    }

    fn transform(
        self: &Arc<Self>,
        values: &Vector,
        direction: c_int,
    ) -> Result<Vector, DeviceError> {
        let transformed = self.vector(values.len)?;
        let count = c_int::try_from(values.len).expect("at most 2^28 rows");
        let (from, to) = (values.address(0, values.len), transformed.address(0, values.len));
        let config = TransformConfig::default();
        self.call("a transform", |functions| {
            // SAFETY: both are of the device and have as many elements, a power of two for which
            // roots of unity were made.
            unsafe { (functions.transform)(from, count, direction, &raw const config, to) }
        })?;
        Ok(transformed)
    }
}

/// `a - b`, where that is not negative.
fn less(a: [u64; 4], b: u64) -> [u64; 4] {
    let mut borrow = b;
    a.map(|word| {
        let (word, is_less) = word.overflowing_sub(borrow);
        borrow = u64::from(is_less);
        word
    })
}

fn words_to_bytes(words: [u64; 4]) -> [u8; SCALAR] {
    let mut bytes = [0; SCALAR];
    for (to, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(words) {
        *to = word.to_le_bytes();
    }
    bytes
}

/// The bytes of scalars.
fn bytes_of(count: usize, scalar: impl Fn(usize) -> [u8; SCALAR] + Sync) -> Vec<u8> {
    let mut bytes = vec![0; count * SCALAR];
    parallel::chunks(&mut bytes, TASK * SCALAR, |task, bytes| {
        for (i, to) in bytes.as_chunks_mut::<SCALAR>().0.iter_mut().enumerate() {
            *to = scalar(task * TASK + i);
        }
    });
    bytes
}
