//! How scalars are cut into digits.

/// Bits that the digits of any scalar cover: magnitudes are at most `(r-1)/2 < 2^253`, and the
/// last digit has a bit more than its share, for the carry.
pub(super) const SCALAR_BITS: u32 = 254;

/// A bound of every magnitude: 2^253 - 1.
pub(super) const FULL_BOUND: [u64; 4] = [u64::MAX, u64::MAX, u64::MAX, u64::MAX >> 3];

/// Digits have at most this many bits, which bounds the counters of a sort.
const MAX_WIDTH: u32 = 20;
/// And at least this many, where the spacing allows it.
const MIN_WIDTH: u32 = 3;

/// The windows of a table: `2^(spacing·window)·point` for each of `regular` windows, and one more,
/// `2^SHORT_BITS·point`, if there is a `short` one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Windows {
    /// Bits between regular windows.
    pub(super) spacing: u32,
    /// How many there are.
    pub(super) regular: usize,
    /// Whether the short one follows them.
    pub(super) short: bool,
}

/// The bits below the short window: with it, 16 bits are two digits in one set of few buckets.
pub(super) const SHORT_BITS: u32 = 8;

impl Windows {
    /// The points alone.
    pub(super) const SINGLE: Self = Self { spacing: SCALAR_BITS, regular: 1, short: false };

    /// What makes a column of `rows` full scalars cheapest among at most `max` windows, and the
    /// short one if there is room for it and it makes 16 bits cheaper.
    pub(super) fn choose(rows: usize, max: usize) -> Self {
        let regular = |spacing: u32| Self {
            spacing,
            regular: SCALAR_BITS.div_ceil(spacing) as usize,
            short: false,
        };
        // Of the spacings that need as many windows the least: its digits have the fewest buckets.
        let is_least =
            |spacing: &u32| SCALAR_BITS.div_ceil(*spacing) < SCALAR_BITS.div_ceil(spacing - 1);
        // From the smallest table to the largest: at equal cost the smaller one stays.
        let best = (4..=SCALAR_BITS)
            .rev()
            .filter(is_least)
            .map(regular)
            .filter(|windows| windows.regular <= max.max(1))
            .min_by_key(|&windows| Layout::choose(windows, &FULL_BOUND, rows).cost())
            .expect("one window is always allowed");
        let with_short = Self { short: best.spacing > SHORT_BITS, ..best };
        let cost = |windows: Self| Layout::choose(windows, &[1 << 15, 0, 0, 0], rows).cost();
        let helps = (2..max).contains(&best.regular) && cost(with_short) < cost(best);
        if helps { with_short } else { best }
    }

    /// How many there are.
    pub(super) fn count(self) -> usize {
        self.regular + usize::from(self.short)
    }
}

/// A digit: bits `offset..offset + width` of the magnitude, and the carry of the digit before.
///
/// If that is above `2^(width-1)`, the digit is `2^width` less and carries one into the next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Digit {
    /// Lowest bit.
    pub(super) offset: u32,
    /// Bits.
    pub(super) width: u32,
    /// The window of the table whose points it multiplies.
    pub(super) window: u32,
    /// The group of digit `1` of its bucket set: groups are counted over the sets of a layout, one
    /// for each digit `1..=largest`, of the rows that have `+digit` or `-digit`.
    pub(super) first_group: u32,
}

/// Digits whose points are collected in the same buckets: they have the same offset within their
/// windows.
#[derive(Clone, Copy, Debug)]
pub(super) struct BucketSet {
    /// Bits below the digit, within a window: the sum of the set counts `2^offset` times.
    pub(super) offset: u32,
    /// The largest magnitude of a digit.
    pub(super) largest: u32,
}

/// The digits of scalars of bounded magnitude.
///
/// Windows of the table are `spacing` bits apart. A window is cut into digits of `width` bits (the
/// last may be narrower), and the digits at the same place of each window share a bucket set.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    digits: Vec<Digit>,
    sets: Vec<BucketSet>,
    cost: usize,
}

