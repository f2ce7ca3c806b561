// The short transforms at the leaves of dct_line.h: lengths of which all values are in registers, written out by the
// compiler. For dct_kernel.cpp only.
#pragma once

#include "dct_odd.h"

namespace forensic {
namespace FORENSIC_LEVEL {
namespace {

// U2, U4 and the transpose of U2 of N values in place, N = 1, 3 or 5 times a power of two; names as in dct_line.h.
template <typename T, int N>
struct Short {
  using V = Wide<T>;
  static constexpr int half = N / 2;
  using Half = Short<T, N / 2>;

  static FORENSIC_INLINE void u2(const DctAxis<T>& axis, V* x, int depth) {
    V even[half];
    V odd[half];
#pragma GCC unroll 8
    for (int i = 0; i < half; ++i) {
      even[i] = x[i] + x[N - 1 - i];
      odd[i] = x[i] - x[N - 1 - i];
    }
    Half::u2(axis, even, depth + 1);
    Half::u4(axis, odd, depth + 1);
#pragma GCC unroll 8
    for (std::int64_t k = 0; k < half; ++k) {
      x[2 * k] = even[k];
      x[2 * k + 1] = odd[k];
    }
  }

  static FORENSIC_INLINE void u4(const DctAxis<T>& axis, V* x, int depth) {
    V a[half];
    V d[half];
    const T* rotation = axis.rotations[depth];
#pragma GCC unroll 8
    for (std::int64_t i = 0; i < half; ++i) {
      const T c = rotation[4 * i];
      const T s = rotation[4 * i + 1];
      a[i] = x[i] * c + x[N - 1 - i] * s;
      d[i] = i % 2 != 0 ? x[i] * s - x[N - 1 - i] * c : x[N - 1 - i] * c - x[i] * s;
    }
    Half::u2(axis, a, depth + 1);
    Half::u2(axis, d, depth + 1);
    x[0] = a[0];
    x[N - 1] = -d[0];
#pragma GCC unroll 8
    for (std::int64_t k = 1; k < half; ++k) {
      x[2 * k - 1] = a[k] - d[half - k];
      x[2 * k] = a[k] + d[half - k];
    }
  }

  static FORENSIC_INLINE void u2_transposed(const DctAxis<T>& axis, V* x, int depth) {
    V even[half];
    V odd[half];
#pragma GCC unroll 8
    for (std::int64_t k = 0; k < half; ++k) {
      even[k] = x[2 * k];
      odd[k] = x[2 * k + 1];
    }
    Half::u2_transposed(axis, even, depth + 1);
    Half::u4(axis, odd, depth + 1);
#pragma GCC unroll 8
    for (int i = 0; i < half; ++i) {
      x[i] = even[i] + odd[i];
      x[N - 1 - i] = even[i] - odd[i];
    }
  }
};

// cosines[j] = cos(pi j / 4 N). A value that is not finite must reach every sum: zeros are multiplied too.
template <typename T, int N>
struct ShortOdd {
  using V = Wide<T>;
  static constexpr int half = N / 2;
  static constexpr int kPeriod = 8 * N;

  static FORENSIC_INLINE void u2(const DctAxis<T>& axis, V* x, int /*depth*/) {
    V even[half + 1];
    V odd[half + 1];
#pragma GCC unroll 4
    for (int i = 0; i < half; ++i) {
      even[i] = x[i] + x[N - 1 - i];
      odd[i] = x[i] - x[N - 1 - i];
    }
    even[half] = x[half];
    odd[half] = x[half] - x[half];
#pragma GCC unroll 8
    for (int k = 0; k < N; ++k) {
      V sum = k % 2 == 0 ? even[half] * axis.cosines[2 * N * k % kPeriod] : odd[half];
#pragma GCC unroll 4
      for (int i = 0; i < half; ++i) {
        sum += (k % 2 == 0 ? even[i] : odd[i]) * axis.cosines[2 * (2 * i + 1) * k % kPeriod];
      }
      x[k] = sum;
    }
  }

