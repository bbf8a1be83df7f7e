//! What every queue does: checks that an implementation's tests run.

use zkinfer::verifier::{Digest, KeyDigest};
use zkinfer_settlement::JobId;

use super::{Depth, Queue, QueueError, Taken};

/// How often queues that are checked give a job out.
pub const MAX_DELIVERIES: u32 = 3;

/// One check of a queue that is new and empty.
pub type Check = fn(&mut dyn Queue) -> Result<(), QueueError>;

/// All checks, by name.
pub const CHECKS: [(&str, Check); 8] = [
    ("jobs come in order, those of the models that are asked for", in_order),
    ("a job is there once", once),
    ("a job that is taken is out of sight until its time is over", out_of_sight),
    ("a job that is taken too often is dead", dead),
    ("a job that is hidden comes back when it is time", hidden),
    ("a job that is not wanted stays where it is, and is not counted", unwanted),
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

/// The next job of one of the models, whichever it is.
fn take(
    queue: &mut dyn Queue,
    models: &[KeyDigest],
    now: u64,
    until: u64,
) -> Result<Option<Taken>, QueueError> {
    queue.take(models, now, until, &mut |_| true)
}

fn in_order(queue: &mut dyn Queue) -> Result<(), QueueError> {
    for (number, model) in [(3, A), (1, B), (2, A), (4, B)] {
        queue.put(job(number), model)?;
    }
    assert_eq!(take(queue, &[], 0, 100)?, None);
    assert_eq!(take(queue, &[B], 0, 100)?, taken(1, 1));
    assert_eq!(take(queue, &[A, B], 0, 100)?, taken(3, 1));
    assert_eq!(take(queue, &[A, B], 0, 100)?, taken(2, 1));
    assert_eq!(take(queue, &[A], 0, 100)?, None);
    assert_eq!(take(queue, &[B], 0, 100)?, taken(4, 1));
    assert_eq!(take(queue, &[A, B], 0, 100)?, None);
    Ok(())
}

fn once(queue: &mut dyn Queue) -> Result<(), QueueError> {
    for _ in 0..3 {
        queue.put(job(1), A)?;
    }
    assert_eq!(take(queue, &[A], 0, 100)?, taken(1, 1));
    queue.put(job(1), A)?;
    assert_eq!(take(queue, &[A], 0, 100)?, None);
    Ok(())
}

fn out_of_sight(queue: &mut dyn Queue) -> Result<(), QueueError> {
    queue.put(job(1), A)?;
    assert_eq!(take(queue, &[A], 1_000, 2_000)?, taken(1, 1));
    assert_eq!(take(queue, &[A], 1_999, 3_000)?, None);
    assert_eq!(take(queue, &[A], 2_000, 3_000)?, taken(1, 2));
    Ok(())
}

fn dead(queue: &mut dyn Queue) -> Result<(), QueueError> {
    queue.put(job(1), A)?;
    for (deliveries, now) in (1..=MAX_DELIVERIES).zip((0..).step_by(10)) {
        assert_eq!(take(queue, &[A], now, now + 10)?, taken(1, deliveries));
    }
    assert_eq!(queue.dead()?, []);
    queue.put(job(2), A)?;
    assert_eq!(take(queue, &[A], 1_000, 2_000)?, taken(2, 1));
    assert_eq!(queue.dead()?, [job(1)]);
    // It does not come back by time, by being put again or by being hidden.
    queue.put(job(1), A)?;
    queue.hide(job(1), 0)?;
    assert_eq!(take(queue, &[A], 1_500, 2_000)?, None);
    queue.drop_job(job(1))?;
    assert_eq!(queue.dead()?, []);
    Ok(())
}

fn hidden(queue: &mut dyn Queue) -> Result<(), QueueError> {
    queue.put(job(1), A)?;
    queue.put(job(2), A)?;
    assert_eq!(take(queue, &[A], 0, 10)?, taken(1, 1));
    queue.hide(job(1), 5_000)?;
    assert_eq!(take(queue, &[A], 100, 200)?, taken(2, 1));
    assert_eq!(take(queue, &[A], 150, 200)?, None);
    // Given back: at once.
    queue.hide(job(1), 0)?;
    assert_eq!(take(queue, &[A], 150, 200)?, taken(1, 2));
    queue.hide(job(9), 0)?;
    assert_eq!(take(queue, &[A], 150, 200)?, None);
    Ok(())
}

fn unwanted(queue: &mut dyn Queue) -> Result<(), QueueError> {
    for (number, model) in [(1, A), (2, B), (3, A), (4, A)] {
        queue.put(job(number), model)?;
    }
    let only = |queue: &mut dyn Queue, number, now| {
        queue.take(&[A, B], now, now + 10, &mut |taken| taken == job(number))
    };
    for _ in 0..=MAX_DELIVERIES {
        assert_eq!(queue.take(&[A, B], 0, 10, &mut |_| false)?, None);
        assert_eq!(only(queue, 9, 0)?, None);
    }
    assert_eq!(only(queue, 3, 0)?, taken(3, 1));
    assert_eq!(only(queue, 3, 5)?, None, "it is out of sight");
    assert_eq!(take(queue, &[A], 5, 100)?, taken(1, 1), "the first still comes first");
    // One that is given back keeps its place among those that were not wanted.
    queue.hide(job(3), 0)?;
    assert_eq!(take(queue, &[A, B], 6, 100)?, taken(2, 1));
    assert_eq!(only(queue, 4, 6)?, taken(4, 1));
    assert_eq!(take(queue, &[A, B], 6, 100)?, taken(3, 2));
    assert_eq!(queue.depth(7)?, Depth { waiting: 0, taken: 4, dead: 0 });
    // One that was looked at and never taken is dropped like any other.
    queue.put(job(5), A)?;
    assert_eq!(queue.take(&[A], 7, 100, &mut |_| false)?, None);
    queue.drop_job(job(5))?;
    assert_eq!(take(queue, &[A], 7, 100)?, None);
    Ok(())
}

fn dropped(queue: &mut dyn Queue) -> Result<(), QueueError> {
    queue.put(job(1), A)?;
    queue.put(job(2), A)?;
    assert_eq!(take(queue, &[A], 0, 10)?, taken(1, 1));
    for _ in 0..2 {
        queue.drop_job(job(1))?;
        queue.drop_job(job(2))?;
    }
    assert_eq!(take(queue, &[A], 100, 200)?, None);
    // The ledger never opens a job again, but a projection is made from nothing.
    queue.put(job(1), A)?;
    assert_eq!(take(queue, &[A], 100, 200)?, taken(1, 1));
    Ok(())
}

fn depth(queue: &mut dyn Queue) -> Result<(), QueueError> {
    for number in 1..=3 {
        queue.put(job(number), A)?;
    }
    take(queue, &[A], 0, 10)?;
    let depth = queue.depth(5)?;
    assert_eq!((depth.waiting, depth.taken, depth.dead), (2, 1, 0));
    let depth = queue.depth(10)?;
    assert_eq!((depth.waiting, depth.taken, depth.dead), (3, 0, 0));
    Ok(())
}
