//! What goes over the wire between a coordinator and everybody else.

use crate::{
    account::{PublicKey, Signature},
    answer::SignedAnswer,
    encoding::{Decimal, Hex},
    nodes::{Capabilities, NodeView},
    offer::Offer,
    order::Order,
    part::PartView,
    schema::wire,
    sealed::{BoxEvidence, SealedInput},
};

wire! {
    /// What is wrong, by RFC 9457.
    pub struct Problem {
        /// Which problem: a word that never changes its meaning, as a relative reference.
        pub r#type: String,
        /// The same in short, for people.
        pub title: String,
        /// The HTTP status.
        pub status: u32,
        /// What is wrong here, where, and what to do.
        pub detail: String,
    }

    /// A job, as the coordinator sees it.
    pub struct JobView {
        /// The name of the job: the digest of its order.
        pub job: Hex<32>,
        /// The order.
        pub order: Order,
        /// The buyer's signature over it.
        pub signature: Signature,
        /// open, staked, settled, accepted, forfeited, refunded, slashed or cancelled; of a model in parts, settled if
        /// all of them are, and else what is worst of them.
        pub state: String,
        /// Whether this state is on the coordinator's disk.
        pub durable: bool,
        /// The account of the node that has it, had it paid, or lost its stake.
        pub node: Option<Hex<20>>,
        /// What that node gets, or got; of a model in parts, all of their nodes, once each part has one.
        pub price: Option<Decimal<u128>>,
        /// The node's answer.
        pub answer: Option<SignedAnswer>,
        /// The buyer's secret, once it is revealed.
        pub secret: Option<Hex<32>>,
        /// The signature of the answer's round of drand, once it is handed in.
        pub round: Option<Hex<48>>,
        /// When the state was reached, of an end.
        pub at: Option<u64>,
        /// The boxes of a job whose price was forfeited.
        pub sealed: Option<Vec<SealedInput>>,
        /// What its node has shown of its own box.
        pub fault: Option<BoxEvidence>,
        /// The parts, of a job of a model in parts; the answer is that of the last.
        pub parts: Option<Vec<PartView>>,
    }

    /// What draws the lot of an answer: one of these.
    pub struct Reveal {
        /// The buyer's secret, to which the order commits.
        pub secret: Option<Hex<32>>,
        /// The signature of the answer's round of drand, where the order commits to nothing.
        pub round: Option<Hex<48>>,
    }

    /// What an account has.
    pub struct AccountView {
        /// The account.
        pub account: Hex<20>,
        /// What it can spend or withdraw.
        pub balance: Decimal<u128>,
        /// What is free of its bond.
        pub bond: Decimal<u128>,
    }

    /// An amount to move.
    pub struct Move {
        /// How much.
        pub amount: Decimal<u128>,
    }

    /// A node that wants jobs.
    pub struct Hello {
        /// What it can do.
        pub capabilities: Capabilities,
    }

    /// What a node is told when it comes, or comes back.
    pub struct HelloReply {
        /// Its account.
        pub account: Hex<20>,
        /// Jobs that it still has: to be answered and proven.
        pub held: Vec<Offer>,
        /// Seconds between two signs of life.
        pub heartbeat_seconds: u64,
    }

    /// The word of the coordinator that a job is the node's, durably: proving is worth its while.
    pub struct Held {
        /// The job.
        pub job: Hex<32>,
        /// Last moment of the proof, in Unix seconds.
        pub prove_by: u64,
    }

    /// The coordinator and its market.
    pub struct MarketView {
        /// What proofs are bound to.
        pub chain_id: Decimal<u64>,
        /// Digests of the verifying keys that are served.
        pub models: Vec<Hex<32>>,
        /// Roots of the manifests of models in parts that are.
        pub manifests: Vec<Hex<32>>,
        /// Whether nodes are given the models themselves.
        pub shares_models: bool,
        /// The key of the coordinator.
        pub coordinator: PublicKey,
        /// The same in SS58: the receiver of requests that are signed as Bittensor's are, where they are
        /// taken.
        pub coordinator_ss58: Option<String>,
        /// Seconds a node has for an answer.
        pub answer_seconds: u64,
        /// Seconds a node has for a proof.
        pub prove_seconds: u64,
        /// Seconds a buyer has, after the time for the answer, to reveal his secret.
        pub reveal_seconds: u64,
        /// The time of the coordinator, in Unix seconds.
        pub now: u64,
    }

    /// All nodes.
    pub struct NodeList {
        /// In the order of their accounts.
        pub nodes: Vec<NodeView>,
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({}): {}", self.title, self.status, self.detail)
    }
}

/// A file of a model that a coordinator shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ModelFile {
    /// The model, `.onnx`.
    Onnx,
    /// The settings that make integers of it, `.zkinfer.json`.
    Settings,
    /// Those of a part of a model, from 0.
    PartSettings(usize),
}

impl ModelFile {
    /// Its place below that of the model.
    pub(crate) fn path(self) -> String {
        match self {
            Self::Onnx => "onnx".to_owned(),
            Self::Settings => "settings".to_owned(),
            Self::PartSettings(part) => format!("settings/{part}"),
        }
    }
}