impl Layout {
    /// The layout that is cheapest for `rows` scalars up to `bound`.
    pub(super) fn choose(windows: Windows, bound: &[u64; 4], rows: usize) -> Self {
        let spacing = windows.spacing;
        // Narrower digits would be too many, unless they are all that fits.
        let widths = MIN_WIDTH.min(spacing)..=MAX_WIDTH.min(spacing);
        let layouts = widths.map(|width| Self::new(spacing, width, bound, rows));
        let short = windows.short.then(|| Self::short(windows, bound, rows)).flatten();
        layouts.chain(short).min_by_key(Self::cost).expect("a spacing has at least one bit")
    }

    /// Two digits, the second of which multiplies the short window, if their buckets have no more
    /// bits than a window.
    fn short(windows: Windows, bound: &[u64; 4], rows: usize) -> Option<Self> {
        let carried = shift_right(bound, SHORT_BITS).saturating_add(1);
        let above = u32::try_from(carried).ok().filter(|above| above >> windows.spacing == 0)?;
        let largest = above.max(1 << (SHORT_BITS - 1));
        let digit = |offset, width, window| Digit { offset, width, window, first_group: 0 };
        let window = u32::try_from(windows.regular).ok()?;
        // As wide as it takes for no carry.
        let width = above.ilog2() + 2;
        Some(Self {
            digits: vec![digit(0, SHORT_BITS, 0), digit(SHORT_BITS, width, window)],
            sets: vec![BucketSet { offset: 0, largest }],
            cost: cost(2 * rows, largest),
        })
    }

    fn new(spacing: u32, width: u32, bound: &[u64; 4], rows: usize) -> Self {
        let mut digits: Vec<Digit> = Vec::with_capacity(SCALAR_BITS.div_ceil(width) as usize);
        // For each place in a window: bits below, largest digit, number of digits.
        let mut places: Vec<(u32, u32, usize)> = Vec::new();
        let (mut window, mut within, mut place) = (0, 0, 0);
        loop {
            let offset = spacing * window + within;
            let width = width.min(spacing - within);
            // What is left of the bound, and a carry.
            let left = shift_right(bound, offset).saturating_add(u64::from(offset > 0));
            let half = 1 << (width - 1);
            let largest = u32::try_from(left).map_or(half, |left| left.min(half));
            if places.len() == place {
                places.push((within, 0, 0));
            }
            let (_, of_place, count) = &mut places[place];
            (*of_place, *count) = (largest.max(*of_place), *count + 1);
            digits.push(Digit { offset, width, window, first_group: 0 });
            if left <= u64::from(half) {
                break;
            }
            (within, place) = (within + width, place + 1);
            if within == spacing {
                (window, within, place) = (window + 1, 0, 0);
            }
        }
        let mut groups = 0;
        for (place, &(_, largest, _)) in places.iter().enumerate() {
            let digits = digits.iter_mut().skip(place).step_by(places.len());
            digits.for_each(|digit| digit.first_group = groups);
            groups += largest;
        }
        let cost = places.iter().map(|&(_, largest, digits)| cost(rows * digits, largest)).sum();
        let set = |&(offset, largest, _): &(u32, u32, usize)| BucketSet { offset, largest };
        Self { digits, sets: places.iter().map(set).collect(), cost }
    }

    /// Estimated cost of a column, in sixteenths of an addition.
    pub(super) fn cost(&self) -> usize {
        self.cost
    }

    /// The digits, the lowest first.
    pub(super) fn digits(&self) -> &[Digit] {
        &self.digits
    }

    /// The bucket sets; their groups follow each other.
    pub(super) fn sets(&self) -> &[BucketSet] {
        &self.sets
    }

    /// Groups of all sets.
    pub(super) fn groups(&self) -> usize {
        self.sets.iter().map(|set| set.largest as usize).sum()
    }
}

/// Cost of a set with so many entries and buckets, in sixteenths of an addition: one per entry,
/// two per bucket that can be used, and what it takes to walk over the counters of a bucket and to
/// finish a set.
fn cost(entries: usize, buckets: u32) -> usize {
    let buckets = buckets as usize;
    16 * entries + 32 * buckets.min(entries) + buckets + 500
}

