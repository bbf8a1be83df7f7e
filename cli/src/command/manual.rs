//! `completions` and `man`: what clap knows of the arguments, for shells and for readers.

use std::{fmt, io::Write, path::PathBuf};

use anyhow::Result;
use clap::CommandFactory;
use serde::Serialize;
use zkinfer::{Error, prover::files};

use crate::{
    args::{self, Args},
    output::{Outcome, Output},
};

/// Prints the completions of a shell.
pub(crate) fn completions(args: &args::Completions, output: &Output) -> Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "zkinfer", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    output.report(&Script { script })?;
    Ok(Outcome::Accepted)
}

/// Writes `zkinfer.1`, and a page for every command.
pub(crate) fn man(args: &args::Man, output: &Output) -> Result<Outcome> {
    let mut command = Args::command();
    command.build();
    let mut pages = Vec::new();
    write_pages(command, "zkinfer", &args.folder, &mut pages)?;
    output.report(&Pages { pages })?;
    Ok(Outcome::Accepted)
}

fn write_pages(
    command: clap::Command,
    name: &str,
    folder: &std::path::Path,
    pages: &mut Vec<PathBuf>,
) -> Result<()> {
    let path = folder.join(format!("{name}.1"));
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    files::write_whole(&path, |file| file.write_all(&page))
        .map_err(|source| Error::Write { path: path.clone(), source })?;
    pages.push(path);
    let shown = |command: &&clap::Command| command.get_name() != "help";
    for subcommand in command.get_subcommands().filter(shown) {
        let name = format!("{name}-{}", subcommand.get_name());
        write_pages(subcommand.clone(), &name, folder, pages)?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Script {
    script: String,
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.script)
    }
}

#[derive(Serialize)]
struct Pages {
    pages: Vec<PathBuf>,
}

impl fmt::Display for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pages.iter().try_for_each(|path| writeln!(f, "{}", path.display()))
    }
}
