//! The prover's kernels are compiled into this target, so that it needs nothing else of the prover.

#![no_main]

#[expect(dead_code, unreachable_pub, reason = "the prover uses more of them than this target")]
#[path = "../../prover/src/kernels/mod.rs"]
mod kernels;
#[path = "../src/kernels.rs"]
mod target;

use std::sync::LazyLock;

use kernels::{Instructions, measure};

static SETS: LazyLock<Vec<Instructions>> =
    LazyLock::new(|| Instructions::ALL.into_iter().filter(|set| set.is_available()).collect());

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    target::check(bytes, &SETS);
});
