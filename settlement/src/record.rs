//! The records of an escrow as bytes: fixed-width, big-endian, each content in one spelling only.
//!
//! | record | key | value |
//! |---|---|---|
//! | books | `00` | magic `ZKESCROW`, version u16, chain id u64, total u128 |
//! | account | `01`, address 20 | balance u128 |
//! | job | `02`, id 32 | terms, state |
//! | deposit | `03`, id 32 | account 20, amount u128 |
//! | withdrawal | `04`, account 20, id 32 | amount u128 |
//! | opening | `05`, id of the job 32 | blinding 32, count u64, values i64 |
//! | bond | `06`, prover 20 | free u128 |
//!
//! Terms: buyer 20, payee (`00`, or `01` and 20 bytes), model 32, input 32, delivery u8 (0 shown, 1
//! opened), nonce u64, price u128, stake u128, deadline u64. State: `00` open; `01` staked,
//! prover 20, end of the lease u64, price u128, source of the stake u8 (0 balance, 1 bond), answer
//! (`00`, or `01` and 32 bytes); `02` settled, payee 20, price u128, expiry u64, output 32, time u64;
//! `03` refunded, time u64; `04` slashed, prover 20, time u64; `05` cancelled, time u64; `06`
//! accepted, prover 20, price u128, output 32, time u64; `07` forfeited, prover 20, price u128, time
//! u64.

use thiserror::Error;
use zkinfer_verifier::{Blinding, Digest, KeyDigest, Opening};

use crate::{
    job::{Accepted, AnyJob, Delivery, Forfeited, JobTerms, Settled, StoredState},
    quantities::{Address, Amount, DepositId, JobId, ValuesDigest, WithdrawalId},
    staked::{Lease, Staked},
    store::Record,
};

/// First bytes of the books.
const MAGIC: [u8; 8] = *b"ZKESCROW";
/// The version of all records. A change that moves a byte or the meaning of one changes it.
pub(crate) const VERSION: u16 = 4;

/// Which record of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKey {
    /// What the escrow is, and how much was paid in.
    Books,
    /// What an account has.
    Account(Address),
    /// A job.
    Job(JobId),
    /// A payment into the escrow.
    Deposit(DepositId),
    /// A payment out of the escrow.
    Withdrawal(Address, WithdrawalId),
    /// The opening of a paid job's output.
    Opening(JobId),
    /// What a prover has put at stake and is not held for jobs.
    Bond(Address),
}

impl RecordKey {
    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Books => vec![0],
            Self::Account(Address(id)) => [&[1], &id[..]].concat(),
            Self::Job(JobId(id)) => [&[2], &id[..]].concat(),
            Self::Deposit(DepositId(id)) => [&[3], &id[..]].concat(),
            Self::Withdrawal(Address(account), WithdrawalId(id)) => {
                [&[4], &account[..], &id[..]].concat()
            }
            Self::Opening(JobId(id)) => [&[5], &id[..]].concat(),
            Self::Bond(Address(id)) => [&[6], &id[..]].concat(),
        }
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (tag, id) = bytes.split_first()?;
        match tag {
            0 => id.is_empty().then_some(Self::Books),
            1 => id.try_into().ok().map(Address).map(Self::Account),
            2 => id.try_into().ok().map(JobId).map(Self::Job),
            3 => id.try_into().ok().map(DepositId).map(Self::Deposit),
            4 => {
                let (account, id) = id.split_first_chunk()?;
                let id = id.try_into().ok().map(WithdrawalId)?;
                Some(Self::Withdrawal(Address(*account), id))
            }
            5 => id.try_into().ok().map(JobId).map(Self::Opening),
            6 => id.try_into().ok().map(Address).map(Self::Bond),
            _ => None,
        }
    }
}

