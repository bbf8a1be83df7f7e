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

/// A job whose taking could not be committed was given out, again and again: on a full disk, the
/// coordinator did nothing else.
#[test]
fn a_job_is_taken_only_if_the_database_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queue.db");
    let (job, model) = (JobId([1; 32]), KeyDigest(Digest([7; 32])));
    let mut queue = SqliteQueue::open(&path, MAX_DELIVERIES).unwrap();
    queue.put(job, model).unwrap();
    // Nothing that changes the queue can be committed any more, as on a full disk.
    let broken = "CREATE TABLE one (id INTEGER PRIMARY KEY);
        CREATE TABLE other (id INTEGER REFERENCES one DEFERRABLE INITIALLY DEFERRED);
        CREATE TRIGGER broken AFTER UPDATE ON queue BEGIN INSERT INTO other VALUES (1); END;";
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch(broken).unwrap();
    let refused = queue.take(&[model], 0, 1_000, &mut |_| true);
    assert!(matches!(refused, Err(QueueError::Sqlite(_))), "{refused:?}");
    assert_eq!(queue.depth(0).unwrap().waiting, 1);
    other.execute_batch("DROP TRIGGER broken").unwrap();
    let taken = queue.take(&[model], 0, 1_000, &mut |_| true).unwrap().unwrap();
    assert_eq!((taken.job, taken.deliveries), (job, 1));
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
