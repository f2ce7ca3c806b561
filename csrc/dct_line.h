// Line: the DCT-II of one line of registers and its transpose, n = 2^a m with m odd. For dct_kernel.cpp only.
// Written out without scale factors: U2(x)[k] = sum_i x[i] cos(pi (2i+1) k / 2n),
//                                    U4(x)[k] = sum_i x[i] cos(pi (2i+1)(2k+1) / 4n).
//   U2 of n    even k: U2 of n/2 on x[i] + x[n-1-i];  odd k: U4 of n/2 on x[i] - x[n-1-i]
//   U4 of n    with phi_i = pi (2i+1) / 4n, a[i] = x[i] cos phi_i + x[n-1-i] sin phi_i,
//              d[i] = (-1)^i (x[n-1-i] cos phi_i - x[i] sin phi_i), A = U2(a), D = U2(d), both of n/2:
//              y[2k] = A[k] + D[n/2-k],  y[2k-1] = A[k] - D[n/2-k],  y[0] = A[0],  y[n-1] = -D[0]
//   transposed the same steps in reverse order, each transposed; U4 is symmetric.
// A node of the tree is a transform of kind 2 or 4 and a length. Up to three levels of the tree are done while the
// 2^levels values that meet are in registers; what is left has at most 16 points and is done in registers too
// (dct_leaf.h).
#pragma once

#include "ahead.h"
#include "dct_leaf.h"

namespace forensic {
namespace FORENSIC_LEVEL {
namespace {

template <typename T>
class Line {
 public:
  using V = Wide<T>;

  // `memory`: 4 n + 4 registers, aligned to them; what `from` and `to` point at lies elsewhere or is the same.
  // `ahead` is asked for on the way: about n lines, if the axis is made of short steps.
  Line(const DctAxis<T>& axis, T* memory, Ahead& ahead)
      : axis_(axis), memory_(memory), ahead_(ahead), leaf_(leaf_length(axis)) {}

  void forward(Source<T> from, Place<T> to) const { node<2>(from, to, axis_.n, 0, memory_); }
  void transposed(Source<T> from, Place<T> to) const { node_transposed<2>(from, to, axis_.n, 0, memory_); }

 private:
  static constexpr std::int64_t lanes = kLanes<T>;
  static constexpr int kMostLevels = 3;
  static constexpr int kAtSplit = 4;  // lines of `ahead` for each group of values; half of n lines with three levels
  static constexpr int kAtLeaf = 8;   // the other half, in leaves of 16
  static constexpr std::int64_t kPart = 16;  // the longest leaf of a power of two: its addresses are constants

  // The longest transform that is done in registers, or the odd part.
  static std::int64_t leaf_length(const DctAxis<T>& axis) {
    std::int64_t length = axis.n;
    const std::int64_t most = axis.odd == 1 ? 16 : axis.odd == 3 ? 12 : axis.odd == 5 ? 10 : axis.odd;
    while (length > most) length /= 2;
    return length;
  }

  // 1, 2 or 3, so that the passes that are left are about equal: four levels are two and two.
  int levels_of(std::int64_t n) const {
    int left = 0;
    for (; n > leaf_; n /= 2) ++left;
    const int passes = (left + kMostLevels - 1) / kMostLevels;
    return (left + passes - 1) / passes;
  }

  // The rotations of a node and of those below it, once a pass: what is stored could lie where the pointers do.
  template <int Levels>
  struct Rotations {
    const T* at[Levels];
    Rotations(const DctAxis<T>& axis, int depth) {
      for (int level = 0; level < Levels; ++level) at[level] = axis.rotations[depth + level];
    }
  };

  // Where the 2^Levels values that meet in group i stand in a line of n: in pairs (q, n-1-q), q from the level below.
  template <int Levels>
  static void positions(std::int64_t n, std::int64_t i, std::int64_t* at) {
    if constexpr (Levels == 0) {
      at[0] = i;
    } else {
      constexpr int half = 1 << (Levels - 1);
      std::int64_t below[half];
      positions<Levels - 1>(n / 2, i, below);
#pragma GCC unroll 8
      for (std::int64_t m = 0; m < half; ++m) {
        at[2 * m] = below[m];
        at[2 * m + 1] = n - 1 - below[m];
      }
    }
  }

