#include "dct.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numbers>
#include <vector>

#include "dct_kernel.h"
#include "dct_tables.h"
#include "dispatch.h"
#include "parallel.h"
#include "scratch.h"

namespace forensic {

namespace {

constexpr std::int64_t kWorth = 1 << 12;   // elements that are worth a thread of their own
constexpr std::int64_t kShared = 1 << 14;  // elements of a plane that is worth more than one thread
constexpr std::int64_t kSharedLines = 64;  // columns or rows of a block then; a multiple of kDctBlock
constexpr std::int64_t kTogether = 8;  // planes that one thread makes in turn, so that it fetches the next one ahead
constexpr std::int64_t kTurns = 4;     // at least so often a thread comes back for more, if there are planes enough

// Elements that x begins behind the beginning of a cache line; the plane between the axes does too, and so columns lie
// in lines there as they do in x.
template <typename T>
std::int64_t behind_a_line(const T* x) {
  return static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(x) / sizeof(T)) % kDctBlock<T>;
}

// What the planes of one call have in common.
template <typename T>
class Stack {
 public:
  Stack(std::int64_t height, std::int64_t width)
      : height_(height),
        width_(width),
        vertical_(dct_tables_of<T>(height)),
        horizontal_(dct_tables_of<T>(width)),
        scale_(static_cast<T>(2.0 / std::sqrt(static_cast<double>(height) * static_cast<double>(width)))) {}

  // `log_of(plane)`: what becomes of the coefficients of that plane. `back`: of what they became, the inverse.
  template <typename LogOf>
  void transform(const TensorView<const T, 3>& x, T* y, bool inverse, bool back, LogOf log_of, int most_threads) const {
    const std::int64_t planes = x.shape[0];
    const std::int64_t worth = planes * height_ * width_ / kWorth + 1;
    const int threads = static_cast<int>(std::min<std::int64_t>(most_threads, worth));
    const auto plane_of = [&](std::int64_t index, T* middle) {
      T* to = y + index * height_ * width_;
      const T* from = x.data + index * x.stride[0];
      T* between = middle + behind_a_line(from);
      return DctPlane<T>{from,   nullptr, x.stride[1], x.stride[2], to,      vertical_->axis(), horizontal_->axis(),
                         scale_, kFirst,  between,     pitch_,      inverse, log_of(index)};
    };
    if (planes >= threads || height_ * width_ < kShared) {
      const std::int64_t together = std::clamp<std::int64_t>(planes / (kTurns * threads), 1, kTogether);
      for_each_block(threads, (planes + together - 1) / together, [&](std::int64_t block) {
        T* memory = Scratch::of<T>(static_cast<std::size_t>(middle_ + line_));
        const std::int64_t end = std::min(planes, (block + 1) * together);
        for (std::int64_t index = block * together; index < end; ++index) {
          DctPlane<T> plane = plane_of(index, memory + line_);
          if (index + 1 < end) plane.next = plane.x + x.stride[0];
          both_axes(plane, memory);
          if (back) both_axes(turned(plane), memory);
        }
      });
      return;
    }
    // fewer planes than threads: blocks of columns, then blocks of rows
    const AlignedMemory<T> middle(static_cast<std::size_t>(planes * middle_));
    const auto axis = [&](bool across, bool again) {
      const std::int64_t length = across ? height_ : width_;
      const std::int64_t blocks = (length + kSharedLines - 1) / kSharedLines;
      for_each_block(threads, planes * blocks, [&](std::int64_t block) {
        T* memory = Scratch::of<T>(static_cast<std::size_t>(line_));
        const std::int64_t index = block / blocks;
        const std::int64_t first = block % blocks * kSharedLines;
        const std::int64_t last = std::min(first + kSharedLines, length);
        const DctPlane<T> plane = plane_of(index, middle.data() + index * middle_);
        (across ? rows_ : columns_)(again ? turned(plane) : plane, first, last, memory);
      });
    };
    for (const bool again : {false, true}) {
      if (again && !back) break;
      axis(false, again);
      axis(true, again);
    }
  }

 private:
  using Pass = void (*)(const DctPlane<T>&, std::int64_t, std::int64_t, T*);

  static constexpr T kFirst = static_cast<T>(1.0 / std::numbers::sqrt2);

