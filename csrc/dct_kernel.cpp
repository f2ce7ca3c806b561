#include "dct_kernel.h"

#include "dct_line.h"

namespace forensic {
namespace FORENSIC_LEVEL {
namespace {

constexpr std::int64_t kCacheLine = 64;

template <typename T>
void fetch_for_writing(T* from, std::int64_t count) {
  constexpr std::int64_t step = kCacheLine / static_cast<std::int64_t>(sizeof(T));
  for (std::int64_t i = 0; i < count; i += step) __builtin_prefetch(from + i, 1, 2);
}

}  // namespace

template <typename T>
void dct_columns(const DctPlane<T>& plane, std::int64_t first, std::int64_t last, T* memory) {
  constexpr std::int64_t lanes = kLanes<T>;
  const std::int64_t height = plane.vertical.n;
  const Line<T> down(plane.vertical, memory + height * lanes);
  const Place<T> line{memory, lanes};
  for (std::int64_t column = first; column < last; column += lanes) {
    const std::int64_t columns = last - column < lanes ? last - column : lanes;
    T* middle = plane.middle + column;
    if (plane.inverse) {
      const Source<T> from{middle, plane.pitch};
      T* y = plane.y + column;
      if (columns == lanes) {
        down.transposed(from, {y, plane.horizontal.n});
        continue;
      }
      down.transposed(from, line);
      for (std::int64_t i = 0; i < height; ++i)
        store_some(y + i * plane.horizontal.n, load(memory + i * lanes), columns);
    } else {
      const T* x = plane.x + column * plane.column_stride;
      for (std::int64_t i = 0; i < height; ++i) __builtin_prefetch(x + i * plane.row_stride + lanes, 0, 2);
      Source<T> from{x, plane.row_stride};
      if (columns != lanes || plane.column_stride != 1) {
        for (std::int64_t i = 0; i < height; ++i) {
          line.put(i, load_some(x + i * plane.row_stride, plane.column_stride, columns));
        }
        from = {memory, lanes};
      }
      down.forward(from, {middle, plane.pitch});
    }
  }
}

template <typename T>
void dct_rows(const DctPlane<T>& plane, std::int64_t first, std::int64_t last, T* memory) {
  using V = Wide<T>;
  constexpr std::int64_t lanes = kLanes<T>;
  const std::int64_t width = plane.horizontal.n;
  const std::int64_t padded = (width + lanes - 1) / lanes * lanes;
  const Line<T> across(plane.horizontal, memory + padded * lanes);
  const Place<T> line{memory, lanes};
  const T* from = plane.inverse ? plane.x : plane.middle;
  const std::int64_t row_stride = plane.inverse ? plane.row_stride : plane.pitch;
  const std::int64_t column_stride = plane.inverse ? plane.column_stride : 1;
  T* to = plane.inverse ? plane.middle : plane.y;
  const std::int64_t to_stride = plane.inverse ? plane.pitch : width;
  T square[lanes * lanes];
  for (std::int64_t row = first; row < last; row += lanes) {
    const std::int64_t rows = last - row < lanes ? last - row : lanes;
    if (!plane.inverse) fetch_for_writing(plane.y + row * width, rows * width);
    const V factors = load(plane.row_factors + row);
    const auto scaled = [&](V value) { return value * factors; };
    for (std::int64_t column = 0; column < width; column += lanes) {
      const T* x = from + row * row_stride + column * column_stride;
      if (rows == lanes && column + lanes <= width && column_stride == 1) {
        transpose_square<T>(x, row_stride, memory + column * lanes, lanes, scaled);
        continue;
      }
      for (std::int64_t i = 0; i < lanes; ++i) {
        const std::int64_t columns = i < rows ? width - column : 0;
        store(square + i * lanes, load_some(x + i * row_stride, column_stride, columns));
      }
      transpose_square<T>(square, lanes, memory + column * lanes, lanes, scaled);
    }
    if (plane.inverse) line.put(0, line.get(0) * plane.first_column);
    plane.inverse ? across.transposed({memory, lanes}, line) : across.forward({memory, lanes}, line);
    if (!plane.inverse) line.put(0, line.get(0) * plane.first_column);
    for (std::int64_t column = 0; column < width; column += lanes) {
      const std::int64_t columns = width - column;
      T* y = to + row * to_stride + column;
      const auto as_it_is = [](V value) { return value; };
      if (rows == lanes && columns >= lanes) {
        transpose_square<T>(memory + column * lanes, lanes, y, to_stride, as_it_is);
        continue;
      }
      transpose_square<T>(memory + column * lanes, lanes, square, lanes, as_it_is);
      for (std::int64_t i = 0; i < rows; ++i) store_some(y + i * to_stride, load(square + i * lanes), columns);
    }
  }
}

template void dct_columns<float>(const DctPlane<float>&, std::int64_t, std::int64_t, float*);
template void dct_columns<double>(const DctPlane<double>&, std::int64_t, std::int64_t, double*);
template void dct_rows<float>(const DctPlane<float>&, std::int64_t, std::int64_t, float*);
template void dct_rows<double>(const DctPlane<double>&, std::int64_t, std::int64_t, double*);

}  // namespace FORENSIC_LEVEL
}  // namespace forensic
