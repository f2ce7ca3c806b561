// Wide reads of shared memory.
#pragma once

namespace forensic::cuda {

template <typename T>
struct alignas(4 * sizeof(T)) Four {
  T at[4];
};

// Count values, a multiple of four; `from` is aligned to four of them.
template <int Count, typename T>
__device__ __forceinline__ void read_fours(const T* from, T* to) {
#pragma unroll
  for (int n = 0; n < Count; n += 4) {
    const Four<T> four = *reinterpret_cast<const Four<T>*>(from + n);
#pragma unroll
    for (int j = 0; j < 4; ++j) to[n + j] = four.at[j];
  }
}

}  // namespace forensic::cuda
