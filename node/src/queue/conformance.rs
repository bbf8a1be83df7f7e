//! What every queue does: checks that an implementation's tests run.

use zkinfer::verifier::{Digest, KeyDigest};
use zkinfer_settlement::JobId;

use super::{Queue, QueueError, Taken};

/// How often queues that are checked give a job out.
pub const MAX_DELIVERIES: u32 = 3;

/// One check of a queue that is new and empty.
pub type Check = fn(&mut dyn Queue) -> Result<(), QueueError>;

/// All checks, by name.
pub const CHECKS: [(&str, Check); 7] = [
    ("jobs come in order, those of the models that are asked for", in_order),
    ("a job is there once", once),
    ("a job that is taken is out of sight until its time is over", out_of_sight),
    ("a job that is taken too often is dead", dead),
    ("a job that is hidden comes back when it is time", hidden),
    ("a job that is dropped is gone, and dropping is harmless", dropped),
    ("the depth says how many are where", depth),
];

const A: KeyDigest = KeyDigest(Digest([0xaa; 32]));
const B: KeyDigest = KeyDigest(Digest([0xbb; 32]));

fn job(number: u8) -> JobId {
    JobId([number; 32])
}

fn taken(number: u8, deliveries: u32) -> Option<Taken> {
    Some(Taken { job: job(number), deliveries })
}

fn in_order(queue: &mut dyn Queue) -> Result<(), QueueError> {
    for (number, model) in [(3, A), (1, B), (2, A), (4, B)] {
        queue.put(job(number), model)?;
    }
    assert_eq!(queue.take(&[], 0, 100)?, None);
    assert_eq!(queue.take(&[B], 0, 100)?, taken(1, 1));
    assert_eq!(queue.take(&[A, B], 0, 100)?, taken(3, 1));
    assert_eq!(queue.take(&[A, B], 0, 100)?, taken(2, 1));
    assert_eq!(queue.take(&[A], 0, 100)?, None);
    assert_eq!(queue.take(&[B], 0, 100)?, taken(4, 1));
    assert_eq!(queue.take(&[A, B], 0, 100)?, None);
    Ok(())
}

fn once(queue: &mut dyn Queue) -> Result<(), QueueError> {
    for _ in 0..3 {
        queue.put(job(1), A)?;
    }
    assert_eq!(queue.take(&[A], 0, 100)?, taken(1, 1));
    queue.put(job(1), A)?;
    assert_eq!(queue.take(&[A], 0, 100)?, None);
    Ok(())
}

fn out_of_sight(queue: &mut dyn Queue) -> Result<(), QueueError> {
    queue.put(job(1), A)?;
    assert_eq!(queue.take(&[A], 1_000, 2_000)?, taken(1, 1));
    assert_eq!(queue.take(&[A], 1_999, 3_000)?, None);
    assert_eq!(queue.take(&[A], 2_000, 3_000)?, taken(1, 2));
    Ok(())
}

fn dead(queue: &mut dyn Queue) -> Result<(), QueueError> {
    queue.put(job(1), A)?;
    for (deliveries, now) in (1..=MAX_DELIVERIES).zip((0..).step_by(10)) {
        assert_eq!(queue.take(&[A], now, now + 10)?, taken(1, deliveries));
    }
    assert_eq!(queue.dead()?, []);
    queue.put(job(2), A)?;
    assert_eq!(queue.take(&[A], 1_000, 2_000)?, taken(2, 1));
    assert_eq!(queue.dead()?, [job(1)]);
    // It does not come back by time, by being put again or by being hidden.
    queue.put(job(1), A)?;
    queue.hide(job(1), 0)?;
    assert_eq!(queue.take(&[A], 1_500, 2_000)?, None);
    queue.drop_job(job(1))?;
    assert_eq!(queue.dead()?, []);
    Ok(())
}

fn hidden(queue: &mut dyn Queue) -> Result<(), QueueError> {
    queue.put(job(1), A)?;
    queue.put(job(2), A)?;
    assert_eq!(queue.take(&[A], 0, 10)?, taken(1, 1));
    queue.hide(job(1), 5_000)?;
    assert_eq!(queue.take(&[A], 100, 200)?, taken(2, 1));
    assert_eq!(queue.take(&[A], 150, 200)?, None);
    // Given back: at once.
    queue.hide(job(1), 0)?;
    assert_eq!(queue.take(&[A], 150, 200)?, taken(1, 2));
    queue.hide(job(9), 0)?;
    assert_eq!(queue.take(&[A], 150, 200)?, None);
    Ok(())
}

fn dropped(queue: &mut dyn Queue) -> Result<(), QueueError> {
    queue.put(job(1), A)?;
    queue.put(job(2), A)?;
    assert_eq!(queue.take(&[A], 0, 10)?, taken(1, 1));
    for _ in 0..2 {
        queue.drop_job(job(1))?;
        queue.drop_job(job(2))?;
    }
    assert_eq!(queue.take(&[A], 100, 200)?, None);
    // The ledger never opens a job again, but a projection is made from nothing.
    queue.put(job(1), A)?;
    assert_eq!(queue.take(&[A], 100, 200)?, taken(1, 1));
    Ok(())
}

fn depth(queue: &mut dyn Queue) -> Result<(), QueueError> {
    for number in 1..=3 {
        queue.put(job(number), A)?;
    }
    queue.take(&[A], 0, 10)?;
    let depth = queue.depth(5)?;
    assert_eq!((depth.waiting, depth.taken, depth.dead), (2, 1, 0));
    let depth = queue.depth(10)?;
    assert_eq!((depth.waiting, depth.taken, depth.dead), (3, 0, 0));
    Ok(())
}
