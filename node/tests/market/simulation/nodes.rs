//! The nodes of a simulation.

use std::{cell::RefCell, rc::Rc};

use zkinfer::verifier::keccak256;
use zkinfer_node::{Hex, Offer, PublicKey, Waiter};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Quick,
    Slow,
    /// Takes jobs and says nothing.
    Silent,
    /// Answers wrongly, and cannot prove that.
    Liar,
    /// Comes and goes.
    Fickle,
}

impl Kind {
    pub(super) fn of(number: u64) -> Self {
        match number % 10 {
            0..=3 => Self::Quick,
            4..=5 => Self::Slow,
            6 => Self::Silent,
            7 => Self::Liar,
            _ => Self::Fickle,
        }
    }

    pub(super) fn answer_ms(self) -> u64 {
        if self == Self::Slow { 900 } else { 20 }
    }

    pub(super) fn proof_ms(self) -> u64 {
        if self == Self::Slow { 8_000 } else { 1_500 }
    }
}

pub(super) type Mail = Rc<RefCell<Vec<(u64, Offer)>>>;

/// An open request of a node.
#[derive(Debug)]
pub(super) struct Post {
    pub(super) node: u64,
    pub(super) mail: Mail,
}

impl Waiter for Post {
    fn is_closed(&self) -> bool {
        false
    }

    fn deliver(self, offer: Offer) {
        self.mail.borrow_mut().push((self.node, offer));
    }
}

pub(super) fn key(node: u64) -> PublicKey {
    Hex(keccak256(&[b"node", &node.to_be_bytes()]))
}
