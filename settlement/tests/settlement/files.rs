//! What is refused when a store is opened, and damaged records.

use std::path::PathBuf;

use zkinfer_settlement::{
    Amount, Escrow, EscrowError, MemoryStore, Record, RecordError, RecordKey, RedbStore, Refusal,
    Store, StoreError,
    redb::{Database, TableDefinition},
};

use crate::common::{ALICE, BUYER, CHAIN, POLICY, Proof, deposit, records, refusal};

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("escrow");
    (folder, path)
}

#[test]
fn an_escrow_on_disk_is_there_again() {
    let (_folder, path) = folder();
    let mut escrow = Escrow::new(RedbStore::create(&path).unwrap(), CHAIN, POLICY).unwrap();
    escrow.deposit(deposit(1), BUYER, Amount(100)).unwrap();
    escrow.open(Proof::First.job(), Proof::First.terms(), 1).unwrap();
    let receipt = escrow.submit(Proof::First.evidence(), 2).unwrap();
    drop(escrow);
    let mut escrow = Escrow::new(RedbStore::open(&path).unwrap(), CHAIN, POLICY).unwrap();
    assert_eq!(escrow.receipt(Proof::First.job()).unwrap(), Some(receipt));
    assert_eq!(escrow.balance(ALICE).unwrap(), Amount(100));
    let again = escrow.submit(Proof::First.evidence(), 2).unwrap_err();
    assert_eq!(refusal(again), Refusal::AlreadySettled { at: 2 });
}

#[test]
fn nothing_is_created_by_opening_or_overwritten_by_creating() {
    let (folder, path) = folder();
    assert!(matches!(RedbStore::open(&path), Err(StoreError::Missing)));
    assert!(!path.exists());
    drop(RedbStore::create(&path).unwrap());
    let before = std::fs::read(&path).unwrap();
    assert!(matches!(RedbStore::create(&path), Err(StoreError::Exists)));
    assert_eq!(std::fs::read(&path).unwrap(), before);
    // No leftovers beside it.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    let nowhere = folder.path().join("nowhere/escrow");
    assert!(matches!(RedbStore::create(nowhere), Err(StoreError::Io(_))));
}

#[test]
fn a_file_is_open_once() {
    let (_folder, path) = folder();
    let store = RedbStore::create(&path).unwrap();
    assert!(matches!(RedbStore::open(&path), Err(StoreError::InUse)));
    drop(store);
    let store = RedbStore::open(&path).unwrap();
    assert!(matches!(RedbStore::open(&path), Err(StoreError::InUse)));
    drop(store);
}

#[test]
fn a_file_of_something_else_is_refused_and_left_alone() {
    let (_folder, path) = folder();
    for content in [&b""[..], b"x", b"%PDF-1.7", &[0; 100_000], b"redb\x1a\n\xa9\r\n"] {
        std::fs::write(&path, content).unwrap();
        let opened = RedbStore::open(&path);
        let short = content.starts_with(b"redb");
        assert!(matches!(opened, Err(StoreError::Foreign | StoreError::Io(_))), "{opened:?}");
        assert!(short || matches!(opened, Err(StoreError::Foreign)), "{opened:?}");
        assert_eq!(std::fs::read(&path).unwrap(), content);
    }
}

#[test]
fn a_database_of_something_else_is_refused() {
    let other: TableDefinition<'_, u64, u64> = TableDefinition::new("other");
    let same_name: TableDefinition<'_, u64, u64> = TableDefinition::new("zkinfer-settlement");
    for tables in [&[][..], &[other], &[same_name]] {
        let (_folder, path) = folder();
        let database = Database::create(&path).unwrap();
        let transaction = database.begin_write().unwrap();
        for table in tables {
            transaction.open_table(*table).unwrap();
        }
        transaction.commit().unwrap();
        drop(database);
        assert!(matches!(RedbStore::open(&path), Err(StoreError::Foreign)));
    }
    // Ours, with a guest.
    let (_folder, path) = folder();
    drop(RedbStore::create(&path).unwrap());
    let database = Database::create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(other).unwrap();
    transaction.commit().unwrap();
    drop(database);
    assert!(matches!(RedbStore::open(&path), Err(StoreError::Foreign)));
}

