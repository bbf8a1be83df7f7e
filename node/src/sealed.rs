//! Inputs that only a node can read, and how a node shows that what was sealed to it is no input.
//!
//! A box is sealed to the Ed25519 key by which a node is known: a buyer who knows that key from
//! elsewhere believes nobody about whom he seals to. Nobody but the node opens it, and the node can
//! show what is in it without giving its secret away.
//!
//! | what | bytes |
//! |---|---|
//! | point | E = e·B, of a secret e that is drawn for the box; compressed |
//! | shared | S = e·A = a·E, where A = a·B is the node's key; compressed |
//! | key | SHA-256 of the tag `zkinfer.box.v1` (two zero bytes behind it), E, A and S |
//! | content | ChaCha20-Poly1305 under that key, which is used once, with nonce 0; the context is authenticated |
//! | context | SHA-256 of the tag, `01`, the market's number, buyer, model and digest of the input of the order |
//! | plain | `00`, or `01` and the 32 bytes of a blinding; the number of values in 64 bits; the values in 64 bits each, big-endian |
//! | digest of boxes | Keccak-256 of the tag, `02`, and for each box: key of the node, E, length of the content in 64 bits, content |
//!
//! The order holds the digest of the boxes, so a box that is shown is the buyer's own. The evidence of
//! what is in it is S, and a proof that A and S are the same multiple of B and E (Chaum and Pedersen):
//! a challenge c = SHA-512 of the tag `zkinfer.dle.v1`, A, E, S, k·B, k·E and the job, as a scalar, and a
//! response z = k + c·a.

use chacha20poly1305::{
    ChaCha20Poly1305, Key, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use curve25519_dalek::{
    EdwardsPoint, Scalar, constants::ED25519_BASEPOINT_POINT, edwards::CompressedEdwardsY,
    traits::Identity as _,
};
use sha2::{Digest, Sha256, Sha512};
use thiserror::Error;
use zkinfer::verifier::{
    Blinding, ClaimedValues, Opening, TensorLayout, VerifyingKey, Visibility, keccak256,
};
use zkinfer_settlement::{JobId, ValuesDigest};

use crate::{
    account::{Identity, PublicKey, random_bytes},
    encoding::{Hex, HexBytes},
    order::{Order, ValuesError, check_values},
    schema::wire,
};

const BOX_DOMAIN: &[u8; 16] = b"zkinfer.box.v1\0\0";
const EVIDENCE_DOMAIN: &[u8; 16] = b"zkinfer.dle.v1\0\0";

/// What the cipher adds to the plain bytes.
const TAG_BYTES: usize = 16;

/// Most nodes that one order is sealed to.
pub const MAX_BOXES: usize = 16;

wire! {
    /// An input that only one node can read.
    pub struct SealedInput {
        /// The node's key.
        pub node: PublicKey,
        /// The point of the box.
        pub point: Hex<32>,
        /// What is sealed.
        pub content: HexBytes,
    }

    /// What a node shows of a box that holds no input of its order.
    pub struct BoxEvidence {
        /// The job.
        pub job: Hex<32>,
        /// The node's key.
        pub node: PublicKey,
        /// The shared point.
        pub shared: Hex<32>,
        /// The challenge of the proof that it is that.
        pub challenge: Hex<32>,
        /// The response.
        pub response: Hex<32>,
    }
}

/// The input of an order as its node has it: values, and what hides them in the proof.
#[derive(Clone, Debug, PartialEq)]
pub struct Unsealed {
    /// The integers of all tensors, one after the other.
    pub values: Vec<i64>,
    /// What blinds the commitment, where claims under the key hide their input.
    pub blinding: Option<Blinding>,
}

/// Why a box holds no input of its order: the buyer's fault.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BoxFault {
    /// It was not sealed to this key for this order.
    #[error("it does not open with what its order says")]
    Closed,
    /// Something else than values.
    #[error("it holds no values")]
    Content,
    /// A blinding where the key shows inputs, or none where it hides them.
    #[error("it holds a blinding where the key shows inputs, or none where it hides them")]
    Blinding,
    /// Values that are no input of the model.
    #[error("it holds {0}")]
    Values(ValuesError),
    /// Another input than the order says.
    #[error("it holds an input of the digest {got}, the order says {expected}")]
    Digest {
        /// Of the order.
        expected: ValuesDigest,
        /// Of what is in it.
        got: ValuesDigest,
    },
}

/// Why nothing can be sealed, or evidence shows nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SealError {
    /// A key or a point that is none of the group.
    #[error("{what}: it is no point of the prime-order group")]
    Point {
        /// Which.
        what: &'static str,
    },
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    Random,
    /// A proof that the shared point is another one.
    #[error("challenge, response: they do not show that this is the shared point of node and box")]
    Proof,
    /// What was shown is an input of the order.
    #[error("the box holds what its order says")]
    NoFault,
    /// A box that the order does not have.
    #[error("the order has no box for this node")]
    NoBox,
}

