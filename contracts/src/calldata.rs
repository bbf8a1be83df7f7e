//! A claim and its proof as calldata.

use zkinfer_verifier::{
    ClaimedValues, InferenceClaim, Leaf, Proof, ProofFile, TensorLayout, VerifyingKey,
    checks::Step, decode_point,
};

use crate::{
    abi::{Member, list, point_words, scalar_word, selector, tuple, word},
    error::ContractError,
    key_data::{KeyData, KeyId},
    pieces::{Segment, segments},
};

/// What a contract is told of one proof of one claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The key on chain.
    pub key: KeyId,
    /// Keccak-256 of the job binding.
    pub binding: [u8; 32],
    /// The inputs: each element's distance from its tensor's lowest value; or the commitment.
    pub input: Vec<u8>,
    /// The outputs likewise.
    pub output: Vec<u8>,
    /// The proof with both coordinates of points, all big-endian.
    pub proof: Vec<u8>,
}

impl Call {
    /// The call for a claim and its proof under a key. Whether the proof holds is not checked.
    ///
    /// # Errors
    /// [`ContractError::Place`] for a key of several claims, [`ContractError::Claim`],
    /// [`ContractError::ProofLength`] or [`ContractError::Point`].
    pub fn new(
        key: &VerifyingKey,
        data: &KeyData,
        claim: &InferenceClaim,
        proof: &Proof,
    ) -> Result<Self, ContractError> {
        let layout = &key.parts().layout;
        if layout.claims != 1 {
            return Err(ContractError::Place { claims: layout.claims });
        }
        let [inputs, outputs] = segments(layout);
        Ok(Self {
            key: data.id(),
            binding: claim.binding.digest(),
            input: pack(&claim.input, &layout.inputs, &inputs)?,
            output: pack(&claim.output, &layout.outputs, &outputs)?,
            proof: expand(key, proof.as_bytes())?,
        })
    }

    /// Calldata of `verify`.
    #[must_use]
    pub fn verify_calldata(&self) -> Vec<u8> {
        self.calldata("verify")
    }

    fn calldata(&self, function: &str) -> Vec<u8> {
        let mut calldata = selector(&format!("{function}({CLAIM})")).to_vec();
        calldata.extend(word(32));
        calldata.extend(self.encode());
        calldata
    }

    /// The claim as a tuple of the contract's interface.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let Self { key, binding, input, output, proof } = self;
        tuple(&[
            Member::Word(key.0.0),
            Member::Word(*binding),
            Member::Bytes(input),
            Member::Bytes(output),
            Member::Bytes(proof),
        ])
    }
}

/// What contracts are told of one claim of a proof of several: the proof once, and each claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeafCall {
    /// The key on chain.
    pub key: KeyId,
    /// The root of all claims, big-endian.
    pub root: [u8; 32],
    /// The proof with both coordinates of points, all big-endian.
    pub proof: Vec<u8>,
    /// How many claims the proof is about.
    pub claims: u32,
    /// Which of them this is.
    pub index: u32,
    /// Keccak-256 of the job binding.
    pub binding: [u8; 32],
    /// The commitment to the inputs.
    pub input: [u8; 32],
    /// The commitment to the outputs.
    pub output: [u8; 32],
    /// The siblings on the way to the root, 32 bytes each, the lowest first.
    pub path: Vec<u8>,
}

impl LeafCall {
    /// The calls for one claim of a proof of several. Whether the proof holds is not checked.
    ///
    /// # Errors
    /// [`ContractError::Place`] for a key of one claim, or a claim without a place among several,
    /// [`ContractError::Claim`], [`ContractError::ProofLength`] or [`ContractError::Point`].
    pub fn new(
        key: &VerifyingKey,
        data: &KeyData,
        file: &ProofFile,
    ) -> Result<Self, ContractError> {
        let claims = key.parts().layout.claims;
        let refused = ContractError::Place { claims };
        let leaf = file.leaf.as_ref().filter(|_| claims != 1).ok_or(refused)?;
        let InferenceClaim { input, output, binding, .. } = &file.claim;
        let committed = |values: &ClaimedValues| match values {
            ClaimedValues::Committed(commitment) => Ok(commitment.to_bytes()),
            ClaimedValues::Public(_) => Err(ContractError::Claim),
        };
        let Leaf { index, path } = leaf;
        let root = leaf.root(&file.claim, claims).ok_or(refused)?;
        Ok(Self {
            key: data.id(),
            root: scalar_word(&root),
            proof: expand(key, file.proof.as_bytes())?,
            claims,
            index: *index,
            binding: binding.digest(),
            input: committed(input)?,
            output: committed(output)?,
            path: path.iter().flat_map(scalar_word).collect(),
        })
    }

