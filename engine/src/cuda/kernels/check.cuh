// Arithmetic by itself, for the self-test and for measuring.

struct Check {
  const u32 *left;
  const u32 *right;
  u32 *to;
  u64 count;
};

template <class M>
FN void check_field(const Check &a) {
  u64 at = thread_number();
  if (at >= a.count) return;
  Field<M> x = ((const Field<M> *)a.left)[at], y = ((const Field<M> *)a.right)[at];
  Field<M> *to = (Field<M> *)a.to + 4 * at;
  to[0] = x + y;
  to[1] = x - y;
  to[2] = x * y;
  to[3] = inverse(x);
}

KERNEL(check_scalars, Check, 128) { check_field<OfScalars>(a); }
KERNEL(check_coordinates, Check, 128) { check_field<OfCoordinates>(a); }

// Sums and doubles of points: left + right, left + left, and left - left + right.
KERNEL(check_points, Check, 64) {
  u64 at = thread_number();
  if (at >= a.count) return;
  Affine x = ((const Affine *)a.left)[at], y = ((const Affine *)a.right)[at];
  Affine minus = x;
  minus.y = negated(x.y);
  Point sum = from_affine(x), twice = from_affine(x), back = from_affine(x);
  add(sum, y);
  add_slowly(twice, from_affine(x));
  add(back, minus);
  add_slowly(back, from_affine(y));
  Affine *to = (Affine *)a.to + 3 * at;
  to[0] = to_affine(sum);
  to[1] = to_affine(twice);
  to[2] = to_affine(back);
}

struct Measure {
  Fr *values;
  u64 rounds;
};

// Products that depend on each other, in every thread.
KERNEL(measure_products, Measure, 128) {
  Fr x = a.values[thread_number()], y = x;
  for (u64 i = 0; i < a.rounds; i++) {
    x = x * y;
    y = y * x;
  }
  a.values[thread_number()] = x + y;
}
