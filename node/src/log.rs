//! What the coordinator says has happened: a chain of entries, each signed, none of which can be
//! changed, left out or put in later without breaking the chain.
//!
//! Where a buyer or a node took part, an entry holds the digest of his own signature: over the order
//! of an opened job, over the answer of an answered one. So nobody can be said to have done what he
//! did not do.

use std::collections::BTreeMap;

use thiserror::Error;
use zkinfer::verifier::keccak256;
use zkinfer_settlement::{Address, JobId};

use crate::{
    account::{Identity, PublicKey, Signature},
    encoding::{Decimal, Hex},
    ledger::Phase,
    market::Event,
    schema::wire,
};

/// Separates entries from everything else that is hashed or signed.
const LOG_DOMAIN: &[u8; 16] = b"zkinfer.log.v2\0\0";

/// What entries can say, in the order of their numbers.
const EVENTS: [&str; 15] = [
    "opened",
    "assigned",
    "answered",
    "settled",
    "lapsed",
    "slashed",
    "refunded",
    "cancelled",
    "undone",
    "drawn",
    "accepted",
    "returned",
    "delivered",
    "released",
    "forfeited",
];

wire! {
    /// One entry of the log.
    pub struct LogEntry {
        /// Its place, from 0.
        pub number: u64,
        /// The digest of the entry before; of the first, that of the market.
        pub previous: Hex<32>,
        /// When, in Unix milliseconds.
        pub at: u64,
        /// The job.
        pub job: Hex<32>,
        /// opened, assigned, answered, drawn (the answer must be proven), settled, accepted (paid
        /// without a proof), forfeited (paid because the sealed input is none), lapsed, slashed, refunded,
        /// cancelled; delivered: the proof of a part is there;
        /// released: a part before it was answered otherwise; returned: the lease ended because the
        /// coordinator was started anew; or undone: what the entry before said of the job did not come
        /// to pass, because of a crash.
        pub event: String,
        /// The node that it is about.
        pub node: Option<Hex<20>>,
        /// Keccak-256 of the buyer's signature over the order, or the node's over the answer; the
        /// buyer's secret, if he has revealed it, or the randomness of a round of drand, of an answer
        /// that was drawn or accepted.
        pub detail: Option<Hex<32>>,
        /// The price, of an opened job, or its share of one in parts; what the node is to get, of an assigned one.
        pub price: Option<Decimal<u128>>,
        /// The job of which an opened one is a part.
        pub whole: Option<Hex<32>>,
        /// Whether the input of an opened one is sealed.
        pub sealed: bool,
        /// The price at which an opened one begins, if it rises.
        pub from: Option<Decimal<u128>>,
        /// The coordinator's signature.
        pub signature: Signature,
    }

    /// A piece of the log.
    pub struct LogPage {
        /// The entries, in order.
        pub entries: Vec<LogEntry>,
    }
}

/// Why entries are no log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LogError {
    /// Left out, put in, or out of order.
    #[error("entry {number} is not where it belongs: its place is {expected}")]
    Number {
        /// What it says.
        number: u64,
        /// Where it is.
        expected: u64,
    },
    /// Another entry came before it.
    #[error("entry {number} does not follow the entry before it")]
    Previous {
        /// Which entry.
        number: u64,
    },
    /// Not the coordinator's.
    #[error("entry {number} is not signed by the coordinator")]
    Signature {
        /// Which entry.
        number: u64,
    },
    /// An event of no known kind.
    #[error("entry {number} says something unknown")]
    Event {
        /// Which entry.
        number: u64,
    },
    /// Time went back.
    #[error("entry {number} is earlier than the entry before it")]
    Time {
        /// Which entry.
        number: u64,
    },
}

