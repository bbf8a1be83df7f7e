//! What a node is offered.

use crate::{
    account::Signature,
    encoding::{Decimal, Hex},
    order::Order,
    part::PartOffer,
    schema::wire,
    sealed::SealedInput,
};

wire! {
    /// A job for a node.
    pub struct Offer {
        /// The name of the job: the digest of its order, or that of a part of it.
        pub job: Hex<32>,
        /// The order.
        pub order: Order,
        /// The buyer's signature over it.
        pub signature: Signature,
        /// Which part of the order's model, if it is one.
        pub part: Option<PartOffer>,
        /// The input; of a part, what it takes; none where it is sealed.
        pub input: Vec<i64>,
        /// The boxes of a sealed input, this node's among them.
        pub sealed: Option<Vec<SealedInput>>,
        /// What the node gets for its proof.
        pub price: Decimal<u128>,
        /// Last moment for the answer, in Unix seconds.
        pub answer_by: u64,
        /// How many of a million such answers are drawn to be proven; a million: this one is.
        pub rate: u32,
        /// Last moment at which the buyer can reveal whether this one is drawn, in Unix seconds; 0
        /// where it must be proven anyway.
        pub reveal_by: u64,
        /// Last moment for the proof of an answer that is given now, in Unix seconds.
        pub prove_by: u64,
        /// Whether the node has answered before, and only the proof is missing.
        pub answered: bool,
    }
}
