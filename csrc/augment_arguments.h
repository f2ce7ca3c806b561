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

  // Whether there is a leading axis A, of several augmenters.
  bool stacked() const { return w1_.tensor().ndim == 5; }
  std::int64_t augmenters() const { return stacked() ? w1_.tensor().shape[0] : 1; }
  const Array& w1() const { return w1_; }
  const Array& b1() const { return b1_; }
  const Array& w2() const { return w2_; }
  const Array& b2() const { return b2_; }

  template <typename T>
  AugmentWeights<T> weights() const {
    return stacked() ? checked<T, 1>() : checked<T, 0>();
  }

  template <typename T>
  AugmentShape shape(const TensorView<const T, 4>& x, const char* name) const {
    FORENSIC_CHECK(x.shape[1] == kImageChannels, name, ": expected 3 channels, got ", x.shape[1]);
    const dlpack::Tensor& w1 = w1_.tensor();
    const std::int64_t* axes = w1.shape + (stacked() ? 1 : 0);
    return {x.shape[0], x.shape[2], x.shape[3], axes[0], axes[3], augmenters()};
  }

 private:
  template <typename T, std::size_t Lead>
  AugmentWeights<T> checked() const {
    const auto w1 = w1_.view<const T, 4 + Lead>(device_), w2 = w2_.view<const T, 4 + Lead>(device_);
    const auto b1 = b1_.view<const T, 1 + Lead>(device_), b2 = b2_.view<const T, 1 + Lead>(device_);
    const std::int64_t hidden = w1.shape[Lead], kernel = w1.shape[Lead + 3];
    FORENSIC_CHECK(
        hidden > 0 && kernel % 2 == 1 && w1.shape[Lead + 1] == kImageChannels && w1.shape[Lead + 2] == kernel,
        "w1: expected (C, 3, k, k) with C > 0 and odd k, got ", shape_of(w1_.tensor()));
    FORENSIC_CHECK(w2.shape[Lead] == kImageChannels && w2.shape[Lead + 1] == hidden && w2.shape[Lead + 2] == kernel &&
                       w2.shape[Lead + 3] == kernel,
                   "w2: expected (3, C, k, k) with C and k of w1, got ", shape_of(w2_.tensor()));
    FORENSIC_CHECK(b1.shape[Lead] == hidden, "b1: expected (C,), got ", shape_of(b1_.tensor()));
    FORENSIC_CHECK(b2.shape[Lead] == kImageChannels, "b2: expected (3,), got ", shape_of(b2_.tensor()));
    FORENSIC_CHECK(
        Lead == 0 || (w2.shape[0] == w1.shape[0] && b1.shape[0] == w1.shape[0] && b2.shape[0] == w1.shape[0]),
        "w2, b1, b2: expected as many augmenters as w1, ", w1.shape[0]);
    FORENSIC_CHECK((w1.contiguous() && b1.contiguous() && w2.contiguous() && b2.contiguous()) || w1.size() == 0,
                   "w1, b1, w2, b2: expected contiguous tensors");
    return {w1.data, b1.data, w2.data, b2.data};
  }

  Array w1_, b1_, w2_, b2_;
  std::int32_t device_;
};

template <typename T>
ImageStrides strides_of(const TensorView<const T, 4>& x) {
  return {x.stride[0], x.stride[1], x.stride[2], x.stride[3]};
}

template <typename T>
ImageStrides strides_of(const TensorView<const T, 5>& x) {
  return {x.stride[1], x.stride[2], x.stride[3], x.stride[4], x.stride[0]};
}

// One image batch of several, (A, N, 3, H, W): its shape and strides, whatever A.
template <typename T>
TensorView<const T, 4> first_of(const TensorView<const T, 5>& all) {
  return {all.data,
          {all.shape[1], all.shape[2], all.shape[3], all.shape[4]},
          {all.stride[1], all.stride[2], all.stride[3], all.stride[4]}};
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
