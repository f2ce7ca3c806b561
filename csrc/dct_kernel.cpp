#include "dct_kernel.h"

#include "dct_line.h"

namespace forensic {
namespace FORENSIC_LEVEL {
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
  for (std::int64_t row = first; row < last; row += lanes) {
    const std::int64_t rows = last - row < lanes ? last - row : lanes;
    const T* factors = plane.row_factors + row;
    for (std::int64_t column = 0; column < padded; column += lanes) {
      V block[lanes];
      const bool whole = plane.column_stride == 1 && column + lanes <= width;
      for (std::int64_t i = 0; i < lanes; ++i) {
        if (i >= rows) {
          block[i] = V{};
          continue;
        }
        const T* x = plane.x + (row + i) * plane.row_stride + column * plane.column_stride;
        const V value = !plane.inverse ? load(plane.middle + (row + i) * plane.pitch + column)
                        : whole        ? load(x)
                                       : load_some(x, plane.column_stride, width - column);
        block[i] = value * factors[i];
      }
      transpose<kLanes<T>>(block);
      for (std::int64_t i = 0; i < lanes; ++i) line.put(column + i, block[i]);
    }
    if (plane.inverse) line.put(0, load(memory) * plane.first_column);
    plane.inverse ? across.transposed({memory, lanes}, line) : across.forward({memory, lanes}, line);
    if (!plane.inverse) line.put(0, load(memory) * plane.first_column);
    for (std::int64_t column = 0; column < width; column += lanes) {
      const std::int64_t columns = width - column < lanes ? width - column : lanes;
      V block[lanes];
      for (std::int64_t i = 0; i < lanes; ++i) block[i] = load(memory + (column + i) * lanes);
      transpose<kLanes<T>>(block);
      for (std::int64_t i = 0; i < rows; ++i) {
        T* to = plane.inverse ? plane.middle + (row + i) * plane.pitch + column : plane.y + (row + i) * width + column;
        plane.inverse || columns == lanes ? store(to, block[i]) : store_some(to, block[i], columns);
      }
    }
  }
}

template void dct_columns<float>(const DctPlane<float>&, std::int64_t, std::int64_t, float*);
template void dct_columns<double>(const DctPlane<double>&, std::int64_t, std::int64_t, double*);
template void dct_rows<float>(const DctPlane<float>&, std::int64_t, std::int64_t, float*);
template void dct_rows<double>(const DctPlane<double>&, std::int64_t, std::int64_t, double*);

}  // namespace FORENSIC_LEVEL
}  // namespace forensic
