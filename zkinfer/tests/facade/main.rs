//! The library as its users call it: what it takes from files, what it refuses and why, and that no
//! file makes it crash, hang or fill the memory.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../../models/tests/support/onnx.rs"]
#[allow(dead_code, reason = "shared with the tests of the importer")]
mod onnx;

mod accuracy;
mod classes;
mod defaults;
mod hostile;
mod parts;
mod settings;
mod shapes;
mod support;
