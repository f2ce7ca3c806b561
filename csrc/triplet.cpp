// Orchestration of the triplet loss: sorting by class, the hardest pairs of each anchor, and the order of sums.
#include "triplet.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "dispatch.h"
#include "parallel.h"
#include "triplet_kernel.h"

namespace forensic {

FORENSIC_EACH_LEVEL(extern const TripletLoops<float> triplet_loops_f32;
                    extern const TripletLoops<double> triplet_loops_f64;)

namespace {

constexpr double kClamp = 1e-12;              // least squared distance
constexpr std::int64_t kListedPerAnchor = 8;  // chosen pairs kept on average; beyond, strips are computed again

template <typename T>
const TripletLoops<T>& loops();
template <>
const TripletLoops<float>& loops<float>() {
  return *FORENSIC_AT_LEVEL(triplet_loops_f32);
}
template <>
const TripletLoops<double>& loops<double>() {
  return *FORENSIC_AT_LEVEL(triplet_loops_f64);
}

// The batch, sorted by class (stable), rows padded with zeros.
template <typename T>
struct Batch {
  std::int64_t rows, width, padded;
  std::vector<std::int64_t> order;        // place in the caller's batch
  std::vector<std::int64_t> first, last;  // each row's class is [first, last)
  std::vector<T> z, norms;
};

// What one anchor chose.
template <typename T>
struct Hardest {
  T positive, negative;                       // distances, ap and an
  std::int64_t positives = 0, negatives = 0;  // how many entries reach them
  T pull = 0, push = 0;  // derivative of the loss with respect to each tied positive and negative distance
};

template <typename T>
Batch<T> sorted_batch(std::int64_t rows, std::int64_t width, const T* z, std::int64_t row_stride,
                      std::int64_t column_stride, const std::int64_t* labels, std::int64_t label_stride) {
  Batch<T> batch;
  const auto count = static_cast<std::size_t>(rows);
  batch.rows = rows;
  batch.width = width;
  batch.padded = std::max<std::int64_t>(1, (width + kEmbeddingUnit - 1) / kEmbeddingUnit) * kEmbeddingUnit;
  batch.order.resize(count);
  std::iota(batch.order.begin(), batch.order.end(), std::int64_t{0});
  const auto label = [&](std::int64_t n) { return labels[n * label_stride]; };
  std::stable_sort(batch.order.begin(), batch.order.end(),
                   [&](std::int64_t a, std::int64_t b) { return label(a) < label(b); });
  batch.first.resize(count);
  batch.last.resize(count);
  for (std::size_t start = 0; start < count;) {
    std::size_t stop = start;
    while (stop < count && label(batch.order[stop]) == label(batch.order[start])) ++stop;
    for (std::size_t n = start; n < stop; ++n) {
      batch.first[n] = static_cast<std::int64_t>(start);
      batch.last[n] = static_cast<std::int64_t>(stop);
    }
    start = stop;
  }
  batch.z.assign(count * static_cast<std::size_t>(batch.padded), T(0));
  batch.norms.resize(count);
  for (std::size_t n = 0; n < count; ++n) {
    const T* source = z + batch.order[n] * row_stride;
    T* row = batch.z.data() + n * static_cast<std::size_t>(batch.padded);
    for (std::int64_t d = 0; d < width; ++d) row[d] = source[d * column_stride];
    batch.norms[n] = loops<T>().norm(row, batch.padded);
  }
  return batch;
}

// Distances of up to kAnchors anchors to all rows. `gaps` keeps what the clamp and the root hide.
template <typename T>
class Strip {
 public:
  Strip(const Batch<T>& batch, bool squared)
      : batch_(batch),
        squared_(squared),
        pitch_(batch.rows),
        gaps_(static_cast<std::size_t>(kAnchors * batch.rows)),
        distances_(static_cast<std::size_t>(batch.rows)) {}

  void compute(std::int64_t first, std::int64_t anchors) {
    loops<T>().gaps(batch_.z.data(), batch_.padded, batch_.rows, batch_.norms.data(), first, anchors, gaps_.data(),
                    pitch_);
    for (std::int64_t a = 0; a < anchors; ++a) gaps_[static_cast<std::size_t>(a * pitch_ + first + a)] = T(0);
  }
  // Distances of anchor `a` of the strip; valid until the next call.
  const T* distances(std::int64_t a) {
    const T* gap = gaps_.data() + a * pitch_;
    const T least = static_cast<T>(kClamp);
    for (std::int64_t j = 0; j < batch_.rows; ++j) {
      const T clamped = gap[j] < least ? least : gap[j];  // a NaN stays
      distances_[static_cast<std::size_t>(j)] = squared_ ? clamped : std::sqrt(clamped);
    }
    return distances_.data();
  }
  // Whether the distance moves with the embeddings.
  bool passes(std::int64_t a, std::int64_t j) const {
    return gaps_[static_cast<std::size_t>(a * pitch_ + j)] >= static_cast<T>(kClamp);
  }

