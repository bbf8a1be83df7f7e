//! Where proofs and what belongs to them are written.

use std::path::{Path, PathBuf};

use zkinfer::{Error, KeyFiles};

use crate::{args, output::same_file};

/// The places of one run.
#[derive(Clone)]
pub(super) struct Places {
    /// The proof, or the folder of many.
    pub(super) proof: PathBuf,
    /// What opens the commitments of one proof.
    pub(super) opening: PathBuf,
    pub(super) key: KeyFiles,
}

impl Places {
    /// Of one proof: it and its opening beside the model by default, and always the key.
    pub(super) fn of_one(args: &args::Prove, input: &Path) -> Result<Self, Error> {
        let proof = args.output.clone().unwrap_or_else(|| args.model.with_extension("zkproof"));
        let opening = args.opening.clone().unwrap_or_else(|| proof.with_extension("zkopening"));
        let places = Self { proof, opening, key: key_files(args) };
        let KeyFiles { key, settings, accuracy } = &places.key;
        places.check(args, input, &[&places.proof, key, settings, accuracy, &places.opening])?;
        Ok(places)
    }

    /// Of many proofs: a folder, beside the model by default.
    pub(super) fn of_many(args: &args::Prove, inputs: &Path) -> Result<Self, Error> {
        let proof = args.output.clone().unwrap_or_else(|| args.model.with_extension("proofs"));
        if proof.exists() && !proof.is_dir() {
            return Err(Error::NoFolder { path: proof, what: "the proofs" });
        }
        let places = Self { proof, opening: PathBuf::new(), key: key_files(args) };
        let KeyFiles { key, settings, accuracy } = &places.key;
        places.check(args, inputs, &[key, settings, accuracy])?;
        Ok(places)
    }

    /// What is written must not be read, nor written twice, nor be a folder.
    fn check(&self, args: &args::Prove, input: &Path, written: &[&PathBuf]) -> Result<(), Error> {
        for (index, path) in written.iter().enumerate() {
            if path.is_dir() {
                return Err(Error::Folder { path: path.to_path_buf() });
            }
            let read = [args.model.as_path(), input].into_iter();
            let read = read.chain(args.input_opening.as_deref());
            let others = written[..index].iter().map(|path| path.as_path());
            if read.chain(others).any(|other| same_file(path, other)) {
                return Err(Error::Overwritten { path: path.to_path_buf() });
            }
        }
        Ok(())
    }
}

/// The key that is named, else the one beside the model, wherever the proof goes.
fn key_files(args: &args::Prove) -> KeyFiles {
    match (&args.key, args.joint) {
        (Some(key), _) => KeyFiles::of_key(key),
        (None, None) => KeyFiles::beside_model(&args.model),
        (None, Some(claims)) => KeyFiles::beside_model_jointly(&args.model, claims),
    }
}
