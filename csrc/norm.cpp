#include "norm.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "dispatch.h"
#include "norm_kernel.h"
#include "parallel.h"

namespace forensic {

namespace {

// Rows of a block: what fits the first cache, and at least a few, so that partial sums stay a small part of the work.
class Blocks {
 public:
  Blocks(std::int64_t pixels, std::int64_t channels)
      : pixels_(pixels), rows_(std::max<std::int64_t>(kElements / std::max<std::int64_t>(channels, 1), 16)) {}

  std::int64_t count() const { return (pixels_ + rows_ - 1) / rows_; }
  std::int64_t first(std::int64_t block) const { return block * rows_; }
  std::int64_t rows(std::int64_t block) const { return std::min(rows_, pixels_ - first(block)); }

 private:
  static constexpr std::int64_t kElements = 8192;
  std::int64_t pixels_, rows_;
};

// Sum of the blocks' (2, C), in their order.
template <typename A>
std::vector<double> joined(const std::vector<A>& partial, std::int64_t blocks, std::size_t width) {
  std::vector<double> sums(width, 0.0);
  const A* from = partial.data();
  for (std::int64_t block = 0; block < blocks; ++block, from += width) {
    for (std::size_t k = 0; k < width; ++k) sums[k] += static_cast<double>(from[k]);
  }
  return sums;
}

template <typename A>
struct Affine {
  std::vector<A> scale, shift;

