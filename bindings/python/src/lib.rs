//! The native part of zkinfer's Python package: the library's calls on files and bytes.
//!
//! Arrays, their names and what a user reads are the package's own (`python/zkinfer`). Here work is
//! done without the interpreter's lock, watched and stopped: see [`watch`].

mod artifacts;
mod check;
mod compile;
mod error;
mod options;
mod quantize;
mod watch;

use pyo3::prelude::*;

/// The native part of the package.
#[pymodule]
mod _native {
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::{
        artifacts::{Key, Proof, commit},
        check::{audit, verify},
        compile::Model,
        quantize::{calibrate, calibrate_to, inspect},
    };

    #[pymodule_export]
    use super::artifacts::import_srs;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
