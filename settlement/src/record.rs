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
//!
//! Terms: buyer 20, payee (`00`, or `01` and 20 bytes), model 32, input 32, delivery u8 (0 shown, 1
//! opened), nonce u64, price u128, stake u128, deadline u64. State: `00` open; `01` staked, prover 20; `02` settled, payee 20, expiry
//! u64, output 32, time u64; `03` refunded, time u64; `04` slashed, prover 20, time u64.

use zkinfer_verifier::{Blinding, Digest, KeyDigest, Opening};

use crate::{
    error::RecordError,
    job::{AnyJob, Delivery, JobTerms, Settled, StoredState},
    quantities::{Address, Amount, DepositId, JobId, ValuesDigest, WithdrawalId},
    store::Record,
};

/// First bytes of the books.
const MAGIC: [u8; 8] = *b"ZKESCROW";
/// The version of all records. A change that moves a byte or the meaning of one changes it.
pub(crate) const VERSION: u16 = 2;

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
            _ => None,
        }
    }
}

/// The content of a record, with its key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "few live at a time, and a job is the usual one")]
pub(crate) enum Entry {
    Books { chain_id: u64, total: Amount },
    Account { account: Address, balance: Amount },
    Job(AnyJob),
    Deposit { deposit: DepositId, account: Address, amount: Amount },
    Withdrawal { withdrawal: WithdrawalId, account: Address, amount: Amount },
    Opening { job: JobId, opening: Opening },
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
        StoredState::Staked { prover } => {
            value.push(1);
            value.extend(prover.0);
        }
        StoredState::Settled(Settled { payee, expiry, output, at }) => {
            value.push(2);
            value.extend(payee.0);
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
    }
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
        Ok(match self.tag(5)? {
            0 => StoredState::Open,
            1 => StoredState::Staked { prover: self.address()? },
            2 => StoredState::Settled(Settled {
                payee: self.address()?,
                expiry: self.u64()?,
                output: ValuesDigest(self.digest()?),
                at: self.u64()?,
            }),
            3 => StoredState::Refunded { at: self.u64()? },
            _ => StoredState::Slashed { prover: self.address()?, at: self.u64()? },
        })
    }

    fn finish(&self) -> Result<(), RecordError> {
        let count = self.rest.len();
        if count == 0 { Ok(()) } else { Err(RecordError::TrailingBytes { count }) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, test_runner::Config};
    use zkinfer_verifier::JobBinding;

    use super::*;

    fn terms() -> impl Strategy<Value = JobTerms> {
        let amounts = (1..=u128::MAX / 2, 0..=u128::MAX / 2);
        let payee = prop::option::of(any::<[u8; 20]>());
        let rest = (any::<[u8; 20]>(), any::<[[u8; 32]; 2]>(), any::<[u64; 2]>(), any::<bool>());
        (amounts, payee, rest).prop_map(|((price, stake), payee, rest)| {
            let (buyer, digests, [nonce, deadline], opened) = rest;
            let [model, input] = digests.map(Digest);
            let delivery = if opened { Delivery::Opened } else { Delivery::Shown };
            JobTerms {
                buyer: Address(buyer),
                payee: payee.map(Address),
                model: KeyDigest(model),
                input: ValuesDigest(input),
                delivery,
                nonce,
                price: Amount(price),
                stake: Amount(stake),
                deadline,
            }
        })
    }

    fn states() -> impl Strategy<Value = StoredState> {
        let settled = (any::<[u8; 20]>(), any::<u64>(), any::<[u8; 32]>(), any::<u64>());
        let address = any::<[u8; 20]>().prop_map(Address);
        prop_oneof![
            Just(StoredState::Open),
            address.prop_map(|prover| StoredState::Staked { prover }),
            settled.prop_map(|(payee, expiry, output, at)| {
                let (payee, output) = (Address(payee), ValuesDigest(Digest(output)));
                StoredState::Settled(Settled { payee, expiry, output, at })
            }),
            any::<u64>().prop_map(|at| StoredState::Refunded { at }),
            (any::<[u8; 20]>(), any::<u64>())
                .prop_map(|(prover, at)| { StoredState::Slashed { prover: Address(prover), at } }),
        ]
    }

    /// A state that the rules lead to under `terms`.
    fn made_possible(terms: &mut JobTerms, state: &mut StoredState) {
        terms.deadline = terms.deadline.clamp(1, u64::MAX - 1);
        let (payee, deadline) = (terms.payee, terms.deadline);
        let staking = |prover: &mut Address, stake: &mut Amount| {
            *prover = payee.unwrap_or(*prover);
            *stake = Amount(stake.0.max(1));
        };
        match state {
            StoredState::Open => {}
            StoredState::Staked { prover } => staking(prover, &mut terms.stake),
            StoredState::Settled(settled) => {
                settled.payee = payee.unwrap_or(settled.payee);
                let last = Some(settled.expiry).filter(|&expiry| expiry != JobBinding::NO_EXPIRY);
                settled.at = settled.at.min(deadline).min(last.unwrap_or(u64::MAX));
            }
            StoredState::Refunded { at } => *at = (*at).max(deadline + 1),
            StoredState::Slashed { prover, at } => {
                staking(prover, &mut terms.stake);
                *at = (*at).max(deadline + 1);
            }
        }
    }

    fn entries() -> impl Strategy<Value = Entry> {
        let job = (any::<[u8; 32]>(), terms(), states()).prop_map(|(id, mut terms, mut state)| {
            made_possible(&mut terms, &mut state);
            Entry::Job(AnyJob::restore(JobId(id), terms, state).unwrap())
        });
        let address = || any::<[u8; 20]>().prop_map(Address);
        let amount = || any::<u128>().prop_map(Amount);
        let transfer = || (any::<[u8; 32]>(), address(), amount());
        let opening =
            (any::<[u8; 32]>(), any::<[u8; 31]>(), prop::collection::vec(any::<i64>(), 0..9));
        let books = (any::<u64>(), amount());
        prop_oneof![
            1 => books.prop_map(|(chain_id, total)| Entry::Books { chain_id, total }),
            1 => (address(), amount())
                .prop_map(|(account, balance)| Entry::Account { account, balance }),
            3 => job,
            1 => transfer().prop_map(|(id, account, amount)| {
                Entry::Deposit { deposit: DepositId(id), account, amount }
            }),
            1 => transfer().prop_map(|(id, account, amount)| {
                Entry::Withdrawal { withdrawal: WithdrawalId(id), account, amount }
            }),
            1 => opening.prop_map(|(job, low, values)| {
                let mut blinding = [0; 32];
                blinding[1..].copy_from_slice(&low);
                let blinding = Blinding::from_bytes(&blinding).unwrap();
                Entry::Opening { job: JobId(job), opening: Opening { values, blinding } }
            }),
        ]
    }

    /// Refused, or the encoding of what was decoded.
    fn check_total(key: RecordKey, value: &[u8]) -> bool {
        let decoded = Entry::decode(key, value);
        if let Ok(entry) = &decoded {
            assert_eq!(entry.encode(), Record { key: key.encode(), value: value.to_vec() });
        }
        decoded.is_ok()
    }

    proptest! {
        #![proptest_config(Config { failure_persistence: None, ..Config::default() })]

        #[test]
        fn every_record_comes_back(entry in entries()) {
            let Record { key, value } = entry.encode();
            prop_assert_eq!(RecordKey::decode(&key), Some(entry.key()));
            prop_assert_eq!(Entry::decode(entry.key(), &value), Ok(entry));
        }

        #[test]
        fn records_have_one_length(entry in entries(), extra in 1..40usize) {
            let Record { value, .. } = entry.encode();
            for length in 0..value.len() {
                let short = Entry::decode(entry.key(), &value[..length]);
                let truncated = matches!(short, Err(RecordError::Truncated { .. }));
                prop_assert!(truncated, "{:?}", short);
            }
            let longer = [&value[..], &vec![0; extra]].concat();
            let trailing = Err(RecordError::TrailingBytes { count: extra });
            prop_assert_eq!(Entry::decode(entry.key(), &longer), trailing);
        }

        #[test]
        fn a_changed_byte_is_refused_or_means_something_else(
            entry in entries(), byte in any::<prop::sample::Index>(), change in 1..=255u8,
        ) {
            let Record { mut value, .. } = entry.encode();
            let byte = byte.index(value.len());
            value[byte] ^= change;
            if check_total(entry.key(), &value) {
                prop_assert_ne!(Entry::decode(entry.key(), &value), Ok(entry));
            }
        }

        #[test]
        fn any_bytes_are_refused_or_canonical(
            id in any::<[u8; 32]>(), value in prop::collection::vec(any::<u8>(), 0..300),
            key in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let [a, ..] = id;
            let keys = [RecordKey::Books, RecordKey::Account(Address([a; 20])),
                RecordKey::Job(JobId(id)), RecordKey::Deposit(DepositId(id)),
                RecordKey::Withdrawal(Address([a; 20]), WithdrawalId(id)),
                RecordKey::Opening(JobId(id))];
            for key in keys {
                check_total(key, &value);
            }
            if let Some(decoded) = RecordKey::decode(&key) {
                prop_assert_eq!(decoded.encode(), key);
            }
        }
    }

    fn terms_of(price: u128, stake: u128, payee: Option<Address>) -> JobTerms {
        let (model, input) = (KeyDigest(Digest([1; 32])), ValuesDigest(Digest([2; 32])));
        let (price, stake, buyer) = (Amount(price), Amount(stake), Address([3; 20]));
        let delivery = Delivery::Opened;
        JobTerms { buyer, payee, model, input, delivery, nonce: 4, price, stake, deadline: 50 }
    }

    /// A damaged file must not make the escrow hold or pay what no operation has led to.
    #[test]
    fn jobs_that_no_operation_leads_to_are_refused() {
        let (one, other) = (Address([7; 20]), Address([8; 20]));
        let output = ValuesDigest(Digest([9; 32]));
        let settled =
            |payee, expiry, at| StoredState::Settled(Settled { payee, expiry, output, at });
        let impossible = [
            (terms_of(0, 5, None), StoredState::Open),
            (terms_of(u128::MAX, 1, None), StoredState::Open),
            (terms_of(9, 0, None), StoredState::Staked { prover: one }),
            (terms_of(9, 5, Some(one)), StoredState::Staked { prover: other }),
            (terms_of(9, 5, None), StoredState::Refunded { at: 50 }),
            (terms_of(9, 5, None), StoredState::Slashed { prover: one, at: 50 }),
            (terms_of(9, 0, None), StoredState::Slashed { prover: one, at: 51 }),
            (terms_of(9, 5, None), settled(one, 99, 51)),
            (terms_of(9, 5, None), settled(one, 40, 41)),
            (terms_of(9, 5, Some(one)), settled(other, 99, 50)),
            // After this deadline nobody could be paid back.
            (JobTerms { deadline: u64::MAX, ..terms_of(9, 5, None) }, StoredState::Open),
        ];
        for (terms, state) in impossible {
            let mut value = Vec::new();
            encode_terms(&terms, &mut value);
            encode_state(&state, &mut value);
            let decoded = Entry::decode(RecordKey::Job(JobId([1; 32])), &value);
            assert_eq!(decoded, Err(RecordError::Contradiction), "{terms:?} {state:?}");
        }
    }

    /// The bytes of version 2. If this fails, the version must change.
    #[test]
    fn the_bytes_of_this_version_stay() {
        let terms = terms_of(6, 5, Some(Address([7; 20])));
        let output = ValuesDigest(Digest([9; 32]));
        let settled = Settled { payee: Address([7; 20]), expiry: 0x1122, output, at: 33 };
        let job = AnyJob::restore(JobId([1; 32]), terms, StoredState::Settled(settled)).unwrap();
        let small = |value: u8| [vec![0; 7], vec![value]].concat();
        let amount = |value: u8| [vec![0; 15], vec![value]].concat();
        let expected = [
            [vec![3; 20], vec![1], vec![7; 20], vec![1; 32], vec![2; 32]].concat(),
            [vec![1], small(4), amount(6), amount(5), small(50)].concat(),
            [vec![2], vec![7; 20], vec![0; 6], vec![0x11, 0x22], vec![9; 32], small(33)].concat(),
        ];
        let Record { key, value } = Entry::Job(job).encode();
        assert_eq!(key, [&[2][..], &[1; 32]].concat());
        assert_eq!(value, expected.concat());
        let books = Entry::Books { chain_id: 4, total: Amount(6) }.encode();
        let expected = [b"ZKESCROW".to_vec(), vec![0, 2], small(4), amount(6)].concat();
        assert_eq!(books, Record { key: vec![0], value: expected });
        let account = Address([7; 20]);
        let deposit = Entry::Deposit { deposit: DepositId([8; 32]), account, amount: Amount(6) };
        let value = [vec![7; 20], amount(6)].concat();
        assert_eq!(deposit.encode(), Record { key: [vec![3], vec![8; 32]].concat(), value });
        let withdrawal = WithdrawalId([8; 32]);
        let withdrawal = Entry::Withdrawal { withdrawal, account, amount: Amount(6) };
        let key = [vec![4], vec![7; 20], vec![8; 32]].concat();
        assert_eq!(withdrawal.encode(), Record { key, value: amount(6) });
        let blinding = Blinding::from_bytes(&[9; 32]).unwrap();
        let opening = Opening { values: vec![-1, 2], blinding };
        let opening = Entry::Opening { job: JobId([1; 32]), opening };
        let value = [vec![9; 32], small(2), vec![0xff; 8], small(2)].concat();
        assert_eq!(opening.encode(), Record { key: [vec![5], vec![1; 32]].concat(), value });
    }
}