  // The values of group i, in the order of `positions`, become value i of each of the 2^Levels nodes below.
  template <int Kind, int Levels>
  __attribute__((always_inline)) void down(V* v, std::int64_t n, const T* const* rotations, std::int64_t i) const {
    if constexpr (Levels > 0) {
      constexpr int half = 1 << (Levels - 1);
      V first[half];
      V second[half];
      std::int64_t at[half];
      positions<Levels - 1>(n / 2, i, at);
#pragma GCC unroll 8
      for (std::int64_t m = 0; m < half; ++m) {
        if constexpr (Kind == 2) {
          first[m] = v[2 * m] + v[2 * m + 1];
          second[m] = v[2 * m] - v[2 * m + 1];
        } else {
          const T* r = rotations[0] + 4 * at[m];
          first[m] = v[2 * m] * r[0] + v[2 * m + 1] * r[1];
          second[m] = v[2 * m + 1] * r[2] - v[2 * m] * r[3];
        }
      }
      down<2, Levels - 1>(first, n / 2, rotations + 1, i);
      down<Kind == 2 ? 4 : 2, Levels - 1>(second, n / 2, rotations + 1, i);
#pragma GCC unroll 8
      for (int m = 0; m < half; ++m) {
        v[m] = first[m];
        v[half + m] = second[m];
      }
    }
  }

  template <int Kind, int Levels>
  __attribute__((always_inline)) void up(V* v, std::int64_t n, const T* const* rotations, std::int64_t i) const {
    if constexpr (Levels > 0) {
      constexpr int half = 1 << (Levels - 1);
      V first[half];
      V second[half];
#pragma GCC unroll 8
      for (int m = 0; m < half; ++m) {
        first[m] = v[m];
        second[m] = v[half + m];
      }
      up<2, Levels - 1>(first, n / 2, rotations + 1, i);
      up<Kind == 2 ? 4 : 2, Levels - 1>(second, n / 2, rotations + 1, i);
      std::int64_t at[half];
      positions<Levels - 1>(n / 2, i, at);
#pragma GCC unroll 8
      for (std::int64_t m = 0; m < half; ++m) {
        if constexpr (Kind == 2) {
          v[2 * m] = first[m] + second[m];
          v[2 * m + 1] = first[m] - second[m];
        } else {
          const T* r = rotations[0] + 4 * at[m];
          v[2 * m] = first[m] * r[0] - second[m] * r[3];
          v[2 * m + 1] = first[m] * r[1] + second[m] * r[2];
        }
      }
    }
  }

  template <int Kind>
  void node(Source<T> from, Place<T> to, std::int64_t n, int depth, T* memory) const {
    if (n <= leaf_) {
      ahead_.template ask<kAtLeaf>();
      return leaf<Kind, false>(axis_, from, to, n, depth, memory);
    }
    const int levels = levels_of(n);
    if (levels == 3) return split<Kind, 3>(from, to, n, depth, memory);
    if (levels == 2) return split<Kind, 2>(from, to, n, depth, memory);
    split<Kind, 1>(from, to, n, depth, memory);
  }

  template <int Kind, int Levels>
  void split(Source<T> from, Place<T> to, std::int64_t n, int depth, T* memory) const {
    if (n == kPart << Levels) {
      split_values<Kind, Levels>(from, kPart << Levels, depth, memory);
    } else {
      split_values<Kind, Levels>(from, n, depth, memory);
    }
    finish<Kind, Levels>(memory, memory + n * lanes, to, n, depth, memory + 2 * n * lanes);
  }

  template <int Kind, int Levels>
  __attribute__((always_inline)) void split_values(Source<T> from, std::int64_t n, int depth, T* memory) const {
    constexpr int parts = 1 << Levels;
    const std::int64_t part = n / parts;
    const Rotations<Levels> rotations(axis_, depth);
    for (std::int64_t i = 0; i < part; ++i) {
      std::int64_t at[parts];
      V v[parts];
      ahead_.template ask<kAtSplit>();
      positions<Levels>(n, i, at);
#pragma GCC unroll 8
      for (int m = 0; m < parts; ++m) v[m] = loaded_once(from.get(at[m]));
      down<Kind, Levels>(v, n, rotations.at, i);
#pragma GCC unroll 8
      for (int m = 0; m < parts; ++m) store(memory + (m * part + i) * lanes, v[m]);
    }
  }

