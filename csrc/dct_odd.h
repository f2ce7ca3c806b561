// The transforms of an odd length m > 5 as the real DFT of the same length. For dct_kernel.cpp only.
// With names as in dct_line.h, X[f] = sum_t v[t] exp(-2 pi i f t / m), 0 <= f <= (m-1)/2, all indices modulo m, and
// p = 2i+1, q = 2k+1:
//   U2   v[(-1)^i p / 2] = x[i];           y[2f] = (-1)^f Re X[f],  y[m-2f] = -(-1)^f Im X[f]
//   U4   v[(-1)^i p / 8] = x[i] e(p);      sqrt(2) y[k] = e(q m) Re X[q] + g(q m) Im X[q],
//        e(j) = sqrt(2) cos(pi j / 4) and g(j) = sqrt(2) sin(pi j / 4), which are multiplicative for odd j
//   U2 transposed: the transpose of x -> (Re X, Im X) is C of it of C/2, where C joins the pairs (Re - Im, Re + Im) at
//   f
//        and m - f, since C of it is the Hartley transform, which is symmetric
// The real DFT takes the factors of m one after another: a pass with factor p joins transforms of length M,
//   X[k + M q] = sum_j w_Mp^(j k) w_p^(j q) X_j[k],  k <= (M-1)/2, what lies above (Mp-1)/2 from its mirror image.
// A value that is not finite must reach every sum, also those whose factor for it is 0.
// Source: Heideman, "Computation of an odd-length DCT from a real-valued DFT of the same length", 1992, for U2.
#pragma once

#include "dct_kernel.h"
#include "wide.h"

namespace forensic {
namespace FORENSIC_LEVEL {
namespace {

// Element i of a line of registers is `step` elements of memory after element i - 1.
template <typename T>
struct Source {
  const T* at;
  std::int64_t step;
  Wide<T> get(std::int64_t i) const { return load(at + i * step); }
};
template <typename T>
struct Place {
  T* at;
  std::int64_t step;
  Wide<T> get(std::int64_t i) const { return load(at + i * step); }
  void put(std::int64_t i, Wide<T> wide) const { store(at + i * step, wide); }
};

#define FORENSIC_INLINE __attribute__((always_inline)) inline

// The real DFT's input: one or two of the given values, as DctOddForm says.
template <typename T, bool Joined>
struct OddIn {
  Source<T> from;
  const DctOddForm<T>& form;
  Wide<T> get(std::int64_t t) const {
    const std::int64_t* at = form.in + 2 * t;
    const T* factors = form.in_factors + 2 * t;
    const Wide<T> one = from.get(at[0]) * factors[0];
    if constexpr (!Joined) return one;
    return one + from.get(at[1]) * factors[1];
  }
};

// Between the passes: `count` transforms side by side, each as Re 0, Re 1, Im 1, Re 2, ...
template <typename T>
struct OddMiddle {
  T* at;
  std::int64_t count;
  Wide<T> get(std::int64_t i) const { return load(at + i * kLanes<T>); }
  void put_first(std::int64_t r, Wide<T> re) const { store(at + r * kLanes<T>, re); }
  void put(std::int64_t f, std::int64_t r, Wide<T> re, Wide<T> im) const {
    store(at + ((2 * f - 1) * count + r) * kLanes<T>, re);
    store(at + (2 * f * count + r) * kLanes<T>, im);
  }
};

template <typename T, bool Joined>
struct OddOut {
  Place<T> to;
  const DctOddForm<T>& form;
  void put_first(std::int64_t /*r*/, Wide<T> re) const { to.put(form.out[0], re * form.out_factors[0]); }
  void put(std::int64_t f, std::int64_t /*r*/, Wide<T> re, Wide<T> im) const {
    const std::int64_t* at = form.out + 2 * f;
    const T* c = form.out_factors + 4 * f;
    if constexpr (Joined) {
      to.put(at[0], re * c[0] + im * c[1]);
      to.put(at[1], re * c[2] + im * c[3]);
    } else {
      to.put(at[0], re * c[0]);
      to.put(at[1], im * c[3]);
    }
  }
};

template <typename T, int P>
struct OddButterfly {
  using V = Wide<T>;
  static constexpr int half = P / 2;

  // Of P real values: re[0..half], im[1..half].
  static FORENSIC_INLINE void real(const DctOddPass<T>& pass, const V* v, V* re, V* im) {
    V sum[half];
    V difference[half];
    re[0] = v[0];
#pragma GCC unroll 8
    for (int j = 0; j < half; ++j) {
      sum[j] = v[j + 1] + v[P - 1 - j];
      difference[j] = v[P - 1 - j] - v[j + 1];
      re[0] += sum[j];
    }
    const V nothing = v[0] - v[0];
#pragma GCC unroll 8
    for (int q = 1; q <= half; ++q) {
      re[q] = v[0];
      im[q] = nothing;
#pragma GCC unroll 8
      for (int j = 0; j < half; ++j) {
        re[q] += sum[j] * pass.cosines[(j + 1) * q % P];
        im[q] += difference[j] * pass.sines[(j + 1) * q % P];
      }
    }
  }

