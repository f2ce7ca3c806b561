// Orchestration of the triplet loss: sorting by class, the hardest pairs of each anchor, and the order of sums.
#include "triplet.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <new>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "dispatch.h"
#include "parallel.h"
#include "scratch.h"
#include "triplet_kernel.h"

namespace forensic {

FORENSIC_EACH_LEVEL(extern const TripletLoops<float> triplet_loops_f32;
                    extern const TripletLoops<double> triplet_loops_f64;)

namespace {

constexpr double kClamp = 1e-12;              // least squared distance
constexpr std::int64_t kListedPerAnchor = 8;  // chosen pairs kept on average; beyond, gaps are looked through again
constexpr std::int64_t kWholeRows = 1024;     // up to here all gaps are kept, and one triangle of them is computed

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

// Memory that is written before it is read.
template <typename T>
class Buffer {
 public:
  explicit Buffer(std::int64_t count)
      : data_(static_cast<T*>(::operator new(static_cast<std::size_t>(count) * sizeof(T), kAlignment))) {}
  T* operator+(std::int64_t n) const { return data_.get() + n; }

 private:
  static constexpr std::align_val_t kAlignment{64};
  struct Release {
    void operator()(T* data) const { ::operator delete(data, kAlignment); }
  };
  std::unique_ptr<T, Release> data_;
};

// The batch as the caller has it, its rows sorted by class (stable), and in this order packed into panels.
template <typename T>
struct Batch {
  const TripletLoops<T>& code;              // one level from beginning to end, whatever another thread sets
  std::int64_t rows, width, panels, pitch;  // pitch: rows with those that fill the last panel
  const T* z;
  std::int64_t row_stride, column_stride;
  std::vector<std::int64_t> order;        // place in the caller's batch
  std::vector<std::int64_t> first, last;  // each row's class is [first, last)
  Buffer<T> packed, norms;

