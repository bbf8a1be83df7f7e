//! What the library keeps, and how it reads what it is given.

use std::{
    collections::BTreeMap,
    env,
    ffi::{c_int, c_void},
    path::PathBuf,
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
};

use halo2_proofs::halo2curves::{bn256::Fr, ff::PrimeField};

pub(crate) const INVALID_DEVICE: c_int = 1;
pub(crate) const OUT_OF_MEMORY: c_int = 2;
pub(crate) const INVALID_POINTER: c_int = 3;
pub(crate) const INVALID_ARGUMENT: c_int = 11;
pub(crate) const SCALAR: usize = 32;

#[derive(Default)]
pub(crate) struct State {
    pub(crate) faults: BTreeMap<String, String>,
    /// The file without which there are no faults, if one was named.
    condition: Option<PathBuf>,
    /// Allocations by their address.
    pub(crate) memory: BTreeMap<usize, Box<[u64]>>,
    pub(crate) root: Option<Fr>,
}

static STATE: LazyLock<Mutex<State>> = LazyLock::new(|| {
    let faults = env::var("MOCK_ICICLE").unwrap_or_default();
    let condition = env::var_os("MOCK_ICICLE_IF").map(PathBuf::from);
    Mutex::new(State { faults: parse(&faults), condition, ..State::default() })
});

pub(crate) fn parse(faults: &str) -> BTreeMap<String, String> {
    let faults = faults.split(',').filter_map(|fault| fault.split_once('='));
    faults.map(|(name, fault)| (name.to_owned(), fault.to_owned())).collect()
}

pub(crate) fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    /// The fault of a name, if it has one now.
    fn fault(&self, name: &str) -> Option<&str> {
        let is_on = || self.condition.as_ref().is_none_or(|file| file.exists());
        self.faults.get(name).filter(|_| is_on()).map(String::as_str)
    }

    /// Whether a function gives a wrong result; its error code, if it is to fail.
    fn enter(&self, name: &str) -> Result<bool, c_int> {
        match self.fault(name) {
            None => Ok(false),
            Some("wrong") => Ok(true),
            Some("abort") => std::process::abort(),
            Some(code) => Err(code.parse().unwrap_or(-1)),
        }
    }

    pub(crate) fn total(&self) -> usize {
        self.fault("memory").and_then(|bytes| bytes.parse().ok()).unwrap_or(1 << 34)
    }

    pub(crate) fn used(&self) -> usize {
        self.memory.values().map(|words| 8 * words.len()).sum()
    }

    /// The bytes at an address of the device.
    pub(crate) fn bytes(&self, address: *const c_void, count: usize) -> Result<*mut u8, c_int> {
        let at = address.addr();
        let (start, words) = self.memory.range(..=at).next_back().ok_or(INVALID_POINTER)?;
        let fits = at - start + count <= 8 * words.len();
        fits.then_some(address.cast_mut().cast()).ok_or(INVALID_POINTER)
    }

    pub(crate) fn scalars(&self, address: *const c_void, count: usize) -> Result<Vec<Fr>, c_int> {
        let bytes = self.bytes(address, SCALAR * count)?;
        // SAFETY: as many bytes are there, and nobody else has them while the state is locked.
        let bytes = unsafe { std::slice::from_raw_parts(bytes, SCALAR * count) };
        let (scalars, _) = bytes.as_chunks::<SCALAR>();
        let scalar = |bytes: &[u8; SCALAR]| Option::from(Fr::from_repr(*bytes));
        scalars.iter().map(scalar).collect::<Option<_>>().ok_or(INVALID_ARGUMENT)
    }

    pub(crate) fn write(
        &self,
        address: *const c_void,
        scalars: &[Fr],
        is_wrong: bool,
    ) -> Result<(), c_int> {
        let bytes = self.bytes(address, SCALAR * scalars.len())?;
        // SAFETY: as in `scalars`.
        let bytes = unsafe { std::slice::from_raw_parts_mut(bytes, SCALAR * scalars.len()) };
        for (to, scalar) in bytes.as_chunks_mut::<SCALAR>().0.iter_mut().zip(scalars) {
            *to = scalar.to_repr();
        }
        if is_wrong {
            bytes[0] ^= 1;
        }
        Ok(())
    }
}

/// Runs a function: zero, or its error.
pub(crate) fn run(
    name: &str,
    function: impl FnOnce(&mut State, bool) -> Result<(), c_int>,
) -> c_int {
    let mut state = state();
    let done = state.enter(name).and_then(|is_wrong| function(&mut state, is_wrong));
    done.err().unwrap_or_default()
}

/// A configuration by its offsets.
#[derive(Clone, Copy)]
pub(crate) struct Config(pub(crate) *const u8);

impl Config {
    pub(crate) fn byte(self, offset: usize) -> u8 {
        // SAFETY: every configuration has at least as many bytes.
        unsafe { self.0.add(offset).read() }
    }

    pub(crate) fn int(self, offset: usize) -> c_int {
        c_int::from_le_bytes(std::array::from_fn(|i| self.byte(offset + i)))
    }

    pub(crate) fn is_null(self, offset: usize) -> bool {
        (0..8).all(|i| self.byte(offset + i) == 0)
    }

    pub(crate) fn expect(self, is_right: bool) -> Result<(), c_int> {
        is_right.then_some(()).ok_or(INVALID_ARGUMENT)
    }

    /// Vectors on the device, one batch, in time.
    pub(crate) fn check_vectors(self) -> Result<(), c_int> {
        let on_device = (8..11).all(|offset| self.byte(offset) == 1);
        let plain = self.byte(11) == 0 && self.int(12) == 1 && self.byte(16) == 0;
        self.expect(on_device && plain && self.is_null(0) && self.is_null(24))
    }
}