impl LogEntry {
    /// The one encoding: a domain tag of 16 bytes, then the fields in order but the signature,
    /// big-endian; the event as its number; what may be missing after a byte 0 or 1. `None` for an
    /// event of no known kind.
    #[must_use]
    pub fn encode(&self) -> Option<Vec<u8>> {
        let Self {
            number, previous, at, job, event, node, detail, price, whole, sealed, from, ..
        } = self;
        let event = EVENTS.iter().position(|name| name == event)?;
        let mut bytes = LOG_DOMAIN.to_vec();
        bytes.extend(number.to_be_bytes());
        bytes.extend(previous.0);
        bytes.extend(at.to_be_bytes());
        bytes.extend(job.0);
        bytes.push(u8::try_from(event).ok()?);
        bytes.push(u8::from(node.is_some()));
        bytes.extend(node.iter().flat_map(|node| node.0));
        bytes.push(u8::from(detail.is_some()));
        bytes.extend(detail.iter().flat_map(|detail| detail.0));
        bytes.push(u8::from(price.is_some()));
        bytes.extend(price.iter().flat_map(|price| price.0.to_be_bytes()));
        bytes.push(u8::from(whole.is_some()));
        bytes.extend(whole.iter().flat_map(|whole| whole.0));
        bytes.push(u8::from(*sealed));
        bytes.push(u8::from(from.is_some()));
        bytes.extend(from.iter().flat_map(|from| from.0.to_be_bytes()));
        Some(bytes)
    }
}

impl LogEntry {
    /// Signs an entry, which has no signature yet: nothing that follows it depends on that.
    pub(crate) fn sign(&mut self, coordinator: &Identity) {
        if let Some(bytes) = self.encode() {
            self.signature = coordinator.sign(&bytes);
        }
    }
}

/// The end of a log, to which entries are added, or up to which they were checked.
#[derive(Clone, Debug)]
pub struct Chain {
    coordinator: PublicKey,
    next: u64,
    previous: Hex<32>,
    at: u64,
}

impl Chain {
    /// The log of a market without entries.
    #[must_use]
    pub fn new(chain_id: u64, coordinator: PublicKey) -> Self {
        let previous = keccak256(&[LOG_DOMAIN, &chain_id.to_be_bytes(), &coordinator.0]);
        Self { coordinator, next: 0, previous: Hex(previous), at: 0 }
    }

    /// How many entries it has.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.next
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.next == 0
    }

    /// When its last entry was written, in Unix milliseconds; 0 where there is none.
    #[must_use]
    pub fn last_at(&self) -> u64 {
        self.at
    }

    /// The digest of its last entry: who keeps it, notices every change of what came before.
    #[must_use]
    pub fn head(&self) -> Hex<32> {
        self.previous
    }

    /// Takes the next entry.
    ///
    /// # Errors
    /// If it does not belong there.
    pub fn check(&mut self, entry: &LogEntry) -> Result<(), LogError> {
        let number = entry.number;
        if number != self.next {
            return Err(LogError::Number { number, expected: self.next });
        }
        if entry.previous != self.previous {
            return Err(LogError::Previous { number });
        }
        if entry.at < self.at {
            return Err(LogError::Time { number });
        }
        let bytes = entry.encode().ok_or(LogError::Event { number })?;
        if !self.coordinator.has_signed(&bytes, &entry.signature) {
            return Err(LogError::Signature { number });
        }
        self.advance(&bytes, entry.at);
        Ok(())
    }

    /// Makes the next entry, to be [signed](LogEntry::sign); `None` for an event of no known kind.
    pub(crate) fn add(&mut self, (job, said): (JobId, &Said), at: u64) -> Option<LogEntry> {
        let entry = LogEntry {
            number: self.next,
            previous: self.previous,
            at: at.max(self.at),
            job: Hex(job.0),
            event: said.event.to_owned(),
            node: said.node.map(|node| Hex(node.0)),
            detail: said.detail.map(Hex),
            price: said.price.map(Decimal),
            whole: said.whole.map(|whole| Hex(whole.0)),
            sealed: said.sealed,
            from: said.from.map(Decimal),
            signature: Hex([0; 64]),
        };
        self.advance(&entry.encode()?, entry.at);
        Some(entry)
    }

    fn advance(&mut self, bytes: &[u8], at: u64) {
        self.previous = Hex(keccak256(&[bytes]));
        self.next = self.next.saturating_add(1);
        self.at = at;
    }
}

