//! What a caller expects of a proof, from JSON to the verifier's words.

use serde::Deserialize;
use zkinfer_verifier::{
    ClaimedValues, Commitment, Digest, Expectation, KeyDigest, Openings, SrsDigest, SrsPolicy,
    TensorLayout, VerifyingKey, Visibility,
};

/// What is expected; what is not said is taken from the proof.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub(crate) struct Expected {
    key_digest: Option<String>,
    model_digest: Option<String>,
    pub(crate) input: Option<Vec<Tensor>>,
    input_commitment: Option<String>,
    pub(crate) output: Option<Vec<Tensor>>,
    output_commitment: Option<String>,
    /// Numbers of 64 bits are decimal digits: JavaScript's numbers have 53.
    chain: Option<String>,
    job: Option<String>,
    payee: Option<String>,
    expiry: Option<String>,
    nonce: Option<String>,
    valid_at: Option<String>,
    allow_insecure_srs: bool,
    allow_srs: Option<String>,
}

/// The elements of a tensor, flat in C order; without a name, the next tensor of the key.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tensor {
    name: Option<String>,
    values: Vec<f64>,
}

impl Expected {
    /// Reads the JSON of an expectation; nothing at all expects nothing.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, String> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_slice(bytes).map_err(|error| format!("not an expectation: {error}"))
    }

    /// The setups that the caller trusts.
    pub(crate) fn policy(&self) -> Result<SrsPolicy, String> {
        Ok(match (&self.allow_srs, self.allow_insecure_srs) {
            (Some(_), true) => {
                return Err("allowInsecureSrs and allowSrs exclude each other".into());
            }
            (Some(digest), false) => {
                SrsPolicy::AllowSrs(SrsDigest(Digest(hex("allowSrs", digest)?)))
            }
            (None, true) => SrsPolicy::AllowInsecureDev,
            (None, false) => SrsPolicy::CeremonyOnly,
        })
    }

    /// The expectation under a key.
    pub(crate) fn of_key<'a>(
        &self,
        key: &'a VerifyingKey,
        openings: Option<&Openings>,
    ) -> Result<Expectation<'a>, String> {
        let layout = &key.parts().layout;
        let blinding = |opening: Option<&zkinfer_verifier::Opening>| opening.map(|o| o.blinding);
        let input = Side {
            name: "input",
            visibility: layout.input_visibility,
            tensors: &layout.inputs,
            blinding: blinding(openings.and_then(|openings| openings.input.as_ref())),
            is_output: false,
        };
        let output = Side {
            name: "output",
            visibility: layout.output_visibility,
            tensors: &layout.outputs,
            blinding: blinding(openings.and_then(|openings| openings.output.as_ref())),
            is_output: true,
        };
        let digest = |name, text: &Option<String>| -> Result<Option<Digest>, String> {
            Ok(text.as_ref().map(|text| hex(name, text)).transpose()?.map(Digest))
        };
        let bytes = |name, text: &Option<String>| text.as_ref().map(|text| hex(name, text));
        Ok(Expectation {
            key_digest: digest("keyDigest", &self.key_digest)?.map(KeyDigest),
            model: digest("modelDigest", &self.model_digest)?,
            input: input.claimed(self.input.as_deref(), self.input_commitment.as_deref())?,
            output: output.claimed(self.output.as_deref(), self.output_commitment.as_deref())?,
            chain_id: number("chain", self.chain.as_deref())?,
            job_id: bytes("job", &self.job).transpose()?,
            payee: self.payee.as_ref().map(|text| hex("payee", text)).transpose()?,
            expiry: number("expiry", self.expiry.as_deref())?,
            nonce: number("nonce", self.nonce.as_deref())?,
            valid_at: number("validAt", self.valid_at.as_deref())?,
            ..Expectation::new(key)
        })
    }
}

/// One side of the claims of a key.
struct Side<'a> {
    name: &'static str,
    visibility: Visibility,
    tensors: &'a [TensorLayout],
    blinding: Option<zkinfer_verifier::Blinding>,
    is_output: bool,
}

