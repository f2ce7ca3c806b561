// Dft: the complex transform of one line of registers, lanes apart. For radial_kernel.cpp only.
// Stockham: each pass takes a factor p off the length n and leaves s = product of those taken interleaved,
//   y[q + s (p k + r)] = w_n^(k r) sum_j w_p^(j r) x[q + s (k + m j)],  m = n / p, k < m, q < s,
// so that the output is in order without a bit reversal. Up to 8 values meet in registers.
#pragma once

#include "radial_kernel.h"
#include "wide.h"

namespace forensic {
namespace FORENSIC_LEVEL {
namespace {

#define FORENSIC_INLINE __attribute__((always_inline)) inline

template <typename T>
struct Complex {
  Wide<T> re, im;
};

// Element i of a line: a register of real parts, then one of imaginary parts.
template <typename T>
struct Line {
  T* at;
  Complex<T> get(std::int64_t i) const { return {load(at + 2 * i * kLanes<T>), load(at + (2 * i + 1) * kLanes<T>)}; }
  void put(std::int64_t i, Complex<T> z) const {
    store(at + 2 * i * kLanes<T>, z.re);
    store(at + (2 * i + 1) * kLanes<T>, z.im);
  }
};

// Two sets of real columns as one of complex numbers.
template <typename T>
struct Columns {
  const T* at;
  std::int64_t row_stride;
  Complex<T> get(std::int64_t i) const {
    const T* row = at + i * row_stride;
    return {load(row), load(row + kLanes<T>)};
  }
};

// Keeps |z|^2 alone: a register an element.
template <typename T>
struct Power {
  T* at;
  void put(std::int64_t i, Complex<T> z) const { store(at + i * kLanes<T>, z.re * z.re + z.im * z.im); }
};

// The transform of P values in registers.
template <typename T, int P>
struct Butterfly {  // P odd: sums and differences of the values j and P - j
  using V = Wide<T>;
  static FORENSIC_INLINE void run(V* re, V* im, const T* roots) {
    constexpr int half = P / 2;
    V sum_re[half], sum_im[half], difference_re[half], difference_im[half];
    V zero_re = re[0];
    V zero_im = im[0];
#pragma GCC unroll 8
    for (std::int64_t j = 0; j < half; ++j) {
      sum_re[j] = re[j + 1] + re[P - 1 - j];
      sum_im[j] = im[j + 1] + im[P - 1 - j];
      difference_re[j] = re[j + 1] - re[P - 1 - j];
      difference_im[j] = im[j + 1] - im[P - 1 - j];
      zero_re += sum_re[j];
      zero_im += sum_im[j];
    }
#pragma GCC unroll 8
    for (std::int64_t r = 1; r <= half; ++r) {
      V even_re = re[0];
      V even_im = im[0];
      V odd_re{};
      V odd_im{};
#pragma GCC unroll 8
      for (std::int64_t j = 0; j < half; ++j) {
        const T c = roots[2 * ((j + 1) * r % P)];
        const T s = roots[2 * ((j + 1) * r % P) + 1];
        even_re += sum_re[j] * c;
        even_im += sum_im[j] * c;
        odd_re += difference_re[j] * s;
        odd_im += difference_im[j] * s;
      }
      re[r] = even_re - odd_im;
      im[r] = even_im + odd_re;
      re[P - r] = even_re + odd_im;
      im[P - r] = even_im - odd_re;
      if (r < half) continue;
      re[0] = zero_re;
      im[0] = zero_im;
    }
  }
};

template <typename T>
struct Butterfly<T, 2> {
  using V = Wide<T>;
  static FORENSIC_INLINE void run(V* re, V* im, const T* /*roots*/) {
    const V one_re = re[1];
    const V one_im = im[1];
    re[1] = re[0] - one_re;
    im[1] = im[0] - one_im;
    re[0] += one_re;
    im[0] += one_im;
  }
};

template <typename T>
struct Butterfly<T, 4> {
  using V = Wide<T>;
  static FORENSIC_INLINE void run(V* re, V* im, const T* /*roots*/) {
    const V sum_re = re[0] + re[2];
    const V sum_im = im[0] + im[2];
    const V difference_re = re[0] - re[2];
    const V difference_im = im[0] - im[2];
    const V other_re = re[1] + re[3];
    const V other_im = im[1] + im[3];
    const V turned_re = im[1] - im[3];  // -i times the difference
    const V turned_im = re[3] - re[1];
    re[0] = sum_re + other_re;
    im[0] = sum_im + other_im;
    re[1] = difference_re + turned_re;
    im[1] = difference_im + turned_im;
    re[2] = sum_re - other_re;
    im[2] = sum_im - other_im;
    re[3] = difference_re - turned_re;
    im[3] = difference_im - turned_im;
  }
};

template <typename T>
struct Butterfly<T, 8> {
  using V = Wide<T>;
  static FORENSIC_INLINE void run(V* re, V* im, const T* /*roots*/) {
    const T root = static_cast<T>(0.70710678118654752440);
    V even_re[4] = {re[0], re[2], re[4], re[6]};
    V even_im[4] = {im[0], im[2], im[4], im[6]};
    V odd_re[4] = {re[1], re[3], re[5], re[7]};
    V odd_im[4] = {im[1], im[3], im[5], im[7]};
    Butterfly<T, 4>::run(even_re, even_im, nullptr);
    Butterfly<T, 4>::run(odd_re, odd_im, nullptr);
    const V turned_re[4] = {odd_re[0], (odd_re[1] + odd_im[1]) * root, odd_im[2], (odd_im[3] - odd_re[3]) * root};
    const V turned_im[4] = {odd_im[0], (odd_im[1] - odd_re[1]) * root, -odd_re[2], (odd_re[3] + odd_im[3]) * -root};
#pragma GCC unroll 4
    for (std::int64_t r = 0; r < 4; ++r) {
      re[r] = even_re[r] + turned_re[r];
      im[r] = even_im[r] + turned_im[r];
      re[r + 4] = even_re[r] - turned_re[r];
      im[r + 4] = even_im[r] - turned_im[r];
    }
  }
};

// Group (k, q) of a pass: `Turned` where k > 0 has twiddles.
template <int P, bool Turned, typename T, typename From, typename To>
FORENSIC_INLINE void group(const DftPass<T>& pass, From from, To to, std::int64_t first, std::int64_t step,
                           std::int64_t target, const T* twiddles) {
  Wide<T> re[P];
  Wide<T> im[P];
#pragma GCC unroll 8
  for (std::int64_t j = 0; j < P; ++j) {
    const Complex<T> z = from.get(first + j * step);
    re[j] = z.re;
    im[j] = z.im;
  }
  Butterfly<T, P>::run(re, im, pass.roots);
  to.put(target, Complex<T>{re[0], im[0]});
#pragma GCC unroll 8
  for (std::int64_t r = 1; r < P; ++r) {
    if constexpr (Turned) {
      const T c = twiddles[2 * (r - 1)];
      const T s = twiddles[2 * (r - 1) + 1];
      to.put(target + r * pass.stride, Complex<T>{re[r] * c - im[r] * s, re[r] * s + im[r] * c});
    } else {
      to.put(target + r * pass.stride, Complex<T>{re[r], im[r]});
    }
  }
}

template <int P, typename T, typename From, typename To>
__attribute__((noinline)) void pass_of(const DftPass<T>& pass, From from, To to) {
  const std::int64_t s = pass.stride;
  const std::int64_t m = pass.length / P;
  for (std::int64_t q = 0; q < s; ++q) group<P, false>(pass, from, to, q, s * m, q, pass.twiddles);
  for (std::int64_t k = 1; k < m; ++k) {
    const T* twiddles = pass.twiddles + 2 * k * (P - 1);
    for (std::int64_t q = 0; q < s; ++q) {
      group<P, true>(pass, from, to, q + s * k, s * m, q + s * P * k, twiddles);
    }
  }
}

template <typename T, typename From, typename To>
__attribute__((noinline)) void pass_any(const DftPass<T>& pass, From from, To to) {
  const std::int64_t p = pass.factor;
  const std::int64_t s = pass.stride;
  const std::int64_t m = pass.length / p;
  for (std::int64_t k = 0; k < m; ++k) {
    for (std::int64_t q = 0; q < s; ++q) {
      for (std::int64_t r = 0; r < p; ++r) {
        Complex<T> sum{};
        std::int64_t root = 0;  // j r modulo p
        for (std::int64_t j = 0; j < p; ++j) {
          const Complex<T> z = from.get(q + s * (k + m * j));
          const T c = pass.roots[2 * root];
          const T d = pass.roots[2 * root + 1];
          sum.re += z.re * c - z.im * d;
          sum.im += z.re * d + z.im * c;
          root += r;
          root -= root >= p ? p : 0;
        }
        if (r > 0) {
          const T c = pass.twiddles[2 * ((p - 1) * k + r - 1)];
          const T d = pass.twiddles[2 * ((p - 1) * k + r - 1) + 1];
          sum = {sum.re * c - sum.im * d, sum.re * d + sum.im * c};
        }
        to.put(q + s * (p * k + r), sum);
      }
    }
  }
}

template <typename T>
class Dft {
 public:
  explicit Dft(const DftAxis<T>& axis) : axis_(axis) {}

