// Sums and products of 256-bit integers with carries: the only place with instructions of the GPU.
//
// A *row* is a number times one limb. The even and the odd limbs of the number are multiplied
// apart: their products of 64 bits do not overlap, so that a row is one chain of carries.

#if defined(__CUDACC__) && !defined(ZKINFER_PLAIN)

// r = a + b; the sum has no carry.
FN void add8(u32 *r, const u32 *a, const u32 *b) {
  asm("add.cc.u32 %0, %8, %16;\n\t"
      "addc.cc.u32 %1, %9, %17;\n\t"
      "addc.cc.u32 %2, %10, %18;\n\t"
      "addc.cc.u32 %3, %11, %19;\n\t"
      "addc.cc.u32 %4, %12, %20;\n\t"
      "addc.cc.u32 %5, %13, %21;\n\t"
      "addc.cc.u32 %6, %14, %22;\n\t"
      "addc.u32 %7, %15, %23;"
      : "=&r"(r[0]), "=&r"(r[1]), "=&r"(r[2]), "=&r"(r[3]), "=&r"(r[4]), "=&r"(r[5]),
        "=&r"(r[6]), "=&r"(r[7])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(a[4]), "r"(a[5]), "r"(a[6]), "r"(a[7]),
        "r"(b[0]), "r"(b[1]), "r"(b[2]), "r"(b[3]), "r"(b[4]), "r"(b[5]), "r"(b[6]), "r"(b[7]));
}

// r += a + carry; gives the carry of the sum.
FN u32 add8_carrying(u32 *r, const u32 *a, u32 carry) {
  asm("add.cc.u32 %8, %8, 0xffffffff;\n\t"
      "addc.cc.u32 %0, %0, %9;\n\t"
      "addc.cc.u32 %1, %1, %10;\n\t"
      "addc.cc.u32 %2, %2, %11;\n\t"
      "addc.cc.u32 %3, %3, %12;\n\t"
      "addc.cc.u32 %4, %4, %13;\n\t"
      "addc.cc.u32 %5, %5, %14;\n\t"
      "addc.cc.u32 %6, %6, %15;\n\t"
      "addc.cc.u32 %7, %7, %16;\n\t"
      "addc.u32 %8, 0, 0;"
      : "+&r"(r[0]), "+&r"(r[1]), "+&r"(r[2]), "+&r"(r[3]), "+&r"(r[4]), "+&r"(r[5]), "+&r"(r[6]),
        "+&r"(r[7]), "+&r"(carry)
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(a[4]), "r"(a[5]), "r"(a[6]), "r"(a[7]));
  return carry;
}

// r = a - b; gives all ones if b is larger, and zero otherwise.
FN u32 sub8(u32 *r, const u32 *a, const u32 *b) {
  u32 borrow;
  asm("sub.cc.u32 %0, %9, %17;\n\t"
      "subc.cc.u32 %1, %10, %18;\n\t"
      "subc.cc.u32 %2, %11, %19;\n\t"
      "subc.cc.u32 %3, %12, %20;\n\t"
      "subc.cc.u32 %4, %13, %21;\n\t"
      "subc.cc.u32 %5, %14, %22;\n\t"
      "subc.cc.u32 %6, %15, %23;\n\t"
      "subc.cc.u32 %7, %16, %24;\n\t"
      "subc.u32 %8, 0, 0;"
      : "=&r"(r[0]), "=&r"(r[1]), "=&r"(r[2]), "=&r"(r[3]), "=&r"(r[4]), "=&r"(r[5]),
        "=&r"(r[6]), "=&r"(r[7]), "=&r"(borrow)
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(a[4]), "r"(a[5]), "r"(a[6]), "r"(a[7]),
        "r"(b[0]), "r"(b[1]), "r"(b[2]), "r"(b[3]), "r"(b[4]), "r"(b[5]), "r"(b[6]), "r"(b[7]));
  return borrow;
}

