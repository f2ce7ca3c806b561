// What the C++ tests share: EXPECT prints and counts, `values` makes the same numbers in every run.
#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "tensor.h"

inline int failures = 0;

#define EXPECT(condition)                                                 \
  do {                                                                    \
    if (!(condition)) {                                                   \
      std::printf("%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
      ++failures;                                                         \
    }                                                                     \
  } while (false)

template <typename T>
std::vector<T> values(std::int64_t count, std::uint32_t seed = 1) {
  std::vector<T> all;
  for (std::int64_t i = 0; i < count; ++i) {
    seed = seed * 1664525U + 1013904223U;
    all.push_back(static_cast<T>(static_cast<double>(seed >> 8U) / 16777216.0 - 0.5));
  }
  return all;
}

template <typename T, std::size_t Rank>
forensic::TensorView<T, Rank> row_major(T* data, const std::array<std::int64_t, Rank>& shape) {
  forensic::TensorView<T, Rank> view;
  view.data = data;
  view.shape = shape;
  std::int64_t stride = 1;
  for (std::size_t axis = Rank; axis-- > 0;) {
    view.stride.at(axis) = stride;
    stride *= shape.at(axis);
  }
  return view;
}
