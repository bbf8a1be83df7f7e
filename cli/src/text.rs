//! Results of the library in words.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use serde::Serialize;
use zkinfer::{
    models::{AccuracyReport, Shown},
    verifier::INSECURE_DEV,
};
use zkinfer_report::brief_classes;
pub(crate) use zkinfer_report::{AccuracyWords, Ceremony, brief, model, origin};

/// A path as a shell reads it back.
pub(crate) fn shell(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./+@%,:".contains(c);
    if !text.is_empty() && text.chars().all(plain) && !text.starts_with('-') {
        return text;
    }
    // A word that begins with a dash would be an option.
    let dash = if text.starts_with('-') { "./" } else { "" };
    format!("'{dash}{}'", text.replace('\'', r"'\''"))
}

/// The classes of outputs, as a key names them: a line for each output.
pub(crate) fn write_classes(
    f: &mut fmt::Formatter<'_>,
    outputs: &BTreeMap<String, Vec<Option<String>>>,
) -> fmt::Result {
    outputs.iter().try_for_each(|(output, classes)| {
        writeln!(
            f,
            "  classes of {}, as the key names them: {}",
            Shown(output),
            brief_classes(classes)
        )
    })
}

/// A report that a key binds, and its file.
#[derive(Debug, Serialize)]
pub(crate) struct BoundReport {
    file: PathBuf,
    digest: String,
    report: AccuracyReport,
}

impl BoundReport {
    pub(crate) fn new(report: AccuracyReport, file: PathBuf) -> Self {
        Self { file, digest: report.digest().to_string(), report }
    }
}

impl fmt::Display for BoundReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file.display(), AccuracyWords(&self.report))
    }
}

/// What an accepted proof stands on: the name of its SRS.
pub(crate) struct Trust<'a>(pub(crate) &'a str);

impl fmt::Display for Trust<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == INSECURE_DEV {
            f.write_str("under the INSECURE development SRS, which you allowed: no evidence")
        } else {
            write!(f, "under the trusted setup {}", self.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_back_what_is_quoted() {
        for name in ["a.onnx", "my model ü (v2).zkproof", "it's", "$HOME", "-rf", "a\\b", "*"] {
            let command = format!("printf %s {}", shell(Path::new(name)));
            let output = std::process::Command::new("sh").args(["-c", &command]).output().unwrap();
            let read = String::from_utf8(output.stdout).unwrap();
            assert_eq!(read.trim_start_matches("./"), name, "{command}");
        }
        assert_eq!(shell(Path::new("models/zoo/a-1.onnx")), "models/zoo/a-1.onnx");
    }
}
