// Orchestration of the augmenter's map: scratch copies with a zero border, classes, and the order of sums. The inner
// loops are in augment_kernel.cpp, the algebra of the fold in fold.cpp, the weight gradients in augment_weights.cpp.
#include "augment.h"

#include <algorithm>
#include <vector>

#include "augment_rows.h"
#include "parallel.h"
#include "scratch.h"

namespace forensic {

namespace {

template <typename T>
void forward_block(const AugmentLines<T>& code, const AugmentShape& shape, const Fold& fold, const T* table,
                   const Block& block, PaddedRows<T>& scratch, T* image, std::int64_t plane) {
  const std::int64_t terms = fold.terms();
  const AxisClasses &rows = fold.rows(), &columns = fold.columns();
  const std::int64_t left = columns.interior_first(), middle = columns.interior_last() - left;
  const auto lines = [&](std::int64_t set, const T* source, std::int64_t pitch, const std::ptrdiff_t* offsets,
                         T* const* out, std::int64_t count, std::int64_t n) {
    const T* weights = table + set * fold.set_size();
    code.forward(source, pitch, offsets, weights, fold.span(), weights + terms * kImageChannels, out, shape.width,
                 count, n);
  };

  for (std::int64_t row = block.first, count = 1; row < block.last; row += count) {
    const std::int64_t row_class = rows.class_of(row);
    const bool inner = row >= rows.interior_first() && row < rows.interior_last();
    count = inner && row + 1 < std::min(block.last, rows.interior_last()) ? 2 : 1;
    T* start = image + (row - block.first) * shape.width;
    const auto place = [&](std::int64_t c, std::int64_t n) {
      T* const out[] = {start + c, start + plane + c, start + 2 * plane + c};
      lines(fold.set_of(row_class, columns.class_of(c)), scratch.at(row, c), scratch.pitch(), scratch.row_offsets(),
            out, count, n);
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
    lines(fold.set_of(rows.class_of(first), columns.class_of(c)), scratch.gather_column(c, first, count), 0,
          scratch.column_offsets(), out, 1, count);
    for (std::int64_t o = 0; o < kImageChannels; ++o) {
      for (std::int64_t n = 0; n < count; ++n)
        image[o * plane + (first - block.first + n) * shape.width + c] = results[o][n];
    }
  });
}

template <typename T>
std::vector<T> all_tables(const AugmentShape& shape, const Fold& fold, const AugmentWeights<T>& weights) {
  std::vector<T> tables;
  for (std::int64_t augmenter = 0; augmenter < shape.augmenters; ++augmenter) {
    for (const double value : fold.table(weights_of(shape, weights, augmenter))) {
      tables.push_back(static_cast<T>(value));
    }
  }
  return tables;
}

// call(block, scratch) for every block, in a few shares of the batch.
template <typename T, typename Call>
void for_each_padded(const AugmentShape& shape, const Fold& fold, int threads, Call&& call) {
  const Blocks blocks(shape);
  const std::int64_t count = shape.width == 0 ? 0 : blocks.count(), chunks = std::min(count, 2 * kMaxChunks);
  for_each_block(threads, chunks, [&](std::int64_t chunk) {
    PaddedRows<T> scratch(shape, fold);
    for (std::int64_t n = chunk * count / chunks; n < (chunk + 1) * count / chunks; ++n) call(blocks[n], scratch);
  });
}

}  // namespace

template <typename T>
void augment_forward(const AugmentShape& shape, const T* x, const ImageStrides& x_strides,
                     const AugmentWeights<T>& weights, T* y, int threads) {
  const AugmentLines<T>& code = lines<T>();
  const Fold fold(shape);
  const std::vector<T> tables = all_tables(shape, fold, weights);
  const std::int64_t plane = shape.height * shape.width, image = kImageChannels * plane;
  for_each_padded<T>(shape, fold, threads, [&](const Block& block, PaddedRows<T>& scratch) {
    scratch.fill(x, x_strides, block);
    for (std::int64_t a = 0; a < shape.augmenters; ++a) {
      forward_block(code, shape, fold, tables.data() + a * fold.sets() * fold.set_size(), block, scratch,
                    y + (a * shape.images + block.image) * image + block.first * shape.width, plane);
    }
  });
}

template <typename T>
void augment_input_gradient(const AugmentShape& shape, const T* g, const ImageStrides& g_strides,
                            const AugmentWeights<T>& weights, T* d_x, int threads) {
  const std::int64_t area = shape.kernel * shape.kernel, per_augmenter = shape.hidden * kImageChannels * area;
  const auto size = static_cast<std::size_t>(shape.augmenters * per_augmenter);
  std::vector<T> first(size), second(size);  // w2 and w1 with their channels swapped, turned by 180 degrees
  for (std::int64_t a = 0; a < shape.augmenters; ++a) {
    const AugmentWeights<T> own = weights_of(shape, weights, a);
    for (std::int64_t c = 0; c < shape.hidden; ++c) {
      for (std::int64_t i = 0; i < kImageChannels; ++i) {
        for (std::int64_t n = 0; n < area; ++n) {
          const std::int64_t inner = (c * kImageChannels + i) * area, outer = (i * shape.hidden + c) * area;
          first[static_cast<std::size_t>(a * per_augmenter + inner + n)] = own.w2[outer + area - 1 - n];
          second[static_cast<std::size_t>(a * per_augmenter + outer + n)] = own.w1[inner + area - 1 - n];
        }
      }
    }
  }
  const std::vector<T> no_hidden_bias(static_cast<std::size_t>(shape.augmenters * shape.hidden), T(0));
  const std::vector<T> no_bias(static_cast<std::size_t>(shape.augmenters * kImageChannels), T(0));
  const AugmentLines<T>& code = lines<T>();
  const Fold fold(shape);
  const std::vector<T> tables =
      all_tables<T>(shape, fold, {first.data(), no_hidden_bias.data(), second.data(), no_bias.data()});
  const std::int64_t plane = shape.height * shape.width, part = kBlockRows * shape.width;
  for_each_padded<T>(shape, fold, threads, [&](const Block& block, PaddedRows<T>& scratch) {
    T* to = d_x + block.image * kImageChannels * plane + block.first * shape.width;
    T* more = shape.augmenters > 1 ? Scratch::of<T>(static_cast<std::size_t>(kImageChannels * part)) : nullptr;
    for (std::int64_t a = 0; a < shape.augmenters; ++a) {
      scratch.fill(g + a * g_strides.augmenter, g_strides, block);
      forward_block(code, shape, fold, tables.data() + a * fold.sets() * fold.set_size(), block, scratch,
                    a == 0 ? to : more, a == 0 ? plane : part);
      for (std::int64_t o = 0; a > 0 && o < kImageChannels; ++o) {
        const std::int64_t count = (block.last - block.first) * shape.width;
        for (std::int64_t n = 0; n < count; ++n) to[o * plane + n] += more[o * part + n];
      }
    }
    for (std::int64_t o = 0; shape.augmenters == 0 && o < kImageChannels; ++o) {
      std::fill_n(to + o * plane, (block.last - block.first) * shape.width, T(0));
    }
  });
}

// a type name in a template argument list takes no parentheses
// NOLINTBEGIN(bugprone-macro-parentheses)
#define FORENSIC_INSTANTIATE(T)                                                                                      \
  template void augment_forward(const AugmentShape&, const T*, const ImageStrides&, const AugmentWeights<T>&, T*,    \
                                int);                                                                                \
  template void augment_input_gradient(const AugmentShape&, const T*, const ImageStrides&, const AugmentWeights<T>&, \
                                       T*, int);
// NOLINTEND(bugprone-macro-parentheses)
FORENSIC_INSTANTIATE(float)
FORENSIC_INSTANTIATE(double)
#undef FORENSIC_INSTANTIATE

}  // namespace forensic
