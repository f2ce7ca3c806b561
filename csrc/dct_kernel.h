// One plane of dct2, at each level.
#pragma once

#include <cstdint>

#include "levels.h"

namespace forensic {

// Constants of one axis of length n = 2^depth * odd.
template <typename T>
struct DctAxis {
  std::int64_t n;
  std::int64_t odd;
  const T* scale;             // (n): s_k
  const T* const* rotations;  // [d]: cos and sin of pi (2i+1) / 4m in turn, i < m/2, of the DCT-IV of length m = n >> d
  const T* cosines;           // (8 odd): cos(pi j / 4 odd)
};

template <typename T>
struct DctPlane {
  const T* x;
  std::int64_t row_stride, column_stride;
  T* y;  // (H, W)
  DctAxis<T> vertical, horizontal;
  T* scratch;  // dct_scratch_size() elements, aligned to 64 bytes
  bool inverse;
};

// Enough at every level: a plane with padded rows, and two lines of registers.
inline std::int64_t dct_scratch_size(std::int64_t height, std::int64_t width) {
  constexpr std::int64_t most_lanes = 16;
  const std::int64_t padded = (width + most_lanes - 1) / most_lanes * most_lanes;
  const std::int64_t line = height > padded ? height : padded;
  return height * padded + 2 * line * most_lanes;
}

FORENSIC_EACH_LEVEL(template <typename T> void dct_plane(const DctPlane<T>& plane);)

}  // namespace forensic
