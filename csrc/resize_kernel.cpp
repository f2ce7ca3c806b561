#include "resize_kernel.h"

#include "wide.h"

namespace forensic {
namespace FORENSIC_LEVEL {
namespace {

typedef std::uint8_t Bytes __attribute__((vector_size(kResizeRows)));
typedef std::int32_t Sums __attribute__((vector_size(kResizeRows * sizeof(std::int32_t))));

constexpr int kBits = 22;

inline Bytes load_bytes(const std::uint8_t* from) {
  Bytes bytes;
  __builtin_memcpy(&bytes, from, sizeof(bytes));
  return bytes;
}

inline void store_bytes(std::uint8_t* to, Bytes bytes) { __builtin_memcpy(to, &bytes, sizeof(bytes)); }

inline Sums widen(const std::uint8_t* from) { return __builtin_convertvector(load_bytes(from), Sums); }

inline Sums half() { return Sums{} + (1 << (kBits - 1)); }

inline Bytes narrow(Sums sums) {
  Sums value = sums >> kBits;
  value = value < 0 ? Sums{} : value;
  value = value > 255 ? Sums{} + 255 : value;
  return __builtin_convertvector(value, Bytes);
}

// columns[3 x + c] = the 16 rows of channel c of column x; rows that the block lacks repeat the first.
void gather(const ResizeRows& block, std::uint8_t* columns) {
  const std::int64_t length = 3 * block.side;
  std::int64_t done = 0;
  if (block.channel_stride == 1 && block.column_stride == 3) {
    for (; done + kResizeRows <= length; done += kResizeRows) {
      Bytes square[kResizeRows];
      for (std::int64_t r = 0; r < kResizeRows; ++r) {
        square[r] = load_bytes(block.image + (r < block.rows ? r : 0) * block.row_stride + done);
      }
      transpose<kResizeRows>(square);
      for (std::int64_t i = 0; i < kResizeRows; ++i) store_bytes(columns + (done + i) * kResizeRows, square[i]);
    }
  }
  for (std::int64_t r = 0; r < kResizeRows; ++r) {
    const std::uint8_t* row = block.image + (r < block.rows ? r : 0) * block.row_stride;
    for (std::int64_t i = done; i < length; ++i) {
      columns[i * kResizeRows + r] = row[i / 3 * block.column_stride + i % 3 * block.channel_stride];
    }
  }
}

}  // namespace

void resize_rows(const ResizeRows& block) {
  gather(block, block.scratch);
  const ResizeWindows& windows = block.windows;
  for (std::int64_t i = 0; i < windows.size; ++i) {
    const std::uint8_t* from = block.scratch + windows.first[i] * 3 * kResizeRows;
    const std::int32_t* weights = windows.weights + i * windows.taps;
    Sums sums[3] = {half(), half(), half()};
    for (std::int64_t j = 0; j < windows.count[i]; ++j, from += 3 * kResizeRows) {
      for (int c = 0; c < 3; ++c) sums[c] += widen(from + c * kResizeRows) * weights[j];
    }
    for (int c = 0; c < 3; ++c) {
      const Bytes values = narrow(sums[c]);
      std::uint8_t* to = block.lines + c * windows.size + i;
      for (std::int64_t r = 0; r < block.rows; ++r) to[r * block.line] = values[r];
    }
  }
}

void resize_columns(const ResizeColumns& block) {
  const ResizeWindows& windows = block.windows;
  const std::uint8_t* top = block.lines + windows.first[block.output] * block.line;
  const std::int32_t* weights = windows.weights + block.output * windows.taps;
  const std::int64_t count = windows.count[block.output];
  for (std::int64_t column = 0; column < block.line; column += kResizeRows) {
    Sums sums = half();
    const std::uint8_t* from = top + column;
    for (std::int64_t j = 0; j < count; ++j, from += block.line) sums += widen(from) * weights[j];
    store_bytes(block.row + column, narrow(sums));
  }
}

}  // namespace FORENSIC_LEVEL
}  // namespace forensic
