#include "resize_windows.h"

#include <algorithm>
#include <cmath>

namespace forensic {

namespace {

// Keys' cubic with a = -1/2; the order of operations is Pillow's, so that doubles round alike.
double bicubic(double t) {
  constexpr double a = -0.5;
  t = std::fabs(t);
  if (t < 1.0) return ((a + 2.0) * t - (a + 3.0)) * t * t + 1.0;
  if (t < 2.0) return (((t - 5.0) * t + 8.0) * t - 4.0) * a;
  return 0.0;
}

// round(excess / 2), halves to even.
std::int64_t margin(std::int64_t excess) { return excess / 2 + (excess % 4 == 3 ? 1 : 0); }

}  // namespace

Windows::Windows(std::int64_t length, std::int64_t size) : size_(size) {
  const double scale = static_cast<double>(length) / static_cast<double>(size);
  const double stretch = std::max(scale, 1.0);
  const double support = 2.0 * stretch;
  taps_ = static_cast<std::int64_t>(std::ceil(support)) * 2 + 1;
  weights_.resize(static_cast<std::size_t>(size * taps_));
  std::vector<double> exact(static_cast<std::size_t>(taps_));
  for (std::int64_t i = 0; i < size; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * scale;
    // truncation, as in Pillow: another rounding is another window
    // NOLINTBEGIN(bugprone-incorrect-roundings)
    const auto first = std::max<std::int64_t>(0, static_cast<std::int64_t>(centre - support + 0.5));
    const auto count = std::min(length, static_cast<std::int64_t>(centre + support + 0.5)) - first;
    // NOLINTEND(bugprone-incorrect-roundings)
    double total = 0.0;
    for (std::int64_t j = 0; j < count; ++j) {
      const double weight = bicubic((static_cast<double>(j + first) - centre + 0.5) * (1.0 / stretch));
      exact[static_cast<std::size_t>(j)] = weight;
      total += weight;
    }
    std::int32_t* to = weights_.data() + i * taps_;
    for (std::int64_t j = 0; j < count; ++j) {
      const double units = exact[static_cast<std::size_t>(j)] / (total != 0.0 ? total : 1.0) * (1 << 22);
      to[j] = static_cast<std::int32_t>(units < 0.0 ? units - 0.5 : units + 0.5);
    }
    first_.push_back(first);
    count_.push_back(count);
  }
}

TensorView<const std::uint8_t, 3> centre_square(const TensorView<const std::uint8_t, 3>& image,
                                                const std::array<std::int64_t, 3>& out_shape) {
  const auto [height, width, channels] = image.shape;
  const std::int64_t size = out_shape[1];
  FORENSIC_CHECK(channels == 3, "image: expected shape (H, W, 3), got ", channels, " channels");
  FORENSIC_CHECK(height > 0 && width > 0, "image: expected at least one pixel, got ", height, "x", width);
  FORENSIC_CHECK(out_shape[0] == 3 && size == out_shape[2] && size > 0, "out: expected shape (3, size, size), got (",
                 out_shape[0], ", ", size, ", ", out_shape[2], ")");
  const std::int64_t side = std::min(height, width);
  return {image.data + margin(height - side) * image.stride[0] + margin(width - side) * image.stride[1],
          {side, side, 3},
          image.stride};
}

const std::array<float, 256>& scaled_levels() {
  static const std::array<float, 256> levels = [] {
    std::array<float, 256> made{};
    for (std::size_t v = 0; v < made.size(); ++v) made.at(v) = (static_cast<float>(v) / 255.0F - 0.5F) / 0.5F;
    return made;
  }();
  return levels;
}

}  // namespace forensic
