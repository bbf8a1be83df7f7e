//! Which answers must be proven, where a buyer does not want all of them to be: drawn by lot, so that
//! neither side chooses.
//!
//! The buyer's order commits to a secret. A node answers, and binds itself to a rate, without knowing
//! the secret; then the buyer reveals it. Secret and answer together draw the lot. The buyer has
//! committed before it saw the answer, the node has signed before it saw the secret; who is silent
//! loses: a buyer who does not reveal has the answer accepted without a proof, a node that is drawn
//! and does not prove loses its stake. A secret is used for one answer: once it is known, whatever is
//! answered to the order must be proven.
//!
//! | what | bytes |
//! |---|---|
//! | commitment | Keccak-256 of the tag `zkinfer.lot.v1` (two zero bytes behind it), `00` and the secret |
//! | lot | Keccak-256 of the tag, `01`, the secret, and Keccak-256 of the encoded answer; its first 8 bytes, big-endian, are a number x |
//!
//! The answer is drawn if x / 2⁶⁴ < rate / 1,000,000.
//!
//! Where the order commits to nothing, the randomness of a round of drand (`beacon.rs`) is in the place
//! of the secret. The answer fixes the round by its last moment to reveal, before anybody knows it.
//! Anybody can hand it in; if nobody does in time, the answer must be proven.

use sha2::{Digest, Sha256};
use zkinfer::verifier::keccak256;

use crate::{account::Identity, encoding::Hex, order::Order, schema::wire};

/// Separates commitments, lots and secrets from everything else that is hashed or signed.
pub(crate) const LOT_DOMAIN: &[u8; 16] = b"zkinfer.lot.v1\0\0";

/// The rate at which every answer must be proven: a million of a million.
pub const ALWAYS: u32 = 1_000_000;

wire! {
    /// That not every answer has to be proven.
    pub struct Sampling {
        /// How many of a million answers are drawn to be proven, at least; from 1 to 1,000,000.
        pub rate: u32,
        /// The commitment to the buyer's secret; without one, a round of drand draws the lot.
        pub commitment: Option<Hex<32>>,
    }
}

impl Sampling {
    /// The sampling at a rate, for an order that has none yet: the secret is the buyer's own for this
    /// order and rate, and can be computed again.
    #[must_use]
    pub fn new(rate: u32, order: &Order, buyer: &Identity) -> Self {
        Self { rate, commitment: Some(commitment(&secret(rate, order, buyer))) }
    }

    /// Whether a round of drand draws the lot.
    #[must_use]
    pub fn is_by_beacon(&self) -> bool {
        self.commitment.is_none()
    }

    /// The sampling at a rate by a round of drand that comes after the answer: the buyer has nothing to
    /// reveal.
    #[must_use]
    pub fn by_beacon(rate: u32) -> Self {
        Self { rate, commitment: None }
    }
}

/// What draws the lot of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lot {
    /// The buyer's secret, to which the order commits.
    Secret(Hex<32>),
    /// A round of drand.
    Round {
        /// Its number.
        number: u64,
        /// The network's signature of it.
        signature: Hex<48>,
    },
}

impl Lot {
    /// What stands for the buyer's secret: it, or the randomness of the round.
    #[must_use]
    pub fn secret(&self) -> Hex<32> {
        match self {
            Self::Secret(secret) => *secret,
            Self::Round { signature, .. } => Hex(Sha256::digest(signature.0).into()),
        }
    }

    /// The secret, or the signature of the round.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Secret(secret) => secret.0.to_vec(),
            Self::Round { signature, .. } => signature.0.to_vec(),
        }
    }

    /// What these bytes are: a secret, or the signature of the round with a number.
    #[must_use]
    pub fn from_bytes(bytes: &[u8], number: u64) -> Option<Self> {
        let secret = bytes.try_into().ok().map(|secret| Self::Secret(Hex(secret)));
        let round =
            || bytes.try_into().ok().map(|bytes| Self::Round { number, signature: Hex(bytes) });
        secret.or_else(round)
    }
}

