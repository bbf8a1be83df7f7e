//! Every queue does the same.

use zkinfer::verifier::{Digest, KeyDigest};
use zkinfer_node::{
    Queue, QueueError, SqliteQueue,
    conformance::{CHECKS, MAX_DELIVERIES},
};
use zkinfer_settlement::JobId;

#[test]
fn sqlite_in_memory_is_a_queue() {
    for (name, check) in CHECKS {
        println!("{name}");
        check(&mut SqliteQueue::in_memory(MAX_DELIVERIES).unwrap()).unwrap();
    }
}

#[test]
fn sqlite_on_disk_is_a_queue() {
    for (name, check) in CHECKS {
        println!("{name}");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("queue.db");
        check(&mut SqliteQueue::open(&path, MAX_DELIVERIES).unwrap()).unwrap();
    }
}

/// After a power cut, the file may have pages of before and of after.
#[test]
fn a_damaged_queue_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queue.db");
    let model = KeyDigest(Digest([7; 32]));
    let mut queue = SqliteQueue::open(&path, MAX_DELIVERIES).unwrap();
    for number in 0..200 {
        queue.put(JobId([number; 32]), model).unwrap();
    }
    drop(queue);
    let mut bytes = std::fs::read(&path).unwrap();
    let pages = bytes.len() / 4_096;
    assert!(pages > 4, "{pages}");
    // All but the first page, which says what the file is.
    bytes[4_096..].fill(0x5a);
    std::fs::write(&path, bytes).unwrap();
    let mut queue = SqliteQueue::open(&path, MAX_DELIVERIES).unwrap();
    assert_eq!(queue.depth(0).unwrap().waiting, 0);
    queue.put(JobId([1; 32]), model).unwrap();
    drop(queue);
    let mut queue = SqliteQueue::open(&path, MAX_DELIVERIES).unwrap();
    assert_eq!(queue.depth(0).unwrap().waiting, 1, "one that is whole is kept");
}

#[test]
fn another_database_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.db");
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE other (x); PRAGMA user_version = 7").unwrap();
    drop(other);
    let refused = SqliteQueue::open(&path, 3).unwrap_err();
    assert!(matches!(refused, QueueError::Version { expected: 1, got: 7 }), "{refused}");
}
