//! Moments in time, as a reader wants to see them.

use core::fmt;

const SECONDS_PER_DAY: u64 = 86_400;
/// Days from 0000-03-01 to 1970-01-01 in the Gregorian calendar.
const DAYS_TO_1970: u64 = 719_468;
/// Days in 400 years.
const DAYS_PER_ERA: u64 = 146_097;

/// A Unix time in seconds; prints as `2026-11-28 00:31:09 UTC`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(pub u64);

#[expect(
    clippy::arithmetic_side_effects,
    reason = "constant divisors, and every intermediate value is below the seconds given"
)]
impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, seconds) = (self.0 / SECONDS_PER_DAY, self.0 % SECONDS_PER_DAY);
        // Years begin in March here, so that a leap day is the last of its year.
        let days = days + DAYS_TO_1970;
        let (era, day) = (days / DAYS_PER_ERA, days % DAYS_PER_ERA);
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let day = day - (153 * month + 2) / 5 + 1;
        let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
        let year = 400 * era + year + carry;
        let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
        write!(f, "{year:04}-{month:02}-{day:02} ")?;
        write!(f, "{hours:02}:{minutes:02}:{:02} UTC", seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::UnixTime;

    /// The expected texts are those of `date --utc`.
    #[test]
    fn times_print_as_dates() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_399, "2000-02-28 23:59:59 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (951_868_800, "2000-03-01 00:00:00 UTC"),
            (1_795_818_219, "2026-11-27 22:23:39 UTC"),
            (4_107_542_399, "2100-02-28 23:59:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
            (253_402_300_799, "9999-12-31 23:59:59 UTC"),
        ] {
            assert_eq!(UnixTime(seconds).to_string(), text);
        }
        assert_eq!(UnixTime(u64::MAX).to_string(), "584554051223-11-09 07:00:15 UTC");
    }
}
