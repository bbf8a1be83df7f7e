//! Records as bytes: each content has one spelling, and damage is refused.

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
    let settled = (any::<[u8; 20]>(), any::<[u64; 2]>(), any::<[u8; 32]>(), any::<u128>());
    let address = any::<[u8; 20]>().prop_map(Address);
    prop_oneof![
        Just(StoredState::Open),
        (address, any::<u64>(), any::<(bool, u128)>(), prop::option::of(any::<[u8; 32]>()))
            .prop_map(|(prover, until, (bonded, price), answer)| {
                let (price, answer) =
                    (Amount(price), answer.map(|answer| ValuesDigest(Digest(answer))));
                let lease = Lease { until, price, bonded, answer };
                StoredState::Staked(Staked { prover, lease })
            }),
        settled.prop_map(|(payee, [expiry, at], output, price)| {
            let (payee, output) = (Address(payee), ValuesDigest(Digest(output)));
            StoredState::Settled(Settled { payee, price: Amount(price), expiry, output, at })
        }),
        any::<u64>().prop_map(|at| StoredState::Refunded { at }),
        (any::<[u8; 20]>(), any::<u64>())
            .prop_map(|(prover, at)| { StoredState::Slashed { prover: Address(prover), at } }),
        any::<u64>().prop_map(|at| StoredState::Cancelled { at }),
        (any::<[u8; 20]>(), any::<[u8; 32]>(), any::<(u64, u128)>()).prop_map(
            |(prover, output, (at, price))| {
                let (prover, output) = (Address(prover), ValuesDigest(Digest(output)));
                StoredState::Accepted(Accepted { prover, price: Amount(price), output, at })
            }
        ),
        (any::<[u8; 20]>(), any::<u64>(), any::<u128>()).prop_map(|(prover, at, price)| {
            let (prover, price) = (Address(prover), Amount(price));
            StoredState::Forfeited(Forfeited { prover, price, output: (), at })
        }),
    ]
}