  // The 2^Levels nodes below, whose values stand one after another at t, and what puts their results together. One node
  // of kind 4 above others needs room of its own, at s.
  template <int Kind, int Levels>
  void finish(T* t, T* s, Place<T> to, std::int64_t n, int depth, T* rest) const {
    if constexpr (Levels == 0) {
      node<Kind>({t, lanes}, to, n, depth, rest);
    } else {
      const std::int64_t half = n / 2;
      T* t2 = t + half * lanes;
      T* s2 = s + half * lanes;
      if constexpr (Kind == 2) {
        finish<2, Levels - 1>(t, s, {to.at, 2 * to.step}, half, depth + 1, rest);
        finish<4, Levels - 1>(t2, s2, {to.at + to.step, 2 * to.step}, half, depth + 1, rest);
      } else {
        T* made = Levels == 1 ? t : s;
        finish<2, Levels - 1>(t, s, {made, lanes}, half, depth + 1, rest);
        finish<2, Levels - 1>(t2, s2, {made + half * lanes, lanes}, half, depth + 1, rest);
        const Source<T> a{made, lanes};
        const Source<T> d{made + half * lanes, lanes};
        to.put(0, a.get(0));
        to.put(n - 1, -d.get(0));
        for (std::int64_t k = 1; k < half; ++k) {
          const V one = a.get(k);
          const V two = d.get(half - k);
          to.put(2 * k - 1, one - two);
          to.put(2 * k, one + two);
        }
      }
    }
  }

  template <int Kind>
  void node_transposed(Source<T> from, Place<T> to, std::int64_t n, int depth, T* memory) const {
    if (n <= leaf_) {
      ahead_.template ask<kAtLeaf>();
      return leaf<Kind, true>(axis_, from, to, n, depth, memory);
    }
    const int levels = levels_of(n);
    if (levels == 3) return merge<Kind, 3>(from, to, n, depth, memory);
    if (levels == 2) return merge<Kind, 2>(from, to, n, depth, memory);
    merge<Kind, 1>(from, to, n, depth, memory);
  }

  template <int Kind, int Levels>
  void merge(Source<T> from, Place<T> to, std::int64_t n, int depth, T* memory) const {
    begin<Kind, Levels>(from, memory, memory + n * lanes, n, depth, memory + 2 * n * lanes);
    if (n == kPart << Levels) {
      merge_values<Kind, Levels>(memory, to, kPart << Levels, depth);
    } else {
      merge_values<Kind, Levels>(memory, to, n, depth);
    }
  }

  template <int Kind, int Levels>
  __attribute__((always_inline)) void merge_values(const T* memory, Place<T> to, std::int64_t n, int depth) const {
    constexpr int parts = 1 << Levels;
    const std::int64_t part = n / parts;
    const Rotations<Levels> rotations(axis_, depth);
    for (std::int64_t i = 0; i < part; ++i) {
      std::int64_t at[parts];
      V v[parts];
      ahead_.template ask<kAtSplit>();
#pragma GCC unroll 8
      for (int m = 0; m < parts; ++m) v[m] = loaded_once(load(memory + (m * part + i) * lanes));
      up<Kind, Levels>(v, n, rotations.at, i);
      positions<Levels>(n, i, at);
#pragma GCC unroll 8
      for (int m = 0; m < parts; ++m) to.put(at[m], v[m]);
    }
  }

  template <int Kind, int Levels>
  void begin(Source<T> from, T* t, T* s, std::int64_t n, int depth, T* rest) const {
    if constexpr (Levels == 0) {
      node_transposed<Kind>(from, {t, lanes}, n, depth, rest);
    } else {
      const std::int64_t half = n / 2;
      T* t2 = t + half * lanes;
      T* s2 = s + half * lanes;
      if constexpr (Kind == 2) {
        begin<2, Levels - 1>({from.at, 2 * from.step}, t, s, half, depth + 1, rest);
        begin<4, Levels - 1>({from.at + from.step, 2 * from.step}, t2, s2, half, depth + 1, rest);
      } else {
        T* made = Levels == 1 ? t : s;
        const Place<T> a{made, lanes};
        const Place<T> d{made + half * lanes, lanes};
        a.put(0, from.get(0));
        d.put(0, -from.get(n - 1));
        for (std::int64_t k = 1; k < half; ++k) {
          const V even = from.get(2 * k);
          const V odd = from.get(2 * k - 1);
          a.put(k, even + odd);
          d.put(half - k, even - odd);
        }
        begin<2, Levels - 1>({made, lanes}, t, s, half, depth + 1, rest);
        begin<2, Levels - 1>({made + half * lanes, lanes}, t2, s2, half, depth + 1, rest);
      }
    }
  }

  const DctAxis<T>& axis_;
  T* memory_;
  Ahead& ahead_;
  std::int64_t leaf_;
};

}  // namespace
}  // namespace FORENSIC_LEVEL
}  // namespace forensic
