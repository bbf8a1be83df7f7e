//! The zkinfer command line: from an ONNX file to a verified proof.
//!
//! Exit codes: 0 accepted or done, 1 a proof was rejected, 2 anything else.

#![forbid(unsafe_code)]

mod advice;
mod alarm;
mod args;
mod command;
mod cpu;
mod job;
mod memory;
mod output;
mod progress;
mod text;

use std::process::ExitCode;

use clap::Parser;
use serde_json::json;

use crate::{
    args::Args,
    output::{Outcome, Output},
};

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return misuse(&error),
    };
    let output = Output::new(args.json);
    match cpu::check().and_then(|()| command::run(args, &output)) {
        Ok(Outcome::Accepted) => ExitCode::SUCCESS,
        Ok(Outcome::Rejected) => ExitCode::from(1),
        Ok(Outcome::Undecided) => ExitCode::from(2),
        Err(error) => {
            output.error(&error);
            ExitCode::from(2)
        }
    }
}

/// Wrong arguments, or a question about them. Who asks for JSON gets an object all the same.
fn misuse(error: &clap::Error) -> ExitCode {
    // A terminal that is gone is no error.
    let _ = error.print();
    if !error.use_stderr() {
        return ExitCode::SUCCESS;
    }
    if std::env::args_os().any(|argument| argument == "--json") {
        println!("{}", json!({ "error": error.to_string(), "code": "usage" }));
    }
    ExitCode::from(2)
}
