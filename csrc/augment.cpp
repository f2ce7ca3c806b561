// Orchestration of the augmenter: scratch copies with a zero border, classes, and the order of sums. The inner loops
// are in augment_kernel.cpp, the algebra of the fold in fold.cpp.
#include "augment.h"

#include <algorithm>
#include <vector>

#include "augment_kernel.h"
#include "dispatch.h"
#include "fold.h"
#include "parallel.h"

namespace forensic {

FORENSIC_EACH_LEVEL(extern const AugmentLines<float> augment_lines_f32;
                    extern const AugmentLines<double> augment_lines_f64;)

namespace {

constexpr std::int64_t kBlockRows = 32;   // rows of one image that a scratch copy holds: about 60 KiB at width 128
constexpr std::int64_t kCacheRows = 4;    // rows correlated at a time, so that they stay in the first-level cache
constexpr std::int64_t kFloatRun = 2048;  // products summed in float32 before they go to float64 (one row if longer)
constexpr std::int64_t kMaxChunks = 32;   // partial sums of the weight gradients; a constant, so never the thread count

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

std::int64_t round_up(std::int64_t n) { return (n + kLineSlack - 1) / kLineSlack * kLineSlack; }

template <typename T>
std::vector<T> rounded(const std::vector<double>& table) {
  std::vector<T> out(table.size());
  std::transform(table.begin(), table.end(), out.begin(), [](double v) { return static_cast<T>(v); });
  return out;
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
        const T* source = x + block.image * strides.image + i * strides.channel + y * strides.row;
        if (strides.column == 1) {
          std::copy(source, source + shape_.width, line);
        } else {
          for (std::int64_t c = 0; c < shape_.width; ++c) line[c] = source[c * strides.column];
        }
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

template <typename T>
void forward_block(const AugmentShape& shape, const Fold& fold, const std::vector<T>& table, const Block& block,
                   PaddedRows<T>& scratch, T* y) {
  const AugmentLines<T>& code = lines<T>();
  const std::int64_t terms = fold.terms(), plane = shape.height * shape.width;
  const AxisClasses &rows = fold.rows(), &columns = fold.columns();
  const std::int64_t left = columns.interior_first(), middle = columns.interior_last() - left;
  T* image = y + block.image * kImageChannels * plane;
  const auto line = [&](std::int64_t set, const T* source, const std::ptrdiff_t* offsets, T* const* out,
                        std::int64_t n) {
    const T* weights = table.data() + set * fold.set_size();
    code.forward(source, offsets, weights, terms, weights + terms * kImageChannels, out, n);
  };

  for (std::int64_t row = block.first; row < block.last; ++row) {
    const std::int64_t row_class = rows.class_of(row);
    const bool inner = row >= rows.interior_first() && row < rows.interior_last();
    T* start = image + row * shape.width;
    const auto place = [&](std::int64_t c, std::int64_t n) {
      T* const out[] = {start + c, start + plane + c, start + 2 * plane + c};
      line(fold.set_of(row_class, columns.class_of(c)), scratch.at(row, c), scratch.row_offsets(), out, n);
    };
    if (middle > 0) place(left, middle);
    if (!inner) for_each_border_column(columns, shape.width, [&](std::int64_t c) { place(c, 1); });
  }

  const std::int64_t first = std::max(block.first, rows.interior_first());
  const std::int64_t count = std::min(block.last, rows.interior_last()) - first;
  if (count <= 0) return;
  for_each_border_column(columns, shape.width, [&](std::int64_t c) {
    T results[kImageChannels][kBlockRows];
    T* const out[] = {results[0], results[1], results[2]};
    line(fold.set_of(rows.class_of(first), columns.class_of(c)), scratch.gather_column(c, first, count),
         scratch.column_offsets(), out, count);
    for (std::int64_t o = 0; o < kImageChannels; ++o) {
      for (std::int64_t n = 0; n < count; ++n) image[o * plane + (first + n) * shape.width + c] = results[o][n];
    }
  });
}

// The same number of chunks whatever the threads; each does its blocks in order. call(chunk, first block, last block).
template <typename Call>
void for_each_chunk(int threads, std::int64_t blocks, std::int64_t chunks, Call&& call) {
  for_each_block(threads, chunks,
                 [&](std::int64_t chunk) { call(chunk, chunk * blocks / chunks, (chunk + 1) * blocks / chunks); });
}

// Sums of the weight gradients over one block.
template <typename T>
class Correlation {
 public:
  Correlation(const AugmentShape& shape, const Fold& fold)
      : shape_(shape),
        fold_(fold),
        g_pitch_(round_up(shape.width)),
        g_(static_cast<std::size_t>(kImageChannels * kBlockRows * g_pitch_), T(0)),
        column_(static_cast<std::size_t>(kImageChannels * round_up(kBlockRows)), T(0)),
        lanes_(static_cast<std::size_t>(fold.terms() * kImageChannels * lines<T>().lane_count), T(0)) {}

  void add(const Block& block, const T* g, const ImageStrides& strides, PaddedRows<T>& scratch, double* sums) {
    const AxisClasses &rows = fold_.rows(), &columns = fold_.columns();
    const std::int64_t left = columns.interior_first(), middle = columns.interior_last() - left;
    const T* image = g + block.image * strides.image;
    const std::int64_t first = std::max(block.first, rows.interior_first());
    const std::int64_t last = std::min(block.last, rows.interior_last());

    if (middle > 0) {
      for (std::int64_t o = 0; o < kImageChannels; ++o) {
        for (std::int64_t row = block.first; row < block.last; ++row) {
          const T* source = image + o * strides.channel + row * strides.row + left * strides.column;
          T* line = g_.data() + (o * kBlockRows + row - block.first) * g_pitch_;
          for (std::int64_t c = 0; c < middle; ++c) line[c] = source[c * strides.column];
        }
      }
      const std::int64_t column_class = columns.class_of(left);
      for (std::int64_t row = block.first; row < block.last;) {
        const bool inner = row >= first && row < last;
        const std::int64_t run_rows = std::clamp<std::int64_t>(kFloatRun / middle, 1, kBlockRows);
        const std::int64_t run = inner ? std::min(run_rows, last - row) : 1;
        double* set = sums + fold_.set_of(rows.class_of(row), column_class) * fold_.set_size();
        rows_into(set, row, run, block.first, left, middle, scratch);
        row += run;
      }
    }
    for_each_border_column(columns, shape_.width, [&](std::int64_t c) {
      const std::int64_t column_class = columns.class_of(c);
      for (std::int64_t row = block.first; row < block.last; ++row) {
        if (row >= first && row < last) continue;
        pixel_into(sums + fold_.set_of(rows.class_of(row), column_class) * fold_.set_size(), image, strides, row, c,
                   scratch);
      }
      if (first < last) {
        double* set = sums + fold_.set_of(rows.class_of(first), column_class) * fold_.set_size();
        column_into(set, image, strides, c, first, last - first, scratch);
      }
    });
  }

 private:
  // Interior columns of `count` rows from `row` on.
  void rows_into(double* set, std::int64_t row, std::int64_t count, std::int64_t block_first, std::int64_t left,
                 std::int64_t middle, const PaddedRows<T>& scratch) {
    for (std::int64_t n = 0; n < count; n += kCacheRows) {
      const std::int64_t here = std::min(kCacheRows, count - n);
      const T* const g[] = {line_of(0, row + n - block_first), line_of(1, row + n - block_first),
                            line_of(2, row + n - block_first)};
      lines<T>().correlate(scratch.at(row + n, left), scratch.pitch(), scratch.row_offsets(), fold_.terms(), g,
                           g_pitch_, here, middle, lanes_.data());
    }
    lines<T>().drain(lanes_.data(), fold_.terms() * kImageChannels, set);
    for (std::int64_t n = 0; n < count; ++n) {
      for (std::int64_t o = 0; o < kImageChannels; ++o)
        bias_of(set, o) += total(line_of(o, row + n - block_first), middle);
    }
  }

  // One border column, interior rows.
  void column_into(double* set, const T* image, const ImageStrides& strides, std::int64_t c, std::int64_t row,
                   std::int64_t count, PaddedRows<T>& scratch) {
    const std::int64_t pitch = round_up(kBlockRows);
    std::fill(column_.begin(), column_.end(), T(0));
    for (std::int64_t o = 0; o < kImageChannels; ++o) {
      const T* source = image + o * strides.channel + row * strides.row + c * strides.column;
      for (std::int64_t n = 0; n < count; ++n)
        column_[static_cast<std::size_t>(o * pitch + n)] = source[n * strides.row];
      bias_of(set, o) += total(column_.data() + o * pitch, count);
    }
    const T* const g[] = {column_.data(), column_.data() + pitch, column_.data() + 2 * pitch};
    lines<T>().correlate(scratch.gather_column(c, row, count), 0, scratch.column_offsets(), fold_.terms(), g, 0, 1,
                         count, lanes_.data());
    lines<T>().drain(lanes_.data(), fold_.terms() * kImageChannels, set);
  }

  // One pixel in a border row and a border column.
  void pixel_into(double* set, const T* image, const ImageStrides& strides, std::int64_t row, std::int64_t c,
                  const PaddedRows<T>& scratch) {
    const T* source = scratch.at(row, c);
    for (std::int64_t o = 0; o < kImageChannels; ++o) {
      const double g = static_cast<double>(image[o * strides.channel + row * strides.row + c * strides.column]);
      bias_of(set, o) += g;
      for (std::int64_t j = 0; j < fold_.terms(); ++j) {
        set[j * kImageChannels + o] += g * static_cast<double>(source[scratch.row_offsets()[j]]);
      }
    }
  }

  const T* line_of(std::int64_t o, std::int64_t r) const { return g_.data() + (o * kBlockRows + r) * g_pitch_; }
  double& bias_of(double* set, std::int64_t o) const { return set[fold_.terms() * kImageChannels + o]; }

  // Eight running sums, so that an addition need not wait for the one before; the line is zero past its end.
  static double total(const T* line, std::int64_t length) {
    double part[8] = {};
    for (std::int64_t x = 0; x < length; x += 8) {
      for (std::int64_t n = 0; n < 8; ++n) part[n] += static_cast<double>(line[x + n]);
    }
    return ((part[0] + part[4]) + (part[2] + part[6])) + ((part[1] + part[5]) + (part[3] + part[7]));
  }

  const AugmentShape& shape_;
  const Fold& fold_;
  std::int64_t g_pitch_;
  std::vector<T> g_, column_, lanes_;
};

}  // namespace

template <typename T>
void augment_forward(const AugmentShape& shape, const T* x, const ImageStrides& x_strides,
                     const AugmentWeights<T>& weights, T* y, int threads) {
  const Blocks blocks(shape);
  if (blocks.count() == 0 || shape.width == 0) return;
  const Fold fold(shape);
  const std::vector<T> table = rounded<T>(fold.table(weights));
  for_each_chunk(threads, blocks.count(), std::min(blocks.count(), 2 * kMaxChunks),
                 [&](std::int64_t, std::int64_t first, std::int64_t last) {
                   PaddedRows<T> scratch(shape, fold);
                   for (std::int64_t n = first; n < last; ++n) {
                     const Block block = blocks[n];
                     scratch.fill(x, x_strides, block);
                     forward_block(shape, fold, table, block, scratch, y);
                   }
                 });
}

template <typename T>
void augment_input_gradient(const AugmentShape& shape, const T* g, const ImageStrides& g_strides,
                            const AugmentWeights<T>& weights, T* d_x, int threads) {
  const std::int64_t area = shape.kernel * shape.kernel;
  const std::size_t size = static_cast<std::size_t>(shape.hidden * kImageChannels * area);
  std::vector<T> first(size), second(size);  // w2 and w1 with their channels swapped, turned by 180 degrees
  for (std::int64_t c = 0; c < shape.hidden; ++c) {
    for (std::int64_t i = 0; i < kImageChannels; ++i) {
      for (std::int64_t n = 0; n < area; ++n) {
        const std::int64_t inner = (c * kImageChannels + i) * area, outer = (i * shape.hidden + c) * area;
        first[static_cast<std::size_t>(inner + n)] = weights.w2[outer + area - 1 - n];
        second[static_cast<std::size_t>(outer + n)] = weights.w1[inner + area - 1 - n];
      }
    }
  }
  const std::vector<T> no_hidden_bias(static_cast<std::size_t>(shape.hidden), T(0));
  const T no_bias[kImageChannels] = {};
  augment_forward<T>(shape, g, g_strides, {first.data(), no_hidden_bias.data(), second.data(), no_bias}, d_x, threads);
}

template <typename T>
void augment_weight_gradients(const AugmentShape& shape, const T* x, const ImageStrides& x_strides, const T* g,
                              const ImageStrides& g_strides, const AugmentWeights<T>& weights, T* d_w1, T* d_b1,
                              T* d_w2, T* d_b2, int threads) {
  const Fold fold(shape);
  const Blocks blocks(shape);
  const std::int64_t size = fold.sets() * fold.set_size();
  const std::int64_t chunks = shape.width == 0 ? 0 : std::min(blocks.count(), kMaxChunks);
  std::vector<double> partial(static_cast<std::size_t>(std::max<std::int64_t>(chunks, 1) * size), 0.0);
  if (chunks > 0) {
    for_each_chunk(threads, blocks.count(), chunks, [&](std::int64_t chunk, std::int64_t first, std::int64_t last) {
      PaddedRows<T> scratch(shape, fold);
      Correlation<T> correlation(shape, fold);
      for (std::int64_t n = first; n < last; ++n) {
        const Block block = blocks[n];
        scratch.fill(x, x_strides, block);
        correlation.add(block, g, g_strides, scratch, partial.data() + chunk * size);
      }
    });
  }
  for (std::int64_t chunk = 1; chunk < chunks; ++chunk) {
    for (std::int64_t n = 0; n < size; ++n) {
      partial[static_cast<std::size_t>(n)] += partial[static_cast<std::size_t>(chunk * size + n)];
    }
  }
  fold.unfold(partial.data(), weights, d_w1, d_b1, d_w2, d_b2);
}

// a type name in a template argument list takes no parentheses
// NOLINTBEGIN(bugprone-macro-parentheses)
#define FORENSIC_INSTANTIATE(T)                                                                                      \
  template void augment_forward(const AugmentShape&, const T*, const ImageStrides&, const AugmentWeights<T>&, T*,    \
                                int);                                                                                \
  template void augment_input_gradient(const AugmentShape&, const T*, const ImageStrides&, const AugmentWeights<T>&, \
                                       T*, int);                                                                     \
  template void augment_weight_gradients(const AugmentShape&, const T*, const ImageStrides&, const T*,               \
                                         const ImageStrides&, const AugmentWeights<T>&, T*, T*, T*, T*, int);
// NOLINTEND(bugprone-macro-parentheses)
FORENSIC_INSTANTIATE(float)
FORENSIC_INSTANTIATE(double)
#undef FORENSIC_INSTANTIATE

}  // namespace forensic
