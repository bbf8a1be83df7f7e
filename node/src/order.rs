//! What a buyer orders.

use thiserror::Error;
use zkinfer::verifier::{ClaimedValues, Digest, JobBinding, KeyDigest, VerifyingKey, keccak256};
use zkinfer_settlement::{Address, Amount, Delivery, JobId, JobTerms, ValuesDigest};

use crate::{
    account::{Identity, PublicKey, Signature},
    division::Division,
    encoding::{Decimal, Hex},
    ramp::{Prices, Ramp},
    sampling::{ALWAYS, Sampling},
    schema::wire,
    sealed::{MAX_BOXES, SealError, SealedInput, digest_of},
};

/// Separates orders from everything else that is hashed or signed.
const ORDER_DOMAIN: &[u8; 16] = b"zkinfer.ord.v3\0\0";

wire! {
    /// What a buyer asks for, and signs.
    pub struct Order {
        /// The market: its proofs are bound to this number.
        pub chain_id: Decimal<u64>,
        /// The buyer's key.
        pub buyer: PublicKey,
        /// Digest of the verifying key; for a model in parts, the root of their manifest.
        pub model: Hex<32>,
        /// Digest of the input's integers.
        pub input: Hex<32>,
        /// Tells two orders apart; proofs bear it.
        pub nonce: Decimal<u64>,
        /// What the node gets for a proof, or all nodes for those of all parts; with a ramp, at most.
        pub price: Decimal<u128>,
        /// What a node must put at stake; more than zero.
        pub stake: Decimal<u128>,
        /// Last moment for the proof, in Unix seconds.
        pub deadline: u64,
        /// That only answers that are drawn have to be proven; else every one has to be.
        pub sampling: Option<Sampling>,
        /// That the price rises to the one above until a node takes the job.
        pub ramp: Option<Ramp>,
        /// The digest of the boxes that hold the input, if it is sealed to nodes: they alone can have the
        /// job.
        pub sealed: Option<Hex<32>>,
    }
}

wire! {
    /// An order with its input.
    pub struct JobRequest {
        /// The order.
        pub order: Order,
        /// The buyer's signature over it.
        pub signature: Signature,
        /// The input: the integers of all tensors, one after the other; none where it is sealed.
        pub input: Vec<i64>,
        /// The input, sealed to each of some nodes.
        pub sealed: Option<Vec<SealedInput>>,
    }
}

/// Why integers cannot be those of a model's tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ValuesError {
    /// Not as many as the tensors have.
    #[error("{got} integers, the model has {expected}")]
    Length {
        /// Of the model.
        expected: usize,
        /// Given.
        got: usize,
    },
    /// One that is out of bounds.
    #[error("element {index}: {value} is not between {lo} and {hi}")]
    Range {
        /// Which.
        index: usize,
        /// The integer.
        value: i64,
        /// Smallest allowed.
        lo: i64,
        /// Largest allowed.
        hi: i64,
    },
}

/// Why boxes are not those of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BoxesError {
    /// Some without a word in the order, or the other way round.
    #[error("the order says whether its input is sealed, and the request has another")]
    Unexpected,
    /// None, or more than one order may have.
    #[error("{got} boxes: an order has from 1 to {limit}", limit = MAX_BOXES)]
    Count {
        /// How many.
        got: usize,
    },
    /// Others than the order says.
    #[error("the digest of the boxes is {got}, the order says {expected}")]
    Digest {
        /// Of the order.
        expected: Hex<32>,
        /// Of the boxes.
        got: Hex<32>,
    },
    /// Two for one node.
    #[error("two boxes are for the node {node}")]
    Twice {
        /// Which.
        node: PublicKey,
    },
    /// One that has not the size of an input.
    #[error("content: {got} bytes, an input of this model has {expected}")]
    Size {
        /// Of the model.
        expected: usize,
        /// Of the box.
        got: usize,
    },
    /// A key or a point that is none.
    #[error(transparent)]
    Point(SealError),
    /// The input itself, beside them.
    #[error("the input is given openly, too")]
    Open,
}

