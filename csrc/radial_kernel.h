// One plane of radial_spectrum and of its gradient, at each level.
#pragma once

#include <cstdint>

#include "levels.h"

namespace forensic {

// Constants of one axis of a DFT.
template <typename T>
struct DftAxis {
  std::int64_t n;
  const T* roots;               // (n, 2): cos and sin of -2 pi j / n
  const std::int64_t* factors;  // of n, ended by 1
};

inline constexpr std::int64_t kMostLanes = 16;

// Frequencies 0..W/2 of a real row, padded to whole registers of any level.
inline std::int64_t half_columns(std::int64_t width) {
  return (width / 2 + 1 + kMostLanes - 1) / kMostLanes * kMostLanes;
}

template <typename T>
struct RadialPlane {
  const T* x;
  std::int64_t row_stride, column_stride;
  DftAxis<T> vertical, horizontal;
  const std::int32_t* rings;  // (H, half_columns): ring, R for what is left out and for the padding
  double* sums;               // (R + 1) zeros; out: sum of |F|^2 over the whole plane of frequencies
  const T* weights;           // (R + 1), gradient only: factor of each ring, 0 for the last
  T* d_x;                     // (H, W), gradient only
  T* scratch;                 // radial_scratch_size() elements, aligned to 64 bytes
};

inline std::int64_t radial_scratch_size(std::int64_t height, std::int64_t width) {
  const std::int64_t padded = (width + kMostLanes - 1) / kMostLanes * kMostLanes + kMostLanes;
  return 2 * height * half_columns(width) + 6 * (height > padded ? height : padded) * kMostLanes;
}

FORENSIC_EACH_LEVEL(template <typename T> void radial_sums(const RadialPlane<T>& plane);
                    template <typename T> void radial_gradient(const RadialPlane<T>& plane);)

}  // namespace forensic
