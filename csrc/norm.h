// batch_norm_leaky: batch norm by the statistics of the batch, then leaky ReLU, and its gradient.
//   in    x (P, C) f32|f64|bf16, contiguous: P = N H W pixels of a channels-last batch; weight, bias (C) f32|f64
//   out   y (P, C); mean, variance (C), the latter divided by P
//   y = leaky((x - mean) / sqrt(variance + eps) weight + bias),  leaky(v) = v > 0 ? v : slope v
//   gradient of dy: g = dy (v > 0 ? 1 : slope),  d_bias = sum g,  d_weight = sum g (x - mean) / sqrt(variance + eps),
//   d_x = weight / sqrt(variance + eps) (g - d_bias / P - (x - mean) / sqrt(variance + eps) d_weight / P)
// Weights, statistics and their gradients are float64 for float64, else float32; bfloat16 is a form of storage only.
// Why: bandwidth decides. Two passes forward and two backward, and nothing is kept but x and what the next layer keeps
// anyway: torch's two modules take three and five. The second pass goes backwards, so that it begins with what the
// first left in the cache. Sums are taken about a first guess of the mean, in blocks whose number does not depend on
// the threads, and joined in float64. Source: Ioffe and Szegedy 2015, Alg. 1; their section 3 for the gradient.  Twin:
// forensic/kernels/reference.py.
#pragma once

#include <cstdint>

#include "bfloat16.h"

namespace forensic {

template <typename S>
struct NormOptions {
  Computed<S> eps, slope;
};

template <typename S>
void batch_norm_leaky(std::int64_t pixels, std::int64_t channels, const S* x, const Computed<S>* weight,
                      const Computed<S>* bias, const NormOptions<S>& options, S* y, Computed<S>* mean,
                      Computed<S>* variance, int threads);

template <typename S>
void batch_norm_leaky_gradient(std::int64_t pixels, std::int64_t channels, const S* dy, const S* x,
                               const Computed<S>* mean, const Computed<S>* variance, const Computed<S>* weight,
                               const Computed<S>* bias, const NormOptions<S>& options, S* d_x, Computed<S>* d_weight,
                               Computed<S>* d_bias, int threads);

}  // namespace forensic