  const T* row(std::int64_t n) const { return z + order[static_cast<std::size_t>(n)] * row_stride; }
  const T* panel(std::int64_t p) const { return packed + p * code.panel_rows * width; }
  std::int64_t rows_of(std::int64_t p) const { return std::min<std::int64_t>(code.panel_rows, rows - first_of(p)); }
  std::int64_t first_of(std::int64_t p) const { return p * code.panel_rows; }
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
  const TripletLoops<T>& code = loops<T>();
  const std::int64_t unit = code.panel_rows, panels = (rows + unit - 1) / unit, pitch = panels * unit;
  Batch<T> batch{code,
                 rows,
                 width,
                 panels,
                 pitch,
                 z,
                 row_stride,
                 column_stride,
                 {},
                 {},
                 {},
                 Buffer<T>(pitch * width),
                 Buffer<T>(pitch)};
  const auto count = static_cast<std::size_t>(rows);
  std::vector<std::pair<std::int64_t, std::int64_t>> labelled(count);
  for (std::int64_t n = 0; n < rows; ++n) labelled[static_cast<std::size_t>(n)] = {labels[n * label_stride], n};
  std::sort(labelled.begin(), labelled.end());
  batch.order.resize(count);
  batch.first.resize(count);
  batch.last.resize(count);
  for (std::size_t start = 0; start < count;) {
    std::size_t stop = start;
    while (stop < count && labelled[stop].first == labelled[start].first) ++stop;
    for (std::size_t n = start; n < stop; ++n) {
      batch.order[n] = labelled[n].second;
      batch.first[n] = static_cast<std::int64_t>(start);
      batch.last[n] = static_cast<std::int64_t>(stop);
    }
    start = stop;
  }
  return batch;
}

// What the clamp and the root make of a gap, which is a squared distance; a NaN stays.
template <typename T>
T distance_of(T gap, bool squared) {
  const T least = static_cast<T>(kClamp);
  const T clamped = gap < least ? least : gap;
  return squared ? clamped : std::sqrt(clamped);
}

// Whether a distance moves with the embeddings.
template <typename T>
bool passes(T gap) {
  return gap >= static_cast<T>(kClamp);
}

// d(distance)/dz = slope * (z_i - z_j)
template <typename T>
T slope(T distance, bool squared) {
  return squared ? T(2) : T(1) / distance;
}

// Gaps of all rows of panel `p` to all rows.
template <typename T>
void fill_strip(const Batch<T>& batch, std::int64_t p, T* strip) {
  const TripletLoops<T>& code = batch.code;
  const std::int64_t begin = batch.first_of(p);
  for (std::int64_t q = 0; q < batch.panels; ++q) {
    for (std::int64_t row = 0; row < code.panel_rows; row += code.group) {
      code.gaps(batch.panel(p) + row, batch.panel(q), batch.width, batch.norms + begin + row,
                batch.norms + batch.first_of(q), strip + row * batch.pitch + batch.first_of(q), batch.pitch);
    }
  }
  for (std::int64_t row = 0; row < batch.rows_of(p); ++row) strip[row * batch.pitch + begin + row] = T(0);
}

// A pair that an anchor chose and that passes a gradient.
template <typename T>
struct Pair {
  std::int64_t anchor, other;
  T slope;
  bool positive;
};

// What the forward pass leaves of one panel of anchors.
template <typename T>
struct PanelPairs {
  std::vector<Pair<T>> pairs;
  bool whole = true;  // false: too many ties, pairs are not listed
};

// A gap whose distance may be that of `gap`, on the side of zero or on the other: the root maps a few to one value.
template <typename T>
T tied_bound(T gap, bool squared, bool below) {
  const T least = static_cast<T>(kClamp);
  if (below && gap <= least) return -std::numeric_limits<T>::infinity();
  const T clamped = gap < least ? least : gap;
  if (squared) return clamped;
  const T slack = T(8) * std::numeric_limits<T>::epsilon();
  return clamped * (below ? T(1) - slack : T(1) + slack);
}

// The hardest positive and negative of anchor `i`, whose gaps are `row`.
template <typename T>
void choose(const Batch<T>& batch, const T* row, std::int64_t i, bool squared, bool list, Hardest<T>& hardest,
            PanelPairs<T>& found) {
  const TripletLoops<T>& code = batch.code;
  constexpr T infinity = std::numeric_limits<T>::infinity();
  const auto n = static_cast<std::size_t>(i);
  const std::int64_t first = batch.first[n], last = batch.last[n];
  T farthest = -infinity, nearest = infinity, unused = 0;
  bool has_nan = code.extremes(row + first, last - first, &farthest, &unused);
  has_nan |= code.extremes(row, first, &unused, &nearest);
  has_nan |= code.extremes(row + last, batch.rows - last, &unused, &nearest);
  if (has_nan) {
    hardest.positive = hardest.negative = std::numeric_limits<T>::quiet_NaN();
    return;
  }
  hardest.positive = distance_of(farthest, squared);
  hardest.negative = distance_of(nearest, squared);
  if (!list) return;
  std::int64_t* places = Scratch::of<std::int64_t>(static_cast<std::size_t>(batch.rows));
  const auto keep = [&](std::int64_t count, std::int64_t start, T value, bool positive, std::int64_t& reached) {
    for (std::int64_t m = 0; m < count; ++m) {
      const std::int64_t j = start + places[m];
      if (distance_of(row[j], squared) != value) continue;
      ++reached;
      if (!found.whole || !passes(row[j])) continue;
      if (static_cast<std::int64_t>(found.pairs.size()) >= code.panel_rows * kListedPerAnchor) {
        found.whole = false;
        continue;
      }
      found.pairs.push_back({i, j, slope(value, squared), positive});
    }
  };
  const T high = tied_bound(farthest, squared, true), low = tied_bound(nearest, squared, false);
  keep(code.at_least(row + first, last - first, high, places), first, hardest.positive, true, hardest.positives);
  keep(code.at_most(row, first, low, places), 0, hardest.negative, false, hardest.negatives);
  keep(code.at_most(row + last, batch.rows - last, low, places), last, hardest.negative, false, hardest.negatives);
}

// The loss, and what each anchor passes on.
template <typename T>
T total_loss(const TripletOptions& options, std::vector<Hardest<T>>& hardest) {
  double total = 0.0;
  const double rows = static_cast<double>(hardest.size()), share = options.mean ? 1.0 / rows : 1.0;
  const T margin = static_cast<T>(options.margin);
  for (Hardest<T>& anchor : hardest) {
    const T hinge = anchor.positive - anchor.negative + margin;
    total += hinge < T(0) ? 0.0 : static_cast<double>(hinge);  // a NaN stays
    if (!(hinge >= T(0))) continue;
    if (anchor.positives > 0) anchor.pull = static_cast<T>(share / static_cast<double>(anchor.positives));
    if (anchor.negatives > 0) anchor.push = static_cast<T>(-share / static_cast<double>(anchor.negatives));
  }
  return static_cast<T>(options.mean ? total / rows : total);
}

// The terms of each row's gradient: its own pairs and those in which others chose it, in the order of the anchors.
template <typename T>
struct TermsByRow {
  std::vector<std::size_t> start;
  std::vector<TripletTerm<T>> terms;
};

template <typename T>
TermsByRow<T> by_row(const Batch<T>& batch, const std::vector<PanelPairs<T>>& found,
                     const std::vector<Hardest<T>>& hardest) {
  const auto for_each_end = [&](auto&& visit) {
    for (const PanelPairs<T>& panel : found) {
      for (const Pair<T>& pair : panel.pairs) {
        const Hardest<T>& chosen = hardest[static_cast<std::size_t>(pair.anchor)];
        const T weight = (pair.positive ? chosen.pull : chosen.push) * pair.slope;
        if (weight == T(0)) continue;  // of an anchor whose hinge is shut
        visit(static_cast<std::size_t>(pair.anchor), pair.other, weight);
        visit(static_cast<std::size_t>(pair.other), pair.anchor, weight);
      }
    }
  };
  TermsByRow<T> out;
  out.start.assign(hardest.size() + 1, 0);
  for_each_end([&](std::size_t row, std::int64_t, T) { ++out.start[row + 1]; });
  std::partial_sum(out.start.begin(), out.start.end(), out.start.begin());
  out.terms.resize(out.start.back());
  std::vector<std::size_t> place(out.start.begin(), out.start.end() - 1);
  for_each_end([&](std::size_t row, std::int64_t other, T weight) {
    out.terms[place[row]++] = {batch.row(other), weight};
  });
  return out;
}

// The same of row `i` alone, where ties chose too many pairs to list: d(i, j) = d(j, i) bit for bit, so that the gaps
// of row i show which anchors chose i as well as what i chose.
template <typename T>
void terms_again(const Batch<T>& batch, const std::vector<Hardest<T>>& hardest, const T* row, std::int64_t i,
                 bool squared, std::vector<TripletTerm<T>>& terms) {
  const auto n = static_cast<std::size_t>(i);
  const Hardest<T>& mine = hardest[n];
  terms.clear();
  for (std::int64_t j = 0; j < batch.rows; ++j) {
    if (!passes(row[j])) continue;
    const T distance = distance_of(row[j], squared);
    const Hardest<T>& theirs = hardest[static_cast<std::size_t>(j)];
    const bool positive = j >= batch.first[n] && j < batch.last[n];
    T weight = 0;
    if (distance == (positive ? mine.positive : mine.negative)) weight += positive ? mine.pull : mine.push;
    if (distance == (positive ? theirs.positive : theirs.negative)) weight += positive ? theirs.pull : theirs.push;
    if (weight != T(0)) terms.push_back({batch.row(j), weight * slope(distance, squared)});
  }
}

// All gaps of a small batch: one triangle of panels is computed and mirrored.
template <typename T>
class Gaps {
 public:
  explicit Gaps(const Batch<T>& batch) : batch_(batch), all_(batch.pitch * batch.pitch) {
    for (std::int64_t p = 0; p < batch.panels; ++p) {
      for (std::int64_t q = p; q < batch.panels; ++q) tiles_.emplace_back(p, q);
    }
  }
  std::int64_t units() const { return static_cast<std::int64_t>(tiles_.size()) * groups(); }
  void compute(std::int64_t unit) {
    const TripletLoops<T>& code = batch_.code;
    const auto [p, q] = tiles_[static_cast<std::size_t>(unit / groups())];
    const std::int64_t row = unit % groups() * code.group, top = batch_.first_of(p) + row, left = batch_.first_of(q);
    T* tile = all_ + top * batch_.pitch + left;
    code.gaps(batch_.panel(p) + row, batch_.panel(q), batch_.width, batch_.norms + top, batch_.norms + left, tile,
              batch_.pitch);
    if (p == q) {
      for (std::int64_t r = 0; r < code.group; ++r) tile[r * batch_.pitch + row + r] = T(0);
      return;
    }
    T* mirror = all_ + left * batch_.pitch + top;
    for (std::int64_t c = 0; c < code.panel_rows; ++c) {
      for (std::int64_t r = 0; r < code.group; ++r) mirror[c * batch_.pitch + r] = tile[r * batch_.pitch + c];
    }
  }
  T* strip(std::int64_t p) const { return all_ + batch_.first_of(p) * batch_.pitch; }