// sum += row of a0, a1, a2, a3, which are 64 bits apart; gives the carry.
FN u32 add_row(u32 *sum, u32 a0, u32 a1, u32 a2, u32 a3, u32 b) {
  u32 carry;
  asm("mad.lo.cc.u32 %0, %9, %13, %0;\n\t"
      "madc.hi.cc.u32 %1, %9, %13, %1;\n\t"
      "madc.lo.cc.u32 %2, %10, %13, %2;\n\t"
      "madc.hi.cc.u32 %3, %10, %13, %3;\n\t"
      "madc.lo.cc.u32 %4, %11, %13, %4;\n\t"
      "madc.hi.cc.u32 %5, %11, %13, %5;\n\t"
      "madc.lo.cc.u32 %6, %12, %13, %6;\n\t"
      "madc.hi.cc.u32 %7, %12, %13, %7;\n\t"
      "addc.u32 %8, 0, 0;"
      : "+&r"(sum[0]), "+&r"(sum[1]), "+&r"(sum[2]), "+&r"(sum[3]), "+&r"(sum[4]), "+&r"(sum[5]),
        "+&r"(sum[6]), "+&r"(sum[7]), "=&r"(carry)
      : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b));
  return carry;
}

// low += high[1], and its carry + high >> 64 + row -> high.
FN void shift_row(u32 *low, u32 *high, u32 a0, u32 a1, u32 a2, u32 a3, u32 b) {
  asm("add.cc.u32 %0, %0, %2;\n\t"
      "madc.lo.cc.u32 %1, %9, %13, %3;\n\t"
      "madc.hi.cc.u32 %2, %9, %13, %4;\n\t"
      "madc.lo.cc.u32 %3, %10, %13, %5;\n\t"
      "madc.hi.cc.u32 %4, %10, %13, %6;\n\t"
      "madc.lo.cc.u32 %5, %11, %13, %7;\n\t"
      "madc.hi.cc.u32 %6, %11, %13, %8;\n\t"
      "madc.lo.cc.u32 %7, %12, %13, 0;\n\t"
      "madc.hi.u32 %8, %12, %13, 0;"
      : "+&r"(low[0]), "+&r"(high[0]), "+&r"(high[1]), "+&r"(high[2]), "+&r"(high[3]), "+&r"(high[4]),
        "+&r"(high[5]), "+&r"(high[6]), "+&r"(high[7])
      : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b));
}

#else

FN void add8(u32 *r, const u32 *a, const u32 *b) {
  u64 carry = 0;
  UNROLL for (int i = 0; i < 8; i++) {
    carry += (u64)a[i] + b[i];
    r[i] = (u32)carry;
    carry >>= 32;
  }
}

FN u32 add8_carrying(u32 *r, const u32 *a, u32 carry) {
  UNROLL for (int i = 0; i < 8; i++) {
    u64 sum = (u64)r[i] + a[i] + carry;
    r[i] = (u32)sum;
    carry = (u32)(sum >> 32);
  }
  return carry;
}

FN u32 sub8(u32 *r, const u32 *a, const u32 *b) {
  u64 borrow = 0;
  UNROLL for (int i = 0; i < 8; i++) {
    u64 difference = (u64)a[i] - b[i] - borrow;
    r[i] = (u32)difference;
    borrow = difference >> 63;
  }
  return 0 - (u32)borrow;
}

// One more product in a chain of carries: a·b + what the two limbs hold + carry.
FN u32 add_product(u32 *low, u32 *high, u32 held_low, u32 held_high, u32 a, u32 b, u32 carry) {
  u64 product = (u64)a * b + held_low;
  u64 sum = (product & 0xffffffff) + carry;
  *low = (u32)sum;
  sum = (product >> 32) + held_high + (sum >> 32);
  *high = (u32)sum;
  return (u32)(sum >> 32);
}

FN u32 add_row(u32 *sum, u32 a0, u32 a1, u32 a2, u32 a3, u32 b) {
  u32 a[4] = {a0, a1, a2, a3}, carry = 0;
  UNROLL for (int i = 0; i < 4; i++) {
    u32 *at = sum + 2 * i;
    carry = add_product(at, at + 1, at[0], at[1], a[i], b, carry);
  }
  return carry;
}

FN void shift_row(u32 *low, u32 *high, u32 a0, u32 a1, u32 a2, u32 a3, u32 b) {
  u32 a[4] = {a0, a1, a2, a3};
  u64 first = (u64)low[0] + high[1];
  low[0] = (u32)first;
  u32 carry = (u32)(first >> 32);
  UNROLL for (int i = 0; i < 4; i++) {
    u32 *at = high + 2 * i;
    u32 held_low = i < 3 ? at[2] : 0, held_high = i < 3 ? at[3] : 0;
    carry = add_product(at, at + 1, held_low, held_high, a[i], b, carry);
  }
}

#endif
