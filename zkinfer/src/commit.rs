//! Commitments to inputs, and what opens them.

use std::{io::Write, path::Path};

use zkinfer_prover::{Proven, draw_blinding, files};
use zkinfer_verifier::{
    Blinding, Commitment, Opening, Openings, ProofFile, Side, VerifyingKey, Visibility,
};

use crate::{error::Error, read, tensors};

/// Commits to the input in a file, for proofs under a key that does not show inputs.
///
/// ```
/// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/example.rs")); }
/// # use example::*;
/// # let files = files();
/// use zkinfer::{
///     Device, Inference, InputData, Keys, Model, Options, Recipe, Side, commit_to_input,
///     read_input_blinding, verifier::JobBinding, write_openings,
/// };
///
/// let model = Model::open(&files.model)?;
/// let options = Options { committed: [Side::Input].into(), ..Options::default() };
/// let samples = Some(InputData::read_samples(&files.samples)?);
/// let recipe = Recipe { samples, options, ..Recipe::default() };
/// let quantized = model.quantize(&recipe, std::path::Path::new("none"), &[])?;
/// let keys = Keys::make(&model, &quantized, None, &Device::default(), &|_| ())?;
///
/// // The buyer publishes the commitment and gives the prover what opens it.
/// let (commitment, openings) = commit_to_input(keys.verifying_key(), &files.input)?;
/// let opening = files.input.with_extension("zkopening");
/// write_openings(&openings, &opening)?;
///
/// let run = model.run(&quantized, &model.read_input(&files.input)?)?;
/// let integers = run.integers.concat();
/// let blinding = read_input_blinding(&opening, keys.verifying_key(), &integers)?;
/// let inference = Inference {
///     input_blinding: Some(blinding),
///     ..Inference::new(&run.execution, JobBinding::NONE)
/// };
/// let proven = keys.prove(inference, &|_| ())?;
/// let zkinfer::verifier::ClaimedValues::Committed(claimed) = &proven.file.claim.input else {
///     panic!()
/// };
/// assert_eq!(claimed.to_string(), commitment.to_string());
/// # Ok::<_, zkinfer::Error>(())
/// ```
///
/// # Errors
/// If claims under the key show their input, or the file does not hold its tensors.
pub fn commit_to_input(key: &VerifyingKey, input: &Path) -> Result<(Commitment, Openings), Error> {
    let layout = &key.parts().layout;
    if layout.input_visibility == Visibility::Public {
        return Err(Error::Shown { side: Side::Input });
    }
    let values = tensors::read_input_integers(input, &layout.inputs)?;
    let opening = Opening { values, blinding: draw_blinding() };
    let commitment = opening
        .commitment(&layout.inputs)
        .map_err(|source| Error::Commitment { side: Side::Input, source })?;
    Ok((commitment, Openings { key: key.digest(), input: Some(opening), output: None }))
}

/// Writes a `.zkopening` that only its owner can read.
///
/// # Errors
/// If the file cannot be written.
pub fn write_openings(openings: &Openings, path: &Path) -> Result<(), Error> {
    files::write_whole_private(path, |file| file.write_all(openings.encode().as_bytes()))
        .map_err(|source| Error::Write { path: path.to_owned(), source })
}

/// Writes a `.zkproof` and, where the proof hides something, the `.zkopening` that shows it.
///
/// # Errors
/// If a file cannot be written.
pub fn write_proof(proven: &Proven, proof: &Path, opening: &Path) -> Result<(), Error> {
    write_claim((&proven.file, &proven.openings), proof, opening)
}

/// [`write_proof`] of one claim of a proof of several.
///
/// # Errors
/// If a file cannot be written.
pub fn write_claim(
    (file, openings): (&ProofFile, &Openings),
    proof: &Path,
    opening: &Path,
) -> Result<(), Error> {
    // First, because a proof without it hides its values for good.
    if openings.input.is_some() || openings.output.is_some() {
        write_openings(openings, opening)?;
    }
    let text = file.encode();
    files::write_whole(proof, |file| file.write_all(text.as_bytes()))
        .map_err(|source| Error::Write { path: proof.to_owned(), source })
}

/// What hides the input, from a file that [`write_openings`] wrote; it must be of this key and
/// about these integers, all inputs in one list.
///
/// # Errors
/// If it is not, or claims under the key show their input.
pub fn read_input_blinding(
    path: &Path,
    key: &VerifyingKey,
    integers: &[i64],
) -> Result<Blinding, Error> {
    let openings = read::openings(path)?;
    let path = path.to_owned();
    if key.parts().layout.input_visibility == Visibility::Public {
        return Err(Error::Shown { side: Side::Input });
    }
    if openings.key != key.digest() {
        let (expected, got) = (key.digest(), openings.key);
        return Err(Error::OpeningOfAnotherKey { path, expected, got });
    }
    match openings.input {
        None => Err(Error::OpensNoInput { path }),
        Some(opening) if opening.values != integers => Err(Error::OpensAnotherInput { path }),
        Some(opening) => Ok(opening.blinding),
    }
}
