// What resize_square decides before it reads a pixel, on a processor or a device: which square, which windows with
// which weights, which levels. Compiled once, so that both have the same bits.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "resize_kernel.h"
#include "tensor.h"

namespace forensic {

// The windows of `size` outputs over `length` inputs, as Pillow places and weighs them.
class Windows {
 public:
  Windows(std::int64_t length, std::int64_t size);
  ResizeWindows view() const { return {size_, taps_, first_.data(), count_.data(), weights_.data()}; }

 private:
  std::int64_t size_, taps_;
  std::vector<std::int64_t> first_, count_;
  std::vector<std::int32_t> weights_;
};

// The centre square (s, s, 3) of `image` (H, W, 3). Throws ValueProblem where either is not what resize_square takes.
TensorView<const std::uint8_t, 3> centre_square(const TensorView<const std::uint8_t, 3>& image,
                                                const std::array<std::int64_t, 3>& out_shape);

// v -> (v / 255 - 0.5) / 0.5
const std::array<float, 256>& scaled_levels();

}  // namespace forensic
