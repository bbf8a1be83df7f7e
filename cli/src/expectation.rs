//! What the caller expects of a proof, and how a proof fails to be that.

use anyhow::Result;
use zkinfer_verifier::{
    Digest, InferenceClaim, ProofFile, SrsDigest, SrsPolicy, SrsTrust, TensorLayout, VerifyError,
    VerifyingKey, verify,
};

use crate::{
    args,
    job::{Hex32, Moment, difference},
    model::tensors,
};

/// The arguments, with their files read as the integers of one key.
pub(crate) struct Expectation<'a> {
    key: &'a VerifyingKey,
    model: Option<Digest>,
    input: Option<Vec<i64>>,
    output: Option<Vec<i64>>,
    job: args::Job,
    valid_at: Option<u64>,
    policy: SrsPolicy,
}

impl<'a> Expectation<'a> {
    pub(crate) fn read(args: &args::Expect, key: &'a VerifyingKey) -> Result<Self> {
        let layout = &key.parts().layout;
        let input = args.expect_input.as_deref();
        let output = args.expect_output.as_deref();
        let policy = match args.allow_srs {
            Some(Hex32(digest)) => SrsPolicy::AllowSrs(SrsDigest(Digest(digest))),
            None if args.allow_insecure_srs => SrsPolicy::AllowInsecureDev,
            None => SrsPolicy::CeremonyOnly,
        };
        Ok(Self {
            key,
            model: args.expect_model.map(|Hex32(digest)| Digest(digest)),
            input: input
                .map(|path| tensors::read_input_integers(path, &layout.inputs))
                .transpose()?,
            output: output
                .map(|path| tensors::read_output_integers(path, &layout.outputs))
                .transpose()?,
            job: args.job,
            valid_at: args.valid_at.map(|Moment(seconds)| seconds),
            policy,
        })
    }

    /// The setups that the caller trusts.
    pub(crate) fn policy(&self) -> SrsPolicy {
        self.policy
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
        match self.valid_at {
            Some(time) if time > expiry => Err(format!("it expired at {expiry}, before {time}")),
            _ => Ok(()),
        }
    }
}

fn compare(
    what: &str,
    layout: &[TensorLayout],
    expected: &[i64],
    claimed: &[i64],
) -> Result<(), String> {
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
