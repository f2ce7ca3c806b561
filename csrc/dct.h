// dct2, idct2: orthonormal DCT-II over the last two axes of a stack of planes, and its inverse.
//   in   x (P, H, W) f32|f64, any strides        out  y (P, H, W), contiguous
//   y[k, l] = s_k s_l sum_i sum_j x[i, j] cos(pi (2i+1) k / 2H) cos(pi (2j+1) l / 2W),  s_0 = sqrt(1/N), s_k =
//   sqrt(2/N) A NaN or an infinity makes its whole plane non-finite and leaves the other planes alone.
// Why it is fast: a transform of length n is one of length n/2 and a DCT-IV of length n/2, which is a rotation of pairs
//   and two more DCT-IIs of length n/4: adds and rotations only, hence as stable as the orthogonal matrix itself, and
//   about 1.5 n log2 n operations. Three levels of that at a time are done in registers, then 16 points in registers,
//   so that each value is stored three times an axis. On the way the lines of memory that come next are asked for. The
//   odd part of the length is a real DFT of that length (dct_odd.h), fast where its prime factors are small. Lanes of a
//   register are columns, then rows; squares are transposed on the way in and out, and the scale is one product on that
//   way.
// Source: Plonka, Tasche, "Fast and numerically stable algorithms for discrete cosine transforms", 2005, re-derived in
//   dct_line.h.  Twin: forensic/kernels/reference.py, dct2 and idct2.
#pragma once

#include "tensor.h"

namespace forensic {

template <typename T>
void dct2(const TensorView<const T, 3>& x, const TensorView<T, 3>& y, bool inverse, int threads);

// dct2_log: (log(|dct2(x)| + epsilon) - mean) / std in the same pass; plane p of x meets plane p % M of mean and std.
//   in   x (P, H, W), any strides; mean, std (M, H, W), contiguous; g (P, H, W), contiguous    out  y (P, H, W)
//   With g, the gradient with respect to y, comes the gradient with respect to x instead: with c = dct2(x),
//   idct2(g sign(c) / ((|c| + epsilon) std)), plane by plane while it is in the cache.
//   The logarithm is at most 2 ulp off (wide_log.h).
// Twin: forensic/kernels/reference.py, dct2_log and dct2_log_gradient.
template <typename T>
struct DctStatistics {
  TensorView<const T, 3> mean, std;
  T epsilon;
};

template <typename T>
void dct2_log(const TensorView<const T, 3>& x, const DctStatistics<T>& statistics,
              const TensorView<const T, 3>* gradient, const TensorView<T, 3>& y, int threads);

}  // namespace forensic
