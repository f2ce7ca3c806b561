// One plane of dct2, at each level.
#pragma once

#include <cstdint>

#include "levels.h"

namespace forensic {

// One pass of the real DFT of an odd length (dct_odd.h): transforms of `length` become transforms of factor * length.
template <typename T>
struct DctOddPass {
  std::int64_t factor, length;
  const T* twiddles;         // [k - 1][j - 1]: cos, sin of 2 pi j k / (factor length), 0 < k <= length / 2
  const T *cosines, *sines;  // (factor): of 2 pi j / factor
};

// How values go into that DFT of m, and how results are made from its coefficients.
template <typename T>
struct DctOddForm {
  const std::int64_t* in;   // (m, 2): value t is the sum of two of those given, times their factors
  const T* in_factors;      // (m, 2)
  const std::int64_t* out;  // ((m + 1) / 2, 2): where the two results from coefficient f go
  const T* out_factors;     // ((m + 1) / 2, 2, 2): of Re and Im in the one and the other
};

template <typename T>
struct DctOdd {
  std::int64_t count;  // of passes
  const DctOddPass<T>* passes;
  DctOddForm<T> forms[3];  // of U2, U4 and the transpose of U2
};

inline constexpr std::int64_t kDctShortOdd = 5;  // odd parts up to here are done in registers

// Constants of one axis of length n = 2^depth * odd.
template <typename T>
struct DctAxis {
  std::int64_t n;
  std::int64_t odd;
  // [d]: cos, sin, (-1)^i cos and (-1)^i sin of pi (2i+1) / 4m in turn, i < m/2, of the DCT-IV of length m = n >> d
  const T* const* rotations;
  const T* cosines;  // (8 odd): cos(pi j / 4 odd), where odd is at most kDctShortOdd
  DctOdd<T> by_dft;  // otherwise
};

// What becomes of a coefficient c on its way out: (log(|c| + epsilon) - mean) / std, or, where a gradient with respect
// to that comes in, the gradient with respect to c. All are planes (H, W).
template <typename T>
struct DctLog {
  const T* mean;  // null: c stays
  const T* std;
  const T* gradient;  // null: none comes in
  T epsilon;
};

template <typename T>
struct DctPlane {
  const T* x;
  const T* next;  // where the same thread reads afterwards, with the same strides, or null
  std::int64_t row_stride, column_stride;
  T* y;  // (H, W)
  DctAxis<T> vertical, horizontal;
  T scale;    // sqrt(4 / H W)
  T first;    // sqrt(1/2): what the first row and the first column of coefficients are multiplied by besides
  T* middle;  // (H, pitch), best as far behind the beginning of a cache line as x
  std::int64_t pitch;
  bool inverse;
  DctLog<T> log;
};

// Elements of a row of the plane between the axes: an odd number of cache lines, so that a column of them does not fall
// into the same few sets of a cache.
template <typename T>
constexpr std::int64_t dct_pitch(std::int64_t width) {
  constexpr std::int64_t line = 64 / static_cast<std::int64_t>(sizeof(T));
  return ((width + line - 1) / line | 1) * line;
}

// Registers are at most this many elements, and so is a cache line: a block is so many columns, or rows.
template <typename T>
inline constexpr std::int64_t kDctBlock = 64 / static_cast<std::int64_t>(sizeof(T));

// Elements that dct_columns and dct_rows need beside the plane, at any level, aligned to 64 bytes.
template <typename T>
constexpr std::int64_t dct_line_size(std::int64_t height, std::int64_t width) {
  return (5 * (height > width ? height : width) + 4 + kDctBlock<T>)*kDctBlock<T>;
}

// Columns, from x to the middle, then rows, from there to y: from `first` to `last`, multiples of kDctBlock or the end.
FORENSIC_EACH_LEVEL(template <typename T>
                    void dct_columns(const DctPlane<T>& plane, std::int64_t first, std::int64_t last, T* memory);
                    template <typename T>
                    void dct_rows(const DctPlane<T>& plane, std::int64_t first, std::int64_t last, T* memory);)

}  // namespace forensic
