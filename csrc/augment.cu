// The folded augmenter on a device; formula, classes and twin as in augment.h.
//   fold       one thread an entry of the table of kernels K_S and biases b_S, in float64, rounded once
//   forward    one thread a pixel, its neighbourhood in shared memory; the adjoint is the same with swapped weights
//   gradients  a block sums G_S and g_S of one set over one share of the images, a thread an entry; shares are added in
//              order in float64, then the chain rule, one thread a weight. No atomics: the same bits at every run.
#include "cuda_check.cuh"
#include "cuda_launch.h"

namespace forensic::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kTileX = 32, kTileY = 8;
constexpr std::int64_t kPartialEntries = 1 << 22;  // float64 partial sums in the workspace: 32 MiB

// As AxisClasses of fold.h, in code that runs on the device.
struct Axis {
  std::int64_t length, radius, count, first, last;

  __host__ __device__ Axis(std::int64_t n, std::int64_t kernel)
      : length(n),
        radius(kernel / 2),
        count(n < kernel ? n : kernel),
        first(n < kernel ? n : kernel / 2),
        last(n < kernel ? n : n - kernel / 2) {}
  __host__ __device__ std::int64_t class_of(std::int64_t at) const {
    return at < first ? at : at < last ? radius : count - (length - at);
  }
  __host__ __device__ std::int64_t begin(std::int64_t cls) const {
    return cls < first || first == length ? cls : cls == radius ? first : length - (count - cls);
  }
  __host__ __device__ std::int64_t end(std::int64_t cls) const {
    return first < length && cls == radius ? last : begin(cls) + 1;
  }
  __host__ __device__ bool has(std::int64_t cls, std::int64_t offset) const {  // offset in [0, k)
    const std::int64_t at = begin(cls) + offset - radius;
    return at >= 0 && at < length;
  }
};

struct Sizes {
  std::int64_t images, height, width, hidden, kernel, span, terms, entries, sets;
  Axis rows, columns;

  explicit __host__ __device__ Sizes(const AugmentShape& s)
      : images(s.images),
        height(s.height),
        width(s.width),
        hidden(s.hidden),
        kernel(s.kernel),
        span(2 * s.kernel - 1),
        terms(3 * span * span),
        entries(3 * (terms + 1)),
        sets(0),
        rows(s.height, s.kernel),
        columns(s.width, s.kernel) {
    sets = rows.count * columns.count;
  }
};

__device__ std::int64_t first_item() { return static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; }
__device__ std::int64_t item_step() { return static_cast<std::int64_t>(gridDim.x) * blockDim.x; }

// w1 and w2 of the adjoint: each the other, with channels swapped and turned by 180 degrees.
template <typename T>
__global__ void swap_weights(Sizes s, AugmentWeights<T> from, T* w1, T* b1, T* w2, T* b2) {
  const std::int64_t area = s.kernel * s.kernel, count = s.hidden * 3 * area;
  for (std::int64_t at = first_item(); at < count; at += item_step()) {
    const std::int64_t c = at / (3 * area), i = at / area % 3, n = at % area;
    w1[at] = from.w2[(i * s.hidden + c) * area + area - 1 - n];
    w2[(i * s.hidden + c) * area + n] = from.w1[(c * 3 + i) * area + area - 1 - n];
    if (at < s.hidden) b1[at] = T(0);
    if (at < 3) b2[at] = T(0);
  }
}

// table[set][j][o] and, behind the last j, the biases.
template <typename T>
__global__ void fold(Sizes s, AugmentWeights<T> w, T* table) {
  const std::int64_t k = s.kernel, area = k * k;
  for (std::int64_t at = first_item(); at < s.sets * s.entries; at += item_step()) {
    const std::int64_t set = at / s.entries, j = at % s.entries / 3, o = at % 3;
    const std::int64_t row = set / s.columns.count, column = set % s.columns.count;
    const bool bias = j == s.terms;
    const std::int64_t i = j / (s.span * s.span), dy = j / s.span % s.span, dx = j % s.span;
    double sum = bias ? static_cast<double>(w.b2[o]) : 0.0;
    for (std::int64_t e = 0; e < area; ++e) {
      const std::int64_t ey = e / k, ex = e % k, fy = dy - ey, fx = dx - ex;
      if (!s.rows.has(row, ey) || !s.columns.has(column, ex)) continue;
      if (!bias && (fy < 0 || fy >= k || fx < 0 || fx >= k)) continue;
      for (std::int64_t c = 0; c < s.hidden; ++c) {
        const double inner = static_cast<double>(bias ? w.b1[c] : w.w1[(c * 3 + i) * area + fy * k + fx]);
        sum += static_cast<double>(w.w2[(o * s.hidden + c) * area + e]) * inner;
      }
    }
    table[at] = static_cast<T>(sum);
  }
}