/// A file with one changed byte in the header of the database opens as what it was, or not.
#[test]
fn a_damaged_database_is_refused_or_sound() {
    let (_folder, path) = folder();
    let mut escrow = Escrow::new(RedbStore::create(&path).unwrap(), CHAIN, POLICY).unwrap();
    escrow.deposit(deposit(1), BUYER, Amount(100)).unwrap();
    let sound = records(escrow.store());
    drop(escrow);
    let honest = std::fs::read(&path).unwrap();
    let mut refused = 0;
    for byte in (0..320).step_by(4) {
        let mut damaged = honest.clone();
        damaged[byte] ^= 0x11;
        std::fs::write(&path, damaged).unwrap();
        match RedbStore::open(&path) {
            Ok(store) => assert_eq!(records(&store), sound, "byte {byte}"),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 9, "{refused}");
}

fn with_record(key: &[u8], value: &[u8]) -> MemoryStore {
    let mut store = MemoryStore::default();
    store.commit(&[Record { key: key.to_vec(), value: value.to_vec() }]).unwrap();
    store
}

#[test]
fn a_newer_or_foreign_format_is_refused_by_name() {
    let new = |store| Escrow::new(store, CHAIN, POLICY).unwrap_err();
    let honest = Escrow::new(MemoryStore::default(), CHAIN, POLICY).unwrap();
    let books = records(honest.store())[&vec![0]].clone();
    let edited = |byte: usize, value: u8| {
        let mut books = books.clone();
        books[byte] = value;
        with_record(&[0], &books)
    };
    assert!(matches!(new(edited(9, 1)), EscrowError::Version { expected: 4, got: 1 }));
    assert!(matches!(new(edited(9, 5)), EscrowError::Version { expected: 4, got: 5 }));
    assert!(matches!(new(edited(8, 1)), EscrowError::Version { expected: 4, got: 260 }));
    assert!(matches!(new(edited(0, b'z')), EscrowError::NotAnEscrow));
    assert!(matches!(new(edited(17, 3)), EscrowError::Chain { expected: 1, got: 3 }));
    assert!(matches!(new(with_record(&[0], b"")), EscrowError::NotAnEscrow));
    assert!(matches!(new(with_record(b"key", b"value")), EscrowError::NotAnEscrow));
    let trailing = [&books[..], &[0]].concat();
    assert!(matches!(
        new(with_record(&[0], &trailing)),
        EscrowError::Record {
            key: RecordKey::Books,
            source: RecordError::TrailingBytes { count: 1 }
        }
    ));
    assert!(Escrow::new(with_record(&[0], &books), CHAIN, POLICY).is_ok());
}

#[test]
fn money_that_was_slipped_in_is_found() {
    let mut escrow = Escrow::new(MemoryStore::default(), CHAIN, POLICY).unwrap();
    escrow.deposit(deposit(1), BUYER, Amount(100)).unwrap();
    let honest = escrow.store().clone();
    let account = |balance: u128| Record {
        key: [&[1], &ALICE.0[..]].concat(),
        value: balance.to_be_bytes().to_vec(),
    };
    for balance in [1, u128::MAX] {
        let mut store = honest.clone();
        store.commit(&[account(balance)]).unwrap();
        let escrow = Escrow::new(store, CHAIN, POLICY).unwrap();
        assert!(matches!(escrow.audit(), Err(EscrowError::Unbalanced { .. })), "{balance}");
    }
    let mut store = honest;
    store.commit(&[Record { key: b"stray".to_vec(), value: vec![] }]).unwrap();
    let escrow = Escrow::new(store, CHAIN, POLICY).unwrap();
    assert!(matches!(escrow.audit(), Err(EscrowError::UnknownKey { length: 5 })));
}
