// Rows of images as the augmenter's inner loops want them: blocks of rows with a border of zeros, the same for the map
// and for its weight gradients. For augment.cpp and augment_weights.cpp only.
#pragma once

#include <algorithm>
#include <vector>

#include "augment_kernel.h"
#include "dispatch.h"
#include "fold.h"

namespace forensic {

FORENSIC_EACH_LEVEL(extern const AugmentLines<float> augment_lines_f32;
                    extern const AugmentLines<double> augment_lines_f64;)

namespace {

constexpr std::int64_t kBlockRows = 32;  // rows of one image that a scratch copy holds: about 60 KiB at width 128
constexpr std::int64_t kMaxChunks = 32;  // shares of a batch; a constant, so never the thread count

template <typename T>
const AugmentLines<T>& lines();
template <>
const AugmentLines<float>& lines<float>() {
  return *FORENSIC_AT_LEVEL(augment_lines_f32);
}
template <>
const AugmentLines<double>& lines<double>() {
  return *FORENSIC_AT_LEVEL(augment_lines_f64);
}

template <typename T>
void copy_line(const T* source, std::int64_t stride, std::int64_t count, T* to) {
  if (stride == 1) {
    std::copy(source, source + count, to);
  } else {
    for (std::int64_t n = 0; n < count; ++n) to[n] = source[n * stride];
  }
}

// Rows [first, last) of one image, by class.
struct Block {
  std::int64_t image, first, last;
};

class Blocks {
 public:
  Blocks(const AugmentShape& shape)
      : height_(shape.height),
        per_image_((shape.height + kBlockRows - 1) / kBlockRows),
        count_(shape.images * per_image_) {}
  std::int64_t count() const { return count_; }
  Block operator[](std::int64_t n) const {
    const std::int64_t first = n % per_image_ * kBlockRows;
    return {n / per_image_, first, std::min(first + kBlockRows, height_)};
  }

 private:
  std::int64_t height_, per_image_, count_;
};

// A block of rows with a border of zeros, and single columns of it laid out as lines.
template <typename T>
class PaddedRows {
 public:
  PaddedRows(const AugmentShape& shape, const Fold& fold)
      : shape_(shape),
        span_(fold.span()),
        border_(fold.span() / 2),
        rows_(kBlockRows + 2 * border_),
        pitch_(shape.width + 2 * border_),
        column_pitch_(kBlockRows + 2 * border_),
        pixels_(static_cast<std::size_t>(kImageChannels * rows_ * pitch_ + kLineSlack), T(0)),
        column_(static_cast<std::size_t>(kImageChannels * span_ * column_pitch_ + kLineSlack), T(0)) {
    for (std::int64_t i = 0; i < kImageChannels; ++i) {
      for (std::int64_t dy = 0; dy < span_; ++dy) {
        for (std::int64_t dx = 0; dx < span_; ++dx) {
          row_offsets_.push_back((i * rows_ + dy) * pitch_ + dx);
          column_offsets_.push_back((i * span_ + dx) * column_pitch_ + dy);
        }
      }
    }
  }

  void fill(const T* x, const ImageStrides& strides, const Block& block) {
    first_ = block.first;
    for (std::int64_t i = 0; i < kImageChannels; ++i) {
      for (std::int64_t r = 0; r < block.last - block.first + 2 * border_; ++r) {
        const std::int64_t y = block.first + r - border_;
        T* line = pixels_.data() + (i * rows_ + r) * pitch_ + border_;
        if (y < 0 || y >= shape_.height) {
          std::fill(line, line + shape_.width, T(0));
          continue;
        }
        copy_line(x + block.image * strides.image + i * strides.channel + y * strides.row, strides.column, shape_.width,
                  line);
      }
    }
  }

  // Neighbourhood of output column `c`, `rows` outputs from `y` on, as lines over y.
  const T* gather_column(std::int64_t c, std::int64_t y, std::int64_t rows) {
    for (std::int64_t i = 0; i < kImageChannels; ++i) {
      const T* source = pixels_.data() + (i * rows_ + y - first_) * pitch_ + c;
      for (std::int64_t r = 0; r < rows + 2 * border_; ++r) {
        for (std::int64_t dx = 0; dx < span_; ++dx) {
          column_[static_cast<std::size_t>((i * span_ + dx) * column_pitch_ + r)] = source[r * pitch_ + dx];
        }
      }
    }
    return column_.data();
  }

  const T* at(std::int64_t y, std::int64_t c) const { return pixels_.data() + (y - first_) * pitch_ + c; }
  std::int64_t pitch() const { return pitch_; }
  const std::ptrdiff_t* row_offsets() const { return row_offsets_.data(); }
  const std::ptrdiff_t* column_offsets() const { return column_offsets_.data(); }

 private:
  AugmentShape shape_;
  std::int64_t span_, border_, rows_, pitch_, column_pitch_, first_ = 0;
  std::vector<T> pixels_, column_;
  std::vector<std::ptrdiff_t> row_offsets_, column_offsets_;
};

// The border columns of a picture: all of them when it is narrower than the kernel.
template <typename Visit>
void for_each_border_column(const AxisClasses& columns, std::int64_t width, Visit&& visit) {
  for (std::int64_t c = 0; c < columns.interior_first(); ++c) visit(c);
  for (std::int64_t c = columns.interior_last(); c < width; ++c) visit(c);
}

}  // namespace
}  // namespace forensic
