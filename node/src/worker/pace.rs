//! What a node's time is worth, and how much of it there is.

use std::time::{Duration, Instant};

/// The coordinator's clock, which is the one that counts, as it goes on from when it was seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    seen: u64,
    since: Instant,
}

impl Clock {
    pub(super) fn set(now: u64) -> Self {
        Self { seen: now, since: Instant::now() }
    }

    /// Unix seconds.
    pub(super) fn now(self) -> u64 {
        self.seen.saturating_add(self.since.elapsed().as_secs())
    }
}

/// Rounded up; what is no time is none.
pub(super) fn microseconds(seconds: f64) -> u64 {
    let time = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX);
    u64::try_from(time.as_micros().saturating_add(1)).unwrap_or(u64::MAX / 4)
}

/// So much a second, for so many seconds, rounded up to whole units.
pub(super) fn worth(rate: u128, seconds: f64) -> u128 {
    rate.saturating_mul(microseconds(seconds).into()).div_ceil(1_000_000)
}

/// How much longer than quoted a proof may take on a machine that is busy.
const MARGIN: u64 = 2;

/// When a proof is there that begins after what is still to be proven, in Unix seconds.
pub(super) fn end_of_proof(now: u64, backlog: u64, seconds: f64) -> u64 {
    let all = backlog.saturating_add(microseconds(seconds)).saturating_mul(MARGIN);
    now.saturating_add(all / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_begins_after_those_that_were_promised() {
        assert_eq!(end_of_proof(100, 0, 0.1), 100);
        assert_eq!(end_of_proof(100, 0, 5.0), 110);
        assert_eq!(end_of_proof(100, 45_000_000, 5.0), 200);
        assert!(end_of_proof(100, 0, f64::MAX) > 1 << 40);
        assert_eq!(
            (microseconds(-1.0), microseconds(f64::NAN), microseconds(1.5)),
            (1, 1, 1_500_001)
        );
        assert_eq!((worth(300, 0.01), worth(0, 9.0), worth(1, 0.0)), (4, 0, 1));
    }
}