/// What an entry says of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    event: &'static str,
    node: Option<Address>,
    detail: Option<[u8; 32]>,
    price: Option<u128>,
    whole: Option<JobId>,
    sealed: bool,
    from: Option<u128>,
}

impl Said {
    pub(crate) fn of(event: &Event) -> Self {
        let mut said = Self { event: event.name(), ..Self::undone() };
        match event {
            Event::Opened { request, part, prices } => {
                said.whole = part.as_ref().map(|(place, _)| place.whole);
                said.sealed = request.sealed.is_some();
                said.from = prices.ramp.as_ref().map(|ramp| ramp.from.0);
                said.detail = Some(keccak256(&[&request.signature.0]));
                said.price = Some(prices.most);
            }
            Event::Answered { answer, .. } => {
                said.node = Some(answer.answer.node.address());
                said.detail = Some(keccak256(&[&answer.signature.0]));
            }
            Event::Drawn { node, lot } => {
                said.node = Some(*node);
                said.detail = lot.map(|lot| lot.secret().0);
            }
            Event::Accepted { node, lot } => {
                said.node = Some(*node);
                said.detail = lot.map(|lot| lot.secret().0);
            }
            Event::Assigned { node, price } => {
                said.node = Some(*node);
                said.price = Some(price.0);
            }
            Event::Settled { node, .. }
            | Event::Lapsed { node }
            | Event::Returned { node }
            | Event::Delivered { node, .. }
            | Event::Released { node }
            | Event::Forfeited { node, .. }
            | Event::Slashed { node, .. } => said.node = Some(*node),
            Event::Refunded | Event::Cancelled => {}
        }
        said
    }

    fn undone() -> Self {
        Self {
            event: "undone",
            node: None,
            detail: None,
            price: None,
            whole: None,
            sealed: false,
            from: None,
        }
    }
}

/// What the log last said of each job, to be compared with the ledger after a crash.
#[derive(Debug, Default)]
pub(crate) struct LastSaid(BTreeMap<JobId, String>);

impl LastSaid {
    pub(crate) fn add(&mut self, entry: &LogEntry) {
        self.0.insert(JobId(entry.job.0), entry.event.clone());
    }