template <typename T>
__global__ void forward(Sizes s, const T* x, ImageStrides strides, const T* table, T* y) {
  extern __shared__ unsigned char memory[];
  T* pixels = reinterpret_cast<T*>(memory);  // (3, kTileY + span - 1, kTileX + span - 1)
  const int border = static_cast<int>(s.span / 2), span = static_cast<int>(s.span);
  const int pitch = kTileX + 2 * border, lines = kTileY + 2 * border;
  const std::int64_t across = (s.width + kTileX - 1) / kTileX, down = (s.height + kTileY - 1) / kTileY;
  const int thread = static_cast<int>(threadIdx.y * kTileX + threadIdx.x);
  for (std::int64_t tile = blockIdx.x; tile < s.images * down * across; tile += gridDim.x) {
    const std::int64_t image = tile / (down * across);
    const std::int64_t top = tile / across % down * kTileY, left = tile % across * kTileX;
    __syncthreads();  // the tile before is done with
    for (int at = thread; at < 3 * lines * pitch; at += kTileX * kTileY) {
      const int i = at / (lines * pitch);
      const std::int64_t row = top + at / pitch % lines - border, column = left + at % pitch - border;
      const bool inside = row >= 0 && row < s.height && column >= 0 && column < s.width;
      pixels[at] =
          inside ? x[image * strides.image + i * strides.channel + row * strides.row + column * strides.column] : T(0);
    }
    __syncthreads();
    const std::int64_t row = top + threadIdx.y, column = left + threadIdx.x;
    if (row >= s.height || column >= s.width) continue;
    const T* weights = table + (s.rows.class_of(row) * s.columns.count + s.columns.class_of(column)) * s.entries;
    T sums[3];
    for (int o = 0; o < 3; ++o) sums[o] = weights[3 * s.terms + o];
    for (int i = 0; i < 3; ++i) {
      for (int dy = 0; dy < span; ++dy) {
        const T* line = pixels + (i * lines + static_cast<int>(threadIdx.y) + dy) * pitch + threadIdx.x;
        for (int dx = 0; dx < span; ++dx, weights += 3) {
          for (int o = 0; o < 3; ++o) sums[o] += weights[o] * line[dx];
        }
      }
    }
    for (int o = 0; o < 3; ++o) y[((image * 3 + o) * s.height + row) * s.width + column] = sums[o];
  }
}

// partial[share][set][entry]: sums over the rows of one share of all (image, row), in order. Row sums in T, the rest in
// float64.
template <typename T>
__global__ void correlate(Sizes s, std::int64_t shares, const T* x, ImageStrides xs, const T* g, ImageStrides gs,
                          double* partial) {
  const std::int64_t share = blockIdx.x, set = blockIdx.y;
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
  const std::int64_t most = std::min<std::int64_t>(512, kPartialEntries / (s.sets * s.entries));
  return std::clamp<std::int64_t>(s.images * s.height, 1, std::max<std::int64_t>(most, 1));
}

template <typename T>
std::size_t table_bytes(const Sizes& s) {
  return aligned(static_cast<std::size_t>(s.sets * s.entries) * sizeof(T));
}

std::size_t swapped_elements(const Sizes& s) {
  return static_cast<std::size_t>(6 * s.hidden * s.kernel * s.kernel + s.hidden + 3);
}

}  // namespace

template <typename T>
void augment(const AugmentShape& shape, const T* x, const ImageStrides& x_strides, const AugmentWeights<T>& weights,
             T* y, bool adjoint, Stream stream) {
  const Sizes s(shape);
  if (s.images * s.height * s.width == 0) return;
  const auto on = reinterpret_cast<cudaStream_t>(stream);
  const DeviceMemory memory(table_bytes<T>(s) + swapped_elements(s) * sizeof(T), on);
  T* table = reinterpret_cast<T*>(memory.data());
  AugmentWeights<T> used = weights;
  if (adjoint) {
    T* w1 = reinterpret_cast<T*>(memory.data() + table_bytes<T>(s));
    const std::int64_t count = 3 * s.hidden * s.kernel * s.kernel;
    T *w2 = w1 + count, *b1 = w2 + count, *b2 = b1 + s.hidden;
    swap_weights<T><<<blocks_for(count, kThreads), kThreads, 0, on>>>(s, weights, w1, b1, w2, b2);
    check_launch("augment");
    used = {w1, b1, w2, b2};
  }
  fold<T><<<blocks_for(s.sets * s.entries, kThreads), kThreads, 0, on>>>(s, used, table);
  check_launch("augment");
  const std::size_t shared = static_cast<std::size_t>(3 * (kTileY + s.span - 1) * (kTileX + s.span - 1)) * sizeof(T);
  FORENSIC_CHECK(shared <= 48 * 1024, "w1: kernels of ", s.kernel, " x ", s.kernel, " are too large for the device");
  const std::int64_t tiles = s.images * ((s.height + kTileY - 1) / kTileY) * ((s.width + kTileX - 1) / kTileX);
  forward<T><<<blocks_for(tiles, 1), dim3(kTileX, kTileY), shared, on>>>(s, x, x_strides, table, y);
  check_launch("augment");
}

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
    correlate<T><<<grid, kThreads, 0, on>>>(s, shares, x, x_strides, g, g_strides, partial);
    check_launch("augment");
    add_shares<<<blocks_for(size, kThreads), kThreads, 0, on>>>(shares, size, partial);
    check_launch("augment");
  }
  const std::int64_t outputs = 6 * s.hidden * s.kernel * s.kernel + s.hidden + 3;
  unfold<T><<<blocks_for(outputs, kThreads), kThreads, 0, on>>>(s, partial, weights, d_w1, d_b1, d_w2, d_b2);
  check_launch("augment");
}

#define FORENSIC_INSTANTIATE(T)                                                                                 \
  template void augment(const AugmentShape&, const T*, const ImageStrides&, const AugmentWeights<T>&, T*, bool, \
                        Stream);                                                                                \
  template void augment_weight_gradients(const AugmentShape&, const T*, const ImageStrides&, const T*,          \
                                         const ImageStrides&, const AugmentWeights<T>&, T*, T*, T*, T*, Stream);
FORENSIC_INSTANTIATE(float)
FORENSIC_INSTANTIATE(double)
#undef FORENSIC_INSTANTIATE

}  // namespace forensic::cuda
