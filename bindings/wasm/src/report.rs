//! What a check found, in JSON.

use serde::Serialize;
use zkinfer_verifier::{
    ClaimedValues, Commitment, Expectation, INSECURE_DEV, JobBinding, Mismatch, Opening, Openings,
    ProofFile, Rejection, SrsId, SrsPolicy, Strength, TensorLayout, UnixTime, VerifyingKey,
};

use crate::expected::Expected;

/// The files of one check.
#[derive(Clone, Copy, Debug)]
pub struct Files<'a> {
    /// The verifying key.
    pub key: &'a [u8],
    /// The proof.
    pub proof: &'a [u8],
    /// What is expected, in JSON; empty for nothing.
    pub expected: &'a [u8],
    /// What opens the claim's commitments.
    pub opening: Option<&'a [u8]>,
}

/// Checks a proof, and gives the report as JSON. Total: it returns for every input.
#[must_use]
pub fn check(files: &Files<'_>) -> String {
    let report = Report::new(files).unwrap_or_else(Report::Unusable);
    // Strings and finite numbers have a form in JSON; a program that gets nothing has no report.
    serde_json::to_string(&report).unwrap_or_default()
}

#[derive(Serialize)]
#[serde(tag = "verdict", rename_all = "camelCase")]
enum Report {
    /// The proof is what was expected.
    Accepted(Box<Checked>),
    /// It is not.
    Rejected(Box<Checked>),
    /// Nothing could be checked.
    Unusable(Unusable),
}