fn point(bytes: &Hex<32>, what: &'static str) -> Result<EdwardsPoint, SealError> {
    let found = CompressedEdwardsY(bytes.0).decompress();
    let found = found.filter(|point| point.is_torsion_free() && *point != EdwardsPoint::identity());
    // One spelling each.
    let found = found.filter(|point| point.compress().0 == bytes.0);
    found.ok_or(SealError::Point { what })
}

fn box_key(point: &Hex<32>, node: &PublicKey, shared: &EdwardsPoint) -> Key {
    let shared = shared.compress().0;
    let hashed = Sha256::new().chain_update(BOX_DOMAIN).chain_update(point.0);
    hashed.chain_update(node.0).chain_update(shared).finalize()
}

fn context(order: &Order) -> [u8; 32] {
    let hashed = Sha256::new().chain_update(BOX_DOMAIN).chain_update([1]);
    let hashed = hashed.chain_update(order.chain_id.0.to_be_bytes()).chain_update(order.buyer.0);
    hashed.chain_update(order.model.0).chain_update(order.input.0).finalize().into()
}

/// A scalar of random bytes.
fn random_scalar() -> Result<Scalar, SealError> {
    let bytes = random_bytes::<64>().ok_or(SealError::Random)?;
    Ok(Scalar::from_bytes_mod_order_wide(&bytes))
}

impl Unsealed {
    /// The values alone, or with what hides them.
    #[must_use]
    pub fn of_opening(opening: &Opening) -> Self {
        Self { values: opening.values.clone(), blinding: Some(opening.blinding) }
    }

    /// The digest of the claim's input: of the values, or of the commitment to them under a key.
    #[must_use]
    pub fn digest(&self, key: &VerifyingKey) -> Option<ValuesDigest> {
        let values = self.values.clone();
        let claimed = match self.blinding {
            None => ClaimedValues::Public(values),
            Some(blinding) => {
                let opening = Opening { values, blinding };
                ClaimedValues::Committed(opening.commitment(&key.parts().layout.inputs).ok()?)
            }
        };
        Some(ValuesDigest::of(&claimed))
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![u8::from(self.blinding.is_some())];
        bytes.extend(self.blinding.iter().flat_map(|blinding| blinding.to_bytes()));
        let count = u64::try_from(self.values.len()).unwrap_or(u64::MAX);
        bytes.extend(count.to_be_bytes());
        bytes.extend(self.values.iter().flat_map(|value| value.to_be_bytes()));
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (flag, rest) = bytes.split_first()?;
        let (blinding, rest) = match flag {
            0 => (None, rest),
            1 => {
                let (blinding, rest) = rest.split_first_chunk::<32>()?;
                (Some(Blinding::from_bytes(blinding)?), rest)
            }
            _ => return None,
        };
        let (count, rest) = rest.split_first_chunk::<8>()?;
        let (values, left) = rest.as_chunks::<8>();
        let same = usize::try_from(u64::from_be_bytes(*count)) == Ok(values.len());
        let values = values.iter().map(|value| i64::from_be_bytes(*value)).collect();
        (same && left.is_empty()).then_some(Self { values, blinding })
    }

    /// Whether it is the input of the order, under the key.
    ///
    /// # Errors
    /// Why it is not.
    pub fn check(&self, order: &Order, key: &VerifyingKey) -> Result<(), BoxFault> {
        let layout = &key.parts().layout;
        let hidden = layout.input_visibility == Visibility::Committed;
        if hidden != self.blinding.is_some() {
            return Err(BoxFault::Blinding);
        }
        check_values(&layout.inputs, &self.values).map_err(BoxFault::Values)?;
        let got = self.digest(key).ok_or(BoxFault::Content)?;
        let expected = order.input();
        if got == expected { Ok(()) } else { Err(BoxFault::Digest { expected, got }) }
    }
}

impl SealedInput {
    /// Seals an input to a node, for an order of which all but the boxes is said.
    ///
    /// # Errors
    /// [`SealError::Point`] for a key that is none, [`SealError::Random`].
    pub fn new(node: PublicKey, order: &Order, input: &Unsealed) -> Result<Self, SealError> {
        let account = point(&node, "node")?;
        let secret = random_scalar()?;
        let ephemeral = Hex((secret * ED25519_BASEPOINT_POINT).compress().0);
        let key = box_key(&ephemeral, &node, &(secret * account));
        let (context, plain) = (context(order), input.encode());
        let payload = Payload { msg: &plain, aad: &context };
        let sealed = ChaCha20Poly1305::new(&key).encrypt(&Nonce::default(), payload);
        let content = HexBytes(sealed.map_err(|_| SealError::Random)?);
        Ok(Self { node, point: ephemeral, content })
    }

    /// Whether its points are those of a box; what is in it, its node alone knows.
    ///
    /// # Errors
    /// [`SealError::Point`].
    pub fn check(&self) -> Result<(), SealError> {
        point(&self.node, "sealed.node")?;
        point(&self.point, "sealed.point").map(|_| ())
    }

