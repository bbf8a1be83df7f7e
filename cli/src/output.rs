//! Standard output and standard error: reports go to the one, remarks to the other.

use std::{
    fmt::Display,
    io::{self, IsTerminal, Write},
};

use anyhow::{Error, Result};
use serde::Serialize;
use zkinfer::{Origin, Quantized, Run, prover::CacheEvent};

use crate::advice;

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
        let text = if self.json { serde_json::to_string(report)? } else { report.to_string() };
        print(&text)
    }

    /// Says something about the way to the result. A reader who is gone is no error.
    pub(crate) fn remark(&self, text: impl Display) {
        let _ = writeln!(io::stderr(), "{text}");
    }

    /// Says what the reader should know about these settings and this input.
    pub(crate) fn remark_run(&self, quantized: &Quantized, run: &Run) {
        if quantized.origin == Origin::Input {
            self.remark(
                "note: calibrated with this input alone; for other inputs, calibrate with \
                 samples of them: --calibrate FILE",
            );
        }
        if run.clamped_inputs > 0 {
            self.remark(format_args!(
                "warning: {} input elements lie outside the calibrated range and are clamped to it",
                run.clamped_inputs
            ));
        }
    }

    /// [`Self::remark_run`] of many runs.
    pub(crate) fn remark_runs(&self, quantized: &Quantized, runs: &[Run]) {
        if let Origin::Inputs(_) = quantized.origin {
            self.remark(
                "note: calibrated with these inputs; for others, calibrate with samples of them: \
                 --calibrate FILE",
            );
        }
        let clamped = runs.iter().filter(|run| run.clamped_inputs > 0).count();
        if clamped > 0 {
            self.remark(format_args!(
                "warning: {clamped} of {} inputs have elements outside the calibrated range, which \
                 are clamped to it",
                runs.len()
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
            let _ = print(&object.to_string());
        }
    }

    /// Whether progress may be shown: nobody wants it in a log.
    pub(crate) fn shows_progress(&self) -> bool {
        !self.json && io::stderr().is_terminal() && io::stdout().is_terminal()
    }
}

/// A reader who has seen enough, such as `head`, is no error.
fn print(text: &str) -> Result<()> {
    match writeln!(io::stdout().lock(), "{}", text.trim_end()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
