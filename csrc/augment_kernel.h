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
  // out[o][r * out_pitch + x] = bias[o] + sum_j weights[3 j + o] * source[offsets[j] + r * pitch + x], j ascending, for
  // r in [0, rows), one or two rows, and x in [0, length); j counts 3 x span x span neighbours, rows of span together.
  void (*forward)(const T* source, std::ptrdiff_t pitch, const std::ptrdiff_t* offsets, const T* weights,
                  std::ptrdiff_t span, const T* bias, T* const* out, std::ptrdiff_t out_pitch, std::ptrdiff_t rows,
                  std::ptrdiff_t length);
  // lanes[(3 j + o) * lane_count + n] += sum over rows and x = n mod lane_count of
  // g[o][row * g_pitch + x] * source[offsets[j] + row * pitch + x], and for j = terms of g alone; g is zero from
  // `length` up to the next multiple.
  void (*correlate)(const T* source, std::ptrdiff_t pitch, const std::ptrdiff_t* offsets, std::ptrdiff_t terms,
                    const T* const* g, std::ptrdiff_t g_pitch, std::ptrdiff_t rows, std::ptrdiff_t length, T* lanes);
  // wide[n] += lanes[n], in float64; the lanes are set to zero.
  void (*drain)(T* lanes, std::ptrdiff_t count, double* wide);
  // sums[n] += the lane_count lanes of accumulator n in `wide`.
  void (*reduce)(const double* wide, std::ptrdiff_t accumulators, double* sums);
  std::ptrdiff_t lane_count;
};

}  // namespace forensic
