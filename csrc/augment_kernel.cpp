// Inner loops of the augmenter. Compiled once for each instruction set level; see augment_kernel.h for what they
// compute. Both are bound by multiply-adds: three outputs share every load of the image, and the accumulators of a tile
// stay in registers (two rows x three outputs x kPairVectors vectors forward, so that most loads of the image and of
// the weights serve twice; three outputs x kTileTerms neighbours backward).
#include "augment_kernel.h"

#include "lanes.h"

namespace forensic {
namespace FORENSIC_LEVEL {
namespace {

#if defined(FORENSIC_LEVEL_avx512)
inline constexpr std::ptrdiff_t kPairVectors = 4;  // two rows x three outputs x this many: 24 sums of 32 registers
#else
inline constexpr std::ptrdiff_t kPairVectors = 2;  // 12 of 16
#endif

// Sums of `Rows` rows x three outputs x `Vectors` vectors; rows below one another share what they read.
template <typename T, std::ptrdiff_t Rows, std::ptrdiff_t Vectors>
struct Tile {
  using L = Lanes<T>;
  L sums[Rows][3][Vectors];

  // Pixels of one neighbour for rows [First, Last); the weights of a row are those of the row above, one line earlier.
  template <std::ptrdiff_t First, std::ptrdiff_t Last>
  void add(const T* pixels, const T* weights, std::ptrdiff_t line) {
    L here[Vectors];
#pragma GCC unroll 4
    for (std::ptrdiff_t n = 0; n < Vectors; ++n) here[n] = L::load(pixels + n * L::count);
#pragma GCC unroll 2
    for (std::ptrdiff_t r = First; r < Last; ++r) {
#pragma GCC unroll 3
      for (std::ptrdiff_t o = 0; o < 3; ++o) {
        const L weight = L::all(weights[o - r * line]);
#pragma GCC unroll 4
        for (std::ptrdiff_t n = 0; n < Vectors; ++n) sums[r][o][n].add_product(here[n], weight);
      }
    }
  }
};

template <typename T, std::ptrdiff_t Rows, std::ptrdiff_t Vectors>
inline void forward_tile(const T* source, std::ptrdiff_t pitch, const std::ptrdiff_t* offsets, const T* weights,
                         std::ptrdiff_t span, const T* bias, T* const* out, std::ptrdiff_t out_pitch,
                         std::ptrdiff_t x) {
  using L = Lanes<T>;
  Tile<T, Rows, Vectors> tile;
#pragma GCC unroll 2
  for (std::ptrdiff_t r = 0; r < Rows; ++r) {
#pragma GCC unroll 3
    for (std::ptrdiff_t o = 0; o < 3; ++o) {
#pragma GCC unroll 4
      for (std::ptrdiff_t n = 0; n < Vectors; ++n) tile.sums[r][o][n] = L::all(bias[o]);
    }
  }
  const T* from = source + x;
  const std::ptrdiff_t line = 3 * span;
  for (std::ptrdiff_t channel = 0; channel < 3; ++channel) {
    std::ptrdiff_t j = channel * span * span;
    if constexpr (Rows == 1) {
      for (const std::ptrdiff_t end = j + span * span; j < end; ++j) {
        tile.template add<0, 1>(from + offsets[j], weights + 3 * j, line);
      }
    } else {
      std::ptrdiff_t end = j + span;
      for (; j < end; ++j) tile.template add<0, 1>(from + offsets[j], weights + 3 * j, line);
      for (end += span * (span - 1); j < end; ++j) {
        tile.template add<0, 2>(from + offsets[j], weights + 3 * j, line);
      }
      for (end += span; j < end; ++j) {
        tile.template add<1, 2>(from + offsets[j - span] + pitch, weights + 3 * j, line);
      }
    }
  }
#pragma GCC unroll 2
  for (std::ptrdiff_t r = 0; r < Rows; ++r) {
#pragma GCC unroll 3
    for (std::ptrdiff_t o = 0; o < 3; ++o) {
#pragma GCC unroll 4
      for (std::ptrdiff_t n = 0; n < Vectors; ++n) {
        tile.sums[r][o][n].store(out[o] + r * out_pitch + x + n * L::count);
      }
    }
  }
}

// The last tile of a line overlaps the one before where they do not fill it: an output has the same bits in either.
template <typename T, std::ptrdiff_t Rows, std::ptrdiff_t Most>
inline void forward_line(const T* source, std::ptrdiff_t pitch, const std::ptrdiff_t* offsets, const T* weights,
                         std::ptrdiff_t span, const T* bias, T* const* out, std::ptrdiff_t out_pitch,
                         std::ptrdiff_t length) {
  constexpr std::ptrdiff_t vector = Lanes<T>::count;
  for (std::ptrdiff_t x = 0; x < length;) {
    const std::ptrdiff_t left = length - x;
    std::ptrdiff_t vectors = left > 2 * vector ? 4 : left > vector ? 2 : 1;
    while (vectors > Most || vectors * vector > length) vectors /= 2;
    const std::ptrdiff_t at = left < vectors * vector ? length - vectors * vector : x;
    if (vectors == 4) {
      forward_tile<T, Rows, Most >= 4 ? 4 : 1>(source, pitch, offsets, weights, span, bias, out, out_pitch, at);
    } else if (vectors == 2) {
      forward_tile<T, Rows, 2>(source, pitch, offsets, weights, span, bias, out, out_pitch, at);
    } else {
      forward_tile<T, Rows, 1>(source, pitch, offsets, weights, span, bias, out, out_pitch, at);
    }
    x = at + vectors * vector;
  }
}

template <typename T>
void forward(const T* source, std::ptrdiff_t pitch, const std::ptrdiff_t* offsets, const T* weights,
             std::ptrdiff_t span, const T* bias, T* const* out, std::ptrdiff_t out_pitch, std::ptrdiff_t rows,
             std::ptrdiff_t length) {
  constexpr std::ptrdiff_t vector = Lanes<T>::count;
  if (length >= vector && rows == 2) {
    forward_line<T, 2, kPairVectors>(source, pitch, offsets, weights, span, bias, out, out_pitch, length);
  } else if (length >= vector) {
    forward_line<T, 1, 4>(source, pitch, offsets, weights, span, bias, out, out_pitch, length);
  } else {
    T whole[3][vector];
    T* const there[3] = {whole[0], whole[1], whole[2]};
    for (std::ptrdiff_t r = 0; r < rows; ++r) {
      forward_tile<T, 1, 1>(source + r * pitch, pitch, offsets, weights, span, bias, there, 0, 0);
      for (std::ptrdiff_t o = 0; o < 3; ++o) {
        for (std::ptrdiff_t n = 0; n < length; ++n) out[o][r * out_pitch + n] = whole[o][n];
      }
    }
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
        const L pixels = L::load_once(p + offsets[j] + x);
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
  for (std::ptrdiff_t o = 0; o < 3; ++o) {
    T* to = lanes + (3 * terms + o) * Lanes<T>::count;
    Lanes<T> sum = Lanes<T>::load(to);
    for (std::ptrdiff_t row = 0; row < rows; ++row) {
      const T* line = g[o] + row * g_pitch;
      for (std::ptrdiff_t x = 0; x < length; x += Lanes<T>::count) sum.add(Lanes<T>::load(line + x));
    }
    sum.store(to);
  }
}

template <typename T>
void drain(T* lanes, std::ptrdiff_t count, double* wide) {
  for (std::ptrdiff_t n = 0; n < count; ++n) wide[n] += static_cast<double>(lanes[n]);
  for (std::ptrdiff_t n = 0; n < count; ++n) lanes[n] = T(0);
}

template <typename T>
void reduce(const double* wide, std::ptrdiff_t accumulators, double* sums) {
  constexpr std::ptrdiff_t count = Lanes<T>::count;
  for (std::ptrdiff_t n = 0; n < accumulators; ++n) {
    double part[count];
    for (std::ptrdiff_t i = 0; i < count; ++i) part[i] = wide[n * count + i];
    for (std::ptrdiff_t width = count / 2; width > 0; width /= 2) {
      for (std::ptrdiff_t i = 0; i < width; ++i) part[i] += part[i + width];
    }
    sums[n] += part[0];
  }
}

}  // namespace

extern const AugmentLines<float> augment_lines_f32;
extern const AugmentLines<double> augment_lines_f64;
const AugmentLines<float> augment_lines_f32 = {forward<float>, correlate<float>, drain<float>, reduce<float>,
                                               Lanes<float>::count};
const AugmentLines<double> augment_lines_f64 = {forward<double>, correlate<double>, drain<double>, reduce<double>,
                                                Lanes<double>::count};

}  // namespace FORENSIC_LEVEL
}  // namespace forensic
