//! Requests that are signed as Bittensor's are: `btauth/1`, by a hotkey.
//!
//! | header | content |
//! |---|---|
//! | `x-bittensor-version` | `1` |
//! | `x-bittensor-hotkey` | the sender's key, in SS58 |
//! | `x-bittensor-receiver` | the coordinator's key, in SS58; a request for nobody is refused |
//! | `x-bittensor-nonce` | Unix nanoseconds |
//! | `x-bittensor-crypto` | `sr25519`, which it is where the header is missing, or `ed25519` |
//! | `x-bittensor-signature` | `0x` and 128 hexadecimal digits |
//!
//! What is signed are eight lines, with a line feed between them: `btauth/1`, the scheme, the method,
//! path and query, the SHA-256 of the body in hexadecimal digits, the nonce, sender and receiver.
//!
//! SS58 is Base58 of a prefix (one byte, or two from 64 on), the 32 bytes of a key, and the first two
//! bytes of Blake2b-512 of `SS58PRE`, prefix and key.

use sha2::{Digest, Sha256};

use crate::{
    account::{PublicKey, Scheme, Signature},
    encoding::Hex,
    signed::SignatureRefusal,
};

const VERSION: &str = "x-bittensor-version";
const HOTKEY: &str = "x-bittensor-hotkey";
const RECEIVER: &str = "x-bittensor-receiver";
const NONCE: &str = "x-bittensor-nonce";
const CRYPTO: &str = "x-bittensor-crypto";
const SIGNATURE: &str = "x-bittensor-signature";

/// The prefix of keys of Substrate in general, which Bittensor uses.
const PREFIX: u8 = 42;

/// A key in SS58, with Bittensor's prefix.
#[must_use]
pub fn ss58(key: &PublicKey) -> String {
    let mut bytes = vec![PREFIX];
    bytes.extend(key.0);
    bytes.extend(check_of(&bytes));
    bs58::encode(bytes).into_string()
}

/// The first bytes of the check of prefix and key.
fn check_of(bytes: &[u8]) -> [u8; 2] {
    let hashed = blake2b_simd::State::new().update(b"SS58PRE").update(bytes).finalize();
    let [first, second, ..] = *hashed.as_array();
    [first, second]
}

/// The key that a text in SS58 is of, whatever its prefix; `None` for another text.
#[must_use]
pub fn read_ss58(text: &str) -> Option<PublicKey> {
    // Longer than any, so that no work is done for it.
    if text.len() > 64 {
        return None;
    }
    let bytes = bs58::decode(text).into_vec().ok()?;
    let (body, check) = bytes.split_at_checked(bytes.len().checked_sub(2)?)?;
    let length = match *body.first()? {
        0..64 => 1,
        64..128 => 2,
        _ => return None,
    };
    let (_, key) = body.split_at_checked(length)?;
    let key = <[u8; 32]>::try_from(key).ok()?;
    (check == check_of(body)).then_some(Hex(key))
}

/// A request that is signed so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BittensorSignature {
    sender: String,
    /// The sender's key.
    pub key: PublicKey,
    receiver: String,
    /// Unix nanoseconds.
    pub nonce: u64,
    scheme: Scheme,
    signature: Signature,
}

impl BittensorSignature {
    /// Reads the headers.
    ///
    /// # Errors
    /// [`SignatureRefusal::Header`].
    pub fn read<'a>(
        value: impl Fn(&'static str) -> Option<&'a str>,
    ) -> Result<Self, SignatureRefusal> {
        let refused = |header| SignatureRefusal::Header { header };
        if value(VERSION) != Some("1") {
            return Err(refused(VERSION));
        }
        let sender = value(HOTKEY).ok_or(refused(HOTKEY))?.to_owned();
        let key = read_ss58(&sender).ok_or(refused(HOTKEY))?;
        let receiver = value(RECEIVER).ok_or(refused(RECEIVER))?.to_owned();
        let nonce = value(NONCE).ok_or(refused(NONCE))?;
        let number = nonce.parse::<u64>().ok().filter(|number| number.to_string() == nonce);
        let scheme = match value(CRYPTO) {
            None | Some("sr25519") => Scheme::Sr25519,
            Some("ed25519") => Scheme::Ed25519,
            Some(_) => return Err(refused(CRYPTO)),
        };
        let digits = value(SIGNATURE).ok_or(refused(SIGNATURE))?;
        let digits = digits.strip_prefix("0x").unwrap_or(digits);
        Ok(Self {
            sender,
            key,
            receiver,
            nonce: number.ok_or(refused(NONCE))?,
            scheme,
            signature: digits.parse().map_err(|_| refused(SIGNATURE))?,
        })
    }

    /// Whether the sender has signed this request, for this receiver.
    ///
    /// # Errors
    /// [`SignatureRefusal::Receiver`], [`SignatureRefusal::Signature`].
    pub fn check(
        &self,
        receiver: &PublicKey,
        (method, target): (&str, &str),
        body: &[u8],
    ) -> Result<(), SignatureRefusal> {
        if self.receiver != ss58(receiver) {
            return Err(SignatureRefusal::Receiver);
        }
        let body = Hex::<32>(Sha256::digest(body).into()).to_string();
        let (scheme, nonce) = (self.scheme.name(), self.nonce.to_string());
        let method = method.to_uppercase();
        let lines =
            ["btauth/1", scheme, &method, target, &body, &nonce, &self.sender, &self.receiver];
        let message = lines.join("\n");
        let signed = self.key.has_signed_by(self.scheme, message.as_bytes(), &self.signature);
        if signed { Ok(()) } else { Err(SignatureRefusal::Signature) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";

    #[test]
    fn ss58_has_one_spelling_of_a_key() {
        let key = read_ss58(ALICE).unwrap();
        let known = "d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d";
        assert_eq!((key.to_string().as_str(), ss58(&key).as_str()), (known, ALICE));
        let long = "5".repeat(65);
        for wrong in ["", "5", "0OIl", &ALICE[1..], &ALICE.replace('G', "H"), &long] {
            assert_eq!(read_ss58(wrong), None, "{wrong}");
        }
    }
}
