//! Why the market does not do something.

use thiserror::Error;
use zkinfer_settlement::{Amount, JobId, Refusal};

use crate::{answer::AnswerError, beacon::BeaconError, order::OrderError, queue::QueueError};

/// Why an operation of the market did not happen. Nothing was changed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MarketError {
    /// The escrow's rules are against it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The order is wrong.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// The answer is wrong.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// A secret that draws no lot.
    #[error(transparent)]
    Reveal(#[from] RevealError),
    /// There is no such job that something can still happen to.
    #[error("there is no live job {job}")]
    NotLive {
        /// The job.
        job: JobId,
    },
    /// The node has not said hello since the coordinator started.
    #[error("say hello first: this coordinator does not know the node's capabilities")]
    UnknownNode,
    /// As many jobs are open as the coordinator takes.
    #[error("{limit} jobs are open, which is the limit of this coordinator; try again later")]
    Full {
        /// The limit.
        limit: usize,
    },
    /// A stake above what a node's bond is asked to have free.
    #[error("order.stake: {got} is above {most}, the largest of this market")]
    StakeTooLarge {
        /// The largest.
        most: Amount,
        /// Of the order.
        got: Amount,
    },
    /// A deadline before nodes could have answered.
    #[error("order.deadline: {deadline} is before {least}: nodes have until then to answer")]
    TooSoon {
        /// Of the order, in Unix seconds.
        deadline: u64,
        /// The first that is possible.
        least: u64,
    },
    /// A part before or this one was answered otherwise, while its proof was checked.
    #[error("what the part takes or gives has changed meanwhile: its proof is of another run")]
    PartChanged,
    /// Parts are taken back together.
    #[error("the job is a part of the job {whole}: take that back")]
    OnePart {
        /// The job of all parts.
        whole: JobId,
    },
    /// The queue failed.
    #[error("the queue failed")]
    Queue(#[from] QueueError),
    /// The ledger failed; the coordinator must be started again.
    #[error("the ledger failed: {0}")]
    Ledger(String),
}

/// Why a buyer's secret draws no lot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RevealError {
    /// The order says that every answer must be proven.
    #[error("the order has no sampling: its answer must be proven anyway")]
    NotSampled,
    /// The order commits to another secret, or is for a round of drand.
    #[error("secret: it is not the one that the order commits to, or that it asks for")]
    Commitment,
    /// Another round than that of the answer.
    #[error("round: the lot of this answer is drawn by round {expected}, not by {got}")]
    Round {
        /// Of the answer.
        expected: u64,
        /// Handed in.
        got: u64,
    },
    /// A signature that is not that of the round.
    #[error(transparent)]
    Beacon(#[from] BeaconError),
    /// Nothing was answered. Who reveals before lets the node choose its lot.
    #[error("nothing was answered yet: reveal after the answer, never before")]
    NoAnswer,
    /// This answer must be proven anyway.
    #[error("the answer must be proven anyway: its rate is a million of a million")]
    Always,
    /// The answer is about to be accepted.
    #[error("the last moment to reveal was {reveal_by}, now it is {now}")]
    Late {
        /// The last moment.
        reveal_by: u64,
        /// The coordinator's clock.
        now: u64,
    },
}

/// Why an offer is not worth a node's while.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OfferError {
    /// The order in it is wrong.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// The name is not that of the order.
    #[error("the offer's name is not that of its order")]
    Name,
    /// Less than the order pays, or than the node wants.
    #[error("price: {got} is below {least}")]
    Price {
        /// Of the offer.
        got: u128,
        /// The least.
        least: u128,
    },
    /// Too little time for a proof after those that were promised before.
    #[error("prove_by: {latest} is before {earliest}, when a proof could be there")]
    Late {
        /// When it could be there, in Unix seconds.
        earliest: u64,
        /// Of the offer.
        latest: u64,
    },
    /// Blindings that are none, or not of the columns that the part has.
    #[error("part: a blinding of {got} columns where the part has {expected}, or one that is none")]
    Blinding {
        /// Columns of the part.
        expected: usize,
        /// Columns of the offer.
        got: usize,
    },
    /// The moments are not in order.
    #[error("the offer's moments do not lie before the deadline")]
    Moments,
}
