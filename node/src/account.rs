//! Who somebody is: an Ed25519 key, kept as its 32-byte seed, or an sr25519 key of somebody else.
//!
//! An sr25519 signature has the highest bit of its last byte set, as schnorrkel marks it, which a strict
//! Ed25519 signature never has; so a signature says itself of which scheme it is.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use thiserror::Error;
use zkinfer::verifier::keccak256;
use zkinfer_settlement::Address;

use crate::encoding::Hex;

/// What sr25519 signatures of Substrate are made for.
#[cfg(feature = "btauth")]
const CONTEXT: &[u8] = b"substrate";

/// Separates addresses from every other use of Keccak-256.
const ADDRESS_DOMAIN: &[u8; 16] = b"zkinfer.acc.v1\0\0";

/// How a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Strict Ed25519.
    Ed25519,
    /// Schnorr signatures over Ristretto, with the context `substrate`.
    Sr25519,
}

impl Scheme {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::Sr25519 => "sr25519",
        }
    }

    /// That of a signature.
    fn of(signature: &Signature) -> Self {
        let [.., last] = signature.0;
        if last & 0x80 == 0 { Self::Ed25519 } else { Self::Sr25519 }
    }
}

/// An Ed25519 public key, or an sr25519 one.
pub type PublicKey = Hex<32>;

/// A signature of either scheme.
pub type Signature = Hex<64>;

/// Why there is no key to sign with.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The file cannot be read or written.
    #[error("the key file {path} cannot be used")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file holds something else.
    #[error("{path} is no key file: it must hold 64 lowercase hexadecimal digits, the seed")]
    Content {
        /// Which file.
        path: PathBuf,
    },
    /// The system gives no random bytes.
    #[error("the system gives no random bytes for a new key")]
    Random,
}

/// A key to sign with.
#[derive(Clone)]
pub struct Identity(SigningKey);

impl std::fmt::Debug for Identity {
    /// Never the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity({})", self.public_key())
    }
}

impl Identity {
    /// The key of a seed.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(SigningKey::from_bytes(&seed))
    }

    /// A new key.
    ///
    /// # Errors
    /// [`IdentityError::Random`].
    pub fn random() -> Result<Self, IdentityError> {
        random_bytes().map(Self::from_seed).ok_or(IdentityError::Random)
    }

    /// The identity in a file, which is there.
    ///
    /// # Errors
    /// [`IdentityError`].
    pub fn load(path: &Path) -> Result<Self, IdentityError> {
        let failed = |source| IdentityError::File { path: path.to_owned(), source };
        Self::parse(&fs::read_to_string(path).map_err(failed)?, path)
    }

    /// The key in a file; where there is no file, a new key, which only its owner can read.
    ///
    /// # Errors
    /// If the file holds no key, or cannot be read or made.
    pub fn load_or_create(path: &Path) -> Result<Self, IdentityError> {
        let failed = |source| IdentityError::File { path: path.to_owned(), source };
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(&text, path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let seed = random_bytes().ok_or(IdentityError::Random)?;
                if let Some(folder) = path.parent() {
                    fs::create_dir_all(folder).map_err(failed)?;
                }
                match write_private(path, &format!("{}\n", Hex(seed))) {
                    Ok(()) => Ok(Self::from_seed(seed)),
                    // Somebody else was first.
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                        Self::parse(&fs::read_to_string(path).map_err(failed)?, path)
                    }
                    Err(error) => Err(failed(error)),
                }
            }
            Err(error) => Err(failed(error)),
        }
    }

    fn parse(text: &str, path: &Path) -> Result<Self, IdentityError> {
        let seed: Result<Hex<32>, _> = text.trim_end().parse();
        seed.map(|Hex(seed)| Self::from_seed(seed))
            .map_err(|_| IdentityError::Content { path: path.to_owned() })
    }

    /// Whose signatures these are.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        Hex(self.0.verifying_key().to_bytes())
    }

    /// The account of the key.
    #[must_use]
    pub fn address(&self) -> Address {
        self.public_key().address()
    }

    /// The scalar of the key: the public key is this multiple of the base point.
    pub(crate) fn scalar(&self) -> curve25519_dalek::Scalar {
        self.0.to_scalar()
    }

    /// Signs a message, which must begin with a domain of its own.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Signature {
        Hex(self.0.sign(message).to_bytes())
    }
}

