//! Requests that are signed, and count once.

use std::collections::BTreeSet;

use thiserror::Error;
use zkinfer::verifier::keccak256;

#[cfg(feature = "btauth")]
use crate::btauth::BittensorSignature;
use crate::{
    account::{Identity, PublicKey, Signature, random_bytes},
    encoding::Hex,
};

/// Separates requests from everything else that is signed.
const REQUEST_DOMAIN: &[u8; 16] = b"zkinfer.req.v1\0\0";

/// Most requests that are remembered at once.
const MAX_REMEMBERED: usize = 1 << 20;

/// Who sends a request, when, and his signature: four headers of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestSignature {
    /// `zkinfer-key`.
    pub key: PublicKey,
    /// `zkinfer-time`: Unix milliseconds.
    pub time: u64,
    /// `zkinfer-nonce`: random bytes.
    pub nonce: Hex<16>,
    /// `zkinfer-signature`.
    pub signature: Signature,
}

/// Why a signed request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SignatureRefusal {
    /// A header is missing or no such thing.
    #[error("the header {header} is missing or malformed")]
    Header {
        /// Which one.
        header: &'static str,
    },
    /// The clocks differ, or the request is old.
    #[error(
        "the request's time is {time}, the coordinator's clock says {now}: {seconds} seconds are \
         allowed"
    )]
    Time {
        /// Of the request.
        time: u64,
        /// Of the coordinator.
        now: u64,
        /// How far they may be apart.
        seconds: u64,
    },
    /// Made before the coordinator was started, which does not know what it has seen before.
    #[error("the request was made before the coordinator started: sign it anew")]
    BeforeStart,
    /// The signature is not the key's over this request.
    #[error("the signature is not that of the stated key over this request")]
    Signature,
    /// Signed as Bittensor's requests are, for a program that cannot tell.
    #[error(
        "x-bittensor-version: this coordinator was built without btauth; sign as /openapi.json says"
    )]
    WithoutBittensor,
    /// For another coordinator, or for nobody.
    #[error("x-bittensor-receiver is not this coordinator's key: /v1/market says it")]
    Receiver,
    /// The same request came before.
    #[error("the request came before: sign it anew, with another nonce")]
    Replay,
    /// Too many to remember.
    #[error("too many signed requests at once; try again later")]
    Busy,
}

/// What is signed of a request.
fn message(
    chain_id: u64,
    method: &str,
    target: &str,
    time: u64,
    nonce: &Hex<16>,
    body: &[u8],
) -> Vec<u8> {
    let length = |text: &str| u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes();
    let mut bytes = REQUEST_DOMAIN.to_vec();
    bytes.extend(chain_id.to_be_bytes());
    for text in [method, target] {
        bytes.extend(length(text));
        bytes.extend(text.as_bytes());
    }
    bytes.extend(time.to_be_bytes());
    bytes.extend(nonce.0);
    bytes.extend(keccak256(&[body]));
    bytes
}