  void both_axes(const DctPlane<T>& plane, T* memory) const {
    columns_(plane, 0, width_, memory);
    rows_(plane, 0, height_, memory);
  }

  // The inverse of what this plane became, in place.
  DctPlane<T> turned(DctPlane<T> plane) const {
    plane.middle += behind_a_line(plane.y) - behind_a_line(plane.x);
    plane.x = plane.y;
    plane.next = nullptr;  // it has other strides
    plane.row_stride = width_;
    plane.column_stride = 1;
    plane.inverse = true;
    plane.log = {};
    return plane;
  }

  std::int64_t height_, width_;
  std::shared_ptr<const DctTables<T>> vertical_, horizontal_;
  T scale_;
  Pass columns_ = FORENSIC_AT_LEVEL(dct_columns<T>);
  Pass rows_ = FORENSIC_AT_LEVEL(dct_rows<T>);
  std::int64_t pitch_ = dct_pitch<T>(width_);
  std::int64_t middle_ = height_ * pitch_ + kDctBlock<T>;  // the plane between the axes, wherever in a line it begins
  std::int64_t line_ = dct_line_size<T>(height_, width_);
};

template <typename T>
void check_output(const TensorView<const T, 3>& x, const TensorView<T, 3>& y) {
  check_same_shape(x, "x", y, "y");
  FORENSIC_CHECK(y.contiguous(), "y: expected a contiguous tensor");
}

}  // namespace

template <typename T>
void dct2(const TensorView<const T, 3>& x, const TensorView<T, 3>& y, bool inverse, int threads) {
  check_output(x, y);
  if (x.size() == 0) return;
  const Stack<T> stack(x.shape[1], x.shape[2]);
  stack.transform(
      x, y.data, inverse, false, [](std::int64_t) { return DctLog<T>{}; }, threads);
}

template <typename T>
void dct2_log(const TensorView<const T, 3>& x, const DctStatistics<T>& statistics,
              const TensorView<const T, 3>* gradient, const TensorView<T, 3>& y, int threads) {
  check_output(x, y);
  const TensorView<const T, 3>& mean = statistics.mean;
  const TensorView<const T, 3>& std = statistics.std;
  check_same_shape(mean, "mean", std, "std");
  FORENSIC_CHECK(mean.contiguous() && std.contiguous(), "mean, std: expected contiguous tensors");
  if (gradient != nullptr) {
    check_same_shape(x, "x", *gradient, "g");
    FORENSIC_CHECK(gradient->contiguous(), "g: expected a contiguous tensor");
  }
  if (x.size() == 0) return;
  FORENSIC_CHECK(mean.shape[1] == x.shape[1] && mean.shape[2] == x.shape[2], "mean: expected planes of ", x.shape[1],
                 " x ", x.shape[2], ", got ", mean.shape[1], " x ", mean.shape[2]);
  const std::int64_t period = mean.shape[0];
  FORENSIC_CHECK(period > 0, "mean: expected at least one plane");
  const std::int64_t area = x.shape[1] * x.shape[2];
  const T* slopes = gradient != nullptr ? gradient->data : nullptr;
  const T* means = mean.data;
  const T* stds = std.data;
  const auto log_of = [=, epsilon = statistics.epsilon](std::int64_t plane) {
    const std::int64_t at = plane % period * area;
    return DctLog<T>{means + at, stds + at, slopes != nullptr ? slopes + plane * area : nullptr, epsilon};
  };
  const Stack<T> stack(x.shape[1], x.shape[2]);
  stack.transform(x, y.data, false, gradient != nullptr, log_of, threads);
}

template void dct2<float>(const TensorView<const float, 3>&, const TensorView<float, 3>&, bool, int);
template void dct2<double>(const TensorView<const double, 3>&, const TensorView<double, 3>&, bool, int);
template void dct2_log<float>(const TensorView<const float, 3>&, const DctStatistics<float>&,
                              const TensorView<const float, 3>*, const TensorView<float, 3>&, int);
template void dct2_log<double>(const TensorView<const double, 3>&, const DctStatistics<double>&,
                               const TensorView<const double, 3>*, const TensorView<double, 3>&, int);

}  // namespace forensic
