// Arguments of the augmenter as they come from Python, for both modules: checked, then plain pointers and sizes.
#pragma once

#include <array>
#include <cstdint>

#include "augment.h"
#include "door.h"

namespace forensic {

// The weights of an augmenter; they cross as they are, so they must be contiguous and of the type of the images.
class AugmentArguments {
 public:
  AugmentArguments(const py::object& w1, const py::object& b1, const py::object& w2, const py::object& b2,
                   std::int32_t device = dlpack::kCpu)
      : w1_(w1, "w1"), b1_(b1, "b1"), w2_(w2, "w2"), b2_(b2, "b2"), device_(device) {}

  template <typename T>
  AugmentWeights<T> weights() const {
    const auto w1 = w1_.view<const T, 4>(device_), w2 = w2_.view<const T, 4>(device_);
    const auto b1 = b1_.view<const T, 1>(device_), b2 = b2_.view<const T, 1>(device_);
    const std::int64_t hidden = w1.shape[0], kernel = w1.shape[3];
    FORENSIC_CHECK(hidden > 0 && kernel % 2 == 1 && w1.shape[1] == kImageChannels && w1.shape[2] == kernel,
                   "w1: expected (C, 3, k, k) with C > 0 and odd k, got ", shape_of(w1_.tensor()));
    FORENSIC_CHECK(
        w2.shape[0] == kImageChannels && w2.shape[1] == hidden && w2.shape[2] == kernel && w2.shape[3] == kernel,
        "w2: expected (3, C, k, k) with C and k of w1, got ", shape_of(w2_.tensor()));
    FORENSIC_CHECK(b1.shape[0] == hidden, "b1: expected (C,), got ", shape_of(b1_.tensor()));
    FORENSIC_CHECK(b2.shape[0] == kImageChannels, "b2: expected (3,), got ", shape_of(b2_.tensor()));
    FORENSIC_CHECK(w1.contiguous() && b1.contiguous() && w2.contiguous() && b2.contiguous(),
                   "w1, b1, w2, b2: expected contiguous tensors");
    return {w1.data, b1.data, w2.data, b2.data};
  }

  template <typename T>
  AugmentShape shape(const TensorView<const T, 4>& x, const char* name) const {
    FORENSIC_CHECK(x.shape[1] == kImageChannels, name, ": expected 3 channels, got ", x.shape[1]);
    const dlpack::Tensor& w1 = w1_.tensor();
    return {x.shape[0], x.shape[2], x.shape[3], w1.shape[0], w1.shape[3]};
  }

 private:
  Array w1_, b1_, w2_, b2_;
  std::int32_t device_;
};

template <typename T>
ImageStrides strides_of(const TensorView<const T, 4>& x) {
  return {x.stride[0], x.stride[1], x.stride[2], x.stride[3]};
}

// An output: contiguous, of an expected shape.
template <typename T, std::size_t Rank>
T* output(const Array& array, const char* name, const std::array<std::int64_t, Rank>& shape,
          std::int32_t device = dlpack::kCpu) {
  const auto view = array.view<T, Rank>(device);
  FORENSIC_CHECK((view.contiguous() || view.size() == 0) && view.shape == shape, name,
                 ": expected a contiguous output of the right shape, got ", shape_of(array.tensor()));
  return view.data;
}

}  // namespace forensic
