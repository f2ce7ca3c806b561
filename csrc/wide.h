// Compiler vectors as wide as the level's registers, for kernels whose lanes are neighbouring columns or rows: loads
// that stop at an edge, transposition of square blocks. For NAME_kernel.cpp only; all of it has internal linkage.
#pragma once

#include <cstdint>

#ifndef FORENSIC_LEVEL
#error "wide.h is for files that are compiled once a level"
#endif

namespace forensic {
namespace FORENSIC_LEVEL {
namespace {

#if defined(FORENSIC_LEVEL_avx512)
inline constexpr int kRegisterBytes = 64;
#elif defined(FORENSIC_LEVEL_avx2)
inline constexpr int kRegisterBytes = 32;
#else
inline constexpr int kRegisterBytes = 16;
#endif

template <typename T>
struct WideOf {
  static constexpr int lanes = kRegisterBytes / static_cast<int>(sizeof(T));
  typedef T type __attribute__((vector_size(kRegisterBytes)));
};
template <typename T>
using Wide = typename WideOf<T>::type;
template <typename T>
inline constexpr int kLanes = WideOf<T>::lanes;

template <typename T>
inline Wide<T> load(const T* from) {  // any alignment
  Wide<T> wide;
  __builtin_memcpy(&wide, from, sizeof(wide));
  return wide;
}

template <typename T>
inline void store(T* to, Wide<T> wide) {
  __builtin_memcpy(to, &wide, sizeof(wide));
}

// `count` elements at `stride`, zeros in the other lanes.
template <typename T>
inline Wide<T> load_some(const T* from, std::int64_t stride, std::int64_t count) {
  Wide<T> wide{};
  for (std::int64_t lane = 0; lane < count && lane < kLanes<T>; ++lane) wide[lane] = from[lane * stride];
  return wide;
}

template <typename T>
inline void store_some(T* to, Wide<T> wide, std::int64_t count) {
  for (std::int64_t lane = 0; lane < count && lane < kLanes<T>; ++lane) to[lane] = wide[lane];
}

template <int... Lane>
struct Order {};
template <int Count, int... Lane>
struct OrderOf : OrderOf<Count - 1, Count - 1, Lane...> {};
template <int... Lane>
struct OrderOf<0, Lane...> {
  using type = Order<Lane...>;
};

// a0 b0 a1 b1 ... of the lower halves; of the upper halves.
template <typename V, int... Lane>
inline V interleave_low(V a, V b, Order<Lane...>) {
  constexpr int count = sizeof...(Lane);
  return __builtin_shufflevector(a, b, (Lane / 2 + (Lane % 2) * count)...);
}
template <typename V, int... Lane>
inline V interleave_high(V a, V b, Order<Lane...>) {
  constexpr int count = sizeof...(Lane);
  return __builtin_shufflevector(a, b, (count / 2 + Lane / 2 + (Lane % 2) * count)...);
}

// Count x Count elements in Count vectors, in place: each round riffles the first half with the second.
template <int Count, typename V>
inline void transpose(V* rows) {
  using All = typename OrderOf<Count>::type;
#pragma GCC unroll 8
  for (int round = 1; round < Count; round *= 2) {
    V next[Count];
#pragma GCC unroll 16
    for (int i = 0; i < Count / 2; ++i) {
      next[2 * i] = interleave_low(rows[i], rows[i + Count / 2], All{});
      next[2 * i + 1] = interleave_high(rows[i], rows[i + Count / 2], All{});
    }
#pragma GCC unroll 16
    for (int i = 0; i < Count; ++i) rows[i] = next[i];
  }
}

}  // namespace
}  // namespace FORENSIC_LEVEL
}  // namespace forensic