/// Why an order is none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OrderError {
    /// For another market.
    #[error("order.chain_id: the order is for market {got}, this is {expected}")]
    Chain {
        /// Of this market.
        expected: u64,
        /// Of the order.
        got: u64,
    },
    /// Not signed by the buyer.
    #[error("signature: it is not the buyer's, over this order")]
    Signature,
    /// Another model than the key's.
    #[error("order.model: there is no model {got}")]
    Model {
        /// Of the order.
        got: KeyDigest,
    },
    /// The input is another than the order says.
    #[error("input: its digest is {got}, the order says {expected}")]
    Input {
        /// Of the order.
        expected: ValuesDigest,
        /// Of the integers.
        got: ValuesDigest,
    },
    /// The integers can be no input of the model.
    #[error("input: {0}")]
    Values(ValuesError),
    /// Claims under the key hide their output, or their input, which is not sealed.
    #[error(
        "order.model: this market serves only models that show their output; one that hides its input \
         takes only sealed inputs"
    )]
    Hidden,
    /// Boxes that are not those of the order, or none, or too many.
    #[error("sealed: {0}")]
    Boxes(BoxesError),
    /// What goes from part to part, the coordinator passes on.
    #[error(
        "order.sealed: inputs of models in parts are not sealed, since the coordinator passes on what goes \
         from part to part: order the whole model by a key of its own to seal its input"
    )]
    SealedParts,
    /// A rate that is none.
    #[error("order.sampling.rate: {got} is not between 1 and 1000000")]
    Rate {
        /// Of the order.
        got: u32,
    },
    /// All parts of a model are proven.
    #[error(
        "order.sampling: all parts of a model are proven, since a part alone shows nothing: leave it out, \
         or order the whole model by a key of its own"
    )]
    SampledParts,
    /// A ramp that cannot be.
    #[error(
        "order.ramp: it must rise from at least 1 to at most the order's price, and end after it begins \
         and before the deadline"
    )]
    Ramp,
    /// A price of which some part would get nothing.
    #[error("{field}: {got} is not enough for {parts} parts, each of which gets at least 1")]
    PartsPrice {
        /// Which amount.
        field: &'static str,
        /// The amount.
        got: u128,
        /// How many parts the model has.
        parts: usize,
    },
    /// A job without a stake.
    #[error("order.stake: a market asks for a stake, at least 1")]
    Stake,
}

