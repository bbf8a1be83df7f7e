// Points of y^2 = x^3 + 3. Additions are right for every input: equal, opposite, infinite.

// (0, 0) is the point at infinity, as in halo2's curve library.
struct alignas(16) Affine {
  Fq x, y;
};

// x = X/ZZ, y = Y/ZZZ with ZZ^3 = ZZZ^2; infinite where ZZ is zero (Sutherland's "XYZZ").
struct alignas(16) Point {
  Fq x, y, zz, zzz;
};

FN bool is_infinite(const Affine &a) { return is_zero(a.x) && is_zero(a.y); }

FN Point infinity() {
  Point r;
  r.x = r.y = r.zz = r.zzz = zero<OfCoordinates>();
  return r;
}

FN Point from_affine(const Affine &a) {
  if (is_infinite(a)) return infinity();
  Point r;
  r.x = a.x;
  r.y = a.y;
  r.zz = r.zzz = one<OfCoordinates>();
  return r;
}

// dbl-2008-s-1: no point has order two.
FN_CALL Point doubled(const Point &a) {
  Fq u = doubled(a.y);
  Fq v = squared(u);
  Fq w = u * v;
  Fq s = a.x * v;
  Fq square = squared(a.x);
  Fq m = doubled(square) + square;
  Point r;
  r.x = squared(m) - doubled(s);
  r.y = m * (s - r.x) - w * a.y;
  r.zz = v * a.zz;
  r.zzz = w * a.zzz;
  return r;
}

// What is common to both additions: `p` and `r` are the differences of abscissas and ordinates,
// `x` and `y` the coordinates of one of the points over the common denominator.
FN void finish_addition(Point &sum, const Fq &p, const Fq &r, const Fq &x, const Fq &y) {
  Fq pp = squared(p);
  Fq ppp = p * pp;
  Fq q = x * pp;
  sum.x = squared(r) - ppp - doubled(q);
  sum.y = r * (q - sum.x) - y * ppp;
  sum.zz = sum.zz * pp;
  sum.zzz = sum.zzz * ppp;
}

// sum += b: madd-2008-s.
FN void add(Point &sum, const Affine &b) {
  if (is_infinite(b)) return;
  if (is_zero(sum.zz)) {
    sum = from_affine(b);
    return;
  }
  Fq p = b.x * sum.zz - sum.x;
  Fq r = b.y * sum.zzz - sum.y;
  if (is_zero(p)) {
    sum = is_zero(r) ? doubled(from_affine(b)) : infinity();
    return;
  }
  Fq x = sum.x, y = sum.y;
  finish_addition(sum, p, r, x, y);
}

// sum += b: add-2008-s.
FN void add(Point &sum, const Point &b) {
  if (is_zero(b.zz)) return;
  if (is_zero(sum.zz)) {
    sum = b;
    return;
  }
  Fq x = sum.x * b.zz, y = sum.y * b.zzz;
  Fq p = b.x * sum.zz - x;
  Fq r = b.y * sum.zzz - y;
  if (is_zero(p)) {
    sum = is_zero(r) ? doubled(b) : infinity();
    return;
  }
  sum.zz = sum.zz * b.zz;
  sum.zzz = sum.zzz * b.zzz;
  finish_addition(sum, p, r, x, y);
}

FN_CALL void add_slowly(Point &sum, const Point &b) { add(sum, b); }

FN Affine to_affine(const Point &a) {
  Affine r;
  Fq cube = inverse(a.zzz);
  // zz/zzz is 1/Z, where zz is Z^2 and zzz is Z^3.
  r.x = a.x * squared(a.zz * cube);
  r.y = a.y * cube;
  return r;
}
