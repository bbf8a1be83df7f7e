//! `key`: what a verifying key says, by itself.

use std::fmt;

use anyhow::Result;
use serde::Serialize;
use zkinfer::{KeyDescription, KeyTensor, SetupKind, models::Shown, read};

use crate::{
    args,
    output::{Outcome, Output},
};

pub(crate) fn run(args: &args::Key, output: &Output) -> Result<Outcome> {
    let key = read::key(&args.key)?;
    output.report(&Report(KeyDescription::new(&key)))?;
    Ok(Outcome::Accepted)
}

#[derive(Serialize)]
#[serde(transparent)]
struct Report(KeyDescription);

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = &self.0;
        writeln!(f, "key {}", key.key_digest)?;
        match key.name.as_str() {
            "" => writeln!(f, "  bears no label")?,
            name => writeln!(f, "  calls itself {}", Shown(name))?,
        }
        writeln!(f, "  claims to be made from an ONNX file of digest {}", key.model_digest)?;
        if let Some(digest) = &key.graph_digest {
            writeln!(f, "  and that the file holds the graph {digest}")?;
        }
        writeln!(f, "  (to see whether it is: zkinfer audit PROOF --key FILE --model FILE)")?;
        if key.takes_boundary || key.gives_boundary {
            writeln!(f, "  is of a part of the model, which proves nothing without the others")?;
        }
        if key.claims > 1 {
            writeln!(f, "  proofs under it are about {} claims, each in a file", key.claims)?;
        }
        let sides = [
            ("input", &key.inputs, key.inputs_committed, key.takes_boundary),
            ("output", &key.outputs, key.outputs_committed, key.gives_boundary),
        ];
        for (side, tensors, committed, is_boundary) in sides {
            for KeyTensor { name, shape, step, range: (lo, hi) } in tensors {
                let name = Shown(name);
                writeln!(
                    f,
                    "  {side} {name} {shape:?}: {lo:.6} to {hi:.6} in steps of {step:.3e}"
                )?;
            }
            writeln!(f, "    its {side}s {}", in_claims(committed, is_boundary))?;
        }
        match key.setup {
            SetupKind::Ceremony => writeln!(f, "  SRS: the ceremony {}", Shown(&key.srs))?,
            SetupKind::InsecureDevelopment => {
                writeln!(f, "  SRS {}: INSECURE, anybody can forge", Shown(&key.srs))?;
            }
            SetupKind::Unknown => {
                writeln!(f, "  SRS {}, which this version does not know", Shown(&key.srs))?;
            }
        }
        writeln!(f, "    digest of [τ]₂ {}", key.srs_digest)?;
        for (tensor, classes) in &key.classes {
            writeln!(f, "  classes of {}: {}", Shown(tensor), Shown(&classes.join(", ")))?;
        }
        match &key.accuracy_digest {
            Some(digest) => writeln!(f, "  binds the accuracy report {digest}")?,
            None => writeln!(f, "  binds no accuracy report")?,
        }
        let (advice, fixed) = (key.advice_columns, key.fixed_columns);
        writeln!(f, "  2^{} rows, {advice} advice and {fixed} fixed columns", key.k)?;
        writeln!(f, "  key format {}, integer semantics {}", key.format, key.semantics)?;
        write!(f, "  proofs under it have {} bytes", key.proof_bytes)
    }
}

/// Where the values of a side are.
fn in_claims(committed: bool, is_boundary: bool) -> &'static str {
    match (is_boundary, committed) {
        (true, _) => "are no part of claims: they go from part to part, hidden in the proofs",
        (false, true) => "are hidden behind a commitment in claims",
        (false, false) => "are shown in claims",
    }
}
