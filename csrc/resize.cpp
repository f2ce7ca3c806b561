#include "resize.h"

#include <algorithm>
#include <type_traits>
#include <vector>

#include "dispatch.h"
#include "parallel.h"
#include "resize_kernel.h"
#include "resize_windows.h"
#include "scratch.h"

namespace forensic {

namespace {

// One row of all channels, `line` holding channel c at c * size, into the output.
template <typename T>
void write_row(const std::uint8_t* line, std::int64_t row, const TensorView<T, 3>& out) {
  const std::int64_t size = out.shape[2];
  [[maybe_unused]] const float* levels = scaled_levels().data();
  for (std::int64_t c = 0; c < 3; ++c) {
    T* to = out.data + c * out.stride[0] + row * out.stride[1];
    for (std::int64_t x = 0; x < size; ++x) {
      if constexpr (std::is_same_v<T, float>) {
        to[x * out.stride[2]] = levels[line[c * size + x]];
      } else {
        to[x * out.stride[2]] = line[c * size + x];
      }
    }
  }
}

}  // namespace

template <typename T>
void resize_square(const TensorView<const std::uint8_t, 3>& image, const TensorView<T, 3>& out, int threads) {
  const auto square = centre_square(image, out.shape);
  const std::int64_t side = square.shape[0], size = out.shape[1];

  if (side == size) {
    const auto split = FORENSIC_AT_LEVEL(resize_split);
    const bool straight = std::is_same_v<T, std::uint8_t> && out.stride[2] == 1;
    auto* line = Scratch::of<std::uint8_t>(static_cast<std::size_t>(3 * size));
    for (std::int64_t y = 0; y < side; ++y) {
      ResizeSplit row = {square.data + y * square.stride[0], square.stride[1], square.stride[2], size, {}};
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
  const ResizeWindows windows = both.view();
  const std::int64_t line = (3 * size + kResizeRows - 1) / kResizeRows * kResizeRows;
  // zeros: the padding of a line is read, though never shown
  std::vector<std::uint8_t> memory(static_cast<std::size_t>(side * line));
  std::uint8_t* lines = memory.data();

  const auto along_rows = FORENSIC_AT_LEVEL(resize_rows);
  for_each_block(threads, (side + kResizeRows - 1) / kResizeRows, [&](std::int64_t block) {
    const std::int64_t row = block * kResizeRows;
    const auto scratch = static_cast<std::size_t>((3 * side + kResizeRows) * kResizeRows);
    along_rows({square.data + row * square.stride[0], square.stride[0], square.stride[1], square.stride[2],
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
