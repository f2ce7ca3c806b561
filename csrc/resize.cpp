#include "resize.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <type_traits>
#include <vector>

#include "dispatch.h"
#include "parallel.h"
#include "resize_kernel.h"
#include "scratch.h"

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

class Windows {
 public:
  Windows(std::int64_t length, std::int64_t size) : size_(size) {
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

  ResizeWindows windows() const { return {size_, taps_, first_.data(), count_.data(), weights_.data()}; }

 private:
  std::int64_t size_, taps_;
  std::vector<std::int64_t> first_, count_;
  std::vector<std::int32_t> weights_;
};

// round(excess / 2), halves to even.
std::int64_t margin(std::int64_t excess) { return excess / 2 + (excess % 4 == 3 ? 1 : 0); }

std::array<float, 256> scaled_levels() {
  std::array<float, 256> levels{};
  for (std::size_t v = 0; v < levels.size(); ++v) levels.at(v) = (static_cast<float>(v) / 255.0F - 0.5F) / 0.5F;
  return levels;
}

template <typename T>
T level_of(std::uint8_t value) {
  if constexpr (std::is_same_v<T, float>) {
    static const std::array<float, 256> levels = scaled_levels();
    return levels[value];
  } else {
    return value;
  }
}

// One row of all channels, `line` holding channel c at c * size, into the output.
template <typename T>
void write_row(const std::uint8_t* line, std::int64_t row, const TensorView<T, 3>& out) {
  const std::int64_t size = out.shape[2];
  for (std::int64_t c = 0; c < 3; ++c) {
    T* to = out.data + c * out.stride[0] + row * out.stride[1];
    for (std::int64_t x = 0; x < size; ++x) to[x * out.stride[2]] = level_of<T>(line[c * size + x]);
  }
}

}  // namespace

template <typename T>
void resize_square(const TensorView<const std::uint8_t, 3>& image, const TensorView<T, 3>& out, int threads) {
  const auto [height, width, channels] = image.shape;
  const std::int64_t size = out.shape[1];
  FORENSIC_CHECK(channels == 3, "image: expected shape (H, W, 3), got ", channels, " channels");
  FORENSIC_CHECK(height > 0 && width > 0, "image: expected at least one pixel, got ", height, "x", width);
  FORENSIC_CHECK(out.shape[0] == 3 && size == out.shape[2] && size > 0, "out: expected shape (3, size, size), got (",
                 out.shape[0], ", ", size, ", ", out.shape[2], ")");
  const std::int64_t side = std::min(height, width);
  const std::uint8_t* square =
      image.data + margin(height - side) * image.stride[0] + margin(width - side) * image.stride[1];

  if (side == size) {
    const auto split = FORENSIC_AT_LEVEL(resize_split);
    const bool straight = std::is_same_v<T, std::uint8_t> && out.stride[2] == 1;
    auto* line = Scratch::of<std::uint8_t>(static_cast<std::size_t>(3 * size));
    for (std::int64_t y = 0; y < side; ++y) {
      ResizeSplit row = {square + y * image.stride[0], image.stride[1], image.stride[2], size, {}};
      for (std::int64_t c = 0; c < 3; ++c) {
        row.to[c] = line + c * size;
        if constexpr (std::is_same_v<T, std::uint8_t>) {
          if (straight) row.to[c] = out.data + c * out.stride[0] + y * out.stride[1];
        }
      }
      split(row);
      if (!straight) write_row(line, y, out);
    }
    return;
  }

  const Windows both(side, size);  // a square has the same windows along either axis
  const ResizeWindows windows = both.windows();
  const std::int64_t line = (3 * size + kResizeRows - 1) / kResizeRows * kResizeRows;
  // zeros: the padding of a line is read, though never shown
  std::vector<std::uint8_t> memory(static_cast<std::size_t>(side * line));
  std::uint8_t* lines = memory.data();

  const auto along_rows = FORENSIC_AT_LEVEL(resize_rows);
  for_each_block(threads, (side + kResizeRows - 1) / kResizeRows, [&](std::int64_t block) {
    const std::int64_t row = block * kResizeRows;
    const auto scratch = static_cast<std::size_t>((3 * side + kResizeRows) * kResizeRows);
    along_rows({square + row * image.stride[0], image.stride[0], image.stride[1], image.stride[2],
                std::min(kResizeRows, side - row), side, windows, lines + row * line, line,
                Scratch::of<std::uint8_t>(scratch)});
  });
  const auto along_columns = FORENSIC_AT_LEVEL(resize_columns);
  constexpr std::int64_t rows_a_block = 16;
  for_each_block(threads, (size + rows_a_block - 1) / rows_a_block, [&](std::int64_t block) {
    auto* row = Scratch::of<std::uint8_t>(static_cast<std::size_t>(line));
    for (std::int64_t y = block * rows_a_block; y < std::min(size, (block + 1) * rows_a_block); ++y) {
      along_columns({lines, line, y, windows, row});
      write_row(row, y, out);
    }
  });
}

template void resize_square<std::uint8_t>(const TensorView<const std::uint8_t, 3>&, const TensorView<std::uint8_t, 3>&,
                                          int);
template void resize_square<float>(const TensorView<const std::uint8_t, 3>&, const TensorView<float, 3>&, int);

}  // namespace forensic
