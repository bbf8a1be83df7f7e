//! From sums to outputs.

use serde::{Deserialize, Serialize};

/// From an accumulator `y` to an output: `z = floor((y + 2^(shift−1)) / 2^shift)` (`z = y` when
/// `shift` is 0), clamped to `[lo, hi]`, then `table[z − lo]` where there is a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Requant {
    /// The real number that one unit of `z` stands for; as a tensor's scale, it plays no part in
    /// the computation.
    pub scale: f64,
    /// The `z` that stands for the real number 0: the bias has it.
    pub zero: i64,
    /// Binary digits dropped, rounding half up. The same for every layer of a graph.
    pub shift: u32,
    /// Smallest `z` after clamping.
    pub lo: i32,
    /// Largest `z` after clamping.
    pub hi: i32,
    /// Smallest accumulator that any input in range can give.
    pub acc_lo: i64,
    /// Largest accumulator that any input in range can give.
    pub acc_hi: i64,
    /// The activation, `hi − lo + 1` entries; `None` is the identity.
    pub table: Option<Vec<i32>>,
}

impl Requant {
    /// The rounded accumulator before clamping.
    #[must_use]
    pub fn round(&self, acc: i64) -> i64 {
        if self.shift == 0 { acc } else { (acc + (1 << (self.shift - 1))) >> self.shift }
    }

    /// The output for an accumulator.
    #[must_use]
    pub fn apply(&self, acc: i64) -> i64 {
        let z = self.round(acc).clamp(self.lo.into(), self.hi.into());
        match &self.table {
            None => z,
            Some(table) => {
                let position =
                    usize::try_from(z - i64::from(self.lo)).expect("z is clamped to at least lo");
                table[position].into()
            }
        }
    }
}
