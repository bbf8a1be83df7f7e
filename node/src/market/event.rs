//! What has happened to a job.

use std::sync::Arc;

use zkinfer_settlement::{Address, Amount};

use crate::{
    answer::SignedAnswer,
    order::JobRequest,
    part::{Blinding, Place},
    ramp::Prices,
    sampling::Lot,
    sealed::BoxEvidence,
};

/// Something that has happened to a job.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// It was ordered.
    Opened {
        /// The order with its input.
        request: Arc<JobRequest>,
        /// Which part of it, and what blinds what that gives.
        part: Option<(Place, Option<Arc<Blinding>>)>,
        /// What the node gets.
        prices: Prices,
    },
    /// A node has it.
    Assigned {
        /// Which node.
        node: Address,
        /// What it is to get.
        price: Amount,
    },
    /// The node has answered.
    Answered {
        /// The answer.
        answer: Arc<SignedAnswer>,
        /// Milliseconds since the offer; none if the coordinator was started in between.
        after_ms: Option<u64>,
    },
    /// The answer must be proven: by the buyer's secret, by a round of drand, or because no round was
    /// handed in in time.
    Drawn {
        /// Which node.
        node: Address,
        /// What has drawn it, if it was drawn.
        lot: Option<Lot>,
    },
    /// The node was paid for its answer, without a proof.
    Accepted {
        /// Which node.
        node: Address,
        /// What has drawn it, if the buyer was not silent.
        lot: Option<Lot>,
    },
    /// The node was paid.
    Settled {
        /// Which node.
        node: Address,
        /// Milliseconds since the answer; none if there was none that is remembered.
        after_ms: Option<u64>,
    },
    /// The proof of a part is there, and waits for those of the others.
    Delivered {
        /// Which node.
        node: Address,
        /// Milliseconds since the answer; none if there was none that is remembered.
        after_ms: Option<u64>,
    },
    /// A part waits for a node again, because a part before it was answered otherwise: that counts
    /// against nobody.
    Released {
        /// Which node had it.
        node: Address,
    },
    /// The lease is over; the job waits for another node.
    Lapsed {
        /// Which node had it.
        node: Address,
    },
    /// The job waits for another node, because the coordinator was started anew during the lease:
    /// that counts against nobody.
    Returned {
        /// Which node had it.
        node: Address,
    },
    /// The node was paid, because the sealed input of the order is none.
    Forfeited {
        /// Which node.
        node: Address,
        /// What it has shown.
        evidence: Arc<BoxEvidence>,
    },
    /// The node has lost its stake.
    Slashed {
        /// Which node.
        node: Address,
        /// Whether a proof has contradicted its answer; else it was late.
        contradicted: bool,
    },
    /// The buyer has the price back.
    Refunded,
    /// The buyer has taken it back.
    Cancelled,
}

impl Event {
    /// Its name, which never changes its meaning.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Opened { .. } => "opened",
            Self::Assigned { .. } => "assigned",
            Self::Answered { .. } => "answered",
            Self::Drawn { .. } => "drawn",
            Self::Accepted { .. } => "accepted",
            Self::Settled { .. } => "settled",
            Self::Delivered { .. } => "delivered",
            Self::Released { .. } => "released",
            Self::Lapsed { .. } => "lapsed",
            Self::Returned { .. } => "returned",
            Self::Forfeited { .. } => "forfeited",
            Self::Slashed { .. } => "slashed",
            Self::Refunded => "refunded",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What a proof has led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Paid.
    Paid,
    /// The proof contradicts the node's own answer, which cost the stake.
    Contradicted,
}
