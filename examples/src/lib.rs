//! zkinfer examples.
