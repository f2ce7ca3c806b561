// One plane of radial_spectrum and of its gradient, at each level.
#pragma once

#include <cstdint>

#include "levels.h"

namespace forensic {

// One pass of a transform of length n: factor p of what `length` is left, `stride` = n / length results interleaved.
template <typename T>
struct DftPass {
  std::int64_t factor, length, stride;
  const T* twiddles;  // (length / factor, factor - 1, 2): cos and sin of -2 pi k r / length, r from 1
  const T* roots;     // (factor, 2): cos and sin of -2 pi j / factor
};

// Constants of one axis.
template <typename T>
struct DftAxis {
  std::int64_t n;
  std::int64_t count;  // of passes
  const DftPass<T>* passes;
};

inline constexpr std::int64_t kMostLanes = 16;
inline constexpr std::int64_t kRingLanes = 8;  // sums that a ring is spread over, so that none waits for the one before

constexpr std::int64_t round_up(std::int64_t count, std::int64_t step) { return (count + step - 1) / step * step; }

// Frequencies 0, 1, ... below n/2: the other half mirrors them, and what is at n/2 lies on no ring.
constexpr std::int64_t half_of(std::int64_t n) { return (n + 1) / 2; }

// Where the ring of frequency (k, l) stands among (half_of(H) / kMostLanes, half_of(W), kMostLanes).
constexpr std::int64_t ring_at(std::int64_t k, std::int64_t l, std::int64_t width) {
  return (k / kMostLanes * half_of(width) + l) * kMostLanes + k % kMostLanes;
}

template <typename T>
struct RadialPlane {
  const T* x;
  std::int64_t row_stride, column_stride;
  DftAxis<T> vertical, horizontal;
  const std::int32_t* rings;  // as ring_at says; ring_count for what is left out and for the padding
  std::int64_t ring_count;    // R
  double* sums;               // (R + 1, kRingLanes) zeros; out: four times the sum of |F|^2 over all frequencies
  const T* weights;           // (R + 1), gradient only: half of the factor of each ring, 0 for the last
  T* d_x;                     // (H, W), gradient only
  T* scratch;                 // radial_scratch_size() elements, aligned to 64 bytes
};

// Complex elements of a row of the half spectrum.
constexpr std::int64_t padded_width(std::int64_t width) { return round_up(width, 2 * kMostLanes); }

constexpr std::int64_t radial_scratch_size(std::int64_t height, std::int64_t width) {
  const std::int64_t longest = height > width ? height : width;
  return 2 * round_up(half_of(height), kMostLanes) * padded_width(width) + 6 * longest * kMostLanes;
}

FORENSIC_EACH_LEVEL(template <typename T> void radial_sums(const RadialPlane<T>& plane);
                    template <typename T> void radial_gradient(const RadialPlane<T>& plane);)

}  // namespace forensic
