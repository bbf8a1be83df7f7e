//! What the caller expects of a proof, and how a proof fails to be that.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use zkinfer_prover::files;
use zkinfer_verifier::{
    ClaimedValues, Commitment, Digest, InferenceClaim, Opening, Openings, ProofFile, SrsDigest,
    SrsPolicy, SrsTrust, TensorLayout, VerifyError, VerifyingKey, Visibility, verify,
};

use crate::{
    args,
    job::{Hex32, Moment, difference},
    model::tensors,
};

/// Larger files are no openings.
const MAX_BYTES: u64 = 1 << 28;

/// The arguments, with their files read as the integers of one key.
pub(crate) struct Expectation<'a> {
    key: &'a VerifyingKey,
    model: Option<Digest>,
    input: Option<ClaimedValues>,
    output: Option<ClaimedValues>,
    openings: Option<Openings>,
    job: args::Job,
    valid_at: Option<u64>,
    policy: SrsPolicy,
}

impl<'a> Expectation<'a> {
    pub(crate) fn read(args: &args::Expect, key: &'a VerifyingKey) -> Result<Self> {
        let layout = &key.parts().layout;
        let openings = args.opening.as_deref().map(read_openings).transpose()?;
        let read_input = |path: &PathBuf| tensors::read_input_integers(path, &layout.inputs);
        let read_output = |path: &PathBuf| tensors::read_output_integers(path, &layout.outputs);
        let input = Expected {
            side: "input",
            visibility: layout.input_visibility,
            values: args.expect_input.as_ref().map(read_input).transpose()?,
            commitment: args.expect_input_commitment,
            opening: openings.as_ref().and_then(|openings| openings.input.as_ref()),
        };
        let output = Expected {
            side: "output",
            visibility: layout.output_visibility,
            values: args.expect_output.as_ref().map(read_output).transpose()?,
            commitment: args.expect_output_commitment,
            opening: openings.as_ref().and_then(|openings| openings.output.as_ref()),
        };
        let policy = match args.allow_srs {
            Some(Hex32(digest)) => SrsPolicy::AllowSrs(SrsDigest(Digest(digest))),
            None if args.allow_insecure_srs => SrsPolicy::AllowInsecureDev,
            None => SrsPolicy::CeremonyOnly,
        };
        Ok(Self {
            key,
            model: args.expect_model.map(|Hex32(digest)| Digest(digest)),
            input: input.claimed(&layout.inputs)?,
            output: output.claimed(&layout.outputs)?,
            openings,
            job: args.job,
            valid_at: args.valid_at.map(|Moment(seconds)| seconds),
            policy,
        })
    }

    /// The setups that the caller trusts.
    pub(crate) fn policy(&self) -> SrsPolicy {
        self.policy
    }

    /// What opens commitments, where something does.
    pub(crate) fn openings(&self) -> Option<&Openings> {
        self.openings.as_ref()
    }

    /// The claim in the file, but for what the caller says.
    pub(crate) fn claim(&self, file: &ProofFile) -> InferenceClaim {
        let claimed = &file.claim;
        InferenceClaim {
            model: self.key.digest(),
            input: self.input.as_ref().unwrap_or(&claimed.input).clone(),
            output: self.output.as_ref().unwrap_or(&claimed.output).clone(),
            binding: self.job.expected(&claimed.binding),
        }
    }

    /// `Err` is why the proof is rejected. What the file says is compared first, because that
    /// gives better reasons; what decides is the proof of the expected claim.
    pub(crate) fn check(&self, file: &ProofFile) -> Result<SrsTrust, String> {
        let expected = self.claim(file);
        self.compare(file, &expected)?;
        let verified = verify(self.key, &expected, &file.proof, self.policy);
        verified.map(|verified| verified.srs()).map_err(with_advice)
    }