/// A state that the rules lead to under `terms`.
fn made_possible(terms: &mut JobTerms, state: &mut StoredState) {
    terms.deadline = terms.deadline.clamp(1, u64::MAX - 1);
    let (payee, deadline, most) = (terms.payee, terms.deadline, terms.price);
    let paying = |price: &mut Amount| *price = Amount(price.0.clamp(1, most.0));
    let staking = |prover: &mut Address, stake: &mut Amount| {
        *prover = payee.unwrap_or(*prover);
        *stake = Amount(stake.0.max(1));
    };
    match state {
        StoredState::Open => {}
        StoredState::Staked(Staked { prover, lease }) => {
            staking(prover, &mut terms.stake);
            lease.until = if lease.bonded { lease.until.min(deadline) } else { deadline };
            paying(&mut lease.price);
            lease.price = if lease.bonded { lease.price } else { most };
        }
        StoredState::Cancelled { at } => {
            terms.stake = Amount(terms.stake.0.max(1));
            *at = (*at).min(deadline);
        }
        StoredState::Settled(settled) => {
            settled.payee = payee.unwrap_or(settled.payee);
            paying(&mut settled.price);
            settled.price = if terms.stake == Amount(0) { most } else { settled.price };
            let last = Some(settled.expiry).filter(|&expiry| expiry != JobBinding::NO_EXPIRY);
            settled.at = settled.at.min(deadline).min(last.unwrap_or(u64::MAX));
        }
        StoredState::Refunded { at } => *at = (*at).max(deadline + 1),
        StoredState::Slashed { prover, at: _ } => staking(prover, &mut terms.stake),
        StoredState::Accepted(Accepted { prover, price, .. })
        | StoredState::Forfeited(Forfeited { prover, price, .. }) => {
            staking(prover, &mut terms.stake);
            paying(price);
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
    let opening = (any::<[u8; 32]>(), any::<[u8; 31]>(), prop::collection::vec(any::<i64>(), 0..9));
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
        1 => (address(), amount()).prop_map(|(prover, free)| Entry::Bond { prover, free }),
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
            RecordKey::Opening(JobId(id)), RecordKey::Bond(Address([a; 20]))];
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
    let settled = |payee, expiry, at| {
        StoredState::Settled(Settled { payee, price: Amount(9), expiry, output, at })
    };
    let at_price = |price, until, bonded| {
        let lease = Lease { until, price: Amount(price), bonded, answer: None };
        StoredState::Staked(Staked { prover: one, lease })
    };
    let staked = |prover, until, bonded| {
        let lease = Lease { until, price: Amount(9), bonded, answer: None };
        StoredState::Staked(Staked { prover, lease })
    };
    let accepted = |prover, price| {
        StoredState::Accepted(Accepted { prover, price: Amount(price), output, at: 9 })
    };
    let forfeited = |prover, price| {
        StoredState::Forfeited(Forfeited { prover, price: Amount(price), output: (), at: 9 })
    };
    let impossible = [
        (terms_of(0, 5, None), StoredState::Open),
        (terms_of(u128::MAX, 1, None), StoredState::Open),
        (terms_of(9, 0, None), staked(one, 50, false)),
        (terms_of(9, 5, Some(one)), staked(other, 50, false)),
        (terms_of(9, 5, None), staked(one, 49, false)),
        (terms_of(9, 5, None), staked(one, 51, true)),
        (terms_of(9, 5, None), StoredState::Cancelled { at: 51 }),
        (terms_of(9, 0, None), StoredState::Cancelled { at: 50 }),
        (terms_of(9, 5, None), StoredState::Refunded { at: 50 }),
        (terms_of(9, 5, Some(one)), StoredState::Slashed { prover: other, at: 50 }),
        (terms_of(9, 0, None), StoredState::Slashed { prover: one, at: 51 }),
        (terms_of(9, 5, Some(one)), accepted(other, 9)),
        (terms_of(9, 0, None), accepted(one, 9)),
        (terms_of(9, 5, None), accepted(one, 10)),
        (terms_of(9, 5, None), accepted(one, 0)),
        (terms_of(9, 5, Some(one)), forfeited(other, 9)),
        (terms_of(9, 0, None), forfeited(one, 9)),
        (terms_of(9, 5, None), forfeited(one, 10)),
        (terms_of(9, 5, None), at_price(10, 50, true)),
        (terms_of(9, 5, None), at_price(0, 50, true)),
        (terms_of(9, 5, None), at_price(8, 50, false)),
        (terms_of(8, 5, None), settled(one, 99, 50)),
        (terms_of(10, 0, None), settled(one, 99, 50)),
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

/// The bytes of version 4. If this fails, the version must change.
#[test]
fn the_bytes_of_this_version_stay() {
    let terms = terms_of(6, 5, Some(Address([7; 20])));
    let output = ValuesDigest(Digest([9; 32]));
    let price = Amount(6);
    let settled = Settled { payee: Address([7; 20]), price, expiry: 0x1122, output, at: 33 };
    let job = AnyJob::restore(JobId([1; 32]), terms, StoredState::Settled(settled)).unwrap();
    let small = |value: u8| [vec![0; 7], vec![value]].concat();
    let amount = |value: u8| [vec![0; 15], vec![value]].concat();
    let expected = [
        [vec![3; 20], vec![1], vec![7; 20], vec![1; 32], vec![2; 32]].concat(),
        [vec![1], small(4), amount(6), amount(5), small(50)].concat(),
        [vec![2], vec![7; 20], amount(6), vec![0; 6], vec![0x11, 0x22]].concat(),
        [vec![9; 32], small(33)].concat(),
    ];
    let Record { key, value } = Entry::Job(job).encode();
    assert_eq!(key, [&[2][..], &[1; 32]].concat());
    assert_eq!(value, expected.concat());
    let books = Entry::Books { chain_id: 4, total: Amount(6) }.encode();
    let expected = [b"ZKESCROW".to_vec(), vec![0, 4], small(4), amount(6)].concat();
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
    let answer = Some(ValuesDigest(Digest([9; 32])));
    let lease = Lease { until: 7, price: Amount(4), bonded: true, answer };
    let staked = StoredState::Staked(Staked { prover: account, lease });
    let job = AnyJob::restore(JobId([1; 32]), terms_of(6, 5, None), staked).unwrap();
    let value = [vec![1], vec![7; 20], small(7), amount(4), vec![1, 1], vec![9; 32]].concat();
    assert!(Entry::Job(job).encode().value.ends_with(&value));
    let cancelled = StoredState::Cancelled { at: 7 };
    let job = AnyJob::restore(JobId([1; 32]), terms_of(6, 5, None), cancelled).unwrap();
    assert!(Entry::Job(job).encode().value.ends_with(&[vec![5], small(7)].concat()));
    let accepted = Accepted { prover: account, price: Amount(4), output, at: 7 };
    let accepted = StoredState::Accepted(accepted);
    let job = AnyJob::restore(JobId([1; 32]), terms_of(6, 5, None), accepted).unwrap();
    let value = [vec![6], vec![7; 20], amount(4), vec![9; 32], small(7)].concat();
    assert!(Entry::Job(job).encode().value.ends_with(&value));
    let forfeited =
        StoredState::Forfeited(Forfeited { prover: account, price: Amount(4), output: (), at: 7 });
    let job = AnyJob::restore(JobId([1; 32]), terms_of(6, 5, None), forfeited).unwrap();
    let value = [vec![7], vec![7; 20], amount(4), small(7)].concat();
    assert!(Entry::Job(job).encode().value.ends_with(&value));
    let bond = Entry::Bond { prover: account, free: Amount(6) };
    assert_eq!(bond.encode(), Record { key: [vec![6], vec![7; 20]].concat(), value: amount(6) });
}
