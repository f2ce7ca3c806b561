#include "fold.h"

#include <algorithm>

namespace forensic {

AxisClasses::AxisClasses(std::int64_t length, std::int64_t kernel)
    : length_(length), radius_(kernel / 2), count_(std::min(length, kernel)) {
  const bool has_interior = length >= kernel;
  first_ = has_interior ? radius_ : length;
  last_ = has_interior ? length - radius_ : length;
}

std::int64_t AxisClasses::class_of(std::int64_t position) const {
  if (position < first_) return position;
  if (position < last_) return radius_;
  return count_ - (length_ - position);
}

std::int64_t AxisClasses::representative(std::int64_t cls) const {
  return cls <= first_ ? cls : length_ - (count_ - cls);
}

std::int64_t AxisClasses::low(std::int64_t cls) const { return -std::min(radius_, representative(cls)); }

std::int64_t AxisClasses::high(std::int64_t cls) const { return std::min(radius_, length_ - 1 - representative(cls)); }

Fold::Fold(const AugmentShape& shape)
    : shape_(shape),
      rows_(shape.height, shape.kernel),
      columns_(shape.width, shape.kernel),
      span_(2 * shape.kernel - 1) {}

namespace {

// Calls visit(set, pair, place): for every set S, every offset e in S and every offset f of the first convolution,
// `pair` numbers (e, f) and `place` is the position of d = e + f in the kernel of span x span.
template <typename Visit>
void for_each_path(const Fold& fold, std::int64_t kernel, Visit&& visit) {
  const std::int64_t radius = kernel / 2, span = fold.span(), area = kernel * kernel;
  for (std::int64_t row = 0; row < fold.rows().count(); ++row) {
    for (std::int64_t column = 0; column < fold.columns().count(); ++column) {
      const std::int64_t set = fold.set_of(row, column);
      for (std::int64_t ey = fold.rows().low(row) + radius; ey <= fold.rows().high(row) + radius; ++ey) {
        for (std::int64_t ex = fold.columns().low(column) + radius; ex <= fold.columns().high(column) + radius; ++ex) {
          for (std::int64_t fy = 0; fy < kernel; ++fy) {
            for (std::int64_t fx = 0; fx < kernel; ++fx) {
              const std::int64_t pair = (ey * kernel + ex) * area + fy * kernel + fx;
              visit(set, pair, (ey + fy) * span + ex + fx);
            }
          }
        }
      }
    }
  }
}

// Calls visit(set, e) for every set and every offset of the second convolution in it.
template <typename Visit>
void for_each_offset(const Fold& fold, std::int64_t kernel, Visit&& visit) {
  const std::int64_t radius = kernel / 2;
  for (std::int64_t row = 0; row < fold.rows().count(); ++row) {
    for (std::int64_t column = 0; column < fold.columns().count(); ++column) {
      for (std::int64_t ey = fold.rows().low(row) + radius; ey <= fold.rows().high(row) + radius; ++ey) {
        for (std::int64_t ex = fold.columns().low(column) + radius; ex <= fold.columns().high(column) + radius; ++ex) {
          visit(fold.set_of(row, column), ey * kernel + ex);
        }
      }
    }
  }
}

constexpr std::int64_t kPairs = std::int64_t{kImageChannels} * kImageChannels;  // (o, i)

}  // namespace

template <typename T>
std::vector<double> Fold::table(const AugmentWeights<T>& weights) const {
  const std::int64_t hidden = shape_.hidden, area = shape_.kernel * shape_.kernel;
  // paths[(e, f), o, i] = sum_c w2[o, c, e] w1[c, i, f]
  std::vector<double> paths(static_cast<std::size_t>(area * area * kPairs), 0.0);
  std::vector<double> through(static_cast<std::size_t>(area * kImageChannels),
                              0.0);  // [e, o] = sum_c w2[o, c, e] b1[c]
  for (std::int64_t o = 0; o < kImageChannels; ++o) {
    for (std::int64_t c = 0; c < hidden; ++c) {
      for (std::int64_t e = 0; e < area; ++e) {
        const double outer = static_cast<double>(weights.w2[(o * hidden + c) * area + e]);
        through[static_cast<std::size_t>(e * kImageChannels + o)] += outer * static_cast<double>(weights.b1[c]);
        for (std::int64_t i = 0; i < kImageChannels; ++i) {
          const T* inner = weights.w1 + (c * kImageChannels + i) * area;
          double* path = paths.data() + e * area * kPairs + o * kImageChannels + i;
          for (std::int64_t f = 0; f < area; ++f) path[f * kPairs] += outer * static_cast<double>(inner[f]);
        }
      }
    }
  }

  std::vector<double> table(static_cast<std::size_t>(sets() * set_size()), 0.0);
  for (std::int64_t set = 0; set < sets(); ++set) {
    for (std::int64_t o = 0; o < kImageChannels; ++o) {
      table[static_cast<std::size_t>(set * set_size() + terms() * kImageChannels + o)] =
          static_cast<double>(weights.b2[o]);
    }
  }
  for_each_offset(*this, shape_.kernel, [&](std::int64_t set, std::int64_t e) {
    double* bias = table.data() + set * set_size() + terms() * kImageChannels;
    for (std::int64_t o = 0; o < kImageChannels; ++o)
      bias[o] += through[static_cast<std::size_t>(e * kImageChannels + o)];
  });
  for_each_path(*this, shape_.kernel, [&](std::int64_t set, std::int64_t pair, std::int64_t place) {
    const double* path = paths.data() + pair * kPairs;
    for (std::int64_t i = 0; i < kImageChannels; ++i) {
      double* kernel = table.data() + set * set_size() + (i * span_ * span_ + place) * kImageChannels;
      for (std::int64_t o = 0; o < kImageChannels; ++o) kernel[o] += path[o * kImageChannels + i];
    }
  });
  return table;
}

template <typename T>
void Fold::unfold(const double* sums, const AugmentWeights<T>& weights, T* d_w1, T* d_b1, T* d_w2, T* d_b2) const {
  const std::int64_t hidden = shape_.hidden, area = shape_.kernel * shape_.kernel;
  // Gradients with respect to `paths` and `through` of table(): each collects from every set that it went into.
  std::vector<double> paths(static_cast<std::size_t>(area * area * kPairs), 0.0);
  std::vector<double> through(static_cast<std::size_t>(area * kImageChannels), 0.0);
  for_each_path(*this, shape_.kernel, [&](std::int64_t set, std::int64_t pair, std::int64_t place) {
    double* path = paths.data() + pair * kPairs;
    for (std::int64_t i = 0; i < kImageChannels; ++i) {
      const double* sum = sums + set * set_size() + (i * span_ * span_ + place) * kImageChannels;
      for (std::int64_t o = 0; o < kImageChannels; ++o) path[o * kImageChannels + i] += sum[o];
    }
  });
  for_each_offset(*this, shape_.kernel, [&](std::int64_t set, std::int64_t e) {
    const double* sum = sums + set * set_size() + terms() * kImageChannels;
    for (std::int64_t o = 0; o < kImageChannels; ++o)
      through[static_cast<std::size_t>(e * kImageChannels + o)] += sum[o];
  });

  for (std::int64_t o = 0; o < kImageChannels; ++o) {
    double total = 0.0;
    for (std::int64_t set = 0; set < sets(); ++set) total += sums[set * set_size() + terms() * kImageChannels + o];
    d_b2[o] = static_cast<T>(total);
    for (std::int64_t c = 0; c < hidden; ++c) {
      for (std::int64_t e = 0; e < area; ++e) {
        double gradient =
            through[static_cast<std::size_t>(e * kImageChannels + o)] * static_cast<double>(weights.b1[c]);
        for (std::int64_t i = 0; i < kImageChannels; ++i) {
          const T* inner = weights.w1 + (c * kImageChannels + i) * area;
          const double* path = paths.data() + e * area * kPairs + o * kImageChannels + i;
          for (std::int64_t f = 0; f < area; ++f) gradient += path[f * kPairs] * static_cast<double>(inner[f]);
        }
        d_w2[(o * hidden + c) * area + e] = static_cast<T>(gradient);
      }
    }
  }
  for (std::int64_t c = 0; c < hidden; ++c) {
    double bias = 0.0;
    std::vector<double> inner(static_cast<std::size_t>(kImageChannels * area), 0.0);  // [i, f]
    for (std::int64_t o = 0; o < kImageChannels; ++o) {
      for (std::int64_t e = 0; e < area; ++e) {
        const double outer = static_cast<double>(weights.w2[(o * hidden + c) * area + e]);
        bias += outer * through[static_cast<std::size_t>(e * kImageChannels + o)];
        const double* path = paths.data() + e * area * kPairs + o * kImageChannels;
        for (std::int64_t f = 0; f < area; ++f) {
          for (std::int64_t i = 0; i < kImageChannels; ++i) {
            inner[static_cast<std::size_t>(i * area + f)] += outer * path[f * kPairs + i];
          }
        }
      }
    }
    d_b1[c] = static_cast<T>(bias);
    for (std::int64_t n = 0; n < kImageChannels * area; ++n) {
      d_w1[c * kImageChannels * area + n] = static_cast<T>(inner[static_cast<std::size_t>(n)]);
    }
  }
}

template std::vector<double> Fold::table(const AugmentWeights<float>&) const;
template std::vector<double> Fold::table(const AugmentWeights<double>&) const;
template void Fold::unfold(const double*, const AugmentWeights<float>&, float*, float*, float*, float*) const;
template void Fold::unfold(const double*, const AugmentWeights<double>&, double*, double*, double*, double*) const;

}  // namespace forensic