 private:
  const Batch<T>& batch_;
  bool squared_;
  std::int64_t pitch_;
  std::vector<T> gaps_, distances_;
};

// d(distance)/dz = slope * (z_i - z_j)
template <typename T>
T slope(T distance, bool squared) {
  return squared ? T(2) : T(1) / distance;
}

// A pair that an anchor chose and that passes a gradient.
template <typename T>
struct Pair {
  std::int64_t anchor, other;
  T slope;
  bool positive;
};

// Largest of d[first, last), or NaN if there is one.
template <typename T>
T largest(const T* d, std::int64_t first, std::int64_t last, T start) {
  bool has_nan = false;
  for (std::int64_t j = first; j < last; ++j) {
    has_nan |= std::isnan(d[j]);
    start = d[j] > start ? d[j] : start;
  }
  return has_nan ? std::numeric_limits<T>::quiet_NaN() : start;
}

template <typename T>
T smallest(const T* d, std::int64_t first, std::int64_t last, T start) {
  if (std::isnan(start)) return start;
  bool has_nan = false;
  for (std::int64_t j = first; j < last; ++j) {
    has_nan |= std::isnan(d[j]);
    start = d[j] < start ? d[j] : start;
  }
  return has_nan ? std::numeric_limits<T>::quiet_NaN() : start;
}

// What the forward pass leaves of one strip of anchors.
template <typename T>
struct StripPairs {
  std::vector<Pair<T>> pairs;
  bool whole = true;  // false: too many ties, pairs are not listed
};

template <typename T>
void choose(const Batch<T>& batch, Strip<T>& strip, std::int64_t a, std::int64_t i, bool squared, bool list,
            Hardest<T>& hardest, StripPairs<T>& found) {
  constexpr T infinity = std::numeric_limits<T>::infinity();
  const T* d = strip.distances(a);
  const auto n = static_cast<std::size_t>(i);
  const std::int64_t first = batch.first[n], last = batch.last[n];
  hardest.positive = largest(d, first, last, -infinity);
  hardest.negative = smallest(d, last, batch.rows, smallest(d, 0, first, infinity));
  if (!list) return;
  const auto visit = [&](std::int64_t from, std::int64_t to, T value, bool positive, std::int64_t& count) {
    for (std::int64_t j = from; j < to; ++j) {
      if (d[j] != value) continue;
      ++count;
      if (!found.whole || !strip.passes(a, j)) continue;
      if (static_cast<std::int64_t>(found.pairs.size()) >= kAnchors * kListedPerAnchor) {
        found.whole = false;
        continue;
      }
      found.pairs.push_back({i, j, slope(d[j], squared), positive});
    }
  };
  visit(first, last, hardest.positive, true, hardest.positives);
  if (first == 0 && last == batch.rows) return;  // no negative
  visit(0, first, hardest.negative, false, hardest.negatives);
  visit(last, batch.rows, hardest.negative, false, hardest.negatives);
}

// Each row's pairs, its own and those in which others chose it, in the order of the anchors.
template <typename T>
void sum_listed(const Batch<T>& batch, const std::vector<StripPairs<T>>& strips, const std::vector<Hardest<T>>& hardest,
                T* gradient, int threads) {
  struct Entry {
    std::int64_t other;
    T weight;
  };
  std::vector<std::int64_t> start(static_cast<std::size_t>(batch.rows + 1), 0);
  for (const StripPairs<T>& strip : strips) {
    for (const Pair<T>& pair : strip.pairs) {
      ++start[static_cast<std::size_t>(pair.anchor + 1)];
      ++start[static_cast<std::size_t>(pair.other + 1)];
    }
  }
  std::partial_sum(start.begin(), start.end(), start.begin());
  std::vector<Entry> entries(static_cast<std::size_t>(start.back()));
  std::vector<std::int64_t> place(start.begin(), start.end() - 1);
  for (const StripPairs<T>& strip : strips) {
    for (const Pair<T>& pair : strip.pairs) {
      const Hardest<T>& chosen = hardest[static_cast<std::size_t>(pair.anchor)];
      const T weight = (pair.positive ? chosen.pull : chosen.push) * pair.slope;
      entries[static_cast<std::size_t>(place[static_cast<std::size_t>(pair.anchor)]++)] = {pair.other, weight};
      entries[static_cast<std::size_t>(place[static_cast<std::size_t>(pair.other)]++)] = {pair.anchor, weight};
    }
  }
  const std::int64_t blocks = (batch.rows + kAnchors - 1) / kAnchors;
  for_each_block(threads, blocks, [&](std::int64_t block) {
    std::vector<T> sum(static_cast<std::size_t>(batch.padded));
    for (std::int64_t i = block * kAnchors; i < std::min(batch.rows, (block + 1) * kAnchors); ++i) {
      std::fill(sum.begin(), sum.end(), T(0));
      const T* row = batch.z.data() + i * batch.padded;
      for (std::int64_t n = start[static_cast<std::size_t>(i)]; n < start[static_cast<std::size_t>(i + 1)]; ++n) {
        const Entry& entry = entries[static_cast<std::size_t>(n)];
        if (entry.weight == T(0)) continue;  // of an anchor whose hinge is shut
        loops<T>().add_difference(row, batch.z.data() + entry.other * batch.padded, entry.weight, batch.padded,
                                  sum.data());
      }
      std::copy_n(sum.begin(), batch.width, gradient + batch.order[static_cast<std::size_t>(i)] * batch.width);
    }
  });
}

// The same sums where ties chose too many pairs to list: d(i, j) = d(j, i) bit for bit, so that the strip of row i
// shows which anchors chose i as well as what i chose.
template <typename T>
void sum_again(const Batch<T>& batch, const std::vector<Hardest<T>>& hardest, bool squared, T* gradient, int threads) {
  const std::int64_t blocks = (batch.rows + kAnchors - 1) / kAnchors;
  for_each_block(threads, blocks, [&](std::int64_t block) {
    Strip<T> strip(batch, squared);
    std::vector<T> sum(static_cast<std::size_t>(batch.padded));
    const std::int64_t begin = block * kAnchors, end = std::min(batch.rows, begin + kAnchors);
    strip.compute(begin, end - begin);
    for (std::int64_t i = begin; i < end; ++i) {
      std::fill(sum.begin(), sum.end(), T(0));
      const T* d = strip.distances(i - begin);
      const auto n = static_cast<std::size_t>(i);
      const Hardest<T>& mine = hardest[n];
      for (std::int64_t j = 0; j < batch.rows; ++j) {
        if (!strip.passes(i - begin, j)) continue;
        const Hardest<T>& theirs = hardest[static_cast<std::size_t>(j)];
        const bool positive = j >= batch.first[n] && j < batch.last[n];
        T weight = 0;
        if (d[j] == (positive ? mine.positive : mine.negative)) weight += positive ? mine.pull : mine.push;
        if (d[j] == (positive ? theirs.positive : theirs.negative)) weight += positive ? theirs.pull : theirs.push;
        if (weight == T(0)) continue;
        loops<T>().add_difference(batch.z.data() + i * batch.padded, batch.z.data() + j * batch.padded,
                                  weight * slope(d[j], squared), batch.padded, sum.data());
      }
      std::copy_n(sum.begin(), batch.width, gradient + batch.order[n] * batch.width);
    }
  });
}

}  // namespace

template <typename T>
void batch_hard_triplet(std::int64_t rows, std::int64_t width, const T* z, std::int64_t row_stride,
                        std::int64_t column_stride, const std::int64_t* labels, std::int64_t label_stride,
                        const TripletOptions& options, T* loss, T* gradient, int threads) {
  *loss = T(0);
  if (rows == 0) return;
  const Batch<T> batch = sorted_batch(rows, width, z, row_stride, column_stride, labels, label_stride);
  const std::int64_t blocks = (rows + kAnchors - 1) / kAnchors;
  std::vector<Hardest<T>> hardest(static_cast<std::size_t>(rows));
  std::vector<StripPairs<T>> strips(static_cast<std::size_t>(blocks));
  for_each_block(threads, blocks, [&](std::int64_t block) {
    Strip<T> strip(batch, options.squared);
    const std::int64_t begin = block * kAnchors, end = std::min(rows, begin + kAnchors);
    strip.compute(begin, end - begin);
    for (std::int64_t i = begin; i < end; ++i) {
      choose(batch, strip, i - begin, i, options.squared, gradient != nullptr, hardest[static_cast<std::size_t>(i)],
             strips[static_cast<std::size_t>(block)]);
    }
  });

  double total = 0.0;
  const double share = options.mean ? 1.0 / static_cast<double>(rows) : 1.0;
  const T margin = static_cast<T>(options.margin);
  for (Hardest<T>& anchor : hardest) {
    const T hinge = anchor.positive - anchor.negative + margin;
    total += hinge < T(0) ? 0.0 : static_cast<double>(hinge);  // a NaN stays
    if (gradient == nullptr || !(hinge >= T(0))) continue;
    if (anchor.positives > 0) anchor.pull = static_cast<T>(share / static_cast<double>(anchor.positives));
    if (anchor.negatives > 0) anchor.push = static_cast<T>(-share / static_cast<double>(anchor.negatives));
  }
  *loss = static_cast<T>(options.mean ? total / static_cast<double>(rows) : total);
  if (gradient == nullptr) return;
  if (std::isnan(*loss)) {
    std::fill(gradient, gradient + rows * width, std::numeric_limits<T>::quiet_NaN());
    return;
  }
  const bool listed = std::all_of(strips.begin(), strips.end(), [](const StripPairs<T>& strip) { return strip.whole; });
  if (listed) {
    sum_listed(batch, strips, hardest, gradient, threads);
  } else {
    sum_again(batch, hardest, options.squared, gradient, threads);
  }
}

template void batch_hard_triplet(std::int64_t, std::int64_t, const float*, std::int64_t, std::int64_t,
                                 const std::int64_t*, std::int64_t, const TripletOptions&, float*, float*, int);
template void batch_hard_triplet(std::int64_t, std::int64_t, const double*, std::int64_t, std::int64_t,
                                 const std::int64_t*, std::int64_t, const TripletOptions&, double*, double*, int);

}  // namespace forensic