/// What cannot be used, and why.
#[derive(Serialize)]
struct Unusable {
    file: &'static str,
    reason: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Checked {
    /// Why the proof is not accepted.
    reason: Option<String>,
    /// The checks that refused, in words that never change.
    codes: Vec<&'static str>,
    /// The label that the key's maker gave it.
    model_name: Option<String>,
    model_digest: String,
    key_digest: String,
    /// The accuracy report that the key binds.
    accuracy_digest: Option<String>,
    input: Side,
    output: Side,
    /// Its place, where the proof is about several claims.
    leaf: Option<Place>,
    job: Job,
    setup: Setup,
    strength: Strength,
    proof_bytes: usize,
}

/// One side of the claim.
#[derive(Serialize)]
struct Side {
    /// Whether it was compared with what was expected.
    compared: bool,
    commitment: Option<String>,
    /// The real numbers, where they are public or opened.
    tensors: Option<Vec<Tensor>>,
}

#[derive(Serialize)]
struct Tensor {
    name: String,
    shape: Vec<u32>,
    values: Vec<f64>,
    /// The class that each element names, or is about, where the key names classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    classes: Option<Vec<Option<String>>>,
}

/// Where a claim is among those of its proof.
#[derive(Serialize)]
struct Place {
    /// From 0 on.
    index: u32,
    /// How many claims the proof is about, as the key says.
    claims: u32,
    /// The root of all claims, the same in the files of one proof; `None` where the file's path leads
    /// to none.
    root: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Job {
    /// Whether the proof was made for any.
    is_none: bool,
    chain: String,
    job: String,
    payee: Option<String>,
    expiry: String,
    /// The expiry as a date.
    expires: Option<String>,
    nonce: String,
}

#[derive(Serialize)]
struct Setup {
    name: String,
    kind: &'static str,
    digest: String,
}

impl Report {
    fn new(files: &Files<'_>) -> Result<Self, Unusable> {
        let unusable = |file| move |reason: String| Unusable { file, reason };
        let key = VerifyingKey::decode(files.key).map_err(|error| error.to_string());
        let key = key.map_err(unusable("key"))?;
        let file = ProofFile::decode(files.proof).map_err(|error| error.to_string());
        let file = file.map_err(unusable("proof"))?;
        let openings = files.opening.map(Openings::decode).transpose();
        let openings = openings.map_err(|error| unusable("opening")(error.to_string()))?;
        let of_expected = unusable("expected");
        let expected = Expected::read(files.expected).map_err(of_expected)?;
        let policy = expected.policy().map_err(of_expected)?;
        let expectation = expected.of_key(&key, openings.as_ref()).map_err(of_expected)?;

        let refusal = refusal(&key, &file, &expectation, policy, openings.as_ref());
        // An opening of a proof that is refused shows nothing.
        let openings = openings.filter(|_| refusal.is_none());
        let accepted = refusal.is_none();
        let checked = Box::new(Checked::new(&key, &file, openings.as_ref(), &expectation, refusal));
        Ok(if accepted { Self::Accepted(checked) } else { Self::Rejected(checked) })
    }
}

/// Why a proof is refused, and the checks that refused.
type Refusal = (String, Vec<&'static str>);

fn refusal(
    key: &VerifyingKey,
    file: &ProofFile,
    expectation: &Expectation<'_>,
    policy: SrsPolicy,
    openings: Option<&Openings>,
) -> Option<Refusal> {
    match file.verify(expectation, policy) {
        Ok(_) => {
            let opened = openings.map_or(Ok(()), |openings| openings.check(key, &file.claim));
            opened.err().map(|error| (error.to_string(), vec!["opening"]))
        }
        Err(why) => Some(match &why {
            Rejection::Mismatches(found) => {
                (why.to_string(), found.iter().map(Mismatch::code).collect())
            }
            _ => (why.to_string(), vec![why.code()]),
        }),
    }
}

impl Checked {
    fn new(
        key: &VerifyingKey,
        file: &ProofFile,
        openings: Option<&Openings>,
        expectation: &Expectation<'_>,
        refusal: Option<Refusal>,
    ) -> Self {
        let (parts, claim) = (key.parts(), &file.claim);
        let of_input = openings.and_then(|openings| openings.input.as_ref());
        let of_output = openings.and_then(|openings| openings.output.as_ref());
        let input = Side::new(&parts.layout.inputs, &claim.input, of_input);
        let output = Side::new(&parts.layout.outputs, &claim.output, of_output);
        let (reason, codes) = refusal.unzip();
        Self {
            reason,
            codes: codes.unwrap_or_default(),
            model_name: parts.model_name.clone(),
            model_digest: parts.model_digest.to_string(),
            key_digest: key.digest().to_string(),
            accuracy_digest: key.accuracy_digest().map(|digest| digest.to_string()),
            input: Side { compared: expectation.input.is_some(), ..input },
            output: Side { compared: expectation.output.is_some(), ..output },
            leaf: Place::new(key, file),
            job: Job::new(&file.claim.binding),
            setup: Setup::new(&parts.srs),
            strength: Strength::new(parts),
            proof_bytes: file.proof.as_bytes().len(),
        }
    }
}

impl Side {
    fn new(layout: &[TensorLayout], claimed: &ClaimedValues, opening: Option<&Opening>) -> Self {
        let (commitment, values) = match claimed {
            ClaimedValues::Public(values) => (None, Some(values)),
            ClaimedValues::Committed(commitment) => {
                (Some(commitment.to_string()), opening.map(|opening| &opening.values))
            }
        };
        let tensors = values.map(|values| {
            let mut rest = &values[..];
            let take = |tensor: &TensorLayout| {
                let (own, others) = rest.split_at(tensor.element_count().min(rest.len()));
                rest = others;
                let (name, shape) = (tensor.name.clone(), tensor.shape.clone());
                let values = tensor.dequantize(own);
                let classes = tensor.classes_of(&values).map(|classes| {
                    classes.into_iter().map(|class| class.map(str::to_owned)).collect()
                });
                Tensor { name, shape, values, classes }
            };
            layout.iter().map(take).collect()
        });
        Self { compared: false, commitment, tensors }
    }
}

impl Place {
    fn new(key: &VerifyingKey, file: &ProofFile) -> Option<Self> {
        let claims = key.parts().layout.claims;
        let leaf = file.leaf.as_ref()?;
        let root =
            leaf.root(&file.claim, claims).map(|root| Commitment::from_scalar(root).to_string());
        Some(Self { index: leaf.index, claims, root })
    }
}

impl Job {
    fn new(binding: &JobBinding) -> Self {
        let digits =
            |bytes: &[u8]| -> String { bytes.iter().map(|b| format!("{b:02x}")).collect() };
        Self {
            is_none: *binding == JobBinding::NONE,
            chain: binding.chain_id.to_string(),
            job: digits(&binding.job_id),
            payee: (!binding.pays_nobody()).then(|| digits(&binding.payee)),
            expiry: binding.expiry.to_string(),
            expires: (binding.expiry != JobBinding::NO_EXPIRY)
                .then(|| UnixTime(binding.expiry).to_string()),
            nonce: binding.nonce.to_string(),
        }
    }
}

impl Setup {
    fn new(srs: &SrsId) -> Self {
        let kind = match srs.ceremony() {
            Some(_) => "ceremony",
            None if srs.name == INSECURE_DEV => "insecureDevelopment",
            None => "unknown",
        };
        Self { name: srs.name.clone(), kind, digest: srs.digest().to_string() }
    }
}