/// The content of a record, with its key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "a few are made at a time, and none is kept")]
pub(crate) enum Entry {
    Books { chain_id: u64, total: Amount },
    Account { account: Address, balance: Amount },
    Job(AnyJob),
    Deposit { deposit: DepositId, account: Address, amount: Amount },
    Withdrawal { withdrawal: WithdrawalId, account: Address, amount: Amount },
    Opening { job: JobId, opening: Opening },
    Bond { prover: Address, free: Amount },
}

/// What the first bytes of the books say.
pub(crate) enum Format {
    Ours,
    Version(u16),
    Foreign,
}

/// Whether the books are ones that this version reads.
pub(crate) fn format_of(books: &[u8]) -> Format {
    let mut reader = Reader::new(books);
    match (reader.array(), reader.u16()) {
        (Ok(MAGIC), Ok(VERSION)) => Format::Ours,
        (Ok(MAGIC), Ok(version)) => Format::Version(version),
        _ => Format::Foreign,
    }
}

impl Entry {
    pub(crate) fn key(&self) -> RecordKey {
        match self {
            Self::Books { .. } => RecordKey::Books,
            Self::Account { account, .. } => RecordKey::Account(*account),
            Self::Job(job) => RecordKey::Job(job.id()),
            Self::Deposit { deposit, .. } => RecordKey::Deposit(*deposit),
            Self::Withdrawal { account, withdrawal, .. } => {
                RecordKey::Withdrawal(*account, *withdrawal)
            }
            Self::Opening { job, .. } => RecordKey::Opening(*job),
            Self::Bond { prover, .. } => RecordKey::Bond(*prover),
        }
    }

    pub(crate) fn encode(&self) -> Record {
        let mut value = Vec::new();
        match self {
            Self::Books { chain_id, total } => {
                value.extend(MAGIC);
                value.extend(VERSION.to_be_bytes());
                value.extend(chain_id.to_be_bytes());
                value.extend(total.0.to_be_bytes());
            }
            Self::Bond { prover: _, free } => value.extend(free.0.to_be_bytes()),
            Self::Account { account: _, balance } => value.extend(balance.0.to_be_bytes()),
            Self::Job(job) => {
                encode_terms(job.terms(), &mut value);
                encode_state(&job.stored_state(), &mut value);
            }
            Self::Deposit { deposit: _, account, amount } => {
                value.extend(account.0);
                value.extend(amount.0.to_be_bytes());
            }
            Self::Withdrawal { withdrawal: _, account: _, amount } => {
                value.extend(amount.0.to_be_bytes());
            }
            Self::Opening { job: _, opening: Opening { values, blinding } } => {
                value.extend(blinding.to_bytes());
                let count = u64::try_from(values.len()).unwrap_or(u64::MAX);
                value.extend(count.to_be_bytes());
                value.extend(values.iter().flat_map(|value| value.to_be_bytes()));
            }
        }
        Record { key: self.key().encode(), value }
    }

    /// Any bytes are either refused or the encoding of exactly one content.
    pub(crate) fn decode(key: RecordKey, value: &[u8]) -> Result<Self, RecordError> {
        let mut reader = Reader::new(value);
        let entry = match key {
            RecordKey::Books => reader.books()?,
            RecordKey::Account(account) => Self::Account { account, balance: reader.amount()? },
            RecordKey::Job(id) => {
                let (terms, state) = (reader.terms()?, reader.state()?);
                Self::Job(AnyJob::restore(id, terms, state).ok_or(RecordError::Contradiction)?)
            }
            RecordKey::Deposit(deposit) => {
                let (account, amount) = (reader.address()?, reader.amount()?);
                Self::Deposit { deposit, account, amount }
            }
            RecordKey::Withdrawal(account, withdrawal) => {
                Self::Withdrawal { withdrawal, account, amount: reader.amount()? }
            }
            RecordKey::Opening(job) => Self::Opening { job, opening: reader.opening()? },
            RecordKey::Bond(prover) => Self::Bond { prover, free: reader.amount()? },
        };
        reader.finish()?;
        Ok(entry)
    }
}