    /// The jobs of which the log says more than has come to pass: it is written first.
    pub(crate) fn ahead(
        &self,
        mut phase: impl FnMut(JobId) -> Option<Phase>,
    ) -> Vec<(JobId, Said)> {
        let ahead = self.0.iter().filter(|(job, event)| {
            let expected = match event.as_str() {
                "opened" | "lapsed" | "returned" | "released" => "open",
                "assigned" | "answered" | "drawn" | "delivered" => "staked",
                "undone" => return false,
                ended => ended,
            };
            phase(**job).is_none_or(|phase| phase.name() != expected)
        });
        ahead.map(|(job, _)| (*job, Said::undone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use zkinfer_settlement::Amount;

    use super::*;

    const JOB: JobId = JobId([1; 32]);

    fn log(coordinator: &Identity) -> (Chain, Vec<LogEntry>) {
        let start = Chain::new(7, coordinator.public_key());
        let mut chain = start.clone();
        let node = Address([3; 20]);
        let price = Amount(7);
        let events = [Event::Assigned { node, price }, Event::Lapsed { node }, Event::Cancelled];
        let entries = events
            .iter()
            .zip([10, 5, 30])
            .map(|(event, at)| chain.add((JOB, &Said::of(event)), at).unwrap());
        let mut entries: Vec<_> = entries.collect();
        entries.iter_mut().for_each(|entry| entry.sign(coordinator));
        (start, entries)
    }

    fn check(start: &Chain, entries: &[LogEntry]) -> Result<Chain, LogError> {
        let mut chain = start.clone();
        entries.iter().try_for_each(|entry| chain.check(entry))?;
        Ok(chain)
    }

    #[test]
    fn a_log_is_checked_to_its_head_and_time_does_not_go_back() {
        let (start, entries) = log(&Identity::from_seed([1; 32]));
        let chain = check(&start, &entries).unwrap();
        assert_eq!((chain.len(), chain.is_empty()), (3, false));
        assert_ne!(chain.head(), start.head());
        assert_eq!(entries.iter().map(|entry| entry.at).collect::<Vec<_>>(), [10, 10, 30]);
    }

    #[test]
    fn every_change_of_a_log_is_noticed() {
        let coordinator = Identity::from_seed([1; 32]);
        let (start, entries) = log(&coordinator);
        let refused = |entries: &[LogEntry]| check(&start, entries).unwrap_err();
        let changed = |edit: &dyn Fn(&mut LogEntry)| {
            let mut entries = entries.clone();
            edit(&mut entries[1]);
            refused(&entries)
        };
        let signature = LogError::Signature { number: 1 };
        assert_eq!(changed(&|entry| entry.at += 1), signature);
        assert_eq!(changed(&|entry| entry.job.0[0] ^= 1), signature);
        assert_eq!(changed(&|entry| entry.event = "settled".to_owned()), signature);
        assert_eq!(changed(&|entry| entry.node = None), signature);
        assert_eq!(changed(&|entry| entry.detail = Some(Hex([0; 32]))), signature);
        assert_eq!(changed(&|entry| entry.price = Some(Decimal(1))), signature);
        assert_eq!(changed(&|entry| entry.whole = Some(Hex([0; 32]))), signature);
        assert_eq!(changed(&|entry| entry.sealed = true), signature);
        assert_eq!(changed(&|entry| entry.from = Some(Decimal(1))), signature);
        assert_eq!(changed(&|entry| entry.signature.0[9] ^= 1), signature);
        let number = LogError::Event { number: 1 };
        assert_eq!(changed(&|entry| entry.event = "nothing".to_owned()), number);
        assert_eq!(changed(&|entry| entry.at = 0), LogError::Time { number: 1 });
        let without = [entries[0].clone(), entries[2].clone()];
        assert_eq!(refused(&without), LogError::Number { number: 2, expected: 1 });
        // Even by the coordinator itself: whoever keeps a head sees another.
        let mut other = start.clone();
        let node = Address([4; 20]);
        let mut first =
            other.add((JOB, &Said::of(&Event::Assigned { node, price: Amount(7) })), 10).unwrap();
        first.sign(&coordinator);
        let forked = [first, entries[1].clone()];
        assert_eq!(refused(&forked), LogError::Previous { number: 1 });
        let another = Chain::new(8, coordinator.public_key());
        assert_eq!(check(&another, &entries).unwrap_err(), LogError::Previous { number: 0 });
    }

    #[test]
    fn what_a_crash_has_undone_is_found() {
        let (_, entries) = log(&Identity::from_seed([1; 32]));
        let last = |count: usize| {
            let mut last = LastSaid::default();
            entries[..count].iter().for_each(|entry| last.add(entry));
            last
        };
        let undone = |count, phase: Option<Phase>| last(count).ahead(|_| phase).len();
        let (prover, price) = (Address([3; 20]), Amount(7));
        let staked = Phase::Staked { prover, price, until: 1, answer: None };
        assert_eq!(
            (undone(1, Some(staked)), undone(1, Some(Phase::Open)), undone(1, None)),
            (0, 1, 1)
        );
        assert_eq!((undone(2, Some(Phase::Open)), undone(2, Some(staked))), (0, 1));
        assert_eq!(undone(3, Some(Phase::Cancelled { at: 1 })), 0);
    }
}
