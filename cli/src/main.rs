//! The zkinfer command line: from an ONNX file to a verified proof.
//!
//! Exit codes: 0 accepted or done, 1 a proof was rejected, 2 anything else.

#![forbid(unsafe_code)]

mod advice;
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

use crate::{
    args::Args,
    output::{Outcome, Output},
};

fn main() -> ExitCode {
    let args = Args::parse();
    let output = Output::new(args.json);
    match cpu::check().and_then(|()| command::run(args, &output)) {
        Ok(Outcome::Accepted) => ExitCode::SUCCESS,
        Ok(Outcome::Rejected) => ExitCode::from(1),
        Err(error) => {
            output.error(&error);
            ExitCode::from(2)
        }
    }
}