    /// Opens a box with its shared point.
    fn open_with(
        &self,
        shared: &EdwardsPoint,
        order: &Order,
        key: &VerifyingKey,
    ) -> Result<Unsealed, BoxFault> {
        let context = context(order);
        let payload = Payload { msg: &self.content.0, aad: &context };
        let cipher = ChaCha20Poly1305::new(&box_key(&self.point, &self.node, shared));
        let plain = cipher.decrypt(&Nonce::default(), payload).map_err(|_| BoxFault::Closed)?;
        let input = Unsealed::decode(&plain).ok_or(BoxFault::Content)?;
        input.check(order, key)?;
        Ok(input)
    }

    /// Opens a box that was sealed to this node.
    ///
    /// # Errors
    /// The buyer's fault, as a [`BoxFault`].
    pub fn open(
        &self,
        node: &Identity,
        order: &Order,
        key: &VerifyingKey,
    ) -> Result<Unsealed, BoxFault> {
        let ephemeral = point(&self.point, "sealed.point").map_err(|_| BoxFault::Closed)?;
        self.open_with(&(node.scalar() * ephemeral), order, key)
    }

    /// What the node shows of a box that holds no input.
    ///
    /// # Errors
    /// [`SealError::Point`], [`SealError::Random`].
    pub fn evidence(&self, node: &Identity, job: JobId) -> Result<BoxEvidence, SealError> {
        let ephemeral = point(&self.point, "sealed.point")?;
        let (secret, nonce) = (node.scalar(), random_scalar()?);
        let shared = secret * ephemeral;
        let commitments = [nonce * ED25519_BASEPOINT_POINT, nonce * ephemeral];
        let (node, shared) = (node.public_key(), Hex(shared.compress().0));
        let challenge = challenge(&node, &self.point, &shared, &commitments, job);
        let response = Hex((nonce + challenge * secret).to_bytes());
        let challenge = Hex(challenge.to_bytes());
        Ok(BoxEvidence { job: Hex(job.0), node, shared, challenge, response })
    }
}

fn challenge(
    node: &PublicKey,
    ephemeral: &Hex<32>,
    shared: &Hex<32>,
    commitments: &[EdwardsPoint; 2],
    job: JobId,
) -> Scalar {
    let mut hashed = Sha512::new().chain_update(EVIDENCE_DOMAIN);
    for bytes in [node, ephemeral, shared] {
        hashed.update(bytes.0);
    }
    for commitment in commitments {
        hashed.update(commitment.compress().0);
    }
    Scalar::from_bytes_mod_order_wide(&hashed.chain_update(job.0).finalize().into())
}

impl BoxEvidence {
    /// What is wrong with a box of an order, as its node has shown: anybody can check it offline. The
    /// boxes must be those that the order has the digest of.
    ///
    /// # Errors
    /// [`SealError`], of evidence that shows nothing, or of a box that holds what it should.
    pub fn check(
        &self,
        order: &Order,
        boxes: &[SealedInput],
        key: &VerifyingKey,
    ) -> Result<BoxFault, SealError> {
        let Self { job, node, shared, challenge: said, response } = self;
        let same = order.job().0 == job.0 && order.sealed == Some(digest_of(boxes));
        let own = boxes.iter().find(|one| one.node == *node).filter(|_| same);
        let own = own.ok_or(SealError::NoBox)?;
        let (account, ephemeral) = (point(node, "node")?, point(&own.point, "sealed.point")?);
        let of_box = point(shared, "shared")?;
        let scalar = |bytes: &Hex<32>| {
            Option::<Scalar>::from(Scalar::from_canonical_bytes(bytes.0)).ok_or(SealError::Proof)
        };
        let (c, z) = (scalar(said)?, scalar(response)?);
        let commitments = [z * ED25519_BASEPOINT_POINT - c * account, z * ephemeral - c * of_box];
        if challenge(node, &own.point, shared, &commitments, JobId(job.0)) != c {
            return Err(SealError::Proof);
        }
        own.open_with(&of_box, order, key).err().ok_or(SealError::NoFault)
    }
}

/// Bytes of the content of a box for an input of a key.
pub(crate) fn sealed_size(key: &VerifyingKey) -> usize {
    let layout = &key.parts().layout;
    let values = layout.inputs.iter().map(TensorLayout::element_count);
    let values = values.fold(0usize, usize::saturating_add).saturating_mul(8);
    let blinding = if layout.input_visibility == Visibility::Committed { 32 } else { 0 };
    values.saturating_add(blinding).saturating_add(1 + 8 + TAG_BYTES)
}

/// The digest of the boxes of an order.
#[must_use]
pub fn digest_of(boxes: &[SealedInput]) -> Hex<32> {
    let mut bytes = BOX_DOMAIN.to_vec();
    bytes.push(2);
    for SealedInput { node, point, content } in boxes {
        bytes.extend(node.0);
        bytes.extend(point.0);
        let length = u64::try_from(content.0.len()).unwrap_or(u64::MAX);
        bytes.extend(length.to_be_bytes());
        bytes.extend(&content.0);
    }
    Hex(keccak256(&[&bytes]))
}