impl Order {
    /// The one encoding: a domain tag of 16 bytes, then the fields in order, big-endian; sampling as
    /// a byte 0, or a byte 1, rate and commitment, or a byte 2 and the rate, for a lot by drand; a ramp
    /// as a byte 0, or a byte 1 and its fields; the digest of boxes after a byte 1, or a byte 0.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let Self { chain_id, buyer, model, input, nonce, price, stake, .. } = self;
        let Self { deadline, sampling, ramp, sealed, .. } = self;
        let mut bytes = ORDER_DOMAIN.to_vec();
        bytes.extend(chain_id.0.to_be_bytes());
        bytes.extend(buyer.0);
        bytes.extend(model.0);
        bytes.extend(input.0);
        bytes.extend(nonce.0.to_be_bytes());
        bytes.extend(price.0.to_be_bytes());
        bytes.extend(stake.0.to_be_bytes());
        bytes.extend(deadline.to_be_bytes());
        match sampling {
            None => bytes.push(0),
            Some(Sampling { rate, commitment: Some(commitment) }) => {
                bytes.push(1);
                bytes.extend(rate.to_be_bytes());
                bytes.extend(commitment.0);
            }
            Some(Sampling { rate, commitment: None }) => {
                bytes.push(2);
                bytes.extend(rate.to_be_bytes());
            }
        }
        bytes.push(u8::from(ramp.is_some()));
        if let Some(Ramp { from, begins, ends }) = ramp {
            bytes.extend(from.0.to_be_bytes());
            bytes.extend(begins.to_be_bytes());
            bytes.extend(ends.to_be_bytes());
        }
        bytes.push(u8::from(sealed.is_some()));
        bytes.extend(sealed.iter().flat_map(|digest| digest.0));
        bytes
    }

    /// The name of the job: Keccak-256 of the encoding, so that nobody else can take it, and the same
    /// order twice is the same job.
    #[must_use]
    pub fn job(&self) -> JobId {
        JobId(keccak256(&[&self.encode()]))
    }

    /// The order as the escrow has it.
    #[must_use]
    pub fn terms(&self) -> JobTerms {
        JobTerms {
            buyer: self.buyer.address(),
            payee: None,
            model: self.model(),
            input: self.input(),
            delivery: Delivery::Shown,
            nonce: self.nonce.0,
            price: Amount(self.price.0),
            stake: Amount(self.stake.0),
            deadline: self.deadline,
        }
    }

    /// What a proof of `prover` for this order must be bound to.
    #[must_use]
    pub fn binding(&self, prover: Address) -> JobBinding {
        JobBinding {
            chain_id: self.chain_id.0,
            job_id: self.job().0,
            payee: prover.0,
            expiry: JobBinding::NO_EXPIRY,
            nonce: self.nonce.0,
        }
    }

    /// What a node gets, by the moment at which it takes the job; of a model in parts, all nodes.
    #[must_use]
    pub fn prices(&self) -> Prices {
        Prices { most: self.price.0, ramp: self.ramp.clone() }
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> KeyDigest {
        KeyDigest(Digest(self.model.0))
    }

    /// The digest of the input.
    #[must_use]
    pub fn input(&self) -> ValuesDigest {
        ValuesDigest(Digest(self.input.0))
    }

    /// The order with its input, signed.
    #[must_use]
    pub fn request(self, buyer: &Identity, input: Vec<i64>) -> JobRequest {
        let signature = buyer.sign(&self.encode());
        JobRequest { order: self, signature, input, sealed: None }
    }

    /// The order with its input in boxes, of which it gets the digest, signed.
    #[must_use]
    pub fn sealed_request(self, buyer: &Identity, boxes: Vec<SealedInput>) -> JobRequest {
        let order = Self { sealed: Some(digest_of(&boxes)), ..self };
        let signature = buyer.sign(&order.encode());
        JobRequest { order, signature, input: Vec::new(), sealed: Some(boxes) }
    }
}

/// The digest of values.
pub(crate) fn digest(values: &[i64]) -> ValuesDigest {
    ValuesDigest::of(&ClaimedValues::Public(values.to_vec()))
}

/// Whether integers can be those of `tensors`.
pub(crate) fn check_values(
    tensors: &[zkinfer::verifier::TensorLayout],
    values: &[i64],
) -> Result<(), ValuesError> {
    let bounds = tensors
        .iter()
        .flat_map(|tensor| std::iter::repeat_n((tensor.lo, tensor.hi), tensor.element_count()));
    let expected =
        tensors.iter().fold(0usize, |sum, tensor| sum.saturating_add(tensor.element_count()));
    if expected != values.len() {
        return Err(ValuesError::Length { expected, got: values.len() });
    }
    for (index, (&value, (lo, hi))) in values.iter().zip(bounds).enumerate() {
        if !(lo..=hi).contains(&value) {
            return Err(ValuesError::Range { index, value, lo, hi });
        }
    }
    Ok(())
}

impl Order {
    /// Whether this is the buyer's signature over it.
    #[must_use]
    pub fn is_signed(&self, signature: &Signature) -> bool {
        self.buyer.has_signed(&self.encode(), signature)
    }
}

impl JobRequest {
    /// Whether the boxes can be those of the order; what is in them, their nodes know.
    fn check_boxes(
        &self,
        expected: Hex<32>,
        boxes: &[SealedInput],
        key: &VerifyingKey,
    ) -> Result<(), BoxesError> {
        let got = boxes.len();
        if !(1..=MAX_BOXES).contains(&got) {
            return Err(BoxesError::Count { got });
        }
        if !self.input.is_empty() {
            return Err(BoxesError::Open);
        }
        let size = crate::sealed::sealed_size(key);
        for (number, one) in boxes.iter().enumerate() {
            one.check().map_err(BoxesError::Point)?;
            if boxes.iter().take(number).any(|other| other.node == one.node) {
                return Err(BoxesError::Twice { node: one.node });
            }
            let (expected, got) = (size, one.content.0.len());
            if expected != got {
                return Err(BoxesError::Size { expected, got });
            }
        }
        let got = digest_of(boxes);
        if expected == got { Ok(()) } else { Err(BoxesError::Digest { expected, got }) }
    }

