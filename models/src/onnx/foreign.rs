//! Files that are no ONNX models, called by what they are.

use super::error::ImportError;

/// A kind of file that people take for a model.
struct Kind {
    matches: fn(&[u8]) -> bool,
    found: &'static str,
    action: &'static str,
}

const EXPORT: &str =
    "export the model to ONNX first: torch.onnx.export(model, inputs, \"model.onnx\")";

const KINDS: &[Kind] = &[
    Kind {
        matches: <[u8]>::is_empty,
        found: "an empty file",
        action: "download or export the model again",
    },
    Kind {
        matches: |bytes| bytes.starts_with(b"version https://git-lfs"),
        found: "a git-lfs pointer, which stands for the model",
        action: "run `git lfs pull` in its repository",
    },
    Kind {
        matches: is_web_page,
        found: "a web page",
        action: "download the file itself, not the page that shows it",
    },
    Kind {
        matches: |bytes| bytes.starts_with(b"PK\x03\x04") && contains(bytes, b"data.pkl"),
        found: "a PyTorch file",
        action: EXPORT,
    },
    Kind {
        matches: |bytes| bytes.starts_with(b"PK\x03\x04") && contains(bytes, b".npy"),
        found: "an .npz file of NumPy arrays",
        action: "name the model first; arrays belong to --input or --calibrate",
    },
    Kind {
        matches: |bytes| bytes.starts_with(b"PK\x03\x04"),
        found: "a zip archive",
        action: "unpack it, or export the model to ONNX",
    },
    Kind {
        matches: |bytes| bytes.starts_with(b"\x93NUMPY"),
        found: "a NumPy array",
        action: "name the model first; arrays belong to --input or --calibrate",
    },
    Kind {
        matches: |bytes| bytes.get(4..8) == Some(b"TFL3"),
        found: "a TensorFlow Lite model",
        action: "convert it: python -m tf2onnx.convert --tflite FILE --output model.onnx",
    },
    Kind {
        matches: |bytes| bytes.starts_with(b"\x89HDF\r\n\x1a\n"),
        found: "an HDF5 file, as older Keras versions write",
        action: "export it: model.export(\"model.onnx\", format=\"onnx\")",
    },
    Kind {
        matches: |bytes| bytes.starts_with(b"GGUF"),
        found: "a GGUF file",
        action: "take the ONNX export of the model",
    },
    Kind {
        matches: |bytes| bytes.starts_with(&[0x1f, 0x8b]),
        found: "a gzip archive",
        action: "unpack it",
    },
    Kind {
        matches: is_pickle,
        found: "a Python pickle, as PyTorch and scikit-learn write",
        action: "export the model to ONNX: torch.onnx.export, or skl2onnx.to_onnx",
    },
    Kind {
        matches: is_safetensors,
        found: "a safetensors file: weights without a model",
        action: "export the model to ONNX: it has the weights and says what to do with them",
    },
    Kind {
        matches: is_json,
        found: "a JSON file",
        action: "name the model first; inputs belong to --input",
    },
];

/// Refuses bytes that are recognized as something else than a model.
pub(super) fn check(bytes: &[u8]) -> Result<(), ImportError> {
    match KINDS.iter().find(|kind| (kind.matches)(bytes)) {
        Some(kind) => Err(ImportError::Foreign { found: kind.found, action: kind.action }),
        None => Ok(()),
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    // Names of a zip archive stand at its beginning and at its end.
    let head = &bytes[..bytes.len().min(1 << 16)];
    let tail = &bytes[bytes.len().saturating_sub(1 << 16)..];
    [head, tail].iter().any(|place| place.windows(part.len()).any(|window| window == part))
}

/// The text at the beginning, without white space before it and in lower case.
fn beginning(bytes: &[u8]) -> Vec<u8> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let start = bytes.iter().take(1024).skip_while(|byte| byte.is_ascii_whitespace());
    start.take(16).map(u8::to_ascii_lowercase).collect()
}

fn is_web_page(bytes: &[u8]) -> bool {
    let start = beginning(bytes);
    [&b"<!doctype"[..], b"<html", b"<head", b"<?xml"].iter().any(|tag| start.starts_with(tag))
}

fn is_json(bytes: &[u8]) -> bool {
    let start = beginning(bytes);
    start.first().is_some_and(|byte| b"{[".contains(byte)) && std::str::from_utf8(bytes).is_ok()
}

/// Protocol 2 or newer begins with `PROTO n`; as a protobuf tag that is no field of a model.
fn is_pickle(bytes: &[u8]) -> bool {
    matches!(bytes, [0x80, 2..=5, ..])
}

/// A length of eight bytes, then a JSON object of that length.
fn is_safetensors(bytes: &[u8]) -> bool {
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else { return false };
    usize::try_from(u64::from_le_bytes(*length)).is_ok_and(|length| length <= rest.len())
        && rest.starts_with(b"{\"")
}
