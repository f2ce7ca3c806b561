// Gradients of the folded augmenter's weights on a device; formula, classes and twin as in augment.h.
//   A block sums G_S and g_S of one set over one share of the images, a thread an entry; shares are added in order in
//   float64, then the chain rule, one thread a weight. No atomics: the same bits at every run. For 3 x 3 kernels the
//   interior, which is nearly everything, has tiles in shared memory and 15 sums a thread.
#include "augment_sizes.cuh"

namespace forensic::cuda {
namespace {

constexpr std::int64_t kPartialEntries = 1 << 22;  // float64 partial sums in the workspace: 32 MiB

// partial[share][set][entry]: sums over the rows of one share of all (image, row), in order. Row sums in T, the rest in
// float64.
template <typename T>
__global__ void correlate(Sizes s, std::int64_t shares, std::int64_t skipped, const T* x, ImageStrides xs, const T* g,
                          ImageStrides gs, double* partial) {
  const std::int64_t share = blockIdx.x, set = blockIdx.y;
  if (set == skipped) return;
  const std::int64_t row_class = set / s.columns.count, column_class = set % s.columns.count;
  const std::int64_t top = s.rows.begin(row_class), height = s.rows.end(row_class) - top;
  const std::int64_t left = s.columns.begin(column_class), right = s.columns.end(column_class);
  const std::int64_t all = s.images * height, border = s.span / 2;
  for (std::int64_t entry = threadIdx.x; entry < s.entries; entry += blockDim.x) {
    const std::int64_t j = entry / 3, o = entry % 3;
    const bool bias = j == s.terms;
    const std::int64_t i = j / (s.span * s.span);
    const std::int64_t dy = j / s.span % s.span - border, dx = j % s.span - border;
    double sum = 0.0;
    for (std::int64_t n = share * all / shares; n < (share + 1) * all / shares; ++n) {
      const std::int64_t image = n / height, row = top + n % height;
      if (!bias && (row + dy < 0 || row + dy >= s.height)) continue;
      const T* up = g + image * gs.image + o * gs.channel + row * gs.row;
      const T* line = x + image * xs.image + i * xs.channel + (row + dy) * xs.row;
      T part = T(0);
      for (std::int64_t column = left; column < right; ++column) {
        const T above = up[column * gs.column];
        if (bias) {
          part += above;
        } else if (column + dx >= 0 && column + dx < s.width) {
          part += above * line[(column + dx) * xs.column];
        }
      }
      sum += static_cast<double>(part);
    }
    partial[(share * s.sets + set) * s.entries + entry] = sum;
  }
}

constexpr int kTileColumns = 64, kCorrelators = 128;

// The interior's sums as `correlate` makes them, span 5 and both sides at least 5: thread (i, dy, row of a tile) adds
// up the five dx of three outputs along its row in T, tiles in float64.
template <typename T>
__global__ void __launch_bounds__(kCorrelators)
    correlate_interior(Sizes s, std::int64_t shares, const T* x, ImageStrides xs, const T* g, ImageStrides gs,
                       double* partial) {
  constexpr int border = kSpan / 2, pitch = kTileColumns + 2 * border, lines = kTileY + 2 * border;
  constexpr int kinds = 3 * kSpan, sums_of = 3 * kSpan;  // (i, dy); (dx, o)
  __shared__ T pixels[3][lines][pitch + 1];
  __shared__ T above[3][kTileY][kTileColumns + 1];
  __shared__ double rows_of[kTileY][sums_of];
  const int thread = static_cast<int>(threadIdx.x), kind = thread / kTileY, line = thread % kTileY;
  const std::int64_t height = s.height - 2, width = s.width - 2;  // radius 1 of two 3 x 3 kernels
  const std::int64_t down = (height + kTileY - 1) / kTileY, across = (width + kTileColumns - 1) / kTileColumns;
  const std::int64_t tiles = s.images * down * across;
  double sums[sums_of] = {};
  for (std::int64_t tile = blockIdx.x * tiles / shares; tile < (blockIdx.x + 1) * tiles / shares; ++tile) {
    const std::int64_t image = tile / (down * across);
    const std::int64_t top = 1 + tile / across % down * kTileY, left = 1 + tile % across * kTileColumns;
    __syncthreads();
    for (int at = thread; at < 3 * lines * pitch; at += kCorrelators) {
      const int i = at / (lines * pitch), l = at / pitch % lines, c = at % pitch;
      const std::int64_t row = top + l - border, column = left + c - border;
      const bool inside = row >= 0 && row < s.height && column >= 0 && column < s.width;
      pixels[i][l][c] = inside ? x[image * xs.image + i * xs.channel + row * xs.row + column * xs.column] : T(0);
    }
    for (int at = thread; at < 3 * kTileY * kTileColumns; at += kCorrelators) {
      const int o = at / (kTileY * kTileColumns), l = at / kTileColumns % kTileY, c = at % kTileColumns;
      const std::int64_t row = top + l, column = left + c;
      const bool inside = row < s.height - 1 && column < s.width - 1;
      above[o][l][c] = inside ? g[image * gs.image + o * gs.channel + row * gs.row + column * gs.column] : T(0);
    }
    __syncthreads();
    T part[sums_of] = {};
    if (kind < kinds) {
      const T* values = pixels[kind / kSpan][line + kind % kSpan];
      T window[kSpan];
#pragma unroll
      for (int dx = 0; dx < kSpan - 1; ++dx) window[dx] = values[dx];
#pragma unroll 4
      for (int c = 0; c < kTileColumns; ++c) {
        window[kSpan - 1] = values[c + kSpan - 1];
#pragma unroll
        for (int o = 0; o < 3; ++o) {
          const T up = above[o][line][c];
#pragma unroll
          for (int dx = 0; dx < kSpan; ++dx) part[3 * dx + o] += up * window[dx];
        }
#pragma unroll
        for (int dx = 0; dx < kSpan - 1; ++dx) window[dx] = window[dx + 1];
      }
    } else {
      for (int c = 0; c < kTileColumns; ++c) {
#pragma unroll
        for (int o = 0; o < 3; ++o) part[o] += above[o][line][c];
      }
    }
#pragma unroll
    for (int n = 0; n < sums_of; ++n) sums[n] += static_cast<double>(part[n]);
  }
  // rows of a tile, in order: a kind at a time goes through shared memory
  const std::int64_t interior = s.rows.radius * s.columns.count + s.columns.radius;
  double* to = partial + (static_cast<std::int64_t>(blockIdx.x) * s.sets + interior) * s.entries;
  for (int now = 0; now <= kinds; ++now) {
    __syncthreads();
    if (kind == now) {
#pragma unroll
      for (int n = 0; n < sums_of; ++n) rows_of[line][n] = sums[n];
    }
    __syncthreads();
    if (thread < (now < kinds ? sums_of : 3)) {
      double sum = 0.0;
      for (int l = 0; l < kTileY; ++l) sum += rows_of[l][thread];
      to[now * sums_of + thread] = sum;
    }
  }
}

__global__ void add_shares(std::int64_t shares, std::int64_t size, double* partial) {
  for (std::int64_t at = first_item(); at < size; at += item_step()) {
    double sum = 0.0;
    for (std::int64_t share = 0; share < shares; ++share) sum += partial[share * size + at];
    partial[at] = sum;
  }
}

// One thread a weight; see Fold::unfold.
template <typename T>
__global__ void unfold(Sizes s, const double* sums, AugmentWeights<T> w, T* d_w1, T* d_b1, T* d_w2, T* d_b2) {
  const std::int64_t k = s.kernel, area = k * k, plane = s.span * s.span, count = 3 * s.hidden * area;
  const auto sum_at = [&](std::int64_t e, std::int64_t j, std::int64_t o) {  // over the sets that e belongs to
    double sum = 0.0;
    for (std::int64_t set = 0; set < s.sets; ++set) {
      if (!s.rows.has(set / s.columns.count, e / k) || !s.columns.has(set % s.columns.count, e % k)) continue;
      sum += sums[set * s.entries + 3 * j + o];
    }
    return sum;
  };
  const auto term = [&](std::int64_t i, std::int64_t e, std::int64_t f) {
    return i * plane + (e / k + f / k) * s.span + e % k + f % k;
  };
  for (std::int64_t at = first_item(); at < 2 * count + s.hidden + 3; at += item_step()) {
    double sum = 0.0;
    if (at < count) {  // d_w2[o, c, e]
      const std::int64_t o = at / (s.hidden * area), c = at / area % s.hidden, e = at % area;
      sum = sum_at(e, s.terms, o) * static_cast<double>(w.b1[c]);
      for (std::int64_t n = 0; n < 3 * area; ++n) {
        sum += sum_at(e, term(n / area, e, n % area), o) * static_cast<double>(w.w1[c * 3 * area + n]);
      }
      d_w2[at] = static_cast<T>(sum);
    } else if (at < 2 * count) {  // d_w1[c, i, f]
      const std::int64_t n = at - count, c = n / (3 * area), i = n / area % 3, f = n % area;
      for (std::int64_t o = 0; o < 3; ++o) {
        for (std::int64_t e = 0; e < area; ++e) {
          sum += sum_at(e, term(i, e, f), o) * static_cast<double>(w.w2[(o * s.hidden + c) * area + e]);
        }
      }
      d_w1[n] = static_cast<T>(sum);
    } else if (at < 2 * count + s.hidden) {  // d_b1[c]
      const std::int64_t c = at - 2 * count;
      for (std::int64_t o = 0; o < 3; ++o) {
        for (std::int64_t e = 0; e < area; ++e) {
          sum += sum_at(e, s.terms, o) * static_cast<double>(w.w2[(o * s.hidden + c) * area + e]);
        }
      }
      d_b1[c] = static_cast<T>(sum);
    } else {
      const std::int64_t o = at - 2 * count - s.hidden;
      for (std::int64_t set = 0; set < s.sets; ++set) sum += sums[set * s.entries + 3 * s.terms + o];
      d_b2[o] = static_cast<T>(sum);
    }
  }
}

std::int64_t shares_of(const Sizes& s) {
  const std::int64_t most =
      std::min<std::int64_t>(512, kPartialEntries / std::max<std::int64_t>(s.sets * s.entries, 1));
  return std::clamp<std::int64_t>(s.images * s.height, 1, std::max<std::int64_t>(most, 1));
}

}  // namespace

template <typename T>
void augment_weight_gradients(const AugmentShape& shape, const T* x, const ImageStrides& x_strides, const T* g,
                              const ImageStrides& g_strides, const AugmentWeights<T>& weights, T* d_w1, T* d_b1,
                              T* d_w2, T* d_b2, Stream stream) {
  const Sizes s(shape);
  const auto on = reinterpret_cast<cudaStream_t>(stream);
  const std::int64_t shares = shares_of(s), size = s.sets * s.entries;
  const DeviceMemory memory(static_cast<std::size_t>(shares * size) * sizeof(double), on);
  double* partial = reinterpret_cast<double*>(memory.data());
  if (size > 0) {
    const dim3 grid(static_cast<unsigned int>(shares), static_cast<unsigned int>(s.sets));
    std::int64_t skipped = -1;
    if (is_common(s)) {
      skipped = s.rows.radius * s.columns.count + s.columns.radius;
      correlate_interior<T>
          <<<static_cast<unsigned int>(shares), kCorrelators, 0, on>>>(s, shares, x, x_strides, g, g_strides, partial);
      check_launch("augment");
    }
    correlate<T><<<grid, kThreads, 0, on>>>(s, shares, skipped, x, x_strides, g, g_strides, partial);
    check_launch("augment");
    add_shares<<<blocks_for(size, kThreads), kThreads, 0, on>>>(shares, size, partial);
    check_launch("augment");
  }
  const std::int64_t outputs = 6 * s.hidden * s.kernel * s.kernel + s.hidden + 3;
  unfold<T><<<blocks_for(outputs, kThreads), kThreads, 0, on>>>(s, partial, weights, d_w1, d_b1, d_w2, d_b2);
  check_launch("augment");
}

#define FORENSIC_INSTANTIATE(T)                                                                        \
  template void augment_weight_gradients(const AugmentShape&, const T*, const ImageStrides&, const T*, \
                                         const ImageStrides&, const AugmentWeights<T>&, T*, T*, T*, T*, Stream);
FORENSIC_INSTANTIATE(float)
FORENSIC_INSTANTIATE(double)
#undef FORENSIC_INSTANTIATE

}  // namespace forensic::cuda
