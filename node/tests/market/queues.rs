//! Every queue does the same.

use zkinfer_node::{
    QueueError, SqliteQueue,
    conformance::{CHECKS, MAX_DELIVERIES},
};

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
