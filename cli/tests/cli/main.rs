//! The built command line on the models of the zoo, as a script would use it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../../models/tests/support/onnx.rs"]
#[allow(dead_code, reason = "shared with the tests of the importer")]
mod onnx;

mod alarm;
mod audit;
mod calibrate;
mod chain;
mod commands;
mod devices;
mod environment;
mod ezkl;
mod hidden;
mod joint;
mod keys;
mod pages;
mod parts;
mod prove_and_verify;
mod readme;
mod remembered;
mod several;
mod support;
mod words;
