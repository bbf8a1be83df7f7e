// Operations on rows of columns.

// A column at a rotation. The values are elements, or integers of 32 bits up to row `head`, where
// the elements of `tail` follow.
struct Column {
  const void *values;
  const Fr *tail;
  u64 head;
  u64 is_integers;
  u64 rotation;
};

// What is in a row: an integer, or an element.
struct Cell {
  bool is_integer;
  i32 integer;
  Fr element;
};

FN Cell cell(const Column &column, u64 row, u64 mask) {
  Cell r;
  u64 at = (row + column.rotation) & mask;
  r.is_integer = column.is_integers && at < column.head;
  if (r.is_integer) {
    r.integer = ((const i32 *)column.values)[at];
  } else if (column.is_integers) {
    r.element = column.tail[at - column.head];
  } else {
    r.element = ((const Fr *)column.values)[at];
  }
  return r;
}

FN Fr fetch(const Column &column, u64 row, u64 mask) {
  Cell r = cell(column, row, mask);
  return r.is_integer ? from_integer(r.integer) : r.element;
}

// Σ factor·column, as it grows.
struct Total {
  Sum sum;
  SmallSum small;
  Fr value;
  u32 terms;
};

FN Total empty_total() {
  Total total;
  total.sum = empty_sum();
  total.small = empty_small_sum();
  total.value = zero<OfScalars>();
  total.terms = 0;
  return total;
}

FN void add_term(Total &total, const Fr &factor, const Cell &term) {
  if (term.is_integer) {
    add_small_product(total.small, factor, term.integer);
    return;
  }
  add_product(total.sum, factor, term.element);
  if (++total.terms == SUM_TERMS) {
    total.value = total.value + reduce(total.sum);
    total.sum = empty_sum();
    total.terms = 0;
  }
}

FN Fr finished(const Total &total) {
  return total.value + reduce(total.sum) + reduce(total.small);
}

struct Widen {
  const Column *columns;
  Fr *const *to;
  u64 rows;
};

// Each column as elements: one column a row of the grid.
KERNEL(widen, Widen, 256) {
  u64 row = thread_number();
  if (row < a.rows) a.to[blockIdx.y][row] = fetch(a.columns[blockIdx.y], row, a.rows - 1);
}

struct Combine {
  const Column *columns;
  const Fr *scales;
  u64 terms;
  Fr *to;
  u64 rows;
};

// Σ scale·column.
KERNEL(combine, Combine, 128) {
  u64 row = thread_number();
  if (row >= a.rows) return;
  Total total = empty_total();
  for (u64 i = 0; i < a.terms; i++) {
    add_term(total, a.scales[i], cell(a.columns[i], row, a.rows - 1));
  }
  a.to[row] = finished(total);
}

struct Dot {
  const Fr *weights;
  const Column *columns;
  Fr *to;
  u64 rows;
};

// Σ weight·column over every `thread_count()`-th row: one column a row of the grid, one sum a
// thread.
KERNEL(dot, Dot, 128) {
  Column column = a.columns[blockIdx.y];
  Total total = empty_total();
  for (u64 row = thread_number(); row < a.rows; row += thread_count()) {
    add_term(total, a.weights[row], cell(column, row, a.rows - 1));
  }
  a.to[blockIdx.y * thread_count() + thread_number()] = finished(total);
}

struct Fold {
  const Fr *from;
  Fr *to;
  u64 count;
  u64 parts;
};

// Sums of `parts` consecutive elements.
KERNEL(fold, Fold, 128) {
  u64 at = thread_number();
  if (at >= a.count) return;
  Fr sum = a.from[at * a.parts];
  for (u64 i = 1; i < a.parts; i++) sum = sum + a.from[at * a.parts + i];
  a.to[at] = sum;
}

struct Powers {
  const Fr *squares;
  Fr *to;
  u64 count;
};

// base^i, given base^(2^j).
KERNEL(powers, Powers, 256) {
  u64 at = thread_number();
  if (at >= a.count) return;
  Fr power = one<OfScalars>();
  for (u64 bits = at, j = 0; bits != 0; bits >>= 1, j++) {
    if (bits & 1) power = power * a.squares[j];
  }
  a.to[at] = power;
}

struct Divisors {
  const Fr *omegas;
  const Fr *points;
  u64 count;
  Fr *to;
  u64 rows;
};

// Π (ω^row - point).
KERNEL(divisors, Divisors, 256) {
  u64 row = thread_number();
  if (row >= a.rows) return;
  Fr omega = a.omegas[row];
  Fr product = omega - a.points[0];
  for (u64 i = 1; i < a.count; i++) product = product * (omega - a.points[i]);
  a.to[row] = product;
}

struct Quotients {
  const Fr *inverses;
  const Column *dividend;
  const Fr *omegas;
  const Fr *remainder;
  u64 count;
  Fr *to;
  u64 rows;
};

// inverse·(dividend - remainder(ω^row)).
KERNEL(quotients, Quotients, 256) {
  u64 row = thread_number();
  if (row >= a.rows) return;
  Fr omega = a.omegas[row];
  Fr value = zero<OfScalars>();
  for (u64 i = a.count; i-- > 0;) value = value * omega + a.remainder[i];
  a.to[row] = a.inverses[row] * (fetch(*a.dividend, row, a.rows - 1) - value);
}

struct ScaledProducts {
  const Fr *left;
  const Fr *right;
  const Fr *scale;
  Fr *to;
  u64 rows;
};

// left·right·scale.
KERNEL(scaled_products, ScaledProducts, 256) {
  u64 row = thread_number();
  if (row < a.rows) a.to[row] = a.left[row] * a.right[row] * *a.scale;
}

struct Invert {
  const Fr *from;
  Fr *to;
  u64 count;
};

// 1/x, and zero for zero: one inversion a thread (Montgomery's trick).
KERNEL(invert, Invert, 128) {
  u64 stride = thread_count();
  Fr product = one<OfScalars>();
  u64 at = thread_number();
  if (at >= a.count) return;
  for (; at < a.count; at += stride) {
    Fr value = a.from[at];
    a.to[at] = product;
    if (!is_zero(value)) product = product * value;
  }
  product = inverse(product);
  while (at >= stride) {
    at -= stride;
    Fr value = a.from[at];
    if (is_zero(value)) {
      a.to[at] = value;
    } else {
      a.to[at] = a.to[at] * product;
      product = product * value;
    }
  }
}

struct ChunkProducts {
  const Fr *from;
  Fr *to;
  u64 count;
  u64 chunk;
};

// The products of consecutive chunks.
KERNEL(chunk_products, ChunkProducts, 128) {
  u64 first = thread_number() * a.chunk;
  if (first >= a.count) return;
  u64 end = first + a.chunk < a.count ? first + a.chunk : a.count;
  Fr product = a.from[first];
  for (u64 at = first + 1; at < end; at++) product = product * a.from[at];
  a.to[thread_number()] = product;
}

struct RunningProducts {
  const Fr *from;
  const Fr *starts;
  Fr *to;
  u64 count;
  u64 chunk;
};

// start, start·f0, start·f0·f1, …: one start a chunk, or 1 without `starts`.
KERNEL(running_products, RunningProducts, 128) {
  u64 first = thread_number() * a.chunk;
  if (first >= a.count) return;
  u64 end = first + a.chunk < a.count ? first + a.chunk : a.count;
  Fr product = a.starts ? a.starts[thread_number()] : one<OfScalars>();
  for (u64 at = first; at < end; at++) {
    Fr factor = a.from[at];
    a.to[at] = product;
    product = product * factor;
  }
}
