// Compiler vectors as wide as the level's registers, for kernels whose lanes are neighbouring columns or rows: loads
// that stop at an edge, transposition of square blocks. For NAME_kernel.cpp only; all of it has internal linkage.
#pragma once

#include <cstdint>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

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

// Keeps a value that was loaded in its register: compilers would load it again at each use.
template <typename V>
inline V loaded_once(V wide) {
#if defined(FORENSIC_LEVEL_avx512)
  __asm__("" : "+v"(wide));
#elif defined(__SSE2__)
  __asm__("" : "+x"(wide));
#endif
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

// 16 bytes each from lines that are `step` elements apart, one after another. The loads put them in place: no shuffle.
template <typename T>
inline Wide<T> load_quarters(const T* from, [[maybe_unused]] std::int64_t step) {
#if defined(FORENSIC_LEVEL_avx512)
  const auto quarter = [&](std::int64_t i) { return _mm_loadu_ps(reinterpret_cast<const float*>(from + i * step)); };
  const __m256 low = _mm256_insertf128_ps(_mm256_castps128_ps256(quarter(0)), quarter(1), 1);
  const __m256 high = _mm256_insertf128_ps(_mm256_castps128_ps256(quarter(2)), quarter(3), 1);
  const __m512 all = _mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1);
  return reinterpret_cast<Wide<T>>(all);
#elif defined(FORENSIC_LEVEL_avx2)
  const auto half = [&](std::int64_t i) { return _mm_loadu_ps(reinterpret_cast<const float*>(from + i * step)); };
  return reinterpret_cast<Wide<T>>(_mm256_insertf128_ps(_mm256_castps128_ps256(half(0)), half(1), 1));
#else
  return load(from);
#endif
}

// Within each 16 bytes: a0 b0 a1 b1 of four, a0 b0 of two; and the same of the upper half.
template <int High, typename V, int... Lane>
inline V unpack(V a, V b, Order<Lane...>) {
  constexpr int count = sizeof...(Lane);
  constexpr int group = 16 / static_cast<int>(sizeof(a[0]));
  return __builtin_shufflevector(
      a, b, (Lane / group * group + High * (group / 2) + Lane % group / 2 + (Lane % 2) * count)...);
}

// A square of kLanes x kLanes elements from memory to memory, `finish(line, i)` applied to line i on its way.
template <typename T, typename Finish>
inline void transpose_square(const T* from, std::int64_t from_step, T* to, std::int64_t to_step, Finish finish) {
  using V = Wide<T>;
  using All = typename OrderOf<kLanes<T>>::type;
  constexpr int group = 16 / static_cast<int>(sizeof(T));
#pragma GCC unroll 8
  for (int column = 0; column < kLanes<T>; column += group) {
    V lines[group];
#pragma GCC unroll 4
    for (int i = 0; i < group; ++i) lines[i] = load_quarters(from + i * from_step + column, group * from_step);
    T* line = to + column * to_step;
    const auto put = [&](int i, V value) { store(line + i * to_step, finish(value, column + i)); };
    if constexpr (group == 2) {
      put(0, unpack<0>(lines[0], lines[1], All{}));
      put(1, unpack<1>(lines[0], lines[1], All{}));
    } else {
      const V even_low = unpack<0>(lines[0], lines[2], All{});
      const V even_high = unpack<1>(lines[0], lines[2], All{});
      const V odd_low = unpack<0>(lines[1], lines[3], All{});
      const V odd_high = unpack<1>(lines[1], lines[3], All{});
      put(0, unpack<0>(even_low, odd_low, All{}));
      put(1, unpack<1>(even_low, odd_low, All{}));
      put(2, unpack<0>(even_high, odd_high, All{}));
      put(3, unpack<1>(even_high, odd_high, All{}));
    }
  }
}

}  // namespace
}  // namespace FORENSIC_LEVEL
}  // namespace forensic
