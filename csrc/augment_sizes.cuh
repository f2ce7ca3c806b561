// What both CUDA files of the augmenter share: border classes and sizes, in code that runs on the device.
#pragma once

#include "cuda_check.cuh"
#include "cuda_launch.h"

namespace forensic::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kTileY = 8;
constexpr int kSpan = 5;  // of two 3 x 3 kernels

// As AxisClasses of fold.h, in code that runs on the device.
struct Axis {
  std::int64_t length, radius, count, first, last;

  __host__ __device__ Axis(std::int64_t n, std::int64_t kernel)
      : length(n),
        radius(kernel / 2),
        count(n < kernel ? n : kernel),
        first(n < kernel ? n : kernel / 2),
        last(n < kernel ? n : n - kernel / 2) {}
  __host__ __device__ std::int64_t class_of(std::int64_t at) const {
    return at < first ? at : at < last ? radius : count - (length - at);
  }
  __host__ __device__ std::int64_t begin(std::int64_t cls) const {
    return cls < first || first == length ? cls : cls == radius ? first : length - (count - cls);
  }
  __host__ __device__ std::int64_t end(std::int64_t cls) const {
    return first < length && cls == radius ? last : begin(cls) + 1;
  }
  __host__ __device__ bool has(std::int64_t cls, std::int64_t offset) const {  // offset in [0, k)
    const std::int64_t at = begin(cls) + offset - radius;
    return at >= 0 && at < length;
  }
};

struct Sizes {
  std::int64_t images, height, width, hidden, kernel, span, terms, entries, sets;
  Axis rows, columns;

  explicit __host__ __device__ Sizes(const AugmentShape& s)
      : images(s.images),
        height(s.height),
        width(s.width),
        hidden(s.hidden),
        kernel(s.kernel),
        span(2 * s.kernel - 1),
        terms(3 * span * span),
        entries(3 * (terms + 1)),
        sets(0),
        rows(s.height, s.kernel),
        columns(s.width, s.kernel) {
    sets = rows.count * columns.count;
  }
};

// Whether the kernels for two 3 x 3 convolutions serve: every class of the border ring has a pixel of its own.
inline bool is_common(const Sizes& s) { return s.span == kSpan && s.height >= kSpan && s.width >= kSpan; }

}  // namespace
}  // namespace forensic::cuda
