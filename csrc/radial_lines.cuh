// The DFT of complex lines by a block of threads, for radial.cu: Stockham's passes, as in radial_dft.h. Factors of 4
// and 2 in registers, other primes p by p products a value. Lines stand in shared memory, long ones in device memory.
#pragma once

#include "cuda_check.cuh"

namespace forensic::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kLinesBytes = 16 * 1024;  // of the lines of a block; their passes take as much again
constexpr int kMostShared = 48 * 1024;  // what a block gets without asking

template <typename T>
struct alignas(2 * sizeof(T)) Complex {
  T re, im;
};

template <typename T>
__device__ __forceinline__ Complex<T> operator+(Complex<T> a, Complex<T> b) {
  return {a.re + b.re, a.im + b.im};
}
template <typename T>
__device__ __forceinline__ Complex<T> operator-(Complex<T> a, Complex<T> b) {
  return {a.re - b.re, a.im - b.im};
}
template <typename T>
__device__ __forceinline__ Complex<T> operator*(Complex<T> a, Complex<T> b) {
  return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}
template <typename T>
__device__ __forceinline__ Complex<T> turned(Complex<T> a) {  // -i a
  return {a.im, -a.re};
}

// Lines of n values that a block has in hand.
template <typename T>
__host__ __device__ int together(int n) {
  const int most = kLinesBytes / static_cast<int>(sizeof(Complex<T>));
  return n < most ? most / n : 1;
}

// roots[j] = exp(-2 pi i j / n)
template <typename T>
__global__ void make_roots(int n, Complex<T>* roots) {
  for (std::int64_t j = first_item(); j < n; j += item_step()) {
    const double angle = 2.0 * static_cast<double>(j) / static_cast<double>(n);
    roots[j] = {static_cast<T>(cospi(angle)), static_cast<T>(-sinpi(angle))};
  }
}

// A pass that takes `factor` off the length n and leaves stride * factor results interleaved, as in radial_dft.h:
//   to[q + s (p k + r)] = sum_j w_n^(s r (k + m j)) from[q + s (k + m j)],  m = n / (s p)
// For p of 4 and 2 a thread makes the p values of one (k, q), else one value.
template <typename T>
__device__ void pass_of_four(int n, int lines, int stride, const Complex<T>* __restrict__ roots, const Complex<T>* from,
                             Complex<T>* to) {
  const int quarter = n / 4;
  for (int item = static_cast<int>(threadIdx.x); item < lines * quarter; item += kThreads) {
    const int line = item / quarter, group = item % quarter;  // group = q + s k
    const int q = group % stride, turn = group - q;           // turn = s k
    const Complex<T>* x = from + line * n + group;
    Complex<T>* y = to + line * n + 4 * turn + q;
    const Complex<T> even = x[0] + x[2 * quarter], other_even = x[0] - x[2 * quarter];
    const Complex<T> odd = x[quarter] + x[3 * quarter], other_odd = turned(x[quarter] - x[3 * quarter]);
    y[0] = even + odd;
    y[stride] = (other_even + other_odd) * roots[turn];
    y[2 * stride] = (even - odd) * roots[2 * turn];
    y[3 * stride] = (other_even - other_odd) * roots[3 * turn];
  }
}

template <typename T>
__device__ void pass_of_two(int n, int lines, int stride, const Complex<T>* __restrict__ roots, const Complex<T>* from,
                            Complex<T>* to) {
  const int half = n / 2;
  for (int item = static_cast<int>(threadIdx.x); item < lines * half; item += kThreads) {
    const int line = item / half, group = item % half, q = group % stride, turn = group - q;
    const Complex<T>* x = from + line * n + group;
    Complex<T>* y = to + line * n + 2 * turn + q;
    y[0] = x[0] + x[half];
    y[stride] = (x[0] - x[half]) * roots[turn];
  }
}

template <typename T>
__device__ void pass_of_any(int n, int lines, int stride, int factor, const Complex<T>* __restrict__ roots,
                            const Complex<T>* from, Complex<T>* to) {
  const int apart = n / factor;
  for (int item = static_cast<int>(threadIdx.x); item < lines * n; item += kThreads) {
    const int line = item / n, place = item % n, q = place % stride, r = place / stride % factor;
    const int turn = place / stride / factor * stride;  // s k
    const Complex<T>* x = from + line * n + turn + q;
    int root = r * turn;  // s r (k + m j) modulo n
    Complex<T> sum{T(0), T(0)};
    for (int j = 0; j < factor; ++j) {
      sum = sum + x[j * apart] * roots[root];
      root += r * apart;
      root -= root >= n ? n : 0;
    }
    to[item] = sum;
  }
}

__device__ int least_factor(int n) {  // of an odd length
  for (int factor = 3; factor * factor <= n; factor += 2) {
    if (n % factor == 0) return factor;
  }
  return n;
}

// The DFT of each of the lines in a, by way of b; gives the one that it ends up in. All threads of the block call it
// after a barrier, and find the result behind one.
template <typename T>
__device__ Complex<T>* transform(int n, int lines, const Complex<T>* roots, Complex<T>* a, Complex<T>* b) {
  int factor = 1;
  for (int stride = 1; stride < n; stride *= factor) {
    const int left = n / stride;
    if (left % 4 == 0) {
      factor = 4;
      pass_of_four(n, lines, stride, roots, a, b);
    } else if (left % 2 == 0) {
      factor = 2;
      pass_of_two(n, lines, stride, roots, a, b);
    } else {
      factor = least_factor(left);
      pass_of_any(n, lines, stride, factor, roots, a, b);
    }
    __syncthreads();
    Complex<T>* swap = a;
    a = b;
    b = swap;
  }
  return a;
}

// Whether a line of n values is long.
template <typename T>
bool is_long(int n) {
  return 2 * n * static_cast<int>(sizeof(Complex<T>)) > kMostShared;
}

// What a block needs for its lines, in bytes.
template <typename T>
std::size_t lines_bytes(int n) {
  return 2 * static_cast<std::size_t>(together<T>(n) * n) * sizeof(Complex<T>);
}

// Two sets of lines of n values: in shared memory, or long ones in the block's part of `far`.
template <typename T, bool Long>
struct Buffers {
  Complex<T>*a, *b;

  __device__ Buffers(int n, Complex<T>* far) {
    const int size = together<T>(n) * n;
    if constexpr (Long) {
      a = far + static_cast<std::int64_t>(blockIdx.x) * 2 * size;
    } else {
      extern __shared__ __align__(16) unsigned char memory[];
      a = reinterpret_cast<Complex<T>*>(memory);
    }
    b = a + size;
  }
};

}  // namespace
}  // namespace forensic::cuda
