// Weight gradients of the augmenter: correlations of the images with the gradient from above, and the order of sums.
// The inner loops are in augment_kernel.cpp, the chain rule through the fold in fold.cpp.
#include <algorithm>
#include <vector>

#include "augment.h"
#include "augment_rows.h"
#include "parallel.h"

namespace forensic {

namespace {

constexpr std::int64_t kCacheRows = 4;    // rows correlated at a time, so that they stay in the first-level cache
constexpr std::int64_t kFloatRun = 2048;  // products summed in float32 before they go to float64 (one row if longer)

std::int64_t round_up(std::int64_t n) { return (n + kLineSlack - 1) / kLineSlack * kLineSlack; }

// Sums of the weight gradients over blocks of rows.
template <typename T>
class Correlation {
 public:
  Correlation(const AugmentShape& shape, const Fold& fold)
      : shape_(shape),
        fold_(fold),
        g_pitch_(round_up(shape.width)),
        g_(static_cast<std::size_t>(kImageChannels * kBlockRows * g_pitch_), T(0)),
        column_(static_cast<std::size_t>(kImageChannels * round_up(kBlockRows)), T(0)),
        lanes_(static_cast<std::size_t>(fold.set_size() * code_.lane_count), T(0)),
        wide_(static_cast<std::size_t>(fold.sets())) {}

  void add(const Block& block, const T* g, const ImageStrides& strides, PaddedRows<T>& scratch, double* sums) {
    const AxisClasses &rows = fold_.rows(), &columns = fold_.columns();
    const std::int64_t left = columns.interior_first(), middle = columns.interior_last() - left;
    const T* image = g + block.image * strides.image;
    const std::int64_t first = std::max(block.first, rows.interior_first());
    const std::int64_t last = std::min(block.last, rows.interior_last());

    if (middle > 0) {
      for (std::int64_t o = 0; o < kImageChannels; ++o) {
        for (std::int64_t row = block.first; row < block.last; ++row) {
          copy_line(image + o * strides.channel + row * strides.row + left * strides.column, strides.column, middle,
                    g_.data() + (o * kBlockRows + row - block.first) * g_pitch_);
        }
      }
      const std::int64_t column_class = columns.class_of(left);
      for (std::int64_t row = block.first; row < block.last;) {
        const bool inner = row >= first && row < last;
        const std::int64_t run_rows = std::clamp<std::int64_t>(kFloatRun / middle, 1, kBlockRows);
        const std::int64_t run = inner ? std::min(run_rows, last - row) : 1;
        rows_into(fold_.set_of(rows.class_of(row), column_class), row, run, block.first, left, middle, scratch);
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
        column_into(fold_.set_of(rows.class_of(first), column_class), image, strides, c, first, last - first, scratch);
      }
    });
  }

  // What the lanes hold; once, after all blocks.
  void finish(double* sums) {
    for (std::size_t set = 0; set < wide_.size(); ++set) {
      if (wide_[set].empty()) continue;
      code_.reduce(wide_[set].data(), fold_.set_size(), sums + static_cast<std::int64_t>(set) * fold_.set_size());
    }
  }

 private:
  // Interior columns of `count` rows from `row` on.
  void rows_into(std::int64_t set, std::int64_t row, std::int64_t count, std::int64_t block_first, std::int64_t left,
                 std::int64_t middle, const PaddedRows<T>& scratch) {
    for (std::int64_t n = 0; n < count; n += kCacheRows) {
      const std::int64_t here = std::min(kCacheRows, count - n);
      const T* const g[] = {line_of(0, row + n - block_first), line_of(1, row + n - block_first),
                            line_of(2, row + n - block_first)};
      code_.correlate(scratch.at(row + n, left), scratch.pitch(), scratch.row_offsets(), fold_.terms(), g, g_pitch_,
                      here, middle, lanes_.data());
    }
    drain_into(set);
  }

  // One border column, interior rows.
  void column_into(std::int64_t set, const T* image, const ImageStrides& strides, std::int64_t c, std::int64_t row,
                   std::int64_t count, PaddedRows<T>& scratch) {
    const std::int64_t pitch = round_up(kBlockRows);
    std::fill(column_.begin(), column_.end(), T(0));
    for (std::int64_t o = 0; o < kImageChannels; ++o) {
      copy_line(image + o * strides.channel + row * strides.row + c * strides.column, strides.row, count,
                column_.data() + o * pitch);
    }
    const T* const g[] = {column_.data(), column_.data() + pitch, column_.data() + 2 * pitch};
    code_.correlate(scratch.gather_column(c, row, count), 0, scratch.column_offsets(), fold_.terms(), g, 0, 1, count,
                    lanes_.data());
    drain_into(set);
  }

