// Sums of multiples of points: scalars are cut into signed digits, points are sorted by digit into
// buckets, and buckets are added up by tasks of bounded length, whatever their sizes.

#define NEGATIVE 0x80000000u

struct Digits {
  const Column *columns;
  // What is subtracted from every value of a column first.
  const Fr *common;
  u64 rows;
  // Bits of a digit, digits of a scalar, and digits of a window of the table.
  u64 width;
  u64 digits;
  u64 sets;
  u64 buckets;
  // Rows of each bucket.
  u32 *counts;
  const u32 *starts;
  u32 *entries;
};

// A canonical value or its negative, whichever is smaller.
FN bool make_smaller(Fr &value) {
  u32 modulus[8], negative[8], compared[8];
  UNROLL for (int i = 0; i < 8; i++) modulus[i] = OfScalars::modulus(i);
  sub8(negative, modulus, value.limb);
  bool is_negative = sub8(compared, negative, value.limb) != 0;
  UNROLL for (int i = 0; i < 8; i++) value.limb[i] = is_negative ? negative[i] : value.limb[i];
  return is_negative;
}

// The bits of `value` from `offset` on.
FN u32 bits_from(const Fr &value, u32 offset) {
  u32 word = offset >> 5, low = 0, high = 0;
  UNROLL for (u32 i = 0; i < 8; i++) {
    low = word == i ? value.limb[i] : low;
    high = word + 1 == i ? value.limb[i] : high;
  }
  return (u32)((((u64)high << 32) | low) >> (offset & 31));
}

// Counts the digits of one scalar, or puts its entries into their buckets.
template <bool PLACE>
FN void sort_row(const Digits &a) {
  u64 row = thread_number();
  if (row >= a.rows) return;
  u32 column = blockIdx.y;
  Cell found = cell(a.columns[column], row, a.rows - 1);
  Fr value = zero<OfScalars>();
  bool is_negative;
  if (found.is_integer) {
    is_negative = found.integer < 0;
    value.limb[0] = is_negative ? 0 - (u32)found.integer : (u32)found.integer;
  } else {
    value = canonical(found.element - a.common[column]);
    is_negative = make_smaller(value);
  }
  if (is_zero(value)) return;
  u32 carry = 0, half = 1u << (a.width - 1);
  for (u32 i = 0; i < a.digits; i++) {
    u32 digit = (bits_from(value, i * (u32)a.width) & (2 * half - 1)) + carry;
    carry = digit > half;
    u32 magnitude = carry ? 2 * half - digit : digit;
    if (magnitude == 0) continue;
    u32 set = i % (u32)a.sets, window = i / (u32)a.sets;
    u32 bucket = (column * (u32)a.sets + set) * (u32)a.buckets + magnitude - 1;
    u32 place = count_up(a.counts, bucket);
    if (PLACE) {
      u32 sign = (carry != 0) != is_negative ? NEGATIVE : 0;
      a.entries[a.starts[bucket] + place] = (window * (u32)a.rows + (u32)row) | sign;
    }
  }
}

// The number of entries of every bucket, from zeros.
KERNEL(count_digits, Digits, 256) { sort_row<false>(a); }

// The entries of every bucket, in any order; `counts` from zeros again.
KERNEL(place_digits, Digits, 256) { sort_row<true>(a); }

struct Positions {
  // Of each summand the entry of every row.
  const u32 *positions;
  u64 rows;
  // Rows of each entry.
  u32 *counts;
  const u32 *starts;
  u32 *entries;
};

// Counts the row of one summand, or puts it into the bucket of its entry.
template <bool PLACE>
FN void sort_position(const Positions &a) {
  u64 row = thread_number();
  if (row >= a.rows) return;
  u32 bucket = a.positions[blockIdx.y * a.rows + row];
  u32 place = count_up(a.counts, bucket);
  if (PLACE) a.entries[a.starts[bucket] + place] = (u32)row;
}

// How many rows have each entry, from zeros.
KERNEL(count_positions, Positions, 256) { sort_position<false>(a); }

// The rows of each entry, in any order; `counts` from zeros again.
KERNEL(place_positions, Positions, 256) { sort_position<true>(a); }

struct Tasks {
  const u32 *counts;
  u32 *to;
  u64 buckets;
  u64 length;
};

// How many tasks of at most `length` terms a bucket is.
KERNEL(count_tasks, Tasks, 256) {
  u64 at = thread_number();
  if (at < a.buckets) a.to[at] = (a.counts[at] + (u32)a.length - 1) / (u32)a.length;
}

struct ChunkSums {
  const u32 *from;
  u32 *to;
  u64 count;
  u64 chunk;
};

// The sums of consecutive chunks.
KERNEL(chunk_sums, ChunkSums, 128) {
  u64 first = thread_number() * a.chunk;
  if (first >= a.count) return;
  u64 end = first + a.chunk < a.count ? first + a.chunk : a.count;
  u32 sum = 0;
  for (u64 at = first; at < end; at++) sum += a.from[at];
  a.to[thread_number()] = sum;
}

