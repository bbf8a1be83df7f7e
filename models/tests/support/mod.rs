//! What several test files need.
#![allow(dead_code, reason = "each test file uses a part")]

pub(crate) mod bound;
pub(crate) mod empty;
pub(crate) mod near;
pub(crate) mod onnx;
pub(crate) mod recorded;
pub(crate) mod rules;
pub(crate) mod zoo;
