// augment: two convolutions with zero padding and nothing between them, folded into one linear map.
//   in    x (N, 3, H, W) f32|f64, any strides; w1 (C, 3, k, k), b1 (C), w2 (3, C, k, k), b2 (3), k odd, contiguous
//   out   y (N, 3, H, W), contiguous
//   h = w1 * x + b1 inside the image, 0 outside;  y = w2 * h + b2
//   y(p) = b_S + sum over (i, d) of K_S[o, i, d] x_i(p + d), x zero outside, |d| <= k - 1 in each axis, where S is the
//   set of offsets e of w2 with p + e inside the image: it depends on how far p is from each edge, up to k // 2, so
//   rows and columns fall into min(H, k) and min(W, k) classes. K_S[o, i, d] = sum_{e in S} sum_c w2[o, c, e] w1[c, i,
//   d - e],   b_S[o] = b2[o] + sum_{e in S} sum_c w2[o, c, e] b1[c]
// Why: 9 (2k-1)^2 multiply-adds a pixel instead of 6 C k^2, and the C hidden channels are never written.
// Exact but for rounding: K_S and b_S are summed in float64 and rounded once.
// Several augmenters on one batch: each has the bits that it has alone; rows of x are read and given their border once.
// Source: design of the augmenter in POSE (CVPR 2023), section 3.2.  Twin: forensic/kernels/reference.py, augment.
#pragma once

#include <cstddef>
#include <cstdint>

namespace forensic {

inline constexpr int kImageChannels = 3;

struct AugmentShape {
  std::int64_t images;          // N
  std::int64_t height;          // H
  std::int64_t width;           // W
  std::int64_t hidden;          // C
  std::int64_t kernel;          // k, odd
  std::int64_t augmenters = 1;  // A: with several, weights and outputs have a leading axis of that length
};

// Strides of an image batch (N, 3, H, W), or (A, N, 3, H, W), in elements.
struct ImageStrides {
  std::int64_t image, channel, row, column, augmenter = 0;
};

template <typename T>
struct AugmentWeights {
  const T* w1;  // (C, 3, k, k)
  const T* b1;  // (C)
  const T* w2;  // (3, C, k, k)
  const T* b2;  // (3)
};

// The weights of augmenter `a` alone.
template <typename T>
AugmentWeights<T> weights_of(const AugmentShape& shape, const AugmentWeights<T>& all, std::int64_t a) {
  const std::int64_t inner = a * shape.hidden * kImageChannels * shape.kernel * shape.kernel;
  return {all.w1 + inner, all.b1 + a * shape.hidden, all.w2 + inner, all.b2 + a * kImageChannels};
}

// y (N, 3, H, W), or (A, N, 3, H, W), contiguous.
template <typename T>
void augment_forward(const AugmentShape& shape, const T* x, const ImageStrides& x_strides,
                     const AugmentWeights<T>& weights, T* y, int threads);

// d_x (N, 3, H, W) contiguous, from g (N, 3, H, W): the adjoint is again two convolutions with the same zero padding,
// first w2 then w1, each transposed and flipped, so it is the folded map of those with no bias. g (A, N, 3, H, W) of
// several augmenters: the sum of their gradients, added up in their order.
template <typename T>
void augment_input_gradient(const AugmentShape& shape, const T* g, const ImageStrides& g_strides,
                            const AugmentWeights<T>& weights, T* d_x, int threads);

// Gradients of the four weight tensors, each in its own shape.
//   G_S[o, i, d] = sum_{p in S} g_o(p) x_i(p + d),  g_S[o] = sum_{p in S} g_o(p): float32 in blocks, blocks in float64,
//   always in the same order, whatever the number of threads; the chain rule through K_S and b_S in float64.
template <typename T>
void augment_weight_gradients(const AugmentShape& shape, const T* x, const ImageStrides& x_strides, const T* g,
                              const ImageStrides& g_strides, const AugmentWeights<T>& weights, T* d_w1, T* d_b1,
                              T* d_w2, T* d_b2, int threads);

}  // namespace forensic