/// The buyer's secret for an order, whatever its own sampling says, at a rate. Nobody else can compute
/// it, and the buyer always can: it is made from a signature that is never shown.
#[must_use]
pub fn secret(rate: u32, order: &Order, buyer: &Identity) -> Hex<32> {
    let plain = Order { sampling: None, ..order.clone() };
    let message = [&LOT_DOMAIN[..], &[2], &rate.to_be_bytes(), &plain.encode()].concat();
    Hex(keccak256(&[LOT_DOMAIN, &[3], &buyer.sign(&message).0]))
}

/// The commitment to a secret.
#[must_use]
pub fn commitment(secret: &Hex<32>) -> Hex<32> {
    Hex(keccak256(&[LOT_DOMAIN, &[0], &secret.0]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        answer::{Answer, is_drawn},
        encoding::Decimal,
    };

    fn order(nonce: u64, rate: u32) -> Order {
        let buyer = Identity::from_seed([1; 32]);
        let order = Order {
            chain_id: Decimal(7),
            buyer: buyer.public_key(),
            model: Hex([2; 32]),
            input: Hex([3; 32]),
            nonce: Decimal(nonce),
            price: Decimal(10),
            stake: Decimal(20),
            deadline: 900,
            sampling: None,
            ramp: None,
            sealed: None,
        };
        let sampling = Some(Sampling::new(rate, &order, &buyer));
        Order { sampling, ..order }
    }

    fn answer(order: &Order, rate: u32) -> Answer {
        Answer {
            chain_id: order.chain_id,
            job: Hex(order.job().0),
            model: order.model,
            input: order.input,
            output: Hex([4; 32]),
            execution: Hex([5; 32]),
            rate,
            reveal_by: 100,
            prove_by: 400,
            node: Hex([6; 32]),
        }
    }

    #[test]
    fn a_secret_is_the_buyers_own_for_one_order_and_one_rate() {
        let (buyer, other) = (Identity::from_seed([1; 32]), Identity::from_seed([2; 32]));
        let one = order(1, 5);
        let own = secret(5, &one, &buyer);
        assert_eq!(one.sampling.as_ref().unwrap().commitment, Some(commitment(&own)));
        assert_eq!(secret(5, &one, &buyer), own, "it is computed again");
        let others = [
            secret(5, &one, &other),
            secret(6, &one, &buyer),
            secret(5, &order(2, 5), &buyer),
            secret(5, &Order { price: Decimal(11), ..one }, &buyer),
        ];
        assert!(others.iter().all(|secret| *secret != own));
    }

    #[test]
    fn answers_are_drawn_at_their_rate() {
        let buyer = Identity::from_seed([1; 32]);
        for rate in [1, 50_000, 500_000, 999_999, ALWAYS] {
            let orders = 4_000u32;
            let drawn = (0..orders).filter(|nonce| {
                let order = order(u64::from(*nonce), rate);
                is_drawn(&secret(rate, &order, &buyer), &answer(&order, rate))
            });
            let (drawn, share) = (drawn.count(), f64::from(rate) / f64::from(ALWAYS));
            let expected = f64::from(orders) * share;
            let off = f64::from(u32::try_from(drawn).unwrap()) - expected;
            let deviation = (expected * (1.0 - share)).sqrt();
            assert!(off.abs() <= 4.0 * deviation + 1e-6, "{drawn} at {rate}: {expected} expected");
        }
    }

    #[test]
    fn a_lot_depends_on_all_of_the_answer() {
        let buyer = Identity::from_seed([1; 32]);
        let order = order(1, 500_000);
        let secret = secret(500_000, &order, &buyer);
        let answer = answer(&order, 500_000);
        let lots = |edit: fn(&mut Answer, u64)| {
            let lots = (0..64).map(|n| {
                let mut answer = answer.clone();
                edit(&mut answer, n);
                is_drawn(&secret, &answer)
            });
            let lots: std::collections::BTreeSet<bool> = lots.collect();
            lots.len()
        };
        assert_eq!(lots(|answer, n| answer.prove_by += n), 2);
        assert_eq!(lots(|answer, n| answer.reveal_by += n), 2);
        assert_eq!(lots(|answer, n| answer.output.0[..8].copy_from_slice(&n.to_be_bytes())), 2);
        assert_eq!(lots(|_, _| ()), 1);
    }
}
