// What both bindings of batch_norm_leaky share: storage types, and arrays that must be contiguous.
#pragma once

#include <array>

#include "door.h"

namespace forensic {

// Calls `body(S{})` with the storage type of `array`.
template <typename Body>
void with_storage_type(const Array& array, const char* name, Body body) {
  if (array.is<BFloat16>()) {
    body(BFloat16{});
  } else {
    with_float_type(array, name, body);
  }
}

// (pixels, channels) of a channels-last batch.
template <typename S>
TensorView<const S, 2> pixels_of(const Array& array, const char* name, std::int32_t device = dlpack::kCpu) {
  const auto view = array.view<const S, 2>(device);
  FORENSIC_CHECK(view.contiguous() || view.size() == 0, name, ": expected a contiguous tensor");
  return view;
}

// Constants of a kernel: contiguous, of an expected shape.
template <typename T>
const T* constants(const Array& array, const char* name, const std::array<std::int64_t, 1>& shape,
                   std::int32_t device = dlpack::kCpu) {
  const auto view = array.view<const T, 1>(device);
  FORENSIC_CHECK((view.contiguous() || view.size() == 0) && view.shape == shape, name, ": expected shape (", shape[0],
                 ",), contiguous, got ", shape_of(array.tensor()));
  return view.data;
}

}  // namespace forensic
