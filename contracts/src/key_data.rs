//! A key as the contract stores it: two programs, and the data of the layout.

use zkinfer_verifier::{Digest, VerifyingKey, keccak256};

use crate::{
    abi::{Member, selector, tuple},
    compile::compile,
    error::ContractError,
    layout::Layout,
};

/// The most bytes that a contract has.
const MAX_BYTES: usize = 24_576;

/// The identifier of a key on chain: a digest of its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub Digest);

/// What is registered of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyData {
    bytes: Vec<u8>,
}

impl KeyData {
    /// The data of a key.
    ///
    /// # Errors
    /// [`ContractError`], for a key that the contract does not cover.
    pub fn new(key: &VerifyingKey) -> Result<Self, ContractError> {
        if !key.parts().boundaries.is_empty() {
            return Err(ContractError::Statement);
        }
        let bytes = Layout::new(key, &compile(key)?)?.write(key)?;
        let got = bytes.len();
        if got > MAX_BYTES {
            return Err(ContractError::Size { limit: MAX_BYTES, got });
        }
        Ok(Self { bytes })
    }

    /// The data.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The identifier: Keccak-256 of the code that stores the data.
    #[must_use]
    pub fn id(&self) -> KeyId {
        let length = (self.bytes.len() as u64).to_be_bytes();
        let code = [&[0x62][..], &length[5..], b"\x80\x60\x0b\x5f\x39\x5f\xf3", &self.bytes];
        KeyId(Digest(keccak256(&code)))
    }

    /// Calldata of `register`.
    #[must_use]
    pub fn register_calldata(&self) -> Vec<u8> {
        let mut calldata = selector("register(bytes)").to_vec();
        calldata.extend(tuple(&[Member::Bytes(&self.bytes)]));
        calldata
    }
}
