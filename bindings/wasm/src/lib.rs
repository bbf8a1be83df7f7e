//! zkinfer's verifier for browsers and Node: one call from bytes to a report in JSON.
//!
//! What a page or a program in JavaScript uses is the npm package around this (`index.js`), whose
//! types say what a report holds. Nothing here decides anything: every verdict is the verifier's.

mod abi;
mod expected;
mod report;

pub use report::{Files, check};