struct RunningSums {
  const u32 *from;
  const u32 *starts;
  u32 *to;
  u64 count;
  u64 chunk;
};

// Sums of everything before, and of everything in the end: one start a chunk, or 0 without
// `starts`.
KERNEL(running_sums, RunningSums, 128) {
  u64 first = thread_number() * a.chunk;
  if (first >= a.count) return;
  u64 end = first + a.chunk < a.count ? first + a.chunk : a.count;
  u32 sum = a.starts ? a.starts[thread_number()] : 0;
  for (u64 at = first; at < end; at++) {
    u32 term = a.from[at];
    a.to[at] = sum;
    sum += term;
  }
  if (end == a.count) a.to[end] = sum;
}

struct SumTerms {
  // Points of the table and entries, or sums of points.
  const Affine *table;
  const u32 *entries;
  const Point *points;
  // Of the terms of each bucket, and the tasks of each bucket.
  const u32 *starts;
  const u32 *counts;
  const u32 *tasks;
  u64 buckets;
  Point *to;
};

// The terms of one task: equal parts of a bucket.
struct Part {
  u32 first, end;
};

FN bool find_part(const SumTerms &a, Part &part) {
  u64 task = thread_number();
  if (task >= a.tasks[a.buckets]) return false;
  u32 low = 0, high = (u32)a.buckets;
  while (high - low > 1) {
    u32 middle = low + (high - low) / 2;
    if (a.tasks[middle] <= task) {
      low = middle;
    } else {
      high = middle;
    }
  }
  u64 number = task - a.tasks[low], tasks = a.tasks[low + 1] - a.tasks[low];
  part.first = a.starts[low] + (u32)(number * a.counts[low] / tasks);
  part.end = a.starts[low] + (u32)((number + 1) * a.counts[low] / tasks);
  return true;
}

KERNEL(sum_entries, SumTerms, 128) {
  Part part;
  if (!find_part(a, part)) return;
  Point sum = infinity();
  for (u32 at = part.first; at < part.end; at++) {
    u32 entry = a.entries[at];
    Affine point = a.table[entry & ~NEGATIVE];
    if (entry & NEGATIVE) point.y = negated(point.y);
    add(sum, point);
  }
  a.to[thread_number()] = sum;
}

KERNEL(sum_points, SumTerms, 128) {
  Part part;
  if (!find_part(a, part)) return;
  Point sum = a.points[part.first];
  for (u32 at = part.first + 1; at < part.end; at++) add(sum, a.points[at]);
  a.to[thread_number()] = sum;
}

struct Gather {
  const Point *points;
  const u32 *starts;
  const u32 *counts;
  u64 buckets;
  Point *to;
};

// The sum of every bucket, when none has more than one term left.
KERNEL(gather, Gather, 128) {
  u64 at = thread_number();
  if (at >= a.buckets) return;
  a.to[at] = a.counts[at] ? a.points[a.starts[at]] : infinity();
}

struct Weigh {
  const Point *sums;
  const Point *weighted;
  u64 children;
  u64 doublings;
  Point *to_sums;
  Point *to_weighted;
  u64 count;
};

// Puts `children` ranges of buckets together, which are 2^doublings buckets each: their sum, and
// their sum weighted by the place in the range, from one on.
KERNEL(weigh, Weigh, 64) {
  u64 at = thread_number();
  if (at >= a.count) return;
  Point sum = infinity(), by_range = infinity(), weighted = infinity();
  for (u64 i = a.children; i-- > 0;) {
    add_slowly(sum, a.sums[at * a.children + i]);
    if (i > 0) add_slowly(by_range, sum);
    add_slowly(weighted, a.weighted[at * a.children + i]);
  }
  for (u64 i = 0; i < a.doublings; i++) by_range = doubled(by_range);
  add_slowly(weighted, by_range);
  a.to_sums[at] = sum;
  a.to_weighted[at] = weighted;
}

struct Normalize {
  const Point *from;
  Affine *to;
  u64 count;
};

// Points without denominators.
KERNEL(normalize, Normalize, 64) {
  u64 at = thread_number();
  if (at < a.count) a.to[at] = to_affine(a.from[at]);
}

struct Multiples {
  const Affine *from;
  Affine *to;
  u64 count;
  u64 doublings;
};

// 2^doublings · point.
KERNEL(multiples, Multiples, 128) {
  u64 at = thread_number();
  if (at >= a.count) return;
  Point point = from_affine(a.from[at]);
  for (u64 i = 0; i < a.doublings; i++) point = doubled(point);
  a.to[at] = to_affine(point);
}

struct Sample {
  const Column *columns;
  Fr *to;
  u64 rows;
  u64 samples;
};

// Some rows of each column, equally far apart.
KERNEL(sample, Sample, 64) {
  u64 at = thread_number();
  if (at >= a.samples) return;
  u64 row = at * (a.rows / a.samples);
  a.to[blockIdx.y * a.samples + at] = fetch(a.columns[blockIdx.y], row, a.rows - 1);
}
