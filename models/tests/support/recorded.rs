//! Outputs that onnxruntime gave for the models of the tests.
//!
//! With `ZKINFER_RECORD=1` each model and its inputs are written to Cargo's folder for test files,
//! where `tests/record_outputs.py` runs them; it writes `tests/data/outputs.json`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use ndarray::ArrayD;
use zkinfer_models::{HexDigest, model_digest};

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/outputs.json")
}

/// The recorded outputs of a model, by the digest of its bytes; none while they are recorded.
pub(crate) fn outputs(name: &str, model: &[u8], inputs: &[ArrayD<f32>]) -> Vec<Vec<f32>> {
    let digest = HexDigest(model_digest(model)).to_string();
    if std::env::var_os("ZKINFER_RECORD").is_some() {
        write(&digest, model, inputs);
        return Vec::new();
    }
    static RECORDED: OnceLock<HashMap<String, Vec<Vec<f32>>>> = OnceLock::new();
    let recorded =
        RECORDED.get_or_init(|| serde_json::from_slice(&std::fs::read(data()).unwrap()).unwrap());
    let found = recorded.get(&digest[..16]).cloned();
    found.unwrap_or_else(|| panic!("{name}: no recorded outputs, see tests/record_outputs.py"))
}

fn write(digest: &str, model: &[u8], inputs: &[ArrayD<f32>]) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("outputs");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(digest).with_extension("onnx"), model).unwrap();
    let elements = inputs.iter().flatten().flat_map(|x| x.to_le_bytes()).collect::<Vec<_>>();
    std::fs::write(folder.join(digest).with_extension("bin"), elements).unwrap();
}
