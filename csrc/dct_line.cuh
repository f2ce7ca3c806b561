// DCT-II, its transpose and DCT-IV of one line in the registers of one thread; formulas as in dct_line.h, without scale
// factors. Everything is written out by the compiler, so N stays where registers last: up to 128 floats.
#pragma once

namespace forensic::cuda {

// cos(a) and sin(a) for 0 <= a <= pi / 2, to the last bits of a double; the standard's own are not constexpr.
constexpr double series(double a, double first, int from) {
  double sum = first, term = first;
  for (int n = from; n < from + 40; n += 2) {
    term *= -a * a / (n * (n + 1.0));
    sum += term;
  }
  return sum;
}
constexpr double cosine(double a) { return series(a, 1.0, 1); }
constexpr double sine(double a) { return series(a, a, 2); }

constexpr int kLongestLine = 128;
constexpr double kPi = 3.14159265358979323846;

// cos phi_i and sin phi_i for lines of 2, 4, ... 128 values, one length after the other: that of n begins at n/2 - 1.
template <typename T>
struct Rotations {
  T cosines[kLongestLine - 1] = {};
  T sines[kLongestLine - 1] = {};

  constexpr Rotations() {
    for (int n = 2; n <= kLongestLine; n *= 2) {
      for (int i = 0; i < n / 2; ++i) {
        cosines[n / 2 - 1 + i] = static_cast<T>(cosine(kPi * (2 * i + 1) / (4 * n)));
        sines[n / 2 - 1 + i] = static_cast<T>(sine(kPi * (2 * i + 1) / (4 * n)));
      }
    }
  }
};

// In constant memory a factor is an operand of the instruction that uses it.
__constant__ constexpr Rotations<float> kRotationsOfFloat;
__constant__ constexpr Rotations<double> kRotationsOfDouble;

template <typename T>
__device__ __forceinline__ const Rotations<T>& rotations();
template <>
__device__ __forceinline__ const Rotations<float>& rotations<float>() {
  return kRotationsOfFloat;
}
template <>
__device__ __forceinline__ const Rotations<double>& rotations<double>() {
  return kRotationsOfDouble;
}

// In place; x has N values, N a power of two.
template <typename T, int N>
struct Line {
  static constexpr int half = N / 2;
  using Half = Line<T, half>;

  static __device__ __forceinline__ void u2(T* x) {
    T even[half], odd[half];
#pragma unroll
    for (int i = 0; i < half; ++i) {
      even[i] = x[i] + x[N - 1 - i];
      odd[i] = x[i] - x[N - 1 - i];
    }
    Half::u2(even);
    Half::u4(odd);
#pragma unroll
    for (int k = 0; k < half; ++k) {
      x[2 * k] = even[k];
      x[2 * k + 1] = odd[k];
    }
  }

  static __device__ __forceinline__ void u4(T* x) {
    T a[half], d[half];
#pragma unroll
    for (int i = 0; i < half; ++i) {
      const T c = rotations<T>().cosines[half - 1 + i], s = rotations<T>().sines[half - 1 + i];
      a[i] = x[i] * c + x[N - 1 - i] * s;
      d[i] = i % 2 != 0 ? x[i] * s - x[N - 1 - i] * c : x[N - 1 - i] * c - x[i] * s;
    }
    Half::u2(a);
    Half::u2(d);
    x[0] = a[0];
    x[N - 1] = -d[0];
#pragma unroll
    for (int k = 1; k < half; ++k) {
      x[2 * k - 1] = a[k] - d[half - k];
      x[2 * k] = a[k] + d[half - k];
    }
  }

  static __device__ __forceinline__ void u2_transposed(T* x) {
    T even[half], odd[half];
#pragma unroll
    for (int k = 0; k < half; ++k) {
      even[k] = x[2 * k];
      odd[k] = x[2 * k + 1];
    }
    Half::u2_transposed(even);
    Half::u4(odd);
#pragma unroll
    for (int i = 0; i < half; ++i) {
      x[i] = even[i] + odd[i];
      x[N - 1 - i] = even[i] - odd[i];
    }
  }
};

template <typename T>
struct Line<T, 1> {
  static __device__ __forceinline__ void u2(T*) {}
  static __device__ __forceinline__ void u4(T* x) { x[0] *= static_cast<T>(0.70710678118654752440); }
  static __device__ __forceinline__ void u2_transposed(T*) {}
};

}  // namespace forensic::cuda