  // By way of the lines a and b, of n elements each. `to` may be at result(a, b), `from` at neither.
  template <typename From, typename To>
  void forward(From from, T* a, T* b, To to) const {
    if (axis_.count == 1) return one(axis_.passes[0], from, to);
    one(axis_.passes[0], from, Line<T>{a});
    for (std::int64_t i = 1; i + 1 < axis_.count; ++i) {
      one(axis_.passes[i], Line<T>{a}, Line<T>{b});
      T* swap = a;
      a = b;
      b = swap;
    }
    one(axis_.passes[axis_.count - 1], Line<T>{a}, to);
  }
  T* result(T* a, T* b) const { return axis_.count % 2 == 0 ? b : a; }

 private:
  template <typename From, typename To>
  void one(const DftPass<T>& pass, From from, To to) const {
    switch (pass.factor) {
      case 2:
        return pass_of<2>(pass, from, to);
      case 3:
        return pass_of<3>(pass, from, to);
      case 4:
        return pass_of<4>(pass, from, to);
      case 5:
        return pass_of<5>(pass, from, to);
      case 8:
        return pass_of<8>(pass, from, to);
      default:
        return pass_any(pass, from, to);
    }
  }

  const DftAxis<T>& axis_;
};

}  // namespace
}  // namespace FORENSIC_LEVEL
}  // namespace forensic