  static FORENSIC_INLINE void u4(const DctAxis<T>& axis, V* x, int /*depth*/) {
    V y[N];
#pragma GCC unroll 8
    for (int k = 0; k < N; ++k) {
      y[k] = x[0] * axis.cosines[2 * k + 1];
#pragma GCC unroll 8
      for (int i = 1; i < N; ++i) y[k] += x[i] * axis.cosines[(2 * i + 1) * (2 * k + 1) % kPeriod];
    }
#pragma GCC unroll 8
    for (int k = 0; k < N; ++k) x[k] = y[k];
  }

  static FORENSIC_INLINE void u2_transposed(const DctAxis<T>& axis, V* x, int /*depth*/) {
    V y[N];
#pragma GCC unroll 8
    for (int i = 0; i <= half; ++i) {
      V even = x[0];
      V odd{};
#pragma GCC unroll 8
      for (int k = 1; k < N; ++k) (k % 2 == 0 ? even : odd) += x[k] * axis.cosines[2 * (2 * i + 1) * k % kPeriod];
      y[i] = even + odd;
      if (i < half) y[N - 1 - i] = even - odd;
    }
#pragma GCC unroll 8
    for (int i = 0; i < N; ++i) x[i] = y[i];
  }
};

template <typename T>
struct Short<T, 1> {
  static FORENSIC_INLINE void u2(const DctAxis<T>& /*axis*/, Wide<T>* /*x*/, int /*depth*/) {}
  static FORENSIC_INLINE void u4(const DctAxis<T>& axis, Wide<T>* x, int /*depth*/) { x[0] *= axis.cosines[1]; }
  static FORENSIC_INLINE void u2_transposed(const DctAxis<T>& /*axis*/, Wide<T>* /*x*/, int /*depth*/) {}
};
template <typename T>
struct Short<T, 3> : ShortOdd<T, 3> {};
template <typename T>
struct Short<T, 5> : ShortOdd<T, 5> {};

template <typename T, int N, int Kind, bool Transposed>
__attribute__((noinline)) void leaf_of(const DctAxis<T>& axis, Source<T> from, Place<T> to, int depth) {
  Wide<T> x[N];
#pragma GCC unroll 16
  for (int i = 0; i < N; ++i) x[i] = from.get(i);
  if constexpr (Kind == 4) {
    Short<T, N>::u4(axis, x, depth);
  } else if constexpr (Transposed) {
    Short<T, N>::u2_transposed(axis, x, depth);
  } else {
    Short<T, N>::u2(axis, x, depth);
  }
#pragma GCC unroll 16
  for (int i = 0; i < N; ++i) to.put(i, x[i]);
}

template <int Kind, bool Transposed, typename T>
inline void leaf(const DctAxis<T>& axis, Source<T> from, Place<T> to, std::int64_t n, int depth, T* memory) {
  if (axis.odd > kDctShortOdd) return odd_length<Kind, Transposed>(axis.by_dft, from, to, n, memory);
  switch (n) {
    case 16:
      return leaf_of<T, 16, Kind, Transposed>(axis, from, to, depth);
    case 8:
      return leaf_of<T, 8, Kind, Transposed>(axis, from, to, depth);
    case 4:
      return leaf_of<T, 4, Kind, Transposed>(axis, from, to, depth);
    case 2:
      return leaf_of<T, 2, Kind, Transposed>(axis, from, to, depth);
    case 12:
      return leaf_of<T, 12, Kind, Transposed>(axis, from, to, depth);
    case 6:
      return leaf_of<T, 6, Kind, Transposed>(axis, from, to, depth);
    case 3:
      return leaf_of<T, 3, Kind, Transposed>(axis, from, to, depth);
    case 10:
      return leaf_of<T, 10, Kind, Transposed>(axis, from, to, depth);
    case 5:
      return leaf_of<T, 5, Kind, Transposed>(axis, from, to, depth);
    default:
      return leaf_of<T, 1, Kind, Transposed>(axis, from, to, depth);
  }
}

}  // namespace
}  // namespace FORENSIC_LEVEL
}  // namespace forensic
