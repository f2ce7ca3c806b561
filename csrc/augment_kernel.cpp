// Inner loops of the augmenter. Compiled once for each instruction set level; see augment_kernel.h for what they
// compute. Both are bound by multiply-adds: three outputs share every load of the image, and the accumulators of a tile
// stay in registers (three outputs x four vectors forward; three outputs x kTileTerms neighbours backward).
#include "augment_kernel.h"

#include "lanes.h"

namespace forensic {
namespace FORENSIC_LEVEL {
namespace {

// `Vectors` vectors of three outputs from position x on.
template <typename T, std::ptrdiff_t Vectors>
inline void line_tile(const T* source, const std::ptrdiff_t* offsets, const T* weights, std::ptrdiff_t terms,
                      const T* bias, T* const* out, std::ptrdiff_t x) {
  using L = Lanes<T>;
  L sums[3][Vectors];
  for (std::ptrdiff_t o = 0; o < 3; ++o) {
    for (std::ptrdiff_t n = 0; n < Vectors; ++n) sums[o][n] = L::all(bias[o]);
  }
  for (std::ptrdiff_t j = 0; j < terms; ++j) {
    const T* p = source + offsets[j] + x;
    const L w0 = L::all(weights[3 * j]), w1 = L::all(weights[3 * j + 1]), w2 = L::all(weights[3 * j + 2]);
#pragma GCC unroll 4
    for (std::ptrdiff_t n = 0; n < Vectors; ++n) {
      const L pixels = L::load(p + n * L::count);
      sums[0][n].add_product(pixels, w0);
      sums[1][n].add_product(pixels, w1);
      sums[2][n].add_product(pixels, w2);
    }
  }
  for (std::ptrdiff_t o = 0; o < 3; ++o) {
    for (std::ptrdiff_t n = 0; n < Vectors; ++n) sums[o][n].store(out[o] + n * L::count);
  }
}

template <typename T>
void forward(const T* source, const std::ptrdiff_t* offsets, const T* weights, std::ptrdiff_t terms, const T* bias,
             T* const* out, std::ptrdiff_t length) {
  constexpr std::ptrdiff_t vector = Lanes<T>::count;
  std::ptrdiff_t x = 0;
  for (; x + 4 * vector <= length; x += 4 * vector) {
    T* const here[3] = {out[0] + x, out[1] + x, out[2] + x};
    line_tile<T, 4>(source, offsets, weights, terms, bias, here, x);
  }
  // The rest of the line, four vectors at once as well: one at a time would wait for its own sums.
  if (x == length) return;
  T rest[3][4 * vector];
  T* const there[3] = {rest[0], rest[1], rest[2]};
  const std::ptrdiff_t left = length - x;
  if (left > 2 * vector) {
    line_tile<T, 2>(source, offsets, weights, terms, bias, there, x);
    T* const second[3] = {rest[0] + 2 * vector, rest[1] + 2 * vector, rest[2] + 2 * vector};
    if (left > 3 * vector) {
      line_tile<T, 2>(source, offsets, weights, terms, bias, second, x + 2 * vector);
    } else {
      line_tile<T, 1>(source, offsets, weights, terms, bias, second, x + 2 * vector);
    }
  } else if (left > vector) {
    line_tile<T, 2>(source, offsets, weights, terms, bias, there, x);
  } else {
    line_tile<T, 1>(source, offsets, weights, terms, bias, there, x);
  }
  for (std::ptrdiff_t o = 0; o < 3; ++o) {
    for (std::ptrdiff_t n = 0; n < left; ++n) out[o][x + n] = rest[o][n];
  }
}

// `Terms` neighbours x three outputs over all rows.
template <typename T, std::ptrdiff_t Terms>
inline void correlate_tile(const T* source, std::ptrdiff_t pitch, const std::ptrdiff_t* offsets, const T* const* g,
                           std::ptrdiff_t g_pitch, std::ptrdiff_t rows, std::ptrdiff_t length, T* lanes) {
  using L = Lanes<T>;
  L sums[Terms][3];
#pragma GCC unroll 8
  for (std::ptrdiff_t j = 0; j < Terms; ++j) {
    for (std::ptrdiff_t o = 0; o < 3; ++o) sums[j][o] = L::load(lanes + (3 * j + o) * L::count);
  }
  for (std::ptrdiff_t row = 0; row < rows; ++row) {
    const T* p = source + row * pitch;
    const T* g0 = g[0] + row * g_pitch;
    const T* g1 = g[1] + row * g_pitch;
    const T* g2 = g[2] + row * g_pitch;
    for (std::ptrdiff_t x = 0; x < length; x += L::count) {
      const L a = L::load(g0 + x), b = L::load(g1 + x), c = L::load(g2 + x);
#pragma GCC unroll 8
      for (std::ptrdiff_t j = 0; j < Terms; ++j) {
        const L pixels = L::load(p + offsets[j] + x);
        sums[j][0].add_product(pixels, a);
        sums[j][1].add_product(pixels, b);
        sums[j][2].add_product(pixels, c);
      }
    }
  }
#pragma GCC unroll 8
  for (std::ptrdiff_t j = 0; j < Terms; ++j) {
    for (std::ptrdiff_t o = 0; o < 3; ++o) sums[j][o].store(lanes + (3 * j + o) * L::count);
  }
}

template <typename T>
void correlate(const T* source, std::ptrdiff_t pitch, const std::ptrdiff_t* offsets, std::ptrdiff_t terms,
               const T* const* g, std::ptrdiff_t g_pitch, std::ptrdiff_t rows, std::ptrdiff_t length, T* lanes) {
  std::ptrdiff_t j = 0;
  for (; j + kTileTerms <= terms; j += kTileTerms) {
    correlate_tile<T, kTileTerms>(source, pitch, offsets + j, g, g_pitch, rows, length,
                                  lanes + 3 * j * Lanes<T>::count);
  }
  for (; j + 3 <= terms; j += 3) {  // terms is a multiple of 3, so what is left after tiles of 4 or 8 is mostly threes
    correlate_tile<T, 3>(source, pitch, offsets + j, g, g_pitch, rows, length, lanes + 3 * j * Lanes<T>::count);
  }
  for (; j < terms; ++j) {
    correlate_tile<T, 1>(source, pitch, offsets + j, g, g_pitch, rows, length, lanes + 3 * j * Lanes<T>::count);
  }
}

template <typename T>
void drain(T* lanes, std::ptrdiff_t accumulators, double* sums) {
  constexpr std::ptrdiff_t count = Lanes<T>::count;
  for (std::ptrdiff_t n = 0; n < accumulators; ++n) {
    double part[count];
    for (std::ptrdiff_t i = 0; i < count; ++i) {
      part[i] = static_cast<double>(lanes[n * count + i]);
      lanes[n * count + i] = T(0);
    }
    for (std::ptrdiff_t width = count / 2; width > 0; width /= 2) {
      for (std::ptrdiff_t i = 0; i < width; ++i) part[i] += part[i + width];
    }
    sums[n] += part[0];
  }
}

}  // namespace

extern const AugmentLines<float> augment_lines_f32;
extern const AugmentLines<double> augment_lines_f64;
const AugmentLines<float> augment_lines_f32 = {forward<float>, correlate<float>, drain<float>, Lanes<float>::count};
const AugmentLines<double> augment_lines_f64 = {forward<double>, correlate<double>, drain<double>,
                                                Lanes<double>::count};

}  // namespace FORENSIC_LEVEL
}  // namespace forensic
