//! Times in which the market did not act: the coordinator was away, or its clock has jumped. Nobody
//! could hand in a proof then, so nobody loses a stake by a lease that ended meanwhile.

/// Seconds without a look at the clock that are a standstill; else there are several in one.
const LEAST: u64 = 10;

/// The last standstill, in Unix seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Standstill {
    /// The last moment at which the market has acted, if that is known.
    acted: Option<u64>,
    /// When it began and when it ended.
    span: Option<(u64, u64)>,
}

impl Standstill {
    /// A market whose last act is known was at work until then.
    pub(super) fn acted(&mut self, at: u64) {
        self.acted = Some(at);
    }

    /// The market looks at its clock.
    pub(super) fn beat(&mut self, now: u64) {
        if let Some(acted) = self.acted.filter(|acted| now.saturating_sub(*acted) > LEAST) {
            self.span = Some((acted, now));
        }
        self.acted = Some(self.acted.unwrap_or(now).max(now));
    }

    /// Until when a lease is as good as open that ended at `end`: as long as the market stood still,
    /// counted from when it went on. `None` where that is over, or the lease ended at another time.
    pub(super) fn excuses(&self, end: u64, now: u64) -> Option<u64> {
        let (from, to) = self.span?;
        let until = to.saturating_add(to.saturating_sub(from));
        ((from..=to).contains(&end) && now <= until).then_some(until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_that_ended_in_a_standstill_is_good_for_as_long_again() {
        let mut still = Standstill::default();
        // Of a market that has just come, nothing is known.
        still.beat(1_000);
        assert_eq!(still.excuses(900, 1_000), None);
        still.beat(1_000 + LEAST);
        assert_eq!(still.excuses(1_005, 1_000 + LEAST), None, "that is no standstill");
        still.acted(2_000);
        still.beat(2_100);
        assert_eq!(still.excuses(2_000, 2_100), Some(2_200));
        assert_eq!(still.excuses(2_100, 2_200), Some(2_200));
        assert_eq!((still.excuses(1_999, 2_100), still.excuses(2_101, 2_150)), (None, None));
        assert_eq!(still.excuses(2_050, 2_201), None);
        // A clock that goes back is no standstill, nor what follows it.
        still.beat(2_050);
        still.beat(2_101);
        assert_eq!(still.excuses(2_060, 2_101), Some(2_200));
    }
}