 private:
  std::int64_t groups() const { return batch_.code.panel_rows / batch_.code.group; }
  const Batch<T>& batch_;
  Buffer<T> all_;
  std::vector<std::pair<std::int64_t, std::int64_t>> tiles_;
};

}  // namespace

template <typename T>
void batch_hard_triplet(std::int64_t rows, std::int64_t width, const T* z, std::int64_t row_stride,
                        std::int64_t column_stride, const std::int64_t* labels, std::int64_t label_stride,
                        const TripletOptions& options, T* loss, T* gradient, int threads) {
  *loss = T(0);
  if (rows == 0) return;
  const Batch<T> batch = sorted_batch(rows, width, z, row_stride, column_stride, labels, label_stride);
  const TripletLoops<T>& code = batch.code;
  std::optional<Gaps<T>> gaps;
  if (rows <= kWholeRows) gaps.emplace(batch);
  const auto strip_of = [&](std::int64_t p) {
    if (gaps) return gaps->strip(p);
    T* strip = Scratch::of<T>(static_cast<std::size_t>(code.panel_rows * batch.pitch));
    fill_strip(batch, p, strip);
    return strip;
  };
  std::vector<Hardest<T>> hardest(static_cast<std::size_t>(rows));
  std::vector<PanelPairs<T>> found(static_cast<std::size_t>(batch.panels));
  bool listed = true;
  TermsByRow<T> pairs;

  const auto choose_panel = [&](std::int64_t p) {
    const T* strip = strip_of(p);
    for (std::int64_t r = 0; r < batch.rows_of(p); ++r) {
      const std::int64_t i = batch.first_of(p) + r;
      choose(batch, strip + r * batch.pitch, i, options.squared, gradient != nullptr,
             hardest[static_cast<std::size_t>(i)], found[static_cast<std::size_t>(p)]);
    }
  };
  const auto sum_up = [&] {
    *loss = total_loss(options, hardest);
    listed = std::all_of(found.begin(), found.end(), [](const PanelPairs<T>& panel) { return panel.whole; });
    if (gradient != nullptr && listed && !std::isnan(*loss)) pairs = by_row(batch, found, hardest);
  };
  const auto gradient_of_panel = [&](std::int64_t p) {
    const bool spoilt = std::isnan(*loss);
    const T* strip = listed || spoilt ? nullptr : strip_of(p);
    std::vector<TripletTerm<T>> again;
    for (std::int64_t r = 0; r < batch.rows_of(p); ++r) {
      const std::int64_t i = batch.first_of(p) + r;
      const auto n = static_cast<std::size_t>(i);
      T* to = gradient + batch.order[n] * width;
      if (spoilt) {
        std::fill_n(to, width, std::numeric_limits<T>::quiet_NaN());
        continue;
      }
      if (!listed) terms_again(batch, hardest, strip + r * batch.pitch, i, options.squared, again);
      const TripletTerm<T>* from = listed ? pairs.terms.data() + pairs.start[n] : again.data();
      const std::size_t count = listed ? pairs.start[n + 1] - pairs.start[n] : again.size();
      code.sum_differences(batch.row(i), from, static_cast<std::ptrdiff_t>(count), column_stride, width, to);
    }
  };
  const std::vector<std::int64_t> stages = {batch.panels, gaps ? gaps->units() : 0, batch.panels, 1,
                                            gradient != nullptr ? batch.panels : 0};
  for_each_stage(threads, stages, [&](std::size_t stage, std::int64_t block) {
    if (stage == 0) {
      code.pack(z, row_stride, column_stride, batch.order.data() + batch.first_of(block), batch.rows_of(block), width,
                batch.packed + block * code.panel_rows * width, batch.norms + batch.first_of(block));
    } else if (stage == 1) {
      gaps->compute(block);
    } else if (stage == 2) {
      choose_panel(block);
    } else if (stage == 3) {
      sum_up();
    } else {
      gradient_of_panel(block);
    }
  });
}

template void batch_hard_triplet(std::int64_t, std::int64_t, const float*, std::int64_t, std::int64_t,
                                 const std::int64_t*, std::int64_t, const TripletOptions&, float*, float*, int);
template void batch_hard_triplet(std::int64_t, std::int64_t, const double*, std::int64_t, std::int64_t,
                                 const std::int64_t*, std::int64_t, const TripletOptions&, double*, double*, int);

}  // namespace forensic
