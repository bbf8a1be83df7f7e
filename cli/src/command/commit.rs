//! `commit`: a commitment to an input, for a proof that does not show it.

use std::{fmt, io::Write, path::PathBuf};

use anyhow::{Context, Result, bail};
use serde::Serialize;
use zkinfer_prover::{draw_blinding, files};
use zkinfer_verifier::{Opening, Openings, Visibility};

use crate::{
    args,
    command::verify::read_key,
    model::tensors,
    output::{Outcome, Output},
};

pub(crate) fn run(args: &args::Commit, output: &Output) -> Result<Outcome> {
    let key = read_key(&args.key)?;
    let layout = &key.parts().layout;
    if layout.input_visibility == Visibility::Public {
        bail!(
            "claims under {} show their input; for a key that commits to it: zkinfer setup \
             MODEL --commit input",
            args.key.display()
        );
    }
    let path = args.output.clone().unwrap_or_else(|| args.input.with_extension("zkopening"));
    if path == args.input || path.exists() {
        // An opening may be the only way to read a proof: it is never replaced.
        bail!("{} is already there; name another file with --output", path.display());
    }
    let values = tensors::read_input_integers(&args.input, &layout.inputs)?;
    let opening = Opening { values, blinding: draw_blinding() };
    let commitment = opening.commitment(&layout.inputs)?;
    let openings = Openings { key: key.digest(), input: Some(opening), output: None };
    write(&openings, &path)?;
    let model = key.parts().model_name.clone();
    output.report(&Report { model, commitment: commitment.to_string(), opening: path })?;
    Ok(Outcome::Accepted)
}

/// Writes a `.zkopening` that only its owner can read.
pub(crate) fn write(openings: &Openings, path: &std::path::Path) -> Result<()> {
    files::write_whole_private(path, |file| file.write_all(openings.encode().as_bytes()))
        .with_context(|| format!("cannot write {}", path.display()))
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
