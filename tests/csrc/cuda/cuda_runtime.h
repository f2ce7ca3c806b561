// Stands in for CUDA's header of this name where the .cu files are compiled for the CPU: the part of the language and
// of the run-time that they use. What is not here does not compile; add it here. README.md tells what a run proves.
#pragma once

#include <math.h>  // the overloads for float in the global namespace, too

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <tuple>
#include <utility>

#include "block.h"

// ---- Words of the language. translate.py rewrites launches and __shared__; the rest are macros.
// ----------------------
#define __global__
#define __device__
#define __host__
#define __constant__
#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __align__(bytes) alignas(bytes)

using cuda_on_cpu::dim3;
using std::max;
using std::min;

inline constexpr int warpSize = cuda_on_cpu::kWarp;
#define threadIdx (::cuda_on_cpu::here.thread)
#define blockIdx (::cuda_on_cpu::here.block)
#define blockDim (::cuda_on_cpu::here.threads)
#define gridDim (::cuda_on_cpu::here.blocks)

// ---- What threads do together. Each call carries its place, since threads must meet at the same one.
// -----------------
#define CUDA_ON_CPU_HERE (::cuda_on_cpu::Site{__FILE__, __LINE__})
#define __syncthreads() ::cuda_on_cpu::meet_block(CUDA_ON_CPU_HERE)
#define __syncwarp(...) ::cuda_on_cpu::sync_warp(CUDA_ON_CPU_HERE __VA_OPT__(, ) __VA_ARGS__)
#define __shfl_sync(...) ::cuda_on_cpu::shuffle(CUDA_ON_CPU_HERE, __VA_ARGS__)
#define __shfl_xor_sync(...) ::cuda_on_cpu::shuffle_xor(CUDA_ON_CPU_HERE, __VA_ARGS__)
#define __shfl_up_sync(...) ::cuda_on_cpu::shuffle_up(CUDA_ON_CPU_HERE, __VA_ARGS__)
#define __shfl_down_sync(...) ::cuda_on_cpu::shuffle_down(CUDA_ON_CPU_HERE, __VA_ARGS__)
#define __ballot_sync(...) ::cuda_on_cpu::ballot(CUDA_ON_CPU_HERE, __VA_ARGS__)
#define __any_sync(mask, predicate) (__ballot_sync(mask, predicate) != 0)
#define __all_sync(mask, predicate) (__ballot_sync(mask, predicate) == (mask))

namespace cuda_on_cpu {

inline void sync_warp(Site site, std::uint32_t mask = 0xffffffffu) { meet_warp(site, mask, 0); }

template <typename T>
T shuffle_from(Site site, std::uint32_t mask, T value, int width, int source) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8, "values of 4 or 8 bytes");
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  const Lanes lanes = meet_warp(site, mask, bits);
  const int lane = lane_of_thread();
  // outside the own segment of `width` lanes: the own value
  const std::uint64_t got = lanes.at(site, source / width == lane / width && source >= 0 ? source : lane);
  T result;
  std::memcpy(&result, &got, sizeof(T));
  return result;
}

template <typename T>
T shuffle(Site site, std::uint32_t mask, T value, int source, int width = kWarp) {
  const int lane = lane_of_thread();
  return shuffle_from(site, mask, value, width, lane / width * width + (source % width + width) % width);
}
template <typename T>
T shuffle_xor(Site site, std::uint32_t mask, T value, int flipped, int width = kWarp) {
  const int source = lane_of_thread() ^ flipped;
  return shuffle_from(site, mask, value, width, source);
}
template <typename T>
T shuffle_up(Site site, std::uint32_t mask, T value, unsigned int by, int width = kWarp) {
  return shuffle_from(site, mask, value, width, lane_of_thread() - static_cast<int>(by));
}
template <typename T>
T shuffle_down(Site site, std::uint32_t mask, T value, unsigned int by, int width = kWarp) {
  return shuffle_from(site, mask, value, width, lane_of_thread() + static_cast<int>(by));
}

inline std::uint32_t ballot(Site site, std::uint32_t mask, bool predicate) {
  const Lanes lanes = meet_warp(site, mask, predicate ? 1 : 0);
  std::uint32_t all = 0;
  for (int lane = 0; lane < kWarp; ++lane) {
    if ((mask >> lane & 1U) != 0 && lanes.at(site, lane) != 0) all |= 1U << lane;
  }
  return all;
}

