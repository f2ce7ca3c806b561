// Inner loops of the triplet loss. Compiled once for each instruction set level.
// Products run along the embedding: four anchors x three others keep twelve sums in registers and use each load three
// or four times. The sum of one pair never depends on its neighbours in the tile, so d(i, j) and d(j, i) have the same
// bits.
#include "triplet_kernel.h"

#include "lanes.h"

namespace forensic {
namespace FORENSIC_LEVEL {
namespace {

template <typename T, std::ptrdiff_t A, std::ptrdiff_t B>
inline void product_tile(const T* anchors, const T* others, std::ptrdiff_t width, T (&products)[A][B]) {
  using L = Lanes<T>;
  L sums[A][B];
  for (std::ptrdiff_t a = 0; a < A; ++a) {
    for (std::ptrdiff_t b = 0; b < B; ++b) sums[a][b] = L::all(T(0));
  }
  for (std::ptrdiff_t n = 0; n < width; n += L::count) {
    L left[A];
#pragma GCC unroll 4
    for (std::ptrdiff_t a = 0; a < A; ++a) left[a] = L::load(anchors + a * width + n);
#pragma GCC unroll 4
    for (std::ptrdiff_t b = 0; b < B; ++b) {
      const L right = L::load(others + b * width + n);
#pragma GCC unroll 4
      for (std::ptrdiff_t a = 0; a < A; ++a) sums[a][b].add_product(left[a], right);
    }
  }
  for (std::ptrdiff_t a = 0; a < A; ++a) {
    for (std::ptrdiff_t b = 0; b < B; ++b) products[a][b] = sum(sums[a][b]);
  }
}

template <typename T>
T norm(const T* row, std::ptrdiff_t width) {
  T product[1][1];
  product_tile<T, 1, 1>(row, row, width, product);
  return product[0][0];
}

template <typename T, std::ptrdiff_t A, std::ptrdiff_t B>
inline void gap_tile(const T* z, std::ptrdiff_t width, const T* norms, std::ptrdiff_t i, std::ptrdiff_t j, T* gaps,
                     std::ptrdiff_t pitch) {
  T products[A][B];
  product_tile<T, A, B>(z + i * width, z + j * width, width, products);
  for (std::ptrdiff_t a = 0; a < A; ++a) {
    for (std::ptrdiff_t b = 0; b < B; ++b) {
      const T twice = products[a][b] + products[a][b];  // exact, so a fused subtraction below changes nothing
      gaps[a * pitch + j + b] = norms[i + a] + norms[j + b] - twice;
    }
  }
}

template <typename T, std::ptrdiff_t A>
inline void gap_rows(const T* z, std::ptrdiff_t width, std::ptrdiff_t rows, const T* norms, std::ptrdiff_t i, T* gaps,
                     std::ptrdiff_t pitch) {
  std::ptrdiff_t j = 0;
  for (; j + 3 <= rows; j += 3) gap_tile<T, A, 3>(z, width, norms, i, j, gaps, pitch);
  for (; j < rows; ++j) gap_tile<T, A, 1>(z, width, norms, i, j, gaps, pitch);
}

template <typename T>
void gaps(const T* z, std::ptrdiff_t width, std::ptrdiff_t rows, const T* norms, std::ptrdiff_t first,
          std::ptrdiff_t anchors, T* out, std::ptrdiff_t pitch) {
  // Three others at a time stay in the first-level cache while all anchors of the strip meet them.
  std::ptrdiff_t a = 0;
  if (anchors == kAnchors) {
    std::ptrdiff_t j = 0;
    for (; j + 3 <= rows; j += 3) {
      for (a = 0; a < kAnchors; a += 4) gap_tile<T, 4, 3>(z, width, norms, first + a, j, out + a * pitch, pitch);
    }
    for (; j < rows; ++j) {
      for (a = 0; a < kAnchors; a += 4) gap_tile<T, 4, 1>(z, width, norms, first + a, j, out + a * pitch, pitch);
    }
    return;
  }
  for (; a < anchors; ++a) gap_rows<T, 1>(z, width, rows, norms, first + a, out + a * pitch, pitch);
}

template <typename T>
void add_difference(const T* a, const T* b, T weight, std::ptrdiff_t width, T* out) {
  for (std::ptrdiff_t n = 0; n < width; ++n) out[n] += weight * (a[n] - b[n]);
}

}  // namespace

extern const TripletLoops<float> triplet_loops_f32;
extern const TripletLoops<double> triplet_loops_f64;
const TripletLoops<float> triplet_loops_f32 = {norm<float>, gaps<float>, add_difference<float>};
const TripletLoops<double> triplet_loops_f64 = {norm<double>, gaps<double>, add_difference<double>};

}  // namespace FORENSIC_LEVEL
}  // namespace forensic
