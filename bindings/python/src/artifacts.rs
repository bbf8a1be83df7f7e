//! Keys and proofs: what parties exchange.

use std::path::PathBuf;

use pyo3::{prelude::*, types::PyBytes};
use zkinfer::{
    Error, KeyDescription, NamedTensor, Shown, commit_to_input, hex, import_ceremony, save_srs,
    srs_digest,
    verifier::{Openings, ProofFile, VerifyingKey},
};
use zkinfer_report::JobReport;

use crate::error::{Raised, internal, raise};

/// A tensor for Python: its name, its shape, and its elements as little-endian doubles in C order.
pub(crate) type Array<'py> = (String, Vec<u32>, Bound<'py, PyBytes>);

/// The tensors of a side of a claim; `None` where it is hidden.
pub(crate) type Side<'py> = Option<Vec<Array<'py>>>;

pub(crate) fn doubles<'py>(
    py: Python<'py>,
    values: impl Iterator<Item = f64>,
) -> Bound<'py, PyBytes> {
    let bytes: Vec<u8> = values.flat_map(f64::to_le_bytes).collect();
    PyBytes::new(py, &bytes)
}

fn side(py: Python<'_>, shown: Shown) -> Side<'_> {
    let array = |NamedTensor { name, shape, values, .. }: NamedTensor| {
        (name, shape, doubles(py, values.into_iter()))
    };
    shown.tensors.map(|tensors| tensors.into_iter().map(array).collect())
}

/// A value as JSON.
pub(crate) fn json(py: Python<'_>, value: &impl serde::Serialize) -> PyResult<String> {
    serde_json::to_string(value)
        .map_err(|error| internal(py, &format!("a report has no form in JSON ({error})")))
}

/// A verifying key.
#[pyclass(frozen)]
pub(crate) struct Key(pub(crate) VerifyingKey);

#[pymethods]
impl Key {
    /// Decodes the bytes of a `.zkvk`; `place` is named in errors.
    #[staticmethod]
    fn decode(py: Python<'_>, place: PathBuf, bytes: &[u8]) -> PyResult<Self> {
        let key = VerifyingKey::decode(bytes);
        key.map(Self).map_err(|source| raise(py, &Error::Key { path: place, source }))
    }

    /// The bytes of the `.zkvk`.
    fn encode<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.encode())
    }

    /// The key's digest, in hexadecimal digits.
    fn digest(&self) -> String {
        self.0.digest().to_string()
    }

    /// What the key says, as JSON.
    fn describe(&self, py: Python<'_>) -> PyResult<String> {
        json(py, &KeyDescription::new(&self.0))
    }
}

/// A proof, and what opens its commitments where that is known.
#[pyclass(frozen)]
pub(crate) struct Proof {
    pub(crate) file: ProofFile,
    pub(crate) openings: Option<Openings>,
}

#[pymethods]
impl Proof {
    /// Decodes the bytes of a `.zkproof` and, where given, of its `.zkopening`; the places are named
    /// in errors.
    #[staticmethod]
    #[pyo3(signature = (place, bytes, opening_place, opening))]
    fn decode(
        py: Python<'_>,
        place: PathBuf,
        bytes: &[u8],
        opening_place: PathBuf,
        opening: Option<&[u8]>,
    ) -> PyResult<Self> {
        let file = ProofFile::decode(bytes)
            .map_err(|source| raise(py, &Error::Proof { path: place, source }))?;
        let openings = opening
            .map(Openings::decode)
            .transpose()
            .map_err(|source| raise(py, &Error::Opening { path: opening_place, source }))?;
        Ok(Self { file, openings })
    }

    /// The text of the `.zkproof`.
    fn encode(&self) -> String {
        self.file.encode()
    }

    /// The text of the `.zkopening`, where the proof hides something that is known here.
    fn opening(&self) -> Option<String> {
        let openings = self.openings.as_ref()?;
        let opens = openings.input.is_some() || openings.output.is_some();
        opens.then(|| openings.encode())
    }

    /// Bytes of the proof itself.
    fn byte_count(&self) -> usize {
        self.file.proof.as_bytes().len()
    }

    /// The digest of the key that it claims, in hexadecimal digits.
    fn key_digest(&self) -> String {
        self.file.claim.model.to_string()
    }

    /// The job that it claims, as JSON.
    fn job(&self, py: Python<'_>) -> PyResult<String> {
        json(py, &JobReport::from(&self.file.claim.binding))
    }

    /// The real numbers of input and output that the proof CLAIMS under a key, with the
    /// commitments of what it hides.
    fn claimed<'py>(
        &self,
        py: Python<'py>,
        key: &Key,
    ) -> (Side<'py>, Option<String>, Side<'py>, Option<String>) {
        let (layout, claim) = (&key.0.parts().layout, &self.file.claim);
        let openings = self.openings.as_ref();
        let of_input = openings.and_then(|openings| openings.input.as_ref());
        let of_output = openings.and_then(|openings| openings.output.as_ref());
        let input = Shown::new(&layout.inputs, &claim.input, of_input);
        let output = Shown::new(&layout.outputs, &claim.output, of_output);
        let commitments = (input.commitment.clone(), output.commitment.clone());
        (side(py, input), commitments.0, side(py, output), commitments.1)
    }
}

/// Commits to the input in a file: the commitment, and the text of the `.zkopening`.
#[pyfunction]
pub(crate) fn commit(py: Python<'_>, key: &Key, input: PathBuf) -> PyResult<(String, String)> {
    let (commitment, openings) = commit_to_input(&key.0, &input).raised(py)?;
    Ok((commitment.to_string(), openings.encode()))
}

/// Imports a ceremony's file, checking every point, and writes it as zkinfer reads it. Gives log2
/// of its powers, its name, and the digest that keys name.
#[pyfunction]
pub(crate) fn import_srs(
    py: Python<'_>,
    file: PathBuf,
    output: PathBuf,
    k: Option<u32>,
) -> PyResult<(u32, String, String)> {
    let imported = py.detach(|| {
        let srs = import_ceremony(&file, k)?;
        save_srs(&srs, &output)?;
        let digest = srs_digest(&srs)?;
        Ok((srs.k(), srs.ceremony().to_string(), hex(&digest.0.0)))
    });
    imported.raised(py)
}
