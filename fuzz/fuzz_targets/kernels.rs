//! The kernels of the engine, on every instruction set of this processor.

#![no_main]

#[path = "../src/kernels.rs"]
mod target;

use std::sync::LazyLock;

use zkinfer_engine::{Column, Instructions, measure};

static SETS: LazyLock<Vec<Instructions>> =
    LazyLock::new(|| Instructions::ALL.into_iter().filter(|set| set.is_available()).collect());

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    target::check(bytes, &SETS);
});
