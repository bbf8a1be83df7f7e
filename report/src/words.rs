//! Results of the library in words.

use std::{
    error::Error,
    fmt::{self, Write},
    iter,
};

use zkinfer::{
    Origin, PartsRejection, Rejection,
    models::{AccuracyReport, Shown},
    verifier::{Digest, PartsError, VerifyError},
};

/// The first elements of a list, for a line of text.
#[must_use]
pub fn brief(values: &[f64]) -> String {
    first_of(values, |value| format!("{value:.4}"))
}

/// The first classes that elements name or are about, for a line of text.
#[must_use]
pub fn brief_classes(classes: &[Option<String>]) -> String {
    first_of(classes, |class| match class {
        Some(name) => Shown(name).to_string(),
        None => "no class".to_owned(),
    })
}

fn first_of<T>(items: &[T], shown: impl Fn(&T) -> String) -> String {
    const SHOWN: usize = 12;
    let first: Vec<String> = items.iter().take(SHOWN).map(shown).collect();
    let more =
        if items.len() > SHOWN { format!(", … ({} in all)", items.len()) } else { String::new() };
    format!("[{}{more}]", first.join(", "))
}

/// What a model is called: its label, else by the digest of its file.
#[must_use]
pub fn model(name: Option<&str>, digest: Digest) -> String {
    let digest = digest.to_string();
    match name {
        None => format!("{}…", digest.get(..12).unwrap_or(&digest)),
        Some(name) => name.to_owned(),
    }
}

/// Where settings come from.
#[must_use]
pub fn origin(origin: &Origin) -> String {
    match origin {
        Origin::Settings(path) => format!("settings of {}", path.display()),
        Origin::Samples(data) => format!("samples of {}", data.path().display()),
        Origin::Input => "input alone".to_owned(),
        Origin::Inputs(count) => format!("{count} inputs"),
    }
}

/// An accuracy report.
#[derive(Clone, Copy, Debug)]
pub struct AccuracyWords<'a>(pub &'a AccuracyReport);

impl fmt::Display for AccuracyWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AccuracyReport { samples, float_model, labels, .. } = self.0;
        let count = samples.count;
        write!(f, "the float model's class on {} of {count} samples", float_model.same_class)?;
        if let Some(labels) = labels {
            let (integer, float) = (labels.integer_correct, labels.float_correct);
            match labels.per_sample {
                1 => write!(f, ", the right class on {integer} (float model {float})")?,
                positions => write!(
                    f,
                    ", the right class at {integer} of {} positions (float model {float})",
                    count.saturating_mul(positions)
                )?,
            }
        }
        let max = Decimal(float_model.max_error_ten_thousandths);
        let mean = Decimal(float_model.mean_error_ten_thousandths);
        write!(f, "; largest difference of a score {max}, mean {mean}")
    }
}

/// So many ten-thousandths.
struct Decimal(u64);

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:04}", self.0 / 10_000, self.0 % 10_000)
    }
}

/// A rejection, and what to do about it where something can be done.
#[must_use]
pub fn rejection(rejection: &Rejection) -> String {
    let advice = match rejection {
        Rejection::Proof(error) => advice(error),
        _ => "",
    };
    format!("{rejection}{advice}")
}

/// Why the proofs of all parts were rejected, and what to do about it where something can be done.
#[must_use]
pub fn parts_rejection(rejection: &PartsRejection) -> String {
    let advice = match rejection {
        PartsRejection::Set(PartsError::Part { source, .. })
        | PartsRejection::Claim { why: Rejection::Proof(source), .. } => advice(source),
        _ => "",
    };
    format!("{rejection}{advice}")
}

/// What to do about an error of a proof, where something can be done.
const fn advice(error: &VerifyError) -> &'static str {
    match error {
        VerifyError::InsecureDevSrs => "; pass --allow-insecure-srs to accept it in development",
        VerifyError::UntrustedSrs { .. } => "; pass --allow-srs with this digest if you trust it",
        _ => "",
    }
}

/// Which file of a ceremony serves a circuit of so many rows, log2, and where there is one.
#[derive(Clone, Copy, Debug)]
pub struct Ceremony(pub u32);

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

/// An error and its causes in one sentence, each once: some libraries repeat their cause in their
/// own text.
#[must_use]
pub fn chain<'a>(causes: impl IntoIterator<Item = &'a (dyn Error + 'static)>) -> String {
    let mut text = String::new();
    for cause in causes.into_iter().map(ToString::to_string) {
        if text.contains(&cause) {
            continue;
        }
        let colon = if text.is_empty() { "" } else { ": " };
        // Writing to a string does not fail.
        let _ = write!(text, "{colon}{cause}");
    }
    text
}

/// An error, its cause, the cause of that, and so on.
pub fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(error), |&error| error.source())
}