  Affine(std::size_t channels, const A* mean, const A* variance, const A* weight, const A* bias, A eps)
      : scale(channels), shift(channels) {
    for (std::size_t c = 0; c < channels; ++c) {
      const double slant = static_cast<double>(weight[c]) / std::sqrt(static_cast<double>(variance[c]) + eps);
      scale[c] = static_cast<A>(slant);
      shift[c] = static_cast<A>(static_cast<double>(bias[c]) - static_cast<double>(mean[c]) * slant);
    }
  }
  NormAffine<A> with(A slope) const { return {scale.data(), shift.data(), slope}; }
};

}  // namespace

template <typename S>
void batch_norm_leaky(std::int64_t pixels, std::int64_t channels, const S* x, const Computed<S>* weight,
                      const Computed<S>* bias, const NormOptions<S>& options, S* y, Computed<S>* mean,
                      Computed<S>* variance, int threads) {
  using A = Computed<S>;
  if (pixels == 0 || channels == 0) return;
  const auto width = static_cast<std::size_t>(channels);
  const Blocks blocks(pixels, channels);
  const auto sums_of = FORENSIC_AT_LEVEL(NormPasses<S>::sums);
  const auto apply = FORENSIC_AT_LEVEL(NormPasses<S>::apply);

  // a first guess of the mean, by the first block alone
  std::vector<A> center(width, A{0}), head(2 * width);
  sums_of(x, blocks.rows(0), channels, center.data(), head.data());
  for (std::size_t c = 0; c < width; ++c) center[c] = head[c] / static_cast<A>(blocks.rows(0));

  std::vector<A> partial(2 * width * static_cast<std::size_t>(blocks.count()));
  for_each_block(threads, blocks.count(), [&](std::int64_t block) {
    sums_of(x + blocks.first(block) * channels, blocks.rows(block), channels, center.data(),
            partial.data() + block * 2 * channels);
  });
  const std::vector<double> sums = joined(partial, blocks.count(), 2 * width);
  const auto count = static_cast<double>(pixels);
  for (std::size_t c = 0; c < width; ++c) {
    const double apart = sums[c] / count;
    const double spread = sums[width + c] / count - apart * apart;
    mean[c] = static_cast<A>(static_cast<double>(center[c]) + apart);
    variance[c] = static_cast<A>(spread < 0.0 ? 0.0 : spread);  // a NaN stays one
  }
  const Affine<A> affine(width, mean, variance, weight, bias, options.eps);
  for_each_block(threads, blocks.count(), [&](std::int64_t turn) {
    const std::int64_t block = blocks.count() - 1 - turn;
    const std::int64_t at = blocks.first(block) * channels;
    apply(x + at, blocks.rows(block), channels, affine.with(options.slope), y + at);
  });
}

template <typename S>
void batch_norm_leaky_gradient(std::int64_t pixels, std::int64_t channels, const S* dy, const S* x,
                               const Computed<S>* mean, const Computed<S>* variance, const Computed<S>* weight,
                               const Computed<S>* bias, const NormOptions<S>& options, S* d_x, Computed<S>* d_weight,
                               Computed<S>* d_bias, int threads) {
  using A = Computed<S>;
  const auto width = static_cast<std::size_t>(channels);
  if (pixels == 0 || channels == 0) {
    std::fill_n(d_weight, width, A{0});
    std::fill_n(d_bias, width, A{0});
    return;
  }
  const Blocks blocks(pixels, channels);
  const Affine<A> affine(width, mean, variance, weight, bias, options.eps);
  const auto sums_of = FORENSIC_AT_LEVEL(NormPasses<S>::gradient_sums);
  const auto apply = FORENSIC_AT_LEVEL(NormPasses<S>::gradient_apply);

  std::vector<A> partial(2 * width * static_cast<std::size_t>(blocks.count()));
  for_each_block(threads, blocks.count(), [&](std::int64_t block) {
    const std::int64_t at = blocks.first(block) * channels;
    sums_of(dy + at, x + at, blocks.rows(block), channels, affine.with(options.slope), mean,
            partial.data() + block * 2 * channels);
  });
  const std::vector<double> sums = joined(partial, blocks.count(), 2 * width);
  const auto count = static_cast<double>(pixels);
  std::vector<A> along(width), apart(width);
  for (std::size_t c = 0; c < width; ++c) {
    const double inverse = 1.0 / std::sqrt(static_cast<double>(variance[c]) + options.eps);
    const double slant = static_cast<double>(weight[c]) * inverse;
    const double product = sums[width + c] * inverse;  // sum of g times the normalised x
    d_bias[c] = static_cast<A>(sums[c]);
    d_weight[c] = static_cast<A>(product);
    const double each = -slant * inverse * product / count;
    along[c] = static_cast<A>(each);
    apart[c] = static_cast<A>(-slant * sums[c] / count - static_cast<double>(mean[c]) * each);
  }
  for_each_block(threads, blocks.count(), [&](std::int64_t turn) {
    const std::int64_t block = blocks.count() - 1 - turn;
    const std::int64_t at = blocks.first(block) * channels;
    apply(dy + at, x + at, blocks.rows(block), channels, affine.with(options.slope), along.data(), apart.data(),
          d_x + at);
  });
}

template void batch_norm_leaky<float>(std::int64_t, std::int64_t, const float*, const float*, const float*,
                                      const NormOptions<float>&, float*, float*, float*, int);
template void batch_norm_leaky_gradient<float>(std::int64_t, std::int64_t, const float*, const float*, const float*,
                                               const float*, const float*, const float*, const NormOptions<float>&,
                                               float*, float*, float*, int);
template void batch_norm_leaky<double>(std::int64_t, std::int64_t, const double*, const double*, const double*,
                                       const NormOptions<double>&, double*, double*, double*, int);
template void batch_norm_leaky_gradient<double>(std::int64_t, std::int64_t, const double*, const double*, const double*,
                                                const double*, const double*, const double*, const NormOptions<double>&,
                                                double*, double*, double*, int);
template void batch_norm_leaky<BFloat16>(std::int64_t, std::int64_t, const BFloat16*, const float*, const float*,
                                         const NormOptions<BFloat16>&, BFloat16*, float*, float*, int);
template void batch_norm_leaky_gradient<BFloat16>(std::int64_t, std::int64_t, const BFloat16*, const BFloat16*,
                                                  const float*, const float*, const float*, const float*,
                                                  const NormOptions<BFloat16>&, BFloat16*, float*, float*, int);

}  // namespace forensic
