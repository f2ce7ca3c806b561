// Passes of batch_norm_leaky over some rows of (P, C), at each level. `sums` are (2, C), overwritten.
#pragma once

#include <cstdint>

#include "bfloat16.h"
#include "levels.h"

namespace forensic {

// Constants of a channel, (C) each: v = x scale + shift.
template <typename A>
struct NormAffine {
  const A* scale;
  const A* shift;
  A slope;
};

FORENSIC_EACH_LEVEL(template <typename S> struct NormPasses {
  using A = Computed<S>;
  // sum of x - center, and of its square
  static void sums(const S* x, std::int64_t rows, std::int64_t channels, const A* center, A* sums);
  // y = leaky(v)
  static void apply(const S* x, std::int64_t rows, std::int64_t channels, const NormAffine<A>& affine, S* y);
  // with g = dy leaky'(v): sum of g, and of g (x - center)
  static void gradient_sums(const S* dy, const S* x, std::int64_t rows, std::int64_t channels,
                            const NormAffine<A>& affine, const A* center, A* sums);
  // d_x = g scale + x along + apart
  static void gradient_apply(const S* dy, const S* x, std::int64_t rows, std::int64_t channels,
                             const NormAffine<A>& affine, const A* along, const A* apart, S* d_x);
};)

}  // namespace forensic
