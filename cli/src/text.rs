//! Results of the library in words.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use serde::Serialize;
use zkinfer::{
    Origin,
    models::AccuracyReport,
    verifier::{Digest, INSECURE_DEV},
};

/// The first elements of a list, for a line of text.
pub(crate) fn brief(values: &[f64]) -> String {
    const SHOWN: usize = 12;
    let shown: Vec<String> = values.iter().take(SHOWN).map(|value| format!("{value:.4}")).collect();
    let more = if values.len() > SHOWN {
        format!(", … ({} in all)", values.len())
    } else {
        String::new()
    };
    format!("[{}{more}]", shown.join(", "))
}

/// What a model is called: its label, else by the digest of its file.
pub(crate) fn model(name: Option<&str>, digest: Digest) -> String {
    let digest = digest.to_string();
    match name {
        None => format!("{}…", digest.get(..12).unwrap_or(&digest)),
        Some(name) => name.to_owned(),
    }
}

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

/// Where settings come from.
pub(crate) fn origin(origin: &Origin) -> String {
    match origin {
        Origin::Settings(path) => format!("settings of {}", path.display()),
        Origin::Samples(path) => format!("samples of {}", path.display()),
        Origin::Input => "input alone".to_owned(),
        Origin::Inputs(count) => format!("{count} inputs"),
    }
}

/// An accuracy report.
pub(crate) struct Accuracy<'a>(pub(crate) &'a AccuracyReport);

impl fmt::Display for Accuracy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AccuracyReport { samples, float_model, labels, .. } = self.0;
        let count = samples.count;
        write!(f, "the float model's class on {} of {count} samples", float_model.same_class)?;
        if let Some(labels) = labels {
            let (integer, float) = (labels.integer_correct, labels.float_correct);
            write!(f, ", the right class on {integer} (float model {float})")?;
        }
        let max = Decimal(float_model.max_error_ten_thousandths);
        let mean = Decimal(float_model.mean_error_ten_thousandths);
        write!(f, "; largest difference of a score {max}, mean {mean}")
    }
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
        write!(f, "{}: {}", self.file.display(), Accuracy(&self.report))
    }
}

/// So many ten-thousandths.
struct Decimal(u64);

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:04}", self.0 / 10_000, self.0 % 10_000)
    }
}

/// Which file of a ceremony serves a circuit of so many rows, log2, and where there is one.
pub(crate) struct Ceremony(pub(crate) u32);

impl fmt::Display for Ceremony {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The smallest file that is published holds 2^8 powers.
        let power = self.0.max(8);
        write!(
            f,
            "2^{} powers or more, for example powersOfTau28_hez_final_{power:02}.ptau of the Hermez \
             ceremony, which the README of snarkjs lists",
            self.0
        )
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
