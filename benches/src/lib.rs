//! zkinfer benches.
