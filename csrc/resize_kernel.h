// The two passes of resize_square and the copy that takes their place where nothing is resized, at each level.
#pragma once

#include <cstdint>

#include "levels.h"

namespace forensic {

inline constexpr std::int64_t kResizeRows = 16;  // rows of one block of the first pass; also the padding of lines

// For output i: weights[i * taps + j], j < count[i], for inputs first[i] + j.
struct ResizeWindows {
  std::int64_t size;
  std::int64_t taps;
  const std::int64_t* first;
  const std::int64_t* count;
  const std::int32_t* weights;
};

struct ResizeRows {
  const std::uint8_t* image;  // the first row of the block, at the square's first column
  std::int64_t row_stride, column_stride, channel_stride;
  std::int64_t rows;  // at most kResizeRows
  std::int64_t side;
  ResizeWindows windows;
  std::uint8_t* lines;  // out (rows, line): channel c of output i at c * size + i
  std::int64_t line;
  std::uint8_t* scratch;  // (3 side + kResizeRows) * kResizeRows
};

struct ResizeColumns {
  const std::uint8_t* lines;  // (side, line)
  std::int64_t line;          // a multiple of kResizeRows
  std::int64_t output;        // the row to compute
  ResizeWindows windows;
  std::uint8_t* row;  // (line)
};

// One row of a picture that is not resized, to planes.
struct ResizeSplit {
  const std::uint8_t* row;
  std::int64_t column_stride, channel_stride;
  std::int64_t length;
  std::uint8_t* to[3];  // channel by channel, contiguous; apart from `row`
};

FORENSIC_EACH_LEVEL(void resize_split(const ResizeSplit& row); void resize_rows(const ResizeRows& block);
                    void resize_columns(const ResizeColumns& block);)

}  // namespace forensic
