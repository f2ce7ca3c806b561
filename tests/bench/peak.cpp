// What this processor's multiply-add units can do: twelve accumulators in registers, nothing else. machine.py compiles
// it for the processor at hand, so that the limit in the table is measured and not looked up.
#include <cstddef>
#include <cstdint>

namespace {

#if defined(__AVX512F__)
constexpr std::size_t kBytes = 64;
#elif defined(__AVX2__)
constexpr std::size_t kBytes = 32;
#else
constexpr std::size_t kBytes = 16;
#endif
constexpr std::int64_t kSums = 12;  // more than latency times units, and no more than there are registers

template <typename T>
std::int64_t multiply_adds(std::int64_t rounds, T factor, T* result) {
  typedef T Vector __attribute__((vector_size(kBytes)));
  const Vector factors = Vector{} + factor;
  Vector sums[kSums];
  for (std::int64_t n = 0; n < kSums; ++n) sums[n] = Vector{} + static_cast<T>(n);
  for (std::int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
    for (std::int64_t n = 0; n < kSums; ++n) sums[n] = sums[n] * factors + factors;
  }
  for (std::int64_t n = 1; n < kSums; ++n) sums[0] += sums[n];
  *result = sums[0][0];  // a result that is asked for can not be left out
  return rounds * kSums * static_cast<std::int64_t>(kBytes / sizeof(T));
}

}  // namespace

extern "C" std::int64_t multiply_adds_float32(std::int64_t rounds, float factor, float* result) {
  return multiply_adds(rounds, factor, result);
}

extern "C" std::int64_t multiply_adds_float64(std::int64_t rounds, double factor, double* result) {
  return multiply_adds(rounds, factor, result);
}
