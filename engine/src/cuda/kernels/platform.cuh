// One source for two machines: CUDA, and a host compiler that runs every thread in a loop.
//
// A kernel takes one structure, `a`, whose fields all have 64 bits: a list of words is its whole
// interface. `KERNEL` is a kernel whose threads are independent. In a `BLOCK_KERNEL`, threads
// share `SHARED` memory: its body is a sequence of `PHASE`s, with a barrier before each; nothing
// but shared memory lives from one to the next, and no thread leaves early.

typedef unsigned int u32;
typedef int i32;
typedef unsigned long long u64;
static_assert(sizeof(u32) == 4 && sizeof(u64) == 8, "the words of the interface");

#ifdef __CUDACC__

#define FN __device__ __forceinline__
#define WORDS __device__ static constexpr
#define FN_CALL __device__ __noinline__
#define SHARED __shared__
#define UNROLL _Pragma("unroll")
#define KERNEL(name, Args, threads) \
  extern "C" __global__ void __launch_bounds__(threads) name(const Args a)
#define BLOCK_KERNEL(name, Args, threads) KERNEL(name, Args, threads)
#define PHASE \
  __syncthreads(); \
  if (true)

// Adds one to a counter for every thread that calls it, and gives the value before. Threads of a
// warp with the same counter add together.
FN u32 count_up(u32 *counters, u32 index) {
  u32 active = __activemask();
  u32 same = __match_any_sync(active, index);
  u32 lane = threadIdx.x & 31;
  u32 leader = __ffs(same) - 1;
  u32 before = 0;
  if (lane == leader) before = atomicAdd(&counters[index], __popc(same));
  before = __shfl_sync(same, before, leader);
  return before + __popc(same & ((1u << lane) - 1));
}

#else

#define FN static inline
#define WORDS static constexpr
#define FN_CALL static
#define SHARED static thread_local
#define UNROLL
struct Place {
  u32 x, y;
};
static thread_local Place threadIdx, blockIdx, blockDim, gridDim;
#define LAUNCHER(name, Args, loop)                                                          \
  static void name##_body(const Args &a);                                                   \
  extern "C" void name(const void *args, u32 width, u32 height, u32 threads, u64 first, u64 end) { \
    gridDim = {width, height};                                                              \
    blockDim = {threads, 1};                                                                \
    for (u64 block = first; block < end; block++) {                                         \
      blockIdx = {(u32)(block % width), (u32)(block / width)};                              \
      loop name##_body(*(const Args *)args);                                                \
    }                                                                                       \
  }                                                                                         \
  static void name##_body(const Args &a)
#define EACH_THREAD for (threadIdx = {0, 0}; threadIdx.x < blockDim.x; threadIdx.x++)
#define KERNEL(name, Args, most) LAUNCHER(name, Args, EACH_THREAD)
#define BLOCK_KERNEL(name, Args, most) LAUNCHER(name, Args, )
#define PHASE EACH_THREAD

FN u32 count_up(u32 *counters, u32 index) {
  return __atomic_fetch_add(&counters[index], 1, __ATOMIC_RELAXED);
}

#endif

// The number of this thread in its row of the grid.
FN u64 thread_number() { return (u64)blockIdx.x * blockDim.x + threadIdx.x; }

// Threads in a row of the grid.
FN u64 thread_count() { return (u64)gridDim.x * blockDim.x; }
