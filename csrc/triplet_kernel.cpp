// Inner loops of the triplet loss. Compiled once for each instruction set level.
// Products: lanes are neighbouring embeddings of one panel, the other panel's are broadcast, so that no sum runs across
// lanes. A tile of kGroup x 3 vectors keeps its sums in registers; with them a vector of the panel is loaded once for
// kGroup products. Each pair is one chain of sums in the order of the coordinates, whatever its place in a tile, so
// that d(i, j) and d(j, i) have the same bits, and a product of equal rows those of their norm.
#include "triplet_kernel.h"

#include "lanes.h"
#include "wide.h"

namespace forensic {
namespace FORENSIC_LEVEL {
namespace {

inline constexpr std::ptrdiff_t kVectors = 3;
#if defined(FORENSIC_LEVEL_avx512)
inline constexpr std::ptrdiff_t kGroup = 8;  // 24 sums of 32 registers
#elif defined(FORENSIC_LEVEL_avx2)
inline constexpr std::ptrdiff_t kGroup = 4;  // 12 of 16
#else
inline constexpr std::ptrdiff_t kGroup = 3;  // 9 of 16: a product needs a register of its own
#endif
inline constexpr std::ptrdiff_t kChain = 256;  // products in one chain; chains are added up beside it

template <typename T>
inline constexpr std::ptrdiff_t kPanel = kVectors* Lanes<T>::count;

template <typename T>
void norms_of(const T* panel, std::ptrdiff_t width, T* norms) {
  using L = Lanes<T>;
  for (std::ptrdiff_t v = 0; v < kVectors; ++v) {
    L total = L::all(T(0));
    for (std::ptrdiff_t start = 0; start < width; start += kChain) {
      const std::ptrdiff_t stop = start + kChain < width ? start + kChain : width;
      L sum = L::all(T(0));
      for (std::ptrdiff_t d = start; d < stop; ++d) {
        const L one = L::load(panel + d * kPanel<T> + v * L::count);
        sum.add_product(one, one);
      }
      total.add(sum);
    }
    total.store(norms + v * L::count);
  }
}

// Columns [0, width) of `Lanes` rows, one below the other in a panel.
template <typename T>
void pack(const T* z, std::ptrdiff_t row_stride, std::ptrdiff_t column_stride, const std::int64_t* order,
          std::ptrdiff_t count, std::ptrdiff_t width, T* panel, T* norms) {
  constexpr std::ptrdiff_t lanes = kLanes<T>;
  for (std::ptrdiff_t v = 0; v < kPanel<T>; v += lanes) {
    const T* rows[lanes];
    std::ptrdiff_t some = 0;
    for (; some < lanes && v + some < count; ++some) rows[some] = z + order[v + some] * row_stride;
    std::ptrdiff_t d = 0;
    if (column_stride == 1) {
      for (; d + lanes <= width; d += lanes) {
        Wide<T> block[lanes];
        for (std::ptrdiff_t n = 0; n < lanes; ++n) block[n] = n < some ? load(rows[n] + d) : Wide<T>{};
        transpose<static_cast<int>(lanes)>(block);
        for (std::ptrdiff_t n = 0; n < lanes; ++n) store(panel + (d + n) * kPanel<T> + v, block[n]);
      }
    }
    for (; d < width; ++d) {
      T* to = panel + d * kPanel<T> + v;
      for (std::ptrdiff_t n = 0; n < lanes; ++n) to[n] = n < some ? rows[n][d * column_stride] : T(0);
    }
  }
  norms_of(panel, width, norms);
}

template <typename T>
void gaps(const T* a, const T* b, std::ptrdiff_t width, const T* norms_a, const T* norms_b, T* out,
          std::ptrdiff_t pitch) {
  using L = Lanes<T>;
  L totals[kGroup][kVectors];
  for (std::ptrdiff_t r = 0; r < kGroup; ++r) {
    for (std::ptrdiff_t v = 0; v < kVectors; ++v) totals[r][v] = L::all(T(0));
  }
  for (std::ptrdiff_t start = 0; start < width; start += kChain) {
    const std::ptrdiff_t stop = start + kChain < width ? start + kChain : width;
    L sums[kGroup][kVectors];
#pragma GCC unroll 8
    for (std::ptrdiff_t r = 0; r < kGroup; ++r) {
#pragma GCC unroll 3
      for (std::ptrdiff_t v = 0; v < kVectors; ++v) sums[r][v] = L::all(T(0));
    }
    for (std::ptrdiff_t d = start; d < stop; ++d) {
      const T* left = a + d * kPanel<T>;
      const T* right = b + d * kPanel<T>;
      L others[kVectors];
#pragma GCC unroll 3
      for (std::ptrdiff_t v = 0; v < kVectors; ++v) others[v] = L::load(right + v * L::count);
#pragma GCC unroll 8
      for (std::ptrdiff_t r = 0; r < kGroup; ++r) {
        const L one = L::all(left[r]);
#pragma GCC unroll 3
        for (std::ptrdiff_t v = 0; v < kVectors; ++v) sums[r][v].add_product(one, others[v]);
      }
    }
#pragma GCC unroll 8
    for (std::ptrdiff_t r = 0; r < kGroup; ++r) {
#pragma GCC unroll 3
      for (std::ptrdiff_t v = 0; v < kVectors; ++v) totals[r][v].add(sums[r][v]);
    }
  }
  for (std::ptrdiff_t r = 0; r < kGroup; ++r) {
    T products[kPanel<T>];
    for (std::ptrdiff_t v = 0; v < kVectors; ++v) totals[r][v].store(products + v * L::count);
    for (std::ptrdiff_t c = 0; c < kPanel<T>; ++c) {
      const T twice = products[c] + products[c];  // exact, so a fused subtraction below changes nothing
      out[r * pitch + c] = norms_a[r] + norms_b[c] - twice;
    }
  }
}

// A comparison of vectors gives one with all bits set where it holds.
template <typename Mask>
inline bool any(Mask mask) {
  std::uint64_t words[sizeof(Mask) / 8], all = 0;
  __builtin_memcpy(words, &mask, sizeof(mask));
  for (const std::uint64_t word : words) all |= word;
  return all != 0;
}

template <typename T>
bool extremes(const T* row, std::ptrdiff_t count, T* largest, T* smallest) {
  constexpr std::ptrdiff_t lanes = kLanes<T>;
  T high = *largest, low = *smallest;
  bool has_nan = false;
  std::ptrdiff_t n = 0;
  if (count >= lanes) {
    Wide<T> highs = Wide<T>{} + high, lows = Wide<T>{} + low;
    auto strange = highs != highs;
    for (; n + lanes <= count; n += lanes) {
      const Wide<T> here = load(row + n);
      strange |= here != here;
      highs = here > highs ? here : highs;
      lows = here < lows ? here : lows;
    }
    has_nan = any(strange);
    for (std::ptrdiff_t lane = 0; lane < lanes; ++lane) {
      high = highs[lane] > high ? highs[lane] : high;
      low = lows[lane] < low ? lows[lane] : low;
    }
  }
  for (; n < count; ++n) {
    has_nan |= row[n] != row[n];
    high = row[n] > high ? row[n] : high;
    low = row[n] < low ? row[n] : low;
  }
  *largest = high;
  *smallest = low;
  return has_nan;
}

template <bool Least, typename V>
inline auto reaches(V value, V bound) {
  if constexpr (Least) {
    return value >= bound;
  } else {
    return value <= bound;
  }
}

template <typename T, bool Least>
std::ptrdiff_t places_of(const T* row, std::ptrdiff_t count, T bound, std::int64_t* places) {
  constexpr std::ptrdiff_t lanes = kLanes<T>;
  const Wide<T> bounds = Wide<T>{} + bound;
  std::ptrdiff_t found = 0, n = 0;
  for (; n + lanes <= count; n += lanes) {
    if (!any(reaches<Least>(load(row + n), bounds))) continue;
    for (std::ptrdiff_t m = n; m < n + lanes; ++m) {
      if (reaches<Least>(row[m], bound)) places[found++] = m;
    }
  }
  for (; n < count; ++n) {
    if (reaches<Least>(row[n], bound)) places[found++] = n;
  }
  return found;
}

template <typename T>
void sum_differences(const T* row, const TripletTerm<T>* terms, std::ptrdiff_t count, std::ptrdiff_t stride,
                     std::ptrdiff_t width, T* out) {
  constexpr std::ptrdiff_t lanes = kLanes<T>, vectors = 4;
  std::ptrdiff_t n = 0;
  for (; stride == 1 && n + vectors * lanes <= width; n += vectors * lanes) {
    Wide<T> here[vectors], sums[vectors];
    for (std::ptrdiff_t v = 0; v < vectors; ++v) {
      here[v] = load(row + n + v * lanes);
      sums[v] = Wide<T>{};
    }
    for (std::ptrdiff_t m = 0; m < count; ++m) {
      const T* other = terms[m].other + n;
#pragma GCC unroll 4
      for (std::ptrdiff_t v = 0; v < vectors; ++v) sums[v] += terms[m].weight * (here[v] - load(other + v * lanes));
    }
    for (std::ptrdiff_t v = 0; v < vectors; ++v) store(out + n + v * lanes, sums[v]);
  }
  for (; n < width; ++n) {
    T sum = 0;
    for (std::ptrdiff_t m = 0; m < count; ++m) {
      sum += terms[m].weight * (row[n * stride] - terms[m].other[n * stride]);
    }
    out[n] = sum;
  }
}

template <typename T>
constexpr TripletLoops<T> all_loops() {
  return {kPanel<T>,         kGroup, pack<T>, gaps<T>, extremes<T>, places_of<T, true>, places_of<T, false>,
          sum_differences<T>};
}

}  // namespace

extern const TripletLoops<float> triplet_loops_f32;
extern const TripletLoops<double> triplet_loops_f64;
const TripletLoops<float> triplet_loops_f32 = all_loops<float>();
const TripletLoops<double> triplet_loops_f64 = all_loops<double>();

}  // namespace FORENSIC_LEVEL
}  // namespace forensic
