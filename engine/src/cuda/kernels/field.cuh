// The two fields of BN254, in Montgomery form with radix 2^256, as halo2's curve library has them
// in memory. Elements are canonical: below the modulus.

struct OfScalars {
  WORDS u32 modulus(int i) {
    constexpr u32 words[8] = {0xf0000001, 0x43e1f593, 0x79b97091, 0x2833e848,
                              0x8181585d, 0xb85045b6, 0xe131a029, 0x30644e72};
    return words[i];
  }
  WORDS u32 one(int i) {
    constexpr u32 words[8] = {0x4ffffffb, 0xac96341c, 0x9f60cd29, 0x36fc7695,
                              0x7879462e, 0x666ea36f, 0x9a07df2f, 0x0e0a77c1};
    return words[i];
  }
  WORDS u32 radix_squared(int i) {
    constexpr u32 words[8] = {0xae216da7, 0x1bb8e645, 0xe35c59e3, 0x53fe3ab1,
                              0x53bb8085, 0x8c49833d, 0x7f4e44a5, 0x0216d0b1};
    return words[i];
  }
  // -1/modulus modulo 2^32.
  static constexpr u32 inverse = 0xefffffff;
};

struct OfCoordinates {
  WORDS u32 modulus(int i) {
    constexpr u32 words[8] = {0xd87cfd47, 0x3c208c16, 0x6871ca8d, 0x97816a91,
                              0x8181585d, 0xb85045b6, 0xe131a029, 0x30644e72};
    return words[i];
  }
  WORDS u32 one(int i) {
    constexpr u32 words[8] = {0xc58f0d9d, 0xd35d438d, 0xf5c70b3d, 0x0a78eb28,
                              0x7879462c, 0x666ea36f, 0x9a07df2f, 0x0e0a77c1};
    return words[i];
  }
  static constexpr u32 inverse = 0xe4866389;
};

template <class M>
struct alignas(16) Field {
  u32 limb[8];
};
typedef Field<OfScalars> Fr;
typedef Field<OfCoordinates> Fq;

template <class M>
FN Field<M> zero() {
  Field<M> r;
  UNROLL for (int i = 0; i < 8; i++) r.limb[i] = 0;
  return r;
}

template <class M>
FN Field<M> one() {
  Field<M> r;
  UNROLL for (int i = 0; i < 8; i++) r.limb[i] = M::one(i);
  return r;
}

template <class M>
FN bool is_zero(const Field<M> &a) {
  u32 all = 0;
  UNROLL for (int i = 0; i < 8; i++) all |= a.limb[i];
  return all == 0;
}

template <class M>
FN bool equal(const Field<M> &a, const Field<M> &b) {
  u32 all = 0;
  UNROLL for (int i = 0; i < 8; i++) all |= a.limb[i] ^ b.limb[i];
  return all == 0;
}

// A value below twice the modulus, brought below it.
template <class M>
FN Field<M> reduced(const u32 *a) {
  u32 modulus[8], less[8];
  UNROLL for (int i = 0; i < 8; i++) modulus[i] = M::modulus(i);
  u32 borrow = sub8(less, a, modulus);
  Field<M> r;
  UNROLL for (int i = 0; i < 8; i++) r.limb[i] = borrow ? a[i] : less[i];
  return r;
}

template <class M>
FN Field<M> operator+(const Field<M> &a, const Field<M> &b) {
  u32 sum[8];
  add8(sum, a.limb, b.limb);
  return reduced<M>(sum);
}

template <class M>
FN Field<M> operator-(const Field<M> &a, const Field<M> &b) {
  u32 difference[8], modulus[8];
  u32 borrow = sub8(difference, a.limb, b.limb);
  UNROLL for (int i = 0; i < 8; i++) modulus[i] = M::modulus(i) & borrow;
  Field<M> r;
  add8(r.limb, difference, modulus);
  return r;
}

template <class M>
FN Field<M> negated(const Field<M> &a) {
  return zero<M>() - a;
}

template <class M>
FN Field<M> doubled(const Field<M> &a) {
  return a + a;
}

// Adds the multiple of the modulus that clears the lowest limb. `even` holds limbs 0 to 7 of a
// sum, `odd` limbs 1 to 8.
template <class M>
FN void clear_lowest(u32 *even, u32 *odd) {
  u32 times = even[0] * M::inverse;
  add_row(odd, M::modulus(1), M::modulus(3), M::modulus(5), M::modulus(7), times);
  odd[7] += add_row(even, M::modulus(0), M::modulus(2), M::modulus(4), M::modulus(6), times);
}

// `(high:low) >> 32 + a·b`, where the lowest limb is zero; `low` holds the even limbs then.
template <class M>
FN void next_row(u32 *low, u32 *high, const u32 *a, u32 b) {
  shift_row(low, high, a[1], a[3], a[5], a[7], b);
  high[7] += add_row(low, a[0], a[2], a[4], a[6], b);
  clear_lowest<M>(low, high);
}

