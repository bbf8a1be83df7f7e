// Number-theoretic transforms between values in natural order and coefficients in reversed order:
// element i is the coefficient whose number has the bits of i from right to left.
//
// A pass does `bits` of the k stages on tiles in shared memory. A tile takes 2^bits elements that
// are 2^low apart, and as many neighbours of each as make `TILE` elements.

#define TILE_BITS 10
#define TILE (1 << TILE_BITS)

// Multiplies by low[e & mask]·high[e >> bits], where e is the number of the coefficient: a power of
// the shift and a constant. Without `low`, by high[0]; without both, by nothing.
struct Scaling {
  const Fr *low;
  const Fr *high;
  u64 bits;
};

struct Transform {
  const Fr *const *from;
  Fr *const *to;
  // ω^i for all i.
  const Fr *omegas;
  u64 k;
  u64 low;
  u64 bits;
  // To coefficients, rather than to values.
  u64 is_inverse;
  // On the way in, or out if `is_inverse`.
  Scaling scaling;
};

struct alignas(16) Half {
  u32 limb[4];
};

FN u64 reversed(u64 index, u64 k) {
  u64 r = 0;
#ifdef __CUDACC__
  r = __brevll(index) >> (64 - k);
#else
  for (u64 i = 0; i < k; i++) r |= (index >> i & 1) << (k - 1 - i);
#endif
  return r;
}

FN Fr scaled(const Scaling &scaling, const Fr &value, u64 index, u64 k) {
  if (!scaling.high) return value;
  if (!scaling.low) return value * scaling.high[0];
  u64 e = reversed(index, k);
  u64 mask = (1ull << scaling.bits) - 1;
  return value * (scaling.low[e & mask] * scaling.high[e >> scaling.bits]);
}

// Where the elements of a tile are in the column.
struct Tile {
  u64 base;
  u64 low;
  u32 neighbours;
};

FN Tile tile_of(const Transform &a, u64 block) {
  Tile tile;
  tile.low = a.low;
  tile.neighbours = a.low == 0 ? 0 : TILE_BITS - (u32)a.bits;
  u64 below = a.low - tile.neighbours;
  u64 high = block >> below;
  tile.base = (high << (a.low + a.bits)) | ((block & ((1ull << below) - 1)) << tile.neighbours);
  return tile;
}

FN u64 index_of(const Tile &tile, u32 at) {
  u64 neighbour = at & ((1u << tile.neighbours) - 1);
  return tile.base | ((u64)(at >> tile.neighbours) << tile.low) | neighbour;
}

FN Fr from_halves(const Half &low, const Half &high) {
  Fr r;
  UNROLL for (int i = 0; i < 4; i++) {
    r.limb[i] = low.limb[i];
    r.limb[i + 4] = high.limb[i];
  }
  return r;
}

FN void to_halves(Half &low, Half &high, const Fr &value) {
  UNROLL for (int i = 0; i < 4; i++) {
    low.limb[i] = value.limb[i];
    high.limb[i] = value.limb[i + 4];
  }
}

// The twiddle of a butterfly, ω^exponent or its inverse.
FN Fr twiddled(const Transform &a, const Fr &value, u64 exponent) {
  if (exponent == 0) return value;
  u64 at = a.is_inverse ? (1ull << a.k) - exponent : exponent;
  return value * a.omegas[at];
}

BLOCK_KERNEL(transform, Transform, 256) {
  SHARED Half low[TILE];
  SHARED Half high[TILE];
  Tile tile = tile_of(a, blockIdx.x);
  u32 size = a.k < TILE_BITS ? 1u << a.k : TILE;
  PHASE {
    const Fr *from = a.from[blockIdx.y];
    for (u32 at = threadIdx.x; at < size; at += blockDim.x) {
      u64 index = index_of(tile, at);
      Fr value = from[index];
      if (!a.is_inverse) value = scaled(a.scaling, value, index, a.k);
      to_halves(low[at], high[at], value);
    }
  }
  for (u32 stage = 0; stage < a.bits; stage++) {
    u32 bit = a.is_inverse ? (u32)a.bits - 1 - stage : stage;
    PHASE {
      for (u32 pair = threadIdx.x; pair < size / 2; pair += blockDim.x) {
        u32 place = tile.neighbours + bit;
        u32 first = ((pair >> place) << (place + 1)) | (pair & ((1u << place) - 1));
        u32 second = first | 1u << place;
        u64 within = index_of(tile, first) & ((1ull << (a.low + bit)) - 1);
        u64 exponent = within << (a.k - a.low - bit - 1);
        Fr x = from_halves(low[first], high[first]);
        Fr y = from_halves(low[second], high[second]);
        if (a.is_inverse) {
          to_halves(low[first], high[first], x + y);
          to_halves(low[second], high[second], twiddled(a, x - y, exponent));
        } else {
          y = twiddled(a, y, exponent);
          to_halves(low[first], high[first], x + y);
          to_halves(low[second], high[second], x - y);
        }
      }
    }
  }
  PHASE {
    Fr *to = a.to[blockIdx.y];
    for (u32 at = threadIdx.x; at < size; at += blockDim.x) {
      u64 index = index_of(tile, at);
      Fr value = from_halves(low[at], high[at]);
      if (a.is_inverse) value = scaled(a.scaling, value, index, a.k);
      to[index] = value;
    }
  }
}
