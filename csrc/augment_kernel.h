// The two inner loops of the augmenter, as pointers to the code of one instruction set level.
// Both see the image as flat memory: output x of a line is a sum over `terms` neighbours at source[offsets[j] + x], so
// a row of the image and a gathered column are the same thing, and give the same bits.
#pragma once

#include <cstddef>

namespace forensic {

// Elements that may be read past the last one of a line; every scratch buffer has them.
inline constexpr std::ptrdiff_t kLineSlack = 16;

template <typename T>
struct AugmentLines {
  // out[o][x] = bias[o] + sum_j weights[3 j + o] * source[offsets[j] + x], x in [0, length), j ascending.
  void (*forward)(const T* source, const std::ptrdiff_t* offsets, const T* weights, std::ptrdiff_t terms, const T* bias,
                  T* const* out, std::ptrdiff_t length);
  // lanes[(3 j + o) * lane_count + n] += sum over rows and x = n mod lane_count of
  // g[o][row * g_pitch + x] * source[offsets[j] + row * pitch + x]; g is zero from `length` up to the next multiple.
  void (*correlate)(const T* source, std::ptrdiff_t pitch, const std::ptrdiff_t* offsets, std::ptrdiff_t terms,
                    const T* const* g, std::ptrdiff_t g_pitch, std::ptrdiff_t rows, std::ptrdiff_t length, T* lanes);
  // sums[n] += the lanes of accumulator n, in float64; the accumulators are set to zero.
  void (*drain)(T* lanes, std::ptrdiff_t accumulators, double* sums);
  std::ptrdiff_t lane_count;
};

}  // namespace forensic