  // Of P complex values, in place.
  static FORENSIC_INLINE void complex(const DctOddPass<T>& pass, V* re, V* im) {
    V sum_re[half];
    V sum_im[half];
    V difference_re[half];
    V difference_im[half];
    V zero_re = re[0];
    V zero_im = im[0];
#pragma GCC unroll 8
    for (int j = 0; j < half; ++j) {
      sum_re[j] = re[j + 1] + re[P - 1 - j];
      sum_im[j] = im[j + 1] + im[P - 1 - j];
      difference_re[j] = re[j + 1] - re[P - 1 - j];
      difference_im[j] = im[j + 1] - im[P - 1 - j];
      zero_re += sum_re[j];
      zero_im += sum_im[j];
    }
#pragma GCC unroll 8
    for (int q = 1; q <= half; ++q) {
      V even_re = re[0];
      V even_im = im[0];
      V odd_re{};
      V odd_im{};
#pragma GCC unroll 8
      for (int j = 0; j < half; ++j) {
        const T c = pass.cosines[(j + 1) * q % P];
        const T s = pass.sines[(j + 1) * q % P];
        even_re += sum_re[j] * c;
        even_im += sum_im[j] * c;
        odd_re += difference_re[j] * s;
        odd_im += difference_im[j] * s;
      }
      re[q] = even_re + odd_im;
      im[q] = even_im - odd_re;
      re[P - q] = even_re - odd_im;
      im[P - q] = even_im + odd_re;
    }
    re[0] = zero_re;
    im[0] = zero_im;
  }
};

template <int P, typename T, typename From, typename To>
__attribute__((noinline)) void odd_pass_of(const DctOddPass<T>& pass, std::int64_t count, From from, To to) {
  using V = Wide<T>;
  constexpr int half = P / 2;
  const std::int64_t length = pass.length;
  for (std::int64_t r = 0; r < count; ++r) {
    V v[P];
    V re[half + 1];
    V im[half + 1];
#pragma GCC unroll 8
    for (int j = 0; j < P; ++j) v[j] = from.get(r + count * j);
    OddButterfly<T, P>::real(pass, v, re, im);
    to.put_first(r, re[0]);
#pragma GCC unroll 8
    for (int q = 1; q <= half; ++q) to.put(length * q, r, re[q], im[q]);
  }
  const T* twiddles = pass.twiddles;
  for (std::int64_t k = 1; k <= length / 2; ++k, twiddles += 2 * (P - 1)) {
    for (std::int64_t r = 0; r < count; ++r) {
      V re[P];
      V im[P];
#pragma GCC unroll 8
      for (std::int64_t j = 0; j < P; ++j) {
        const V x = from.get(((2 * k - 1) * P + j) * count + r);
        const V y = from.get((2 * k * P + j) * count + r);
        if (j == 0) {
          re[0] = x;
          im[0] = y;
          continue;
        }
        const T c = twiddles[2 * (j - 1)];
        const T s = twiddles[2 * (j - 1) + 1];
        re[j] = x * c + y * s;
        im[j] = y * c - x * s;
      }
      OddButterfly<T, P>::complex(pass, re, im);
#pragma GCC unroll 8
      for (int q = 0; q <= half; ++q) to.put(k + length * q, r, re[q], im[q]);
#pragma GCC unroll 8
      for (int q = half + 1; q < P; ++q) to.put(length * (P - q) - k, r, re[q], -im[q]);
    }
  }
}

// Four sums at a time: sum_i from[i] table[i step_j modulo period], i from `first`.
template <typename T>
inline void four_sums(const T* table, std::int64_t period, const T* from, std::int64_t first, std::int64_t last,
                      std::int64_t step, Wide<T>* sums) {
  std::int64_t at[4];
#pragma GCC unroll 4
  for (std::int64_t j = 0; j < 4; ++j) {
    at[j] = first * (step + j) % period;
    sums[j] = Wide<T>{};
  }
  for (std::int64_t i = first; i < last; ++i) {
    const Wide<T> value = load(from + i * kLanes<T>);
#pragma GCC unroll 4
    for (std::int64_t j = 0; j < 4; ++j) {
      sums[j] += value * table[at[j]];
      at[j] += step + j;
      at[j] -= at[j] >= period ? period : 0;
    }
  }
}

// Any prime, directly: `memory` holds 2 p + 2 registers.
template <typename T, typename From, typename To>
__attribute__((noinline)) void odd_pass_any(const DctOddPass<T>& pass, std::int64_t count, From from, To to,
                                            T* memory) {
  using V = Wide<T>;
  constexpr std::int64_t lanes = kLanes<T>;
  const std::int64_t p = pass.factor;
  const std::int64_t half = p / 2;
  const std::int64_t length = pass.length;
  T* const sum[2] = {memory, memory + (half + 1) * lanes};  // of re, of im
  T* const difference[2] = {memory + 2 * (half + 1) * lanes, memory + 3 * (half + 1) * lanes};
  for (std::int64_t k = 0; k <= length / 2; ++k) {
    const int parts = k == 0 ? 1 : 2;
    for (std::int64_t r = 0; r < count; ++r) {
      const auto get = [&](std::int64_t j, V* z) {
        if (k == 0) {
          z[0] = from.get(r + count * j);
          return;
        }
        const V x = from.get(((2 * k - 1) * p + j) * count + r);
        const V y = from.get((2 * k * p + j) * count + r);
        const T* twiddle = pass.twiddles + 2 * ((k - 1) * (p - 1) + j - 1);
        z[0] = j == 0 ? x : x * twiddle[0] + y * twiddle[1];
        z[1] = j == 0 ? y : y * twiddle[0] - x * twiddle[1];
      };
      V total[2];
      get(0, total);
      for (int part = 0; part < parts; ++part) {
        store(sum[part], total[part]);
        store(difference[part], total[part] - total[part]);  // where it is not finite, neither are the sums of these
      }
      for (std::int64_t j = 1; j <= half; ++j) {
        V one[2];
        V two[2];
        get(j, one);
        get(p - j, two);
        for (int part = 0; part < parts; ++part) {
          store(sum[part] + j * lanes, one[part] + two[part]);
          store(difference[part] + j * lanes, one[part] - two[part]);
          total[part] += one[part] + two[part];
        }
      }
      if (k == 0) {
        to.put_first(r, total[0]);
      } else {
        to.put(k, r, total[0], total[1]);
      }
      for (std::int64_t q = 1; q <= half; q += 4) {
        V even[2][4];
        V odd[2][4];
        for (int part = 0; part < parts; ++part) {
          four_sums(pass.cosines, p, sum[part], 0, half + 1, q, even[part]);
          four_sums(pass.sines, p, difference[part], 0, half + 1, q, odd[part]);
        }
        for (std::int64_t j = 0; j < 4 && q + j <= half; ++j) {
          if (k == 0) {
            to.put(length * (q + j), r, even[0][j], -odd[0][j]);
          } else {
            to.put(k + length * (q + j), r, even[0][j] + odd[1][j], even[1][j] - odd[0][j]);
            to.put(length * (q + j) - k, r, even[0][j] - odd[1][j], -(even[1][j] + odd[0][j]));
          }
        }
      }
    }
  }
}

template <typename T, typename From, typename To>
void odd_pass(const DctOddPass<T>& pass, std::int64_t count, From from, To to, T* memory) {
  switch (pass.factor) {
    case 3:
      return odd_pass_of<3>(pass, count, from, to);
    case 5:
      return odd_pass_of<5>(pass, count, from, to);
    case 7:
      return odd_pass_of<7>(pass, count, from, to);
    default:
      return odd_pass_any(pass, count, from, to, memory);
  }
}

// U2, U4 or the transpose of U2; `memory` holds 4 m + 4 registers, `to` may be `from`.
template <int Kind, bool Transposed, typename T>
void odd_length(const DctOdd<T>& odd, Source<T> from, Place<T> to, std::int64_t m, T* memory) {
  constexpr std::int64_t lanes = kLanes<T>;
  constexpr bool back = Kind == 2 && Transposed;
  const DctOddForm<T>& form = odd.forms[Kind == 4 ? 1 : back ? 2 : 0];
  const OddIn<T, back> in{from, form};
  const OddOut<T, Kind == 4 || back> out{to, form};
  T* a = memory;
  T* b = memory + m * lanes;
  T* rest = memory + 2 * m * lanes;
  std::int64_t count = m;
  std::int64_t pass = 0;
  if (odd.count == 1) {
    for (std::int64_t t = 0; t < m; ++t) store(a + t * lanes, in.get(t));
  } else {
    count /= odd.passes[0].factor;
    odd_pass(odd.passes[0], count, in, OddMiddle<T>{a, count}, rest);
    pass = 1;
  }
  for (; pass + 1 < odd.count; ++pass) {
    count /= odd.passes[pass].factor;
    odd_pass(odd.passes[pass], count, OddMiddle<T>{a, 0}, OddMiddle<T>{b, count}, rest);
    T* swap = a;
    a = b;
    b = swap;
  }
  odd_pass(odd.passes[pass], 1, OddMiddle<T>{a, 0}, out, rest);
}

}  // namespace
}  // namespace FORENSIC_LEVEL
}  // namespace forensic