  // One pixel in a border row and a border column.
  void pixel_into(double* set, const T* image, const ImageStrides& strides, std::int64_t row, std::int64_t c,
                  const PaddedRows<T>& scratch) {
    const T* source = scratch.at(row, c);
    for (std::int64_t o = 0; o < kImageChannels; ++o) {
      const double g = static_cast<double>(image[o * strides.channel + row * strides.row + c * strides.column]);
      set[fold_.terms() * kImageChannels + o] += g;
      for (std::int64_t j = 0; j < fold_.terms(); ++j) {
        set[j * kImageChannels + o] += g * static_cast<double>(source[scratch.row_offsets()[j]]);
      }
    }
  }

  const T* line_of(std::int64_t o, std::int64_t r) const { return g_.data() + (o * kBlockRows + r) * g_pitch_; }

  void drain_into(std::int64_t set) {
    std::vector<double>& wide = wide_[static_cast<std::size_t>(set)];
    wide.resize(lanes_.size(), 0.0);
    code_.drain(lanes_.data(), static_cast<std::int64_t>(lanes_.size()), wide.data());
  }

  const AugmentShape& shape_;
  const Fold& fold_;
  const AugmentLines<T>& code_ = lines<T>();
  std::int64_t g_pitch_;
  std::vector<T> g_, column_, lanes_;
  std::vector<std::vector<double>> wide_;  // of each set: what the lanes held, lane by lane
};

}  // namespace

template <typename T>
void augment_weight_gradients(const AugmentShape& shape, const T* x, const ImageStrides& x_strides, const T* g,
                              const ImageStrides& g_strides, const AugmentWeights<T>& weights, T* d_w1, T* d_b1,
                              T* d_w2, T* d_b2, int threads) {
  const Fold fold(shape);
  const Blocks blocks(shape);
  const std::int64_t size = fold.sets() * fold.set_size();
  const std::int64_t chunks = shape.width == 0 ? 0 : std::min(blocks.count(), kMaxChunks), count = blocks.count();
  std::vector<double> partial(static_cast<std::size_t>(shape.augmenters * chunks * size), 0.0);
  for_each_block(threads, shape.augmenters * chunks, [&](std::int64_t share) {
    const std::int64_t augmenter = share / chunks, chunk = share % chunks;
    PaddedRows<T> scratch(shape, fold);
    Correlation<T> correlation(shape, fold);
    double* sums = partial.data() + share * size;
    for (std::int64_t n = chunk * count / chunks; n < (chunk + 1) * count / chunks; ++n) {
      const Block block = blocks[n];
      scratch.fill(x, x_strides, block);
      correlation.add(block, g + augmenter * g_strides.augmenter, g_strides, scratch, sums);
    }
    correlation.finish(sums);
  });
  for_each_block(threads, shape.augmenters, [&](std::int64_t augmenter) {
    std::vector<double> sums(static_cast<std::size_t>(size), 0.0);
    for (std::int64_t chunk = 0; chunk < chunks; ++chunk) {
      const double* from = partial.data() + (augmenter * chunks + chunk) * size;
      for (std::int64_t n = 0; n < size; ++n) sums[static_cast<std::size_t>(n)] += from[n];
    }
    const std::int64_t inner = augmenter * shape.hidden * kImageChannels * shape.kernel * shape.kernel;
    fold.unfold(sums.data(), weights_of(shape, weights, augmenter), d_w1 + inner, d_b1 + augmenter * shape.hidden,
                d_w2 + inner, d_b2 + augmenter * kImageChannels);
  });
}

template void augment_weight_gradients(const AugmentShape&, const float*, const ImageStrides&, const float*,
                                       const ImageStrides&, const AugmentWeights<float>&, float*, float*, float*,
                                       float*, int);
template void augment_weight_gradients(const AugmentShape&, const double*, const ImageStrides&, const double*,
                                       const ImageStrides&, const AugmentWeights<double>&, double*, double*, double*,
                                       double*, int);

}  // namespace forensic