    /// Whether a node may have the job: any, or one that the input is sealed to.
    #[must_use]
    pub fn is_for(&self, node: Address) -> bool {
        let boxes = self.sealed.as_deref();
        boxes.is_none_or(|boxes| boxes.iter().any(|one| one.node.address() == node))
    }

    /// Whether it is an order of its buyer to the market `chain_id` that the model of `key` can do.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self, chain_id: u64, key: &VerifyingKey) -> Result<(), OrderError> {
        let order = &self.order;
        if order.model() != key.digest() {
            return Err(OrderError::Model { got: order.model() });
        }
        let rate = order.sampling.as_ref().map(|sampling| sampling.rate);
        if let Some(got) = rate.filter(|rate| !(1..=ALWAYS).contains(rate)) {
            return Err(OrderError::Rate { got });
        }
        self.check_terms(chain_id, [key, key])
    }

    /// Whether it is an order of its buyer to the market `chain_id` for a model in parts, of which these
    /// are the first and the last key.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check_parts(
        &self,
        chain_id: u64,
        division: &Division,
        ends: [&VerifyingKey; 2],
    ) -> Result<(), OrderError> {
        let order = &self.order;
        if order.model.0 != division.manifest().root().0 {
            return Err(OrderError::Model { got: order.model() });
        }
        let prices = order.prices();
        let amounts = prices.ramp.iter().map(|ramp| ("order.ramp.from", ramp.from.0));
        for (field, got) in [("order.price", prices.most)].into_iter().chain(amounts) {
            if division.shares(got).is_none() {
                return Err(OrderError::PartsPrice { field, got, parts: division.count() });
            }
        }
        if order.sampling.is_some() {
            return Err(OrderError::SampledParts);
        }
        if order.sealed.is_some() {
            return Err(OrderError::SealedParts);
        }
        self.check_terms(chain_id, ends)
    }

    /// What every order must be; the input is one of the first key, the output one of the last.
    fn check_terms(
        &self,
        chain_id: u64,
        [first, last]: [&VerifyingKey; 2],
    ) -> Result<(), OrderError> {
        let Self { order, signature, input, sealed } = self;
        if order.chain_id.0 != chain_id {
            return Err(OrderError::Chain { expected: chain_id, got: order.chain_id.0 });
        }
        let layout = &first.parts().layout;
        let shown = zkinfer::verifier::Visibility::Public;
        let is_open = order.sealed.is_none();
        if (layout.input_visibility != shown && is_open)
            || last.parts().layout.output_visibility != shown
        {
            return Err(OrderError::Hidden);
        }
        if order.stake.0 == 0 {
            return Err(OrderError::Stake);
        }
        if order.ramp.as_ref().is_some_and(|ramp| !ramp.is_possible(order.price.0, order.deadline))
        {
            return Err(OrderError::Ramp);
        }
        match (&order.sealed, sealed) {
            (None, None) => {}
            (Some(digest), Some(boxes)) => {
                self.check_boxes(*digest, boxes, first).map_err(OrderError::Boxes)?;
                return if order.is_signed(signature) {
                    Ok(())
                } else {
                    Err(OrderError::Signature)
                };
            }
            _ => return Err(OrderError::Boxes(BoxesError::Unexpected)),
        }
        check_values(&layout.inputs, input).map_err(OrderError::Values)?;
        let got = ValuesDigest::of(&ClaimedValues::Public(input.clone()));
        if got != order.input() {
            return Err(OrderError::Input { expected: order.input(), got });
        }
        if order.is_signed(signature) { Ok(()) } else { Err(OrderError::Signature) }
    }
}
