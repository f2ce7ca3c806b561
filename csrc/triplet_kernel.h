// Inner loops of the triplet loss, as pointers to the code of one instruction set level.
#pragma once

#include <cstddef>

namespace forensic {

inline constexpr std::ptrdiff_t kAnchors = 8;         // anchors whose distances are computed together
inline constexpr std::ptrdiff_t kEmbeddingUnit = 16;  // rows are padded with zeros to a multiple of this

template <typename T>
struct TripletLoops {
  // |z_i|^2, summed in the same order as `gaps` sums z_i.z_j.
  T (*norm)(const T* row, std::ptrdiff_t width);
  // gaps[a * pitch + j] = norms[first + a] + norms[j] - 2 z_{first + a}.z_j for a in [0, anchors), j in [0, rows).
  void (*gaps)(const T* z, std::ptrdiff_t width, std::ptrdiff_t rows, const T* norms, std::ptrdiff_t first,
               std::ptrdiff_t anchors, T* gaps, std::ptrdiff_t pitch);
  // out[n] += weight * (a[n] - b[n])
  void (*add_difference)(const T* a, const T* b, T weight, std::ptrdiff_t width, T* out);
};

}  // namespace forensic