fn encode_terms(terms: &JobTerms, value: &mut Vec<u8>) {
    let JobTerms { buyer, payee, model, input, delivery, nonce, price, stake, deadline } = terms;
    value.extend(buyer.0);
    value.push(u8::from(payee.is_some()));
    value.extend(payee.iter().flat_map(|payee| payee.0));
    value.extend(model.0.0);
    value.extend(input.0.0);
    value.push(match delivery {
        Delivery::Shown => 0,
        Delivery::Opened => 1,
    });
    value.extend(nonce.to_be_bytes());
    value.extend(price.0.to_be_bytes());
    value.extend(stake.0.to_be_bytes());
    value.extend(deadline.to_be_bytes());
}

fn encode_state(state: &StoredState, value: &mut Vec<u8>) {
    match state {
        StoredState::Open => value.push(0),
        StoredState::Staked(Staked { prover, lease }) => {
            let Lease { until, price, bonded, answer } = lease;
            value.push(1);
            value.extend(prover.0);
            value.extend(until.to_be_bytes());
            value.extend(price.0.to_be_bytes());
            value.push(u8::from(*bonded));
            value.push(u8::from(answer.is_some()));
            value.extend(answer.iter().flat_map(|answer| answer.0.0));
        }
        StoredState::Settled(Settled { payee, price, expiry, output, at }) => {
            value.push(2);
            value.extend(payee.0);
            value.extend(price.0.to_be_bytes());
            value.extend(expiry.to_be_bytes());
            value.extend(output.0.0);
            value.extend(at.to_be_bytes());
        }
        StoredState::Refunded { at } => {
            value.push(3);
            value.extend(at.to_be_bytes());
        }
        StoredState::Slashed { prover, at } => {
            value.push(4);
            value.extend(prover.0);
            value.extend(at.to_be_bytes());
        }
        StoredState::Cancelled { at } => {
            value.push(5);
            value.extend(at.to_be_bytes());
        }
        StoredState::Accepted(Accepted { prover, price, output, at }) => {
            value.push(6);
            value.extend(prover.0);
            value.extend(price.0.to_be_bytes());
            value.extend(output.0.0);
            value.extend(at.to_be_bytes());
        }
        StoredState::Forfeited(Forfeited { prover, price, output: (), at }) => {
            value.push(7);
            value.extend(prover.0);
            value.extend(price.0.to_be_bytes());
            value.extend(at.to_be_bytes());
        }
    }
}

/// Why stored bytes are no record of this format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The bytes end inside a field.
    #[error("it ends inside the field at byte {offset}")]
    Truncated {
        /// Where the field begins.
        offset: usize,
    },
    /// Bytes are left after the last field.
    #[error("{count} bytes are left after its end")]
    TrailingBytes {
        /// How many.
        count: usize,
    },
    /// A byte that should tell an alternative tells none.
    #[error("unknown tag {got} at byte {offset}")]
    Tag {
        /// Where.
        offset: usize,
        /// The byte.
        got: u8,
    },
    /// A blinding that is no field element.
    #[error("the blinding at byte {offset} is no field element")]
    Blinding {
        /// Where.
        offset: usize,
    },
    /// Books of another format or version.
    #[error("it has another format or version")]
    Format,
    /// A job in a state that the rules do not lead to.
    #[error("it contradicts the rules of the escrow")]
    Contradiction,
}

