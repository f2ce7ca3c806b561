#include "dct_kernel.h"

#include "dct_line.h"
#include "wide_log.h"

namespace forensic {
namespace FORENSIC_LEVEL {
namespace {

constexpr int kAtSquare = 4;             // lines ahead for each square that is transposed
constexpr std::int64_t kWorthALine = 6;  // blocks of columns that are worth one more, for all but two to be aligned

// What the next `lanes` columns from x on read that the columns before them did not: the lines in which they end.
// Registers narrower than a cache line share it, and the first one asks.
template <typename T>
Ahead ahead_of_columns(const T* x, const DctPlane<T>& plane) {
  constexpr auto width = static_cast<std::uintptr_t>(kLanes<T>) * sizeof(T);
  if (x == nullptr || plane.column_stride != 1) return {};
  const T* last = x + kLanes<T> - 1;
  if (reinterpret_cast<std::uintptr_t>(last) % Ahead::kLine >= width) return {};
  return {last, plane.row_stride * static_cast<std::int64_t>(sizeof(T)), plane.vertical.n};
}

// Where rows from `row` on go, for as many as are made at a time.
template <typename T>
Ahead ahead_of_rows(const DctPlane<T>& plane, std::int64_t row) {
  const std::int64_t width = plane.horizontal.n;
  const std::int64_t rows = plane.vertical.n - row < kLanes<T> ? plane.vertical.n - row : kLanes<T>;
  return {plane.y + row * width, Ahead::kLine,
          (rows * width * static_cast<std::int64_t>(sizeof(T)) + Ahead::kLine - 1) / Ahead::kLine};
}

// Lines are worked on in blocks of kLanes. Where the block after the one from `line` on begins, at most `step` lines
// further: the last one is whole as well, and so begins within the one before it. What is made twice has the same bits.
template <typename T>
std::int64_t next_block(std::int64_t line, std::int64_t last, std::int64_t step = kLanes<T>) {
  if (line + kLanes<T> >= last) return last;
  return line + step < last - kLanes<T> ? line + step : last - kLanes<T>;
}

// Columns from `first` on after which registers begin where cache lines do, if all rows lie alike.
template <typename T>
std::int64_t columns_before_a_line(const DctPlane<T>& plane, std::int64_t first, std::int64_t last) {
  constexpr std::int64_t lanes = kLanes<T>;
  const bool alike = plane.column_stride == 1 && plane.row_stride % lanes == 0;
  if (!alike || last - first < kWorthALine * lanes) return lanes;
  return lanes - static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(plane.x + first) / sizeof(T)) % lanes;
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
  Ahead ahead;
  const Line<T> across(plane.horizontal, memory + padded * lanes, ahead);
  const Place<T> line{memory, lanes};
  T square[lanes * lanes];
  for (std::int64_t row = first, next; row < last; row = next) {
    const std::int64_t rows = last - row < lanes ? last - row : lanes;
    next = next_block<T>(row, last);
    ahead = next < last ? ahead_of_rows(plane, next) : ahead_of_columns(plane.next, plane);
    if (plane.horizontal.odd > kDctShortOdd) ahead.ask_all();
    const auto scaled = [&](V value, std::int64_t /*line*/) { return value * plane.scale; };
    for (std::int64_t column = 0; column < width; column = next_block<T>(column, width)) {
      const T* x = plane.middle + row * plane.pitch + column;
      if (rows == lanes && column + lanes <= width) {
        ahead.template ask<kAtSquare>();
        transpose_square<T>(x, plane.pitch, memory + column * lanes, lanes, scaled);
        continue;
      }
      for (std::int64_t i = 0; i < lanes; ++i) {
        store(square + i * lanes, load_some(x + i * plane.pitch, 1, i < rows ? width - column : 0));
      }
      transpose_square<T>(square, lanes, memory + column * lanes, lanes, scaled);
    }
    if (plane.inverse) {
      line.put(0, line.get(0) * plane.first);
      across.transposed({memory, lanes}, line);
    } else {
      across.forward({memory, lanes}, line);
      line.put(0, line.get(0) * plane.first);
    }
    for (std::int64_t column = 0; column < width; column = next_block<T>(column, width)) {
      const std::int64_t columns = width - column;
      T* y = plane.y + row * width + column;
      const std::int64_t at = row * width + column;
      if (rows == lanes && columns >= lanes) {
        const auto one = [&](V value, std::int64_t i) { return after(value, at + i * width, lanes); };
        transpose_square<T>(memory + column * lanes, lanes, y, width, one);
        continue;
      }
      const auto as_it_is = [](V value, std::int64_t /*line*/) { return value; };
      transpose_square<T>(memory + column * lanes, lanes, square, lanes, as_it_is);
      for (std::int64_t i = 0; i < rows; ++i) {
        store_some(y + i * width, after(load(square + i * lanes), at + i * width, columns), columns);
      }
    }
  }
}

}  // namespace

template <typename T>
void dct_columns(const DctPlane<T>& plane, std::int64_t first, std::int64_t last, T* memory) {
  constexpr std::int64_t lanes = kLanes<T>;
  const std::int64_t height = plane.vertical.n;
  Ahead ahead;
  const Line<T> down(plane.vertical, memory + height * lanes, ahead);
  const Place<T> line{memory, lanes};
  std::int64_t step = columns_before_a_line(plane, first, last);
  for (std::int64_t column = first, next; column < last; column = next) {
    const std::int64_t columns = last - column < lanes ? last - column : lanes;
    const T* x = plane.x + column * plane.column_stride;
    next = next_block<T>(column, last, step);
    step = lanes;
    ahead = next < last                  ? ahead_of_columns(plane.x + next, plane)
            : last == plane.horizontal.n ? ahead_of_rows(plane, 0)
                                         : Ahead{};
    if (plane.vertical.odd > kDctShortOdd) ahead.ask_all();
    Source<T> from{x, plane.row_stride};
    if (columns != lanes || plane.column_stride != 1) {
      for (std::int64_t i = 0; i < height; ++i) {
        line.put(i, load_some(x + i * plane.row_stride, plane.column_stride, columns));
      }
      from = {memory, lanes};
    } else if (plane.inverse) {  // reads its input more than once: not from memory whose rows share sets of a cache
      for (std::int64_t i = 0; i < height; ++i) line.put(i, from.get(i));
      from = {memory, lanes};
    }
    const Place<T> to{plane.middle + column, plane.pitch};
    if (plane.inverse) {
      line.put(0, line.get(0) * plane.first);
      down.transposed(from, to);
    } else {
      down.forward(from, to);
      to.put(0, to.get(0) * plane.first);
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