    /// Compares what key and file say with what is expected; the proof is not looked at.
    pub(crate) fn compare(
        &self,
        file: &ProofFile,
        expected: &InferenceClaim,
    ) -> Result<(), String> {
        let parts = self.key.parts();
        if let Some(model) = self.model.filter(|model| *model != parts.model_digest) {
            return Err(format!("the key is of the model {}, not of {model}", parts.model_digest));
        }
        file.check_key(self.key).map_err(|error| error.to_string())?;
        compare("input", &parts.layout.inputs, &expected.input, &file.claim.input)?;
        compare("output", &parts.layout.outputs, &expected.output, &file.claim.output)?;
        if let Some(why) = difference(&expected.binding, &file.claim.binding) {
            return Err(why);
        }
        let expiry = file.claim.binding.expiry;
        if let Some(openings) = &self.openings {
            openings.check(self.key, &file.claim).map_err(|error| error.to_string())?;
        }
        match self.valid_at {
            Some(time) if time > expiry => Err(format!("it expired at {expiry}, before {time}")),
            _ => Ok(()),
        }
    }
}

/// What the caller says about one side of the claim.
struct Expected<'a> {
    side: &'static str,
    visibility: Visibility,
    values: Option<Vec<i64>>,
    commitment: Option<Hex32>,
    opening: Option<&'a Opening>,
}

impl Expected<'_> {
    /// What a claim under the key must have there, if the caller says anything.
    fn claimed(self, layout: &[TensorLayout]) -> Result<Option<ClaimedValues>> {
        let Self { side, visibility, values, commitment, opening } = self;
        match (visibility, values, commitment) {
            (_, None, None) => Ok(None),
            (Visibility::Public, Some(values), None) => Ok(Some(ClaimedValues::Public(values))),
            (Visibility::Public, _, Some(_)) => {
                bail!("claims under this key show the {side}: use --expect-{side}")
            }
            (Visibility::Committed, None, Some(Hex32(bytes))) => {
                let commitment = Commitment::from_bytes(&bytes);
                let place = || format!("--expect-{side}-commitment: no field element");
                Ok(Some(ClaimedValues::Committed(commitment.with_context(place)?)))
            }
            (Visibility::Committed, Some(values), _) => {
                let Some(opening) = opening else {
                    bail!(
                        "claims under this key commit to the {side}: to compare it, pass what \
                         opens the commitment with --opening FILE"
                    )
                };
                let commitment = Commitment::new(layout, &values, &opening.blinding)?;
                Ok(Some(ClaimedValues::Committed(commitment)))
            }
        }
    }
}

/// Reads a `.zkopening`.
pub(crate) fn read_openings(path: &Path) -> Result<Openings> {
    let place = || format!("cannot use {} as an opening", path.display());
    let bytes = files::read_bounded(path, MAX_BYTES).with_context(place)?;
    Openings::decode(&bytes).with_context(place)
}

fn compare(
    what: &str,
    layout: &[TensorLayout],
    expected: &ClaimedValues,
    claimed: &ClaimedValues,
) -> Result<(), String> {
    let (expected, claimed) = match (expected, claimed) {
        (ClaimedValues::Public(expected), ClaimedValues::Public(claimed)) => (expected, claimed),
        (ClaimedValues::Committed(expected), ClaimedValues::Committed(claimed)) => {
            let why = || format!("the {what} commitment is {claimed}, expected {expected}");
            return if expected == claimed { Ok(()) } else { Err(why()) };
        }
        (expected, claimed) => {
            let (expected, claimed) = (expected.visibility(), claimed.visibility());
            return Err(format!("the file's {what} is {claimed}, the key's {expected}"));
        }
    };
    if expected.len() != claimed.len() {
        return Err(format!("{} {what} elements, expected {}", claimed.len(), expected.len()));
    }
    let owners = layout
        .iter()
        .flat_map(|tensor| (0..tensor.element_count()).map(move |element| (&tensor.name, element)));
    let mut pairs = owners.zip(expected.iter().zip(claimed));
    match pairs.find(|(_, (expected, claimed))| expected != claimed) {
        Some(((name, element), (expected, claimed))) => {
            Err(format!("{what} {name}: element {element} is {claimed} units, expected {expected}"))
        }
        None => Ok(()),
    }
}

/// The error, and what to do about it where something can be done.
pub(crate) fn with_advice(error: VerifyError) -> String {
    use VerifyError::{InsecureDevSrs, UntrustedSrs};
    let advice = match error {
        InsecureDevSrs => "; pass --allow-insecure-srs to accept it in development",
        UntrustedSrs { .. } => "; pass --allow-srs with this digest if you trust it",
        _ => "",
    };
    format!("{error}{advice}")
}
