// batch_hard_triplet: for each anchor the farthest embedding of its class and the nearest of another.
//   in    z (N, D) f32|f64, any strides; labels (N) i64, any values
//   out   loss (1); gradient (N, D) of the loss, contiguous, where asked
//   d(i, j) = sqrt(max(|z_i|^2 + |z_j|^2 - 2 z_i.z_j, 1e-12)), d(i, i) = 1e-6; `squared` leaves the root out
//   ap_i = max of d over i's class, i included; an_i = min of d over the others, +inf without any
//   loss = mean or sum over i of max(0, ap_i - an_i + margin); 0 for an empty batch
//   gradient: what the clamp at 1e-12 holds and d(i, i) pass none; a hinge of exactly 0 passes; a maximum or minimum
//   that t entries reach gives each 1/t. A NaN among the compared distances makes the loss and the whole gradient NaN.
// Equal rows are at distance exactly 1e-6 of each other: norms and products are summed in the same order.
// Why: rows are sorted by class, so positives are one range and negatives two, without masks. Up to 1,024 rows all gaps
// (squared distances) are kept, and only one triangle of them is computed, since the other has the same bits; beyond,
// each panel of anchors meets all rows in a strip of its own, and no (N, N) matrix is written. The gradient is a sum
// over the few chosen pairs; where ties choose many, gaps are looked through again instead of listing the pairs.
// Source: Hermans et al. 2017, "batch hard"; POSE (CVPR 2023), Eq. 5.  Twin: forensic/kernels/reference.py.
#pragma once

#include <cstdint>

namespace forensic {

struct TripletOptions {
  double margin;
  bool squared;
  bool mean;  // false: sum
};

// `gradient` may be null. Throws nothing but std::bad_alloc.
template <typename T>
void batch_hard_triplet(std::int64_t rows, std::int64_t width, const T* z, std::int64_t row_stride,
                        std::int64_t column_stride, const std::int64_t* labels, std::int64_t label_stride,
                        const TripletOptions& options, T* loss, T* gradient, int threads);

}  // namespace forensic
