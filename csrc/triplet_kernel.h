// Inner loops of the triplet loss, as pointers to the code of one instruction set level.
#pragma once

#include <cstddef>
#include <cstdint>

namespace forensic {

// What another embedding does to the gradient of one.
template <typename T>
struct TripletTerm {
  const T* other;
  T weight;
};

template <typename T>
struct TripletLoops {
  // Embeddings of a panel, side by side: element d of embedding c is panel[d * panel_rows + c].
  std::ptrdiff_t panel_rows;
  // Embeddings that one call of `gaps` takes from its first panel; divides panel_rows.
  std::ptrdiff_t group;
  // Rows order[0 .. count) of z into a panel, zeros beside them, and |z_i|^2 summed as `gaps` sums products.
  void (*pack)(const T* z, std::ptrdiff_t row_stride, std::ptrdiff_t column_stride, const std::int64_t* order,
               std::ptrdiff_t count, std::ptrdiff_t width, T* panel, T* norms);
  // out[a * pitch + b] = norms_a[a] + norms_b[b] - 2 a.b for the `group` embeddings of one panel that start at `a`, and
  // all of the panel `b`. The same bits with a and b exchanged.
  void (*gaps)(const T* a, const T* b, std::ptrdiff_t width, const T* norms_a, const T* norms_b, T* out,
               std::ptrdiff_t pitch);
  // Largest and smallest of row[0 .. count) and of what the arguments hold; true if a NaN is among them.
  bool (*extremes)(const T* row, std::ptrdiff_t count, T* largest, T* smallest);
  // Places in row[0 .. count) of values >= bound, or <= bound, ascending; how many.
  std::ptrdiff_t (*at_least)(const T* row, std::ptrdiff_t count, T bound, std::int64_t* places);
  std::ptrdiff_t (*at_most)(const T* row, std::ptrdiff_t count, T bound, std::int64_t* places);
  // out[n] = sum of weight * (row[n * stride] - other[n * stride]) over the terms, in their order.
  void (*sum_differences)(const T* row, const TripletTerm<T>* terms, std::ptrdiff_t count, std::ptrdiff_t stride,
                          std::ptrdiff_t width, T* out);
};

}  // namespace forensic
