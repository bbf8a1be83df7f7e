//! What goes over the wire, and its description for others: one declaration gives both.

use serde_json::{Map, Value, json};

use crate::{
    account::{PublicKey, Signature},
    answer::SignedAnswer,
    encoding::{Decimal, Hex},
    nodes::{Capabilities, NodeView},
    order::{Offer, Order},
};

/// A type with a JSON schema.
pub trait Schema {
    /// Whether a field of this type may be left out.
    const OPTIONAL: bool = false;

    /// The schema: a reference, where it is a type with a name.
    fn schema() -> Value;

    /// Adds the schemas of types with names, this one's and those that it uses.
    fn define(_: &mut Map<String, Value>) {}
}

/// Declares types that are read strictly, written, and described.
macro_rules! wire {
    ($(
        $(#[doc = $doc:literal])+
        pub struct $name:ident {
            $( $(#[doc = $field_doc:literal])+ pub $field:ident: $type:ty, )*
        }
    )+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $( $(#[doc = $field_doc])+ pub $field: $type, )*
        }

        impl crate::wire::Schema for $name {
            fn schema() -> serde_json::Value {
                serde_json::json!({ "$ref": concat!("#/components/schemas/", stringify!($name)) })
            }

            fn define(all: &mut serde_json::Map<String, serde_json::Value>) {
                if all.contains_key(stringify!($name)) {
                    return;
                }
                let fields = [$((
                    stringify!($field),
                    concat!($($field_doc),+).trim(),
                    <$type as crate::wire::Schema>::schema(),
                    <$type as crate::wire::Schema>::OPTIONAL,
                )),*];
                let schema = crate::wire::object(concat!($($doc),+).trim(), &fields);
                all.insert(stringify!($name).to_owned(), schema);
                $( <$type as crate::wire::Schema>::define(all); )*
            }
        }
    )+};
}
pub(crate) use wire;

/// The schema of an object of fields: name, description, schema, whether it may be left out.
pub(crate) fn object(description: &str, fields: &[(&str, &str, Value, bool)]) -> Value {
    let property = |(name, description, schema, _): &(&str, &str, Value, bool)| {
        let name = name.trim_start_matches("r#").to_owned();
        (name, json!({ "description": description, "allOf": [schema] }))
    };
    let required = fields.iter().filter(|(.., optional)| !optional);
    json!({
        "type": "object",
        "description": description,
        "properties": fields.iter().map(property).collect::<Map<_, _>>(),
        "required": required.map(|(name, ..)| name.trim_start_matches("r#")).collect::<Vec<_>>(),
        "additionalProperties": false,
    })
}

impl<T: Schema> Schema for Option<T> {
    const OPTIONAL: bool = true;

    fn schema() -> Value {
        json!({ "anyOf": [T::schema(), { "type": "null" }] })
    }

    fn define(all: &mut Map<String, Value>) {
        T::define(all);
    }
}

impl<T: Schema> Schema for Vec<T> {
    fn schema() -> Value {
        json!({ "type": "array", "items": T::schema() })
    }

    fn define(all: &mut Map<String, Value>) {
        T::define(all);
    }
}

macro_rules! plain {
    ($($type:ty => $schema:tt),+ $(,)?) => {$(
        impl Schema for $type {
            fn schema() -> Value {
                json!($schema)
            }
        }
    )+};
}

plain! {
    bool => { "type": "boolean" },
    String => { "type": "string" },
    u32 => { "type": "integer", "minimum": 0 },
    u64 => { "type": "integer", "minimum": 0 },
    i64 => { "type": "integer" },
    f64 => { "type": "number" },
}

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
        /// open, staked, settled, accepted, refunded, slashed or cancelled.
        pub state: String,
        /// Whether this state is on the coordinator's disk.
        pub durable: bool,
        /// The account of the node that has it, had it paid, or lost its stake.
        pub node: Option<Hex<20>>,
        /// The node's answer.
        pub answer: Option<SignedAnswer>,
        /// The buyer's secret, once it is revealed.
        pub secret: Option<Hex<32>>,
        /// When the state was reached, of an end.
        pub at: Option<u64>,
    }

    /// What a buyer has committed to.
    pub struct Reveal {
        /// His secret.
        pub secret: Hex<32>,
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
        /// The key of the coordinator.
        pub coordinator: PublicKey,
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
