//! Standard output and standard error: reports go to the one, remarks to the other.

use std::{
    fmt::Display,
    io::{self, IsTerminal, Write},
    path::Path,
};

use anyhow::{Error, Result};
use serde::Serialize;
use zkinfer::{
    InputData, Model, Origin, Quantized,
    models::{InputNote, Shown},
    prover::{CacheEvent, files},
    verifier::is_hidden,
};

use crate::{advice, text::shell};

/// Most values of an input that is fixed that a note shows.
const FEW_VALUES: usize = 16;

/// How a command ended, when nothing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Done; a proof, where there is one, is right.
    Accepted,
    /// A proof is not what was expected.
    Rejected,
    /// Something is missing without which nothing is decided.
    Undecided,
}

/// Where a command says what it found.
#[derive(Debug)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Shows a command's result: one JSON object, or text.
    pub(crate) fn report<R: Serialize + Display>(&self, report: &R) -> Result<()> {
        let text = match self.json {
            true => visible_json(&serde_json::to_string(report)?),
            false => visible(&report.to_string()),
        };
        print(&text)
    }

    /// Refuses a place for a page that is one of the files which are `read`, before anything is
    /// done.
    pub(crate) fn page_place(
        &self,
        file: Option<&Path>,
        read: &[&Path],
    ) -> Result<(), zkinfer::Error> {
        match file.filter(|path| read.iter().any(|read| same_file(path, read))) {
            Some(path) => Err(zkinfer::Error::Overwritten { path: path.to_owned() }),
            None => Ok(()),
        }
    }

    /// Writes a report's page where one was asked for, and not over a file that was `read`.
    pub(crate) fn page(
        &self,
        file: Option<&Path>,
        read: &[&Path],
        page: impl FnOnce() -> String,
    ) -> Result<(), zkinfer::Error> {
        let Some(path) = file else { return Ok(()) };
        self.page_place(file, read)?;
        files::write_whole(path, |file| file.write_all(page().as_bytes()))
            .map_err(|source| zkinfer::Error::Write { path: path.to_owned(), source })
    }

    /// Shows a line of text, whatever was asked for.
    pub(crate) fn line(&self, text: &str) -> Result<()> {
        print(text)
    }

    /// Says something about the way to the result. A reader who is gone is no error.
    pub(crate) fn remark(&self, text: impl Display) {
        let _ = writeln!(io::stderr(), "{}", visible(&text.to_string()));
    }

    /// Says what the reader should know about these settings.
    pub(crate) fn remark_origin(&self, quantized: &Quantized) {
        match quantized.origin {
            Origin::Input => self.remark(
                "note: calibrated with this input alone; for other inputs, calibrate with \
                 samples of them: --calibrate FILE",
            ),
            Origin::Inputs(_) => self.remark(
                "note: calibrated with these inputs; for others, calibrate with samples of them: \
                 --calibrate FILE",
            ),
            Origin::Settings(_) | Origin::Samples(_) => {}
        }
    }

    /// Says what a reader of this file should know.
    pub(crate) fn remark_file(&self, data: &InputData) {
        self.remark_notes(data.path(), &data.notes());
    }

    /// Says what is not used of the samples that accuracy was measured on.
    pub(crate) fn remark_notes(&self, path: &Path, notes: &[InputNote]) {
        for note in notes {
            self.remark(format_args!("note: {}: {note}", path.display()));
        }
    }

    /// Says which shapes were not the model's or the user's.
    pub(crate) fn remark_shapes(&self, model: &Model) {
        for input in model.completed_inputs() {
            let sizes: Vec<String> = input.shape.iter().map(ToString::to_string).collect();
            self.remark(format_args!(
                "note: the model leaves the shape of `{}` open; it is taken from the inputs: \
                 --shape {}",
                Shown(&input.name),
                shell(Path::new(&format!("{}={}", input.name, sizes.join("x"))))
            ));
        }
        for (name, values) in model.fixed_inputs() {
            let values = match values.len() <= FEW_VALUES {
                true => values.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
                false => "…".to_owned(),
            };
            self.remark(format_args!(
                "note: `{}` decides what is computed, so it is a constant of the model and no \
                 input of the proof, with the value in the inputs: --fix {}",
                Shown(name),
                shell(Path::new(&format!("{name}={values}")))
            ));
        }
    }

    /// Says what happened at the cache of SRS files, where that matters.
    pub(crate) fn remark_srs(&self, event: &CacheEvent) {
        match event {
            CacheEvent::Replaced { path, fault } => self.remark(format_args!(
                "warning: the cached {} was not what it should be and has been replaced: {fault}",
                path.display()
            )),
            CacheEvent::NotStored { path, fault } => self.remark(format_args!(
                "warning: the SRS could not be cached as {}: {fault}",
                path.display()
            )),
            _ => {}
        }
    }

    /// Says why there is no result.
    pub(crate) fn error(&self, error: &Error) {
        let text = advice::explain(error);
        self.remark(format_args!("error: {text}"));
        if self.json {
            let object = serde_json::json!({ "error": text });
            let _ = print(&visible_json(&object.to_string()));
        }
    }

    /// [`Self::error`] with more for programs to read.
    pub(crate) fn error_with<R: Serialize>(&self, error: &Error, more: &R) -> Result<()> {
        let text = advice::explain(error);
        self.remark(format_args!("error: {text}"));
        let mut object = serde_json::to_value(more)?;
        object["error"] = text.into();
        print(&visible_json(&object.to_string()))
    }

    /// Whether programs read what is printed.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Whether progress may be shown: nobody wants it in a log.
    pub(crate) fn shows_progress(&self) -> bool {
        !self.json && io::stderr().is_terminal() && io::stdout().is_terminal()
    }
}

/// Whether two paths name one file, as far as can be told before both exist.
pub(crate) fn same_file(a: &Path, b: &Path) -> bool {
    let resolved = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    a == b || resolved(a) == resolved(b)
}

/// Text with an escape in place of every character of a foreign file that a terminal would obey or
/// hide.
fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\t' => shown.push(character),
            _ if is_hidden(character) => shown.extend(character.escape_unicode()),
            _ => shown.push(character),
        }
    }
    shown
}

/// The same in JSON, where such characters stand in strings only.
fn visible_json(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_hidden(character) {
            let units = &mut [0; 2];
            for unit in character.encode_utf16(units) {
                shown.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            shown.push(character);
        }
    }
    shown
}

/// A reader who has seen enough, such as `head`, is no error.
fn print(text: &str) -> Result<()> {
    match writeln!(io::stdout().lock(), "{}", text.trim_end()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_escaped() {
        assert_eq!(visible("a\u{1b}[31m\nb\u{202e}ü"), "a\\u{1b}[31m\nb\\u{202e}ü");
        let json = serde_json::json!({ "name": "a\u{1b}\u{9b}\u{202e}\u{e0001}ü" });
        let text = visible_json(&json.to_string());
        assert!(text.is_ascii() || text.contains('ü'), "{text}");
        assert!(!text.chars().any(is_hidden), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), json);
    }
}
