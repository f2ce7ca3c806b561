// The folded augmenter on a device; formula, classes and twin as in augment.h.
//   fold       one thread an entry of the table of kernels K_S and biases b_S, in float64, rounded once
//   forward    one thread a pixel, its neighbourhood in shared memory; the adjoint is the same with swapped weights.
//              For 3 x 3 kernels a thread makes four pixels of a row and keeps eight values of a line in registers; the
//              border ring is made again with the weights of its sets
#include "augment_sizes.cuh"
#include "cuda_read.cuh"

namespace forensic::cuda {
namespace {

constexpr int kTileX = 32;

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
  extern __shared__ __align__(16) unsigned char memory[];
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

constexpr int kStrip = 4, kStripsX = 32, kWideX = kStrip * kStripsX;  // pixels of a thread, threads of a line
constexpr int kGroup = 16;  // 5 x 3 weights of a line, and one that is not used

// As `forward`, span 5 and both sides at least 5.
template <typename T>
__global__ void __launch_bounds__(kStripsX* kTileY, sizeof(T) == 4 ? 3 : 1)
    forward_strips(Sizes s, const T* x, ImageStrides strides, const T* table, T* y) {
  constexpr int border = kSpan / 2, pitch = kWideX + 2 * border, lines = kTileY + 2 * border;
  __shared__ __align__(32) T pixels[3][lines][pitch];
  __shared__ __align__(32) T inner[3 * kSpan][kGroup];  // the weights of the interior
  const int thread = static_cast<int>(threadIdx.y * kStripsX + threadIdx.x);
  const T* interior = table + (s.rows.radius * s.columns.count + s.columns.radius) * s.entries;
  for (int at = thread; at < 3 * kSpan * kGroup; at += kStripsX * kTileY) {
    const int group = at / kGroup, n = at % kGroup;
    inner[group][n] = n < 3 * kSpan ? interior[group * 3 * kSpan + n] : T(0);
  }
  const T bias[3] = {interior[3 * s.terms], interior[3 * s.terms + 1], interior[3 * s.terms + 2]};
  const std::int64_t across = (s.width + kWideX - 1) / kWideX, down = (s.height + kTileY - 1) / kTileY;
  for (std::int64_t tile = blockIdx.x; tile < s.images * down * across; tile += gridDim.x) {
    const std::int64_t image = tile / (down * across);
    const std::int64_t top = tile / across % down * kTileY, left = tile % across * kWideX;
    __syncthreads();  // the tile before is done with
    for (int at = thread; at < 3 * lines * pitch; at += kStripsX * kTileY) {
      const int i = at / (lines * pitch), line = at / pitch % lines, place = at % pitch;
      const std::int64_t row = top + line - border, column = left + place - border;
      const bool inside = row >= 0 && row < s.height && column >= 0 && column < s.width;
      pixels[i][line][place] =
          inside ? x[image * strides.image + i * strides.channel + row * strides.row + column * strides.column] : T(0);
    }
    __syncthreads();
    const int strip = static_cast<int>(threadIdx.x) * kStrip;
    const std::int64_t row = top + threadIdx.y, column = left + strip;
    if (row >= s.height || column >= s.width) continue;
    T sums[kStrip][3];
#pragma unroll
    for (int n = 0; n < kStrip; ++n) {
#pragma unroll
      for (int o = 0; o < 3; ++o) sums[n][o] = bias[o];
    }
#pragma unroll 1
    for (int i = 0; i < 3; ++i) {
#pragma unroll 1
      for (int dy = 0; dy < kSpan; ++dy) {
        const T* line = &pixels[i][static_cast<int>(threadIdx.y) + dy][strip];
        T values[kStrip + kSpan - 1], factors[kGroup];
        read_fours<kStrip + kSpan - 1>(line, values);
        read_fours<kGroup>(inner[i * kSpan + dy], factors);
#pragma unroll
        for (int dx = 0; dx < kSpan; ++dx) {
#pragma unroll
          for (int n = 0; n < kStrip; ++n) {
#pragma unroll
            for (int o = 0; o < 3; ++o) sums[n][o] += factors[3 * dx + o] * values[n + dx];
          }
        }
      }
    }
    const std::int64_t row_class = s.rows.class_of(row);
#pragma unroll
    for (int n = 0; n < kStrip; ++n) {
      if (column + n >= s.width) continue;
      const std::int64_t column_class = s.columns.class_of(column + n);
      if (row_class != s.rows.radius || column_class != s.columns.radius) {
        const T* weights = table + (row_class * s.columns.count + column_class) * s.entries;
        for (int o = 0; o < 3; ++o) sums[n][o] = weights[3 * s.terms + o];
#pragma unroll 1
        for (int i = 0; i < 3; ++i) {
#pragma unroll 1
          for (int dy = 0; dy < kSpan; ++dy) {
            for (int dx = 0; dx < kSpan; ++dx, weights += 3) {
              const T value = pixels[i][static_cast<int>(threadIdx.y) + dy][strip + n + dx];
              for (int o = 0; o < 3; ++o) sums[n][o] += weights[o] * value;
            }
          }
        }
      }
      for (int o = 0; o < 3; ++o) y[((image * 3 + o) * s.height + row) * s.width + column + n] = sums[n][o];
    }
  }
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
  if (is_common(s)) {
    const std::int64_t tiles = s.images * ((s.height + kTileY - 1) / kTileY) * ((s.width + kWideX - 1) / kWideX);
    forward_strips<T><<<blocks_for(tiles, 1), dim3(kStripsX, kTileY), 0, on>>>(s, x, x_strides, table, y);
    check_launch("augment");
    return;
  }
  const std::size_t shared = static_cast<std::size_t>(3 * (kTileY + s.span - 1) * (kTileX + s.span - 1)) * sizeof(T);
  FORENSIC_CHECK(shared <= 48 * 1024, "w1: kernels of ", s.kernel, " x ", s.kernel, " are too large for the device");
  const std::int64_t tiles = s.images * ((s.height + kTileY - 1) / kTileY) * ((s.width + kTileX - 1) / kTileX);
  forward<T><<<blocks_for(tiles, 1), dim3(kTileX, kTileY), shared, on>>>(s, x, x_strides, table, y);
  check_launch("augment");
}

#define FORENSIC_INSTANTIATE(T) \
  template void augment(const AugmentShape&, const T*, const ImageStrides&, const AugmentWeights<T>&, T*, bool, Stream);
FORENSIC_INSTANTIATE(float)
FORENSIC_INSTANTIATE(double)
#undef FORENSIC_INSTANTIATE

}  // namespace forensic::cuda
