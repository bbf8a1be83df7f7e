//! What can be said on the command line: one file for each group of commands.

mod calibrate;
mod chain;
mod devices;
mod manual;
mod model;
mod parts;
mod prove;
mod srs;
mod verify;

use clap::{Parser, Subcommand};

pub(crate) use self::{
    calibrate::Calibrate,
    chain::{Contract, ContractCall, ContractExport, ContractOpening},
    devices::{DeviceName, FindDevices, Icicle},
    manual::{Completions, Man},
    model::{Alarm, Inspect, KeySource, ModelSource, Quote, Run, or_no_model},
    parts::Split,
    prove::{Job, Prove, Setup},
    srs::{Srs, SrsGen, SrsImport, SrsInfo},
    verify::{Audit, Commit, Key, Verify},
};

/// Proves that a neural network gave an output, without trust in who ran it.
#[derive(Debug, Parser)]
#[command(name = "zkinfer", version, propagate_version = true)]
pub(crate) struct Args {
    /// Print one JSON object on standard output instead of text.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Threads to use; all cores by default.
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show what a model computes and whether it can be proved.
    Inspect(Inspect),
    /// Tell what a proof would cost, before anything is proved.
    Quote(Quote),
    /// Find the cheapest settings with which the integers are as close to the model as is asked for.
    Calibrate(Calibrate),
    /// Run a model in integers, without proving.
    Run(Run),
    /// Make the verifying key of a model, and the settings that later proofs use.
    Setup(Setup),
    /// Split a model into parts, each with a key and for a prover of its own.
    Split(Split),
    /// Run a model in integers, prove it, and verify the proof.
    Prove(Prove),
    /// Commit to an input, so that a proof can be about it without showing it.
    Commit(Commit),
    /// Check proofs against what is expected of them.
    Verify(Verify),
    /// Explain what a proof shows, how strongly, and whether a model gives its key.
    Audit(Audit),
    /// Describe a verifying key.
    Key(Key),
    /// Put a key on a chain, and make the calldata that verifies a proof there.
    #[command(subcommand)]
    Contract(Contract),
    /// Make, import or describe a structured reference string.
    #[command(subcommand)]
    Srs(Srs),
    /// Print what completes this command's words in a shell.
    Completions(Completions),
    /// Write a manual page for every command.
    Man(Man),
    /// Tell where proofs can be made on this machine.
    Devices(FindDevices),
    /// Try ICICLE's libraries, which may end this process.
    #[command(hide = true)]
    TryIcicle(Icicle),
}

#[cfg(test)]
mod tests {
    use clap::{Arg, Command, CommandFactory, error::ErrorKind};

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Args::command().debug_assert();
    }

    /// Where an argument needs a second one, which a third one excludes, clap takes the first beside the
    /// third and says nothing: an expected manifest was ignored beside `--key`, and the proof accepted.
    #[test]
    fn what_needs_an_argument_excludes_all_that_excludes_it() {
        let mut root = Args::command();
        root.build();
        let mut count = 0;
        for command in root.get_subcommands() {
            let named: Vec<&Arg> =
                command.get_arguments().filter(|arg| arg.get_long().is_some()).collect();
            for first in &named {
                for needed in named.iter().filter(|arg| needs(first, arg)) {
                    for third in named.iter().filter(|third| exclude(command, needed, third)) {
                        let name = command.get_name();
                        assert!(exclude(command, first, third), "{name} {first} {third}");
                        count += 1;
                    }
                }
            }
        }
        assert!(count > 40, "{count} such arguments");
    }

    /// Whether one argument needs another: clap has no other word for it than its notes for
    /// debugging.
    fn needs(arg: &Arg, other: &Arg) -> bool {
        let notes = format!("{arg:?}");
        let (_, notes) = notes.split_once("requires: [").unwrap();
        let (needed, _) = notes.split_once(']').unwrap();
        needed.contains(&format!("{:?}", other.get_id().as_str()))
    }

    /// Whether a command refuses two arguments together.
    fn exclude(command: &Command, one: &Arg, other: &Arg) -> bool {
        let words = [words(command, one), words(command, other)].concat();
        one.get_id() != other.get_id() && refusal(command, words) == ErrorKind::ArgumentConflict
    }

    /// An argument with a value that it takes.
    fn words(command: &Command, arg: &Arg) -> Vec<String> {
        let long = format!("--{}", arg.get_long().unwrap());
        if !arg.get_action().takes_values() {
            return vec![long];
        }
        let possible = arg.get_possible_values();
        let values = possible.iter().map(|value| value.get_name().to_owned());
        let values = values.chain(["2".to_owned(), "0a".repeat(32), "0a".repeat(20)]);
        let mut words = values.map(|value| vec![long.clone(), value]);
        words.find(|words| refusal(command, words.clone()) != ErrorKind::ValueValidation).unwrap()
    }

    /// Why a command refuses such words, which are never all that it needs.
    fn refusal(command: &Command, words: Vec<String>) -> ErrorKind {
        let words = ["zkinfer".to_owned()].into_iter().chain(words);
        command
            .clone()
            .try_get_matches_from(words)
            .map_or_else(|refused| refused.kind(), |_| ErrorKind::MissingRequiredArgument)
    }
}
