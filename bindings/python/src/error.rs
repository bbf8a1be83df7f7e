//! Errors of the library as the package's exceptions.

use pyo3::{
    PyErr,
    exceptions::PyRuntimeError,
    prelude::*,
    types::{PyAnyMethods, PyDict},
};
use zkinfer::{Blame, Error, models::ImportError};
use zkinfer_report::{causes, chain};

/// Where the package's exceptions are.
const EXCEPTIONS: &str = "zkinfer.errors";

/// The exception for an error of the library.
pub(crate) fn raise(py: Python<'_>, error: &Error) -> PyErr {
    let class = match error.blame() {
        Blame::File => "FileError",
        Blame::Model => "ModelError",
        Blame::Input => "InputError",
        Blame::Settings => "SettingsError",
        Blame::Artifact => "ArtifactError",
        Blame::Setup => "SetupError",
        Blame::Device => "DeviceError",
        Blame::Demand => "DemandError",
        Blame::Usage => "UsageError",
        _ => "InternalError",
    };
    exception(py, class, &chain(causes(error)), error.code())
}

/// Wrong arguments.
pub(crate) fn usage(py: Python<'_>, text: &str) -> PyErr {
    exception(py, "UsageError", text, "usage")
}

/// A shape or constant of an input that cannot be meant.
pub(crate) fn import(py: Python<'_>, error: &ImportError) -> PyErr {
    usage(py, &chain(causes(error)))
}

/// A fault of this software.
pub(crate) fn internal(py: Python<'_>, text: &str) -> PyErr {
    exception(py, "InternalError", &format!("{text}: please report it"), "internal")
}

fn exception(py: Python<'_>, class: &str, text: &str, code: &str) -> PyErr {
    let made = || {
        let keywords = PyDict::new(py);
        keywords.set_item("code", code)?;
        py.import(EXCEPTIONS)?.getattr(class)?.call((text,), Some(&keywords))
    };
    match made() {
        Ok(exception) => PyErr::from_value(exception),
        // The package is not there: whoever uses this module alone gets the text all the same.
        Err(_) => PyRuntimeError::new_err(text.to_owned()),
    }
}

/// Results of the library as Python's.
pub(crate) trait Raised<T> {
    /// The value, or the exception for the error.
    fn raised(self, py: Python<'_>) -> PyResult<T>;
}

impl<T> Raised<T> for Result<T, Error> {
    fn raised(self, py: Python<'_>) -> PyResult<T> {
        self.map_err(|error| raise(py, &error))
    }
}