/// Takes fields off the front of a value; errors name the offset.
struct Reader<'a> {
    rest: &'a [u8],
    length: usize,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, length: bytes.len() }
    }

    fn offset(&self) -> usize {
        self.length.saturating_sub(self.rest.len())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], RecordError> {
        let truncated = RecordError::Truncated { offset: self.offset() };
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(truncated)?;
        self.rest = rest;
        Ok(*head)
    }

    /// A byte below `count`, which tells alternatives apart.
    fn tag(&mut self, count: u8) -> Result<u8, RecordError> {
        let offset = self.offset();
        let [got] = self.array()?;
        if got < count { Ok(got) } else { Err(RecordError::Tag { offset, got }) }
    }

    fn u16(&mut self) -> Result<u16, RecordError> {
        self.array().map(u16::from_be_bytes)
    }

    fn u64(&mut self) -> Result<u64, RecordError> {
        self.array().map(u64::from_be_bytes)
    }

    fn amount(&mut self) -> Result<Amount, RecordError> {
        self.array().map(u128::from_be_bytes).map(Amount)
    }

    fn address(&mut self) -> Result<Address, RecordError> {
        self.array().map(Address)
    }

    fn digest(&mut self) -> Result<Digest, RecordError> {
        self.array().map(Digest)
    }

    fn books(&mut self) -> Result<Entry, RecordError> {
        if (self.array()?, self.u16()?) != (MAGIC, VERSION) {
            return Err(RecordError::Format);
        }
        Ok(Entry::Books { chain_id: self.u64()?, total: self.amount()? })
    }

    fn opening(&mut self) -> Result<Opening, RecordError> {
        let offset = self.offset();
        let blinding = Blinding::from_bytes(&self.array()?);
        let blinding = blinding.ok_or(RecordError::Blinding { offset })?;
        // Nothing is allocated for the count: a value that is not there ends the reading.
        let values = (0..self.u64()?).map(|_| self.array().map(i64::from_be_bytes));
        let values = values.collect::<Result<_, _>>()?;
        Ok(Opening { values, blinding })
    }

    fn delivery(&mut self) -> Result<Delivery, RecordError> {
        Ok(if self.tag(2)? == 0 { Delivery::Shown } else { Delivery::Opened })
    }

    fn terms(&mut self) -> Result<JobTerms, RecordError> {
        Ok(JobTerms {
            buyer: self.address()?,
            payee: if self.tag(2)? == 0 { None } else { Some(self.address()?) },
            model: KeyDigest(self.digest()?),
            input: ValuesDigest(self.digest()?),
            delivery: self.delivery()?,
            nonce: self.u64()?,
            price: self.amount()?,
            stake: self.amount()?,
            deadline: self.u64()?,
        })
    }

    fn state(&mut self) -> Result<StoredState, RecordError> {
        Ok(match self.tag(8)? {
            0 => StoredState::Open,
            1 => StoredState::Staked(Staked { prover: self.address()?, lease: self.lease()? }),
            2 => StoredState::Settled(Settled {
                payee: self.address()?,
                price: self.amount()?,
                expiry: self.u64()?,
                output: ValuesDigest(self.digest()?),
                at: self.u64()?,
            }),
            3 => StoredState::Refunded { at: self.u64()? },
            4 => StoredState::Slashed { prover: self.address()?, at: self.u64()? },
            5 => StoredState::Cancelled { at: self.u64()? },
            6 => StoredState::Accepted(Accepted {
                prover: self.address()?,
                price: self.amount()?,
                output: ValuesDigest(self.digest()?),
                at: self.u64()?,
            }),
            _ => StoredState::Forfeited(Forfeited {
                output: (),
                prover: self.address()?,
                price: self.amount()?,
                at: self.u64()?,
            }),
        })
    }

    fn lease(&mut self) -> Result<Lease, RecordError> {
        let (until, price, bonded) = (self.u64()?, self.amount()?, self.tag(2)? == 1);
        let answer = if self.tag(2)? == 0 { None } else { Some(ValuesDigest(self.digest()?)) };
        Ok(Lease { until, price, bonded, answer })
    }

    fn finish(&self) -> Result<(), RecordError> {
        let count = self.rest.len();
        if count == 0 { Ok(()) } else { Err(RecordError::TrailingBytes { count }) }
    }
}

#[cfg(test)]
mod tests;