impl RequestSignature {
    /// Names of the headers.
    pub const HEADERS: [&'static str; 4] =
        ["zkinfer-key", "zkinfer-time", "zkinfer-nonce", "zkinfer-signature"];

    /// Signs a request; `target` is path and query. `None` if the system gives no random bytes.
    #[must_use]
    pub fn new(
        identity: &Identity,
        chain_id: u64,
        (method, target): (&str, &str),
        body: &[u8],
        now: u64,
    ) -> Option<Self> {
        let nonce = Hex(random_bytes()?);
        let message = message(chain_id, method, target, now, &nonce, body);
        let (key, signature) = (identity.public_key(), identity.sign(&message));
        Some(Self { key, time: now, nonce, signature })
    }

    /// The headers, by name.
    #[must_use]
    pub fn headers(&self) -> [(&'static str, String); 4] {
        let [key, time, nonce, signature] = Self::HEADERS;
        [
            (key, self.key.to_string()),
            (time, self.time.to_string()),
            (nonce, self.nonce.to_string()),
            (signature, self.signature.to_string()),
        ]
    }

    /// Reads the headers; `value` gives one by its name.
    ///
    /// # Errors
    /// [`SignatureRefusal::Header`].
    pub fn read<'a>(
        value: impl Fn(&'static str) -> Option<&'a str>,
    ) -> Result<Self, SignatureRefusal> {
        let [key, time, nonce, signature] = Self::HEADERS;
        let refused = |header| SignatureRefusal::Header { header };
        Ok(Self {
            key: value(key).and_then(|text| text.parse().ok()).ok_or(refused(key))?,
            time: value(time).and_then(|text| text.parse().ok()).ok_or(refused(time))?,
            nonce: value(nonce).and_then(|text| text.parse().ok()).ok_or(refused(nonce))?,
            signature: value(signature)
                .and_then(|text| text.parse().ok())
                .ok_or(refused(signature))?,
        })
    }
}

/// Remembers the requests of a while.
#[derive(Debug)]
pub struct Guard {
    chain_id: u64,
    seconds: u64,
    started: u64,
    seen: BTreeSet<(u64, PublicKey, Hex<16>)>,
}

impl Guard {
    /// A guard that has seen nothing, of a coordinator that was started at `started`, Unix
    /// milliseconds; requests may be off by so many seconds.
    #[must_use]
    pub fn new(chain_id: u64, seconds: u64, started: u64) -> Self {
        Self { chain_id, seconds, started, seen: BTreeSet::new() }
    }

    /// Whose request it is, if it is new and his.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn admit(
        &mut self,
        signed: &RequestSignature,
        (method, target): (&str, &str),
        body: &[u8],
        now: u64,
    ) -> Result<PublicKey, SignatureRefusal> {
        let RequestSignature { key, time, nonce, signature } = signed;
        let message = message(self.chain_id, method, target, *time, nonce, body);
        let is_signed = || match key.has_signed(&message, signature) {
            true => Ok(()),
            false => Err(SignatureRefusal::Signature),
        };
        self.admit_once((*time, *key, *nonce), is_signed, now)
    }

    /// Whose request it is that is signed as Bittensor's are, for the coordinator with the key
    /// `receiver`.
    ///
    /// # Errors
    /// Why it is refused.
    #[cfg(feature = "btauth")]
    pub fn admit_bittensor(
        &mut self,
        signed: &BittensorSignature,
        receiver: &PublicKey,
        request: (&str, &str),
        body: &[u8],
        now: u64,
    ) -> Result<PublicKey, SignatureRefusal> {
        let nonce = Hex(u128::from(signed.nonce).to_be_bytes());
        let name = (signed.nonce / 1_000_000, signed.key, nonce);
        self.admit_once(name, || signed.check(receiver, request, body), now)
    }

    /// A request of this name, if it is in time, signed, and new.
    fn admit_once(
        &mut self,
        (time, key, nonce): (u64, PublicKey, Hex<16>),
        is_signed: impl FnOnce() -> Result<(), SignatureRefusal>,
        now: u64,
    ) -> Result<PublicKey, SignatureRefusal> {
        let window = self.seconds.saturating_mul(1_000);
        if now.abs_diff(time) > window {
            return Err(SignatureRefusal::Time { time, now, seconds: self.seconds });
        }
        if time < self.started {
            return Err(SignatureRefusal::BeforeStart);
        }
        is_signed()?;
        // What is older would be refused for its time.
        let oldest = now.saturating_sub(window);
        self.seen = self.seen.split_off(&(oldest, Hex([0; 32]), Hex([0; 16])));
        if self.seen.contains(&(time, key, nonce)) {
            return Err(SignatureRefusal::Replay);
        }
        if self.seen.len() >= MAX_REMEMBERED {
            return Err(SignatureRefusal::Busy);
        }
        self.seen.insert((time, key, nonce));
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000_000;
    const TARGET: (&str, &str) = ("POST", "/v1/bond?x=1");

    fn signed(body: &[u8], time: u64) -> RequestSignature {
        RequestSignature::new(&Identity::from_seed([1; 32]), 7, TARGET, body, time).unwrap()
    }

    #[test]
    fn a_request_counts_once_and_for_what_it_was_signed() {
        let mut guard = Guard::new(7, 60, 0);
        let request = signed(b"body", NOW);
        let lies = [
            (("GET", TARGET.1), &b"body"[..]),
            (("POST", "/v1/bond?x=2"), b"body"),
            (TARGET, b"bod"),
        ];
        for (target, body) in lies {
            let refused = guard.admit(&request, target, body, NOW);
            assert_eq!(refused, Err(SignatureRefusal::Signature));
        }
        let mut other_market = Guard::new(8, 60, 0);
        let refused = other_market.admit(&request, TARGET, b"body", NOW);
        assert_eq!(refused, Err(SignatureRefusal::Signature));
        assert_eq!(guard.admit(&request, TARGET, b"body", NOW), Ok(request.key));
        for later in [NOW, NOW + 60_000] {
            let refused = guard.admit(&request, TARGET, b"body", later);
            assert_eq!(refused, Err(SignatureRefusal::Replay));
        }
    }

    #[test]
    fn what_is_old_is_refused_and_forgotten() {
        let mut guard = Guard::new(7, 60, NOW - 10_000);
        let request = signed(b"", NOW);
        assert_eq!(guard.admit(&request, TARGET, b"", NOW), Ok(request.key));
        let late = NOW + 60_001;
        let time = SignatureRefusal::Time { time: NOW, now: late, seconds: 60 };
        assert_eq!(guard.admit(&request, TARGET, b"", late), Err(time));
        let next = signed(b"", late);
        assert_eq!(guard.admit(&next, TARGET, b"", late), Ok(next.key));
        assert_eq!(guard.seen.len(), 1);
        let early = signed(b"", NOW - 10_001);
        assert_eq!(guard.admit(&early, TARGET, b"", NOW), Err(SignatureRefusal::BeforeStart));
    }

    #[test]
    fn headers_come_back_and_bad_ones_are_named() {
        let request = signed(b"", NOW);
        let headers = request.headers();
        let value = |name: &str| {
            headers.iter().find(|(header, _)| *header == name).map(|(_, value)| value.as_str())
        };
        assert_eq!(RequestSignature::read(value), Ok(request));
        for header in RequestSignature::HEADERS {
            let missing = |name: &'static str| if name == header { None } else { value(name) };
            assert_eq!(RequestSignature::read(missing), Err(SignatureRefusal::Header { header }));
        }
    }
}
