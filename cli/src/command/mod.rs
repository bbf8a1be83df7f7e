//! One file per command.

mod audit;
mod calibrate;
mod commit;
mod contract;
mod devices;
mod inspect;
mod key;
mod manual;
mod prove;
mod quote;
mod run;
mod setup;
mod source;
mod split;
mod srs;
mod verify;

use anyhow::{Context, Result};
use zkinfer::engine::icicle;

use crate::{
    args::{Args, Command},
    output::{Outcome, Output},
};

/// Does what the arguments say.
pub(crate) fn run(args: Args, output: &Output) -> Result<Outcome> {
    if let Some(threads) = args.threads {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads.into())
            .build_global()
            .context("cannot start the threads")?;
    }
    match args.command {
        Command::Inspect(args) => inspect::run(&args, output),
        Command::Quote(args) => quote::run(&args, output),
        Command::Calibrate(args) => calibrate::run(&args, output),
        Command::Run(args) => run::run(&args, output),
        Command::Setup(args) => setup::run(&args, output),
        Command::Split(args) => split::run(&args, output),
        Command::Prove(args) => prove::run(&args, output),
        Command::Commit(args) => commit::run(&args, output),
        Command::Verify(args) => verify::run(&args, output),
        Command::Audit(args) => audit::run(&args, output),
        Command::Key(args) => key::run(&args, output),
        Command::Contract(command) => contract::run(&command, output),
        Command::Srs(command) => srs::run(command, output),
        Command::Completions(args) => manual::completions(&args, output),
        Command::Man(args) => manual::man(&args, output),
        Command::Devices(args) => devices::run(&args, output),
        Command::TryIcicle(args) => {
            output.line(&icicle::report(&args.options()))?;
            Ok(Outcome::Accepted)
        }
    }
}
