//! `commit`: a commitment to an input, for a proof that does not show it.

use std::{fmt, path::PathBuf};

use anyhow::Result;
use serde::Serialize;
use zkinfer::{Error, commit_to_input, read, write_openings};

use crate::{
    args,
    output::{Outcome, Output},
    text,
};

pub(crate) fn run(args: &args::Commit, output: &Output) -> Result<Outcome> {
    let key = read::key(&args.key)?;
    let path = args.output.clone().unwrap_or_else(|| args.input.with_extension("zkopening"));
    let (commitment, openings) = commit_to_input(&key, &args.input)?;
    if path == args.input || path.exists() {
        // An opening may be the only way to read a proof: it is never replaced.
        return Err(Error::Exists { path }.into());
    }
    write_openings(&openings, &path)?;
    let parts = key.parts();
    let model = text::model(parts.model_name.as_deref(), parts.model_digest);
    output.report(&Report { model, commitment: commitment.to_string(), opening: path })?;
    Ok(Outcome::Accepted)
}

#[derive(Serialize)]
struct Report {
    model: String,
    commitment: String,
    opening: PathBuf,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Committed to an input of {}: {}", self.model, self.commitment)?;
        write!(
            f,
            "The opening is SECRET, for the prover only: {0}\n\
             To prove: zkinfer prove MODEL --input FILE --input-opening {0}",
            self.opening.display()
        )
    }
}