// The object that `__shared__` declares: one a block. `Number` tells the declarations of a file apart.
template <int Number, typename T>
T& shared(Site site, std::size_t alignment = 1) {
  static const char key = 0;
  return *static_cast<T*>(shared_memory(site, &key, sizeof(T), std::max(alignment, alignof(T))));
}

}  // namespace cuda_on_cpu

// ---- Functions of the device
// ------------------------------------------------------------------------------------------
inline int __popc(unsigned int bits) { return __builtin_popcount(bits); }
inline int __ffs(int bits) { return __builtin_ffs(bits); }
inline int __clz(int bits) { return bits == 0 ? 32 : __builtin_clz(static_cast<unsigned int>(bits)); }
template <typename T>
T __ldg(const T* from) {
  return *from;
}

// cos and sin of pi x; the reduction is exact.
inline void sincospi(double x, double* sine, double* cosine) {
  const double turns = fmod(x, 2.0), quarters = nearbyint(2.0 * turns);
  const double angle = 3.14159265358979323846 * (turns - quarters / 2.0);
  const double s = sin(angle), c = cos(angle);
  switch (static_cast<int>(quarters) & 3) {
    case 0:
      *sine = s, *cosine = c;
      return;
    case 1:
      *sine = c, *cosine = -s;
      return;
    case 2:
      *sine = -s, *cosine = -c;
      return;
    default:
      *sine = -c, *cosine = s;
  }
}
inline double cospi(double x) {
  double sine, cosine;
  sincospi(x, &sine, &cosine);
  return cosine;
}
inline double sinpi(double x) {
  double sine, cosine;
  sincospi(x, &sine, &cosine);
  return sine;
}
inline float rsqrtf(float x) { return 1.0F / sqrtf(x); }
inline double rsqrt(double x) { return 1.0 / sqrt(x); }
inline float rsqrt(float x) { return rsqrtf(x); }

// ---- The run-time
// -----------------------------------------------------------------------------------------------------
using cudaStream_t = struct CUstream_st*;
enum cudaError_t { cudaSuccess, cudaErrorInvalidValue, cudaErrorMemoryAllocation, cudaErrorLaunchFailure };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize, cudaFuncAttributePreferredSharedMemoryCarveout };

inline cudaError_t cudaGetLastError() { return cuda_on_cpu::take_failure() ? cudaErrorLaunchFailure : cudaSuccess; }
inline const char* cudaGetErrorString(cudaError_t error) {
  return error == cudaSuccess ? "no error" : cuda_on_cpu::failure();
}

template <typename... Parameters>
cudaError_t cudaFuncSetAttribute(void (*kernel)(Parameters...), cudaFuncAttribute attribute, int value) {
  if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize) return cudaSuccess;
  return cuda_on_cpu::allow_shared(reinterpret_cast<void (*)()>(kernel), value) ? cudaSuccess : cudaErrorInvalidValue;
}

template <typename T>
cudaError_t cudaMallocAsync(T** data, std::size_t bytes, cudaStream_t stream) {
  *data = static_cast<T*>(cuda_on_cpu::allocate(bytes, stream));
  return *data == nullptr ? cudaErrorMemoryAllocation : cudaSuccess;
}
inline cudaError_t cudaFreeAsync(void* data, cudaStream_t stream) {
  cuda_on_cpu::release(data, stream);
  return cudaSuccess;
}
inline cudaError_t cudaMemsetAsync(void* data, int value, std::size_t bytes, cudaStream_t) {
  std::memset(data, value, bytes);
  return cudaSuccess;
}

namespace cuda_on_cpu {

// What `kernel<<<grid, block, shared, stream>>>` becomes: Launch(grid, block, shared, stream).of(kernel)(arguments).
class Launch {
 public:
  Launch(dim3 grid, dim3 block, std::size_t shared = 0, cudaStream_t stream = nullptr)
      : shape_{grid, block, shared, stream} {}

  template <typename... Parameters>
  auto of(void (*kernel)(Parameters...)) const {
    return [shape = shape_, kernel](Parameters... arguments) {
      const std::tuple<Parameters...> given(arguments...);  // each thread has copies of its own, as on a device
      const auto thread = [&] { std::apply(kernel, given); };
      const auto call = [](const void* of) { (*static_cast<const decltype(thread)*>(of))(); };
      run(shape, reinterpret_cast<void (*)()>(kernel), call, &thread);
    };
  }

 private:
  Shape shape_;
};

}  // namespace cuda_on_cpu
