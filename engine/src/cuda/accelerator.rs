//! What is asked of a machine with memory of its own that runs kernels.

use std::fmt;

use crate::error::DeviceError;

/// The name in errors.
pub(super) const DEVICE: &str = "cuda";

/// The kernels of `kernels/`, each with its most threads a block.
macro_rules! kernels {
    ($($kernel:ident $name:literal $threads:literal,)*) => {
        /// A kernel, by its name in the sources.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(super) enum Kernel {
            $(#[doc = $name] $kernel,)*
        }

        impl Kernel {
            /// All of them, in the order of [`Kernel::index`].
            pub(super) const ALL: &[Self] = &[$(Self::$kernel,)*];

            /// The name in the sources.
            pub(super) fn name(self) -> &'static str {
                match self { $(Self::$kernel => $name,)* }
            }

            /// The threads of a block.
            pub(super) fn threads(self) -> u32 {
                match self { $(Self::$kernel => $threads,)* }
            }
        }
    };
}
kernels! {
    CheckCoordinates "check_coordinates" 128,
    CheckPoints "check_points" 64,
    CheckScalars "check_scalars" 128,
    ChunkProducts "chunk_products" 128,
    ChunkSums "chunk_sums" 128,
    Combine "combine" 128,
    CountDigits "count_digits" 256,
    CountPositions "count_positions" 256,
    CountTasks "count_tasks" 256,
    Divisors "divisors" 256,
    Dot "dot" 128,
    Fold "fold" 128,
    Gather "gather" 128,
    Invert "invert" 128,
    MeasureProducts "measure_products" 128,
    Multiples "multiples" 128,
    Normalize "normalize" 64,
    PlaceDigits "place_digits" 256,
    PlacePositions "place_positions" 256,
    Powers "powers" 256,
    Quotients "quotients" 256,
    RunProgram "run_program" 128,
    RunningProducts "running_products" 128,
    RunningSums "running_sums" 128,
    Sample "sample" 64,
    ScaledProducts "scaled_products" 256,
    SumEntries "sum_entries" 128,
    SumPoints "sum_points" 128,
    Transform "transform" 256,
    Weigh "weigh" 64,
    Widen "widen" 256,
}

impl Kernel {
    /// The place in [`Kernel::ALL`].
    pub(super) fn index(self) -> usize {
        self as usize
    }
}

/// The sources of all kernels, in the order in which they build on each other.
pub(super) const SOURCES: &str = concat!(
    include_str!("kernels/platform.cuh"),
    include_str!("kernels/carries.cuh"),
    include_str!("kernels/field.cuh"),
    include_str!("kernels/point.cuh"),
    include_str!("kernels/columns.cuh"),
    include_str!("kernels/transform.cuh"),
    include_str!("kernels/program.cuh"),
    include_str!("kernels/sums.cuh"),
    include_str!("kernels/check.cuh"),
);

/// Bytes of memory of an accelerator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MemorySize {
    /// That can be allocated.
    pub(super) free: u64,
    /// Of the whole device.
    pub(super) total: u64,
}

/// Blocks of threads, in rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grid {
    /// Blocks of a row.
    pub(super) width: u32,
    /// Rows.
    pub(super) height: u32,
}

/// A machine that runs kernels, one after the other, on memory of its own. Addresses are the
/// machine's; launches need not have ended, and may fail later, at the next read.
pub(super) trait Accelerator: fmt::Debug + Send + Sync {
    /// What it says about its memory.
    fn memory(&self) -> Result<MemorySize, DeviceError>;
    /// New memory, or `None` if there is not enough.
    fn allocate(&self, bytes: usize) -> Result<Option<u64>, DeviceError>;
    /// Gives memory back.
    fn release(&self, address: u64);
    /// Sets bytes to zero.
    fn clear(&self, address: u64, bytes: usize) -> Result<(), DeviceError>;
    /// Copies to the machine.
    fn write(&self, address: u64, bytes: &[u8]) -> Result<(), DeviceError>;
    /// Copies from the machine, when everything launched before has ended.
    fn read(&self, address: u64, bytes: &mut [u8]) -> Result<(), DeviceError>;
    /// Runs a kernel, whose structure of arguments has these words.
    fn launch(&self, kernel: Kernel, grid: Grid, arguments: &[u64]) -> Result<(), DeviceError>;
    /// Waits for everything that was launched.
    fn finish(&self) -> Result<(), DeviceError>;
}