impl Side<'_> {
    /// What the claim must hold.
    fn claimed(
        &self,
        values: Option<&[Tensor]>,
        commitment: Option<&str>,
    ) -> Result<Option<ClaimedValues>, String> {
        let name = self.name;
        match (self.visibility, values, commitment) {
            (_, None, None) => Ok(None),
            (_, Some(_), Some(_)) => {
                Err(format!("give the expected {name} or its commitment, not both"))
            }
            (Visibility::Public, Some(values), None) => {
                Ok(Some(ClaimedValues::Public(self.integers(values)?)))
            }
            (Visibility::Public, None, Some(_)) => Err(format!(
                "claims under this key show their {name}: give the {name} itself, no commitment"
            )),
            (Visibility::Committed, None, Some(text)) => {
                let commitment = Commitment::from_bytes(&hex("commitment", text)?);
                let commitment = commitment
                    .ok_or_else(|| format!("the expected {name} commitment is no field element"))?;
                Ok(Some(ClaimedValues::Committed(commitment)))
            }
            (Visibility::Committed, Some(values), None) => {
                let blinding = self.blinding.as_ref().ok_or_else(|| {
                    format!(
                        "claims under this key hide their {name}: to compare it, give the opening"
                    )
                })?;
                let commitment = Commitment::new(self.tensors, &self.integers(values)?, blinding)
                    .map_err(|error| {
                    format!("the expected {name} has no commitment: {error}")
                })?;
                Ok(Some(ClaimedValues::Committed(commitment)))
            }
        }
    }

    /// The integers of all tensors in one list.
    fn integers(&self, given: &[Tensor]) -> Result<Vec<i64>, String> {
        let (name, expected, got) = (self.name, self.tensors.len(), given.len());
        if expected != got {
            return Err(format!("the expected {name} has {got} tensors, the key has {expected}"));
        }
        let mut integers = Vec::new();
        for (index, layout) in self.tensors.iter().enumerate() {
            let named = given.iter().find(|tensor| tensor.name.as_deref() == Some(&layout.name));
            let unnamed = given.get(index).filter(|tensor| tensor.name.is_none());
            let tensor = named
                .or(unnamed)
                .ok_or_else(|| format!("the expected {name} {:?} is missing", layout.name))?;
            let reals: Vec<f64> = tensor.values.iter().map(|&value| single(value)).collect();
            let quantized = layout
                .quantize(&reals)
                .map_err(|error| format!("the expected {name} {:?}: {error}", layout.name))?;
            if self.is_output && quantized.clamped > 0 {
                return Err(format!(
                    "the expected {name} {:?} holds values that the model cannot give",
                    layout.name
                ));
            }
            integers.extend(quantized.values);
        }
        Ok(integers)
    }
}

/// In the precision that inputs and outputs of models have, as the command reads them.
#[expect(clippy::cast_possible_truncation, reason = "the nearest is what the model takes")]
fn single(value: f64) -> f64 {
    f64::from(value as f32)
}

fn number(name: &str, text: Option<&str>) -> Result<Option<u64>, String> {
    let number = |text: &str| text.parse().map_err(|_| format!("{name}: expected 0 to 2^64 - 1"));
    text.map(number).transpose()
}

/// Bytes in hexadecimal digits, with or without `0x`.
fn hex<const N: usize>(name: &str, text: &str) -> Result<[u8; N], String> {
    let digits = text.strip_prefix("0x").unwrap_or(text).as_bytes();
    let refused = || format!("{name}: expected {} hexadecimal digits", 2 * N);
    let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|n| u8::try_from(n).ok());
    let (pairs, []) = digits.as_chunks::<2>() else { return Err(refused()) };
    let bytes = pairs.iter().map(|[high, low]| Some(nibble(*high)? << 4 | nibble(*low)?));
    let bytes: Option<Vec<u8>> = bytes.collect();
    bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(refused)
}