    /// Calldata of the verifier's `verifyJoint`, the same for all claims of a proof.
    #[must_use]
    pub fn verify_calldata(&self) -> Vec<u8> {
        let Self { key, root, proof, .. } = self.clone();
        let (binding, output) = ([0; 32], Vec::new());
        Call { key, binding, input: root.to_vec(), output, proof }.calldata("verifyJoint")
    }

    /// Calldata of the escrow's `proveJoint`, the same for all claims of a proof.
    #[must_use]
    pub fn prove_calldata(&self) -> Vec<u8> {
        let Self { key, root, proof, .. } = self;
        let mut calldata = selector("proveJoint(bytes32,bytes32,bytes)").to_vec();
        calldata.extend(tuple(&[Member::Word(key.0.0), Member::Word(*root), Member::Bytes(proof)]));
        calldata
    }

    /// Calldata of `root` of what opens commitments, which gives [`root`](Self::root).
    #[must_use]
    pub fn root_calldata(&self) -> Vec<u8> {
        let Self { claims, index, binding, input, output, path, .. } = self;
        let mut calldata = selector(&format!("root({LEAF},bytes)")).to_vec();
        let numbers = [*claims, *index].map(|number| word(number as usize));
        let words = numbers.iter().chain([binding, input, output]).map(|&of| Member::Word(of));
        let members: Vec<_> = words.chain([Member::Bytes(path)]).collect();
        calldata.extend(tuple(&members));
        calldata
    }
}

const LEAF: &str = "(uint256,uint256,bytes32,bytes32,bytes32)";
const CLAIM: &str = "(bytes32,bytes32,bytes,bytes,bytes)";

/// Calldata of `verifyBatch`. Claims of one key one after the other cost less.
#[must_use]
pub fn batch_calldata(calls: &[Call]) -> Vec<u8> {
    let mut calldata = selector(&format!("verifyBatch({CLAIM}[])")).to_vec();
    calldata.extend(word(32));
    calldata.extend(list(&calls.iter().map(Call::encode).collect::<Vec<_>>()));
    calldata
}

fn pack(
    values: &ClaimedValues,
    tensors: &[TensorLayout],
    segments: &[Segment],
) -> Result<Vec<u8>, ContractError> {
    let values = match values {
        ClaimedValues::Committed(commitment) => {
            let shown = segments.iter().any(|segment| segment.width != 32);
            return if shown {
                Err(ContractError::Claim)
            } else {
                Ok(commitment.to_bytes().into())
            };
        }
        ClaimedValues::Public(values) => values,
    };
    let owners = tensors
        .iter()
        .zip(segments)
        .flat_map(|pair| std::iter::repeat_n(pair, pair.0.element_count()));
    let mut packed = Vec::with_capacity(Segment::byte_len(segments));
    let mut placed = 0;
    for (&value, (tensor, segment)) in values.iter().zip(owners) {
        if segment.width > 8 || value < tensor.lo || value > tensor.hi {
            return Err(ContractError::Claim);
        }
        let digit = value.wrapping_sub(tensor.lo).cast_unsigned().to_be_bytes();
        packed.extend(&digit[8 - segment.width..]);
        placed += 1;
    }
    let all = placed == values.len() && packed.len() == Segment::byte_len(segments);
    if all { Ok(packed) } else { Err(ContractError::Claim) }
}

/// The proof with both coordinates of every point, big-endian.
fn expand(key: &VerifyingKey, proof: &[u8]) -> Result<Vec<u8>, ContractError> {
    let (expected, got) = (key.proof_len(), proof.len());
    if expected != got {
        return Err(ContractError::ProofLength { expected, got });
    }
    let (elements, _) = proof.as_chunks::<32>();
    let mut elements = elements.iter().enumerate();
    let mut expanded = Vec::with_capacity(2 * proof.len());
    for step in &key.checks().steps {
        match *step {
            Step::Point(_) => {
                let (element, bytes) = elements.next().ok_or(ContractError::Key)?;
                let point = decode_point(bytes).ok_or(ContractError::Point { element })?;
                expanded.extend(point_words(&point));
            }
            Step::Evaluations(count) => {
                for (_, bytes) in elements.by_ref().take(count) {
                    expanded.extend(bytes.iter().rev());
                }
            }
            Step::KeyDigest
            | Step::TranscriptRepr
            | Step::InstanceColumn(_)
            | Step::Challenge(_) => {}
        }
    }
    Ok(expanded)
}
