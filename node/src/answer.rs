//! A node's signed word about an output, before it is proven.

use thiserror::Error;
use zkinfer::verifier::{ClaimedValues, Digest, VerifyingKey, keccak256};
use zkinfer_settlement::{JobId, ValuesDigest};

use crate::{
    account::{Identity, PublicKey, Signature},
    encoding::{Decimal, Hex},
    execution::Trace,
    offer::Offer,
    order::{Order, ValuesError, check_values},
    part::Span,
    sampling::{ALWAYS, LOT_DOMAIN},
    schema::wire,
};

/// Separates answers from everything else that is signed.
const ANSWER_DOMAIN: &[u8; 16] = b"zkinfer.ans.v3\0\0";

wire! {
    /// "This model on this input gives this output, and I prove it by then."
    pub struct Answer {
        /// The market.
        pub chain_id: Decimal<u64>,
        /// The job: the digest of its order.
        pub job: Hex<32>,
        /// Digest of the verifying key.
        pub model: Hex<32>,
        /// Digest of the input's integers.
        pub input: Hex<32>,
        /// Digest of the output's integers.
        pub output: Hex<32>,
        /// The digest of the whole run: `execution.rs` states the tree.
        pub execution: Hex<32>,
        /// How many of a million such answers are drawn to be proven; a million: this one is.
        pub rate: u32,
        /// Last moment at which the buyer can reveal whether this one is drawn, in Unix seconds; 0
        /// where it must be proven anyway.
        pub reveal_by: u64,
        /// Last moment of the proof, in Unix seconds.
        pub prove_by: u64,
        /// The node's key.
        pub node: PublicKey,
    }
}

wire! {
    /// An answer, its signature, and the output.
    pub struct SignedAnswer {
        /// What is signed.
        pub answer: Answer,
        /// The node's signature over it.
        pub signature: Signature,
        /// The output: the integers of all tensors, one after the other.
        pub output: Vec<i64>,
        /// The digest of each tensor of the run, in the order in which they come about.
        pub trace: Vec<Hex<32>>,
        /// The tensors of the output, where it goes to another part of the model, whose key has a digest
        /// of them.
        pub spans: Option<Vec<Span>>,
    }
}

/// Why an answer is none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// About another job, or another thing than the job asks for.
    #[error("answer.{field}: it is not that of the order")]
    Field {
        /// Which field.
        field: &'static str,
    },
    /// Values that are no output of the model.
    #[error("output: {0}")]
    Values(ValuesError),
    /// The output is another than the answer says.
    #[error("output: its digest is {got}, the answer says {expected}")]
    Output {
        /// Of the answer.
        expected: ValuesDigest,
        /// Of the integers.
        got: ValuesDigest,
    },
    /// The trace has another root than the answer says.
    #[error("trace: its root is {got}, the answer says {expected}")]
    Execution {
        /// Of the answer.
        expected: Hex<32>,
        /// Of the digests.
        got: Hex<32>,
    },
    /// Tensors that the part does not give to the next.
    #[error("spans: they are not the tensors that this part of the model gives to the next")]
    Spans,
    /// Not signed by the node.
    #[error("signature: it is not the node's, over this answer")]
    Signature,
}

impl Answer {
    /// The one encoding: a domain tag of 16 bytes, then the fields in order, big-endian.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let Self { chain_id, job, model, input, output, execution, rate, reveal_by, .. } = self;
        let Self { prove_by, node, .. } = self;
        let mut bytes = ANSWER_DOMAIN.to_vec();
        bytes.extend(chain_id.0.to_be_bytes());
        for digest in [job, model, input, output, execution] {
            bytes.extend(digest.0);
        }
        bytes.extend(rate.to_be_bytes());
        bytes.extend(reveal_by.to_be_bytes());
        bytes.extend(prove_by.to_be_bytes());
        bytes.extend(node.0);
        bytes
    }
}

impl Answer {
    /// Whether this is its node's signature over it.
    #[must_use]
    pub fn is_signed(&self, signature: &Signature) -> bool {
        self.node.has_signed(&self.encode(), signature)
    }
}

/// Whether an answer must be proven, once the secret is known.
#[must_use]
pub fn is_drawn(secret: &Hex<32>, answer: &Answer) -> bool {
    let lot = keccak256(&[LOT_DOMAIN, &[1], &secret.0, &keccak256(&[&answer.encode()])]);
    let [first, ..] = lot.as_chunks::<8>().0 else { return true };
    let lot = u128::from(u64::from_be_bytes(*first));
    lot * u128::from(ALWAYS) < u128::from(answer.rate) << 64
}

impl SignedAnswer {
    /// A node's answer to an offer, under the offer's conditions.
    #[must_use]
    pub fn new(node: &Identity, offer: &Offer, output: Vec<i64>, trace: &Trace) -> Self {
        Self::of_model(node, offer, (offer.order.model, offer.order.input), output, trace)
    }

    /// A node's answer to an offer, for the key and the digest of the input that it is about.
    pub(crate) fn of_model(
        node: &Identity,
        offer: &Offer,
        (model, input): (Hex<32>, Hex<32>),
        output: Vec<i64>,
        trace: &Trace,
    ) -> Self {
        let Offer { job, order, rate, reveal_by, prove_by, .. } = offer;
        let answer = Answer {
            chain_id: order.chain_id,
            job: *job,
            model,
            input,
            output: Hex(ValuesDigest::of(&ClaimedValues::Public(output.clone())).0.0),
            execution: trace.root(),
            rate: *rate,
            reveal_by: *reveal_by,
            prove_by: *prove_by,
            node: node.public_key(),
        };
        let signature = node.sign(&answer.encode());
        Self { answer, signature, output, trace: trace.digests(), spans: None }
    }

    /// The job that it answers.
    #[must_use]
    pub fn job(&self) -> JobId {
        JobId(self.answer.job.0)
    }

    /// The digest of the output.
    #[must_use]
    pub fn output_digest(&self) -> ValuesDigest {
        ValuesDigest(Digest(self.answer.output.0))
    }

    /// Whether it answers the order, and its node has signed it. Needs nothing but these: anybody
    /// can check it offline.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self, order: &Order, key: &VerifyingKey) -> Result<(), AnswerError> {
        let Self { answer, signature, output, trace, spans } = self;
        let same = [
            ("chain_id", answer.chain_id == order.chain_id),
            ("job", self.job() == order.job()),
            ("model", answer.model == order.model && key.digest() == order.model()),
            ("input", answer.input == order.input),
            ("prove_by", answer.prove_by <= order.deadline),
            ("rate", answer.rate >= order.sampling.as_ref().map_or(ALWAYS, |wanted| wanted.rate)),
            ("reveal_by", answer.reveal_by <= answer.prove_by),
            ("execution", !trace.is_empty()),
        ];
        if spans.is_some() {
            return Err(AnswerError::Spans);
        }
        if let Some((field, _)) = same.into_iter().find(|(_, same)| !same) {
            return Err(AnswerError::Field { field });
        }
        check_values(&key.parts().layout.outputs, output).map_err(AnswerError::Values)?;
        let got = ValuesDigest::of(&ClaimedValues::Public(output.clone()));
        let expected = self.output_digest();
        if got != expected {
            return Err(AnswerError::Output { expected, got });
        }
        let (expected, got) = (answer.execution, Trace::from_digests(trace).root());
        if got != expected {
            return Err(AnswerError::Execution { expected, got });
        }
        if answer.is_signed(signature) { Ok(()) } else { Err(AnswerError::Signature) }
    }
}