impl PublicKey {
    /// The account of the key: the last 20 bytes of Keccak-256 of a domain tag and the key.
    #[must_use]
    pub fn address(&self) -> Address {
        let digest = keccak256(&[ADDRESS_DOMAIN, &self.0]);
        let mut address = [0; 20];
        address.copy_from_slice(&digest[12..]);
        Address(address)
    }

    /// Whether the key's owner has signed the message, by the scheme that the signature is of: strictly,
    /// so that no other signature and no key of small order passes.
    #[must_use]
    pub fn has_signed(&self, message: &[u8], signature: &Signature) -> bool {
        self.has_signed_by(Scheme::of(signature), message, signature)
    }

    /// Whether the key's owner has signed the message by this scheme and no other.
    #[must_use]
    pub fn has_signed_by(&self, scheme: Scheme, message: &[u8], signature: &Signature) -> bool {
        match scheme {
            Scheme::Ed25519 => self.has_signed_ed25519(message, signature),
            Scheme::Sr25519 => self.has_signed_sr25519(message, signature),
        }
    }

    /// Never, in a program that was built without the feature `btauth`.
    #[cfg(not(feature = "btauth"))]
    fn has_signed_sr25519(&self, _: &[u8], _: &Signature) -> bool {
        false
    }

    #[cfg(feature = "btauth")]
    fn has_signed_sr25519(&self, message: &[u8], signature: &Signature) -> bool {
        let signature = schnorrkel::Signature::from_bytes(&signature.0);
        let key = schnorrkel::PublicKey::from_bytes(&self.0);
        let (Ok(signature), Ok(key)) = (signature, key) else { return false };
        key.verify_simple(CONTEXT, message, &signature).is_ok()
    }

    fn has_signed_ed25519(&self, message: &[u8], signature: &Signature) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        let key = VerifyingKey::from_bytes(&self.0);
        key.is_ok_and(|key| key.verify_strict(message, &signature).is_ok())
    }
}

/// Random bytes of the operating system.
pub(crate) fn random_bytes<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).ok().map(|()| bytes)
}

/// Writes a new file that nobody else can read, whole or not at all.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    // Beside its place, then linked to it: a name that is there is never a half-written file.
    let partial = path.with_extension(format!("{}.partial", std::process::id()));
    let written = options.open(&partial).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    let linked = written.and_then(|()| fs::hard_link(&partial, path));
    let removed = fs::remove_file(&partial);
    linked.and(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/node.key");
        let made = Identity::load_or_create(&path).unwrap();
        let read = Identity::load_or_create(&path).unwrap();
        assert_eq!(made.public_key(), read.public_key());
        assert_eq!(
            fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1,
            "nothing is left over"
        );
        fs::write(&path, "no key").unwrap();
        let refused = Identity::load_or_create(&path).unwrap_err();
        assert!(matches!(refused, IdentityError::Content { .. }), "{refused}");
    }

    #[test]
    fn a_signature_is_of_one_key_and_one_message() {
        let [one, other] = [1, 2].map(|byte| Identity::from_seed([byte; 32]));
        let signature = one.sign(b"message");
        assert!(one.public_key().has_signed(b"message", &signature));
        assert!(!one.public_key().has_signed(b"massage", &signature));
        assert!(!other.public_key().has_signed(b"message", &signature));
        let mut changed = signature;
        changed.0[0] ^= 1;
        assert!(!one.public_key().has_signed(b"message", &changed));
        // The key of small order for which any message passes a loose check.
        let mut weak = Hex([0; 32]);
        weak.0[0] = 1;
        let mut trivial = Hex([0; 64]);
        trivial.0[0] = 1;
        assert!(!weak.has_signed(b"message", &trivial));
    }
}