/// `value >> bits`, or the largest `u64` if that is larger.
fn shift_right(value: &[u64; 4], bits: u32) -> u64 {
    let (skip, shift) = ((bits / 64) as usize, bits % 64);
    let word = |i: usize| value.get(i).copied().unwrap_or(0);
    let low = word(skip) >> shift | (word(skip + 1) << 1) << (63 - shift);
    let rest = (skip + 1..4).map(word).enumerate();
    let more = rest.fold(0, |more, (i, word)| more | if i == 0 { word >> shift } else { word });
    if more == 0 { low } else { u64::MAX }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shifts_are_exact_or_saturate() {
        let value = [0x1111, 0x2222, 0, 1 << 60];
        assert_eq!(shift_right(&value, 0), u64::MAX);
        assert_eq!(shift_right(&value, 188), u64::MAX);
        assert_eq!(shift_right(&value, 189), 1 << 63);
        assert_eq!(shift_right(&value, 252), 1);
        assert_eq!(shift_right(&value, 253), 0);
        assert_eq!(shift_right(&[5, 3, 0, 0], 1), u64::MAX);
        assert_eq!(shift_right(&[5, 3, 0, 0], 2), 0xc000_0000_0000_0001);
        assert_eq!(shift_right(&[5, 3, 0, 0], 64), 3);
    }

    #[test]
    fn digits_cover_the_bound_and_stay_in_the_table() {
        for spacing in 4..=SCALAR_BITS {
            for width in 1..=spacing.min(MAX_WIDTH) {
                for bound in [[0; 4], [1, 0, 0, 0], [1 << 31, 0, 0, 0], FULL_BOUND] {
                    let layout = Layout::new(spacing, width, &bound, 100);
                    let last = layout.digits().last().expect("at least one digit");
                    assert!(last.window < SCALAR_BITS.div_ceil(spacing));
                    let left = shift_right(&bound, last.offset) + u64::from(last.offset > 0);
                    assert!(left <= 1 << (last.width - 1));
                    let ends = layout.digits().iter().map(|digit| digit.offset + digit.width);
                    let starts = layout.digits().iter().skip(1).map(|digit| digit.offset);
                    assert!(ends.zip(starts).all(|(end, start)| end == start));
                }
            }
        }
    }

    #[test]
    fn small_scalars_have_few_digits_and_buckets() {
        let windows = Windows { spacing: 13, regular: 20, short: false };
        let bytes = Layout::choose(windows, &[128, 0, 0, 0], 4096);
        assert_eq!((bytes.digits().len(), bytes.groups()), (1, 128));
        let bits = Layout::choose(windows, &[1, 0, 0, 0], 4096);
        assert_eq!((bits.digits().len(), bits.groups()), (1, 1));
    }

    #[test]
    fn sixteen_bits_are_two_digits_where_the_short_window_fits() {
        let windows = Windows::choose(4096, 21);
        assert_eq!(windows, Windows { spacing: 13, regular: 20, short: true });
        assert_eq!(windows.count(), 21);
        let signed = Layout::choose(windows, &[1 << 15, 0, 0, 0], 4096);
        assert_eq!((signed.digits().len(), signed.groups()), (2, 129));
        let unsigned = Layout::choose(windows, &[65535, 0, 0, 0], 4096);
        assert_eq!((unsigned.digits().len(), unsigned.groups()), (2, 256));
        let full = Layout::choose(windows, &FULL_BOUND, 4096);
        assert_eq!(full.digits().len(), 20);
        assert!(!Windows::choose(4096, 20).short);
        assert!(!Windows::choose(4096, 1).short);
    }

    #[test]
    fn digits_of_the_short_layout_take_every_carry() {
        for spacing in SHORT_BITS + 1..20 {
            let windows = Windows { spacing, regular: 20, short: true };
            for bits in 0..=SHORT_BITS + spacing {
                let Some(layout) = Layout::short(windows, &[(1 << bits) - 1, 0, 0, 0], 9) else {
                    assert_eq!(bits, SHORT_BITS + spacing);
                    continue;
                };
                let above = (((1_u64 << bits) - 1) >> SHORT_BITS) + 1;
                assert!(above <= 1 << (layout.digits()[1].width - 1));
                assert!(u64::from(layout.sets()[0].largest) >= above.max(128));
            }
        }
    }
}
