#include "dct_kernel.h"

#include "dct_line.h"
#include "wide_log.h"

namespace forensic {
namespace FORENSIC_LEVEL {
namespace {

constexpr std::int64_t kCacheLine = 64;

template <typename T>
void fetch_for_writing(T* from, std::int64_t count) {
  constexpr std::int64_t step = kCacheLine / static_cast<std::int64_t>(sizeof(T));
  for (std::int64_t i = 0; i < count; i += step) __builtin_prefetch(from + i, 1, 2);
}

template <typename T>
inline Wide<T> take(const T* from, std::int64_t count) {
  return count >= kLanes<T> ? load(from) : load_some(from, 1, count);
}

// What DctLog says, of `count` coefficients that stand `at` elements into the plane.
struct AsItIs {
  template <typename V>
  V operator()(V value, std::int64_t /*at*/, std::int64_t /*count*/) const {
    return value;
  }
};
template <typename T>
struct Logarithm {
  DctLog<T> log;
  Wide<T> operator()(Wide<T> value, std::int64_t at, std::int64_t count) const {
    const Wide<T> magnitude = value < T(0) ? -value : value;
    return (log_of<T>(magnitude + log.epsilon) - take(log.mean + at, count)) / take(log.std + at, count);
  }
};
template <typename T>
struct LogarithmGradient {
  DctLog<T> log;
  Wide<T> operator()(Wide<T> value, std::int64_t at, std::int64_t count) const {
    const Wide<T> zero{};
    const Wide<T> magnitude = value < T(0) ? -value : value;
    const Wide<T> gradient = take(log.gradient + at, count);
    const Wide<T> with_sign = value > zero ? gradient : (value < zero ? -gradient : gradient * T(0));
    return with_sign / ((magnitude + log.epsilon) * take(log.std + at, count));
  }
};

template <typename T, typename After>
void rows_and_after(const DctPlane<T>& plane, std::int64_t first, std::int64_t last, T* memory, After after) {
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
    const auto scaled = [&](V value, std::int64_t /*line*/) { return value * factors; };
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
      const std::int64_t at = row * width + column;
      if (rows == lanes && columns >= lanes) {
        const auto one = [&](V value, std::int64_t i) { return after(value, at + i * width, lanes); };
        transpose_square<T>(memory + column * lanes, lanes, y, to_stride, one);
        continue;
      }
      const auto as_it_is = [](V value, std::int64_t /*line*/) { return value; };
      transpose_square<T>(memory + column * lanes, lanes, square, lanes, as_it_is);
      for (std::int64_t i = 0; i < rows; ++i) {
        store_some(y + i * to_stride, after(load(square + i * lanes), at + i * width, columns), columns);
      }
    }
  }
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
  if (plane.log.mean == nullptr) return rows_and_after(plane, first, last, memory, AsItIs{});
  if (plane.log.gradient == nullptr) return rows_and_after(plane, first, last, memory, Logarithm<T>{plane.log});
  rows_and_after(plane, first, last, memory, LogarithmGradient<T>{plane.log});
}

template void dct_columns<float>(const DctPlane<float>&, std::int64_t, std::int64_t, float*);
template void dct_columns<double>(const DctPlane<double>&, std::int64_t, std::int64_t, double*);
template void dct_rows<float>(const DctPlane<float>&, std::int64_t, std::int64_t, float*);
template void dct_rows<double>(const DctPlane<double>&, std::int64_t, std::int64_t, double*);

}  // namespace FORENSIC_LEVEL
}  // namespace forensic