// a·b/2^256 modulo the modulus, where a·b is below 2^256 times the modulus.
template <class M>
FN Field<M> multiply(const u32 *a, const u32 *b) {
  u32 even[8], odd[8];
  UNROLL for (int i = 0; i < 8; i++) even[i] = odd[i] = 0;
  add_row(odd, a[1], a[3], a[5], a[7], b[0]);
  add_row(even, a[0], a[2], a[4], a[6], b[0]);
  clear_lowest<M>(even, odd);
  UNROLL for (int i = 1; i < 7; i += 2) {
    next_row<M>(odd, even, a, b[i]);
    next_row<M>(even, odd, a, b[i + 1]);
  }
  next_row<M>(odd, even, a, b[7]);
  UNROLL for (int i = 0; i < 7; i++) odd[i] = odd[i + 1];
  odd[7] = 0;
  add8(even, even, odd);
  return reduced<M>(even);
}

template <class M>
FN Field<M> operator*(const Field<M> &a, const Field<M> &b) {
  return multiply<M>(a.limb, b.limb);
}

template <class M>
FN Field<M> squared(const Field<M> &a) {
  return a * a;
}

// The element as an integer.
template <class M>
FN Field<M> canonical(const Field<M> &a) {
  u32 unit[8] = {1, 0, 0, 0, 0, 0, 0, 0};
  return multiply<M>(a.limb, unit);
}

// 1/a = a^(modulus - 2), and zero for zero.
template <class M>
FN_CALL Field<M> inverse(const Field<M> &a) {
  Field<M> r = one<M>();
  for (int i = 253; i >= 0; i--) {
    r = squared(r);
    // The lowest limb of both moduli is above one.
    u32 word = M::modulus(0) - 2;
    UNROLL for (int j = 1; j < 8; j++) word = (i >> 5) == j ? M::modulus(j) : word;
    if (word >> (i & 31) & 1) r = r * a;
  }
  return r;
}

FN Fr radix_squared() {
  Fr r;
  UNROLL for (int i = 0; i < 8; i++) r.limb[i] = OfScalars::radix_squared(i);
  return r;
}

// A small integer as an element.
FN Fr from_integer(i32 value) {
  Fr r = zero<OfScalars>();
  r.limb[0] = value < 0 ? 0 - (u32)value : (u32)value;
  r = r * radix_squared();
  return value < 0 ? negated(r) : r;
}

// A sum of products that is reduced once: below 2^512, so of at most `SUM_TERMS` products.
struct Sum {
  u32 limb[16];
};
// A product is below 2^508.
#define SUM_TERMS 8

FN Sum empty_sum() {
  Sum sum;
  UNROLL for (int i = 0; i < 16; i++) sum.limb[i] = 0;
  return sum;
}

// r += a, of 16 limbs.
FN void add16(u32 *r, const u32 *a) {
  u32 carry = add8_carrying(r, a, 0);
  add8_carrying(r + 8, a + 8, carry);
}

FN void add_product(Sum &sum, const Fr &a, const Fr &b) {
  const u32 *x = a.limb;
  // Of weights 2^(64·i), and 2^(64·i + 32).
  u32 even[16], odd[16];
  UNROLL for (int i = 0; i < 16; i++) even[i] = odd[i] = 0;
  UNROLL for (int i = 0; i < 8; i += 2) {
    u32 carry = add_row(even + i, x[0], x[2], x[4], x[6], b.limb[i]);
    even[i + 8] += carry;
    carry = add_row(odd + i, x[1], x[3], x[5], x[7], b.limb[i]);
    odd[i + 8] += carry;
    carry = add_row(odd + i, x[0], x[2], x[4], x[6], b.limb[i + 1]);
    odd[i + 8] += carry;
    carry = add_row(even + i + 2, x[1], x[3], x[5], x[7], b.limb[i + 1]);
    if (i < 6) even[i + 10] += carry;
  }
  UNROLL for (int i = 15; i > 0; i--) odd[i] = odd[i - 1];
  odd[0] = 0;
  add16(sum.limb, even);
  add16(sum.limb, odd);
}

// The sum of the products of elements. It is below 8·modulus^2 < 1.6·2^256·modulus.
FN Fr reduce(const Sum &sum) {
  Fr low;
  UNROLL for (int i = 0; i < 8; i++) low.limb[i] = sum.limb[i];
  low = canonical(low);
  // The high half is below 1.6 times the modulus.
  return low + reduced<OfScalars>(sum.limb + 8);
}

// A sum of elements times integers of 32 bits: of at most 2^32 terms.
struct SmallSum {
  // Of weights 2^(64·i), and 2^(64·i + 32).
  u32 even[9], odd[9];
};

FN SmallSum empty_small_sum() {
  SmallSum sum;
  UNROLL for (int i = 0; i < 9; i++) sum.even[i] = sum.odd[i] = 0;
  return sum;
}

FN void add_small_product(SmallSum &sum, const Fr &element, i32 value) {
  u32 magnitude = value < 0 ? 0 - (u32)value : (u32)value;
  Fr a = value < 0 ? negated(element) : element;
  const u32 *x = a.limb;
  sum.even[8] += add_row(sum.even, x[0], x[2], x[4], x[6], magnitude);
  sum.odd[8] += add_row(sum.odd, x[1], x[3], x[5], x[7], magnitude);
}

FN Fr reduce(const SmallSum &sum) {
  Sum total = empty_sum();
  Sum odd = empty_sum();
  UNROLL for (int i = 0; i < 9; i++) {
    total.limb[i] = sum.even[i];
    odd.limb[i + 1] = sum.odd[i];
  }
  add16(total.limb, odd.limb);
  return reduce(total) * radix_squared();
}
